//! ResNet-18 and ResNet-34 under the names of torchvision's parameters (He et al., 2016).

use d2l::nn::{BatchNorm, Conv2d, MaxPool2d};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, add, relu};
use d2l::prelude::*;

/// A convolution without bias and its normalization, under torchvision's names.
fn normalized(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    at: (&str, &str),
    vb: &VarBuilder,
) -> Result<Sequential> {
    let padding = kernel / 2;
    let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
    Ok(Sequential::new()
        .add(Conv2d::without_bias(inputs, outputs, (kernel, kernel), config, &vb.pp(at.0))?)
        .add(BatchNorm::new(outputs, BatchNormConfig::default(), &vb.pp(at.1))?))
}

/// Two convolutions whose output is added to the input.
struct BasicBlock {
    first: Sequential,
    second: Sequential,
    shortcut: Option<Sequential>,
}

impl BasicBlock {
    fn new(inputs: usize, outputs: usize, stride: usize, vb: &VarBuilder) -> Result<Self> {
        let shortcut = (inputs != outputs)
            .then(|| normalized(inputs, outputs, 1, stride, ("0", "1"), &vb.pp("downsample")))
            .transpose()?;
        Ok(Self {
            first: normalized(inputs, outputs, 3, stride, ("conv1", "bn1"), vb)?,
            second: normalized(outputs, outputs, 3, 1, ("conv2", "bn2"), vb)?,
            shortcut,
        })
    }
}

impl ModuleT for BasicBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.second.forward_t(&relu(&self.first.forward_t(x, train)?)?, train)?;
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward_t(x, train)?,
            None => x.clone(),
        };
        relu(&add(&y, &shortcut)?)
    }
}

/// The layers of a residual net before its output, with so many blocks in its four stages: `(batch, 3, side, side)` to
/// `(batch, 512, side / 32, side / 32)`.
pub fn resnet_body(blocks: [usize; 4], vb: &VarBuilder) -> Result<Sequential> {
    let mut body = Sequential::new()
        .add(normalized(3, 64, 7, 2, ("conv1", "bn1"), vb)?)
        .add(relu)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) }));
    let mut inputs = 64;
    for (stage, (outputs, blocks)) in [64, 128, 256, 512].into_iter().zip(blocks).enumerate() {
        let vb = vb.pp(format!("layer{}", stage + 1));
        for block in 0..blocks {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            body = body.add(BasicBlock::new(inputs, outputs, stride, &vb.pp(block.to_string()))?);
            inputs = outputs;
        }
    }
    Ok(body)
}
