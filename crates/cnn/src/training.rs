//! What the deep nets of chapter 7 have in common: their hyperparameters, a part of Fashion-MNIST for those without a
//! GPU, and the training itself.

use d2l::data::fashion_mnist::ImageLoader;
use d2l::nn::Parameters;
use d2l::notebook::positive;
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::train::History;

use crate::lenet::{train, xavier};

/// Hyperparameters of a deep net. Each section gives every one of them a default at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Training {
    /// Examples a minibatch
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    pub batch_size: u32,
    /// Learning rate
    #[arg(long, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// Side that images are resized to
    #[arg(long, value_parser = clap::value_parser!(u32).range(32..=512))]
    pub side: u32,
    /// Training images; of fewer than all, a third as many test images
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub examples: u32,
    /// Divides the channels of every layer
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub narrowing: u32,
}

/// Gives a section's `Config` its defaults, a row a scale, and the scale `laptop` on a CPU.
macro_rules! defaults {
    ($($name:ident)*; book $($book:literal)*; laptop $($laptop:literal)*; smoke $($smoke:literal)*;) => {
        impl d2l::notebook::Hyperparameters for Config {
            const SCALE_ON_CPU: d2l::notebook::Scale = d2l::notebook::Scale::Laptop;

            fn defaults_at(scale: d2l::notebook::Scale) -> &'static [(&'static str, &'static str)] {
                match scale {
                    d2l::notebook::Scale::Book => &[$((stringify!($name), stringify!($book))),*],
                    d2l::notebook::Scale::Laptop => &[$((stringify!($name), stringify!($laptop))),*],
                    d2l::notebook::Scale::Smoke => &[$((stringify!($name), stringify!($smoke))),*],
                }
            }
        }
    };
}
pub(crate) use defaults;

impl Training {
    /// Loaders of the first `examples` training images, and of a third as many test images where that is not all, at a
    /// side of `side`.
    ///
    /// # Errors
    /// Where the set is damaged.
    pub fn loaders(&self, nb: &mut Notebook) -> anyhow::Result<(ImageLoader, ImageLoader)> {
        let shuffle = nb.fork(Purpose::Shuffling);
        let mut set = nb.fashion_mnist()?;
        let examples = self.examples as usize;
        if examples < set.train.len() {
            let tests = examples.div_ceil(3).min(set.test.len());
            (set.train, set.test) = (set.train.first(examples)?, set.test.first(tests)?);
        }
        let (train, test) = set.loaders(self.batch_size as usize, Some(self.side as usize), shuffle, nb.device())?;
        let (images, tests, side) = (train.examples(), test.examples(), self.side);
        nb.say(format!("{images} training and {tests} test images of {side} x {side} pixels"))?;
        Ok((train, test))
    }

    /// Trains a net from Xavier's weights by minibatch gradient descent.
    ///
    /// # Errors
    /// As [`train`].
    pub fn fit(
        &self,
        net: &impl ModuleT,
        parameters: &Parameters,
        (images, test): (&mut ImageLoader, &mut ImageLoader),
        nb: &mut Notebook,
    ) -> anyhow::Result<History> {
        xavier(parameters)?;
        nb.say(format!("{} parameters", parameters.count()))?;
        train(net, parameters, (images, test), self.num_epochs, self.lr, &mut nb.progress())
    }

    /// The side of the images.
    pub fn side(&self) -> usize {
        self.side as usize
    }

    /// What the channels of the book's net are divided by.
    pub fn narrowing(&self) -> usize {
        self.narrowing as usize
    }
}

/// Numbers of channels divided by `narrowing`, at least one each.
pub fn narrowed<const N: usize>(channels: [usize; N], narrowing: usize) -> [usize; N] {
    channels.map(|channels| (channels / narrowing.max(1)).max(1))
}
