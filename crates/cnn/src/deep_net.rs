//! What the deep nets of chapter 7 have in common: their settings, a part of Fashion-MNIST for those without a GPU, and
//! the training itself.

use anyhow::ensure;
use d2l::data::fashion_mnist::{FashionMnist, ImageLoader};
use d2l::notebook::{at_least, within};
use d2l::ops::count_multiply_adds;
use d2l::prelude::*;

use crate::sections::lenet::xavier;

/// Settings of a deep net. Each section gives every one of them a default at each scale.
#[derive(Debug, Clone, Args, Serialize)]
pub struct DeepNetSettings {
    /// Examples a minibatch
    #[arg(long, value_parser = at_least::<2>)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, value_parser = count)]
    pub num_epochs: usize,
    /// Side that images are resized to; AlexNet and NiN need 67 or more, the other nets 32
    #[arg(long, value_parser = within::<32, 512>)]
    pub side: usize,
    /// Training images; of fewer than all, a third as many test images
    #[arg(long, value_parser = within::<1, 60_000>)]
    pub examples: usize,
    /// Divides the channels of every layer
    #[arg(long, value_parser = within::<1, 16>)]
    pub narrowing: usize,
}

impl DeepNetSettings {
    /// Refuses images that are too small for a net, before anything is built.
    ///
    /// # Errors
    /// Where the side is below `least`.
    pub fn ensure_side(&self, net: &str, least: usize) -> anyhow::Result<()> {
        let side = self.side;
        ensure!(
            side >= least,
            "--side {side} is too small: {least} is the least of which {net}'s pools leave something"
        );
        Ok(())
    }

    /// Loaders of the first `examples` training images, and of a third as many test images where that is not all, at a
    /// side of `side`.
    ///
    /// # Errors
    /// Where the set is damaged.
    pub fn loaders(&self, nb: &mut Notebook) -> anyhow::Result<(ImageLoader, ImageLoader)> {
        self.loaders_at(self.side, "training images", nb)
    }

    /// [`DeepNetSettings::loaders`] at another side, whose training images come in an order of their own, named `order`.
    ///
    /// # Errors
    /// As [`DeepNetSettings::loaders`].
    pub fn loaders_at(
        &self,
        side: usize,
        order: &str,
        nb: &mut Notebook,
    ) -> anyhow::Result<(ImageLoader, ImageLoader)> {
        let shuffle = nb.stream(Purpose::Shuffling, order);
        let mut set = nb.load::<FashionMnist>()?;
        if self.examples < set.train.len() {
            let tests = self.examples.div_ceil(3).min(set.test.len());
            (set.train, set.test) = (set.train.first(self.examples)?, set.test.first(tests)?);
        }
        let (train, test) = set.loaders(self.batch_size, Some(side), shuffle, nb.device())?;
        let (images, tests) = (train.examples(), test.examples());
        nb.say(format!("{images} training and {tests} test images of {side} x {side} pixels"))?;
        Ok((train, test))
    }

    /// Trains a net from Xavier's weights by minibatch gradient descent.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn fit(
        &self,
        nb: &mut Notebook,
        name: &str,
        net: &impl ModuleT,
        parameters: &Parameters,
        images: &mut ImageLoader,
        test: &mut ImageLoader,
    ) -> anyhow::Result<History> {
        xavier(parameters)?;
        let image = Tensor::zeros((1, 1, self.side, self.side), DType::F32, nb.device())?;
        let (logits, multiply_adds) = count_multiply_adds(|| net.forward_t(&image, false));
        logits?;
        nb.say(format!("{} parameters, {multiply_adds} multiply-adds for an image", parameters.count()))?;
        nb.metric(&format!("parameters_{name}"), parameters.count() as f64)?;
        nb.metric(&format!("multiply_adds_{name}"), multiply_adds as f64)?;
        let mut optimizer = Sgd::new(parameters, self.lr);
        let trainer = nb.trainer(self.num_epochs).named(name).with(parameters);
        Ok(trainer.fit_classifier(net, images, test, &mut optimizer)?)
    }
}

/// Prints the layers of a net of the book's size with what each costs for an image of this side, and keeps the totals.
///
/// # Errors
/// Where the net does not take such images.
pub fn cost(nb: &mut Notebook, net: &Sequential, side: usize) -> anyhow::Result<()> {
    let summary = net.summary((1, 1, side, side), nb.device())?.with_multiply_adds();
    nb.metric("parameters", summary.parameters as f64)?;
    nb.metric("multiply_adds", summary.multiply_adds as f64)?;
    nb.say(summary)
}

/// Refuses a last minibatch of one example, of which batch normalization can take no variance, before training begins.
///
/// # Errors
/// Where there is one.
pub fn ensure_variance(images: &ImageLoader, batch_size: usize) -> anyhow::Result<()> {
    let examples = images.examples();
    ensure!(
        examples % batch_size != 1,
        "--batch-size {batch_size} leaves a last minibatch of one of {examples} images, and batch normalization takes the \
         variance over a minibatch: choose another"
    );
    Ok(())
}

/// Numbers of channels divided by `narrowing`, at least one each.
pub fn narrowed<const N: usize>(channels: [usize; N], narrowing: usize) -> [usize; N] {
    channels.map(|channels| (channels / narrowing.max(1)).max(1))
}
