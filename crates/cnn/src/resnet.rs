//! 7.6 Residual Networks (ResNet)
//!
//! ResNet-18, whose blocks learn what to add to their input, beside the same net without the additions.
//!
//! `cargo run --release -p cnn -- resnet` trains narrow ones on a part of the images, in a minute or two, to training losses
//! of 0.27 and, without the additions, 0.38; `--scale book` has the book's settings: training loss 0.01, training accuracy
//! 0.997, test accuracy 0.85 to 0.92.

use d2l::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, add_relu, relu};
use d2l::prelude::*;

use crate::training::{Training, defaults, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub training: Training,
}

defaults! {
           batch_size lr   num_epochs side examples narrowing;
    book   256        0.05 10         96   60000    1;
    laptop 64         0.05 5          48   6000     4;
    smoke  32         0.05 2          32   640      8;
}

/// Whether a block adds its input to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// As He et al. (2016) do.
    Added,
    /// A plain net, to compare with.
    None,
}

/// Two 3×3 convolutions with batch normalisation, added to the block's input.
pub struct Residual {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    /// 1×1, where the input has another shape than the output.
    shortcut: Option<Conv2d>,
    kind: Shortcut,
}

impl Residual {
    /// `(batch, inputs, height, width)` to `(batch, outputs, height / stride, width / stride)`.
    pub fn new(inputs: usize, outputs: usize, stride: usize, kind: Shortcut, vb: &VarBuilder) -> Result<Self> {
        let conv = |name, inputs, kernel, stride| {
            let padding = (kernel / 2, kernel / 2);
            let config = Conv2dConfig { stride: (stride, stride), padding, ..Conv2dConfig::default() };
            Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp(name))
        };
        // The first normalisation is followed by a ReLU, which it applies in the same pass.
        let rectified = BatchNormConfig { relu: true, ..BatchNormConfig::default() };
        let changes_shape = kind == Shortcut::Added && (inputs != outputs || stride != 1);
        Ok(Self {
            conv1: conv("conv1", inputs, 3, stride)?,
            norm1: BatchNorm::new(outputs, rectified, &vb.pp("norm1"))?,
            conv2: conv("conv2", outputs, 3, 1)?,
            norm2: BatchNorm::new(outputs, BatchNormConfig::default(), &vb.pp("norm2"))?,
            shortcut: if changes_shape { Some(conv("shortcut", inputs, 1, stride)?) } else { None },
            kind,
        })
    }
}

impl ModuleT for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.norm1.forward_t(&self.conv1.forward(x)?, train)?;
        let y = self.norm2.forward_t(&self.conv2.forward(&y)?, train)?; // (batch, outputs, h / stride, w / stride)
        if self.kind == Shortcut::None {
            return relu(&y);
        }
        let x = match &self.shortcut {
            Some(conv) => conv.forward(x)?,
            None => x.clone(),
        };
        add_relu(&y, &x)
    }
}

/// Two residual blocks, of which the first may halve the image.
#[doc(alias = "resnet_block")]
pub fn residual_stage(
    inputs: usize,
    outputs: usize,
    stride: usize,
    kind: Shortcut,
    vb: &VarBuilder,
) -> Result<Sequential> {
    Ok(Sequential::new()
        .add_named("residual1", Residual::new(inputs, outputs, stride, kind, &vb.pp("residual1"))?)
        .add_named("residual2", Residual::new(outputs, outputs, 1, kind, &vb.pp("residual2"))?))
}

/// A net of 18 layers with the channels divided by `narrowing`, with or without shortcuts: images `(batch, 1, side,
/// side)`, with shapes here for a side of 96, to logits `(batch, 10)`.
pub fn eighteen_layers(narrowing: usize, kind: Shortcut, vb: &VarBuilder) -> Result<Sequential> {
    let [c1, c2, c3, c4] = narrowed([64, 128, 256, 512], narrowing);
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let rectified = BatchNormConfig { relu: true, ..BatchNormConfig::default() };
    Ok(Sequential::new()
        .add_named("conv", Conv2d::new(1, c1, (7, 7), wide, &vb.pp("conv"))?) // (batch, 64, 48, 48)
        .add_named("norm", BatchNorm::new(c1, rectified, &vb.pp("norm"))?)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) })) // (batch, 64, 24, 24)
        .add_named("block1", residual_stage(c1, c1, 1, kind, &vb.pp("block1"))?)
        .add_named("block2", residual_stage(c1, c2, 2, kind, &vb.pp("block2"))?) // (batch, 128, 12, 12)
        .add_named("block3", residual_stage(c2, c3, 2, kind, &vb.pp("block3"))?) // (batch, 256, 6, 6)
        .add_named("block4", residual_stage(c3, c4, 2, kind, &vb.pp("block4"))?) // (batch, 512, 3, 3)
        .add(GlobalAvgPool2d) // (batch, 512, 1, 1)
        .add(Flatten) // (batch, 512)
        .add_named("output", Linear::new(c4, 10, &vb.pp("output"))?)) // (batch, 10)
}

/// ResNet-18 at the book's size: images `(batch, 1, height, width)` to logits `(batch, 10)`.
pub fn resnet18(vb: &VarBuilder) -> Result<Sequential> {
    eighteen_layers(1, Shortcut::Added, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Residual blocks")?;
    let parameters = nb.parameters();
    let x = nb.normal((4, 3, 6, 6))?;
    let block = Residual::new(3, 3, 1, Shortcut::Added, &parameters.builder().pp("same"))?;
    nb.show("same shape", format!("{:?}", block.forward_t(&x, true)?.dims()))?;
    let block = Residual::new(3, 6, 2, Shortcut::Added, &parameters.builder().pp("halved"))?;
    nb.show("half the side, twice the channels", format!("{:?}", block.forward_t(&x, true)?.dims()))?;

    nb.cell("ResNet model")?;
    let whole = nb.parameters();
    nb.say(resnet18(&whole.builder())?.summary((1, 1, 96, 96), nb.device())?)?;

    nb.cell("Training")?;
    let training = &config.training;
    let (mut images, mut test) = training.loaders(nb)?;
    let parameters = nb.parameters();
    let net = eighteen_layers(training.narrowing(), Shortcut::Added, &parameters.builder())?;
    let history = training.fit(&net, &parameters, (&mut images, &mut test), nb)?;
    nb.training("training-curve", &history)?;

    nb.cell("What the shortcuts bought")?;
    if nb.scale() == Scale::Book {
        return nb.say("the plain net is trained at the scale laptop");
    }
    let parameters = nb.parameters();
    let net = eighteen_layers(training.narrowing(), Shortcut::None, &parameters.builder())?;
    let history = training.fit(&net, &parameters, (&mut images, &mut test), nb)?;
    nb.training_of("plain", &history)
}
