//! 11.10 Adam
//!
//! Momentum and scaled rates together, with averages corrected for their empty start; and Yogi, whose scale follows more
//! slowly.
//!
//! `cargo run --release -p optimization -- adam`
//! Half the mean squared error on the airfoil set ends at 0.242 to 0.255 at a learning rate of 0.01.

use d2l::optim::Adam;
use d2l::prelude::*;

use crate::airfoil_regression::{AirfoilSettings, Algorithm, show_loss, train_concise, train_scratch};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { num_examples: 300 } }

/// The shares of both averages that a step keeps.
const BETAS: (f64, f64) = (0.9, 0.999);

/// `β · old + (1 − β) · new`
fn average(old: &Tensor, new: &Tensor, beta: f64) -> Result<Tensor> {
    (old * beta)? + (new * (1.0 - beta))?
}

/// The last part of both algorithms at step `t`: `p ← p − η v̂ / (√ŝ + ε)`, with both averages corrected for their start
/// from zero. The book has `ε` of 1e-6 for Adam and 1e-3 for Yogi.
fn corrected_step(parameter: &Var, v: &Tensor, s: &Tensor, lr: f64, eps: f64, t: usize) -> Result<()> {
    let v = (v / (1.0 - BETAS.0.powi(t as i32)))?;
    let s = (s / (1.0 - BETAS.1.powi(t as i32)))?;
    parameter.set(&(parameter.as_detached_tensor() - ((v * lr)? / (s.sqrt()? + eps)?)?)?)
}

/// A step of Adam: `v ← β₁ v + (1 − β₁) g`, `s ← β₂ s + (1 − β₂) g²`, then `corrected_step`.
pub fn adam(lr: f64) -> Algorithm {
    Algorithm::new(2, move |parameter, grad, states, t| {
        let v = average(&states[0].as_detached_tensor(), grad, BETAS.0)?;
        let s = average(&states[1].as_detached_tensor(), &grad.sqr()?, BETAS.1)?;
        states[0].set(&v)?;
        states[1].set(&s)?;
        corrected_step(parameter, &v, &s, lr, 1e-6, t)
    })
}

/// A step of Yogi: `s ← s + (1 − β₂) g² sign(g² − s)`, so that `s` moves toward `g²` by `(1 − β₂) g²`, however far it is from
/// it; the rest is Adam's.
pub fn yogi(lr: f64) -> Algorithm {
    Algorithm::new(2, move |parameter, grad, states, t| {
        let v = average(&states[0].as_detached_tensor(), grad, BETAS.0)?;
        let (old, square) = (states[1].as_detached_tensor(), grad.sqr()?);
        let s = (&old + ((&square - &old)?.sign()? * (square * (1.0 - BETAS.1))?)?)?;
        states[0].set(&v)?;
        states[1].set(&s)?;
        corrected_step(parameter, &v, &s, lr, 1e-3, t)
    })
}

/// Both algorithms' second state, Adam's first, after `t` steps, where every gradient is 10 for 500 steps and 0.1 after them.
fn second_states(t: usize) -> [f64; 2] {
    let (mut adam, mut yogi) = (0.0f64, 0.0f64);
    for step in 0..t {
        let square = if step < 500 { 100.0f64 } else { 0.01 };
        adam = BETAS.1 * adam + (1.0 - BETAS.1) * square;
        yogi += (1.0 - BETAS.1) * square * (square - yogi).signum();
    }
    [adam, yogi]
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Implementation")?;
    let data = config.airfoil.load(nb)?;
    let history = train_scratch(nb, "scratch", &data, config.batch_size, &adam(config.lr))?;
    show_loss(nb, "scratch", "from scratch", &history)?;

    nb.cell("Concise implementation")?;
    let history =
        train_concise(nb, "concise", &data, config.batch_size, |parameters| Adam::new(parameters, config.lr))?;
    show_loss(nb, "concise", "the library's", &history)?;

    nb.cell("Yogi")?;
    let history = train_scratch(nb, "yogi", &data, config.batch_size, &yogi(config.lr))?;
    show_loss(nb, "yogi", "Yogi", &history)?;

    nb.cell("What Yogi forgets more slowly")?;
    let mut table = Table::new(["steps", "s, Adam", "s, Yogi", "1 / √ŝ, Adam", "1 / √ŝ, Yogi"]);
    let rates = |t: usize| second_states(t).map(|s| ((1.0 - BETAS.1.powi(t as i32)) / s).sqrt());
    for t in [500, 1000] {
        let ([adam, yogi], [adam_rate, yogi_rate]) = (second_states(t), rates(t));
        let numbers = [adam, yogi, adam_rate, yogi_rate].map(|number| format!("{number:.3}"));
        table.row([t.to_string()].into_iter().chain(numbers));
    }
    nb.say(table)?;
    let ([adam, yogi], [adam_before, yogi_before]) = (rates(1000), rates(500));
    nb.metric("rate_rise_adam", adam / adam_before)?;
    nb.metric("rate_rise_yogi", yogi / yogi_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_the_librarys() -> Result<()> {
        let (ours, theirs) = (Var::new(&[1f32, -2.0], &Device::Cpu)?, Var::new(&[1f32, -2.0], &Device::Cpu)?);
        let state = [Var::zeros(2, DType::F32, &Device::Cpu)?, Var::zeros(2, DType::F32, &Device::Cpu)?];
        let mut optimizer = Adam::new([&theirs], 0.01).eps(1e-6);
        for t in 1..=10 {
            (adam(0.01).step)(&ours, &(ours.as_detached_tensor() * 2.0)?, &state, t)?;
            optimizer.minimize(&theirs.sqr()?.sum_all()?)?;
        }
        for (a, b) in ours.to_vec1::<f32>()?.into_iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        Ok(())
    }

    #[test]
    fn yogi_starts_as_adam_does() -> Result<()> {
        // From s = 0 both take the share 1 - β₂ of g².
        let g = Tensor::new(&[0.5f32, -3.0], &Device::Cpu)?;
        let zeros = || -> Result<[Var; 2]> {
            Ok([Var::zeros(2, DType::F32, &Device::Cpu)?, Var::zeros(2, DType::F32, &Device::Cpu)?])
        };
        let (a, b) = (zeros()?, zeros()?);
        let parameter = Var::zeros(2, DType::F32, &Device::Cpu)?;
        (adam(0.01).step)(&parameter, &g, &a, 1)?;
        (yogi(0.01).step)(&parameter, &g, &b, 1)?;
        for (a, b) in a[1].to_vec1::<f32>()?.into_iter().zip(b[1].to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-7, "{a} {b}");
        }
        Ok(())
    }
}
