//! 11.9 Adadelta
//!
//! Steps scaled by the size of the steps before: nobody sets a rate.
//!
//! `cargo run --release -p optimization -- adadelta`
//! Half the mean squared error on the airfoil set ends at 0.242 to 0.255.

use d2l::optim::Adadelta;
use d2l::prelude::*;

use crate::airfoil_regression::{AirfoilSettings, Algorithm, show_loss, train_concise, train_scratch};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub batch_size: usize,
    /// The share of both averages that a step keeps
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub rho: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { num_examples: 300 } }

/// Added to both averages: the first step would have no length otherwise.
const EPS: f64 = 1e-5;

/// A step of Adadelta, with `s` the leaky average of squared gradients and `δ` that of squared steps:
/// `s ← ρ s + (1 − ρ) g²`, `g′ ← g √(δ + ε) / √(s + ε)`, `p ← p − g′`, `δ ← ρ δ + (1 − ρ) g′²`.
pub fn adadelta(rho: f64) -> Algorithm {
    Algorithm::new(2, move |parameter, grad, states, _| {
        let average = |old: &Var, new: &Tensor| (old.as_detached_tensor() * rho)? + (new.sqr()? * (1.0 - rho))?;
        let [s, delta] = [&states[0], &states[1]];
        s.set(&average(s, grad)?)?;
        let ratio = ((delta.as_detached_tensor() + EPS)?.sqrt()? / (s.as_detached_tensor() + EPS)?.sqrt()?)?;
        let change = (ratio * grad)?;
        parameter.set(&(parameter.as_detached_tensor() - &change)?)?;
        delta.set(&average(delta, &change)?)
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Implementation")?;
    let data = config.airfoil.load(nb)?;
    let history = train_scratch(nb, "scratch", &data, config.batch_size, &adadelta(config.rho))?;
    show_loss(nb, "scratch", "from scratch", &history)?;

    nb.cell("Concise implementation")?;
    let history = train_concise(nb, "concise", &data, config.batch_size, |parameters| {
        Adadelta::new(parameters, 1.0).rho(config.rho)
    })?;
    show_loss(nb, "concise", "the library's", &history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_as_long_as_the_root_of_epsilon_says() -> Result<()> {
        let first = |optimizer: &mut dyn FnMut(&Var) -> Result<()>| -> Result<f32> {
            let parameter = Var::new(0f32, &Device::Cpu)?;
            optimizer(&parameter)?;
            Ok(parameter.to_scalar::<f32>()?.abs())
        };
        let ours = first(&mut |parameter| {
            let state = [Var::zeros((), DType::F32, &Device::Cpu)?, Var::zeros((), DType::F32, &Device::Cpu)?];
            (adadelta(0.9).step)(parameter, &Tensor::new(3f32, &Device::Cpu)?, &state, 1)
        })?;
        let theirs =
            first(&mut |parameter| Adadelta::new([parameter], 1.0).rho(0.9).minimize(&(parameter.as_tensor() * 3.0)?))?;
        // √(ε / (1 − ρ)), with an ε of 1e-5 here and 1e-6 there.
        assert!((ours - 0.01).abs() < 1e-5 && (ours / theirs - 10f32.sqrt()).abs() < 1e-3, "{ours} {theirs}");
        Ok(())
    }

    #[test]
    fn steps_are_the_librarys() -> Result<()> {
        let (ours, theirs) = (Var::new(&[1f32, -2.0], &Device::Cpu)?, Var::new(&[1f32, -2.0], &Device::Cpu)?);
        let state = [Var::zeros(2, DType::F32, &Device::Cpu)?, Var::zeros(2, DType::F32, &Device::Cpu)?];
        let mut optimizer = Adadelta::new([&theirs], 1.0).rho(0.9).eps(EPS);
        for _ in 0..10 {
            (adadelta(0.9).step)(&ours, &(ours.as_detached_tensor() * 2.0)?, &state, 1)?;
            optimizer.minimize(&theirs.sqr()?.sum_all()?)?;
        }
        for (a, b) in ours.to_vec1::<f32>()?.into_iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        Ok(())
    }
}
