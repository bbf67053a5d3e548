//! Nets that others have trained on ImageNet, each with the names of torchvision's parameters (section 13.2).

use std::io::Read as _;
use std::path::Path;

use d2l::checkpoint::{Checkpoint, read_pytorch};
use d2l::data::hub::Hub;
use d2l::data::{DataError, Source};
use d2l::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, add, concat, relu};
use d2l::prelude::*;

use crate::labeled_pictures::Normalization;

/// Which net's weights there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// He et al. (2016), with torchvision's weights: the book's.
    ResNet18,
    /// The smallest EfficientNet (Tan and Le, 2019) without what small devices lack, as TensorFlow's authors trained it.
    EfficientNetLite0,
    /// Iandola et al. (2016), with the pruned weights of Han, Mao and Dally: a fiftieth of AlexNet's size.
    SqueezeNet,
}

impl Architecture {
    /// The layers before the output.
    fn body(self, vb: &VarBuilder) -> Result<Sequential> {
        match self {
            Self::ResNet18 => resnet18_body(vb),
            Self::EfficientNetLite0 => efficientnet_body(vb),
            Self::SqueezeNet => squeezenet_body(vb),
        }
    }

    /// The net for so many classes: pictures `(batch, 3, side, side)` to logits `(batch, classes)`. `output` names the
    /// layer before the logits; the weights' own is [`Architecture::output`]. With `keep_statistics` the body's normalizations
    /// keep the statistics that come with the weights, also in training.
    ///
    /// # Errors
    /// Where the parameters exist with other shapes.
    pub fn net(self, classes: usize, output: &str, keep_statistics: bool, vb: &VarBuilder) -> Result<Sequential> {
        let body = Body { layers: self.body(vb)?, keep_statistics };
        let vb = vb.pp(output);
        Ok(match self {
            Self::ResNet18 | Self::EfficientNetLite0 => {
                let features = if self == Self::ResNet18 { 512 } else { 1280 };
                Sequential::new().add(body).add(GlobalAvgPool2d).add(Flatten).add(Linear::new(features, classes, &vb)?)
            }
            // Its output is a convolution, whose scores of all places are averaged.
            Self::SqueezeNet => {
                let scores = Conv2d::new(512, classes, (1, 1), Conv2dConfig::default(), &vb)?;
                Sequential::new().add(body).add(scores).add(relu_of(classes)).add(GlobalAvgPool2d).add(Flatten)
            }
        })
    }

    /// The name of the weights' output layer.
    pub fn output(self) -> &'static str {
        match self {
            Self::ResNet18 => "fc",
            Self::EfficientNetLite0 => "_fc",
            Self::SqueezeNet => "classifier.1",
        }
    }

    /// What its input has to be.
    pub fn normalization(self) -> Normalization {
        match self {
            Self::ResNet18 => Normalization::IMAGENET,
            Self::EfficientNetLite0 => Normalization { mean: [127.0; 3], std: [128.0; 3], reversed: false },
            Self::SqueezeNet => Normalization::CAFFE,
        }
    }
}

/// The layers before the output.
struct Body {
    layers: Sequential,
    keep_statistics: bool,
}

impl ModuleT for Body {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.layers.forward_t(x, train && !self.keep_statistics)
    }
}

/// SqueezeNet cuts negative scores off before it averages them; for a new output of a few classes that would only keep it
/// from learning. The dropout before its output is left out: it changes nothing where the net is only asked.
fn relu_of(classes: usize) -> impl Fn(&Tensor) -> Result<Tensor> {
    move |x| if classes == 1000 { relu(x) } else { Ok(x.clone()) }
}

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

/// `(batch, 3, side, side)` to `(batch, 512, side / 32, side / 32)`.
fn resnet18_body(vb: &VarBuilder) -> Result<Sequential> {
    let mut body = Sequential::new()
        .add(normalized(3, 64, 7, 2, ("conv1", "bn1"), vb)?)
        .add(relu)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) }));
    let mut inputs = 64;
    for (stage, outputs) in [64, 128, 256, 512].into_iter().enumerate() {
        let vb = vb.pp(format!("layer{}", stage + 1));
        body = body
            .add(BasicBlock::new(inputs, outputs, if stage == 0 { 1 } else { 2 }, &vb.pp("0"))?)
            .add(BasicBlock::new(outputs, outputs, 1, &vb.pp("1"))?);
        inputs = outputs;
    }
    Ok(body)
}

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

/// `(batch, 3, 227, 227)` to `(batch, 512, 13, 13)`.
fn squeezenet_body(vb: &VarBuilder) -> Result<Sequential> {
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

/// `(batch, 3, side, side)` to `(batch, 1280, side / 32, side / 32)`.
fn efficientnet_body(vb: &VarBuilder) -> Result<Sequential> {
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

/// The weights of a net, if any could be had.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// Whose they are.
    pub architecture: Architecture,
    /// None at smoke scale and where they could not be had.
    pub weights: Option<Checkpoint>,
}

/// Reads a safetensors file that gzip has packed.
fn read_packed(path: &Path) -> Result<Checkpoint, DataError> {
    let file = std::fs::File::open(path).map_err(|reason| DataError::read(path, reason))?;
    let mut unpacked = Vec::new();
    // The weights have some five million bytes; a file that is more than proven by its hash is not read at all.
    let mut reader = flate2::read::GzDecoder::new(file).take(1 << 26);
    reader.read_to_end(&mut unpacked).map_err(|reason| DataError::read(path, reason))?;
    let tensors = candle_core::safetensors::load_buffer(&unpacked, &Device::Cpu)?;
    Ok(Checkpoint::new(tensors))
}

impl Source for Pretrained {
    const SAMPLE_NOTICE: &'static str = "no pretrained weights could be had, so the net to fine-tune starts from random \
         values, as the other one does, and is no better.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let read = |path: &Path| read_pytorch(path, None, &Device::Cpu).map_err(DataError::other);
        let (architecture, weights) = match hub.fetch("resnet18") {
            Ok(path) => (Architecture::ResNet18, read(&path)?),
            // If no other weights can be had, the error of the book's says more.
            Err(error) => match hub.fetch("efficientnet-lite0") {
                Ok(path) => (Architecture::EfficientNetLite0, read(&path)?),
                Err(_) => (Architecture::SqueezeNet, read_packed(&hub.fetch("squeezenet1_0").map_err(|_| error)?)?),
            },
        };
        Ok(Self { architecture, weights: Some(weights) })
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.weights.as_ref()?;
        match self.architecture {
            Architecture::ResNet18 => None,
            Architecture::EfficientNetLite0 => Some(
                "the weights of ResNet-18 could not be had: EfficientNet-Lite0 is fine-tuned instead, of less than half its \
                 parameters.",
            ),
            Architecture::SqueezeNet => Some(
                "the weights of ResNet-18 could not be had: SqueezeNet is fine-tuned instead, of a ninth of its parameters.",
            ),
        }
    }

    /// No weights at all.
    fn sample() -> Result<Self, DataError> {
        Ok(Self { architecture: Architecture::EfficientNetLite0, weights: None })
    }
}
