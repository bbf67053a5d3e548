//! EfficientNet-Lite0 under the names of R. Liu's weights: the smallest EfficientNet (Tan and Le, 2019) without what small
//! devices lack.

use d2l::nn::{BatchNorm, Conv2d};
use d2l::ops::{BatchNormConfig, Conv2dConfig, add, relu};
use d2l::prelude::*;

/// A convolution without bias and its normalization, padded as TensorFlow does it: a cell of output for each `stride` cells
/// of input, and where the padding is uneven, the lower and the right edge have more.
struct SameConv {
    conv: Conv2d,
    norm: BatchNorm,
    kernel: usize,
    stride: usize,
}

impl SameConv {
    fn new(
        (inputs, outputs, groups): (usize, usize, usize),
        (kernel, stride): (usize, usize),
        (conv, norm): (&str, &str),
        vb: &VarBuilder,
    ) -> Result<Self> {
        // At stride 1 the padding is even, and part of the convolution.
        let even = if stride == 1 { kernel / 2 } else { 0 };
        let config =
            Conv2dConfig { stride: (stride, stride), padding: (even, even), groups, ..Conv2dConfig::default() };
        let batch_norm = BatchNormConfig { eps: 1e-3, ..BatchNormConfig::default() };
        Ok(Self {
            conv: Conv2d::without_bias(inputs, outputs, (kernel, kernel), config, &vb.pp(conv))?,
            norm: BatchNorm::new(outputs, batch_norm, &vb.pp(norm))?,
            kernel,
            stride,
        })
    }

    fn padded(&self, x: &Tensor) -> Result<Tensor> {
        let along = |x: Tensor, axis: usize| {
            let cells = x.dim(axis)?;
            let all = ((cells.div_ceil(self.stride) - 1) * self.stride + self.kernel).saturating_sub(cells);
            x.pad_with_zeros(axis, all / 2, all - all / 2)
        };
        along(along(x.clone(), 2)?, 3)?.contiguous()
    }
}

impl ModuleT for SameConv {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = if self.stride == 1 { self.conv.forward(x)? } else { self.conv.forward(&self.padded(x)?)? };
        self.norm.forward_t(&y, train)
    }
}

/// What is above 6 is 6, so that numbers of few bits can hold it.
fn relu6(x: &Tensor) -> Result<Tensor> {
    relu(x)? - relu(&(x - 6.0)?)?
}

/// A thin tensor is made wide, convolved channel by channel, and made thin again; added to the input where it is as large.
struct InvertedResidual {
    body: Sequential,
    is_added: bool,
}

impl InvertedResidual {
    fn new(
        (inputs, outputs): (usize, usize),
        (kernel, stride): (usize, usize),
        expansion: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let wide = inputs * expansion;
        let mut body = Sequential::new();
        if expansion > 1 {
            body = body.add(SameConv::new((inputs, wide, 1), (1, 1), ("_expand_conv", "_bn0"), vb)?).add(relu6);
        }
        let body = body
            .add(SameConv::new((wide, wide, wide), (kernel, stride), ("_depthwise_conv", "_bn1"), vb)?)
            .add(relu6)
            .add(SameConv::new((wide, outputs, 1), (1, 1), ("_project_conv", "_bn2"), vb)?);
        Ok(Self { body, is_added: inputs == outputs && stride == 1 })
    }
}

impl ModuleT for InvertedResidual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.body.forward_t(x, train)?;
        if self.is_added { add(&y, x) } else { Ok(y) }
    }
}

/// The stages of EfficientNet-Lite0: blocks, kernel, stride of the first, expansion, channels.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// The layers before the output: `(batch, 3, side, side)` to `(batch, 1280, side / 32, side / 32)`.
pub fn efficientnet_body(vb: &VarBuilder) -> Result<Sequential> {
    let mut body = Sequential::new().add(SameConv::new((3, 32, 1), (3, 2), ("_conv_stem", "_bn0"), vb)?).add(relu6);
    let (mut inputs, mut place) = (32, 0);
    for (blocks, kernel, stride, expansion, outputs) in STAGES {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            let vb = vb.pp(format!("_blocks.{place}"));
            body = body.add(InvertedResidual::new((inputs, outputs), (kernel, stride), expansion, &vb)?);
            (inputs, place) = (outputs, place + 1);
        }
    }
    Ok(body.add(SameConv::new((320, 1280, 1), (1, 1), ("_conv_head", "_bn1"), vb)?).add(relu6))
}
