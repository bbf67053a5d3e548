//! How good a detector is: average precision (section 13.7).

use crate::anchors::GroundTruth;
use crate::detection::Detection;

/// The average precision of the detections of one class over pictures: the area below the curve of precision by recall that
/// comes from taking ever less certain detections, each precision being the best at that recall or a greater one.
///
/// A detection is right where its IoU with a thing of the class that no surer one has found is `iou` or more. Without any
/// such thing, NaN.
pub fn average_precision(detections: &[Vec<Detection>], truths: &[Vec<GroundTruth>], class: u32, iou: f32) -> f64 {
    let of_class = |truth: &&GroundTruth| truth.class == class;
    let total = truths.iter().flatten().filter(of_class).count();
    let mut found: Vec<Vec<bool>> = truths.iter().map(|truths| vec![false; truths.len()]).collect();
    let mut ranked: Vec<(usize, &Detection)> = detections
        .iter()
        .enumerate()
        .flat_map(|(picture, detections)| detections.iter().map(move |detection| (picture, detection)))
        .filter(|(_, detection)| detection.class == Some(class))
        .collect();
    ranked.sort_by(|(_, a), (_, b)| b.confidence.total_cmp(&a.confidence));
    let (mut right, mut curve) = (0, Vec::new());
    for (rank, (picture, detection)) in ranked.into_iter().enumerate() {
        let candidates = truths[picture].iter().enumerate().filter(|(_, truth)| truth.class == class);
        let overlaps = candidates.map(|(place, truth)| (place, truth.corners.iou(detection.corners)));
        let nearest = overlaps.max_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((place, overlap)) = nearest
            && overlap >= iou
            && !found[picture][place]
        {
            found[picture][place] = true;
            right += 1;
            curve.push((f64::from(right) / total as f64, f64::from(right) / (rank + 1) as f64)); // recall, precision
        }
    }
    let (mut area, mut best, mut after) = (0.0, 0f64, None);
    for &(recall, precision) in curve.iter().rev() {
        // Between this recall and the next greater one, the best precision from there on holds.
        area += after.map_or(0.0, |greater: f64| greater - recall) * best;
        best = best.max(precision);
        after = Some(recall);
    }
    if total == 0 { f64::NAN } else { area + after.unwrap_or(0.0) * best }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sections::bounding_box::Corners;

    fn square(left: f32) -> Corners {
        Corners::new(left, 0.0, left + 1.0, 1.0)
    }

    fn detection(left: f32, confidence: f32) -> Detection {
        Detection { class: Some(0), confidence, corners: square(left) }
    }

    #[test]
    fn known_curves() {
        let truth = |left| GroundTruth { class: 0, corners: square(left) };
        let truths = [vec![truth(0.0)], vec![truth(0.0)]];
        let perfect = [vec![detection(0.0, 0.9)], vec![detection(0.1, 0.2)]];
        assert_eq!(average_precision(&perfect, &truths, 0, 0.5), 1.0);
        // Right, wrong, right: precisions 1 at recall ½ and ⅔ at 1.
        let mixed = [vec![detection(0.0, 0.9), detection(5.0, 0.8)], vec![detection(0.0, 0.7)]];
        assert!((average_precision(&mixed, &truths, 0, 0.5) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        // The second find of one thing is wrong.
        let twice = [vec![detection(0.0, 0.9), detection(0.0, 0.8)], vec![]];
        assert_eq!(average_precision(&twice, &truths, 0, 0.5), 0.5);
        assert_eq!(average_precision(&[vec![], vec![]], &truths, 0, 0.5), 0.0);
        assert!(average_precision(&perfect, &[vec![], vec![]], 0, 0.5).is_nan());
        assert!(average_precision(&perfect, &truths, 1, 0.5).is_nan());
    }

    /// The definition, spelled out: at each recall that is reached, the best precision of any cut that reaches it.
    fn plain(detections: &[Vec<Detection>], truths: &[Vec<GroundTruth>]) -> f64 {
        let total = truths.iter().map(Vec::len).sum::<usize>();
        let mut cuts: Vec<f32> = detections.iter().flatten().map(|detection| detection.confidence).collect();
        cuts.sort_by(|a, b| b.total_cmp(a));
        let mut points = Vec::new();
        for cut in cuts {
            let (mut right, mut said) = (0, 0);
            for (detections, truths) in detections.iter().zip(truths) {
                let mut taken: Vec<&Detection> = detections.iter().filter(|d| d.confidence >= cut).collect();
                taken.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
                said += taken.len();
                let mut free = vec![true; truths.len()];
                for detection in taken {
                    let best = (0..truths.len()).max_by(|&a, &b| {
                        truths[a].corners.iou(detection.corners).total_cmp(&truths[b].corners.iou(detection.corners))
                    });
                    if let Some(best) = best.filter(|&b| truths[b].corners.iou(detection.corners) >= 0.5 && free[b]) {
                        free[best] = false;
                        right += 1;
                    }
                }
            }
            points.push((right, f64::from(right) / said as f64));
        }
        (1..=total as i32)
            .map(|wanted| {
                let reaching = points.iter().filter(|(right, _)| *right >= wanted).map(|(_, precision)| *precision);
                reaching.fold(0.0, f64::max) / total as f64
            })
            .sum()
    }

    proptest! {
        #[test]
        fn agrees_with_its_definition(
            places in proptest::collection::vec(proptest::collection::vec((0u8..12, 0u8..200), 0..6), 1..5),
            things in proptest::collection::vec(0u8..12, 1..5),
        ) {
            let mut count = 0;
            let detections: Vec<Vec<Detection>> = places
                .iter()
                .map(|places| {
                    let detect = |&(place, confidence): &(u8, u8)| {
                        count += 1; // no two are equally sure
                        detection(f32::from(place) / 3.0, f32::from(confidence) + count as f32 / 1000.0)
                    };
                    places.iter().map(detect).collect()
                })
                .collect();
            let truth = |&place: &u8| GroundTruth { class: 0, corners: square(f32::from(place) / 3.0) };
            let truths: Vec<Vec<GroundTruth>> =
                (0..places.len()).map(|picture| things.iter().skip(picture % 3).map(truth).collect()).collect();
            if truths.iter().any(|truths| !truths.is_empty()) {
                let (found, expected) = (average_precision(&detections, &truths, 0, 0.5), plain(&detections, &truths));
                prop_assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
            }
        }
    }
}
