//! 4.2 Implementation of Multilayer Perceptrons from Scratch
//!
//! A net with one hidden layer on Fashion-MNIST, its parameters and activation written out.
//!
//! `cargo run --release -p mlp -- mlp-scratch`
//! Ten epochs: training loss 0.38 to 0.39, training accuracy 0.863, test accuracy 0.83 to 0.85.

use d2l::data::fashion_mnist::FashionMnist;
use d2l::prelude::*;
use d2l::random::normal;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Units of the hidden layer
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub num_hiddens: usize,
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { num_epochs: 3 } }

/// `max(x, 0)`, element by element.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.maximum(&x.zeros_like()?)
}

/// The parameters of a net with one hidden layer.
pub struct Net {
    w1: Var,
    b1: Var,
    w2: Var,
    b2: Var,
}

impl Net {
    /// Small normal weights and zero biases.
    pub fn new(inputs: usize, hiddens: usize, outputs: usize, random: &Random, device: &Device) -> Result<Self> {
        let mut stream = random.stream(Purpose::Initialization, "weights");
        let mut weights = |shape| Var::from_tensor(&normal(&mut stream, 0.0, 0.01, shape, device)?);
        Ok(Self {
            w1: weights((inputs, hiddens))?,
            b1: Var::zeros(hiddens, DType::F32, device)?,
            w2: weights((hiddens, outputs))?,
            b2: Var::zeros(outputs, DType::F32, device)?,
        })
    }

    /// What training changes.
    pub fn parameters(&self) -> Vec<Var> {
        [&self.w1, &self.b1, &self.w2, &self.b2].map(Var::clone).into()
    }
}

impl Module for Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.flatten_from(1)?; // (batch, 1, 28, 28) -> (batch, 784)
        let hidden = relu(&x.matmul(&self.w1)?.broadcast_add(&self.b1)?)?; // (batch, hiddens)
        hidden.matmul(&self.w2)?.broadcast_add(&self.b2) // (batch, 10)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut train, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images", train.examples(), test.examples()))?;

    nb.cell("Initializing model parameters")?;
    let net = Net::new(784, config.num_hiddens, 10, nb.random(), nb.device())?;
    let parameters = net.parameters();
    for (name, parameter) in ["w1", "b1", "w2", "b2"].iter().zip(&parameters) {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }
    let count: usize = parameters.iter().map(|parameter| parameter.elem_count()).sum();
    nb.say(format!("{count} numbers to learn"))?;

    nb.cell("Activation function")?;
    nb.show("relu(x)", relu(&Tensor::new(&[-2f32, -0.5, 0.0, 0.5, 2.0], nb.device())?)?)?;

    nb.cell("Loss function")?;
    let loss = |logits: &Tensor, labels: &Tensor| cross_entropy(logits, labels, Reduction::Mean);

    nb.cell("Training")?;
    let mut optimizer = Sgd::new(parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).with(&optimizer);
    let trainer = trainer.each_epoch(|epoch| epoch.metric("test_acc", evaluate_accuracy(&net, &mut test)?));
    let history = trainer.run(&mut train, |step, (x, y)| {
        let logits = net.forward(&x)?; // (batch, 10)
        let loss = loss(&logits, &y)?;
        optimizer.minimize(&loss)?;
        step.accuracy(&logits, &y)?;
        step.loss(&loss, y.elem_count())
    })?;
    nb.training(&history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &net, &test, 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_gets_a_finite_gradient() -> Result<()> {
        let net = Net::new(784, 16, 10, &Random::new(1), &Device::Cpu)?;
        let mut stream = Random::new(2).stream(Purpose::Sampling, "test");
        let x = d2l::random::uniform(&mut stream, 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let scores = net.forward(&x)?;
        assert_eq!(scores.dims(), [4, 10]);
        let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let grads = backward(&cross_entropy(&scores, &labels, Reduction::Mean)?)?;
        for parameter in net.parameters() {
            let size = grads.get(&parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{size}");
        }
        Ok(())
    }

    #[test]
    fn relu_keeps_what_is_positive() -> Result<()> {
        let x = Tensor::new(&[[-1f32, 0.0], [2.0, -3.0]], &Device::Cpu)?;
        assert_eq!(relu(&x)?.to_vec2::<f32>()?, [[0.0, 0.0], [2.0, 0.0]]);
        Ok(())
    }
}
