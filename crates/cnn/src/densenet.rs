//! DenseNet (section 7.7; Huang et al., 2017): each convolution sees the outputs of all before it.

use d2l::nn::{AvgPool2d, BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, concat};
use d2l::prelude::*;

/// Batch normalisation, with the ReLU after it in the same pass.
fn rectified_norm(channels: usize, vb: &VarBuilder) -> Result<BatchNorm> {
    BatchNorm::new(channels, BatchNormConfig { relu: true, ..BatchNormConfig::default() }, vb)
}

/// Normalisation, ReLU and a 3×3 convolution: `(batch, inputs, h, w)` to `(batch, outputs, h, w)`.
pub fn conv_block(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    Ok(Sequential::new().add(rectified_norm(inputs, &vb.pp("norm"))?).add(Conv2d::new(
        inputs,
        outputs,
        (3, 3),
        same,
        &vb.pp("conv"),
    )?))
}

/// Convolutions that each append `growth` channels to what they read.
pub struct DenseBlock {
    convolutions: Vec<Sequential>,
}

impl DenseBlock {
    /// `(batch, inputs, h, w)` to `(batch, inputs + convolutions · growth, h, w)`.
    pub fn new(convolutions: usize, inputs: usize, growth: usize, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| conv_block(inputs + i * growth, growth, &vb.pp(format!("block{}", i + 1)));
        Ok(Self { convolutions: (0..convolutions).map(block).collect::<Result<_>>()? })
    }
}

impl ModuleT for DenseBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.convolutions.iter().try_fold(x.clone(), |x, block| {
            let y = block.forward_t(&x, train)?; // (batch, growth, h, w)
            concat(&[x, y], 1)
        })
    }
}

/// A 1×1 convolution to fewer channels, then half the image: `(batch, inputs, h, w)` to `(batch, outputs, h/2, w/2)`.
pub fn transition_block(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    Ok(Sequential::new()
        .add(rectified_norm(inputs, &vb.pp("norm"))?)
        .add(Conv2d::new(inputs, outputs, (1, 1), Conv2dConfig::default(), &vb.pp("conv"))?)
        .add(AvgPool2d(Pool2dConfig::new((2, 2)))))
}

/// From images `(batch, 1, 96, 96)` to logits `(batch, 10)`: four dense blocks of four convolutions, growth 32.
pub fn densenet(vb: &VarBuilder) -> Result<Sequential> {
    let (blocks, convolutions, growth) = (4, 4, 32);
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let mut channels = 64;
    let mut net = Sequential::new()
        .add(Conv2d::new(1, channels, (7, 7), wide, &vb.pp("conv"))?) // (batch, 64, 48, 48)
        .add(rectified_norm(channels, &vb.pp("norm1"))?)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) })); // (batch, 64, 24, 24)
    for block in 1..=blocks {
        // Channels 64, 96, 112, 120 grow to 192, 224, 240, 248.
        net = net.add(DenseBlock::new(convolutions, channels, growth, &vb.pp(format!("dense{block}")))?);
        channels += convolutions * growth;
        if block < blocks {
            // 24×24, 12×12, 6×6 become 12×12, 6×6, 3×3, with half the channels.
            net = net.add(transition_block(channels, channels / 2, &vb.pp(format!("transition{block}")))?);
            channels /= 2;
        }
    }
    Ok(net // (batch, 248, 3, 3)
        .add(rectified_norm(channels, &vb.pp("norm2"))?)
        .add(GlobalAvgPool2d) // (batch, 248, 1, 1)
        .add(Flatten) // (batch, 248)
        .add(Linear::new(channels, 10, &vb.pp("output"))?)) // (batch, 10)
}
