//! 4.6 Dropout
//!
//! A net with two hidden layers whose units drop out at random while it trains: the layer written out, then the ready one.
//!
//! `cargo run --release -p mlp -- dropout`
//! Ten epochs: training loss 0.33 to 0.35, training accuracy 0.87 to 0.88, test accuracy 0.82 to 0.87, both ways.

use std::cell::RefCell;

use d2l::data::fashion_mnist::FashionMnist;
use d2l::nn::{Dropout, Flatten, Init, Linear};
use d2l::ops::relu;
use d2l::prelude::*;
use d2l::random::uniform;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Units of each hidden layer
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub num_hiddens: usize,
    /// Probability of dropping a unit of the first hidden layer
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub dropout1: f64,
    /// Probability of dropping a unit of the second hidden layer
    #[arg(long, default_value_t = 0.5, value_parser = probability)]
    pub dropout2: f64,
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.5, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { num_epochs: 4 } }

/// Sets each element to zero with probability `p`, and divides the others by `1 - p` so that the mean stays.
pub fn dropout_layer(x: &Tensor, p: f64, stream: &mut Stream) -> Result<Tensor> {
    if p == 0.0 {
        return Ok(x.clone());
    }
    if p == 1.0 {
        return x.zeros_like();
    }
    let mask = uniform(stream, 0.0, 1.0, x.shape(), x.device())?.ge(p)?.to_dtype(x.dtype())?;
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
    pub fn new(hiddens: usize, dropout: [f64; 2], vb: &VarBuilder) -> Result<Self> {
        let layers = [
            Linear::new(784, hiddens, &vb.pp("layer1"))?,
            Linear::new(hiddens, hiddens, &vb.pp("layer2"))?,
            Linear::new(hiddens, 10, &vb.pp("layer3"))?,
        ];
        Ok(Self { layers, dropout, stream: RefCell::new(vb.stream()) })
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
pub fn concise_net(config: &Config, vb: &VarBuilder) -> Result<Sequential> {
    let hiddens = config.num_hiddens;
    let (weights, bias) = (Init::Randn { mean: 0.0, stdev: 0.01 }, Init::Const(0.0));
    Sequential::with_parameters(vb)
        .add(Flatten) // (batch, 784)
        .layer("layer1", |vb| Linear::with_init(784, hiddens, vb, weights, bias))? // (batch, hiddens)
        .add(relu)
        .layer("dropout1", |vb| Dropout::new(config.dropout1, vb))?
        .layer("layer2", |vb| Linear::with_init(hiddens, hiddens, vb, weights, bias))? // (batch, hiddens)
        .add(relu)
        .layer("dropout2", |vb| Dropout::new(config.dropout2, vb))?
        .layer("layer3", |vb| Linear::with_init(hiddens, 10, vb, weights, bias)) // (batch, 10)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The dropout layer")?;
    let x = Tensor::arange(0f32, 16.0, nb.device())?.reshape((2, 8))?;
    let mut stream = nb.stream(Purpose::Dropout, "the first examples");
    for p in [0.0, 0.5, 1.0] {
        nb.show(&format!("dropped with probability {p}"), dropout_layer(&x, p, &mut stream)?)?;
    }
    let ones = Tensor::ones(100_000, DType::F32, nb.device())?;
    let mean = dropout_layer(&ones, 0.5, &mut stream)?.mean_all()?.to_scalar::<f32>()?;
    nb.show("mean of 100,000 ones after dropout", mean)?;

    nb.cell("Defining the model")?;
    let parameters = nb.parameters();
    let net = Net::new(config.num_hiddens, [config.dropout1, config.dropout2], &parameters.builder())?;
    nb.say(format!("{} numbers to learn", parameters.count()))?;

    nb.cell("Training and testing")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut train, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).named("scratch").with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    nb.training_of("scratch", &history)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let net = concise_net(config, &parameters.builder())?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).named("concise").with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    nb.training_of("concise", &history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_keeps_the_mean_and_the_asked_share() -> Result<()> {
        let mut stream = Random::new(1).stream(Purpose::Dropout, "test");
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
        let random = Random::new(1);
        let x = uniform(&mut random.stream(Purpose::Sampling, "test"), 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let config = Config { num_hiddens: 32, dropout1: 0.2, dropout2: 0.5, batch_size: 4, lr: 0.5, num_epochs: 1 };
        let (scratch, concise) = (Parameters::new(&random, &Device::Cpu), Parameters::new(&random, &Device::Cpu));
        let nets: [(Box<dyn ModuleT>, _); 2] = [
            (Box::new(Net::new(32, [0.2, 0.5], &scratch.builder())?), &scratch),
            (Box::new(concise_net(&config, &concise.builder())?), &concise),
        ];
        for (net, parameters) in nets {
            let scores = net.forward_t(&x, true)?;
            let grads = backward(&cross_entropy(&scores, &labels, Reduction::Mean)?)?;
            for (name, parameter) in parameters.named() {
                let size = grads.get(&parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
                assert!(size.is_finite() && size > 0.0, "{name}: {size}");
            }
            assert_ne!(scores.to_vec2::<f32>()?, net.forward_t(&x, true)?.to_vec2::<f32>()?);
            assert_eq!(net.forward_t(&x, false)?.to_vec2::<f32>()?, net.forward_t(&x, false)?.to_vec2::<f32>()?);
        }
        Ok(())
    }
}
