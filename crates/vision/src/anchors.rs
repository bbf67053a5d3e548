//! Anchor boxes: making them, comparing them with true boxes, and what a detector is to learn from that (section 13.4).
//!
//! All of it is plain arithmetic on the CPU that nothing is differentiated through; tensors come in where a net does.

use d2l::prelude::*;
use rayon::prelude::*;

use crate::sections::bounding_box::{Centered, Corners};

/// Boxes around the center of each cell of a grid of `height` by `width`, in shares of the picture: of each of `sizes` with
/// the first of `ratios`, and of the first size with each other ratio of width to height. They are ordered by row, then by
/// column; there are `height * width * (sizes + ratios - 1)`.
///
/// A size is the height of the box of ratio 1 as a share of the picture's; the box is a square on a picture whose sides are
/// as the grid's. No sizes or no ratios give no boxes.
pub fn multibox_prior(height: usize, width: usize, sizes: &[f32], ratios: &[f32]) -> Vec<Corners> {
    let (Some(&first_size), Some(&first_ratio)) = (sizes.first(), ratios.first()) else { return Vec::new() };
    let with_first_ratio = sizes.iter().map(|&size| (size, first_ratio));
    let with_first_size = ratios[1..].iter().map(|&ratio| (first_size, ratio));
    // A picture that is wider than high has the same box narrower in shares of its width.
    let aspect = height as f32 / width as f32;
    let shapes: Vec<(f32, f32)> = with_first_ratio
        .chain(with_first_size)
        .map(|(size, ratio)| (size * ratio.sqrt() * aspect, size / ratio.sqrt()))
        .collect();
    let center = |cell: usize, cells: usize| (cell as f32 + 0.5) / cells as f32;
    let mut anchors = Vec::with_capacity(height * width * shapes.len());
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (center(column, width), center(row, height));
            anchors.extend(shapes.iter().map(|&(width, height)| Corners::from(Centered { x, y, width, height })));
        }
    }
    anchors
}

impl Corners {
    /// What it covers; nothing where its corners are reversed.
    pub fn area(self) -> f32 {
        (self.right - self.left).max(0.0) * (self.bottom - self.top).max(0.0)
    }

    /// The part that it shares with another box; its corners are reversed where there is none.
    pub fn intersection(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    /// Intersection over union, from 0 to 1: the area that both cover by the area that either does (Jaccard's index). Boxes
    /// that both cover nothing have 0.
    #[doc(alias = "box_iou")]
    pub fn iou(self, other: Self) -> f32 {
        let both = self.intersection(other).area();
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// The true box, by its place, that each anchor stands for, if any.
///
/// An anchor takes the true box with which its IoU is largest where that is `threshold` or more. Then every true box takes
/// the anchor nearest to it, so that none is left out: the pair of the largest IoU first, both of which are out of the game
/// then. Of equals, the first anchor wins. With more boxes than anchors, those whose IoU is least go without.
#[doc(alias = "assign_anchor_to_bbox")]
pub fn assign_anchors(truths: &[Corners], anchors: &[Corners], threshold: f32) -> Vec<Option<usize>> {
    let ious: Vec<Vec<f32>> =
        truths.iter().map(|truth| anchors.iter().map(|anchor| anchor.iou(*truth)).collect()).collect();
    let mut assigned: Vec<Option<usize>> = vec![None; anchors.len()];
    let mut largest = vec![threshold; anchors.len()];
    for (truth, row) in ious.iter().enumerate() {
        for ((best, place), &iou) in largest.iter_mut().zip(&mut assigned).zip(row) {
            if iou > *best || (iou == *best && place.is_none()) {
                (*best, *place) = (iou, Some(truth));
            }
        }
    }
    let (mut truths_left, mut taken): (Vec<usize>, _) = ((0..truths.len()).collect(), vec![false; anchors.len()]);
    while !truths_left.is_empty() {
        // The book's table has a row for each anchor, hence the order among equals.
        let free = (0..anchors.len()).filter(|&anchor| !taken[anchor]);
        let pairs = free.flat_map(|anchor| truths_left.iter().map(move |&truth| (anchor, truth)));
        let nearest = pairs.reduce(|best, pair| if ious[pair.1][pair.0] > ious[best.1][best.0] { pair } else { best });
        let Some((anchor, truth)) = nearest else { break };
        assigned[anchor] = Some(truth);
        taken[anchor] = true;
        truths_left.retain(|&left| left != truth);
    }
    assigned
}

/// Keeps the logarithm of a side of no length finite.
const LEAST_SIDE: f32 = 1e-6;

/// How far a box is from its anchor, in numbers that a net learns well: the shift of the center by the anchor's sides, times
/// 10, and the logarithms of the ratios of the sides, times 5.
#[doc(alias = "offset_boxes")]
pub fn offset(anchor: Corners, target: Corners) -> [f32; 4] {
    let (anchor, target) = (Centered::from(anchor), Centered::from(target));
    // An anchor of no width is as far from anything as the least side makes it.
    let (width, height) = (anchor.width.max(LEAST_SIDE), anchor.height.max(LEAST_SIDE));
    [
        10.0 * (target.x - anchor.x) / width,
        10.0 * (target.y - anchor.y) / height,
        5.0 * (LEAST_SIDE + target.width.max(0.0) / width).ln(),
        5.0 * (LEAST_SIDE + target.height.max(0.0) / height).ln(),
    ]
}

/// The box that lies so far from an anchor: [`offset`] undone.
pub fn offset_inverse(anchor: Corners, [x, y, width, height]: [f32; 4]) -> Corners {
    let anchor = Centered::from(anchor);
    let (wide, high) = (anchor.width.max(LEAST_SIDE), anchor.height.max(LEAST_SIDE));
    Corners::from(Centered {
        x: x * wide / 10.0 + anchor.x,
        y: y * high / 10.0 + anchor.y,
        width: (width / 5.0).exp() * wide,
        height: (height / 5.0).exp() * high,
    })
}

/// A thing on a picture: its class, from 0, and where it is, in shares of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundTruth {
    pub class: u32,
    pub corners: Corners,
}

/// What a detector is to say of one anchor: its class, 0 for background, the offsets of the thing that it stands for, and 1
/// in the mask where there are any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Label {
    pub class: u32,
    pub offsets: [f32; 4],
    pub mask: [f32; 4],
}

/// The IoU from which an anchor stands for a thing.
pub const MATCH: f32 = 0.5;

/// Labels anchors by the things on a picture.
pub fn label(anchors: &[Corners], truths: &[GroundTruth]) -> Vec<Label> {
    let corners: Vec<Corners> = truths.iter().map(|truth| truth.corners).collect();
    let assigned = assign_anchors(&corners, anchors, MATCH).into_iter().zip(anchors);
    let labels = assigned.map(|(truth, anchor)| match truth.map(|truth| truths[truth]) {
        Some(truth) => Label { class: truth.class + 1, offsets: offset(*anchor, truth.corners), mask: [1.0; 4] },
        None => Label { class: 0, offsets: [0.0; 4], mask: [0.0; 4] },
    });
    labels.collect()
}

/// What a detector is to say of each anchor of each picture of a minibatch.
#[derive(Debug, Clone)]
pub struct Targets {
    /// `(batch, anchors * 4)`; 0 for background.
    pub offsets: Tensor,
    /// `(batch, anchors * 4)`: 1 where there is an offset to learn, 0 for background.
    pub masks: Tensor,
    /// `(batch, anchors)` of `u32`: 0 for background, else the class + 1.
    pub classes: Tensor,
}

impl Targets {
    /// The labels of pictures one after the other, in tensors of this shape, the last axis of offsets and masks times 4.
    ///
    /// # Errors
    /// Where there are not as many labels.
    pub fn new(labels: &[Label], (rows, anchors): (usize, usize), device: &Device) -> Result<Self> {
        let numbers = |of: fn(&Label) -> [f32; 4]| labels.iter().flat_map(of).collect::<Vec<f32>>();
        let classes: Vec<u32> = labels.iter().map(|label| label.class).collect();
        Ok(Self {
            offsets: Tensor::from_vec(numbers(|label| label.offsets), (rows, anchors * 4), device)?,
            masks: Tensor::from_vec(numbers(|label| label.mask), (rows, anchors * 4), device)?,
            classes: Tensor::from_vec(classes, (rows, anchors), device)?,
        })
    }
}

/// Labels the anchors of a minibatch; `pictures` has the things on each picture, of which there may be none.
///
/// # Errors
/// What the device gives.
pub fn multibox_target<P>(anchors: &[Corners], pictures: &[P], device: &Device) -> Result<Targets>
where
    P: AsRef<[GroundTruth]> + Sync,
{
    let labels: Vec<Vec<Label>> = pictures.par_iter().map(|truths| label(anchors, truths.as_ref())).collect();
    Targets::new(&labels.concat(), (pictures.len(), anchors.len()), device)
}
