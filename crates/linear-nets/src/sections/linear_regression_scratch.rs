//! 3.2 Linear Regression Implementation from Scratch
//!
//! Data, model, loss and optimizer written out on tensors and autograd alone.
//!
//! `cargo run --release -p linear-nets -- linear-regression-scratch`
//! Three epochs: loss 0.026 to 0.053, then 0.0001 to 0.0002, then 0.00005; w and b within 0.001 of the truth.

use d2l::data::from_fn;
use d2l::prelude::*;
use d2l::random::normal;
use rand::seq::SliceRandom;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples to generate
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_examples: usize,
    /// Examples a minibatch
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.03, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 3, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config }

/// Draws features `(n, d)` from the standard normal distribution, and labels `y = X w + b + ε` `(n, 1)` with noise ε from
/// `N(0, 0.01²)`, for weights `w` `(d, 1)`.
pub fn synthetic_data(w: &Tensor, b: f64, num_examples: usize, nb: &mut Notebook) -> Result<(Tensor, Tensor)> {
    let x = nb.normal((num_examples, w.dim(0)?))?; // (n, d)
    let noise = (nb.normal((num_examples, 1))? * 0.01)?;
    let y = ((x.matmul(w)? + b)? + noise)?; // (n, 1)
    Ok((x, y))
}

/// Cuts features `(n, d)` and labels `(n, 1)` into minibatches in a random order.
pub fn data_iter<'a>(
    batch_size: usize,
    features: &'a Tensor,
    labels: &'a Tensor,
    stream: &mut Stream,
) -> Result<impl Iterator<Item = Result<(Tensor, Tensor)>> + use<'a>> {
    let mut indices: Vec<u32> = (0..features.dim(0)? as u32).collect();
    indices.shuffle(stream);
    let starts = (0..indices.len()).step_by(batch_size);
    Ok(starts.map(move |start| {
        let end = (start + batch_size).min(indices.len());
        let chosen = Tensor::new(&indices[start..end], features.device())?;
        Ok((features.index_select(&chosen, 0)?, labels.index_select(&chosen, 0)?)) // (batch, d), (batch, 1)
    }))
}

/// The linear model: `(batch, d)` to `(batch, 1)`.
#[doc(alias = "linreg")]
pub fn linear_model(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    x.matmul(w)?.broadcast_add(b)
}

/// Half the squared error of each example, `(batch, 1)`.
pub fn squared_loss(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    (y_hat - y.reshape(y_hat.shape())?)?.sqr()? / 2.0
}

/// One step of minibatch gradient descent: the gradient of the summed losses, divided by the batch size.
pub fn sgd(params: &[&Var], losses: &Tensor, lr: f64, batch_size: usize) -> Result<()> {
    let grads = backward(&losses.sum_all()?)?;
    for param in params {
        param.set(&(param.as_tensor() - (grads.get(param)? * (lr / batch_size as f64))?)?)?;
    }
    Ok(())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let device = nb.device().clone();
    let (true_w, true_b) = (Tensor::new(&[[2f32], [-3.4]], &device)?, 4.2); // (2, 1)
    let (features, labels) = synthetic_data(&true_w, true_b, config.num_examples, nb)?;
    nb.show("features[0]", features.get(0)?)?;
    nb.show("labels[0]", labels.get(0)?)?;

    nb.cell("Labels over the second feature")?;
    let second = features.i((.., 1))?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let values = labels.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let chart = Chart::new().x_label("second feature").y_label("label").scatter("", &second, &values, 2.0);
    nb.figure("labels", "Labels fall as the second feature grows, in a wide band", chart)?;

    nb.cell("Reading the dataset")?;
    let mut shuffle = nb.stream(Purpose::Shuffling, "examples");
    if let Some(batch) = data_iter(config.batch_size, &features, &labels, &mut shuffle)?.next() {
        let (x, y) = batch?;
        nb.show("x", x)?;
        nb.show("y", y)?;
    }

    nb.cell("Initializing model parameters")?;
    let mut stream = nb.stream(Purpose::Initialization, "w");
    let w = Var::from_tensor(&normal(&mut stream, 0.0, 0.01, (2, 1), &device)?)?; // (2, 1)
    let b = Var::zeros(1, DType::F32, &device)?;

    nb.cell("Training")?;
    let batches = config.num_examples.div_ceil(config.batch_size);
    let mut data = from_fn(batches, || data_iter(config.batch_size, &features, &labels, &mut shuffle));
    let trainer = nb.trainer(config.num_epochs).with(&[&w, &b]).each_epoch(|epoch| {
        let loss = squared_loss(&linear_model(&features, &w, &b)?, &labels)?.detach().mean_all()?;
        epoch.metric("train_loss", f64::from(loss.to_scalar::<f32>()?))
    });
    let history = trainer.run(&mut data, |step, (x, y)| {
        let losses = squared_loss(&linear_model(&x, &w, &b)?, &y)?; // (batch, 1)
        sgd(&[&w, &b], &losses, config.lr, x.dim(0)?)?;
        step.losses(&losses)
    })?;
    for (epoch, loss) in history.metric("train_loss").iter().enumerate() {
        nb.say(format!("epoch {}, loss {loss:.6}", epoch + 1))?;
    }

    nb.cell("Comparing with the truth")?;
    let w_error = (&true_w - w.as_detached_tensor())?.flatten_all()?;
    let b_error = (true_b - b.as_detached_tensor())?.get(0)?;
    nb.show("error in w", &w_error)?;
    nb.show("error in b", &b_error)?;
    nb.metric("train_loss", history.metric("train_loss"))?;
    nb.metric("w_error", f64::from(w_error.abs()?.max_all()?.to_scalar::<f32>()?))?;
    nb.metric("b_error", f64::from(b_error.abs()?.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_each_example_once() -> Result<()> {
        let labels = Tensor::arange(0f32, 7.0, &Device::Cpu)?.reshape((7, 1))?;
        let mut stream = Random::new(1).stream(Purpose::Shuffling, "test");
        let batches = data_iter(3, &labels, &labels, &mut stream)?.collect::<Result<Vec<_>>>()?;
        assert_eq!(batches.iter().map(|(x, _)| x.dims()[0]).collect::<Vec<_>>(), [3, 3, 1]);
        let mut seen: Vec<f32> = Vec::new();
        for (x, y) in &batches {
            assert_eq!(x.to_vec2::<f32>()?, y.to_vec2::<f32>()?);
            seen.extend(x.flatten_all()?.to_vec1::<f32>()?);
        }
        seen.sort_by(f32::total_cmp);
        assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        Ok(())
    }

    #[test]
    fn one_step_follows_the_gradient() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.0], [3.0, -1.0]], &Device::Cpu)?;
        let y = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
        let (w, b) = (Var::zeros((2, 1), DType::F32, &Device::Cpu)?, Var::zeros(1, DType::F32, &Device::Cpu)?);
        let loss = squared_loss(&linear_model(&x, &w, &b)?, &y)?;
        assert_eq!(loss.to_vec2::<f32>()?, [[0.5], [2.0]]);
        sgd(&[&w, &b], &loss, 0.2, 2)?;
        // The gradient of the sum is -xᵀy = -(7, 0) for w and -3 for b; a step is 0.2 / 2 of it.
        assert_eq!(w.flatten_all()?.to_vec1::<f32>()?, [0.7, 0.0]);
        assert_eq!(b.to_vec1::<f32>()?, [0.3]);
        Ok(())
    }
    #[test]
    fn a_parameter_without_a_gradient_is_an_error() -> Result<()> {
        let (w, unused) = (Var::ones(1, DType::F32, &Device::Cpu)?, Var::ones(1, DType::F32, &Device::Cpu)?);
        assert!(sgd(&[&w, &unused], &w.sqr()?, 0.1, 1).is_err());
        Ok(())
    }
}
