//! 13.7 Single Shot Multibox Detection
//!
//! A net that says of 5,444 anchor boxes at five scales, all at once, what is in each and where exactly.
//!
//! `cargo run --release -p vision -- ssd` trains on 500 pictures in some minutes, to a class error and a box error below
//! 0.001, and then finds the thing on nearly every picture that it never saw.

use d2l::nn::{BatchNorm, Conv2d, MaxPool2d};
use d2l::notebook::within;
use d2l::ops::{BatchNormConfig, Conv2dConfig, Pool2dConfig, adaptive_max_pool2d, concat, flatten_from, relu};
use d2l::ops::{l1_loss, softmax};
use d2l::plot::ImageGrid;
use d2l::prelude::*;

use crate::anchors::{GroundTruth, Targets, multibox_prior, multibox_target};
use crate::average_precision::average_precision;
use crate::book_pictures::Bananas;
use crate::detection::{Detection, multibox_detection};
use crate::detection_set::{BoxedPictures, DetectionSet};
use crate::picture::Picture;
use crate::sections::bounding_box::Corners;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.2, value_parser = positive)]
    pub lr: f64,
    /// Momentum
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub momentum: f64,
    /// Weight decay
    #[arg(long, default_value_t = 5e-4, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Anchors of background that count for each one that stands for a thing; 0 for all, as in the book
    #[arg(long, default_value_t = 0, value_parser = within::<0, 1000>)]
    pub hard_negatives: usize,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
    /// Side that pictures are brought to
    #[arg(long, default_value_t = 256, value_parser = within::<64, 512>)]
    pub side: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { batch_size: 8, lr: 0.05, hard_negatives: 3, num_epochs: 10, side: 128 }
    Smoke { batch_size: 8, lr: 0.05, hard_negatives: 3, num_epochs: 2, side: 64 }
}

/// A 3×3 convolution whose output is as large as its input.
pub fn same_size(inputs: usize, outputs: usize) -> impl Fn(&VarBuilder) -> Result<Conv2d> {
    let padded = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    move |vb| Conv2d::new(inputs, outputs, (3, 3), padded, vb)
}

/// Scores of each class and of background for each anchor of each cell.
#[doc(alias = "cls_predictor")]
pub fn class_predictor(inputs: usize, anchors: usize, classes: usize, vb: &VarBuilder) -> Result<Conv2d> {
    same_size(inputs, anchors * (classes + 1))(vb)
}

/// Four offsets for each anchor of each cell.
#[doc(alias = "bbox_predictor")]
pub fn box_predictor(inputs: usize, anchors: usize, vb: &VarBuilder) -> Result<Conv2d> {
    same_size(inputs, anchors * 4)(vb)
}

/// Predictions `(batch, channels, height, width)` of several scales side by side, cell by cell: `(batch, numbers)`.
#[doc(alias = "flatten_pred")]
#[doc(alias = "concat_preds")]
pub fn concat_predictions(scales: &[Tensor]) -> Result<Tensor> {
    let flat = scales.iter().map(|scale| flatten_from(&scale.permute((0, 2, 3, 1))?.contiguous()?, 1));
    concat(&flat.collect::<Result<Vec<_>>>()?, 1)
}

/// Two convolutions, each normalized, and a pooling that halves height and width.
#[doc(alias = "down_sample_blk")]
pub fn down_sample_block(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Sequential> {
    let norm = |vb: &VarBuilder| BatchNorm::new(outputs, BatchNormConfig::default(), vb);
    Ok(Sequential::with_parameters(vb)
        .layer("conv1", same_size(inputs, outputs))?
        .layer("norm1", norm)?
        .add(relu)
        .layer("conv2", same_size(outputs, outputs))?
        .layer("norm2", norm)?
        .add(relu)
        .add(MaxPool2d(Pool2dConfig::new((2, 2)))))
}

/// Three blocks: `(batch, 3, height, width)` to `(batch, 64, height / 8, width / 8)`.
pub fn base_net(vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .layer("block1", |vb| down_sample_block(3, 16, vb))?
        .layer("block2", |vb| down_sample_block(16, 32, vb))?
        .layer("block3", |vb| down_sample_block(32, 64, vb))
}

/// Scales at which things are looked for.
pub const SCALES: usize = 5;
/// The ratios of width to height at every scale.
pub const RATIOS: [f32; 3] = [1.0, 2.0, 0.5];
/// Anchors of a cell.
pub const ANCHORS: usize = 2 + RATIOS.len() - 1;

/// Two sizes of anchors for each scale, from the finest to the coarsest: one, and its geometric mean with the next scale's.
/// They rise evenly from `smallest` to 0.88; the book's begin with 0.2.
pub fn anchor_sizes(smallest: f32) -> [[f32; 2]; SCALES] {
    let rise = (0.88 - smallest) / (SCALES - 1) as f32;
    let size = |scale: usize| smallest + rise * scale as f32;
    std::array::from_fn(|scale| [size(scale), (size(scale) * size(scale + 1)).sqrt()])
}

/// A detector with five scales.
pub struct TinySsd {
    /// What leads from each scale to the next; the last pools everything into one cell.
    blocks: Vec<Sequential>,
    class_predictors: Vec<Conv2d>,
    box_predictors: Vec<Conv2d>,
    classes: usize,
    sizes: [[f32; 2]; SCALES],
}

/// What the net says of a minibatch.
pub struct Predictions {
    /// Of every picture alike.
    pub anchors: Vec<Corners>,
    /// Scores `(batch, anchors, classes + 1)`, of background first.
    pub scores: Tensor,
    /// `(batch, anchors * 4)`.
    pub offsets: Tensor,
}

impl TinySsd {
    /// A net for so many classes of things, whose smallest anchors have this size.
    pub fn new(classes: usize, smallest: f32, vb: &VarBuilder) -> Result<Self> {
        let pooled = |x: &Tensor| adaptive_max_pool2d(x, (1, 1));
        let blocks = vec![
            base_net(&vb.pp("block0"))?,                    // (batch, 64, 32, 32)
            down_sample_block(64, 128, &vb.pp("block1"))?,  // (batch, 128, 16, 16)
            down_sample_block(128, 128, &vb.pp("block2"))?, // (batch, 128, 8, 8)
            down_sample_block(128, 128, &vb.pp("block3"))?, // (batch, 128, 4, 4)
            Sequential::new().add(pooled),                  // (batch, 128, 1, 1)
        ];
        let channels = [64, 128, 128, 128, 128].into_iter().enumerate();
        let (mut class_predictors, mut box_predictors) = (Vec::new(), Vec::new());
        for (scale, inputs) in channels {
            class_predictors.push(class_predictor(inputs, ANCHORS, classes, &vb.pp(format!("classes{scale}")))?);
            box_predictors.push(box_predictor(inputs, ANCHORS, &vb.pp(format!("boxes{scale}")))?);
        }
        Ok(Self { blocks, class_predictors, box_predictors, classes, sizes: anchor_sizes(smallest) })
    }

    /// Pictures `(batch, 3, height, width)` to anchors and what is said of them.
    pub fn forward_t(&self, pictures: &Tensor, train: bool) -> Result<Predictions> {
        let (mut anchors, mut scores, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        let mut x = pictures.clone();
        for (scale, block) in self.blocks.iter().enumerate() {
            x = block.forward_t(&x, train)?;
            let (_, _, height, width) = x.dims4()?;
            anchors.extend(multibox_prior(height, width, &self.sizes[scale], &RATIOS));
            scores.push(self.class_predictors[scale].forward(&x)?);
            offsets.push(self.box_predictors[scale].forward(&x)?);
        }
        let scores = concat_predictions(&scores)?.reshape((pictures.dim(0)?, anchors.len(), self.classes + 1))?;
        Ok(Predictions { anchors, scores, offsets: concat_predictions(&offsets)? })
    }
}

/// The cross-entropy of the classes and the absolute error of the offsets, each the mean over all anchors; the masks leave
/// background's offsets out.
#[doc(alias = "calc_loss")]
pub fn ssd_loss(predictions: &Predictions, targets: &Targets) -> Result<Tensor> {
    let classes = predictions.scores.dim(D::Minus1)?;
    let scores = predictions.scores.reshape(((), classes))?; // (batch * anchors, classes + 1)
    let classes = cross_entropy(&scores, &targets.classes.flatten_all()?, Reduction::Mean)?;
    let offsets = l1_loss(&(&predictions.offsets * &targets.masks)?, &targets.offsets, Reduction::Mean)?;
    classes + offsets
}

/// [`ssd_loss`] as the net's authors have it (Liu et al., 2016), which learns small things sooner: the anchors that stand for
/// things, and for each of them the `negatives` anchors of background that are most mistaken, all divided by the number of
/// the first. Without it, background's thousands of anchors outweigh the few others.
pub fn mined_loss(predictions: &Predictions, targets: &Targets, negatives: usize) -> Result<Tensor> {
    let (batch, anchors, classes) = predictions.scores.dims3()?;
    let scores = predictions.scores.reshape((batch * anchors, classes))?;
    let losses = cross_entropy(&scores, &targets.classes.flatten_all()?, Reduction::None)?; // (batch * anchors)
    let (values, labels) = (losses.detach().to_vec1::<f32>()?, targets.classes.flatten_all()?.to_vec1::<u32>()?);
    let mut taken = vec![0f32; batch * anchors];
    let mut matched = 0;
    for picture in 0..batch {
        let places = picture * anchors..(picture + 1) * anchors;
        let (things, mut background): (Vec<usize>, Vec<usize>) = places.partition(|&place| labels[place] > 0);
        background.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        background.truncate(negatives * things.len().max(1));
        matched += things.len();
        things.iter().chain(&background).for_each(|&place| taken[place] = 1.0);
    }
    let matched = matched.max(1) as f64;
    let classes =
        ((losses * Tensor::from_vec(taken, batch * anchors, predictions.scores.device())?)?.sum_all()? / matched)?;
    let offsets = l1_loss(&(&predictions.offsets * &targets.masks)?, &targets.offsets, Reduction::Sum)?;
    classes + (offsets / (4.0 * matched))?
}

/// How many anchors have the right class.
#[doc(alias = "cls_eval")]
pub fn count_right_classes(predictions: &Predictions, targets: &Targets) -> Result<f64> {
    let right = predictions.scores.detach().argmax(D::Minus1)?.eq(&targets.classes)?;
    right.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>().map(f64::from)
}

/// The sum of the absolute errors of the offsets.
#[doc(alias = "bbox_eval")]
pub fn absolute_error(predictions: &Predictions, targets: &Targets) -> Result<f64> {
    let offsets = (predictions.offsets.detach() * &targets.masks)?;
    l1_loss(&offsets, &targets.offsets, Reduction::Sum)?.to_scalar::<f32>().map(f64::from)
}

/// Trains by minibatch gradient descent. The history has `train_loss`, `class_err`, the share of anchors of the wrong class,
/// and `bbox_mae`, the mean absolute error of the offsets.
pub fn train(
    trainer: Trainer<'_>,
    net: &TinySsd,
    pictures: &mut Loader<BoxedPictures>,
    optimizer: &mut Sgd,
    hard_negatives: usize,
) -> anyhow::Result<History> {
    let history = trainer.with(&*optimizer).run(pictures, |step, (x, truths)| {
        let predictions = net.forward_t(&x, true)?;
        let targets = multibox_target(&predictions.anchors, &truths, x.device())?;
        let loss = match hard_negatives {
            0 => ssd_loss(&predictions, &targets)?,
            negatives => mined_loss(&predictions, &targets, negatives)?,
        };
        optimizer.minimize(&loss)?;
        let (anchors, numbers) = (targets.classes.elem_count() as f64, targets.offsets.elem_count() as f64);
        step.metric("class_err", anchors - count_right_classes(&predictions, &targets)?, anchors)?;
        step.metric("bbox_mae", absolute_error(&predictions, &targets)?, numbers)?;
        step.loss(&loss, truths.len())
    })?;
    Ok(history)
}

/// The IoU above which one of two boxes stands for both.
pub const OVERLAP: f32 = 0.5;

/// The things on pictures `(batch, 3, height, width)`, background left out, the surest first.
#[doc(alias = "predict")]
pub fn detect(net: &TinySsd, pictures: &Tensor) -> Result<Vec<Vec<Detection>>> {
    let Predictions { anchors, scores, offsets } = net.forward_t(pictures, false)?;
    let probabilities = softmax(&scores.detach(), D::Minus1)?.transpose(1, 2)?; // (batch, classes + 1, anchors)
    let mut detections = multibox_detection(&probabilities, &offsets.detach(), &anchors, OVERLAP)?;
    detections.iter_mut().for_each(|picture| picture.retain(|detection| detection.class.is_some()));
    Ok(detections)
}

/// The average precision of what the net finds on pictures, with all that is on them.
pub fn precision_on(
    pictures: &mut Loader<BoxedPictures>,
    detect: impl Fn(&Tensor) -> Result<Vec<Vec<Detection>>>,
) -> Result<f64> {
    let (mut detections, mut truths): (Vec<_>, Vec<Vec<GroundTruth>>) = (Vec::new(), Vec::new());
    for batch in pictures.epoch() {
        let (x, things) = batch?;
        detections.extend(detect(&x)?);
        truths.extend(things);
    }
    Ok(average_precision(&detections, &truths, 0, 0.5))
}

/// A picture with the detections above a confidence.
pub fn with_detections(picture: &Picture, detections: &[Detection], least: f32) -> Vec<d2l::plot::Marking> {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let sure = detections.iter().filter(|detection| detection.confidence >= least);
    sure.map(|found| found.corners.scaled(width, height).marked(1, format!("{:.2}", found.confidence))).collect()
}

/// The absolute error, but its square where that is small: `(σx)² / 2` below `1 / σ²`, else `|x| - 0.5 / σ²`.
pub fn smooth_l1(x: f32, sigma: f32) -> f32 {
    let sharpness = sigma * sigma;
    if x.abs() < 1.0 / sharpness { sharpness * x * x / 2.0 } else { x.abs() - 0.5 / sharpness }
}

/// The cross-entropy, less for what is nearly right: `-(1 - p)^γ log p`.
pub fn focal_loss(probability: f32, gamma: f32) -> f32 {
    -(1.0 - probability).powf(gamma) * probability.ln()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Class prediction layer")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let (fine, coarse) = (nb.normal((2, 8, 20, 20))?, nb.normal((2, 16, 10, 10))?);
    let fine = class_predictor(8, 5, 10, &vb.pp("fine"))?.forward(&fine)?;
    let coarse = class_predictor(16, 3, 10, &vb.pp("coarse"))?.forward(&coarse)?;
    nb.say(format!("{:?} and {:?}", fine.dims(), coarse.dims()))?;

    nb.cell("Concatenating predictions for multiple scales")?;
    nb.say(format!("{:?}", concat_predictions(&[fine, coarse])?.dims()))?;

    nb.cell("Downsampling block")?;
    let x = nb.normal((2, 3, 20, 20))?;
    nb.say(format!("{:?}", down_sample_block(3, 10, &vb.pp("block"))?.forward_t(&x, true)?.dims()))?;

    nb.cell("Base network block")?;
    let x = nb.normal((2, 3, 256, 256))?;
    nb.say(format!("{:?}", base_net(&vb.pp("base"))?.forward_t(&x, true)?.dims()))?;

    nb.cell("The complete model")?;
    let parameters = nb.parameters();
    let net = TinySsd::new(1, 0.2, &parameters.builder())?;
    let said = net.forward_t(&x, false)?;
    nb.show("anchors", said.anchors.len())?;
    nb.say(format!("scores {:?}, offsets {:?}", said.scores.dims(), said.offsets.dims()))?;
    nb.metric("anchors", said.anchors.len() as f64)?;
    nb.show("parameters", parameters.count())?;

    nb.cell("Reading the dataset and initializing the model")?;
    let mut set = nb.load::<DetectionSet>()?;
    let DetectionSet { name, smallest, .. } = set;
    (set.train, set.validation) = (set.train.resized(config.side)?, set.validation.resized(config.side)?);
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let (mut pictures, mut unseen) = set.loaders(config.batch_size, shuffle, nb.device())?;
    nb.say(format!("{} pictures to train on, {} others", pictures.examples(), unseen.examples()))?;
    let parameters = nb.parameters();
    let net = TinySsd::new(1, smallest, &parameters.builder())?;
    nb.say(format!("anchors of sizes from {smallest} on"))?;
    let mut optimizer = Sgd::new(&parameters, config.lr).momentum(config.momentum).weight_decay(config.weight_decay);

    nb.cell("Training the model")?;
    let trainer = nb.trainer(config.num_epochs).with(&parameters);
    let history = train(trainer, &net, &mut pictures, &mut optimizer, config.hard_negatives)?;
    nb.training(&history)?;

    nb.cell("Prediction")?;
    let precision = precision_on(&mut unseen, |pictures| detect(&net, pictures))?;
    nb.show("average precision on pictures that it never saw", format!("{precision:.3}"))?;
    nb.metric("average_precision", precision)?;
    let shown: Vec<usize> = (0..unseen.examples().min(6)).collect();
    let (x, _) = unseen.dataset().batch(&shown, nb.device())?;
    let shown: Vec<Picture> = shown.into_iter().map(|index| unseen.dataset().picture(index).clone()).collect();
    let found = detect(&net, &x)?;
    let boxes: Vec<_> = shown.iter().zip(&found).map(|(picture, found)| with_detections(picture, found, 0.5)).collect();
    let images = shown.iter().map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    let alt = format!("Six photographs with a red box around each {name} that was found, and how sure the net is");
    nb.figure("detections", &alt, ImageGrid::new(3, images).scale(1).boxes(boxes))?;
    if name == "banana" {
        let Bananas(picture) = nb.load()?;
        let x = picture.resized(config.side, config.side)?.tensor(nb.device())?.unsqueeze(0)?; // (1, 3, side, side)
        let boxes = with_detections(&picture, &detect(&net, &x)?[0], 0.9);
        let alt = "A photograph of bananas with a red box around each that was found";
        nb.figure("bananas", alt, ImageGrid::new(1, [picture.image()?]).scale(1).boxes([boxes]))?;
    }

    nb.cell("Losses for boxes")?;
    let x: Vec<f32> = (-20..=20).map(|step| step as f32 / 10.0).collect();
    let mut chart = Chart::new().x_label("error").y_label("loss");
    for sigma in [10.0, 1.0, 0.5] {
        let losses: Vec<f32> = x.iter().map(|&x| smooth_l1(x, sigma)).collect();
        chart = chart.line(format!("σ = {sigma}"), &x, &losses);
    }
    nb.figure("smooth-l1", "The smooth absolute loss for three values of sigma, rounder the smaller it is", chart)?;

    nb.cell("Losses for classes")?;
    let x: Vec<f32> = (1..100).map(|step| step as f32 / 100.0).collect();
    let mut chart = Chart::new().x_label("probability of the right class").y_label("loss");
    for gamma in [0.0, 1.0, 5.0] {
        let losses: Vec<f32> = x.iter().map(|&x| focal_loss(x, gamma)).collect();
        chart = chart.line(format!("γ = {gamma}"), &x, &losses);
    }
    nb.figure("focal-loss", "The focal loss by the probability of the right class for three values of gamma", chart)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source as _;

    use super::*;

    #[test]
    fn sizes_and_anchors_are_the_books() -> Result<()> {
        let expected = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]];
        for (found, expected) in anchor_sizes(0.2).iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 5e-4, "{found} instead of {expected}");
        }
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = TinySsd::new(1, 0.2, &parameters.builder())?;
        let said = net.forward_t(&Tensor::zeros((1, 3, 256, 256), DType::F32, &Device::Cpu)?, false)?;
        assert_eq!((said.scores.dims(), said.offsets.dims()), (&[1, 5444, 2][..], &[1, 21_776][..]));
        assert_eq!(said.anchors.len(), 5444);
        Ok(())
    }

    #[test]
    fn predictions_stand_cell_by_cell() -> Result<()> {
        let scale = Tensor::arange(0f32, 8.0, &Device::Cpu)?.reshape((1, 2, 2, 2))?;
        let other = Tensor::new(&[[[[100f32]], [[200.0]]]], &Device::Cpu)?;
        let flat = concat_predictions(&[scale, other])?;
        assert_eq!(flat.to_vec2::<f32>()?, [[0., 4., 1., 5., 2., 6., 3., 7., 100., 200.]]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<(), Box<dyn std::error::Error>> {
        let set = DetectionSet::sample()?.validation.resized(64)?;
        let (x, truths) = set.batch(&[0, 1, 2, 3], &Device::Cpu)?;
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = TinySsd::new(1, 0.2, &parameters.builder())?;
        let said = net.forward_t(&x, true)?;
        let targets = multibox_target(&said.anchors, &truths, &Device::Cpu)?;
        // The bias of a convolution before batch normalization changes nothing but by rounding; and no thing is so
        // large that anchors of the coarsest scales stand for it, whose offsets then have nothing to learn.
        d2l_testing::gradients::reach_all(&parameters, &ssd_loss(&said, &targets)?, |name| {
            name.contains("conv") && name.ends_with("bias") || name.starts_with("boxes")
        })?;
        Ok(())
    }

    #[test]
    fn losses_of_single_errors() {
        assert_eq!([smooth_l1(0.5, 1.0), smooth_l1(-2.0, 1.0), smooth_l1(1.0, 10.0)], [0.125, 1.5, 0.995]);
        assert_eq!(focal_loss(0.5, 0.0), -(0.5f32.ln()));
        assert!(focal_loss(0.9, 5.0) < 1e-4 * focal_loss(0.9, 0.0));
    }
}
