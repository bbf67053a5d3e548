//! 10.2 Attention Pooling: Nadaraya-Watson Kernel Regression
//!
//! A prediction as the mean of all known values, weighted by how near their keys are: attention before neural networks.
//!
//! `cargo run --release -p attention -- nadaraya-watson`
//! Five epochs: the loss falls, and the weights become sharper.

use d2l::data::Repeat;
use d2l::notebook::within;
use d2l::ops::{matmul, mse_loss, softmax};
use d2l::plot::HeatMaps;
use d2l::prelude::*;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples
    #[arg(long, default_value_t = 50, value_parser = within::<2, 2000>)]
    pub num_examples: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.5, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config }

/// What the examples follow but for their noise, `2 sin x + x^0.8`.
pub fn truth(x: &Tensor) -> Result<Tensor> {
    (x.sin()? * 2.0)? + x.powf(0.8)?
}

/// The weights of keys for each query by a Gaussian of the distance, `softmax(−((q − k) w)² / 2)`: queries `(n)`, keys
/// `(n, keys)` or `(1, keys)`, `w` `(1)`, weights `(n, keys)`.
pub fn kernel_weights(queries: &Tensor, keys: &Tensor, w: &Tensor) -> Result<Tensor> {
    let distances = queries.unsqueeze(1)?.broadcast_sub(keys)?; // (n, keys)
    softmax(&(distances.broadcast_mul(w)?.sqr()? / -2.0)?, 1)
}

/// Pooling with one trained parameter: the larger `w`, the narrower the kernel.
#[doc(alias = "NWKernelRegression")]
pub struct KernelRegression {
    /// The inverse width of the kernel, `(1)`.
    pub w: Var,
}

impl KernelRegression {
    /// From queries `(n)`, keys `(n, keys)` and values `(n, keys)` to predictions `(n)` and weights `(n, keys)`.
    pub fn forward(&self, queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let weights = kernel_weights(queries, keys, &self.w)?;
        let pooled = matmul(&weights.unsqueeze(1)?, &values.unsqueeze(2)?)?; // (n, 1, keys) × (n, keys, 1)
        Ok((pooled.flatten_all()?, weights)) // (n, 1, 1) -> (n)
    }
}

/// For each of `n` examples `(n)` all others, `(n, n - 1)`.
pub fn others(x: &Tensor) -> Result<Tensor> {
    let n = x.dim(0)? as u32;
    let rest: Vec<u32> = (0..n).flat_map(|i| (0..n).filter(move |&j| j != i)).collect();
    let count = rest.len() / n as usize;
    x.index_select(&Tensor::new(rest, x.device())?, 0)?.reshape((n as usize, count))
}

/// A tensor's numbers in order.
fn values(x: &Tensor) -> Result<Vec<f32>> {
    x.flatten_all()?.to_vec1()
}

/// The mean over the queries of the largest weight: near 1 where each takes one key.
fn sharpness(weights: &Tensor) -> Result<f64> {
    Ok(f64::from(weights.max(1)?.mean(0)?.to_scalar::<f32>()?))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating the dataset")?;
    let n = config.num_examples;
    let (x, _) = (nb.uniform(n)? * 5.0)?.sort_last_dim(true)?; // (n)
    let y = (truth(&x)? + (nb.normal(n)? * 0.5)?)?;
    let x_test = (Tensor::arange(0f32, 50.0, nb.device())? * 0.1)?; // (50)
    let y_test = truth(&x_test)?;
    let at = values(&x_test)?;
    let (known_x, known_y) = (values(&x)?, values(&y)?);
    let chart = Chart::new().x_label("x").y_label("y").x_range(0.0..5.0).line("truth", &at, &values(&y_test)?);
    let predicted = |y_hat: &Tensor| -> Result<Chart> {
        Ok(chart.clone().line("prediction", &at, &values(y_hat)?).scatter("examples", &known_x, &known_y, 6.0))
    };
    let error = |y_hat: &Tensor| -> Result<f64> {
        Ok(f64::from(mse_loss(y_hat, &y_test, Reduction::Mean)?.to_scalar::<f32>()?))
    };

    nb.cell("Average pooling")?;
    let mean = y.mean(0)?.broadcast_as(50)?.contiguous()?; // (50)
    nb.figure("average", "The mean of all values, whatever the query", predicted(&mean)?)?;
    nb.metric("test_mse_average", error(&mean)?)?;

    nb.cell("Nonparametric attention pooling")?;
    let one = Tensor::ones(1, DType::F32, nb.device())?;
    let wide = kernel_weights(&x_test, &x.unsqueeze(0)?, &one)?; // (50, n)
    let y_hat = matmul(&wide, &y.unsqueeze(1)?)?.squeeze(1)?; // (50, n) × (n, 1) -> (50)
    nb.figure("nonparametric", "A smooth curve that follows the truth, too flat", predicted(&y_hat)?)?;
    let map = |weights: &Tensor| -> anyhow::Result<HeatMaps> {
        Ok(HeatMaps::new(weights)?.x_label("sorted examples").y_label("sorted queries"))
    };
    nb.figure("nonparametric-weights", "Near keys weigh most, in a wide band", map(&wide)?)?;
    nb.metric("test_mse_nonparametric", error(&y_hat)?)?;

    nb.cell("Batch matrix multiplication")?;
    let a = Tensor::ones((2, 1, 4), DType::F32, nb.device())?;
    let b = Tensor::ones((2, 4, 6), DType::F32, nb.device())?;
    nb.say(format!("{:?} × {:?} = {:?}", a.dims(), b.dims(), matmul(&a, &b)?.dims()))?;
    let weights = Tensor::full(0.1f32, (2, 10), nb.device())?;
    let numbers = Tensor::arange(0f32, 20.0, nb.device())?.reshape((2, 10))?;
    nb.show("two weighted means", matmul(&weights.unsqueeze(1)?, &numbers.unsqueeze(2)?)?)?; // (2, 1, 1)

    nb.cell("Parametric attention pooling")?;
    let net = KernelRegression { w: Var::from_tensor(&nb.uniform(1)?)? };
    let (keys, known) = (others(&x)?, others(&y)?); // (n, n - 1): no example predicts itself
    let mut optimizer = Sgd::new([&net.w], config.lr);
    let history = nb.trainer(config.num_epochs).with(&optimizer).run(&mut Repeat(1), |step, ()| {
        let (y_hat, _) = net.forward(&x, &keys, &known)?;
        let loss = (mse_loss(&y_hat, &y, Reduction::Sum)? / 2.0)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, 1)
    })?;
    let losses = history.metric("train_loss");
    for (epoch, loss) in losses.iter().enumerate() {
        nb.say(format!("epoch {}, loss {loss:.6}", epoch + 1))?;
    }
    let w = f64::from(net.w.to_vec1::<f32>()?[0]);
    let epochs: Vec<f64> = (1..=losses.len()).map(|epoch| epoch as f64).collect();
    nb.figure(
        "loss",
        "The loss by epoch",
        Chart::new().x_label("epoch").y_label("loss").unlabeled_line(&epochs, &losses),
    )?;
    nb.metric("loss_change", losses[losses.len() - 1] - losses[0])?;
    nb.metric("train_loss", losses)?;
    nb.metric("w", w)?;

    nb.cell("Sharper weights")?;
    let rows = |x: &Tensor| x.unsqueeze(0)?.repeat((50, 1)); // (n) -> (50, n)
    let (y_hat, narrow) = net.forward(&x_test, &rows(&x)?, &rows(&y)?)?;
    nb.figure("parametric", "A curve that follows the examples, noise included", predicted(&y_hat)?)?;
    nb.figure("parametric-weights", "Near keys weigh most, in a narrow band", map(&narrow)?)?;
    nb.say(format!("mean of the largest weight {:.3}, before {:.3}", sharpness(&narrow)?, sharpness(&wide)?))?;
    nb.metric("sharper", sharpness(&narrow)? / sharpness(&wide)?)?;
    nb.metric("test_mse_parametric", error(&y_hat)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_kernel_takes_the_nearest_and_a_flat_one_all() -> Result<()> {
        let cpu = &Device::Cpu;
        let (queries, keys) = (Tensor::new(&[1.9f32], cpu)?, Tensor::new(&[[1f32, 2.0, 4.0]], cpu)?);
        let weights = |w: f32| kernel_weights(&queries, &keys, &Tensor::new(&[w], cpu)?)?.get(0)?.to_vec1::<f32>();
        assert!(weights(0.0)?.iter().all(|&w| (w - 1.0 / 3.0).abs() < 1e-6));
        assert!(weights(50.0)?[1] > 0.999);
        Ok(())
    }

    #[test]
    fn others_leave_out_each_example_itself() -> Result<()> {
        let x = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu)?;
        assert_eq!(others(&x)?.to_vec2::<f32>()?, [[2.0, 3.0], [1.0, 3.0], [1.0, 2.0]]);
        Ok(())
    }

    #[test]
    fn the_width_gets_the_gradient_of_its_loss() -> Result<()> {
        let cpu = &Device::Cpu;
        let x = Tensor::new(&[0.5f32, 1.0, 2.0, 3.5], cpu)?;
        let y = truth(&x)?;
        let loss = |w: f32| -> Result<(Tensor, Var)> {
            let net = KernelRegression { w: Var::new(&[w], cpu)? };
            let (y_hat, _) = net.forward(&x, &others(&x)?, &others(&y)?)?;
            Ok((mse_loss(&y_hat, &y, Reduction::Sum)?, net.w))
        };
        let (value, w) = loss(0.8)?;
        let grad = backward(&value)?.get(&w)?.to_vec1::<f32>()?[0];
        let h = 1e-2;
        let difference = (loss(0.8 + h)?.0 - loss(0.8 - h)?.0)?.to_scalar::<f32>()? / (2.0 * h);
        assert!((grad - difference).abs() < 1e-2 * difference.abs(), "{grad} {difference}");
        Ok(())
    }
}
