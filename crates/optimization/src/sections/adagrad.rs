//! 11.7 Adagrad
//!
//! A rate of its own for each coordinate, which falls as its gradients add up.
//!
//! `cargo run --release -p optimization -- adagrad`
//! Half the mean squared error on the airfoil set ends at 0.242 to 0.255 at a learning rate of 0.1.

use d2l::optim::Adagrad;
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
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub lr: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { num_examples: 300 } }

/// Added to the sum of squares, so that nothing is divided by zero.
const EPS: f64 = 1e-6;

/// Adagrad in the valley `0.1 x1² + 2 x2²` of the section before.
fn adagrad_2d(eta: f64) -> impl FnMut(f64, f64) -> (f64, f64) {
    let (mut s1, mut s2) = (0.0, 0.0);
    move |x1: f64, x2: f64| {
        let (g1, g2) = (0.2 * x1, 4.0 * x2);
        (s1, s2) = (s1 + g1 * g1, s2 + g2 * g2);
        (x1 - eta / (s1 + EPS).sqrt() * g1, x2 - eta / (s2 + EPS).sqrt() * g2)
    }
}

/// A step of Adagrad: `s ← s + g²`, `p ← p − η g / √(s + ε)`.
pub fn adagrad(lr: f64) -> Algorithm {
    Algorithm::new(1, move |parameter, grad, states, _| {
        let s = (states[0].as_detached_tensor() + grad.sqr()?)?;
        states[0].set(&s)?;
        let scaled = (grad / (s + EPS)?.sqrt()?)?;
        parameter.set(&(parameter.as_detached_tensor() - (scaled * lr)?)?)
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The algorithm")?;
    let f_2d = |x1: f64, x2: f64| 0.1 * x1 * x1 + 2.0 * x2 * x2;
    show_trace_2d(nb, "rate-0.4", "rate 0.4", f_2d, &train_2d(20, adagrad_2d(0.4)))?;
    show_trace_2d(nb, "rate-2", "rate 2", f_2d, &train_2d(20, adagrad_2d(2.0)))?;

    nb.cell("Sparse features")?;
    // The first coordinate has a gradient at each step, the second at every hundredth only.
    let (mut often, mut seldom, mut table) = (0.0f64, 0.0f64, Table::new(["step", "rate, frequent", "rate, rare"]));
    for step in 1..=1000 {
        often += 1.0;
        seldom += if step % 100 == 1 { 1.0 } else { 0.0 };
        if [1, 10, 100, 1000].contains(&step) {
            let rate = |s: f64| format!("{:.4}", config.lr / (s + EPS).sqrt());
            table.row([step.to_string(), rate(often), rate(seldom)]);
        }
    }
    nb.say(table)?;
    nb.metric("rate_rare_to_frequent", ((often + EPS) / (seldom + EPS)).sqrt())?;

    nb.cell("Implementation from scratch")?;
    let data = config.airfoil.load(nb)?;
    let history = train_scratch(nb, "scratch", &data, config.batch_size, &adagrad(config.lr))?;
    show_loss(nb, "scratch", "from scratch", &history)?;

    nb.cell("Concise implementation")?;
    let history =
        train_concise(nb, "concise", &data, config.batch_size, |parameters| Adagrad::new(parameters, config.lr))?;
    show_loss(nb, "concise", "the library's", &history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_end_where_they_must() {
        let end = |eta: f64| train_2d(20, adagrad_2d(eta))[20];
        let ((x1, x2), (y1, y2)) = (end(0.4), end(2.0));
        assert!((x1 + 2.382_563).abs() < 1e-6 && (x2 + 0.158_591).abs() < 1e-6, "{x1} {x2}");
        assert!((y1 + 0.002_295).abs() < 1e-6 && y2.abs() < 1e-6, "{y1} {y2}");
    }

    #[test]
    fn the_first_step_has_the_length_of_the_rate() {
        // s = g² at the first step, so that g / √s is 1.
        let points = train_2d(1, adagrad_2d(0.4));
        assert!((points[1].0 - (-5.0 + 0.4)).abs() < 1e-5 && (points[1].1 - (-2.0 + 0.4)).abs() < 1e-5, "{points:?}");
    }

    #[test]
    fn steps_are_the_librarys() -> Result<()> {
        let (ours, theirs) = (Var::new(&[1f32, -2.0], &Device::Cpu)?, Var::new(&[1f32, -2.0], &Device::Cpu)?);
        let state = [Var::zeros(2, DType::F32, &Device::Cpu)?];
        let mut optimizer = Adagrad::new([&theirs], 0.1);
        for _ in 0..10 {
            (adagrad(0.1).step)(&ours, &(ours.as_detached_tensor() * 2.0)?, &state, 1)?;
            optimizer.minimize(&theirs.sqr()?.sum_all()?)?;
        }
        // They differ in where ε stands.
        for (a, b) in ours.to_vec1::<f32>()?.into_iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        Ok(())
    }
}
