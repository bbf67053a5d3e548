//! 11.4 Stochastic Gradient Descent
//!
//! Steps along a gradient that is right only on average, and rates that fall so that the steps come to rest.
//!
//! `cargo run --release -p optimization -- sgd`
//! At once: with a rate that falls as a square root the search comes nearest to the minimum in the steps it has.

use d2l::optim::schedule;
use d2l::prelude::*;
use rand::Rng;
use rand_distr::StandardNormal;

use super::gd::{show_trace_2d, train_2d};

/// Settings of the searches.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// The learning rate of the first step
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub lr: f64,
    /// Steps with a constant rate and with one that falls as a power
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub num_steps: usize,
    /// Steps with a rate that falls exponentially
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_steps_exponential: usize,
    /// Searches that the mean distances are taken over
    #[arg(long, default_value_t = 200, value_parser = count)]
    pub num_searches: usize,
    /// Examples to draw from with replacement
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub num_examples: usize,
}

defaults! { Config: Smoke { num_searches: 20 } }

/// The objective, `x1² + 2 x2²`.
fn f(x1: f64, x2: f64) -> f64 {
    x1 * x1 + 2.0 * x2 * x2
}

/// Its gradient, to both parts of which noise from the standard normal distribution is added.
fn noisy_gradient(x1: f64, x2: f64, stream: &mut Stream) -> (f64, f64) {
    let noise = |stream: &mut Stream| stream.sample::<f64, _>(StandardNormal);
    (2.0 * x1 + noise(stream), 4.0 * x2 + noise(stream))
}

/// Stochastic gradient descent in the plane; `lr` gives the rate of each step, from 0.
fn sgd(steps: usize, lr: impl Fn(usize) -> f64, stream: &mut Stream) -> Vec<(f64, f64)> {
    let mut t = 0;
    train_2d(steps, |x1, x2| {
        let (g1, g2) = noisy_gradient(x1, x2, stream);
        let eta = lr(t);
        t += 1;
        (x1 - eta * g1, x2 - eta * g2)
    })
}

/// A name, a number of steps, and the rate of each step.
type Schedule<'a> = (&'static str, usize, &'a dyn Fn(usize) -> f64);

/// The share of `n` examples that come up at least once in `n` draws with replacement.
fn share_drawn(n: usize, stream: &mut Stream) -> f64 {
    let mut seen = vec![false; n];
    (0..n).for_each(|_| seen[stream.random_range(0..n)] = true);
    seen.iter().filter(|&&seen| seen).count() as f64 / n as f64
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Stochastic gradient updates")?;
    let eta = config.lr;
    let points = sgd(config.num_steps, |_| eta, nb.sampling());
    show_trace_2d(nb, "constant", "constant rate", f, &points)?;

    nb.cell("Dynamic learning rate")?;
    let exponential = |t: usize| eta * (-0.1 * t as f64).exp();
    let points = sgd(config.num_steps_exponential, exponential, nb.sampling());
    show_trace_2d(nb, "exponential", "exponential rate", f, &points)?;
    let polynomial = |t: usize| schedule::polynomial(eta, t, 0.1, 0.5);
    let points = sgd(config.num_steps, polynomial, nb.sampling());
    show_trace_2d(nb, "polynomial", "polynomial rate", f, &points)?;

    nb.cell("Many searches")?;
    let schedules: [Schedule; 3] = [
        ("constant", config.num_steps, &|_| eta),
        ("exponential", config.num_steps_exponential, &exponential),
        ("polynomial", config.num_steps, &polynomial),
    ];
    let mut table = Table::new(["rate", "steps", "mean f at the end", "rate of the last step"]);
    for (name, steps, lr) in schedules {
        let stream = nb.sampling();
        let ends = (0..config.num_searches).filter_map(|_| sgd(steps, lr, stream).pop());
        let mean = ends.map(|(x1, x2)| f(x1, x2)).sum::<f64>() / config.num_searches as f64;
        table.row([name.to_string(), steps.to_string(), format!("{mean:.4}"), format!("{:.1e}", lr(steps - 1))]);
        nb.metric(&format!("mean_f_{name}"), mean)?;
    }
    nb.say(table)?;

    nb.cell("Stochastic gradients and finite samples")?;
    let share = share_drawn(config.num_examples, nb.sampling());
    nb.say(format!("{share:.4} of the examples came up, 1 - 1/e is {:.4}", 1.0 - (-1f64).exp()))?;
    nb.metric("share_drawn", share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_zero() {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "noise");
        let n = 20_000;
        let sum =
            (0..n).map(|_| noisy_gradient(1.0, -1.0, &mut stream)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        let mean = (sum.0 / f64::from(n), sum.1 / f64::from(n));
        assert!((mean.0 - 2.0).abs() < 0.03 && (mean.1 + 4.0).abs() < 0.03, "{mean:?}");
    }

    #[test]
    fn a_rate_of_zero_stays() {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "noise");
        assert!(sgd(5, |_| 0.0, &mut stream).iter().all(|&point| point == (-5.0, -2.0)));
    }
}
