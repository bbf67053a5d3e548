//! 3.6 Implementation of Softmax Regression from Scratch
//!
//! A classifier of Fashion-MNIST on tensors and autograd alone.
//!
//! `cargo run --release -p linear-nets -- softmax-regression-scratch`
//! Ten epochs: training loss 0.447, training accuracy 0.849, test accuracy 0.82 to 0.83.

use d2l::data::fashion_mnist::FashionMnist;
use d2l::prelude::*;
use d2l::random::normal;
use d2l::train::Accumulator;

use super::linear_regression_scratch::sgd;
use super::softmax_regression::softmax;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
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

/// The model: images `(batch, 1, 28, 28)` to the probability of each class `(batch, 10)`.
pub fn net(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let x = x.reshape(((), w.dim(0)?))?; // (batch, 784)
    softmax(&x.matmul(w)?.broadcast_add(b)?)
}

/// The negative logarithm of the probability that each example's label got, `(batch)`.
pub fn cross_entropy(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    y_hat.gather(&y.unsqueeze(1)?, 1)?.squeeze(1)?.log()?.neg() // (batch, classes) -> (batch, 1) -> (batch)
}

/// How many rows of `y_hat` `(batch, classes)` are largest at the label, labels being `(batch)`.
#[doc(alias = "accuracy")]
pub fn count_correct(y_hat: &Tensor, y: &Tensor) -> Result<f64> {
    let correct = y_hat.argmax(1)?.eq(y)?; // (batch, classes) -> (batch)
    Ok(f64::from(correct.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?))
}

/// The share of examples whose label `net` gives the largest probability.
pub fn evaluate_accuracy(
    net: impl Fn(&Tensor) -> Result<Tensor>,
    batches: &mut impl Batches<Batch = (Tensor, Tensor)>,
) -> Result<f64> {
    let mut sums = Accumulator::<2>::new(); // correct predictions, predictions
    for batch in batches.epoch() {
        let (x, y) = batch?;
        sums.add([count_correct(&net(&x)?.detach(), &y)?, y.elem_count() as f64]);
    }
    Ok(sums[0] / sums[1])
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut train, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images", train.examples(), test.examples()))?;

    nb.cell("Initializing model parameters")?;
    let (inputs, outputs) = (784, 10);
    let mut stream = nb.stream(Purpose::Initialization, "w");
    let w = Var::from_tensor(&normal(&mut stream, 0.0, 0.01, (inputs, outputs), nb.device())?)?;
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
    let model = |x: &Tensor| net(x, &w, &b);
    nb.show("test accuracy before training", evaluate_accuracy(model, &mut test)?)?;

    nb.cell("Training")?;
    let trainer = nb.trainer(config.num_epochs).with(&[&w, &b]);
    let trainer = trainer.each_epoch(|epoch| epoch.metric("test_acc", evaluate_accuracy(model, &mut test)?));
    let history = trainer.run(&mut train, |step, (x, y)| {
        let y_hat = net(&x, &w, &b)?; // (batch, 10)
        let losses = cross_entropy(&y_hat, &y)?; // (batch)
        sgd(&[&w, &b], &losses, config.lr, y.elem_count())?;
        step.metric("train_acc", count_correct(&y_hat, &y)?, y.elem_count() as f64)?;
        step.losses(&losses)
    })?;
    nb.training(&history)?;

    nb.cell("Prediction")?;
    let (w, b) = (w.as_detached_tensor(), b.as_detached_tensor());
    nb.predictions("predictions", &move |x: &Tensor| net(x, &w, &b), &test, 6)
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
    fn rows_that_are_largest_at_the_label_count() -> Result<()> {
        let y_hat = Tensor::new(&[[0.1f32, 0.3, 0.6], [0.3, 0.2, 0.5]], &Device::Cpu)?;
        assert_eq!(count_correct(&y_hat, &Tensor::new(&[0u32, 2], &Device::Cpu)?)?, 1.0);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_finite_gradient() -> Result<()> {
        let mut stream = Random::new(1).stream(Purpose::Initialization, "test");
        let w = Var::from_tensor(&normal(&mut stream, 0.0, 0.01, (784, 10), &Device::Cpu)?)?;
        let b = Var::zeros(10, DType::F32, &Device::Cpu)?;
        let x = d2l::random::uniform(&mut stream, 0.0, 1.0, (4, 1, 28, 28), &Device::Cpu)?;
        let y_hat = net(&x, &w, &b)?;
        let y = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
        let grads = backward(&cross_entropy(&y_hat, &y)?.sum_all()?)?;
        for parameter in [&w, &b] {
            let size = grads.get(parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{size}");
        }
        Ok(())
    }
}
