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

/// The billions of bytes a second at which a square matrix with `size` rows is copied from the CPU to a device and back: the
/// best of ten tries. On the CPU itself the copy is one within its memory.
pub fn copy_speed(size: usize, device: &Device) -> Result<f64> {
    let matrix = Tensor::ones((size, size), DType::F32, &Device::Cpu)?;
    let mut timer = Timer::new();
    for _ in 0..10 {
        timer.start();
        let there = if device.is_cpu() { matrix.copy()? } else { matrix.to_device(device)? };
        let back = if device.is_cpu() { there.copy()? } else { there.to_device(&Device::Cpu)? };
        std::hint::black_box(back);
        timer.stop();
    }
    let fastest = timer.spans().iter().min().map_or(f64::NAN, std::time::Duration::as_secs_f64);
    Ok(2.0 * 4.0 * (size as f64).powi(2) / fastest / 1e9)
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

    nb.cell("How fast devices multiply")?;
    let mut devices = vec![Device::Cpu];
    devices.extend((!nb.device().is_cpu()).then(|| nb.device().clone()));
    let sizes: Vec<usize> = (6..usize::BITS).map(|power| 1 << power).take_while(|&n| n <= config.largest).collect();
    let places: Vec<String> = devices.iter().map(|device| format!("{:?}", device.location())).collect();
    let mut table = Table::new(["rows".to_string()].into_iter().chain(places.clone()));
    let mut speeds = vec![Vec::new(); devices.len()];
    for &size in &sizes {
        for (device, speeds) in devices.iter().zip(&mut speeds) {
            speeds.push(gflops(size, device)?);
        }
        let of_size = speeds.iter().filter_map(|speeds| speeds.last());
        table.row([size.to_string()].into_iter().chain(of_size.map(|speed| format!("{speed:.1}"))));
    }
    nb.say("billions of operations a second")?;
    nb.say(table)?;
    let mut chart = Chart::new().x_label("rows").y_label("billions of operations a second").log_x();
    if devices.len() > 1 {
        chart = chart.log_y();
    } else {
        chart = chart.y_range(0.0..1.1 * speeds[0].iter().copied().fold(0.0, f64::max));
    }
    for (place, speeds) in places.iter().zip(&speeds) {
        chart = chart.line(place, &sizes, speeds);
    }
    nb.figure("matrix-products", "Operations a second of a matrix product by the number of rows", chart)?;
    nb.metric("gflops", speeds.iter().flatten().copied().fold(0.0, f64::max))?;

    nb.cell("What a copy costs")?;
    let last = sizes.last().copied().unwrap_or(64);
    let speed = copy_speed(last, nb.device())?;
    let (bytes, operations) = (4.0 * (last as f64).powi(2), 2.0 * (last as f64).powi(3));
    let product = operations / (speeds[devices.len() - 1].last().copied().unwrap_or(f64::NAN) * 1e9);
    nb.say(format!("a matrix of {last} rows: {:.1} MB there and back at {speed:.1} GB/s", bytes / 1e6))?;
    nb.say(format!("{:.2} ms for the copies, {:.2} ms for a product", 2e3 * bytes / speed / 1e9, 1e3 * product))
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
    fn speeds_are_positive_numbers() -> Result<()> {
        for speed in [gflops(64, &Device::Cpu)?, copy_speed(64, &Device::Cpu)?] {
            assert!(speed.is_finite() && speed > 0.0, "{speed}");
        }
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
