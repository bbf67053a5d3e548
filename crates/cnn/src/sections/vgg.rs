//! 7.2 Networks Using Blocks (VGG)
//!
//! Blocks of 3×3 convolutions, each block halving the image; VGG-11 is five of them.
//!
//! `cargo run --release -p cnn -- vgg` trains a narrow one on a part of the images, in some three minutes, to a training
//! loss of 0.30 and accuracies of 0.88; `--scale book` has the book's settings: training loss 0.17 to 0.18, training
//! accuracy 0.93, test accuracy 0.92.

use candle_core::bail;
use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d};
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;

use crate::deep_net::{DeepNetSettings, cost, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub net: DeepNetSettings,
    /// Units of each hidden linear layer
    #[arg(long, value_parser = within::<1, 4096>)]
    pub units: usize,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 128, lr: 0.05, num_epochs: 10, side: 224, examples: 60000, narrowing: 4, units: 4096 }
    Laptop { batch_size: 32, lr: 0.1, num_epochs: 7, side: 64, examples: 24000, narrowing: 8, units: 512 }
    Smoke { batch_size: 16, lr: 0.05, num_epochs: 2, side: 32, examples: 320, narrowing: 16, units: 64 }
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
    let mut block = Sequential::with_parameters(vb);
    for i in 0..convolutions {
        let inputs = if i == 0 { inputs } else { outputs };
        block = block.layer(format!("conv{}", i + 1), |vb| Conv2d::new(inputs, outputs, (3, 3), same, vb))?.add(relu);
    }
    Ok(block.add(MaxPool2d(Pool2dConfig::new((2, 2)))))
}

/// A net of five blocks of `(convolutions, output channels)` and three linear layers with `units` hidden units:
/// `(batch, 1, side, side)`, with shapes here for a side of 224, to logits `(batch, 10)`.
///
/// # Errors
/// Where the side is less than 32 and so nothing is left after five halvings.
pub fn vgg_at(side: usize, blocks: &[(usize, usize); 5], units: usize, vb: &VarBuilder) -> Result<Sequential> {
    let last = side >> blocks.len();
    if last == 0 {
        bail!("VGG halves its images five times: a side of {side} is too small, 32 is the least");
    }
    let mut net = Sequential::with_parameters(vb);
    let mut channels = 1;
    for (i, &(convolutions, outputs)) in blocks.iter().enumerate() {
        net = net.layer(format!("block{}", i + 1), |vb| vgg_block(convolutions, channels, outputs, vb))?;
        channels = outputs;
    }
    net // (batch, channels, 7, 7): 224 halved five times
        .add(Flatten)
        .layer("linear1", |vb| Linear::new(channels * last * last, units, vb))? // (batch, units)
        .add(relu)
        .layer("dropout1", |vb| Dropout::new(0.5, vb))?
        .layer("linear2", |vb| Linear::new(units, units, vb))?
        .add(relu)
        .layer("dropout2", |vb| Dropout::new(0.5, vb))?
        .layer("output", |vb| Linear::new(units, 10, vb)) // (batch, 10)
}

/// VGG at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`, with 4096 hidden units.
pub fn vgg(blocks: &[(usize, usize); 5], vb: &VarBuilder) -> Result<Sequential> {
    vgg_at(224, blocks, 4096, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("VGG blocks")?;
    let parameters = nb.parameters();
    let block = vgg_block(2, 3, 8, &parameters.builder())?;
    let x = nb.normal((2, 3, 32, 32))?;
    nb.show("after a block of two convolutions", format!("{:?}", block.forward_t(&x, true)?.dims()))?;

    nb.cell("VGG network")?;
    let whole = nb.parameters();
    let net = vgg(&VGG_11, &whole.builder())?;
    cost(nb, &net, 224)?;
    drop((net, whole));

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    let parameters = nb.parameters();
    let blocks = narrower(VGG_11, settings.narrowing);
    let net = vgg_at(settings.side, &blocks, config.units, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)
}
