//! AlexNet (section 7.1; Krizhevsky et al., 2012), for images of one channel and ten classes as in the book.

use d2l::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential, VarBuilder};
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::prelude::*;
use d2l::random::{Purpose, Random};

/// From images `(batch, 1, 224, 224)` to logits `(batch, 10)`. Each dropout layer draws from a stream of its own.
pub fn alexnet(vb: &VarBuilder, random: &mut Random) -> Result<Sequential> {
    let conv = |name: &str, inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: usize| {
        let config = Conv2dConfig { stride: (stride, stride), padding: (padding, padding), ..Conv2dConfig::default() };
        Conv2d::new(inputs, outputs, (kernel, kernel), config, &vb.pp(name))
    };
    let pool = MaxPool2d(Pool2dConfig { stride: (2, 2), ..Pool2dConfig::new((3, 3)) });
    Ok(Sequential::new()
        // A large window and stride: the objects in these images fill much of them.
        .add(conv("conv1", 1, 96, 11, 4, 1)?) // (batch, 96, 54, 54)
        .add(relu)
        .add(pool) // (batch, 96, 26, 26)
        .add(conv("conv2", 96, 256, 5, 1, 2)?) // (batch, 256, 26, 26)
        .add(relu)
        .add(pool) // (batch, 256, 12, 12)
        .add(conv("conv3", 256, 384, 3, 1, 1)?) // (batch, 384, 12, 12)
        .add(relu)
        .add(conv("conv4", 384, 384, 3, 1, 1)?)
        .add(relu)
        .add(conv("conv5", 384, 256, 3, 1, 1)?) // (batch, 256, 12, 12)
        .add(relu)
        .add(pool) // (batch, 256, 5, 5)
        .add(Flatten) // (batch, 6400)
        .add(Linear::new(6400, 4096, &vb.pp("linear1"))?) // (batch, 4096)
        .add(relu)
        .add(Dropout::new(0.5, random.fork(Purpose::Dropout))?)
        .add(Linear::new(4096, 4096, &vb.pp("linear2"))?)
        .add(relu)
        .add(Dropout::new(0.5, random.fork(Purpose::Dropout))?)
        .add(Linear::new(4096, 10, &vb.pp("output"))?)) // (batch, 10)
}
