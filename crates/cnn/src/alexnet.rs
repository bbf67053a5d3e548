//! 7.1 Deep Convolutional Neural Networks (AlexNet)
//!
//! LeNet grown up: more and wider layers, ReLU, max pooling and dropout, on larger images.
//!
//! `cargo run --release -p cnn -- alexnet` trains a narrow one on a part of the images, in a minute, to a training loss of
//! 0.53 and accuracies of 0.80; `--scale book` has the book's settings: training loss 0.33, both accuracies 0.88.

use candle_core::bail;
use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use d2l::random::{Purpose, Random, Stream};

use crate::padding_and_strides::output_size;
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
    book   128        0.01 10         224  60000    1;
    laptop 32         0.03 10         96   6000     4;
    smoke  16         0.03 2          67   320      8;
}

/// AlexNet (Krizhevsky et al., 2012) for images of one channel and a side of 67 or more, with the channels and units
/// divided by `narrowing`: `(batch, 1, side, side)`, with shapes here for a side of 224, to logits `(batch, 10)`. Each
/// dropout layer draws from a stream of its own.
///
/// # Errors
/// Where the side is less than 67, too small for three pools.
pub fn alexnet_at(
    side: usize,
    narrowing: usize,
    vb: &VarBuilder,
    mut dropout: impl FnMut() -> Stream,
) -> Result<Sequential> {
    let conv = |name: &str, inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: usize| {
        let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
        Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp(name))
    };
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    let [c1, c2, c3, units] = narrowed([96, 256, 384, 4096], narrowing);
    if side < 67 {
        bail!("AlexNet's three pools leave nothing of a side of {side}: 67 is the least");
    }
    // After the first convolution only the pools change the side.
    let last = (0..3).try_fold(output_size(side, 11, 1, 4)?, |side, _| output_size(side, 3, 0, 2))?;
    Ok(Sequential::new()
        // A large window and stride: the objects in these images fill much of them.
        .add_named("conv1", conv("conv1", 1, c1, 11, 4, 1)?) // (batch, 96, 54, 54)
        .add(relu)
        .add(pool) // (batch, 96, 26, 26)
        .add(conv("conv2", c1, c2, 5, 1, 2)?) // (batch, 256, 26, 26)
        .add(relu)
        .add(pool) // (batch, 256, 12, 12)
        .add(conv("conv3", c2, c3, 3, 1, 1)?) // (batch, 384, 12, 12)
        .add(relu)
        .add(conv("conv4", c3, c3, 3, 1, 1)?)
        .add(relu)
        .add(conv("conv5", c3, c2, 3, 1, 1)?) // (batch, 256, 12, 12)
        .add(relu)
        .add(pool) // (batch, 256, 5, 5)
        .add(Flatten) // (batch, 6400)
        .add(Linear::new(c2 * last * last, units, &vb.pp("linear1"))?) // (batch, 4096)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, units, &vb.pp("linear2"))?)
        .add(relu)
        .add(Dropout::new(0.5, dropout())?)
        .add(Linear::new(units, 10, &vb.pp("output"))?)) // (batch, 10)
}

/// AlexNet at the book's size: images `(batch, 1, 224, 224)` to logits `(batch, 10)`.
pub fn alexnet(vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    alexnet_at(224, 1, vb, || random.fork(Purpose::Dropout))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("AlexNet")?;
    let whole = nb.parameters();
    let net = alexnet_at(224, 1, &whole.builder(), || nb.fork(Purpose::Dropout))?;
    nb.say(net.summary((1, 1, 224, 224), nb.device())?)?;

    nb.cell("Training")?;
    let training = &config.training;
    let (mut images, mut test) = training.loaders(nb)?;
    let parameters = nb.parameters();
    let (side, narrowing) = (training.side(), training.narrowing());
    let net = alexnet_at(side, narrowing, &parameters.builder(), || nb.fork(Purpose::Dropout))?;
    let history = training.fit(&net, &parameters, (&mut images, &mut test), nb)?;
    nb.training("training-curve", &history)?;

    nb.cell("The first filters")?;
    let filters = net.layer::<Conv2d>("conv1")?.weight(); // (96 / narrowing, 1, 11, 11)
    let shown = filters.dim(0)?.min(12);
    let figure = HeatMaps::new(&filters.narrow(0, 0, shown)?.reshape((1, shown, 11, 11))?)?;
    nb.figure("filters", "The first filters of the first convolution, 11 by 11 weights each", figure)
}
