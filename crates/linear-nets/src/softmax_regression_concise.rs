//! 3.7 Concise Implementation of Softmax Regression
//!
//! The classifier of section 3.6 from ready parts, with softmax and cross-entropy fused so that large scores are safe.
//!
//! `cargo run --release -p linear-nets -- softmax-regression-concise`
//! Ten epochs: training loss 0.447, training accuracy 0.849, test accuracy 0.82 to 0.83.

use d2l::nn::{Flatten, Init, Linear, Sequential};
use d2l::notebook::positive;
use d2l::ops::{Reduction, cross_entropy};
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::train::train_classifier;

use crate::softmax_regression::softmax;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            Scale::Smoke => &[("num_epochs", "3")],
            _ => &[],
        }
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let shuffle = nb.fork(Purpose::Shuffling);
    let set = nb.fashion_mnist()?;
    let (mut train, mut test) = set.loaders(config.batch_size as usize, None, shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images", train.examples(), test.examples()))?;

    nb.cell("Initializing model parameters")?;
    let parameters = nb.parameters();
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let output = Linear::with_init(784, 10, &parameters.builder().pp("output"), weights, Init::Const(0.0))?;
    let net = Sequential::new().add(Flatten).add(output); // (batch, 1, 28, 28) -> (batch, 784) -> (batch, 10)
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Softmax implementation revisited")?;
    let scores = Tensor::new(&[[100f32, 0.0, -100.0]], nb.device())?; // (1, 3)
    let label = Tensor::new(&[1u32], nb.device())?;
    nb.show("softmax by its formula", softmax(&scores)?)?;
    nb.show("cross-entropy on the scores", cross_entropy(&scores, &label, Reduction::None)?)?;
    let loss = |scores: &Tensor, labels: &Tensor| cross_entropy(scores, labels, Reduction::None); // (batch)

    nb.cell("Optimization algorithm")?;
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);
    let mut updater = |losses: &Tensor| optimizer.step(&losses.mean_all()?.backward()?);

    nb.cell("Training")?;
    let epochs = config.num_epochs as usize;
    let mut progress = nb.progress();
    let history = train_classifier(&net, &mut train, &mut test, loss, epochs, &mut updater, &mut progress)?;
    nb.training("training-curve", &history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &net, &test, 9)
}
