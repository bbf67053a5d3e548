//! 7.7 Densely Connected Networks (DenseNet)
//!
//! Each convolution sees the outputs of all before it, beside a net in which it sees the last one only.
//!
//! `cargo run --release -p cnn -- densenet` trains narrow ones on a part of the images, in some eight minutes, to
//! test accuracies of 0.88 and, for the plain net, 0.86; `--scale book` has the book's settings: training loss 0.15, training
//! accuracy 0.94, test accuracy 0.8 to 0.9.

use d2l::nn::{AvgPool2d, BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d};
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, concat, relu};
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
    Book { batch_size: 256, lr: 0.1, num_epochs: 10, side: 96, examples: 60000, narrowing: 1 }
    Laptop { batch_size: 32, lr: 0.1, num_epochs: 4, side: 48, examples: 24000, narrowing: 2 }
    Smoke { batch_size: 32, lr: 0.1, num_epochs: 2, side: 32, examples: 640, narrowing: 8 }
}

/// Normalization, ReLU and a 3×3 convolution: `(batch, inputs, h, w)` to `(batch, outputs, h, w)`.
pub fn conv_block(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    Sequential::with_parameters(vb)
        .layer("norm", |vb| BatchNorm::new(inputs, BatchNormConfig::default(), vb))?
        .add(relu)
        .layer("conv", |vb| Conv2d::new(inputs, outputs, (3, 3), same, vb))
}

/// What a convolution's output does to what it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// It is appended, as Huang et al. (2017) do.
    Appended,
    /// It takes the place of it, with as many channels as both would have: a plain net, to compare with.
    Replaced,
}

/// Convolutions that each append `growth` channels to what they read.
pub struct DenseBlock {
    convolutions: Vec<Sequential>,
    features: Features,
}

impl DenseBlock {
    /// `(batch, inputs, h, w)` to `(batch, inputs + convolutions · growth, h, w)`.
    pub fn new(convolutions: usize, inputs: usize, growth: usize, features: Features, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| {
            let inputs = inputs + i * growth;
            let outputs = if features == Features::Appended { growth } else { inputs + growth };
            conv_block(inputs, outputs, &vb.pp(format!("block{}", i + 1)))
        };
        Ok(Self { convolutions: (0..convolutions).map(block).collect::<Result<_>>()?, features })
    }
}

impl ModuleT for DenseBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.convolutions.iter().try_fold(x.clone(), |x, block| {
            let y = block.forward_t(&x, train)?; // (batch, growth, h, w)
            if self.features == Features::Appended { concat(&[x, y], 1) } else { Ok(y) }
        })
    }
}

/// A 1×1 convolution to fewer channels, then half the image: `(batch, inputs, h, w)` to `(batch, outputs, h/2, w/2)`.
pub fn transition_block(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    let block = Sequential::with_parameters(vb)
        .layer("norm", |vb| BatchNorm::new(inputs, BatchNormConfig::default(), vb))?
        .add(relu)
        .layer("conv", |vb| Conv2d::new(inputs, outputs, (1, 1), Conv2dConfig::default(), vb))?
        .add(AvgPool2d(Pool2dConfig::new((2, 2))));
    Ok(block)
}

/// Four blocks of four convolutions with the channels divided by `narrowing`, appended or not: images `(batch, 1, side,
/// side)`, with shapes here for a side of 96, to logits `(batch, 10)`.
pub fn four_blocks(narrowing: usize, features: Features, vb: &VarBuilder) -> Result<Sequential> {
    let (blocks, convolutions) = (4, 4);
    let [mut channels, growth] = narrowed([64, 32], narrowing);
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let norm = |channels| move |vb: &VarBuilder| BatchNorm::new(channels, BatchNormConfig::default(), vb);
    let mut net = Sequential::with_parameters(vb)
        .layer("conv", |vb| Conv2d::new(1, channels, (7, 7), wide, vb))? // (batch, 64, 48, 48)
        .layer("norm1", norm(channels))?
        .add(relu)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) })); // (batch, 64, 24, 24)
    for block in 1..=blocks {
        // Channels 64, 96, 112, 120 grow to 192, 224, 240, 248.
        let dense = |vb: &VarBuilder| DenseBlock::new(convolutions, channels, growth, features, vb);
        net = net.layer(format!("dense{block}"), dense)?;
        channels += convolutions * growth;
        if block < blocks {
            // 24×24, 12×12, 6×6 become 12×12, 6×6, 3×3, with half the channels.
            net = net.layer(format!("transition{block}"), |vb| transition_block(channels, channels / 2, vb))?;
            channels /= 2;
        }
    }
    net // (batch, 248, 3, 3)
        .layer("norm2", norm(channels))?
        .add(relu)
        .add(GlobalAvgPool2d) // (batch, 248, 1, 1)
        .add(Flatten) // (batch, 248)
        .layer("output", |vb| Linear::new(channels, 10, vb)) // (batch, 10)
}

/// DenseNet at the book's size, with growth 32: images `(batch, 1, height, width)` to logits `(batch, 10)`.
pub fn densenet(vb: &VarBuilder) -> Result<Sequential> {
    four_blocks(1, Features::Appended, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Dense blocks")?;
    let parameters = nb.parameters();
    let block = DenseBlock::new(2, 3, 10, Features::Appended, &parameters.builder().pp("dense"))?;
    let y = block.forward_t(&nb.normal((4, 3, 8, 8))?, true)?;
    nb.show("3 channels and twice 10 more", format!("{:?}", y.dims()))?;

    nb.cell("Transition layers")?;
    let transition = transition_block(23, 10, &parameters.builder().pp("transition"))?;
    nb.show("fewer channels, half the side", format!("{:?}", transition.forward_t(&y, true)?.dims()))?;

    nb.cell("DenseNet model")?;
    let whole = nb.parameters();
    cost(nb, &densenet(&whole.builder())?, 96)?;

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    ensure_variance(&images, settings.batch_size)?;
    let parameters = nb.parameters();
    let net = four_blocks(settings.narrowing, Features::Appended, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)?;

    nb.cell("What the appended features bought")?;
    if nb.scale() == Scale::Book {
        return nb.say("the plain net is trained at the scale laptop");
    }
    let parameters = nb.parameters();
    let net = four_blocks(settings.narrowing, Features::Replaced, &parameters.builder())?;
    let history = settings.fit(nb, "plain", &net, &parameters, &mut images, &mut test)?;
    nb.training_of("plain", &history)
}
