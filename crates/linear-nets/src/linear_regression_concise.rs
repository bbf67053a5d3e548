//! 3.3 Concise Implementation of Linear Regression
//!
//! The model of section 3.2 from ready parts: a loader, a layer, a loss and an optimiser.
//!
//! `cargo run --release -p linear-nets -- linear-regression-concise`
//! Three epochs: loss 0.0003, then 0.0001, then 0.0001; w and b within 0.001 of the truth.

use d2l::data::{ArrayLoader, synthetic_data};
use d2l::nn::{Init, Linear, Sequential};
use d2l::notebook::positive;
use d2l::ops::{Reduction, mse_loss};
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::*;
use d2l::random::Purpose;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples to generate
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_examples: u32,
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.03, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let device = nb.device().clone();
    let true_w = Tensor::new(&[2f32, -3.4], &device)?;
    let true_b = 4.2;
    let (features, labels) = synthetic_data(&true_w, true_b, config.num_examples as usize, nb.sampling())?;

    nb.cell("Reading the dataset")?;
    let shuffle = nb.fork(Purpose::Shuffling);
    let mut data = ArrayLoader::from_tensors(&features, &labels, config.batch_size as usize)?.shuffled(shuffle);
    if let Some(batch) = data.epoch().next() {
        let (x, y) = batch?;
        nb.show("x", x)?;
        nb.show("y", y)?;
    }

    nb.cell("Defining the model")?;
    let parameters = nb.parameters();
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let layer = Linear::with_init(2, 1, &parameters.builder().pp("linear"), weights, Init::Const(0.0))?;
    let net = Sequential::new().add(layer.clone());
    for (name, parameter) in parameters.named() {
        nb.show(&name, parameter.as_tensor())?;
    }

    nb.cell("Defining the optimization algorithm")?;
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);

    nb.cell("Training")?;
    let mut losses = Vec::new();
    for epoch in 1..=config.num_epochs {
        for batch in data.epoch() {
            let (x, y) = batch?;
            let loss = mse_loss(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
            optimizer.step(&loss.backward()?)?;
        }
        let loss = mse_loss(&net.forward_t(&features, false)?, &labels, Reduction::Mean)?;
        losses.push(f64::from(loss.to_scalar::<f32>()?));
        nb.say(format!("epoch {epoch}, loss {:.6}", losses[losses.len() - 1]))?;
    }

    nb.cell("Comparing with the truth")?;
    let w_error = (true_w - layer.weight().detach().flatten_all()?)?;
    nb.show("error in w", &w_error)?;
    nb.metric("train_loss", losses)?;
    nb.metric("w_error", f64::from(w_error.abs()?.max_all()?.to_scalar::<f32>()?))?;
    if let Some(bias) = layer.bias() {
        let b_error = (true_b - bias.detach())?.get(0)?;
        nb.show("error in b", &b_error)?;
        nb.metric("b_error", f64::from(b_error.abs()?.to_scalar::<f32>()?))?;
    }
    Ok(())
}
