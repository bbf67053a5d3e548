//! 5.6 GPUs
//!
//! Devices: what there is, what lives where, what a copy costs, and a net on a device of one's choice.
//!
//! `cargo run --release -p computation -- use-gpu`, with a GPU
//! `cargo run --release -p computation --features cuda -- use-gpu --device cuda`
//! A few seconds. Without a GPU everything is on the CPU, and the messages say so.

use d2l::device::{all_gpus_or_cpu, gpu_count, gpu_or_cpu};
use d2l::notebook::{DeviceChoice, at_least};
use d2l::prelude::*;
use d2l::{nn::Linear, ops, train::Timer};

/// Sizes.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows of the largest matrix that is multiplied
    #[arg(long, default_value_t = 1024, value_parser = at_least::<64>)]
    pub largest: usize,
}

defaults! { Config: Smoke { largest: 128 } }

/// Where a tensor lives, in a word.
pub fn place(tensor: &Tensor) -> String {
    format!("{:?}", tensor.device().location())
}

/// The billions of additions and multiplications a second of the product of two square matrices with `size` rows: the
/// best of ten tries, since other programs take their share of some.
pub fn gflops(size: usize, device: &Device) -> Result<f64> {
    let a = Tensor::ones((size, size), DType::F32, device)?;
    let work = 2.0 * (size as f64).powi(3);
    let repeats = (1e8 / work).ceil();
    let mut timer = Timer::new();
    for _ in 0..10 {
        timer.start();
        let mut product = ops::matmul(&a, &a)?;
        for _ in 1..repeats as usize {
            product = ops::matmul(&a, &a)?;
        }
        // A GPU answers before it has computed: only reading a value waits for it.
        product.get(0)?.get(0)?.to_scalar::<f32>()?;
        timer.stop();
    }
    let fastest = timer.spans().iter().min().map_or(f64::NAN, std::time::Duration::as_secs_f64);
    Ok(work * repeats / fastest / 1e9)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Computing devices")?;
    for name in ["cpu", "cuda:0", "cuda:1", "metal"] {
        let choice: DeviceChoice = name.parse().map_err(anyhow::Error::msg)?;
        match choice.open() {
            Ok(device) => nb.show(name, format!("{:?}", device.location()))?,
            Err(reason) => nb.show(name, format!("{reason:#}"))?,
        }
    }
    nb.show("GPUs", gpu_count())?;

    nb.cell("A GPU if there is one")?;
    for device in [gpu_or_cpu(0), gpu_or_cpu(10)].iter().chain(&all_gpus_or_cpu()) {
        nb.say(format!("{:?}", device.location()))?;
    }

    nb.cell("Where a tensor lives")?;
    let x = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu)?;
    nb.say(place(&x))?;

    nb.cell("Making tensors on a device")?;
    let x = Tensor::ones((2, 3), DType::F32, &gpu_or_cpu(0))?;
    let y = nb.uniform((2, 3))?.to_device(&gpu_or_cpu(1))?;
    nb.say(format!("x on {}, y on {}", place(&x), place(&y)))?;
    nb.show("y", &y)?;

    nb.cell("Copying")?;
    let z = x.to_device(y.device())?;
    nb.show("y + z", (&y + &z)?)?;
    let same = z.to_device(y.device())?;
    nb.show("a copy to the same device is the tensor itself", same.id() == z.id())?;
    if !x.device().same_device(y.device())
        && let Err(error) = &x + &y
    {
        nb.show("x + y", error.to_string().lines().next().unwrap_or_default())?;
    }

    nb.cell("A net on a device")?;
    let parameters = nb.parameters();
    let net = Sequential::with_parameters(&parameters.builder()).layer("0", |vb| Linear::new(3, 1, vb))?;
    let x = x.to_device(nb.device())?;
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (2, 1)
    for (name, variable) in parameters.named() {
        nb.say(format!("{name} on {}", place(&variable)))?;
    }

    nb.cell("How fast this device multiplies")?;
    let sizes: Vec<usize> = (6..usize::BITS).map(|power| 1 << power).take_while(|&n| n <= config.largest).collect();
    let speeds = sizes.iter().map(|&size| gflops(size, nb.device())).collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(["rows", "billions of operations a second"]);
    for (size, speed) in sizes.iter().zip(&speeds) {
        table.row([size.to_string(), format!("{speed:.1}")]);
    }
    nb.say(table)?;
    let best = speeds.iter().copied().fold(0.0, f64::max);
    let chart =
        Chart::new().x_label("rows").y_label("billions of operations a second").log_x().y_range(0.0..1.1 * best);
    let alt = "Operations a second of a matrix product by the number of rows";
    nb.figure("matrix-products", alt, chart.unlabeled_line(&sizes, &speeds))?;
    nb.metric("gflops", best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_results_stay_on_their_device() -> Result<()> {
        let device = gpu_or_cpu(0);
        let x = Tensor::ones((2, 3), DType::F32, &device)?;
        assert!((&x + &x)?.device().same_device(&device));
        assert_eq!(place(&Tensor::ones(1, DType::F32, &Device::Cpu)?), "Cpu");
        assert_eq!(all_gpus_or_cpu().len(), gpu_count().max(1));
        Ok(())
    }

    #[test]
    fn speed_is_a_positive_number() -> Result<()> {
        let speed = gflops(64, &Device::Cpu)?;
        assert!(speed.is_finite() && speed > 0.0, "{speed}");
        Ok(())
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_device_that_is_not_built_in_says_what_to_do() {
        for (name, feature) in [("cuda:1", "--features cuda"), ("metal", "--features metal")] {
            let choice: DeviceChoice = name.parse().expect("a device's name");
            let message = choice.open().expect_err("not built in").to_string();
            assert!(message.contains(name) && message.contains(feature), "{message}");
        }
        assert!("gpu".parse::<DeviceChoice>().expect_err("no such name").contains("cuda"));
    }
}
