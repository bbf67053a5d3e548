//! 4.4 Model Selection, Underfitting, and Overfitting
//!
//! Polynomials with four, two and twenty terms, fitted to noisy values of a cubic.
//!
//! `cargo run --release -p mlp -- underfit-overfit`
//! Four terms: the weights come within 0.15 of 5, 1.2, -3.4 and 5.6, and both losses near the noise, 0.01. Two terms:
//! the training loss stays above 1. Twenty terms: the test loss ends above the training loss.

use d2l::data::ArrayLoader;
use d2l::nn::Linear;
use d2l::ops::mse_loss;
use d2l::plot::Panels;
use d2l::prelude::*;
use d2l::train::evaluate_loss;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples of the training set, and of the test set
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_examples: usize,
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples with four and with two terms
    #[arg(long, default_value_t = 400, value_parser = count)]
    pub num_epochs: usize,
    /// Passes over the examples with twenty terms
    #[arg(long, default_value_t = 1500, value_parser = count)]
    pub num_epochs_overfit: usize,
}

defaults! { Config: Smoke { num_epochs: 100, num_epochs_overfit: 200 } }

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

/// Features `(n, terms)` and labels `(n, 1)`.
pub type Examples = (Tensor, Tensor);

/// Fits weights to the training set, and measures the losses on both sets each twenty epochs: `train` and `test` of the
/// history. The constant term does the work of a bias, so the weights `(1, terms)` are all there is.
pub fn train(
    trainer: Trainer<'_>,
    config: &Config,
    train: &Examples,
    test: &Examples,
    random: &Random,
) -> anyhow::Result<(Tensor, History)> {
    let loader = |(x, y): &Examples| ArrayLoader::from_tensors(x, y, config.batch_size);
    let mut minibatches = loader(train)?.shuffled(random.stream(Purpose::Shuffling, "training examples"));
    let (mut train_set, mut test_set) = (loader(train)?, loader(test)?);
    let parameters = Parameters::new(random, train.0.device());
    let net = Linear::without_bias(train.0.dim(1)?, 1, &parameters.builder().pp("output"))?;
    let losses = |y_hat: &Tensor, y: &Tensor| mse_loss(y_hat, y, Reduction::None);
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = trainer.with(&parameters).with(&optimizer).each_epoch(|epoch| {
        if epoch.number() == 1 || epoch.every(20) {
            epoch.metric("train", evaluate_loss(&net, &mut train_set, losses)?)?;
            epoch.metric("test", evaluate_loss(&net, &mut test_set, losses)?)?;
        }
        Ok(())
    });
    let history = trainer.run(&mut minibatches, |step, (x, y)| {
        let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, y.elem_count())
    })?;
    Ok((net.weight().detach().copy()?, history))
}

/// Draws the losses beside the true and the fitted polynomial and the labels over `x` `(n, 1)` that it was fitted to.
fn show_fit(
    nb: &mut Notebook,
    name: &str,
    weights: &Tensor,
    history: &History,
    (x, labels): &Examples,
) -> anyhow::Result<()> {
    let points: Vec<f32> = (-100..=100).map(|i| i as f32 / 25.0).collect();
    let grid = Tensor::new(&points[..], x.device())?.unsqueeze(1)?; // (points, 1)
    let values = |weights: &Tensor| {
        let features = polynomial_features(&grid, weights.dim(1)?)?; // (points, terms)
        features.matmul(&weights.t()?)?.flatten_all()?.to_vec1::<f32>() // (points, terms) x (terms, 1)
    };
    let list = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    let truth = values(&Tensor::new(&[TRUE_WEIGHTS], x.device())?)?;
    let fits = Chart::new().x_label("x").y_label("y").x_range(-4.0..4.0).y_range(-100.0..60.0);
    let fits = fits.scatter("training examples", &list(x)?, &list(labels)?, 3.0);
    let fits = fits.line("truth", &points, &truth).line("fit", &points, &values(weights)?);
    let losses = Chart::new().x_label("epoch").y_label("loss").log_y().y_range(1e-3..1e2);
    let losses = ["train", "test"].iter().fold(losses, |chart, set| {
        let (epochs, losses) = history.curve(set);
        chart.line(*set, &epochs, &losses)
    });
    let alt = "On the left training and test loss by epoch, on the right the true and the fitted polynomial";
    nb.figure(name, alt, Panels::new(2, [losses, fits].map(|chart| chart.size(420, 300))))?;
    let [train, test] = last_losses(history);
    nb.say(format!("training loss {train:.4}, test loss {test:.4}"))?;
    nb.metric(&format!("train_loss_{name}"), train)?;
    nb.metric(&format!("test_loss_{name}"), test)?;
    nb.show("weights", weights)
}

/// The losses on both sets after the last epoch.
fn last_losses(history: &History) -> [f64; 2] {
    ["train", "test"].map(|set| history.last(set).unwrap_or(f64::NAN))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let (n_train, device) = (config.num_examples, nb.device().clone());
    let true_weights = Tensor::new(&TRUE_WEIGHTS, &device)?; // (4)
    let x = nb.normal((2 * n_train, 1))?;
    let features = polynomial_features(&x, MAX_DEGREE)?; // (n, 1) -> (n, 20)
    let noise = (nb.normal((2 * n_train, 1))? * 0.1)?;
    let labels = (features.narrow(1, 0, 4)?.matmul(&true_weights.unsqueeze(1)?)? + noise)?; // (n, 1)
    nb.show("x", x.narrow(0, 0, 2)?)?;
    nb.show("first four terms", features.i((..2, ..4))?)?;
    nb.show("labels", labels.narrow(0, 0, 2)?)?;
    // The first half is for training, the second for testing, each with its first terms only.
    let half = |start, terms| -> Result<Examples> {
        Ok((features.narrow(0, start, n_train)?.narrow(1, 0, terms)?, labels.narrow(0, start, n_train)?))
    };
    let examples = (x.narrow(0, 0, n_train)?, labels.narrow(0, 0, n_train)?);
    let random = nb.random().clone();
    let fit = |nb: &Notebook, name: &str, num_epochs, terms| {
        let (train_set, test_set) = (half(0, terms)?, half(n_train, terms)?);
        train(nb.trainer(num_epochs).named(name), config, &train_set, &test_set, &random)
    };

    nb.cell("Four terms: a normal fit")?;
    let (weights, history) = fit(nb, "normal", config.num_epochs, 4)?;
    show_fit(nb, "normal", &weights, &history, &examples)?;
    let error = (weights.squeeze(0)? - &true_weights)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("weight_error", f64::from(error))?;

    nb.cell("Two terms: underfitting")?;
    let (weights, history) = fit(nb, "underfit", config.num_epochs, 2)?;
    show_fit(nb, "underfit", &weights, &history, &examples)?;

    nb.cell("Twenty terms: overfitting")?;
    let (weights, history) = fit(nb, "overfit", config.num_epochs_overfit, MAX_DEGREE)?;
    show_fit(nb, "overfit", &weights, &history, &examples)?;
    let [train, test] = last_losses(&history);
    nb.metric("overfit_gap", test / train)
}

#[cfg(test)]
mod tests {
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
        let config = Config { num_examples: 4, batch_size: 2, lr: 0.1, num_epochs: 200, num_epochs_overfit: 1 };
        let random = Random::new(1);
        let (weights, history) = train(Trainer::new(200).random(&random), &config, &set, &set, &random)?;
        let weights = weights.to_vec2::<f32>()?;
        assert!((weights[0][0] + 1.0).abs() < 1e-3 && (weights[0][1] - 3.0).abs() < 1e-3, "{weights:?}");
        assert!(last_losses(&history).iter().all(|&loss| loss < 1e-6));
        Ok(())
    }
}
