//! 8.1 Sequence Models
//!
//! A sine with noise, predicted from its last four values: well for one step, badly for many.
//!
//! `cargo run --release -p rnn -- sequence`
//! Five epochs: loss 0.045 to 0.061, most of it the noise, whose variance is 0.04.

use anyhow::ensure;
use d2l::data::ArrayLoader;
use d2l::nn::{Linear, init};
use d2l::notebook::within;
use d2l::ops::{mse_loss, relu};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::evaluate_loss;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Time steps of the sequence
    #[arg(long, default_value_t = 1000, value_parser = within::<2, 100_000>)]
    pub length: usize,
    /// Values that a prediction is made from
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub tau: usize,
    /// Examples to train on, from the beginning of the sequence
    #[arg(long, default_value_t = 600, value_parser = count)]
    pub num_train: usize,
    /// Examples a minibatch
    #[arg(long, default_value_t = 16, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
    /// The furthest prediction, in steps
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub max_steps: usize,
}

defaults! { Config }

/// Predictions for `steps` steps from `columns`, `tau` neighboring values of each series as `(n, 1)`: each prediction
/// becomes an input of the next.
pub fn predict_ahead(net: &Sequential, mut columns: Vec<Tensor>, steps: usize) -> Result<Vec<Tensor>> {
    let tau = columns.len();
    for step in 0..steps {
        let x = Tensor::cat(&columns[step..step + tau], 1)?; // (n, tau)
        columns.push(net.forward_t(&x, false)?.detach()); // (n, 1)
    }
    Ok(columns.split_off(tau))
}

/// A tensor's numbers in order.
fn values(x: &Tensor) -> Result<Vec<f32>> {
    x.flatten_all()?.to_vec1()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let &Config { length, tau, num_train, max_steps, .. } = config;
    ensure!(num_train + tau < length, "--num-train and --tau together must be below --length, {length}");
    ensure!(tau + max_steps <= length, "--max-steps and --tau together must not be above --length, {length}");

    nb.cell("Generating the sequence")?;
    let time: Vec<f32> = (1..=length).map(|t| t as f32).collect();
    let clean = (Tensor::new(&time[..], nb.device())? * 0.01)?.sin()?; // (length)
    let x = (&clean + (nb.normal(length)? * 0.2)?)?;
    let chart = || Chart::new().size(540, 300).x_label("time").x_range(1.0..length as f64);
    nb.figure("sequence", "A sine with noise over time", chart().y_label("x").unlabeled_line(&time, &values(&x)?))?;

    nb.cell("Features and labels")?;
    let examples = length - tau;
    let columns = (0..tau).map(|i| x.narrow(0, i, examples)).collect::<Result<Vec<_>>>()?;
    let features = Tensor::stack(&columns, 1)?; // (length - tau, tau)
    let labels = x.narrow(0, tau, examples)?.unsqueeze(1)?; // (length - tau, 1)
    let (first, known) = (features.narrow(0, 0, num_train)?, labels.narrow(0, 0, num_train)?);
    let shuffle = nb.stream(Purpose::Shuffling, "training examples");
    let mut train = ArrayLoader::from_tensors(&first, &known, config.batch_size)?.shuffled(shuffle);
    let mut evaluated = ArrayLoader::from_tensors(&first, &known, config.batch_size)?;
    nb.show("features of the first example", features.get(0)?)?;
    nb.show("its label", labels.get(0)?)?;

    nb.cell("The model")?;
    let parameters = nb.parameters();
    let net = Sequential::with_parameters(&parameters.builder())
        .layer("hidden", |vb| Linear::new(tau, 10, vb))? // (n, tau) -> (n, 10)
        .add(relu)
        .layer("output", |vb| Linear::new(10, 1, vb))?; // (n, 1)
    parameters.initialize(|name, shape| name.ends_with("weight").then(|| init::xavier_uniform(shape)).transpose())?;

    nb.cell("Training")?;
    let mut optimizer = Adam::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).with(&parameters).with(&optimizer).each_epoch(|epoch| {
        let losses = |y_hat: &Tensor, y: &Tensor| mse_loss(y_hat, y, Reduction::None);
        epoch.metric("train_loss", evaluate_loss(&net, &mut evaluated, losses)?)
    });
    let history = trainer.run(&mut train, |step, (x, y)| {
        let loss = mse_loss(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, y.elem_count())
    })?;
    for (epoch, loss) in history.metric("train_loss").iter().enumerate() {
        nb.say(format!("epoch {}, loss {loss:.6}", epoch + 1))?;
    }
    nb.metric("train_loss", history.metric("train_loss"))?;

    nb.cell("One step ahead")?;
    let one_step = values(&net.forward_t(&features, false)?)?;
    let data = chart().y_label("x").line("data", &time, &values(&x)?);
    let figure = data.clone().line("1-step predictions", &time[tau..], &one_step);
    nb.figure("one-step", "Predictions one step ahead follow the data", figure.clone())?;

    nb.cell("On its own predictions")?;
    let known = num_train + tau;
    let start = (num_train..known).map(|t| x.narrow(0, t, 1)?.unsqueeze(1)).collect::<Result<Vec<_>>>()?; // (1, 1) each
    let multistep = values(&Tensor::cat(&predict_ahead(&net, start, length - known)?, 0)?)?; // (length - known)
    let figure = figure.line("multistep predictions", &time[known..], &multistep);
    nb.figure("multistep", "Predictions from predictions leave the data within some steps", figure)?;

    nb.cell("k steps ahead")?;
    let series = length - tau - max_steps + 1;
    let columns = (0..tau).map(|i| x.narrow(0, i, series)?.unsqueeze(1)).collect::<Result<Vec<_>>>()?; // (series, 1)
    let ahead = predict_ahead(&net, columns, max_steps)?;
    let mut figure = chart().y_label("x");
    let mut errors = Table::new(["steps ahead", "error (RMS)"]);
    for k in [1, 4, 16, 64].into_iter().filter(|&k| k <= max_steps) {
        let predicted = values(&ahead[k - 1])?;
        figure = figure.line(format!("{k}-step predictions"), &time[tau + k - 1..][..series], &predicted);
        let error = (&ahead[k - 1].squeeze(1)? - clean.narrow(0, tau + k - 1, series)?)?;
        let rms = f64::from(error.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt();
        errors.row([k.to_string(), format!("{rms:.3}")]);
        nb.metric(&format!("error_{k}_steps"), rms)?;
    }
    nb.say(errors)?;
    nb.figure("k-steps", "Predictions 1, 4, 16 and 64 steps ahead", figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_feed_the_next() -> Result<()> {
        let sum = Sequential::new().add(|x: &Tensor| x.sum_keepdim(1));
        let columns = [1f32, 1.0].map(|value| Tensor::full(value, (1, 1), &Device::Cpu));
        let ahead = predict_ahead(&sum, columns.into_iter().collect::<Result<Vec<_>>>()?, 5)?;
        assert_eq!(values(&Tensor::cat(&ahead, 0)?)?, [2.0, 3.0, 5.0, 8.0, 13.0]);
        Ok(())
    }
}
