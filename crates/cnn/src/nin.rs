//! 7.3 Network in Network (NiN)
//!
//! A perceptron at each pixel, made of 1×1 convolutions, and no linear layer at the end.
//!
//! `cargo run --release -p cnn -- nin` trains a narrow one on a part of the images, in some three minutes, to test accuracies
//! around 0.6; `--scale book` has the book's settings. At both, runs differ much: at the book's, test accuracy 0.6 to 0.87,
//! and now and then a loss that is no number.

use d2l::nn::{Conv2d, Dropout, Flatten, GlobalAvgPool2d, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;
use d2l::random::{Purpose, Random, Stream};

use crate::training::{Training, defaults, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub training: Training,
}

defaults! {
           batch_size lr   num_epochs side examples narrowing;
    book   128        0.1  10         224  60000    1;
    laptop 16         0.05 10         96   6000     2;
    smoke  16         0.05 2          67   320      8;
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
    let pointwise = |name| Conv2d::new(outputs, outputs, (1, 1), Conv2dConfig::default(), &vb.pp(name));
    Ok(Sequential::new()
        .add(Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp("conv"))?)
        .add(relu)
        .add(pointwise("pointwise1")?)
        .add(relu)
        .add(pointwise("pointwise2")?)
        .add(relu))
}

/// NiN (Lin et al., 2013) with the channels divided by `narrowing`: images `(batch, 1, side, side)` with a side of 67 or
/// more, with shapes here for 224, to logits `(batch, 10)`. The last block has one channel a class, whose mean is the
/// class's logit.
pub fn nin_at(narrowing: usize, vb: &VarBuilder, dropout: Stream) -> Result<Sequential> {
    let [c1, c2, c3] = narrowed([96, 256, 384], narrowing);
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    Ok(Sequential::new()
        .add_named("block1", nin_block(1, c1, 11, 4, 0, &vb.pp("block1"))?) // (batch, 96, 54, 54)
        .add(pool) // (batch, 96, 26, 26)
        .add_named("block2", nin_block(c1, c2, 5, 1, 2, &vb.pp("block2"))?) // (batch, 256, 26, 26)
        .add(pool) // (batch, 256, 12, 12)
        .add_named("block3", nin_block(c2, c3, 3, 1, 1, &vb.pp("block3"))?) // (batch, 384, 12, 12)
        .add(pool) // (batch, 384, 5, 5)
        .add(Dropout::new(0.5, dropout)?)
        .add_named("block4", nin_block(c3, 10, 3, 1, 1, &vb.pp("block4"))?) // (batch, 10, 5, 5)
        .add(GlobalAvgPool2d) // (batch, 10, 1, 1)
        .add(Flatten)) // (batch, 10)
}

/// NiN at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`.
pub fn nin(vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    nin_at(1, vb, random.fork(Purpose::Dropout))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("NiN blocks")?;
    let parameters = nb.parameters();
    let block = nin_block(3, 8, 5, 1, 2, &parameters.builder())?;
    let x = nb.normal((2, 3, 16, 16))?;
    nb.show("after a block with a window of 5", format!("{:?}", block.forward_t(&x, true)?.dims()))?;
    nb.say(block.summary((1, 3, 16, 16), nb.device())?)?;

    nb.cell("NiN model")?;
    let whole = nb.parameters();
    let net = nin_at(1, &whole.builder(), nb.fork(Purpose::Dropout))?;
    nb.say(net.summary((1, 1, 224, 224), nb.device())?)?;

    nb.cell("Training")?;
    let training = &config.training;
    let (mut images, mut test) = training.loaders(nb)?;
    let parameters = nb.parameters();
    let net = nin_at(training.narrowing(), &parameters.builder(), nb.fork(Purpose::Dropout))?;
    let history = training.fit(&net, &parameters, (&mut images, &mut test), nb)?;
    nb.training("training-curve", &history)
}
