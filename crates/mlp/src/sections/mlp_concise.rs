//! 4.3 Concise Implementation of Multilayer Perceptrons
//!
//! The net of section 4.2 from ready layers.
//!
//! `cargo run --release -p mlp -- mlp-concise`
//! Ten epochs: training loss 0.38 to 0.39, training accuracy 0.863, test accuracy 0.83 to 0.85.

use d2l::data::fashion_mnist::FashionMnist;
use d2l::nn::{Flatten, Init, Linear};
use d2l::ops::relu;
use d2l::prelude::*;

pub use super::mlp_scratch::Config;

/// A net with one hidden layer: images `(batch, 1, 28, 28)` to the scores of the classes `(batch, 10)`.
pub fn net(hiddens: usize, vb: &VarBuilder) -> Result<Sequential> {
    let (weights, bias) = (Init::Randn { mean: 0.0, stdev: 0.01 }, Init::Const(0.0));
    Sequential::with_parameters(vb)
        .add(Flatten) // (batch, 784)
        .layer("hidden", |vb| Linear::with_init(784, hiddens, vb, weights, bias))? // (batch, hiddens)
        .add(relu)
        .layer("output", |vb| Linear::with_init(hiddens, 10, vb, weights, bias)) // (batch, 10)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Model")?;
    let parameters = nb.parameters();
    let net = net(config.num_hiddens, &parameters.builder())?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Loss and optimizer")?;
    let mut optimizer = Sgd::new(&parameters, config.lr); // the loss is the cross-entropy

    nb.cell("Training")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut train, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    let trainer = nb.trainer(config.num_epochs).with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    nb.training(&history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &net, &test, 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_gets_a_finite_gradient() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = net(16, &parameters.builder())?;
        assert_eq!(parameters.count(), 784 * 16 + 16 + 16 * 10 + 10);
        let mut stream = Random::new(2).stream(Purpose::Sampling, "test");
        let x = d2l::random::uniform(&mut stream, 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let grads = backward(&cross_entropy(&net.forward_t(&x, true)?, &labels, Reduction::Mean)?)?;
        for (name, parameter) in parameters.named() {
            let size = grads.get(&parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{name}: {size}");
        }
        Ok(())
    }
}
