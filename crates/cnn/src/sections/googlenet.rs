//! 7.4 Networks with Parallel Concatenations (GoogLeNet)
//!
//! Blocks that look through windows of several sizes at once.
//!
//! `cargo run --release -p cnn -- googlenet` trains a narrow one on a part of the images, in some six minutes, to a
//! training loss of 0.35 and accuracies of 0.86; `--scale book` has the book's settings: training loss 0.25, training
//! accuracy 0.91, test accuracy 0.85 to 0.90.

use d2l::nn::{Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d};
use d2l::ops::{Conv2dConfig, Pool2dConfig, concat, relu};
use d2l::prelude::*;

use crate::deep_net::{DeepNetSettings, cost, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub net: DeepNetSettings,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 128, lr: 0.1, num_epochs: 10, side: 96, examples: 60000, narrowing: 1 }
    Laptop { batch_size: 32, lr: 0.1, num_epochs: 10, side: 48, examples: 24000, narrowing: 4 }
    Smoke { batch_size: 16, lr: 0.1, num_epochs: 2, side: 32, examples: 320, narrowing: 8 }
}

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

/// GoogLeNet (Szegedy et al., 2015) with the channels divided by `narrowing`: images `(batch, 1, side, side)`, with shapes
/// here for a side of 96, to logits `(batch, 10)`.
pub fn googlenet_at(narrowing: usize, vb: &VarBuilder) -> Result<Sequential> {
    let [c64, c192, c1024] = narrowed([64, 192, 1024], narrowing);
    let halve = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) });
    let wide = Conv2dConfig { stride: (2, 2), padding: (3, 3), ..Conv2dConfig::default() };
    let mut inputs = c192;
    // The channels of the paths' convolutions; the block's output has the sum of c1, c2.1, c3.1 and c4.
    let mut inception = |c1, c2: (usize, usize), c3: (usize, usize), c4| {
        let [c1, c20, c21, c30, c31, c4] = narrowed([c1, c2.0, c2.1, c3.0, c3.1, c4], narrowing);
        let before = std::mem::replace(&mut inputs, c1 + c21 + c31 + c4);
        move |vb: &VarBuilder| Inception::new(before, c1, (c20, c21), (c30, c31), c4, vb)
    };
    Sequential::with_parameters(vb)
        .layer("conv1", |vb| Conv2d::new(1, c64, (7, 7), wide, vb))? // (batch, 64, 48, 48)
        .add(relu)
        .add(halve) // (batch, 64, 24, 24)
        .layer("conv2", |vb| conv_same(c64, c64, 1, vb))?
        .add(relu)
        .layer("conv3", |vb| conv_same(c64, c192, 3, vb))? // (batch, 192, 24, 24)
        .add(relu)
        .add(halve) // (batch, 192, 12, 12)
        .layer("inception3a", inception(64, (96, 128), (16, 32), 32))? // (batch, 256, 12, 12)
        .layer("inception3b", inception(128, (128, 192), (32, 96), 64))? // (batch, 480, 12, 12)
        .add(halve) // (batch, 480, 6, 6)
        .layer("inception4a", inception(192, (96, 208), (16, 48), 64))? // (batch, 512, 6, 6)
        .layer("inception4b", inception(160, (112, 224), (24, 64), 64))?
        .layer("inception4c", inception(128, (128, 256), (24, 64), 64))?
        .layer("inception4d", inception(112, (144, 288), (32, 64), 64))? // (batch, 528, 6, 6)
        .layer("inception4e", inception(256, (160, 320), (32, 128), 128))? // (batch, 832, 6, 6)
        .add(halve) // (batch, 832, 3, 3)
        .layer("inception5a", inception(256, (160, 320), (32, 128), 128))?
        .layer("inception5b", inception(384, (192, 384), (48, 128), 128))? // (batch, 1024, 3, 3)
        .add(GlobalAvgPool2d) // (batch, 1024, 1, 1)
        .add(Flatten) // (batch, 1024)
        .layer("output", |vb| Linear::new(c1024, 10, vb)) // (batch, 10)
}

/// GoogLeNet at the book's size: images `(batch, 1, height, width)` to logits `(batch, 10)`.
pub fn googlenet(vb: &VarBuilder) -> Result<Sequential> {
    googlenet_at(1, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Inception blocks")?;
    let parameters = nb.parameters();
    let block = Inception::new(192, 64, (96, 128), (16, 32), 32, &parameters.builder())?;
    let x = nb.normal((1, 192, 12, 12))?;
    nb.show("64 + 128 + 32 + 32 channels", format!("{:?}", block.forward(&x)?.dims()))?;

    nb.cell("GoogLeNet model")?;
    let whole = nb.parameters();
    cost(nb, &googlenet(&whole.builder())?, 96)?;

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    let parameters = nb.parameters();
    let net = googlenet_at(settings.narrowing, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)
}
