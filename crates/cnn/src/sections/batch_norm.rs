//! 7.5 Batch Normalization
//!
//! Batch normalization from scratch and as a layer, in LeNet, which learns from the first epoch on with it.
//!
//! `cargo run --release -p cnn -- batch-norm`
//! Ten epochs: training loss 0.26, training accuracy 0.90; test accuracy anywhere from 0.7 to 0.89. Two or three minutes.

use candle_core::bail;
use d2l::data::fashion_mnist::FashionMnist;
use d2l::nn::{AvgPool2d, BatchNorm, Conv2d, Flatten, Init, Linear};
use d2l::notebook::at_least;
use d2l::ops::{
    BatchNormConfig, Conv2dConfig, Pool2dConfig, broadcast_add, broadcast_div, broadcast_mul, broadcast_sub,
    mean_keepdim, sigmoid,
};
use d2l::prelude::*;

use super::lenet::xavier;
use crate::deep_net::ensure_variance;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = at_least::<2>)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { batch_size: 64, num_epochs: 2 } }

/// The axes over which a channel's statistics are taken: all but the second.
fn axes(x: &Tensor) -> Result<Vec<usize>> {
    match x.rank() {
        2 => Ok(vec![0]),
        4 => Ok(vec![0, 2, 3]),
        _ => bail!("batch normalization is for (batch, features) or (batch, channels, h, w), not {:?}", x.dims()),
    }
}

/// `(x − mean) / √(var + eps)`, scaled by `gamma` and shifted by `beta`; all four broadcast over `x`.
fn normalize(x: &Tensor, mean: &Tensor, var: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let x_hat = broadcast_div(&broadcast_sub(x, mean)?, &(var + eps)?.sqrt()?)?;
    broadcast_add(&broadcast_mul(&x_hat, gamma)?, beta)
}

/// Batch normalization from scratch, of `(batch, features)` or `(batch, channels, h, w)`.
#[doc(alias = "BatchNorm")]
pub struct BatchNormScratch {
    /// The scale, starting at 1, and the shift, starting at 0: learned.
    gamma: Tensor,
    beta: Tensor,
    /// What inference uses, moved in training towards each minibatch's statistics; not learned.
    moving_mean: Var,
    moving_var: Var,
}

impl BatchNormScratch {
    /// How far the moving statistics go towards a minibatch's.
    const MOMENTUM: f64 = 0.1;
    const EPS: f64 = 1e-5;

    /// A layer for `channels` channels, or for features where `rank` is 2 rather than 4.
    pub fn new(channels: usize, rank: usize, vb: &VarBuilder) -> Result<Self> {
        let mut shape = vec![1; rank];
        shape[1] = channels; // (1, channels) or (1, channels, 1, 1)
        // Under these names they are saved with the parameters, and not trained.
        let buffer = |name, value| Var::from_tensor(&vb.get_with_hints(shape.clone(), name, Init::Const(value))?);
        Ok(Self {
            gamma: vb.get_with_hints(shape.clone(), "gamma", Init::Const(1.0))?,
            beta: vb.get_with_hints(shape.clone(), "beta", Init::Const(0.0))?,
            moving_mean: buffer("running_mean", 0.0)?,
            moving_var: buffer("running_var", 1.0)?,
        })
    }

    /// γ and β, each as a list of numbers.
    pub fn scale_and_shift(&self) -> Result<[Vec<f32>; 2]> {
        Ok([self.gamma.flatten_all()?.to_vec1()?, self.beta.flatten_all()?.to_vec1()?])
    }

    /// Moves a moving statistic towards a minibatch's, outside of the graph.
    fn follow(moving: &Var, batch: &Tensor) -> Result<()> {
        let kept = (moving.as_detached_tensor() * (1.0 - Self::MOMENTUM))?;
        moving.set(&(kept + (batch.detach() * Self::MOMENTUM)?)?)
    }
}

impl ModuleT for BatchNormScratch {
    #[doc(alias = "batch_norm")]
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if !train {
            let (mean, var) = (self.moving_mean.as_detached_tensor(), self.moving_var.as_detached_tensor());
            return normalize(x, &mean, &var, &self.gamma, &self.beta, Self::EPS);
        }
        let axes = axes(x)?;
        let mean = mean_keepdim(x, axes.clone())?; // (1, channels, 1, 1)
        let var = mean_keepdim(&broadcast_sub(x, &mean)?.sqr()?, axes)?;
        Self::follow(&self.moving_mean, &mean)?;
        Self::follow(&self.moving_var, &var)?;
        normalize(x, &mean, &var, &self.gamma, &self.beta, Self::EPS)
    }
}

/// LeNet with a normalization before each sigmoid, which `norm` makes from the number of channels, the number of axes and
/// a builder: `(batch, 1, 28, 28)` to `(batch, 10)`.
pub fn lenet_with<N: ModuleT + 'static>(
    norm: impl Fn(usize, usize, &VarBuilder) -> Result<N>,
    vb: &VarBuilder,
) -> Result<Sequential> {
    let (valid, halve) = (Conv2dConfig::default(), AvgPool2d(Pool2dConfig::new((2, 2))));
    Sequential::with_parameters(vb)
        .layer("conv1", |vb| Conv2d::new(1, 6, (5, 5), valid, vb))? // (batch, 6, 24, 24)
        .layer("norm1", |vb| norm(6, 4, vb))?
        .add(sigmoid)
        .add(halve) // (batch, 6, 12, 12)
        .layer("conv2", |vb| Conv2d::new(6, 16, (5, 5), valid, vb))? // (batch, 16, 8, 8)
        .layer("norm2", |vb| norm(16, 4, vb))?
        .add(sigmoid)
        .add(halve) // (batch, 16, 4, 4)
        .add(Flatten) // (batch, 256)
        .layer("linear1", |vb| Linear::new(16 * 4 * 4, 120, vb))? // (batch, 120)
        .layer("norm3", |vb| norm(120, 2, vb))?
        .add(sigmoid)
        .layer("linear2", |vb| Linear::new(120, 84, vb))? // (batch, 84)
        .layer("norm4", |vb| norm(84, 2, vb))?
        .add(sigmoid)
        .layer("output", |vb| Linear::new(84, 10, vb)) // (batch, 10)
}

/// The normalization of `d2l::nn`, which needs no number of axes.
pub fn ready_made(channels: usize, _rank: usize, vb: &VarBuilder) -> Result<BatchNorm> {
    BatchNorm::new(channels, BatchNormConfig::default(), vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Batch normalization layers")?;
    let parameters = nb.parameters();
    let norm = BatchNormScratch::new(2, 2, &parameters.builder())?;
    let x = Tensor::new(&[[1f32, 100.0], [2.0, 300.0], [3.0, 200.0], [6.0, 400.0]], nb.device())?; // (4, 2)
    nb.show("in training", norm.forward_t(&x, true)?)?;
    nb.show("in inference, after one step", norm.forward_t(&x, false)?)?;

    nb.cell("Applying batch normalization in LeNet")?;
    let parameters = nb.parameters();
    let net = lenet_with(BatchNormScratch::new, &parameters.builder())?;
    nb.say(net.summary((1, 1, 28, 28), nb.device())?)?;

    nb.cell("Training")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut images, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    ensure_variance(&images, config.batch_size)?;
    xavier_but_norms(&parameters)?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).named("scratch").with(&parameters);
    let history = trainer.fit_classifier(&net, &mut images, &mut test, &mut optimizer)?;
    nb.training_of("scratch", &history)?;
    let [gamma, beta] = net.get::<BatchNormScratch>("norm1")?.scale_and_shift()?;
    nb.say(format!("γ of the first layer: {gamma:.2?}\nβ of the first layer: {beta:.2?}"))?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let net = lenet_with(ready_made, &parameters.builder())?;
    xavier(&parameters)?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).named("concise").with(&parameters);
    let history = trainer.fit_classifier(&net, &mut images, &mut test, &mut optimizer)?;
    nb.training_of("concise", &history)
}

/// Xavier's values for the layers' weights; γ and β, which have as many axes here as what they scale, stay 1 and 0.
fn xavier_but_norms(parameters: &Parameters) -> Result<()> {
    parameters.initialize(|name, shape| {
        if name.ends_with("weight") { d2l::nn::init::xavier_uniform(shape).map(Some) } else { Ok(None) }
    })
}

#[cfg(test)]
mod tests {
    use d2l::random;

    use super::*;

    fn parameters() -> Parameters {
        Parameters::new(&Random::new(1), &Device::Cpu)
    }

    fn images(shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
        random::normal(&mut Random::new(2).stream(Purpose::Sampling, "images"), 0.3, 2.0, shape, &Device::Cpu)
    }

    #[test]
    fn a_minibatch_gets_mean_zero_and_variance_one() -> Result<()> {
        let norm = BatchNormScratch::new(3, 4, &parameters().builder())?;
        let y = norm.forward_t(&images((4, 3, 5, 5))?, true)?;
        let by_channel = y.transpose(0, 1)?.flatten_from(1)?; // (3, 100)
        for channel in 0..3 {
            let values = by_channel.get(channel)?.to_vec1::<f32>()?;
            let mean = values.iter().sum::<f32>() / 100.0;
            let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 100.0;
            assert!(mean.abs() < 1e-5 && (var - 1.0).abs() < 1e-3, "{mean}, {var}");
        }
        Ok(())
    }

    #[test]
    fn scratch_and_layer_agree_in_training() -> Result<()> {
        let (ours, theirs) = (parameters(), parameters());
        let scratch = BatchNormScratch::new(3, 4, &ours.builder())?;
        let layer = ready_made(3, 4, &theirs.builder())?;
        let x = images((4, 3, 5, 5))?;
        let difference = (scratch.forward_t(&x, true)? - layer.forward_t(&x, true)?)?.abs()?.max_all()?;
        assert!(difference.to_scalar::<f32>()? < 1e-5);
        // The layer's variance is divided by m − 1, the book's by m.
        let moving = scratch.moving_var.flatten_all()?.to_vec1::<f32>()?;
        let running = layer.running().var.to_vec1::<f32>()?;
        for (a, b) in moving.iter().zip(running) {
            assert!(((a - 0.9) - (b - 0.9) * 99.0 / 100.0).abs() < 1e-5, "{a}, {b}");
        }
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        for scratch in [true, false] {
            let parameters = parameters();
            let vb = parameters.builder();
            let net = if scratch { lenet_with(BatchNormScratch::new, &vb)? } else { lenet_with(ready_made, &vb)? };
            assert_eq!(parameters.count(), 44_878); // as PyTorch counts the concise net
            let labels = Tensor::new(&[0u32, 3, 9, 3], &Device::Cpu)?;
            let scores = net.forward_t(&images((4, 1, 28, 28))?, true)?;
            let grads = backward(&cross_entropy(&scores, &labels, Reduction::Mean)?)?;
            for (name, parameter) in parameters.named() {
                if d2l::nn::is_buffer(&name) {
                    continue;
                }
                let size = grads.get(&parameter)?.abs()?.sum_all()?.to_scalar::<f32>()?;
                // What is normalized next loses its bias: that gradient is zero but for rounding.
                assert!(size.is_finite() && size > 0.0, "{name}: {size}");
            }
        }
        Ok(())
    }

    #[test]
    fn other_ranks_are_an_error() -> Result<()> {
        let norm = BatchNormScratch::new(3, 2, &parameters().builder())?;
        let error = norm.forward_t(&images((2, 3, 4))?, true).expect_err("three axes").to_string();
        assert!(error.contains("[2, 3, 4]"), "{error}");
        Ok(())
    }
}
