//! SqueezeNet 1.0 under the names of torchvision's parameters (Iandola et al., 2016).

use d2l::nn::{Conv2d, MaxPool2d};
use d2l::ops::{Conv2dConfig, Pool2dConfig, concat, relu};
use d2l::prelude::*;

/// A convolution to few channels, then two side by side to many.
struct Fire {
    squeeze: Conv2d,
    expand1x1: Conv2d,
    expand3x3: Conv2d,
}

impl Fire {
    fn new(inputs: usize, squeezed: usize, expanded: usize, vb: &VarBuilder) -> Result<Self> {
        let padded = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
        Ok(Self {
            squeeze: Conv2d::new(inputs, squeezed, (1, 1), Conv2dConfig::default(), &vb.pp("squeeze"))?,
            expand1x1: Conv2d::new(squeezed, expanded, (1, 1), Conv2dConfig::default(), &vb.pp("expand1x1"))?,
            expand3x3: Conv2d::new(squeezed, expanded, (3, 3), padded, &vb.pp("expand3x3"))?,
        })
    }
}

impl ModuleT for Fire {
    fn forward_t(&self, x: &Tensor, _: bool) -> Result<Tensor> {
        let x = relu(&self.squeeze.forward(x)?)?;
        relu(&concat(&[self.expand1x1.forward(&x)?, self.expand3x3.forward(&x)?], 1)?)
    }
}

/// The layers of SqueezeNet before its output: `(batch, 3, 227, 227)` to `(batch, 512, 13, 13)`.
pub fn squeezenet_body(vb: &VarBuilder) -> Result<Sequential> {
    let vb = vb.pp("features");
    let pool = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (0, 0) });
    let wide = Conv2dConfig { stride: (2, 2), ..Conv2dConfig::default() };
    let fire =
        |place: usize, inputs, squeezed, expanded| Fire::new(inputs, squeezed, expanded, &vb.pp(place.to_string()));
    Ok(Sequential::new()
        .add(Conv2d::new(3, 96, (7, 7), wide, &vb.pp("0"))?) // (batch, 96, 111, 111)
        .add(relu)
        .add(pool) // (batch, 96, 55, 55)
        .add(fire(3, 96, 16, 64)?)
        .add(fire(4, 128, 16, 64)?)
        .add(fire(5, 128, 32, 128)?)
        .add(pool) // (batch, 256, 27, 27)
        .add(fire(7, 256, 32, 128)?)
        .add(fire(8, 256, 48, 192)?)
        .add(fire(9, 384, 48, 192)?)
        .add(fire(10, 384, 64, 256)?)
        .add(pool) // (batch, 512, 13, 13)
        .add(fire(12, 512, 64, 256)?))
}
