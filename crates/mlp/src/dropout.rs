//! 4.6 Dropout
//!
//! A net with two hidden layers whose units drop out at random while it trains: the layer written out, then the ready one.
//!
//! `cargo run --release -p mlp -- dropout`
//! Ten epochs: training loss 0.33 to 0.35, training accuracy 0.87 to 0.88, test accuracy 0.82 to 0.87, both ways.

use std::cell::RefCell;

use d2l::nn::{Dropout, Flatten, Init, Linear, Sequential, VarBuilder};
use d2l::notebook::{positive, probability};
use d2l::ops::{Reduction, cross_entropy, relu};
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::*;
use d2l::random::{self, Purpose, Stream};
use d2l::train::train_classifier;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Units of each hidden layer
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Probability of dropping a unit of the first hidden layer
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub dropout1: f64,
    /// Probability of dropping a unit of the second hidden layer
    #[arg(long, default_value_t = 0.5, value_parser = probability)]
    pub dropout2: f64,
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.5, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            Scale::Smoke => &[("num_epochs", "4")],
            _ => &[],
        }
    }
}

/// Sets each element to zero with probability `p`, and divides the others by `1 - p` so that the mean stays.
pub fn dropout_layer(x: &Tensor, p: f64, stream: &mut Stream) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(x.clone());
    }
    if p == 1.0 {
        return x.zeros_like();
    }
    let mask = random::uniform(stream, 0.0, 1.0, x.shape(), x.device())?.ge(p)?.to_dtype(x.dtype())?;
    (x * mask)? / (1.0 - p)
}

/// A net with two hidden layers and dropout after each.
pub struct Net {
    layers: [Linear; 3],
    dropout: [f64; 2],
    // `forward_t` takes `&self`, and the stream moves on.
    stream: RefCell<Stream>,
}

impl Net {
    pub fn new(hiddens: usize, dropout: [f64; 2], parameters: &VarBuilder, stream: Stream) -> Result<Self> {
        let sizes = [(784, hiddens), (hiddens, hiddens), (hiddens, 10)];
        let layer = |i: usize| Linear::new(sizes[i].0, sizes[i].1, &parameters.pp(format!("layer{}", i + 1)));
        Ok(Self { layers: [layer(0)?, layer(1)?, layer(2)?], dropout, stream: RefCell::new(stream) })
    }
}

impl ModuleT for Net {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let [first, second, output] = &self.layers;
        let drop = |x: Tensor, p| if train { dropout_layer(&x, p, &mut self.stream.borrow_mut()) } else { Ok(x) };
        let x = x.flatten_from(1)?; // (batch, 1, 28, 28) -> (batch, 784)
        let x = drop(relu(&first.forward(&x)?)?, self.dropout[0])?; // (batch, hiddens)
        let x = drop(relu(&second.forward(&x)?)?, self.dropout[1])?; // (batch, hiddens)
        output.forward(&x) // (batch, 10)
    }
}

/// The same net from ready layers. Dropout does nothing outside of training, which the layers know by themselves.
pub fn concise_net(config: &Config, parameters: &VarBuilder, streams: [Stream; 2]) -> Result<Sequential> {
    let hiddens = config.num_hiddens as usize;
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let layer = |inputs, outputs, name: &str| {
        Linear::with_init(inputs, outputs, &parameters.pp(name), weights, Init::Const(0.0))
    };
    let [first, second] = streams;
    Ok(Sequential::new()
        .add(Flatten)
        .add(layer(784, hiddens, "layer1")?)
        .add(relu)
        .add(Dropout::new(config.dropout1, first)?)
        .add(layer(hiddens, hiddens, "layer2")?)
        .add(relu)
        .add(Dropout::new(config.dropout2, second)?)
        .add(layer(hiddens, 10, "layer3")?))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The dropout layer")?;
    let x = Tensor::arange(0f32, 16.0, nb.device())?.reshape((2, 8))?;
    let mut stream = nb.fork(Purpose::Dropout);
    for p in [0.0, 0.5, 1.0] {
        nb.show(&format!("dropped with probability {p}"), dropout_layer(&x, p, &mut stream)?)?;
    }
    let ones = Tensor::ones(100_000, DType::F32, nb.device())?;
    let mean = dropout_layer(&ones, 0.5, &mut stream)?.mean_all()?.to_scalar::<f32>()?;
    nb.show("mean of 100,000 ones after dropout", mean)?;

    nb.cell("Defining the model")?;
    let parameters = nb.parameters();
    let stream = nb.fork(Purpose::Dropout);
    let dropout = [config.dropout1, config.dropout2];
    let net = Net::new(config.num_hiddens as usize, dropout, &parameters.builder(), stream)?;
    nb.say(format!("{} numbers to learn", parameters.count()))?;

    nb.cell("Training and testing")?;
    let loss = |scores: &Tensor, labels: &Tensor| cross_entropy(scores, labels, Reduction::None); // (batch)
    let shuffle = nb.fork(Purpose::Shuffling);
    let set = nb.fashion_mnist()?;
    let (mut train, mut test) = set.loaders(config.batch_size as usize, None, shuffle, nb.device())?;
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);
    let mut updater = |losses: &Tensor| optimizer.step(&losses.mean_all()?.backward()?);
    let (epochs, mut progress) = (config.num_epochs as usize, nb.progress());
    let history = train_classifier(&net, &mut train, &mut test, loss, epochs, &mut updater, &mut progress)?;
    nb.training_of("scratch", &history)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let streams = [nb.fork(Purpose::Dropout), nb.fork(Purpose::Dropout)];
    let net = concise_net(config, &parameters.builder(), streams)?;
    let mut optimizer = Sgd::new(parameters.variables(), config.lr);
    let mut updater = |losses: &Tensor| optimizer.step(&losses.mean_all()?.backward()?);
    let mut progress = nb.progress();
    let history = train_classifier(&net, &mut train, &mut test, loss, epochs, &mut updater, &mut progress)?;
    nb.training_of("concise", &history)
}

#[cfg(test)]
mod tests {
    use d2l::nn::Parameters;
    use d2l::random::Random;

    use super::*;

    #[test]
    fn dropping_keeps_the_mean_and_the_asked_share() -> Result<()> {
        let mut stream = Random::new(1).fork(Purpose::Dropout);
        let x = Tensor::ones((100, 1000), DType::F32, &Device::Cpu)?;
        let y = dropout_layer(&x, 0.2, &mut stream)?.flatten_all()?.to_vec1::<f32>()?;
        let zeros = y.iter().filter(|&&y| y == 0.0).count() as f64 / 1e5;
        assert!((zeros - 0.2).abs() < 0.01, "{zeros}");
        assert!(y.iter().all(|&y| y == 0.0 || y == 1.25));
        assert_eq!(dropout_layer(&x, 0.0, &mut stream)?.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
        assert_eq!(dropout_layer(&x, 1.0, &mut stream)?.sum_all()?.to_scalar::<f32>()?, 0.0);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_finite_gradient_and_evaluation_drops_nothing() -> Result<()> {
        let mut random = Random::new(1);
        let x = random::uniform(random.sampling(), 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let config = Config { num_hiddens: 32, dropout1: 0.2, dropout2: 0.5, batch_size: 4, lr: 0.5, num_epochs: 1 };
        let (a, b) = (random.fork(Purpose::Initialization), random.fork(Purpose::Initialization));
        let (scratch, concise) = (Parameters::new(a, &Device::Cpu), Parameters::new(b, &Device::Cpu));
        let mut fork = || random.fork(Purpose::Dropout);
        let nets: [(Box<dyn ModuleT>, _); 2] = [
            (Box::new(Net::new(32, [0.2, 0.5], &scratch.builder(), fork())?), &scratch),
            (Box::new(concise_net(&config, &concise.builder(), [fork(), fork()])?), &concise),
        ];
        for (net, parameters) in nets {
            let scores = net.forward_t(&x, true)?;
            let grads = cross_entropy(&scores, &labels, Reduction::Mean)?.backward()?;
            for (name, parameter) in parameters.named() {
                let size =
                    grads.get(parameter.as_tensor()).expect("a gradient").abs()?.sum_all()?.to_scalar::<f32>()?;
                assert!(size.is_finite() && size > 0.0, "{name}: {size}");
            }
            assert_ne!(scores.to_vec2::<f32>()?, net.forward_t(&x, true)?.to_vec2::<f32>()?);
            assert_eq!(net.forward_t(&x, false)?.to_vec2::<f32>()?, net.forward_t(&x, false)?.to_vec2::<f32>()?);
        }
        Ok(())
    }
}
