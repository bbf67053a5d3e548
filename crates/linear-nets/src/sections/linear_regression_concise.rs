//! 3.3 Concise Implementation of Linear Regression
//!
//! The model of section 3.2 from ready parts: a loader, a layer, a loss and an optimizer.
//!
//! `cargo run --release -p linear-nets -- linear-regression-concise`
//! Three epochs: loss 0.0003, then 0.0001, then 0.0001; w and b within 0.001 of the truth.

use d2l::data::ArrayLoader;
use d2l::nn::{Init, Linear};
use d2l::ops::mse_loss;
use d2l::prelude::*;

pub use super::linear_regression_scratch::Config;
use super::linear_regression_scratch::synthetic_data;

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let device = nb.device().clone();
    let (true_w, true_b) = (Tensor::new(&[[2f32], [-3.4]], &device)?, 4.2); // (2, 1)
    let (features, labels) = synthetic_data(&true_w, true_b, config.num_examples, nb)?;

    nb.cell("Reading the dataset")?;
    let shuffle = nb.stream(Purpose::Shuffling, "examples");
    let mut data = ArrayLoader::from_tensors(&features, &labels, config.batch_size)?.shuffled(shuffle);
    if let Some(batch) = data.epoch().next() {
        let (x, y) = batch?;
        nb.show("x", x)?;
        nb.show("y", y)?;
    }

    nb.cell("Defining the model")?;
    let parameters = nb.parameters();
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let net = Sequential::with_parameters(&parameters.builder())
        .layer("linear", |vb| Linear::with_init(2, 1, vb, weights, Init::Const(0.0)))?; // (batch, 2) -> (batch, 1)
    for (name, parameter) in parameters.named() {
        nb.show(&name, parameter.as_tensor())?;
    }

    nb.cell("Defining the optimization algorithm")?;
    let mut optimizer = Sgd::new(&parameters, config.lr);

    nb.cell("Training")?;
    let trainer = nb.trainer(config.num_epochs).with(&parameters).with(&optimizer).each_epoch(|epoch| {
        let loss = mse_loss(&net.forward_t(&features, false)?, &labels, Reduction::Mean)?;
        epoch.metric("train_loss", f64::from(loss.to_scalar::<f32>()?))
    });
    let history = trainer.run(&mut data, |step, (x, y)| {
        let loss = mse_loss(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, y.elem_count())
    })?;
    for (epoch, loss) in history.metric("train_loss").iter().enumerate() {
        nb.say(format!("epoch {}, loss {loss:.6}", epoch + 1))?;
    }

    nb.cell("Comparing with the truth")?;
    let layer = net.get::<Linear>("linear")?;
    let w_error = (true_w.flatten_all()? - layer.weight().detach().flatten_all()?)?;
    nb.show("error in w", &w_error)?;
    nb.metric("train_loss", history.metric("train_loss"))?;
    nb.metric("w_error", f64::from(w_error.abs()?.max_all()?.to_scalar::<f32>()?))?;
    if let Some(bias) = layer.bias() {
        let b_error = (true_b - bias.detach())?.get(0)?;
        nb.show("error in b", &b_error)?;
        nb.metric("b_error", f64::from(b_error.abs()?.to_scalar::<f32>()?))?;
    }
    Ok(())
}
