//! 13.6 The Object Detection Dataset
//!
//! Photographs with one figure pasted on each, and where it is: small enough to train a detector on in minutes.
//!
//! `cargo run --release -p vision -- object-detection-dataset` takes a few seconds and shows ten of them.

use d2l::plot::ImageGrid;
use d2l::prelude::*;

use crate::detection_set::DetectionSet;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
}

defaults! { Config: Smoke { batch_size: 10 } }

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading the dataset")?;
    let set = nb.load::<DetectionSet>()?;
    nb.say(format!("each picture has a {}", set.name))?;

    nb.cell("Reading the dataset")?;
    let (examples, others) = (set.train.len(), set.validation.len());
    nb.say(format!("{examples} training and {others} validation pictures"))?;
    nb.metric("training_pictures", examples as f64)?;

    nb.cell("A minibatch")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let (mut train, _) = set.loaders(config.batch_size, shuffle, nb.device())?;
    if let Some(batch) = train.epoch().next() {
        let (pictures, truths) = batch?;
        nb.show("pictures", format!("{:?}", pictures.dims()))?;
        nb.show("the first label", format!("{:?}", truths[0]))?;
    }

    nb.cell("Demonstration")?;
    let set = train.dataset();
    let shown = 0..set.len().min(10);
    let small = shown.clone().map(|index| set.picture(index).resized(136, 136)).collect::<Result<Vec<_>>>()?;
    let boxes =
        shown.map(|index| set.truths()[index].iter().map(|truth| truth.corners.scaled(136.0, 136.0).marked(1, "")));
    let boxes: Vec<Vec<_>> = boxes.map(Iterator::collect).collect();
    let images = small.iter().map(crate::picture::Picture::image).collect::<Result<Vec<_>, _>>()?;
    let grid = ImageGrid::new(5, images).scale(1).boxes(boxes);
    nb.figure("ten-pictures", "Ten photographs, on each a figure with a red box around it", grid)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;

    use super::*;

    #[test]
    fn an_epoch_has_every_picture_with_its_own_boxes() -> Result<(), Box<dyn std::error::Error>> {
        let set = DetectionSet::sample()?;
        let mut expected: Vec<_> = set.train.truths().iter().map(|truths| truths[0].corners.to_array()).collect();
        let stream = Random::new(3).stream(Purpose::Shuffling, "pictures");
        let (mut train, _) = set.loaders(7, stream, &Device::Cpu)?;
        let mut found = Vec::new();
        for batch in train.epoch() {
            let (pictures, truths) = batch?;
            assert_eq!(pictures.dim(0)?, truths.len());
            found.extend(truths.iter().map(|truths| truths[0].corners.to_array()));
        }
        assert_ne!(found, expected, "not shuffled");
        let by_place = |a: &[f32; 4], b: &[f32; 4]| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]));
        found.sort_by(by_place);
        expected.sort_by(by_place);
        assert_eq!(found, expected);
        Ok(())
    }
}
