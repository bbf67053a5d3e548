//! 13.9 Semantic Segmentation and the Dataset
//!
//! Photographs in which every pixel has a class, and how both are cut alike for a minibatch.
//!
//! `cargo run --release -p vision -- semantic-segmentation-and-dataset` takes a second where the pictures are at hand.

use d2l::notebook::within;
use d2l::plot::ImageGrid;
use d2l::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::labeled_pictures::Normalization;
use crate::picture::Picture;
use crate::segmentation_set::{CLASSES, COLORS, Mask, SegmentationSet, random_crop};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// Rows of the part that is cut out of each picture
    #[arg(long, default_value_t = 320, value_parser = within::<32, 1024>)]
    pub crop_height: usize,
    /// Columns of it
    #[arg(long, default_value_t = 480, value_parser = within::<32, 1024>)]
    pub crop_width: usize,
}

defaults! { Config: Smoke { batch_size: 4, crop_height: 64, crop_width: 96 } }

/// A row of pictures above their masks in color.
pub fn pairs(pairs: &[(Picture, Mask)], height: usize) -> anyhow::Result<ImageGrid> {
    let small = |picture: &Picture| picture.resized(height * picture.width() / picture.height(), height)?.image();
    let pictures = pairs.iter().map(|(picture, _)| Ok(small(picture)?));
    let masks = pairs.iter().map(|(_, mask)| Ok(small(&mask.colored()?)?));
    Ok(ImageGrid::new(pairs.len(), pictures.chain(masks).collect::<anyhow::Result<Vec<_>>>()?).scale(1))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the pictures and their masks")?;
    let set = nb.load::<SegmentationSet>()?;
    nb.say(format!("{} training and {} validation pictures", set.train.len(), set.validation.len()))?;
    let first = (0..5).map(|index| set.train.pair(index)).collect::<Result<Vec<_>, _>>()?;
    let alt = "Five photographs, and below each the outlines of what is on it, filled with the color of its class";
    nb.figure("masks", alt, pairs(&first, 120)?)?;

    nb.cell("Colors and classes")?;
    for (name, color) in CLASSES.iter().zip(COLORS).take(4) {
        nb.say(format!("{color:?} {name}"))?;
    }

    nb.cell("Which class each pixel has")?;
    let (picture, mask) = &first[0];
    let classes = mask.classes();
    let mut table = Table::new(["class", "pixels"]);
    for (class, name) in (0..).zip(CLASSES) {
        let count = classes.iter().filter(|&&other| other == class).count();
        if count > 0 {
            table.row([name.to_string(), format!("{:.1} %", 100.0 * count as f64 / classes.len() as f64)]);
        }
    }
    nb.say(table)?;
    // A part of the mask at the upper edge of the first thing on it.
    let thing = classes.iter().position(|&class| class > 0).unwrap_or(0);
    let (top, left) = (thing / mask.width(), thing % mask.width());
    let (top, left) = (top.saturating_sub(3).min(mask.height() - 8), left.saturating_sub(5).min(mask.width() - 10));
    for row in mask.cropped(left, top, 10, 8).classes().chunks(10) {
        nb.say(row.iter().map(|class| format!("{class:>2}")).collect::<Vec<_>>().join(" "))?;
    }

    nb.cell("Data preprocessing")?;
    let crop = (config.crop_height.min(200).min(picture.height()), config.crop_width.min(300).min(picture.width()));
    let draw = |seed| random_crop((picture, mask), crop, &mut ChaCha8Rng::seed_from_u64(seed));
    let alt = "Five parts of one photograph at random places, and the same parts of its mask";
    nb.figure("crops", alt, pairs(&(0..5).map(draw).collect::<Vec<_>>(), 100)?)?;

    nb.cell("Reading the dataset")?;
    let crop = (config.crop_height, config.crop_width);
    let counts = [set.train.len(), set.validation.len()];
    let (mut train, validation) = set.loaders(config.batch_size, crop, Normalization::IMAGENET, nb)?;
    for (part, (count, fit)) in
        ["training", "validation"].iter().zip(counts.iter().zip([train.examples(), validation.examples()]))
    {
        nb.say(format!("{fit} of {count} {part} pictures are large enough for {} x {} pixels", crop.0, crop.1))?;
    }
    nb.metric("left_out", (counts[0] - train.examples()) as f64)?;

    nb.cell("A minibatch")?;
    if let Some(batch) = train.epoch().next() {
        let (x, y) = batch?;
        nb.show("pictures", format!("{:?} of {:?}", x.dims(), x.dtype()))?;
        nb.show("classes", format!("{:?} of {:?}", y.dims(), y.dtype()))?;
        let background = y.eq(0u32)?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        nb.show("share of background", format!("{background:.2}"))?;
    }
    Ok(())
}
