//! A detector in two stages: a net that proposes regions, and one that looks into each of them (section 13.8).

use d2l::nn::{BatchNorm, Conv2d, Linear};
use d2l::ops::{BatchNormConfig, Conv2dConfig, flatten_from, l1_loss, relu, softmax};
use d2l::prelude::*;

use crate::anchors::{GroundTruth, Label, Targets, label, multibox_prior, multibox_target, offset_inverse};
use crate::detection::{Detection, multibox_detection, nms};
use crate::region_pooling::{Region, roi_align};
use crate::sections::bounding_box::Corners;
use crate::sections::ssd::{OVERLAP, Predictions, RATIOS, base_net, concat_predictions, mined_loss, same_size};

/// The sizes of the anchors around each cell, from which regions are proposed, as multiples of the smallest that suits the
/// things.
const SIZES: [f32; 3] = [1.2, 2.0, 3.5];
/// Anchors of a cell.
const ANCHORS: usize = SIZES.len() + RATIOS.len() - 1;
/// So many of a picture's surest anchors are chosen from: suppression takes the square of their number in time.
const SUREST: usize = 200;
/// The regions of a picture that are looked into.
const PROPOSALS: usize = 8;
/// Rows and columns that a region is brought to.
const POOLED: usize = 5;
/// Of two proposals that overlap more, the surer one is kept.
const PROPOSAL_OVERLAP: f32 = 0.7;
/// Channels of the feature map.
const CHANNELS: usize = 128;
/// Anchors of background that count for each one that stands for a thing.
pub const NEGATIVES: usize = 3;
/// Units of the second stage's hidden layer.
const HIDDEN: usize = 128;

/// Faster R-CNN (Ren et al., 2015), small.
pub struct TwoStages {
    features: Sequential,
    proposals: RegionProposal,
    head: RegionHead,
}

/// The first stage: is there a thing at this anchor, whatever its class, and where exactly?
struct RegionProposal {
    around: Conv2d,
    scores: Conv2d,
    offsets: Conv2d,
    sizes: [f32; SIZES.len()],
}

/// The second stage: of what class is the thing in this region, and where exactly?
struct RegionHead {
    hidden: Linear,
    scores: Linear,
    offsets: Linear,
}

impl RegionProposal {
    fn new(smallest: f32, vb: &VarBuilder) -> Result<Self> {
        let pointwise =
            |outputs, name: &str| Conv2d::new(CHANNELS, outputs, (1, 1), Conv2dConfig::default(), &vb.pp(name));
        Ok(Self {
            around: same_size(CHANNELS, CHANNELS)(&vb.pp("around"))?,
            scores: pointwise(2 * ANCHORS, "scores")?,
            offsets: pointwise(4 * ANCHORS, "offsets")?,
            sizes: SIZES.map(|size| size * smallest),
        })
    }

    /// Feature maps `(batch, channels, rows, columns)` to what is said of each anchor.
    fn forward(&self, features: &Tensor) -> Result<Predictions> {
        let (batch, _, rows, columns) = features.dims4()?;
        let anchors = multibox_prior(rows, columns, &self.sizes, &RATIOS);
        let around = relu(&self.around.forward(features)?)?;
        let scores = concat_predictions(&[self.scores.forward(&around)?])?.reshape((batch, anchors.len(), 2))?;
        Ok(Predictions { anchors, scores, offsets: concat_predictions(&[self.offsets.forward(&around)?])? })
    }
}

/// The regions of each picture that most likely have a thing, at most [`PROPOSALS`] of them, in shares of the picture. No
/// gradient goes through their places.
fn propose(said: &Predictions) -> Result<Vec<Vec<Corners>>> {
    let likely = softmax(&said.scores.detach(), D::Minus1)?.i((.., .., 1))?.contiguous()?.to_vec2::<f32>()?;
    let offsets = said.offsets.detach().to_vec2::<f32>()?;
    let of_picture = |(scores, offsets): (&Vec<f32>, &Vec<f32>)| {
        let boxes = said.anchors.iter().zip(offsets.as_chunks::<4>().0);
        let boxes: Vec<Corners> = boxes.map(|(&anchor, &offset)| on_picture(offset_inverse(anchor, offset))).collect();
        let mut order: Vec<usize> = (0..boxes.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order.truncate(SUREST);
        let surest: Vec<Corners> = order.iter().map(|&place| boxes[place]).collect();
        let sure: Vec<f32> = order.iter().map(|&place| scores[place]).collect();
        nms(&surest, &sure, PROPOSAL_OVERLAP).into_iter().take(PROPOSALS).map(|place| surest[place]).collect()
    };
    Ok(likely.iter().zip(&offsets).map(of_picture).collect())
}

/// The part of a box that is on the picture.
fn on_picture(corners: Corners) -> Corners {
    let [left, top, right, bottom] = corners.to_array().map(|corner| corner.clamp(0.0, 1.0));
    Corners { left, top, right, bottom }
}

impl RegionHead {
    fn new(classes: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            hidden: Linear::new(CHANNELS * POOLED * POOLED, HIDDEN, &vb.pp("hidden"))?,
            scores: Linear::new(HIDDEN, classes + 1, &vb.pp("scores"))?,
            offsets: Linear::new(HIDDEN, 4, &vb.pp("offsets"))?,
        })
    }

    /// Scores `(regions, classes + 1)` and offsets `(regions, 4)` of the regions of each picture, one after the other.
    fn forward(&self, features: &Tensor, regions: &[Vec<Corners>]) -> Result<(Tensor, Tensor)> {
        let (_, _, rows, columns) = features.dims4()?;
        let on_map = |corners: &Corners| corners.scaled(columns as f32, rows as f32);
        let regions = regions.iter().enumerate();
        let regions: Vec<Region> = regions
            .flat_map(|(picture, regions)| regions.iter().map(move |r| Region { picture, corners: on_map(r) }))
            .collect();
        let pooled = roi_align(features, &regions, (POOLED, POOLED), 1.0, 2)?; // (regions, channels, 5, 5)
        let hidden = relu(&self.hidden.forward(&flatten_from(&pooled, 1)?)?)?; // (regions, hidden)
        Ok((self.scores.forward(&hidden)?, self.offsets.forward(&hidden)?))
    }
}

impl TwoStages {
    /// A detector of so many classes of things, which are found with anchors of about this size.
    ///
    /// # Errors
    /// Where the parameters exist with other shapes.
    pub fn new(classes: usize, smallest: f32, vb: &VarBuilder) -> Result<Self> {
        let features = Sequential::with_parameters(&vb.pp("features"))
            .layer("base", base_net)? // (batch, 64, height / 8, width / 8)
            .layer("conv", same_size(64, CHANNELS))? // (batch, 128, height / 8, width / 8)
            .layer("norm", |vb| BatchNorm::new(CHANNELS, BatchNormConfig::default(), vb))?
            .add(relu);
        let proposals = RegionProposal::new(smallest, &vb.pp("proposals"))?;
        Ok(Self { features, proposals, head: RegionHead::new(classes, &vb.pp("head"))? })
    }

    /// The loss of both stages on pictures `(batch, 3, height, width)`: of the class and the offsets of each anchor, then of
    /// each region that the first stage proposes now, the true boxes among them.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn loss(&self, pictures: &Tensor, truths: &[Vec<GroundTruth>]) -> Result<Tensor> {
        let features = self.features.forward_t(pictures, true)?;
        let said = self.proposals.forward(&features)?;
        // For the first stage, things are of one class.
        let things: Vec<Vec<GroundTruth>> = truths
            .iter()
            .map(|truths| truths.iter().map(|truth| GroundTruth { class: 0, ..*truth }).collect())
            .collect();
        let targets = multibox_target(&said.anchors, &things, pictures.device())?;
        let first = mined_loss(&said, &targets, NEGATIVES)?;
        let mut regions = propose(&said)?;
        for (regions, truths) in regions.iter_mut().zip(truths) {
            regions.extend(truths.iter().map(|truth| truth.corners));
        }
        // A region that overlaps a thing enough has its class, another is background.
        let labels: Vec<Label> =
            regions.iter().zip(truths).flat_map(|(regions, truths)| label(regions, truths)).collect();
        let targets = Targets::new(&labels, (labels.len(), 1), pictures.device())?; // a row a region
        let (scores, offsets) = self.head.forward(&features, &regions)?;
        let second = cross_entropy(&scores, &targets.classes.squeeze(1)?, Reduction::Mean)?;
        first + (second + l1_loss(&(offsets * targets.masks)?, &targets.offsets, Reduction::Mean)?)?
    }

    /// The things on pictures `(batch, 3, height, width)`, the surest first.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn detect(&self, pictures: &Tensor) -> Result<Vec<Vec<Detection>>> {
        let features = self.features.forward_t(pictures, false)?.detach();
        let regions = propose(&self.proposals.forward(&features)?)?;
        let (scores, offsets) = self.head.forward(&features, &regions)?;
        let probabilities = softmax(&scores.detach(), D::Minus1)?; // (regions, classes + 1)
        let (mut first, mut detections) = (0, Vec::new());
        for regions in &regions {
            let of_picture = |tensor: &Tensor| tensor.narrow(0, first, regions.len());
            let probabilities = of_picture(&probabilities)?.t()?.unsqueeze(0)?; // (1, classes + 1, regions)
            let offsets = of_picture(&offsets.detach())?.reshape((1, ()))?; // (1, regions * 4)
            let mut found = multibox_detection(&probabilities, &offsets, regions, OVERLAP)?.remove(0);
            found.retain(|detection| detection.class.is_some());
            detections.push(found);
            first += regions.len();
        }
        Ok(detections)
    }
}
