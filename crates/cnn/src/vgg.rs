//! 7.2 Networks Using Blocks (VGG)
//!
//! Blocks of 3×3 convolutions, each block halving the image; VGG-11 is five of them.
//!
//! `cargo run --release -p cnn -- vgg` trains a narrow one on a part of the images, in a minute or two, to a training loss of
//! 0.44 and accuracies of 0.83; `--scale book` has the book's settings: training loss 0.17 to 0.18, training accuracy 0.93,
//! test accuracy 0.92.

use candle_core::bail;
use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential, VarBuilder};
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
    /// Units of each hidden linear layer
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub units: u32,
}

defaults! {
           batch_size lr   num_epochs side examples narrowing units;
    book   128        0.05 10         224  60000    4         4096;
    laptop 32         0.05 10         64   6000     8         512;
    smoke  16         0.05 2          32   320      16        64;
}

/// The blocks of VGG-11: how many convolutions each has, and to how many channels.
pub const VGG_11: [(usize, usize); 5] = [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)];

/// The blocks with the channels divided by `ratio`: the book trains with a quarter.
pub fn narrower<const N: usize>(blocks: [(usize, usize); N], ratio: usize) -> [(usize, usize); N] {
    let channels = narrowed(blocks.map(|(_, channels)| channels), ratio);
    std::array::from_fn(|i| (blocks[i].0, channels[i]))
}

/// A block: `(batch, inputs, height, width)` to `(batch, outputs, height / 2, width / 2)`.
pub fn vgg_block(convolutions: usize, inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    let mut block = Sequential::new();
    for i in 0..convolutions {
        let inputs = if i == 0 { inputs } else { outputs };
        block = block.add(Conv2d::new(inputs, outputs, (3, 3), same, &vb.pp(format!("conv{}", i + 1)))?).add(relu);
    }
    Ok(block.add(MaxPool2d(Pool2dConfig::new((2, 2)))))
}

/// A net of five blocks of `(convolutions, output channels)` and three linear layers with `units` hidden units:
/// `(batch, 1, side, side)`, with shapes here for a side of 224, to logits `(batch, 10)`. Each dropout layer draws from a
/// stream of its own.
///
/// # Errors
/// Where the side is less than 32 and so nothing is left after five halvings.
pub fn vgg_at(
    side: usize,
    blocks: &[(usize, usize); 5],
    units: usize,
    vb: &VarBuilder,
    mut dropout: impl FnMut() -> Stream,
) -> Result<Sequential> {
    let last = side >> blocks.len();
    if last == 0 {
        bail!("VGG halves its images five times: a side of {side} is too small, 32 is the least");
    }
    let mut net = Sequential::new();
    let mut channels = 1;
    for (i, &(convolutions, outputs)) in blocks.iter().enumerate() {
        let name = format!("block{}", i + 1);
        net = net.add_named(&name, vgg_block(convolutions, channels, outputs, &vb.pp(&name))?);
        channels = outputs;
    }
    Ok(net // (batch, channels, 7, 7): 224 halved five times
        .add(Flatten)
        .add(Linear::new(channels * last * last, units, &vb.pp("linear1"))?) // (batch, units)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, units, &vb.pp("linear2"))?)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, 10, &vb.pp("output"))?)) // (batch, 10)
}

/// VGG at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`, with 4096 hidden units.
pub fn vgg(blocks: &[(usize, usize); 5], vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    vgg_at(224, blocks, 4096, vb, || random.fork(Purpose::Dropout))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("VGG blocks")?;
    let parameters = nb.parameters();
    let block = vgg_block(2, 3, 8, &parameters.builder())?;
    let x = nb.normal((2, 3, 32, 32))?;
    nb.show("after a block of two convolutions", format!("{:?}", block.forward_t(&x, true)?.dims()))?;

    nb.cell("VGG network")?;
    let whole = nb.parameters();
    let net = vgg_at(224, &VGG_11, 4096, &whole.builder(), || nb.fork(Purpose::Dropout))?;
    nb.say(net.summary((1, 1, 224, 224), nb.device())?)?;
    drop((net, whole));

    nb.cell("Training")?;
    let training = &config.training;
    let (mut images, mut test) = training.loaders(nb)?;
    let parameters = nb.parameters();
    let blocks = narrower(VGG_11, training.narrowing());
    let units = config.units as usize;
    let net = vgg_at(training.side(), &blocks, units, &parameters.builder(), || nb.fork(Purpose::Dropout))?;
    let history = training.fit(&net, &parameters, (&mut images, &mut test), nb)?;
    nb.training("training-curve", &history)
}
