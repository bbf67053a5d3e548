//! 7.1 Deep Convolutional Neural Networks (AlexNet)
//!
//! LeNet grown up: more and wider layers, ReLU, max pooling and dropout, on larger images.
//!
//! `cargo run --release -p cnn -- alexnet` trains a narrow one on a part of the images, in some three minutes, to a
//! training loss of 0.31, a training accuracy of 0.88 and a test accuracy of 0.87, and LeNet on the same images to 0.78;
//! `--scale book` has the book's settings: training loss 0.33, both accuracies 0.88.

use candle_core::bail;
use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::plot::HeatMaps;
use d2l::prelude::*;

use super::lenet::lenet;
use super::padding_and_strides::output_size;
use crate::deep_net::{DeepNetSettings, cost, narrowed};

/// Hyperparameters at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub net: DeepNetSettings,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 128, lr: 0.01, num_epochs: 10, side: 224, examples: 60000, narrowing: 1 }
    Laptop { batch_size: 32, lr: 0.1, num_epochs: 7, side: 96, examples: 24000, narrowing: 4 }
    Smoke { batch_size: 16, lr: 0.03, num_epochs: 2, side: 67, examples: 320, narrowing: 8 }
}

/// AlexNet (Krizhevsky et al., 2012) for images of one channel and a side of 67 or more, with the channels and units
/// divided by `narrowing`: `(batch, 1, side, side)`, with shapes here for a side of 224, to logits `(batch, 10)`.
///
/// # Errors
/// Where the side is less than 67, too small for three pools.
pub fn alexnet_at(side: usize, narrowing: usize, vb: &VarBuilder) -> Result<Sequential> {
    let conv = |inputs, outputs, kernel: usize, stride: usize, padding: usize| {
        let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
        move |vb: &VarBuilder| Conv2d::new(inputs, outputs, (kernel, kernel), config, vb)
    };
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    let [c1, c2, c3, units] = narrowed([96, 256, 384, 4096], narrowing);
    if side < LEAST_SIDE {
        bail!("AlexNet's three pools leave nothing of a side of {side}: {LEAST_SIDE} is the least");
    }
    // After the first convolution only the pools change the side.
    let last = (0..3).try_fold(output_size(side, 11, 1, 4)?, |side, _| output_size(side, 3, 0, 2))?;
    Sequential::with_parameters(vb)
        // A large window and stride: the objects in these images fill much of them.
        .layer("conv1", conv(1, c1, 11, 4, 1))? // (batch, 96, 54, 54)
        .add(relu)
        .add(pool) // (batch, 96, 26, 26)
        .layer("conv2", conv(c1, c2, 5, 1, 2))? // (batch, 256, 26, 26)
        .add(relu)
        .add(pool) // (batch, 256, 12, 12)
        .layer("conv3", conv(c2, c3, 3, 1, 1))? // (batch, 384, 12, 12)
        .add(relu)
        .layer("conv4", conv(c3, c3, 3, 1, 1))?
        .add(relu)
        .layer("conv5", conv(c3, c2, 3, 1, 1))? // (batch, 256, 12, 12)
        .add(relu)
        .add(pool) // (batch, 256, 5, 5)
        .add(Flatten) // (batch, 6400)
        .layer("linear1", |vb| Linear::new(c2 * last * last, units, vb))? // (batch, 4096)
        .add(relu)
        .layer("dropout1", |vb| Dropout::new(0.5, vb))?
        .layer("linear2", |vb| Linear::new(units, units, vb))?
        .add(relu)
        .layer("dropout2", |vb| Dropout::new(0.5, vb))?
        .layer("output", |vb| Linear::new(units, 10, vb)) // (batch, 10)
}

/// The least side of an image of which the pools leave something.
const LEAST_SIDE: usize = 67;

/// The learning rate of [6.6](super::lenet), whose sigmoids need a high one.
const LENET_LR: f64 = 0.9;

/// AlexNet at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`.
pub fn alexnet(vb: &VarBuilder) -> Result<Sequential> {
    alexnet_at(224, 1, vb)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    config.net.ensure_side("AlexNet", LEAST_SIDE)?;
    nb.cell("AlexNet")?;
    let whole = nb.parameters();
    let net = alexnet(&whole.builder())?;
    cost(nb, &net, 224)?;

    nb.cell("Training")?;
    let settings = &config.net;
    let (mut images, mut test) = settings.loaders(nb)?;
    let parameters = nb.parameters();
    let net = alexnet_at(settings.side, settings.narrowing, &parameters.builder())?;
    let history = settings.fit(nb, "training", &net, &parameters, &mut images, &mut test)?;
    nb.training(&history)?;

    nb.cell("LeNet on the same images")?;
    let (mut images, mut test) = settings.loaders_at(28, "LeNet's training images", nb)?;
    let parameters = nb.parameters();
    let smaller = lenet(&parameters.builder())?;
    let at_28 = DeepNetSettings { side: 28, lr: LENET_LR, ..settings.clone() };
    let history = at_28.fit(nb, "lenet", &smaller, &parameters, &mut images, &mut test)?;
    nb.training_of("lenet", &history)?;

    nb.cell("The first filters")?;
    let filters = net.get::<Conv2d>("conv1")?.weight(); // (96 / narrowing, 1, 11, 11)
    let columns = filters.dim(0)?.min(8);
    let rows = (filters.dim(0)? / columns).min(3);
    let shown = filters.narrow(0, 0, rows * columns)?.reshape((rows, columns, 11, 11))?;
    let figure = HeatMaps::new(&shown)?.diverging();
    nb.figure("filters", "The first filters of the first convolution, 11 by 11 weights each", figure)
}
