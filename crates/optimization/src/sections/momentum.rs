//! 11.6 Momentum
//!
//! Steps along an average of past gradients, which go straight on where plain steps swing across a valley.
//!
//! `cargo run --release -p optimization -- momentum`
//! Twenty steps with momentum 0.5 end at (0.007188, 0.002553); half the mean squared error on the airfoil set at 0.243 to 0.255.

use d2l::prelude::*;

use super::gd::{show_trace_2d, train_2d};
use crate::airfoil_regression::{AirfoilSettings, Algorithm, show_loss, train_concise, train_scratch};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate of the last training from scratch, and of the concise one
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// The share of the last step's direction that these trainings keep
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub momentum: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { num_examples: 300 } }

/// A valley twenty times as steep across as along.
fn f_2d(x1: f64, x2: f64) -> f64 {
    0.1 * x1 * x1 + 2.0 * x2 * x2
}

/// Plain gradient descent in the valley.
fn gd_2d(eta: f64) -> impl FnMut(f64, f64) -> (f64, f64) {
    move |x1, x2| (x1 - eta * 0.2 * x1, x2 - eta * 4.0 * x2)
}

/// Gradient descent with momentum in the valley.
fn momentum_2d(eta: f64, beta: f64) -> impl FnMut(f64, f64) -> (f64, f64) {
    let (mut v1, mut v2) = (0.0, 0.0);
    move |x1, x2| {
        (v1, v2) = (beta * v1 + 0.2 * x1, beta * v2 + 4.0 * x2);
        (x1 - eta * v1, x2 - eta * v2)
    }
}

/// A step with momentum: `v ← β v + g`, `p ← p − η v`.
pub fn sgd_momentum(lr: f64, momentum: f64) -> Algorithm {
    Algorithm::new(1, move |parameter, grad, states, _| {
        let v = ((states[0].as_detached_tensor() * momentum)? + grad)?;
        states[0].set(&v)?;
        parameter.set(&(parameter.as_detached_tensor() - (v * lr)?)?)
    })
}

/// The largest absolute eigenvalue of the matrix `[[β, ηλ], [−β, 1 − ηλ]]` that takes velocity and distance of the scalar
/// function `½ λ x²` to the next step: below 1 they shrink.
pub fn spectral_radius(beta: f64, eta_lambda: f64) -> f64 {
    let (trace, determinant) = (beta + 1.0 - eta_lambda, beta);
    let inside = trace * trace / 4.0 - determinant;
    if inside < 0.0 { determinant.sqrt() } else { (trace / 2.0).abs() + inside.sqrt() }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("An ill-conditioned problem")?;
    show_trace_2d(nb, "gd-0.4", "rate 0.4", f_2d, &train_2d(20, gd_2d(0.4)))?;
    show_trace_2d(nb, "gd-0.6", "rate 0.6", f_2d, &train_2d(20, gd_2d(0.6)))?;

    nb.cell("The momentum method")?;
    show_trace_2d(nb, "momentum-0.5", "rate 0.6, momentum 0.5", f_2d, &train_2d(20, momentum_2d(0.6, 0.5)))?;
    show_trace_2d(nb, "momentum-0.25", "rate 0.6, momentum 0.25", f_2d, &train_2d(20, momentum_2d(0.6, 0.25)))?;

    nb.cell("Effective sample weight")?;
    let steps: Vec<f64> = (0..40).map(f64::from).collect();
    let mut chart = Chart::new().x_label("age in steps").y_label("weight of a gradient");
    let mut table = Table::new(["β", "sum of the weights", "1 / (1 - β)"]);
    for beta in [0.95f64, 0.9, 0.6, 0.0] {
        let weights: Vec<f64> = steps.iter().map(|&t| beta.powf(t)).collect();
        chart = chart.line(format!("β = {beta}"), &steps, &weights);
        let sum: f64 = (0..1000).map(|t| beta.powi(t)).sum();
        table.row([beta.to_string(), format!("{sum:.2}"), format!("{:.2}", 1.0 / (1.0 - beta))]);
    }
    nb.figure("weights", "The weight of a gradient by its age, for four values of β", chart)?;
    nb.say(table)?;

    nb.cell("Implementation from scratch")?;
    let data = config.airfoil.load(nb)?;
    let (batch_size, lr, momentum) = (config.batch_size, config.lr, config.momentum);
    for (name, lr, momentum) in [("half", 0.02, 0.5), ("nine-tenths", 0.01, 0.9), ("smaller-rate", lr, momentum)] {
        let history = train_scratch(nb, name, &data, batch_size, &sgd_momentum(lr, momentum))?;
        show_loss(nb, name, &format!("momentum {momentum}, rate {lr}"), &history)?;
    }

    nb.cell("Concise implementation")?;
    let history =
        train_concise(nb, "concise", &data, batch_size, |parameters| Sgd::new(parameters, lr).momentum(momentum))?;
    show_loss(nb, "concise", &format!("momentum {momentum}, rate {lr}"), &history)?;

    nb.cell("Scalar functions")?;
    let (eta, times) = (0.1, (0..20).map(f64::from).collect::<Vec<_>>());
    let mut chart = Chart::new().x_label("step").y_label("share of the distance left");
    for lambda in [0.1, 1.0, 10.0, 19.0] {
        let left: Vec<f64> = (0..20).map(|t| (1.0f64 - eta * lambda).powi(t)).collect();
        chart = chart.line(format!("λ = {lambda}"), &times, &left);
    }
    nb.figure("scalar", "What is left of the distance to the minimum of ½λx², by step, for four values of λ", chart)?;

    nb.cell("The eigenvalues with momentum")?;
    let mut table = Table::new(["ηλ", "β = 0", "β = 0.25", "β = 0.5", "β = 0.9"]);
    for eta_lambda in [0.1, 1.0, 1.9, 2.4, 2.9, 3.7] {
        let radii = [0.0, 0.25, 0.5, 0.9].map(|beta| format!("{:.3}", spectral_radius(beta, eta_lambda)));
        table.row([eta_lambda.to_string()].into_iter().chain(radii));
    }
    nb.say(table)?;
    // Below the bound 2 + 2β, as the steep direction of the searches above is at rate 0.6 (0.6 · 4 = 2.4), and beyond it.
    nb.metric("radius_below_bound", spectral_radius(0.5, 2.4))?;
    nb.metric("radius_beyond_bound", spectral_radius(0.25, 2.9))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(next: impl FnMut(f64, f64) -> (f64, f64)) -> String {
        let (x1, x2) = train_2d(20, next)[20];
        format!("{x1:.6} {x2:.6}")
    }

    #[test]
    fn the_traces_are_the_books() {
        assert_eq!(end(gd_2d(0.4)), "-0.943467 -0.000073");
        assert_eq!(end(gd_2d(0.6)), "-0.387814 -1673.365109");
        assert_eq!(end(momentum_2d(0.6, 0.5)), "0.007188 0.002553");
        assert_eq!(end(momentum_2d(0.6, 0.25)), "-0.126340 -0.186632");
    }

    #[test]
    fn momentum_converges_up_to_2_plus_2_beta() {
        for beta in [0.0, 0.25, 0.5, 0.9] {
            assert!(spectral_radius(beta, 2.0 + 2.0 * beta - 1e-6) < 1.0, "{beta}");
            assert!(spectral_radius(beta, 2.0 + 2.0 * beta + 1e-6) > 1.0, "{beta}");
        }
    }

    #[test]
    fn a_step_is_the_librarys() -> Result<()> {
        let (ours, theirs) = (Var::new(&[1f32, -2.0], &Device::Cpu)?, Var::new(&[1f32, -2.0], &Device::Cpu)?);
        let state = [Var::zeros(2, DType::F32, &Device::Cpu)?];
        let mut optimizer = Sgd::new([&theirs], 0.1).momentum(0.7);
        for _ in 0..5 {
            (sgd_momentum(0.1, 0.7).step)(&ours, &(ours.as_detached_tensor() * 2.0)?, &state, 1)?;
            optimizer.minimize(&theirs.sqr()?.sum_all()?)?;
        }
        for (a, b) in ours.to_vec1::<f32>()?.into_iter().zip(theirs.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        Ok(())
    }
}
