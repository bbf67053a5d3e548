//! ResNet-18 (section 7.6; He et al., 2016): blocks that learn what to add to their input.

use d2l::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, add_relu};
use d2l::prelude::*;

/// Two 3×3 convolutions with batch normalisation, added to the block's input.
pub struct Residual {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    /// 1×1, where the input has another shape than the output.
    shortcut: Option<Conv2d>,
}

impl Residual {
    /// `(batch, inputs, height, width)` to `(batch, outputs, height / stride, width / stride)`.
    pub fn new(inputs: usize, outputs: usize, stride: usize, vb: &VarBuilder) -> Result<Self> {
        let conv = |name, inputs, kernel, stride| {
            let padding = (kernel / 2, kernel / 2);
            let config = Conv2dConfig { stride: (stride, stride), padding, ..Conv2dConfig::default() };
            Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp(name))
        };
        // The first normalisation is followed by a ReLU, which it applies in the same pass.
        let rectified = BatchNormConfig { relu: true, ..BatchNormConfig::default() };
        let changes_shape = inputs != outputs || stride != 1;
        Ok(Self {
            conv1: conv("conv1", inputs, 3, stride)?,
            norm1: BatchNorm::new(outputs, rectified, &vb.pp("norm1"))?,
            conv2: conv("conv2", outputs, 3, 1)?,
            norm2: BatchNorm::new(outputs, BatchNormConfig::default(), &vb.pp("norm2"))?,
            shortcut: if changes_shape { Some(conv("shortcut", inputs, 1, stride)?) } else { None },
        })
    }
}

impl ModuleT for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.norm1.forward_t(&self.conv1.forward(x)?, train)?;
        let y = self.norm2.forward_t(&self.conv2.forward(&y)?, train)?; // (batch, outputs, h / stride, w / stride)
        let x = match &self.shortcut {
            Some(conv) => conv.forward(x)?,
            None => x.clone(),
        };
        add_relu(&y, &x)
    }
}

/// Two residual blocks, of which the first may halve the image.
pub fn resnet_block(inputs: usize, outputs: usize, stride: usize, vb: &VarBuilder) -> Result<Sequential> {
    Ok(Sequential::new().add(Residual::new(inputs, outputs, stride, &vb.pp("residual1"))?).add(Residual::new(
        outputs,
        outputs,
        1,
        &vb.pp("residual2"),
    )?))
}

/// From images `(batch, 1, 96, 96)` to logits `(batch, 10)`.
pub fn resnet18(vb: &VarBuilder) -> Result<Sequential> {
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let rectified = BatchNormConfig { relu: true, ..BatchNormConfig::default() };
    Ok(Sequential::new()
        .add(Conv2d::new(1, 64, (7, 7), wide, &vb.pp("conv"))?) // (batch, 64, 48, 48)
        .add(BatchNorm::new(64, rectified, &vb.pp("norm"))?)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) })) // (batch, 64, 24, 24)
        .add(resnet_block(64, 64, 1, &vb.pp("block1"))?)
        .add(resnet_block(64, 128, 2, &vb.pp("block2"))?) // (batch, 128, 12, 12)
        .add(resnet_block(128, 256, 2, &vb.pp("block3"))?) // (batch, 256, 6, 6)
        .add(resnet_block(256, 512, 2, &vb.pp("block4"))?) // (batch, 512, 3, 3)
        .add(GlobalAvgPool2d) // (batch, 512, 1, 1)
        .add(Flatten) // (batch, 512)
        .add(Linear::new(512, 10, &vb.pp("output"))?)) // (batch, 10)
}
