//! Where tensors live and are computed with (section 5.6).

use candle_core::Device;

/// The GPU of this index where this build supports it and the machine has it, else the CPU.
#[doc(alias = "try_gpu")]
pub fn gpu_or_cpu(index: usize) -> Device {
    open_gpu(index).unwrap_or(Device::Cpu)
}

/// All GPUs that this build supports and the machine has; the CPU alone where there are none. Never empty.
#[doc(alias = "try_all_gpus")]
pub fn all_gpus_or_cpu() -> Vec<Device> {
    let gpus: Vec<Device> = (0..).map_while(open_gpu).collect();
    if gpus.is_empty() { vec![Device::Cpu] } else { gpus }
}

/// How many GPUs this build supports and the machine has.
#[doc(alias = "num_gpus")]
#[doc(alias = "device_count")]
pub fn gpu_count() -> usize {
    (0..).map_while(open_gpu).count()
}

fn open_gpu(index: usize) -> Option<Device> {
    if cfg!(feature = "cuda") {
        Device::new_cuda(index).ok()
    } else if cfg!(feature = "metal") {
        // candle knows a Mac's one GPU.
        (index == 0).then(|| Device::new_metal(0).ok()).flatten()
    } else {
        None
    }
}

#[cfg(test)]
#[cfg(not(any(feature = "cuda", feature = "metal")))]
mod tests {
    use super::*;

    #[test]
    fn without_a_gpu_there_is_the_cpu() {
        assert!(gpu_or_cpu(0).is_cpu() && gpu_or_cpu(9).is_cpu());
        assert!(matches!(all_gpus_or_cpu().as_slice(), [Device::Cpu]));
        assert_eq!(gpu_count(), 0);
    }
}
