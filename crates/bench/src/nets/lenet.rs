//! LeNet (section 6.6; LeCun et al., 1998): two convolutions with average pooling, then three linear layers.

use d2l::nn::{AvgPool2d, Conv2d, Flatten, Linear, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, sigmoid};
use d2l::prelude::*;

/// From images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn lenet(vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (2, 2), ..Conv2dConfig::default() };
    let halve = AvgPool2d(Pool2dConfig::new((2, 2)));
    Ok(Sequential::new()
        .add(Conv2d::new(1, 6, (5, 5), same, &vb.pp("conv1"))?) // (batch, 6, 28, 28)
        .add(sigmoid)
        .add(halve) // (batch, 6, 14, 14)
        .add(Conv2d::new(6, 16, (5, 5), Conv2dConfig::default(), &vb.pp("conv2"))?) // (batch, 16, 10, 10)
        .add(sigmoid)
        .add(halve) // (batch, 16, 5, 5)
        .add(Flatten) // (batch, 400)
        .add(Linear::new(16 * 5 * 5, 120, &vb.pp("linear1"))?) // (batch, 120)
        .add(sigmoid)
        .add(Linear::new(120, 84, &vb.pp("linear2"))?) // (batch, 84)
        .add(sigmoid)
        .add(Linear::new(84, 10, &vb.pp("output"))?)) // (batch, 10)
}
