//! 7.6 Residual Networks (ResNet)
//!
//! ResNet-18, whose blocks learn what to add to their input, beside the same net without the additions.
//!
//! `cargo run --release -p cnn -- resnet` trains narrow ones on a part of the images, in some four minutes, to training
//! losses of 0.23 and, without the additions, 0.29, and test accuracies of 0.87; `--scale book` has the book's settings:
//! training loss 0.01, training accuracy 0.997, test accuracy 0.85 to 0.92.

use d2l::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, add, relu};
use d2l::prelude::*;

use crate::deep_net::{DeepNetSettings, cost, ensure_variance, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub net: DeepNetSettings,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 256, lr: 0.05, num_epochs: 10, side: 96, examples: 60000, narrowing: 1 }
    Laptop { batch_size: 64, lr: 0.05, num_epochs: 5, side: 48, examples: 24000, narrowing: 4 }
    Smoke { batch_size: 32, lr: 0.05, num_epochs: 2, side: 32, examples: 640, narrowing: 8 }
}

/// Whether a block adds its input to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// As He et al. (2016) do.
    Added,
    /// A plain net, to compare with.
    None,
}

/// Two 3×3 convolutions with batch normalization, added to the block's input.
pub struct Residual {
    body: Sequential,
    /// 1×1, where the input has another shape than the output.
    shortcut: Option<Conv2d>,
    kind: Shortcut,
}

impl Residual {
    /// `(batch, inputs, height, width)` to `(batch, outputs, height / stride, width / stride)`.
    pub fn new(inputs: usize, outputs: usize, stride: usize, kind: Shortcut, vb: &VarBuilder) -> Result<Self> {
        let conv = |inputs, kernel: usize, stride: usize| {
            let padding = (kernel / 2, kernel / 2);
            let config = Conv2dConfig { stride: (stride, stride), padding, ..Conv2dConfig::default() };
            move |vb: &VarBuilder| Conv2d::new(inputs, outputs, (kernel, kernel), config, vb)
        };
        let norm = |vb: &VarBuilder| BatchNorm::new(outputs, BatchNormConfig::default(), vb);
        let body = Sequential::with_parameters(vb)
            .layer("conv1", conv(inputs, 3, stride))? // (batch, outputs, h / stride, w / stride)
            .layer("norm1", norm)?
            .add(relu)
            .layer("conv2", conv(outputs, 3, 1))?
            .layer("norm2", norm)?;
        let changes_shape = kind == Shortcut::Added && (inputs != outputs || stride != 1);
        let shortcut = changes_shape.then(|| conv(inputs, 1, stride)(&vb.pp("shortcut"))).transpose()?;
        Ok(Self { body, shortcut, kind })
    }
}

impl ModuleT for Residual {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.body.forward_t(x, train)?;
        if self.kind == Shortcut::None {
            return relu(&y);
        }
        let x = match &self.shortcut {
            Some(conv) => conv.forward(x)?,
            None => x.clone(),
        };
        relu(&add(&y, &x)?)
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
    Sequential::with_parameters(vb)
        .layer("residual1", |vb| Residual::new(inputs, outputs, stride, kind, vb))?
        .layer("residual2", |vb| Residual::new(outputs, outputs, 1, kind, vb))
}

/// A net of 18 layers with the channels divided by `narrowing`, with or without shortcuts: images `(batch, 1, side,
/// side)`, with shapes here for a side of 96, to logits `(batch, 10)`.
pub fn eighteen_layers(narrowing: usize, kind: Shortcut, vb: &VarBuilder) -> Result<Sequential> {
    let [c1, c2, c3, c4] = narrowed([64, 128, 256, 512], narrowing);
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    Sequential::with_parameters(vb)
        .layer("conv", |vb| Conv2d::new(1, c1, (7, 7), wide, vb))? // (batch, 64, 48, 48)
        .layer("norm", |vb| BatchNorm::new(c1, BatchNormConfig::default(), vb))?
        .add(relu)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) })) // (batch, 64, 24, 24)
        .layer("block1", |vb| residual_stage(c1, c1, 1, kind, vb))?
        .layer("block2", |vb| residual_stage(c1, c2, 2, kind, vb))? // (batch, 128, 12, 12)
        .layer("block3", |vb| residual_stage(c2, c3, 2, kind, vb))? // (batch, 256, 6, 6)
        .layer("block4", |vb| residual_stage(c3, c4, 2, kind, vb))? // (batch, 512, 3, 3)
        .add(GlobalAvgPool2d) // (batch, 512, 1, 1)
        .add(Flatten) // (batch, 512)
        .layer("output", |vb| Linear::new(c4, 10, vb)) // (batch, 10)
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
    cost(nb, &resnet18(&whole.builder())?, 96)?;

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    ensure_variance(&images, settings.batch_size)?;
    let parameters = nb.parameters();
    let net = eighteen_layers(settings.narrowing, Shortcut::Added, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)?;

    nb.cell("What the shortcuts bought")?;
    if nb.scale() == Scale::Book {
        return nb.say("the plain net is trained at the scale laptop");
    }
    let parameters = nb.parameters();
    let net = eighteen_layers(settings.narrowing, Shortcut::None, &parameters.builder())?;
    let history = settings.fit(nb, "plain", &net, &parameters, &mut images, &mut test)?;
    nb.training_of("plain", &history)
}
