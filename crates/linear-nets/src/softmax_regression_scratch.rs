//! 3.6 Implementation of Softmax Regression from Scratch
//!
//! A classifier of Fashion-MNIST on tensors and autograd alone.
//!
//! `cargo run --release -p linear-nets -- softmax-regression-scratch`
//! Ten epochs: training loss 0.447, training accuracy 0.849, test accuracy 0.82 to 0.83.

use d2l::notebook::positive;
use d2l::prelude::*;
use d2l::random::{self, Purpose};
use d2l::train::{count_correct, evaluate_accuracy, train_classifier};

use crate::linear_regression_scratch::sgd;
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

/// The model: images `(batch, 1, 28, 28)` to the probability of each class `(batch, 10)`.
pub fn net(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let x = x.reshape(((), w.dim(0)?))?; // (batch, 784)
    softmax(&x.matmul(w)?.broadcast_add(b)?)
}

/// The negative logarithm of the probability that each example's label got, `(batch)`.
pub fn cross_entropy(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    y_hat.gather(&y.unsqueeze(1)?, 1)?.squeeze(1)?.log()?.neg() // (batch, classes) -> (batch, 1) -> (batch)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let shuffle = nb.fork(Purpose::Shuffling);
    let set = nb.fashion_mnist()?;
    let (mut train, mut test) = set.loaders(config.batch_size as usize, None, shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images", train.examples(), test.examples()))?;

    nb.cell("Initializing model parameters")?;
    let (inputs, outputs) = (784, 10);
    let mut stream = nb.fork(Purpose::Initialization);
    let w = Var::from_tensor(&random::normal(&mut stream, 0.0, 0.01, (inputs, outputs), nb.device())?)?;
    let b = Var::zeros(outputs, DType::F32, nb.device())?;

    nb.cell("Defining the softmax operation")?;
    let x = Tensor::new(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]], nb.device())?; // (2, 3)
    nb.show("column sums", x.sum_keepdim(0)?)?; // (1, 3)
    nb.show("row sums", x.sum_keepdim(1)?)?; // (2, 1)
    let probabilities = softmax(&nb.normal((2, 5))?)?;
    nb.show("softmax of normal draws", &probabilities)?;
    nb.show("its row sums", probabilities.sum(1)?)?;

    nb.cell("Defining the loss function")?;
    let y = Tensor::new(&[0u32, 2], nb.device())?;
    let y_hat = Tensor::new(&[[0.1f32, 0.3, 0.6], [0.3, 0.2, 0.5]], nb.device())?; // (2, 3)
    nb.show("probabilities of the labels", y_hat.gather(&y.unsqueeze(1)?, 1)?.squeeze(1)?)?;
    nb.show("cross-entropy", cross_entropy(&y_hat, &y)?)?;

    nb.cell("Classification accuracy")?;
    nb.show("share of correct predictions", count_correct(&y_hat, &y)? / y.elem_count() as f64)?;
    let (w_tensor, b_tensor) = (w.as_tensor().clone(), b.as_tensor().clone());
    let model = move |x: &Tensor| net(x, &w_tensor, &b_tensor);
    nb.show("test accuracy before training", evaluate_accuracy(&model, &mut test)?)?;

    nb.cell("Training")?;
    let mut updater = |losses: &Tensor| sgd(&[&w, &b], losses, config.lr, losses.elem_count());
    let epochs = config.num_epochs as usize;
    let mut progress = nb.progress();
    let history = train_classifier(&model, &mut train, &mut test, cross_entropy, epochs, &mut updater, &mut progress)?;
    nb.training("training-curve", &history)?;

    nb.cell("Prediction")?;
    nb.predictions("predictions", &model, &test, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_picks_the_labels_probability() -> Result<()> {
        let y_hat = Tensor::new(&[[0.1f32, 0.3, 0.6], [0.25, 0.25, 0.5]], &Device::Cpu)?;
        let losses = cross_entropy(&y_hat, &Tensor::new(&[0u32, 2], &Device::Cpu)?)?.to_vec1::<f32>()?;
        assert!((losses[0] - 10f32.ln()).abs() < 1e-6 && (losses[1] - 2f32.ln()).abs() < 1e-6, "{losses:?}");
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_finite_gradient() -> Result<()> {
        let mut stream = random::Random::new(1).fork(Purpose::Initialization);
        let w = Var::from_tensor(&random::normal(&mut stream, 0.0, 0.01, (784, 10), &Device::Cpu)?)?;
        let b = Var::zeros(10, DType::F32, &Device::Cpu)?;
        let x = random::uniform(&mut stream, 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let y_hat = net(&x, &w, &b)?;
        let grads = cross_entropy(&y_hat, &Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?)?.sum_all()?.backward()?;
        for parameter in [&w, &b] {
            let size = grads.get(parameter.as_tensor()).expect("a gradient").abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{size}");
        }
        Ok(())
    }
}
