//! 11.8 RMSProp
//!
//! Adagrad that forgets: a leaky average of squares in the place of their sum, so that rates do not fall forever.
//!
//! `cargo run --release -p optimization -- rmsprop`
//! Half the mean squared error on the airfoil set ends at 0.242 to 0.255 at a learning rate of 0.01.

use d2l::optim::RmsProp;
use d2l::prelude::*;

use super::gd::{show_trace_2d, train_2d};
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
    /// The share of the average of squares that a step keeps
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub gamma: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { num_examples: 300 } }

/// Added to the average of squares, so that nothing is divided by zero.
const EPS: f64 = 1e-6;

/// The same in the valley `0.1 x1² + 2 x2²` of section 11.6.
fn rmsprop_2d(eta: f64, gamma: f64) -> impl FnMut(f64, f64) -> (f64, f64) {
    let (mut s1, mut s2) = (0.0, 0.0);
    move |x1: f64, x2: f64| {
        let (g1, g2) = (0.2 * x1, 4.0 * x2);
        (s1, s2) = (gamma * s1 + (1.0 - gamma) * g1 * g1, gamma * s2 + (1.0 - gamma) * g2 * g2);
        (x1 - eta / (s1 + EPS).sqrt() * g1, x2 - eta / (s2 + EPS).sqrt() * g2)
    }
}

/// A step: `s ← γ s + (1 − γ) g²`, `p ← p − η g / √(s + ε)`.
pub fn rmsprop(lr: f64, gamma: f64) -> Algorithm {
    Algorithm::new(1, move |parameter, grad, states, _| {
        let s = ((states[0].as_detached_tensor() * gamma)? + (grad.sqr()? * (1.0 - gamma))?)?;
        states[0].set(&s)?;
        let scaled = (grad / (s + EPS)?.sqrt()?)?;
        parameter.set(&(parameter.as_detached_tensor() - (scaled * lr)?)?)
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The algorithm")?;
    let steps: Vec<f64> = (0..40).map(f64::from).collect();
    let chart = [0.95f64, 0.9, 0.8, 0.7].iter().fold(
        Chart::new().x_label("age in steps").y_label("weight of a square"),
        |chart, &gamma| {
            let weights: Vec<f64> = steps.iter().map(|&t| (1.0 - gamma) * gamma.powf(t)).collect();
            chart.line(format!("γ = {gamma}"), &steps, &weights)
        },
    );
    nb.figure("weights", "The weight of a square in the average by its age, for four values of γ", chart)?;

    nb.cell("In two dimensions")?;
    let f_2d = |x1: f64, x2: f64| 0.1 * x1 * x1 + 2.0 * x2 * x2;
    show_trace_2d(nb, "plane", "rate 0.4", f_2d, &train_2d(20, rmsprop_2d(0.4, 0.9)))?;

    nb.cell("Implementation from scratch")?;
    let data = config.airfoil.load(nb)?;
    let history = train_scratch(nb, "scratch", &data, config.batch_size, &rmsprop(config.lr, config.gamma))?;
    show_loss(nb, "scratch", "from scratch", &history)?;

    nb.cell("Concise implementation")?;
    let history = train_concise(nb, "concise", &data, config.batch_size, |parameters| {
        RmsProp::new(parameters, config.lr).alpha(config.gamma)
    })?;
    show_loss(nb, "concise", "the library's", &history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_ends_where_it_must() {
        let (x1, x2) = train_2d(20, rmsprop_2d(0.4, 0.9))[20];
        assert!((x1 + 0.010_599).abs() < 1e-6 && x2.abs() < 1e-6, "{x1} {x2}");
    }

    #[test]
    fn steps_are_the_librarys() -> Result<()> {
        let (ours, theirs) = (Var::new(&[1f32, -2.0], &Device::Cpu)?, Var::new(&[1f32, -2.0], &Device::Cpu)?);
        let state = [Var::zeros(2, DType::F32, &Device::Cpu)?];
        let mut optimizer = RmsProp::new([&theirs], 0.01).alpha(0.9);
        for _ in 0..10 {
            (rmsprop(0.01, 0.9).step)(&ours, &(ours.as_detached_tensor() * 2.0)?, &state, 1)?;
            optimizer.minimize(&theirs.sqr()?.sum_all()?)?;
        }
        // They differ in where ε stands.
        for (a, b) in ours.to_vec1::<f32>()?.into_iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        Ok(())
    }
}
