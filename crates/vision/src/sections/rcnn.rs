//! 13.8 Region-based CNNs (R-CNNs)
//!
//! Parts of a feature map brought to one size, and a detector that proposes regions first and looks into them then.
//!
//! `cargo run --release -p vision -- rcnn` trains that detector and section 13.7's on the same pictures in some minutes.

use d2l::notebook::within;
use d2l::plot::ImageGrid;
use d2l::prelude::*;

use crate::detection_set::{BoxedPictures, DetectionSet};
use crate::picture::Picture;
use crate::region_pooling::{Region, roi_align, roi_pool};
use crate::sections::bounding_box::Corners;
use crate::sections::ssd::{self, TinySsd, precision_on, with_detections};
use crate::two_stages::{NEGATIVES, TwoStages};

/// Settings of both detectors.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.05, value_parser = positive)]
    pub lr: f64,
    /// Momentum
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub momentum: f64,
    /// Weight decay
    #[arg(long, default_value_t = 5e-4, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
    /// Side that pictures are brought to
    #[arg(long, default_value_t = 256, value_parser = within::<64, 512>)]
    pub side: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { num_epochs: 8, side: 128 }
    Smoke { batch_size: 8, num_epochs: 1, side: 64 }
}

/// Two regions, of which each cell of a map of 4 by 4 stands for ten pixels.
const REGIONS: [Region; 2] = [
    Region { picture: 0, corners: Corners::new(0.0, 0.0, 20.0, 20.0) },
    Region { picture: 0, corners: Corners::new(0.0, 10.0, 30.0, 30.0) },
];

/// Trains the detector of two stages by minibatch gradient descent.
pub fn train(
    trainer: Trainer<'_>,
    net: &TwoStages,
    pictures: &mut Loader<BoxedPictures>,
    optimizer: &mut Sgd,
) -> anyhow::Result<History> {
    let history = trainer.with(&*optimizer).run(pictures, |step, (x, truths)| {
        let loss = net.loss(&x, &truths)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, truths.len())
    })?;
    Ok(history)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A feature map")?;
    let x = Tensor::arange(0f32, 16.0, nb.device())?.reshape((1, 1, 4, 4))?;
    nb.show("X", &x)?;

    nb.cell("Region of interest pooling")?;
    nb.show("two regions as 2 x 2", roi_pool(&x, &REGIONS, (2, 2), 0.1)?)?;

    nb.cell("What the pooling passes back")?;
    let variable = Var::from_tensor(&x)?;
    let pooled = roi_pool(&variable, &REGIONS, (2, 2), 0.1)?;
    nb.show("gradient of the sum", backward(&pooled.sum_all()?)?.get(&variable)?)?;

    nb.cell("Region of interest alignment")?;
    nb.show("two regions as 2 x 2", roi_align(&x, &REGIONS, (2, 2), 0.1, 2)?)?;
    let shifted = REGIONS.map(|Region { picture, corners }| {
        let Corners { left, top, right, bottom } = corners;
        Region { picture, corners: Corners::new(left + 4.0, top, right + 4.0, bottom) }
    });
    let moved = |a: Tensor, b: Tensor| (a - b)?.abs()?.max_all()?.to_scalar::<f32>();
    let by_pooling = moved(roi_pool(&x, &shifted, (2, 2), 0.1)?, roi_pool(&x, &REGIONS, (2, 2), 0.1)?)?;
    let by_alignment = moved(roi_align(&x, &shifted, (2, 2), 0.1, 2)?, roi_align(&x, &REGIONS, (2, 2), 0.1, 2)?)?;
    nb.say(format!("regions 4 pixels further right: pooled {by_pooling:.2}, aligned {by_alignment:.2} different"))?;

    nb.cell("Two stages")?;
    let mut set = nb.load::<DetectionSet>()?;
    let DetectionSet { name, smallest, .. } = set;
    (set.train, set.validation) = (set.train.resized(config.side)?, set.validation.resized(config.side)?);
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let (mut pictures, mut unseen) = set.loaders(config.batch_size, shuffle, nb.device())?;
    let two_stages = nb.parameters();
    let net = TwoStages::new(1, smallest, &two_stages.builder())?;
    nb.show("parameters", two_stages.count())?;
    let mut optimizer = Sgd::new(&two_stages, config.lr).momentum(config.momentum).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named("two-stages").with(&two_stages);
    let history = train(trainer, &net, &mut pictures, &mut optimizer)?;
    nb.training_of("two-stages", &history)?;
    let precision = precision_on(&mut unseen, |pictures| net.detect(pictures))?;
    nb.metric("average_precision_two-stages", precision)?;

    nb.cell("One stage")?;
    let one_stage = nb.parameters();
    let ssd = TinySsd::new(1, smallest, &one_stage.builder())?;
    let mut optimizer = Sgd::new(&one_stage, config.lr).momentum(config.momentum).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named("one-stage").with(&one_stage);
    let history = ssd::train(trainer, &ssd, &mut pictures, &mut optimizer, NEGATIVES)?;
    nb.training_of("one-stage", &history)?;
    let of_one = precision_on(&mut unseen, |pictures| ssd::detect(&ssd, pictures))?;
    nb.metric("average_precision_one-stage", of_one)?;

    nb.cell("Side by side")?;
    let mut table = Table::new(["detector", "parameters", "average precision"]);
    table.row(["two stages".to_string(), two_stages.count().to_string(), format!("{precision:.3}")]);
    table.row(["one stage".to_string(), one_stage.count().to_string(), format!("{of_one:.3}")]);
    nb.say(table)?;
    let shown: Vec<usize> = (0..unseen.examples().min(3)).collect();
    let (x, _) = unseen.dataset().batch(&shown, nb.device())?;
    let shown: Vec<Picture> = shown.into_iter().map(|index| unseen.dataset().picture(index).clone()).collect();
    let images = shown.iter().chain(&shown).map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    let found = net.detect(&x)?.into_iter().chain(ssd::detect(&ssd, &x)?);
    let boxes: Vec<_> =
        found.zip(shown.iter().chain(&shown)).map(|(found, on)| with_detections(on, &found, 0.5)).collect();
    let alt = format!("Three photographs with the {name} that two stages found, and below that one stage found");
    nb.figure("detections", &alt, ImageGrid::new(3, images).scale(1).boxes(boxes))
}

#[cfg(test)]
mod tests {
    use d2l::data::Source as _;

    use super::*;

    #[test]
    fn the_books_regions() -> Result<()> {
        let x = Tensor::arange(0f32, 16.0, &Device::Cpu)?.reshape((1, 1, 4, 4))?;
        let pooled = roi_pool(&x, &REGIONS, (2, 2), 0.1)?;
        assert_eq!(pooled.flatten_all()?.to_vec1::<f32>()?, [5.0, 6.0, 9.0, 10.0, 9.0, 11.0, 13.0, 15.0]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<(), Box<dyn std::error::Error>> {
        let set = DetectionSet::sample()?.validation.resized(64)?;
        let (x, truths) = set.batch(&[0, 1, 2], &Device::Cpu)?;
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = TwoStages::new(1, 0.2, &parameters.builder())?;
        // The bias of a convolution before batch normalization changes nothing but by rounding.
        d2l_testing::gradients::reach_all(&parameters, &net.loss(&x, &truths)?, |name| {
            name.contains("conv") && name.ends_with("bias")
        })?;
        Ok(())
    }
}
