//! 13.4 Anchor Boxes
//!
//! Boxes of several sizes and shapes at every pixel, what a detector is to learn of them, and how its answers become boxes.
//!
//! `cargo run --release -p vision -- anchor` takes a second and ends on the book's numbers, to the digit.

use std::fmt::Display;

use anyhow::Context as _;
use d2l::plot::{ImageGrid, Marking};
use d2l::prelude::*;

use crate::anchors::{GroundTruth, assign_anchors, multibox_prior, multibox_target, offset_inverse};
use crate::book_pictures::CatAndDog;
use crate::detection::{Detection, multibox_detection};
use crate::picture::Picture;
use crate::sections::bounding_box::Corners;

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config: Smoke {} }

/// Sizes and ratios of the anchors of a pixel.
pub const SIZES: [f32; 3] = [0.75, 0.5, 0.25];
pub const RATIOS: [f32; 3] = [1.0, 2.0, 0.5];

/// The dog and the cat, in shares of the photograph.
pub const TRUTHS: [GroundTruth; 2] = [
    GroundTruth { class: 0, corners: Corners::new(0.1, 0.08, 0.52, 0.92) },
    GroundTruth { class: 1, corners: Corners::new(0.55, 0.2, 0.9, 0.88) },
];
/// Their classes.
const CLASSES: [&str; 2] = ["dog", "cat"];

/// Five anchors to label.
pub const EXAMPLE: [Corners; 5] = [
    Corners::new(0.0, 0.1, 0.2, 0.3),
    Corners::new(0.15, 0.2, 0.4, 0.4),
    Corners::new(0.63, 0.05, 0.88, 0.98),
    Corners::new(0.66, 0.45, 0.8, 0.8),
    Corners::new(0.57, 0.3, 0.92, 0.9),
];

/// Four boxes that a detector might give, three of them of the dog.
pub const PREDICTED: [Corners; 4] = [
    Corners::new(0.1, 0.08, 0.52, 0.92),
    Corners::new(0.08, 0.2, 0.56, 0.95),
    Corners::new(0.15, 0.3, 0.62, 0.91),
    Corners::new(0.55, 0.2, 0.9, 0.88),
];

/// The photograph with boxes in shares of it.
fn photograph(
    picture: &Picture,
    boxes: impl IntoIterator<Item = (Corners, usize, String)>,
) -> anyhow::Result<ImageGrid> {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let boxes = boxes.into_iter().map(|(corners, color, label)| corners.scaled(width, height).marked(color, label));
    let boxes: Vec<Marking> = boxes.collect();
    Ok(ImageGrid::new(1, [picture.image()?]).scale(1).boxes([boxes]))
}

/// Numbers with so many decimals, side by side.
fn listed<T: Display>(numbers: impl IntoIterator<Item = T>, decimals: usize) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(|number| format!("{number:6.decimals$}")).collect();
    numbers.join(" ")
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Generating multiple anchor boxes")?;
    let CatAndDog(picture) = nb.load()?;
    let (width, height) = (picture.width(), picture.height());
    let anchors = multibox_prior(height, width, &SIZES, &RATIOS);
    nb.say(format!("{height} rows, {width} columns, {} anchors", anchors.len()))?;
    nb.metric("anchors", anchors.len() as f64)?;

    nb.cell("The anchors of one pixel")?;
    let each = SIZES.len() + RATIOS.len() - 1;
    let first = (250 * width + 250) * each;
    let of_pixel = anchors.get(first..first + each).context("the photograph has no pixel in row 250, column 250")?;
    nb.show("the first one", listed(of_pixel[0].to_array(), 2))?;
    let small = picture.resized(width / 2, height / 2)?;
    let names = ["s=0.75, r=1", "s=0.5, r=1", "s=0.25, r=1", "s=0.75, r=2", "s=0.75, r=0.5"];
    let boxes = of_pixel.iter().zip(names).enumerate();
    let figure = photograph(&small, boxes.map(|(place, (&corners, name))| (corners, place, name.to_string())))?;
    nb.figure("anchors-of-a-pixel", "Five boxes of several sizes and shapes around a pixel on the dog", figure)?;

    nb.cell("Intersection over union")?;
    let (dog, cat) = (TRUTHS[0].corners, TRUTHS[1].corners);
    let mut table = Table::new(["anchor", "with the dog", "with the cat"]);
    for (place, anchor) in EXAMPLE.iter().enumerate() {
        table.row([place.to_string(), format!("{:.3}", anchor.iou(dog)), format!("{:.3}", anchor.iou(cat))]);
    }
    nb.say(table)?;

    nb.cell("Assigning ground-truth bounding boxes to anchor boxes")?;
    for (anchor, truth) in assign_anchors(&[dog, cat], &EXAMPLE, 0.5).into_iter().enumerate() {
        nb.say(format!("anchor {anchor}: {}", truth.map_or("nothing", |truth| CLASSES[truth])))?;
    }

    nb.cell("An example")?;
    let truths = TRUTHS.iter().enumerate();
    let truths = truths.map(|(class, truth)| (truth.corners, 2 * class, CLASSES[class].to_string()));
    let numbered = EXAMPLE.iter().enumerate().map(|(place, &corners)| (corners, 1, place.to_string()));
    let figure = photograph(&small, numbered.chain(truths))?;
    nb.figure("example", "The true boxes of dog and cat, and in red five anchors with their numbers", figure)?;
    let targets = multibox_target(&EXAMPLE, &[TRUTHS], nb.device())?;

    nb.cell("Labeling classes and offsets")?;
    nb.show("classes", listed(targets.classes.flatten_all()?.to_vec1::<u32>()?, 0))?;
    nb.show("masks", listed(targets.masks.flatten_all()?.to_vec1::<f32>()?, 0))?;
    nb.say("offsets")?;
    for offsets in targets.offsets.reshape((EXAMPLE.len(), 4))?.to_vec2::<f32>()? {
        nb.say(listed(offsets, 3))?;
    }

    nb.cell("Offsets lead back")?;
    let offsets = targets.offsets.reshape((EXAMPLE.len(), 4))?.to_vec2::<f32>()?;
    let back = |place: usize| offset_inverse(EXAMPLE[place], [0, 1, 2, 3].map(|number| offsets[place][number]));
    let error = [(1, dog), (2, cat), (4, cat)].map(|(place, truth)| {
        let differences = back(place).to_array().into_iter().zip(truth.to_array()).map(|(a, b)| (a - b).abs());
        differences.fold(0f32, f32::max)
    });
    let largest = error.into_iter().fold(0f32, f32::max);
    nb.show("largest difference from the true boxes", format!("{largest:.1e}"))?;
    nb.metric("offset_error", f64::from(largest))?;

    nb.cell("Predicting bounding boxes with non-maximum suppression")?;
    let probabilities = [[0f32; 4], [0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.9]]; // background, dog, cat
    let best = |place: usize| usize::from(probabilities[1][place] <= probabilities[2][place]);
    let label = |place: usize| format!("{}={}", CLASSES[best(place)], probabilities[1 + best(place)][place]);
    let boxes = PREDICTED.iter().enumerate().map(|(place, &corners)| (corners, place, label(place)));
    nb.figure("predicted", "Three overlapping boxes on the dog and one on the cat", photograph(&small, boxes)?)?;

    nb.cell("What remains")?;
    let probabilities = Tensor::new(&[probabilities], nb.device())?; // (1, 3, 4)
    let no_offsets = Tensor::zeros((1, 16), DType::F32, nb.device())?;
    let detections = multibox_detection(&probabilities, &no_offsets, &PREDICTED, 0.5)?.remove(0);
    let mut table = Table::new(["class", "confidence", "left", "top", "right", "bottom"]);
    for Detection { class, confidence, corners } in &detections {
        let class = class.map_or("none".to_string(), |class| CLASSES[class as usize].to_string());
        let numbers = corners.to_array().map(|number| format!("{number:.2}"));
        table.row([class, format!("{confidence:.2}")].into_iter().chain(numbers));
    }
    nb.say(table)?;
    let kept = detections.iter().filter_map(|found| {
        let class = found.class? as usize;
        Some((found.corners, class, format!("{}={}", CLASSES[class], found.confidence)))
    });
    nb.figure("remaining", "One box on the dog, one on the cat", photograph(&small, kept)?)?;
    nb.metric("boxes_left", detections.iter().filter(|found| found.class.is_some()).count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(found.len(), expected.len());
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
        assert!(close, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn the_books_anchors() {
        let anchors = multibox_prior(561, 728, &SIZES, &RATIOS);
        assert_eq!(anchors.len(), 2_042_040);
        near(&anchors[(250 * 728 + 250) * 5].to_array(), &[0.06, 0.07, 0.63, 0.82], 0.005);
    }

    #[test]
    fn the_books_labels_and_offsets() -> Result<()> {
        let targets = multibox_target(&EXAMPLE, &[TRUTHS], &Device::Cpu)?;
        assert_eq!(targets.classes.to_vec2::<u32>()?, [[0, 1, 2, 0, 2]]);
        let masks = targets.masks.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(masks, [0., 0., 0., 0., 1., 1., 1., 1., 1., 1., 1., 1., 0., 0., 0., 0., 1., 1., 1., 1.]);
        let offsets = targets.offsets.flatten_all()?.to_vec1::<f32>()?;
        near(&offsets[4..8], &[1.40, 10.0, 2.59, 7.18], 0.005);
        near(&offsets[8..12], &[-1.20, 0.269, 1.68, -1.57], 0.005);
        near(&offsets[16..], &[-0.571, -1.00, 4.17e-6, 0.626], 0.0005);
        assert!(offsets[..4].iter().chain(&offsets[12..16]).all(|offset| *offset == 0.0));
        Ok(())
    }

    #[test]
    fn the_books_detections() -> Result<()> {
        let probabilities = Tensor::new(&[[[0f32; 4], [0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.9]]], &Device::Cpu)?;
        let none = Tensor::zeros((1, 16), DType::F32, &Device::Cpu)?;
        let found = multibox_detection(&probabilities, &none, &PREDICTED, 0.5)?.remove(0);
        let classes: Vec<_> = found.iter().map(|found| found.class).collect();
        assert_eq!(classes, [Some(0), Some(1), None, None]);
        near(&found.iter().map(|found| found.confidence).collect::<Vec<_>>(), &[0.9, 0.9, 0.8, 0.7], 1e-6);
        for (found, place) in found.iter().zip([0, 3, 1, 2]) {
            near(&found.corners.to_array(), &PREDICTED[place].to_array(), 1e-6);
        }
        Ok(())
    }
}
