//! 7.1 Deep Convolutional Neural Networks (AlexNet)
//!
//! LeNet grown up: more and wider layers, ReLU, max pooling and dropout, on larger images.
//!
//! `cargo run --release -p cnn -- alexnet` trains a narrow one on a part of the images in a minute or two;
//! `--scale book` has the book's settings: training loss 0.33, training and test accuracy 0.88.

use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::notebook::positive;
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;
use d2l::random::{Purpose, Stream};

use crate::lenet::{train, xavier};
use crate::padding_and_strides::output_size;
use crate::part::loaders;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// Side that images are resized to
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u32).range(67..=512))]
    pub side: u32,
    /// Training images; of fewer than all, a third as many test images
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub examples: u32,
    /// Divides the channels of every layer
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub narrowing: u32,
}

impl Hyperparameters for Config {
    const SCALE_ON_CPU: Scale = Scale::Laptop;

    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            Scale::Book => &[],
            Scale::Laptop => &[("num_epochs", "10"), ("side", "96"), ("examples", "6000"), ("narrowing", "4")],
            Scale::Smoke => {
                &[("batch_size", "16"), ("num_epochs", "2"), ("side", "67"), ("examples", "320"), ("narrowing", "8")]
            }
        }
    }
}

/// AlexNet (Krizhevsky et al., 2012) for images of one channel and a side of 67 or more, with the channels and units
/// divided by `narrowing`: `(batch, 1, side, side)`, with shapes here for a side of 224, to logits `(batch, 10)`. Each
/// dropout layer draws from a stream of its own.
///
/// # Errors
/// Where the side is too small for three pools.
pub fn alexnet_at(
    side: usize,
    narrowing: usize,
    vb: &VarBuilder,
    mut dropout: impl FnMut() -> Stream,
) -> Result<Sequential> {
    let conv = |name: &str, inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: usize| {
        let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
        Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp(name))
    };
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    let [c1, c2, c3, units] = [96, 256, 384, 4096].map(|size| (size / narrowing.max(1)).max(1));
    // After the first convolution only the pools change the side.
    let last = (0..3).try_fold(output_size(side, 11, 1, 4)?, |side, _| output_size(side, 3, 0, 2))?;
    Ok(Sequential::new()
        // A large window and stride: the objects in these images fill much of them.
        .add(conv("conv1", 1, c1, 11, 4, 1)?) // (batch, 96, 54, 54)
        .add(relu)
        .add(pool) // (batch, 96, 26, 26)
        .add(conv("conv2", c1, c2, 5, 1, 2)?) // (batch, 256, 26, 26)
        .add(relu)
        .add(pool) // (batch, 256, 12, 12)
        .add(conv("conv3", c2, c3, 3, 1, 1)?) // (batch, 384, 12, 12)
        .add(relu)
        .add(conv("conv4", c3, c3, 3, 1, 1)?)
        .add(relu)
        .add(conv("conv5", c3, c2, 3, 1, 1)?) // (batch, 256, 12, 12)
        .add(relu)
        .add(pool) // (batch, 256, 5, 5)
        .add(Flatten) // (batch, 6400)
        .add(Linear::new(c2 * last * last, units, &vb.pp("linear1"))?) // (batch, 4096)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, units, &vb.pp("linear2"))?)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, 10, &vb.pp("output"))?)) // (batch, 10)
}

/// AlexNet at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`.
pub fn alexnet(vb: &VarBuilder, random: &mut d2l::random::Random) -> Result<Sequential> {
    alexnet_at(224, 1, vb, || random.fork(Purpose::Dropout))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("AlexNet")?;
    let whole = nb.parameters();
    let net = alexnet_at(224, 1, &whole.builder(), || nb.fork(Purpose::Dropout))?;
    nb.say(net.summary((1, 1, 224, 224), nb.device())?)?;

    nb.cell("Training")?;
    let (mut images, mut test) = loaders(nb, config.batch_size, config.side, config.examples)?;
    let parameters = nb.parameters();
    let (side, narrowing) = (config.side as usize, config.narrowing as usize);
    let net = alexnet_at(side, narrowing, &parameters.builder(), || nb.fork(Purpose::Dropout))?;
    xavier(&parameters)?;
    nb.say(format!("{} parameters", parameters.count()))?;
    let mut progress = nb.progress();
    let history = train(&net, &parameters, (&mut images, &mut test), config.num_epochs, config.lr, &mut progress)?;
    nb.training("training-curve", &history)
}
