//! 4.3 Concise Implementation of Multilayer Perceptrons
//!
//! The net of section 4.2 from ready layers.
//!
//! `cargo run --release -p mlp -- mlp-concise`
//! Ten epochs: training loss 0.38 to 0.39, training accuracy 0.863, test accuracy 0.83 to 0.85.

use d2l::nn::{Flatten, Init, Linear, Sequential, VarBuilder};
use d2l::notebook::positive;
use d2l::ops::{Reduction, cross_entropy, relu};
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::train::train_classifier;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Units of the hidden layer
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
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

/// A net with one hidden layer: images `(batch, 1, 28, 28)` to the scores of the classes `(batch, 10)`.
pub fn net(hiddens: usize, parameters: &VarBuilder) -> Result<Sequential> {
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let hidden = Linear::with_init(784, hiddens, &parameters.pp("hidden"), weights, Init::Const(0.0))?;
    let output = Linear::with_init(hiddens, 10, &parameters.pp("output"), weights, Init::Const(0.0))?;
    Ok(Sequential::new().add(Flatten).add(hidden).add(relu).add(output))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Model")?;
    let parameters = nb.parameters();
    let net = net(config.num_hiddens as usize, &parameters.builder())?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Loss and optimizer")?;
    let loss = |scores: &Tensor, labels: &Tensor| cross_entropy(scores, labels, Reduction::None); // (batch)
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);
    let mut updater = |losses: &Tensor| optimizer.step(&losses.mean_all()?.backward()?);

    nb.cell("Training")?;
    let shuffle = nb.fork(Purpose::Shuffling);
    let set = nb.fashion_mnist()?;
    let (mut train, mut test) = set.loaders(config.batch_size as usize, None, shuffle, nb.device())?;
    let epochs = config.num_epochs as usize;
    let mut progress = nb.progress();
    let history = train_classifier(&net, &mut train, &mut test, loss, epochs, &mut updater, &mut progress)?;
    nb.training("training-curve", &history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &net, &test, 9)
}

#[cfg(test)]
mod tests {
    use d2l::nn::Parameters;
    use d2l::random::{self, Random};

    use super::*;

    #[test]
    fn every_parameter_gets_a_finite_gradient() -> Result<()> {
        let parameters = Parameters::new(Random::new(1).fork(Purpose::Initialization), &Device::Cpu);
        let net = net(16, &parameters.builder())?;
        assert_eq!(parameters.count(), 784 * 16 + 16 + 16 * 10 + 10);
        let x = random::uniform(Random::new(2).sampling(), 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let grads = cross_entropy(&net.forward_t(&x, true)?, &labels, Reduction::Mean)?.backward()?;
        for (name, parameter) in parameters.named() {
            let size = grads.get(parameter.as_tensor()).expect("a gradient").abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{name}: {size}");
        }
        Ok(())
    }
}
