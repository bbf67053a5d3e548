//! 3.5 The Image Classification Dataset
//!
//! Fashion-MNIST: what is in it, how it looks, and how long reading it takes.
//!
//! `cargo run --release -p linear-nets -- image-classification-dataset`
//! 60,000 training and 10,000 test images of 28 x 28; an epoch of minibatches is read in well under a second.

use d2l::data::fashion_mnist::{FashionMnist, Images, LABELS, label_names};
use d2l::notebook::within;
use d2l::plot::{Image, ImageGrid};
use d2l::prelude::*;
use d2l::train::Timer;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Side length of the enlarged images at the end
    #[arg(long, default_value_t = 64, value_parser = within::<1, 1024>)]
    pub resize: usize,
}

defaults! { Config }

/// The first `rows * columns` images of a set with their labels as titles.
pub fn show_images(images: &Images, rows: usize, columns: usize) -> anyhow::Result<ImageGrid> {
    let indices: Vec<usize> = (0..(rows * columns).min(images.len())).collect();
    let (x, y) = images.batch(&indices, &Device::Cpu)?; // (images, 1, 28, 28), (images)
    let titles = label_names(&y.to_vec1::<u32>()?)?;
    let pictures = indices.iter().map(|&i| Ok(Image::from_tensor(&x.get(i)?)?)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(ImageGrid::new(columns, pictures).titles(titles))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let set = nb.load::<FashionMnist>()?;
    nb.say(format!("{} training and {} test images", set.train.len(), set.test.len()))?;
    let (x, y) = set.train.batch(&[0], nb.device())?;
    nb.say(format!("the first image has the shape {:?}, its label is {}", x.dims(), label_names(&y.to_vec1()?)?[0]))?;

    nb.cell("Examples of every class")?;
    let mut counts = Table::new(["class", "training images", "test images"]);
    for (class, name) in LABELS.iter().enumerate() {
        let count = |images: &Images| images.labels().iter().filter(|&&label| usize::from(label) == class).count();
        counts.row([(*name).to_string(), count(&set.train).to_string(), count(&set.test).to_string()]);
    }
    nb.say(counts)?;

    nb.cell("The first images")?;
    let grid = show_images(&set.train, 2, 9)?;
    nb.figure("first-images", "Eighteen training images with the names of their classes", grid)?;

    nb.cell("Reading a minibatch")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training images");
    let (mut train, _) = set.clone().loaders(config.batch_size, None, shuffle, nb.device())?;
    let mut timer = Timer::new();
    let mut examples = 0;
    for batch in train.epoch() {
        let (_, y) = batch?;
        examples += y.elem_count();
    }
    let seconds = timer.stop().as_secs_f64();
    nb.say(format!("{examples} examples in {seconds:.2} s"))?;
    nb.metric("examples_read_per_second", examples as f64 / seconds)?;

    nb.cell("Putting all things together")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training images");
    let (mut train, _) = set.loaders(32, Some(config.resize), shuffle, nb.device())?;
    if let Some(batch) = train.epoch().next() {
        let (x, y) = batch?;
        nb.say(format!("images {:?} of {:?}, labels {:?} of {:?}", x.dims(), x.dtype(), y.dims(), y.dtype()))?;
    }
    Ok(())
}
