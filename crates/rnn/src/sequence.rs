//! 8.1 Sequence Models
//!
//! A sine with noise, predicted from its last four values: well for one step, badly for many.
//!
//! `cargo run --release -p rnn -- sequence`
//! Five epochs: loss 0.045 to 0.061, most of it the noise, whose variance is 0.04.

use anyhow::ensure;
use d2l::data::ArrayLoader;
use d2l::nn::{Linear, Sequential, init};
use d2l::notebook::positive;
use d2l::ops::{Reduction, backward, mse_loss, relu};
use d2l::optim::{Adam, Optimizer};
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::train::evaluate_loss;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Time steps of the sequence
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub length: u32,
    /// Values that a prediction is made from
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub tau: u32,
    /// Examples to train on, from the beginning of the sequence
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_train: u32,
    /// Examples a minibatch
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// The furthest prediction, in steps
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_steps: u32,
}

impl Hyperparameters for Config {}

/// Predictions for `steps` steps from `columns`, `tau` neighbouring values of each series as `(n, 1)`: each prediction
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
    let (length, tau) = (config.length as usize, config.tau as usize);
    let (num_train, max_steps) = (config.num_train as usize, config.max_steps as usize);
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
    let shuffle = nb.fork(Purpose::Shuffling);
    let mut train = ArrayLoader::from_tensors(&first, &known, config.batch_size as usize)?.shuffled(shuffle);
    nb.show("features of the first example", features.get(0)?)?;
    nb.show("its label", labels.get(0)?)?;

    nb.cell("The model")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let net = Sequential::new().add(Linear::new(tau, 10, &vb.pp("hidden"))?);
    let net = net.add(|x: &Tensor| relu(x)).add(Linear::new(10, 1, &vb.pp("output"))?); // (n, tau) -> (n, 10) -> (n, 1)
    parameters.initialize(|name, shape| name.ends_with("weight").then(|| init::xavier_uniform(shape)).transpose())?;

    nb.cell("Training")?;
    let mut optimizer = Adam::new(parameters.variables(), config.lr);
    let mut losses = Vec::new();
    for epoch in 1..=config.num_epochs {
        for batch in train.epoch() {
            let (x, y) = batch?;
            let loss = mse_loss(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
            optimizer.step(&backward(&loss)?)?;
        }
        losses.push(evaluate_loss(&net, &mut train, |y_hat, y| mse_loss(y_hat, y, Reduction::None))?);
        nb.say(format!("epoch {epoch}, loss {:.6}", losses[losses.len() - 1]))?;
    }
    nb.metric("train_loss", losses)?;

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
