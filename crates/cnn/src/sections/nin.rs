//! 7.3 Network in Network (NiN)
//!
//! A perceptron at each pixel, made of 1×1 convolutions, and no linear layer at the end.
//!
//! `cargo run --release -p cnn -- nin` trains a narrow one on a part of the images, in some five minutes, to test accuracies
//! around 0.82; `--scale book` has the book's settings. At both, runs differ much: 0.74 to 0.84 here, at the book's 0.6 to
//! 0.87, and now and then a loss that is no number.

use d2l::nn::{Conv2d, Dropout, Flatten, GlobalAvgPool2d, MaxPool2d};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;

use crate::deep_net::{DeepNetSettings, cost, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub net: DeepNetSettings,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 128, lr: 0.1, num_epochs: 10, side: 224, examples: 60000, narrowing: 1 }
    Laptop { batch_size: 16, lr: 0.1, num_epochs: 9, side: 96, examples: 24000, narrowing: 3 }
    Smoke { batch_size: 16, lr: 0.05, num_epochs: 2, side: 67, examples: 320, narrowing: 8 }
}

/// A convolution with a square window, then two of 1×1, which act as a perceptron at each pixel:
/// `(batch, inputs, height, width)` to `(batch, outputs, height', width')`.
pub fn nin_block(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    vb: &VarBuilder,
) -> Result<Sequential> {
    let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
    let pointwise = |vb: &VarBuilder| Conv2d::new(outputs, outputs, (1, 1), Conv2dConfig::default(), vb);
    let block = Sequential::with_parameters(vb)
        .layer("conv", |vb| Conv2d::new(inputs, outputs, (kernel, kernel), config, vb))?
        .add(relu)
        .layer("pointwise1", pointwise)?
        .add(relu)
        .layer("pointwise2", pointwise)?
        .add(relu);
    Ok(block)
}

/// The least side of an image of which the pools leave something.
const LEAST_SIDE: usize = 67;

/// NiN (Lin et al., 2013) with the channels divided by `narrowing`: images `(batch, 1, side, side)` with a side of 67 or
/// more, with shapes here for 224, to logits `(batch, 10)`. The last block has one channel a class, whose mean is the
/// class's logit.
pub fn nin_at(narrowing: usize, vb: &VarBuilder) -> Result<Sequential> {
    let [c1, c2, c3] = narrowed([96, 256, 384], narrowing);
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    let net = Sequential::with_parameters(vb)
        .layer("block1", |vb| nin_block(1, c1, 11, 4, 0, vb))? // (batch, 96, 54, 54)
        .add(pool) // (batch, 96, 26, 26)
        .layer("block2", |vb| nin_block(c1, c2, 5, 1, 2, vb))? // (batch, 256, 26, 26)
        .add(pool) // (batch, 256, 12, 12)
        .layer("block3", |vb| nin_block(c2, c3, 3, 1, 1, vb))? // (batch, 384, 12, 12)
        .add(pool) // (batch, 384, 5, 5)
        .layer("dropout", |vb| Dropout::new(0.5, vb))?
        .layer("block4", |vb| nin_block(c3, 10, 3, 1, 1, vb))? // (batch, 10, 5, 5)
        .add(GlobalAvgPool2d) // (batch, 10, 1, 1)
        .add(Flatten); // (batch, 10)
    Ok(net)
}

/// NiN at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`.
pub fn nin(vb: &VarBuilder) -> Result<Sequential> {
    nin_at(1, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    config.net.ensure_side("NiN", LEAST_SIDE)?;
    nb.cell("NiN blocks")?;
    let parameters = nb.parameters();
    let block = nin_block(3, 8, 5, 1, 2, &parameters.builder())?;
    let x = nb.normal((2, 3, 16, 16))?;
    nb.show("after a block with a window of 5", format!("{:?}", block.forward_t(&x, true)?.dims()))?;
    nb.say(block.summary((1, 3, 16, 16), nb.device())?)?;

    nb.cell("NiN model")?;
    let whole = nb.parameters();
    let net = nin(&whole.builder())?;
    cost(nb, &net, 224)?;

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    let parameters = nb.parameters();
    let net = nin_at(settings.narrowing, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)
}

#[cfg(test)]
mod tests {
    use d2l::random::normal;

    use super::*;
    use crate::sections::lenet::xavier;

    fn mean_square(x: &Tensor) -> Result<f32> {
        x.sqr()?.mean_all()?.to_scalar()
    }

    #[test]
    fn a_relu_behind_xaviers_weights_halves_the_mean_square() -> Result<()> {
        let random = Random::new(1);
        let draw = |shape: (usize, usize, usize, usize)| {
            normal(&mut random.stream(Purpose::Sampling, "images"), 0.0, 1.0, shape, &Device::Cpu)
        };
        let parameters = Parameters::new(&random, &Device::Cpu);
        let layer = Conv2d::without_bias(64, 64, (1, 1), Conv2dConfig::default(), &parameters.builder().pp("one"))?;
        xavier(&parameters)?;
        let x = relu(&draw((2, 64, 16, 16))?)?;
        let left = mean_square(&relu(&layer.forward(&x)?)?)? / mean_square(&x)?;
        assert!((0.35..0.65).contains(&left), "{left}");
        // Weights with twice the variance, as He et al. draw them before ReLU, make up for it.
        let weight = &parameters.variables()[0];
        weight.set(&(weight.as_detached_tensor() * 2f64.sqrt())?)?;
        let left = mean_square(&relu(&layer.forward(&x)?)?)? / mean_square(&x)?;
        assert!((0.7..1.3).contains(&left), "{left}");

        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = nin_at(4, &parameters.builder())?;
        xavier(&parameters)?;
        let images = draw((2, 1, 67, 67))?;
        let logits = net.forward_t(&images, false)?; // (2, 10)
        let apart = mean_square(&(logits.get(0)? - logits.get(1)?)?)?.sqrt();
        let pixels_apart = mean_square(&(images.get(0)? - images.get(1)?)?)?.sqrt();
        assert!(apart < 0.01 * pixels_apart, "two images {pixels_apart} apart have logits {apart} apart");
        Ok(())
    }
}
