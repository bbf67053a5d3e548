//! Network in network (section 7.3; Lin et al., 2013): a perceptron at each pixel, and no linear layer at the end.

use d2l::nn::{Conv2d, Dropout, Flatten, GlobalAvgPool2d, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;
use d2l::random::{Purpose, Random};

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

/// From images `(batch, 1, 224, 224)` to logits `(batch, 10)`: the last block has one channel a class, whose mean is
/// the class's logit.
pub fn nin(vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    Ok(Sequential::new()
        .add(nin_block(1, 96, 11, 4, 0, &vb.pp("block1"))?) // (batch, 96, 54, 54)
        .add(pool) // (batch, 96, 26, 26)
        .add(nin_block(96, 256, 5, 1, 2, &vb.pp("block2"))?) // (batch, 256, 26, 26)
        .add(pool) // (batch, 256, 12, 12)
        .add(nin_block(256, 384, 3, 1, 1, &vb.pp("block3"))?) // (batch, 384, 12, 12)
        .add(pool) // (batch, 384, 5, 5)
        .add(Dropout::new(0.5, random.fork(Purpose::Dropout))?)
        .add(nin_block(384, 10, 3, 1, 1, &vb.pp("block4"))?) // (batch, 10, 5, 5)
        .add(GlobalAvgPool2d) // (batch, 10, 1, 1)
        .add(Flatten)) // (batch, 10)
}
