//! VGG (section 7.2; Simonyan and Zisserman, 2014): blocks of 3×3 convolutions, each block halving the image.

use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;
use d2l::random::{Purpose, Random};

/// The blocks of VGG-11: how many convolutions each has, and to how many channels.
pub const VGG_11: [(usize, usize); 5] = [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)];

/// The blocks with the channels divided by `ratio`: the book trains with a quarter.
pub fn narrower<const N: usize>(blocks: [(usize, usize); N], ratio: usize) -> [(usize, usize); N] {
    blocks.map(|(convolutions, channels)| (convolutions, channels / ratio))
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

/// From images `(batch, 1, 224, 224)` to logits `(batch, 10)`, through five blocks of
/// `(convolutions, output channels)`.
pub fn vgg(blocks: &[(usize, usize); 5], vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    let mut net = Sequential::new();
    let mut channels = 1;
    for (i, &(convolutions, outputs)) in blocks.iter().enumerate() {
        net = net.add(vgg_block(convolutions, channels, outputs, &vb.pp(format!("block{}", i + 1)))?);
        channels = outputs;
    }
    Ok(net // (batch, channels, 7, 7): 224 halved five times
        .add(Flatten)
        .add(Linear::new(channels * 7 * 7, 4096, &vb.pp("linear1"))?) // (batch, 4096)
        .add(relu)
        .add(Dropout::new(0.5, random.fork(Purpose::Dropout))?)
        .add(Linear::new(4096, 4096, &vb.pp("linear2"))?)
        .add(relu)
        .add(Dropout::new(0.5, random.fork(Purpose::Dropout))?)
        .add(Linear::new(4096, 10, &vb.pp("output"))?)) // (batch, 10)
}
