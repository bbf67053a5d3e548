//! From what a net says of each anchor to the things on a picture: non-maximum suppression (section 13.4).

use d2l::prelude::*;
use rayon::prelude::*;

use crate::anchors::offset_inverse;
use crate::sections::bounding_box::Corners;

/// A thing that is believed to be on a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// None for background, and for a box that another one stands for.
    pub class: Option<u32>,
    /// From 0 to 1.
    pub confidence: f32,
    /// In shares of the picture.
    pub corners: Corners,
}

/// The places of the boxes that remain, by falling score, where each box goes that overlaps a better one with an IoU above
/// `threshold`. Of equal scores, the earlier box is the better one.
pub fn nms(boxes: &[Corners], scores: &[f32], threshold: f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len().min(scores.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    // Coordinates apart and in the order of scores, so that the comparisons below run many at a time.
    let along = |side: fn(&Corners) -> f32| order.iter().map(|&place| side(&boxes[place])).collect::<Vec<f32>>();
    let (left, top) = (along(|b| b.left), along(|b| b.top));
    let (right, bottom) = (along(|b| b.right), along(|b| b.bottom));
    let area = along(|b| b.area());
    let mut gone = vec![false; order.len()];
    let mut kept = Vec::new();
    for best in 0..order.len() {
        if gone[best] {
            continue;
        }
        kept.push(order[best]);
        let (l, t, r, b, a) = (left[best], top[best], right[best], bottom[best], area[best]);
        let rest = best + 1..order.len();
        let worse = left[rest.clone()].iter().zip(&top[rest.clone()]).zip(&right[rest.clone()]);
        let worse = worse.zip(&bottom[rest.clone()]).zip(&area[rest.clone()]).zip(&mut gone[rest]);
        for (((((left, top), right), bottom), area), gone) in worse {
            let width = (right.min(r) - left.max(l)).max(0.0);
            let height = (bottom.min(b) - top.max(t)).max(0.0);
            let both = width * height;
            // Where both cover nothing, 0 is not above 0: without a division, no special case.
            *gone |= both > threshold * (a + area - both);
        }
    }
    kept
}

/// Below this confidence, a box is background.
pub const LEAST_CONFIDENCE: f32 = 0.009_999_999;

/// The things on each picture of a minibatch, from probabilities of `(batch, classes + 1, anchors)`, the first of which is
/// that of background, and offsets of `(batch, anchors * 4)`.
///
/// Every anchor gives a box, in the book's order: those that remain by falling confidence, then the others, which have no
/// class. What is less likely than [`LEAST_CONFIDENCE`] has no class either, and the confidence that it is nothing.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn multibox_detection(
    probabilities: &Tensor,
    offsets: &Tensor,
    anchors: &[Corners],
    nms_threshold: f32,
) -> Result<Vec<Vec<Detection>>> {
    let (batch, classes, count) = probabilities.dims3()?;
    if classes < 2 || count != anchors.len() || offsets.dims() != [batch, count * 4] {
        candle_core::bail!(
            "multibox_detection: {:?} probabilities and {:?} offsets for {} anchors",
            probabilities.dims(),
            offsets.dims(),
            anchors.len()
        );
    }
    if count == 0 {
        return Ok(vec![Vec::new(); batch]);
    }
    let probabilities = probabilities.flatten_all()?.to_vec1::<f32>()?;
    let offsets = offsets.flatten_all()?.to_vec1::<f32>()?;
    let pictures = probabilities.par_chunks_exact(classes * count).zip(offsets.par_chunks_exact(count * 4));
    Ok(pictures.map(|(probabilities, offsets)| detect(probabilities, offsets, anchors, nms_threshold)).collect())
}

/// [`multibox_detection`] of one picture.
fn detect(probabilities: &[f32], offsets: &[f32], anchors: &[Corners], nms_threshold: f32) -> Vec<Detection> {
    let count = anchors.len();
    let mut detections: Vec<Detection> = anchors
        .iter()
        .zip(offsets.as_chunks::<4>().0)
        .map(|(&anchor, &offset)| Detection {
            class: Some(0),
            confidence: f32::MIN,
            corners: offset_inverse(anchor, offset),
        })
        .collect();
    for (class, of_class) in probabilities[count..].chunks_exact(count).enumerate() {
        for (detection, &probability) in detections.iter_mut().zip(of_class) {
            if probability > detection.confidence {
                (detection.class, detection.confidence) = (Some(class as u32), probability);
            }
        }
    }
    let boxes: Vec<Corners> = detections.iter().map(|detection| detection.corners).collect();
    let scores: Vec<f32> = detections.iter().map(|detection| detection.confidence).collect();
    let kept = nms(&boxes, &scores, nms_threshold);
    let mut remains = vec![false; count];
    kept.iter().for_each(|&place| remains[place] = true);
    let suppressed = (0..count).filter(|&place| !remains[place]);
    let order: Vec<usize> = kept.iter().copied().chain(suppressed).collect();
    let mut sorted: Vec<Detection> = order
        .into_iter()
        .map(|place| Detection { class: detections[place].class.filter(|_| remains[place]), ..detections[place] })
        .collect();
    for detection in sorted.iter_mut().filter(|detection| detection.confidence < LEAST_CONFIDENCE) {
        (detection.class, detection.confidence) = (None, 1.0 - detection.confidence);
    }
    sorted
}
