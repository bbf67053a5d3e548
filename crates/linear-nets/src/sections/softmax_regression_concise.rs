//! 3.7 Concise Implementation of Softmax Regression
//!
//! The classifier of section 3.6 from ready parts, with softmax and cross-entropy fused so that large scores are safe.
//!
//! `cargo run --release -p linear-nets -- softmax-regression-concise`
//! Ten epochs: training loss 0.447, training accuracy 0.849, test accuracy 0.82 to 0.83.

use d2l::data::fashion_mnist::FashionMnist;
use d2l::nn::{Flatten, Init, Linear};
use d2l::prelude::*;

use super::softmax_regression::softmax;
pub use super::softmax_regression_scratch::Config;

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut train, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images", train.examples(), test.examples()))?;

    nb.cell("Initializing model parameters")?;
    let (parameters, weights) = (nb.parameters(), Init::Randn { mean: 0.0, stdev: 0.01 });
    let net = Sequential::with_parameters(&parameters.builder())
        .add(Flatten) // (batch, 1, 28, 28) -> (batch, 784)
        .layer("output", |vb| Linear::with_init(784, 10, vb, weights, Init::Const(0.0)))?; // (batch, 10)
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Softmax implementation revisited")?;
    let (scores, label) = (Tensor::new(&[[100f32, 0.0, -100.0]], nb.device())?, Tensor::new(&[1u32], nb.device())?);
    nb.show("softmax by its formula", softmax(&scores)?)?;
    nb.show("cross-entropy on the scores", cross_entropy(&scores, &label, Reduction::None)?)?;

    nb.cell("Optimization algorithm")?;
    let mut optimizer = Sgd::new(&parameters, config.lr);

    nb.cell("Training")?;
    let trainer = nb.trainer(config.num_epochs).with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    nb.training(&history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &net, &test, 9)
}
