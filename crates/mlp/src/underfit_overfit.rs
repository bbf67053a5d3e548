//! 4.4 Model Selection, Underfitting, and Overfitting
//!
//! Polynomials with four, two and twenty terms, fitted to noisy values of a cubic.
//!
//! `cargo run --release -p mlp -- underfit-overfit`
//! Four terms: the weights come within 0.15 of 5, 1.2, -3.4 and 5.6, and both losses near the noise, 0.01. Two terms:
//! the training loss stays above 1. Twenty terms: the test loss ends above the training loss.

use d2l::data::ArrayLoader;
use d2l::nn::{Linear, Parameters};
use d2l::notebook::positive;
use d2l::ops::{Reduction, mse_loss};
use d2l::optim::{Optimizer, Sgd};
use d2l::plot::{Chart, Panels};
use d2l::prelude::*;
use d2l::random::{Purpose, Stream};
use d2l::train::{Animator, Diverged, evaluate_loss};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples of the training set, and of the test set
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_examples: u32,
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples with four and with two terms
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// Passes over the examples with twenty terms
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs_overfit: u32,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            Scale::Smoke => &[("num_epochs", "100"), ("num_epochs_overfit", "200")],
            _ => &[],
        }
    }
}

/// How many terms the features have.
const MAX_DEGREE: usize = 20;
/// The terms that are not zero in the true polynomial.
const TRUE_WEIGHTS: [f32; 4] = [5.0, 1.2, -3.4, 5.6];

/// The terms `x^i / i!` for `i` from 0: `(n, 1)` to `(n, terms)`. Without the factorial the high powers would have huge
/// values and gradients.
pub fn polynomial_features(x: &Tensor, terms: usize) -> Result<Tensor> {
    let mut columns = vec![x.ones_like()?];
    while columns.len() < terms {
        columns.push((&columns[columns.len() - 1] * x)?.affine(1.0 / columns.len() as f64, 0.0)?);
    }
    Tensor::cat(&columns[..terms], 1)
}

/// A fitted polynomial.
pub struct Fit {
    /// The weights of the terms, `(1, terms)`.
    pub weights: Tensor,
    /// Mean squared errors after the last epoch.
    pub train_loss: f64,
    pub test_loss: f64,
    /// Both losses by epoch.
    pub curves: Animator,
}

/// Fits weights to the features `(n, terms)` and labels `(n, 1)` of the training set. The constant term does the work of
/// a bias.
pub fn train(
    config: &Config,
    num_epochs: u32,
    [train, test]: [&(Tensor, Tensor); 2],
    parameters: &Parameters,
    shuffle: Stream,
) -> anyhow::Result<Fit> {
    let net = Linear::without_bias(train.0.dim(1)?, 1, &parameters.builder().pp("output"))?;
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);
    let batch_size = config.batch_size as usize;
    let mut train = ArrayLoader::from_tensors(&train.0, &train.1, batch_size)?.shuffled(shuffle);
    let mut test = ArrayLoader::from_tensors(&test.0, &test.1, batch_size)?;
    let chart = Chart::new().x_label("epoch").y_label("loss").log_y().y_range(1e-3..1e2);
    let mut curves = Animator::new(chart.x_range(1.0..f64::from(num_epochs.max(2))), ["train", "test"]);
    let losses = |y_hat: &Tensor, y: &Tensor| mse_loss(y_hat, y, Reduction::None);
    let (mut train_loss, mut test_loss) = (f64::NAN, f64::NAN);
    for epoch in 1..=num_epochs {
        for batch in train.epoch() {
            let (x, y) = batch?;
            optimizer.step(&mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?.backward()?)?;
        }
        if epoch == 1 || epoch % 20 == 0 || epoch == num_epochs {
            train_loss = Diverged::check(evaluate_loss(&net, &mut train, losses)?, epoch as usize, train.batches())?;
            test_loss = evaluate_loss(&net, &mut test, losses)?;
            curves.add(f64::from(epoch), [Some(train_loss), Some(test_loss)]);
        }
    }
    Ok(Fit { weights: net.weight().detach().copy()?, train_loss, test_loss, curves })
}

/// Draws the losses beside the true and the fitted polynomial and the labels `(n, 1)` over `x` `(n, 1)` that it was fitted
/// to.
fn draw(nb: &mut Notebook, name: &str, fit: &Fit, x: &Tensor, labels: &Tensor) -> anyhow::Result<()> {
    let points: Vec<f32> = (-100..=100).map(|i| i as f32 / 25.0).collect();
    let grid = Tensor::new(&points[..], x.device())?.unsqueeze(1)?; // (points, 1)
    let values = |weights: &Tensor| {
        let features = polynomial_features(&grid, weights.dim(1)?)?; // (points, terms)
        features.matmul(&weights.t()?)?.flatten_all()?.to_vec1::<f32>() // (points, terms) x (terms, 1)
    };
    let list = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    let truth = values(&Tensor::new(&[TRUE_WEIGHTS], x.device())?)?;
    let chart = Chart::new().x_label("x").y_label("y").x_range(-4.0..4.0).y_range(-100.0..60.0);
    let chart = chart.scatter("training examples", &list(x)?, &list(labels)?, 3.0);
    let chart = chart.line("truth", &points, &truth).line("fit", &points, &values(&fit.weights)?);
    let panels = [fit.curves.chart(), chart];
    let alt = "On the left training and test loss by epoch, on the right the true and the fitted polynomial";
    nb.figure(name, alt, Panels::new(2, panels.map(|chart| chart.size(420, 300))))?;
    nb.say(format!("training loss {:.4}, test loss {:.4}", fit.train_loss, fit.test_loss))?;
    nb.metric(&format!("train_loss_{name}"), fit.train_loss)?;
    nb.metric(&format!("test_loss_{name}"), fit.test_loss)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let (n_train, device) = (config.num_examples as usize, nb.device().clone());
    let true_weights = Tensor::new(&TRUE_WEIGHTS, &device)?; // (4)
    let x = nb.normal((2 * n_train, 1))?;
    let features = polynomial_features(&x, MAX_DEGREE)?; // (n, 1) -> (n, 20)
    let noise = (nb.normal((2 * n_train, 1))? * 0.1)?;
    let labels = (features.narrow(1, 0, 4)?.matmul(&true_weights.unsqueeze(1)?)? + noise)?; // (n, 1)
    nb.show("x", x.narrow(0, 0, 2)?)?;
    nb.show("first four terms", features.i((..2, ..4))?)?;
    nb.show("labels", labels.narrow(0, 0, 2)?)?;
    // The first half is for training, the second for testing, each with its first terms only.
    let half = |start, terms| -> Result<(Tensor, Tensor)> {
        Ok((features.narrow(0, start, n_train)?.narrow(1, 0, terms)?, labels.narrow(0, start, n_train)?))
    };
    let sets = |terms| -> Result<[(Tensor, Tensor); 2]> { Ok([half(0, terms)?, half(n_train, terms)?]) };
    let (x, y) = (x.narrow(0, 0, n_train)?, labels.narrow(0, 0, n_train)?);

    nb.cell("Four terms: a normal fit")?;
    let [train_set, test_set] = sets(4)?;
    let (parameters, shuffle) = (nb.parameters(), nb.fork(Purpose::Shuffling));
    let fit = train(config, config.num_epochs, [&train_set, &test_set], &parameters, shuffle)?;
    draw(nb, "normal", &fit, &x, &y)?;
    nb.show("weights", &fit.weights)?;
    let error = (fit.weights.squeeze(0)? - &true_weights)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("weight_error", f64::from(error))?;

    nb.cell("Two terms: underfitting")?;
    let [train_set, test_set] = sets(2)?;
    let (parameters, shuffle) = (nb.parameters(), nb.fork(Purpose::Shuffling));
    let fit = train(config, config.num_epochs, [&train_set, &test_set], &parameters, shuffle)?;
    draw(nb, "underfit", &fit, &x, &y)?;
    nb.show("weights", &fit.weights)?;

    nb.cell("Twenty terms: overfitting")?;
    let [train_set, test_set] = sets(MAX_DEGREE)?;
    let (parameters, shuffle) = (nb.parameters(), nb.fork(Purpose::Shuffling));
    let fit = train(config, config.num_epochs_overfit, [&train_set, &test_set], &parameters, shuffle)?;
    draw(nb, "overfit", &fit, &x, &y)?;
    nb.show("weights", &fit.weights)?;
    nb.metric("overfit_gap", fit.test_loss / fit.train_loss)
}

#[cfg(test)]
mod tests {
    use d2l::random::Random;

    use super::*;

    #[test]
    fn terms_are_powers_over_factorials() -> Result<()> {
        let x = Tensor::new(&[[2f32], [-3.0]], &Device::Cpu)?;
        let features = polynomial_features(&x, 5)?.to_vec2::<f32>()?;
        assert_eq!(features[0], [1.0, 2.0, 2.0, 4.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(features[1], [1.0, -3.0, 4.5, -4.5, 3.375]);
        Ok(())
    }

    #[test]
    fn a_line_is_found() -> anyhow::Result<()> {
        let x = Tensor::arange(-2f32, 2.0, &Device::Cpu)?.unsqueeze(1)?; // (4, 1)
        let set = (polynomial_features(&x, 2)?, ((&x * 3.0)? - 1.0)?);
        let mut random = Random::new(1);
        let parameters = Parameters::new(random.fork(Purpose::Initialization), &Device::Cpu);
        let config = Config { num_examples: 4, batch_size: 2, lr: 0.1, num_epochs: 200, num_epochs_overfit: 1 };
        let fit = train(&config, 200, [&set, &set], &parameters, random.fork(Purpose::Shuffling))?;
        let weights = fit.weights.to_vec2::<f32>()?;
        assert!((weights[0][0] + 1.0).abs() < 1e-3 && (weights[0][1] - 3.0).abs() < 1e-3, "{weights:?}");
        assert!(fit.train_loss < 1e-6 && fit.test_loss < 1e-6);
        Ok(())
    }
}
