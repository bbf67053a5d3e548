//! GoogLeNet (section 7.4; Szegedy et al., 2015): blocks that look through windows of several sizes at once.

use d2l::nn::{Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, concat, relu};
use d2l::prelude::*;

/// Four paths side by side, whose channels are put together: 1×1; 1×1 then 3×3; 1×1 then 5×5; pooling then 1×1.
pub struct Inception {
    path1: Conv2d,
    path2: (Conv2d, Conv2d),
    path3: (Conv2d, Conv2d),
    path4: (MaxPool2d, Conv2d),
}

/// A convolution that keeps height and width.
fn conv_same(inputs: usize, outputs: usize, kernel: usize, vb: &VarBuilder) -> Result<Conv2d> {
    let config = Conv2dConfig { padding: (kernel / 2, kernel / 2), ..Conv2dConfig::default() };
    Conv2d::new(inputs, outputs, (kernel, kernel), config, vb)
}

impl Inception {
    /// A block over `inputs` channels; `c1` to `c4` are the output channels of each path's convolutions.
    pub fn new(
        inputs: usize,
        c1: usize,
        c2: (usize, usize),
        c3: (usize, usize),
        c4: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let pool = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (1, 1), padding: (1, 1) });
        Ok(Self {
            path1: conv_same(inputs, c1, 1, &vb.pp("path1"))?,
            path2: (conv_same(inputs, c2.0, 1, &vb.pp("path2.0"))?, conv_same(c2.0, c2.1, 3, &vb.pp("path2.1"))?),
            path3: (conv_same(inputs, c3.0, 1, &vb.pp("path3.0"))?, conv_same(c3.0, c3.1, 5, &vb.pp("path3.1"))?),
            path4: (pool, conv_same(inputs, c4, 1, &vb.pp("path4"))?),
        })
    }
}

impl Module for Inception {
    /// `(batch, inputs, height, width)` to `(batch, c1 + c2.1 + c3.1 + c4, height, width)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let path1 = relu(&self.path1.forward(x)?)?;
        let path2 = relu(&self.path2.1.forward(&relu(&self.path2.0.forward(x)?)?)?)?;
        let path3 = relu(&self.path3.1.forward(&relu(&self.path3.0.forward(x)?)?)?)?;
        let path4 = relu(&self.path4.1.forward(&self.path4.0.forward(x)?)?)?;
        concat(&[path1, path2, path3, path4], 1)
    }
}

/// From images `(batch, 1, 96, 96)` to logits `(batch, 10)`.
pub fn googlenet(vb: &VarBuilder) -> Result<Sequential> {
    let halve = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) });
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let inception = |name: &str, inputs, c1, c2, c3, c4| Inception::new(inputs, c1, c2, c3, c4, &vb.pp(name));
    Ok(Sequential::new()
        .add(Conv2d::new(1, 64, (7, 7), wide, &vb.pp("conv1"))?) // (batch, 64, 48, 48)
        .add(relu)
        .add(halve) // (batch, 64, 24, 24)
        .add(conv_same(64, 64, 1, &vb.pp("conv2"))?)
        .add(relu)
        .add(conv_same(64, 192, 3, &vb.pp("conv3"))?) // (batch, 192, 24, 24)
        .add(relu)
        .add(halve) // (batch, 192, 12, 12)
        .add(inception("inception3a", 192, 64, (96, 128), (16, 32), 32)?) // (batch, 256, 12, 12)
        .add(inception("inception3b", 256, 128, (128, 192), (32, 96), 64)?) // (batch, 480, 12, 12)
        .add(halve) // (batch, 480, 6, 6)
        .add(inception("inception4a", 480, 192, (96, 208), (16, 48), 64)?) // (batch, 512, 6, 6)
        .add(inception("inception4b", 512, 160, (112, 224), (24, 64), 64)?)
        .add(inception("inception4c", 512, 128, (128, 256), (24, 64), 64)?)
        .add(inception("inception4d", 512, 112, (144, 288), (32, 64), 64)?) // (batch, 528, 6, 6)
        .add(inception("inception4e", 528, 256, (160, 320), (32, 128), 128)?) // (batch, 832, 6, 6)
        .add(halve) // (batch, 832, 3, 3)
        .add(inception("inception5a", 832, 256, (160, 320), (32, 128), 128)?)
        .add(inception("inception5b", 832, 384, (192, 384), (48, 128), 128)?) // (batch, 1024, 3, 3)
        .add(GlobalAvgPool2d) // (batch, 1024, 1, 1)
        .add(Flatten) // (batch, 1024)
        .add(Linear::new(1024, 10, &vb.pp("output"))?)) // (batch, 10)
}
