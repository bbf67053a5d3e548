//! 3.1 Linear Regression
//!
//! Why a training loop works on whole tensors, and the normal distribution behind the squared loss.
//!
//! `cargo run --release -p linear-nets -- linear-regression`
//! A second or less: adding two vectors element by element, each a tensor of its own, takes a thousand times as long as
//! adding them at once.

use std::f64::consts::PI;

use d2l::prelude::*;
use d2l::train::Timer;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Length of the vectors that are added
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub length: usize,
}

defaults! { Config }

/// The density of `N(mean, std²)` at `x`.
pub fn normal_density(x: f64, mean: f64, std: f64) -> f64 {
    (-(x - mean).powi(2) / (2.0 * std.powi(2))).exp() / (std * (2.0 * PI).sqrt())
}

/// Adds two vectors `(n)` one element at a time, each a tensor of its own.
pub fn add_one_by_one(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let sums = (0..a.dim(0)?).map(|i| a.get(i)? + b.get(i)?).collect::<Result<Vec<_>>>()?;
    Tensor::stack(&sums, 0) // (n)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Two vectors of ones")?;
    let a = Tensor::ones(config.length, DType::F32, nb.device())?;
    let b = a.ones_like()?;
    nb.say(format!("two vectors of {} ones", a.elem_count()))?;

    nb.cell("Element by element")?;
    let mut timer = Timer::new();
    let one_by_one = add_one_by_one(&a, &b)?;
    let loop_time = timer.stop();
    nb.say(format!("{loop_time:.1?}"))?;

    nb.cell("The whole vector at once")?;
    timer.start();
    let at_once = (&a + &b)?;
    let vector_time = timer.stop();
    let speedup = loop_time.as_secs_f64() / vector_time.as_secs_f64();
    nb.say(format!("{vector_time:.1?}, {speedup:.0} times as fast"))?;
    let difference = (one_by_one - at_once)?.abs()?.max_all()?;
    nb.show("largest difference", difference.to_scalar::<f32>()?)?;

    nb.cell("A loop over plain numbers")?;
    let (a, b) = (a.to_vec1::<f32>()?, b.to_vec1::<f32>()?);
    timer.start();
    let sums: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let plain_time = timer.stop();
    nb.say(format!("{plain_time:.1?} for {} numbers", sums.len()))?;

    nb.cell("Normal densities")?;
    let x: Vec<f64> = (-700..700).map(|i| f64::from(i) / 100.0).collect();
    let chart = Chart::new().x_label("x").y_label("p(x)");
    let chart = [(0.0, 1.0), (0.0, 2.0), (3.0, 1.0)].iter().fold(chart, |chart, &(mean, std)| {
        let density: Vec<f64> = x.iter().map(|&x| normal_density(x, mean, std)).collect();
        chart.line(format!("mean {mean}, std {std}"), &x, &density)
    });
    nb.figure("normal-densities", "Three normal densities: shifting the mean, widening the spread", chart)?;
    nb.metric("speedup", speedup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_integrate_to_one() {
        for (mean, std) in [(0.0, 1.0), (3.0, 0.5)] {
            let integral: f64 = (-1000..1000).map(|i| normal_density(f64::from(i) / 100.0, mean, std) / 100.0).sum();
            assert!((integral - 1.0).abs() < 1e-9, "{integral}");
        }
    }

    #[test]
    fn one_by_one_and_at_once_agree() -> Result<()> {
        let a = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu)?;
        assert_eq!(add_one_by_one(&a, &a)?.to_vec1::<f32>()?, [2.0, 4.0, 6.0]);
        Ok(())
    }
}
