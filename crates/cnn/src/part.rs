//! A part of Fashion-MNIST for the deep nets of chapter 7, which take a GPU for the whole.

use d2l::data::fashion_mnist::ImageLoader;
use d2l::prelude::*;
use d2l::random::Purpose;

/// Loaders of the first `examples` training images, and of a third as many test images where that is not all, at a side
/// of `side`.
///
/// # Errors
/// Where the set is damaged.
pub fn loaders(
    nb: &mut Notebook,
    batch_size: u32,
    side: u32,
    examples: u32,
) -> anyhow::Result<(ImageLoader, ImageLoader)> {
    let shuffle = nb.fork(Purpose::Shuffling);
    let mut set = nb.fashion_mnist()?;
    let examples = examples as usize;
    if examples < set.train.len() {
        let tests = examples.div_ceil(3).min(set.test.len());
        (set.train, set.test) = (set.train.first(examples)?, set.test.first(tests)?);
    }
    let (train, test) = set.loaders(batch_size as usize, Some(side as usize), shuffle, nb.device())?;
    nb.say(format!("{} training and {} test images of {side} x {side} pixels", train.examples(), test.examples()))?;
    Ok((train, test))
}
