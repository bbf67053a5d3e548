//! Anchors, labels and detections against second implementations, which are plain and straight from the definitions.
//!
//! Most boxes here have whole corners: what they cover are cells that can be counted, all arithmetic is exact, and
//! equal overlaps and scores are common. So results have to be the same, ties among them.

use std::collections::HashSet;

use d2l::prelude::*;
use proptest::collection::vec as several;
use proptest::prelude::*;
use vision::anchors::{
    GroundTruth, MATCH, Targets, assign_anchors, multibox_prior, multibox_target, offset, offset_inverse,
};
use vision::detection::{Detection, LEAST_CONFIDENCE, multibox_detection, nms};
use vision::sections::bounding_box::Corners;
use vision::sections::ssd::{Predictions, mined_loss};

const CPU: Device = Device::Cpu;

// ---- the definitions, spelled out ----

/// The unit cells that a box with whole corners covers.
fn cells(corners: Corners) -> HashSet<(i32, i32)> {
    let [left, top, right, bottom] = corners.to_array().map(|corner| corner as i32);
    (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y))).collect()
}

fn plain_iou(a: Corners, b: Corners) -> f32 {
    let (a, b) = (cells(a), cells(b));
    let (both, either) = (a.intersection(&b).count(), a.union(&b).count());
    if either == 0 { 0.0 } else { both as f32 / either as f32 }
}

/// The place of the first of the largest values, and that value.
fn first_largest(values: impl IntoIterator<Item = f32>) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (place, value) in values.into_iter().enumerate() {
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((place, value));
        }
    }
    best
}

/// The book's algorithm on a table of overlaps with a row for each anchor and a column for each true box.
fn plain_assign(truths: &[Corners], anchors: &[Corners], threshold: f32) -> Vec<Option<usize>> {
    let row = |anchor: &Corners| truths.iter().map(|truth| Some(plain_iou(*anchor, *truth))).collect();
    let mut table: Vec<Vec<Option<f32>>> = anchors.iter().map(row).collect();
    let mut assigned: Vec<Option<usize>> = table
        .iter()
        .map(|row| {
            let nearest = first_largest(row.iter().flatten().copied());
            nearest.filter(|(_, iou)| *iou >= threshold).map(|(truth, _)| truth)
        })
        .collect();
    for _ in truths {
        // What is struck out is below everything.
        let left = table.iter().flatten().map(|iou| iou.unwrap_or(-1.0));
        let Some((place, iou)) = first_largest(left) else { break };
        if iou < 0.0 {
            break; // no anchor is left
        }
        let (anchor, truth) = (place / truths.len(), place % truths.len());
        assigned[anchor] = Some(truth);
        table[anchor].fill(None);
        table.iter_mut().for_each(|row| row[truth] = None);
    }
    assigned
}

/// Center and length of a side.
fn middle_and_length(first: f32, last: f32) -> (f64, f64) {
    (f64::midpoint(first.into(), last.into()), f64::from(last) - f64::from(first))
}

fn plain_offset(anchor: Corners, truth: Corners) -> [f64; 4] {
    let along = |(a_middle, a_length): (f64, f64), (t_middle, t_length): (f64, f64)| {
        // The least length is the crate's own rule; the book divides by zero.
        let length = a_length.max(1e-6);
        (10.0 * (t_middle - a_middle) / length, 5.0 * (1e-6 + t_length.max(0.0) / length).ln())
    };
    let x = along(middle_and_length(anchor.left, anchor.right), middle_and_length(truth.left, truth.right));
    let y = along(middle_and_length(anchor.top, anchor.bottom), middle_and_length(truth.top, truth.bottom));
    [x.0, y.0, x.1, y.1]
}

/// Takes the best box that is left and deletes what overlaps it, until none is left.
fn plain_nms(boxes: &[Corners], scores: &[f32], threshold: f32) -> Vec<usize> {
    let mut left: Vec<usize> = (0..boxes.len()).collect();
    let mut kept = Vec::new();
    while let Some((place, _)) = first_largest(left.iter().map(|&place| scores[place])) {
        let best = left.remove(place);
        left.retain(|&other| plain_iou(boxes[best], boxes[other]) <= threshold);
        kept.push(best);
    }
    kept
}

/// What is said of a picture: `said` has a row for background and then one for each class.
fn plain_detections(said: &[Vec<f32>], boxes: &[Corners], threshold: f32) -> Vec<Detection> {
    let best: Vec<(usize, f32)> = (0..boxes.len())
        .map(|anchor| first_largest(said[1..].iter().map(|of_class| of_class[anchor])).expect("a class"))
        .collect();
    let scores: Vec<f32> = best.iter().map(|(_, score)| *score).collect();
    let kept = plain_nms(boxes, &scores, threshold);
    let others = (0..boxes.len()).filter(|place| !kept.contains(place));
    let order = kept.iter().map(|&place| (place, true)).chain(others.map(|place| (place, false)));
    order
        .map(|(place, is_kept)| {
            let (class, score) = best[place];
            let is_thing = score >= LEAST_CONFIDENCE;
            Detection {
                class: (is_kept && is_thing).then_some(class as u32),
                confidence: if is_thing { score } else { 1.0 - score },
                corners: boxes[place],
            }
        })
        .collect()
}

/// The cross-entropy of scores for a class.
fn plain_cross_entropy(scores: &[f32], class: u32) -> f64 {
    let sum: f64 = scores.iter().map(|&score| f64::from(score).exp()).sum();
    sum.ln() - f64::from(scores[class as usize])
}

// ---- random cases ----

/// Boxes with whole corners, some with reversed ones, some without an area.
fn whole_box() -> impl Strategy<Value = Corners> {
    (-2i8..8, -2i8..8, -1i8..5, -1i8..5).prop_map(|(left, top, width, height)| {
        Corners::new(f32::from(left), f32::from(top), f32::from(left + width), f32::from(top + height))
    })
}

/// Boxes with an area in shares of a picture, a part of which may lie outside.
fn share_box() -> impl Strategy<Value = Corners> {
    (-0.5f32..1.0, -0.5f32..1.0, 0.01f32..1.0, 0.01f32..1.0)
        .prop_map(|(left, top, width, height)| Corners::new(left, top, left + width, top + height))
}

fn is_near(found: f32, expected: f64, tolerance: f64) -> bool {
    (f64::from(found) - expected).abs() <= tolerance * (1.0 + expected.abs())
}

/// The confidences of the random cases: few, so that many are equal, and on both sides of the least.
const LEVELS: [f32; 6] = [0.0, 0.005, 0.01, 0.2, 0.5, 0.9];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn anchors_stand_around_each_cell(
        height in 1usize..7,
        width in 1usize..7,
        sizes in several(0.05f32..1.2, 0..4),
        ratios in several(0.2f32..5.0, 0..4),
    ) {
        let anchors = multibox_prior(height, width, &sizes, &ratios);
        let mut expected = Vec::new();
        for row in 0..height {
            for column in 0..width {
                for (i, &size) in sizes.iter().enumerate() {
                    for (j, &ratio) in ratios.iter().enumerate() {
                        if i == 0 || j == 0 {
                            let (size, root) = (f64::from(size), f64::from(ratio).sqrt());
                            let (half_width, half_height) =
                                (size * root * height as f64 / width as f64 / 2.0, size / root / 2.0);
                            let (x, y) = ((column as f64 + 0.5) / width as f64, (row as f64 + 0.5) / height as f64);
                            let corners = [x - half_width, y - half_height, x + half_width, y + half_height];
                            // Of the first size each ratio but the first comes after the other sizes.
                            expected.push(((row, column, j, i), corners));
                        }
                    }
                }
            }
        }
        expected.sort_by_key(|(order, _)| *order);
        prop_assert_eq!(anchors.len(), expected.len());
        for (anchor, (_, corners)) in anchors.iter().zip(expected) {
            let is_there = anchor.to_array().into_iter().zip(corners).all(|(a, b)| is_near(a, b, 1e-5));
            prop_assert!(is_there, "{:?} instead of {:?}", anchor, corners);
        }
    }

    #[test]
    fn the_iou_counts_cells(a in whole_box(), b in whole_box()) {
        prop_assert_eq!(a.iou(b), plain_iou(a, b));
        prop_assert_eq!(a.area(), cells(a).len() as f32);
        prop_assert_eq!(a.intersection(b).area(), cells(a).intersection(&cells(b)).count() as f32);
    }

    #[test]
    fn the_iou_of_any_boxes(a in share_box(), b in share_box()) {
        let length = |from: f32, to: f32| (f64::from(to) - f64::from(from)).max(0.0);
        let area = |b: Corners| length(b.left, b.right) * length(b.top, b.bottom);
        let both = length(a.left.max(b.left), a.right.min(b.right)) * length(a.top.max(b.top), a.bottom.min(b.bottom));
        prop_assert!(is_near(a.iou(b), both / (area(a) + area(b) - both), 1e-4), "{}", a.iou(b));
        prop_assert_eq!(a.iou(b), b.iou(a));
        prop_assert_eq!(a.iou(a), 1.0);
    }

    #[test]
    fn anchors_stand_for_the_boxes_that_the_table_gives(
        truths in several(whole_box(), 0..7),
        anchors in several(whole_box(), 0..24),
        quarters in 0u8..5,
    ) {
        let threshold = f32::from(quarters) / 4.0;
        let (found, expected) =
            (assign_anchors(&truths, &anchors, threshold), plain_assign(&truths, &anchors, threshold));
        prop_assert_eq!(&found, &expected);
        // No true box is left out while there are anchors.
        let placed: HashSet<usize> = found.into_iter().flatten().collect();
        prop_assert_eq!(placed.len(), truths.len().min(anchors.len()));
    }

    #[test]
    fn offsets_are_those_of_the_definition_and_lead_back(anchor in share_box(), truth in share_box()) {
        let found = offset(anchor, truth);
        for (found, expected) in found.into_iter().zip(plain_offset(anchor, truth)) {
            prop_assert!(is_near(found, expected, 1e-3), "{} instead of {}", found, expected);
        }
        let back = offset_inverse(anchor, found);
        let mut sides = back.to_array().into_iter().zip(truth.to_array());
        prop_assert!(sides.all(|(a, b)| is_near(a, f64::from(b), 1e-4)), "{:?} instead of {:?}", back, truth);
    }

    #[test]
    fn labels_are_those_of_the_definition(
        anchors in several(whole_box(), 0..24),
        pictures in several(several((0u32..3, whole_box()), 0..6), 1..4),
    ) {
        let truths = |things: &Vec<(u32, Corners)>| -> Vec<GroundTruth> {
            things.iter().map(|&(class, corners)| GroundTruth { class, corners }).collect()
        };
        let pictures: Vec<Vec<GroundTruth>> = pictures.iter().map(truths).collect();
        let targets = multibox_target(&anchors, &pictures, &CPU).expect("labels");
        let classes = targets.classes.to_vec2::<u32>().expect("classes");
        let [masks, offsets] = [targets.masks, targets.offsets].map(|t| t.to_vec2::<f32>().expect("numbers"));
        prop_assert_eq!((classes.len(), masks.len(), offsets.len()), (pictures.len(), pictures.len(), pictures.len()));
        for (picture, truths) in pictures.iter().enumerate() {
            let corners: Vec<Corners> = truths.iter().map(|truth| truth.corners).collect();
            for (anchor, truth) in plain_assign(&corners, &anchors, MATCH).into_iter().enumerate() {
                let numbers = 4 * anchor..4 * anchor + 4;
                let (mask, offset) = (&masks[picture][numbers.clone()], &offsets[picture][numbers]);
                let (class, is_thing, expected) = match truth {
                    Some(truth) => (truths[truth].class + 1, 1f32, plain_offset(anchors[anchor], corners[truth])),
                    None => (0, 0.0, [0.0; 4]),
                };
                prop_assert_eq!(classes[picture][anchor], class);
                prop_assert_eq!(mask, [is_thing; 4]);
                let is_there = offset.iter().zip(expected).all(|(&a, b)| is_near(a, b, 1e-3));
                prop_assert!(is_there, "{:?} instead of {:?}", offset, expected);
            }
        }
    }

    #[test]
    fn suppression_leaves_what_the_definition_leaves(
        boxes in several((whole_box(), 0u8..6), 0..28),
        quarters in 0u8..5,
    ) {
        let threshold = f32::from(quarters) / 4.0;
        let (boxes, scores): (Vec<Corners>, Vec<f32>) =
            boxes.into_iter().map(|(corners, score)| (corners, f32::from(score))).unzip();
        prop_assert_eq!(nms(&boxes, &scores, threshold), plain_nms(&boxes, &scores, threshold));
    }

    #[test]
    fn detections_are_those_of_the_definition(
        anchors in several(whole_box(), 0..20),
        levels in several(several(0usize..LEVELS.len(), 20), 8),
        shifts in several(several((-1i8..2, -1i8..2), 20), 2),
        classes in 1usize..4,
    ) {
        // An anchor without area is given the least side, and whole numbers are no longer what a box has.
        let anchors: Vec<Corners> = anchors.into_iter().filter(|anchor| anchor.area() > 0.0).collect();
        let count = anchors.len();
        // Of each picture: background and the classes, as many as there are.
        let said: Vec<Vec<Vec<f32>>> = levels
            .chunks(4)
            .map(|rows| {
                let row = |levels: &Vec<usize>| levels[..count].iter().map(|&level| LEVELS[level]).collect();
                rows[..=classes].iter().map(row).collect()
            })
            .collect();
        // Ten times a whole number shifts an anchor by whole sides.
        let numbers = |&(x, y): &(i8, i8)| [10.0 * f32::from(x), 10.0 * f32::from(y), 0.0, 0.0];
        let offsets: Vec<f32> = shifts.iter().flat_map(|shifts| shifts[..count].iter().flat_map(numbers)).collect();
        let offsets = Tensor::from_vec(offsets, (2, 4 * count), &CPU).expect("offsets");
        let probabilities = Tensor::from_vec(said.concat().concat(), (2, classes + 1, count), &CPU).expect("said");
        let found = multibox_detection(&probabilities, &offsets, &anchors, 0.5).expect("detections");
        prop_assert_eq!(found.len(), 2);
        for ((found, said), shifts) in found.into_iter().zip(&said).zip(&shifts) {
            let shifted = anchors.iter().zip(shifts).map(|(anchor, &(x, y))| {
                let (x, y) =
                    (f32::from(x) * (anchor.right - anchor.left), f32::from(y) * (anchor.bottom - anchor.top));
                Corners::new(anchor.left + x, anchor.top + y, anchor.right + x, anchor.bottom + y)
            });
            let boxes: Vec<Corners> = shifted.collect();
            prop_assert_eq!(found, plain_detections(said, &boxes, 0.5));
        }
    }

    #[test]
    fn the_loss_takes_the_hardest_negatives(
        classes in several(several(0u32..3, 12), 1..4),
        scores in several(-4f32..4.0, 3 * 12 * 3),
        said in several(-2f32..2.0, 3 * 12 * 4),
        negatives in 1usize..5,
    ) {
        let batch = classes.len();
        let (mut taken, mut error, mut things) = (0f64, 0f64, 0usize);
        for (picture, classes) in classes.iter().enumerate() {
            let mut background = Vec::new();
            let mut here = 0usize;
            for (anchor, &class) in classes.iter().enumerate() {
                let place = picture * 12 + anchor;
                let loss = plain_cross_entropy(&scores[3 * place..3 * place + 3], class);
                if class == 0 {
                    background.push(loss);
                } else {
                    here += 1;
                    taken += loss;
                    error += said[4 * place..4 * place + 4].iter().map(|&x| (f64::from(x) - 0.25).abs()).sum::<f64>();
                }
            }
            background.sort_by(|a, b| b.total_cmp(a));
            taken += background.iter().take(negatives * here.max(1)).sum::<f64>();
            things += here;
        }
        let things = things.max(1) as f64;
        let expected = taken / things + error / (4.0 * things);

        let classes = classes.concat();
        let masks: Vec<f32> = classes.iter().flat_map(|&class| [if class > 0 { 1.0 } else { 0.0 }; 4]).collect();
        let masks = Tensor::from_vec(masks, (batch, 48), &CPU).expect("masks");
        let targets = Targets {
            offsets: (&masks * 0.25).expect("offsets"),
            masks,
            classes: Tensor::from_vec(classes, (batch, 12), &CPU).expect("classes"),
        };
        let predictions = Predictions {
            anchors: vec![Corners::default(); 12],
            scores: Tensor::from_vec(scores[..batch * 36].to_vec(), (batch, 12, 3), &CPU).expect("scores"),
            offsets: Tensor::from_vec(said[..batch * 48].to_vec(), (batch, 48), &CPU).expect("offsets"),
        };
        let loss = mined_loss(&predictions, &targets, negatives).expect("a loss");
        let loss = loss.to_scalar::<f32>().expect("a number");
        prop_assert!(is_near(loss, expected, 1e-4), "{} instead of {}", loss, expected);
    }
}

// ---- cases by name ----

/// A square of side 2 whose left top corner is there.
const fn square(left: f32, top: f32) -> Corners {
    Corners::new(left, top, left + 2.0, top + 2.0)
}

/// Classes and masks of one picture.
fn labels(anchors: &[Corners], truths: &[GroundTruth]) -> Result<(Vec<u32>, Vec<f32>)> {
    let targets = multibox_target(anchors, &[truths], &CPU)?;
    let offsets = targets.offsets.flatten_all()?.to_vec1::<f32>()?;
    assert!(offsets.iter().all(|offset| offset.is_finite()), "{offsets:?}");
    Ok((targets.classes.flatten_all()?.to_vec1()?, targets.masks.flatten_all()?.to_vec1()?))
}

#[test]
fn a_picture_without_things_is_background() -> Result<()> {
    let anchors = [square(0.0, 0.0), square(1.0, 0.0)];
    let (classes, masks) = labels(&anchors, &[])?;
    assert_eq!((classes, masks), (vec![0, 0], vec![0.0; 8]));
    // Nor does it change the other pictures of its minibatch.
    let thing = GroundTruth { class: 4, corners: square(1.0, 0.0) };
    let targets = multibox_target(&anchors, &[vec![], vec![thing], vec![]], &CPU)?;
    assert_eq!(targets.classes.to_vec2::<u32>()?, [[0, 0], [0, 5], [0, 0]]);
    let none: [Vec<GroundTruth>; 0] = [];
    assert_eq!(multibox_target(&anchors, &none, &CPU)?.classes.dims(), [0, 2]);
    Ok(())
}

#[test]
fn one_box_takes_the_nearest_anchor_however_far_it_is() -> Result<()> {
    let anchors = [square(5.0, 5.0), square(1.0, 1.0), square(7.0, 0.0)];
    let (classes, masks) = labels(&anchors, &[GroundTruth { class: 2, corners: square(0.0, 0.0) }])?;
    assert_eq!(classes, [0, 3, 0]);
    assert_eq!(masks[4..8], [1.0; 4]);
    assert_eq!(masks.iter().sum::<f32>(), 4.0);
    // Without any overlap the first anchor is as near as all others.
    let (classes, _) = labels(&anchors, &[GroundTruth { class: 2, corners: square(-9.0, -9.0) }])?;
    assert_eq!(classes, [3, 0, 0]);
    Ok(())
}

#[test]
fn an_iou_of_exactly_the_threshold_is_enough() {
    let (anchor, far) = (Corners::new(0.0, 0.0, 4.0, 1.0), square(7.0, 7.0));
    let half = Corners::new(0.0, 0.0, 2.0, 1.0);
    assert_eq!(anchor.iou(half), 0.5);
    // The box itself is the nearest anchor, so that what the second one stands for is the threshold's doing.
    assert_eq!(assign_anchors(&[half], &[half, anchor, far], 0.5), [Some(0), Some(0), None]);
    assert_eq!(assign_anchors(&[half], &[half, anchor, far], 0.500_001), [Some(0), None, None]);
    assert_eq!(nms(&[half, anchor], &[0.9, 0.8], 0.5), [0, 1], "only what is above the threshold goes");
    assert_eq!(nms(&[half, anchor], &[0.9, 0.8], 0.499_999), [0]);
}

#[test]
fn boxes_outside_of_the_picture_are_boxes_too() -> Result<()> {
    let outside = Corners::new(1.2, -0.7, 1.6, -0.3);
    assert_eq!(outside.iou(Corners::new(0.0, 0.0, 1.0, 1.0)), 0.0);
    assert!((outside.iou(Corners::new(1.2, -0.7, 1.6, -0.5)) - 0.5).abs() < 1e-5);
    let anchors = multibox_prior(2, 2, &[0.9], &[1.0]);
    assert!(anchors.iter().all(|anchor| anchor.to_array().iter().any(|corner| !(0.0..=1.0).contains(corner))));
    let (classes, _) = labels(&anchors, &[GroundTruth { class: 0, corners: Corners::new(0.6, -0.2, 1.2, 0.7) }])?;
    assert_eq!(classes, [0, 1, 0, 0]);
    Ok(())
}

#[test]
fn boxes_of_no_area_overlap_nothing() -> Result<()> {
    let (point, line) = (Corners::new(1.0, 1.0, 1.0, 1.0), Corners::new(0.0, 1.0, 2.0, 1.0));
    for (a, b) in [(point, point), (line, line), (point, line), (point, square(0.0, 0.0)), (square(0.0, 0.0), line)] {
        assert_eq!((a.iou(b), b.iou(a)), (0.0, 0.0), "{a:?}, {b:?}");
    }
    assert_eq!(nms(&[point, point, line], &[0.5, 0.6, 0.7], 0.0), [2, 1, 0]);
    let (classes, _) = labels(&[square(0.0, 0.0), point], &[GroundTruth { class: 0, corners: line }])?;
    assert_eq!(classes, [1, 0]);
    let (classes, _) = labels(&[point, line], &[GroundTruth { class: 0, corners: square(0.0, 0.0) }])?;
    assert_eq!(classes, [1, 0]);
    Ok(())
}

#[test]
fn reversed_corners_cover_nothing() -> Result<()> {
    let reversed = Corners::new(2.0, 2.0, 0.0, 0.0);
    assert_eq!((reversed.area(), reversed.iou(square(0.0, 0.0)), reversed.iou(reversed)), (0.0, 0.0, 0.0));
    assert_eq!(Corners::new(2.0, 0.0, 0.0, 2.0).area(), 0.0);
    assert_eq!(nms(&[square(0.0, 0.0), reversed, reversed], &[0.5, 0.9, 0.7], 0.1), [1, 2, 0]);
    let (classes, _) = labels(&[reversed, square(0.0, 0.0)], &[GroundTruth { class: 0, corners: square(0.0, 0.0) }])?;
    assert_eq!(classes, [0, 1]);
    let (classes, _) = labels(&[square(0.0, 0.0)], &[GroundTruth { class: 0, corners: reversed }])?;
    assert_eq!(classes, [1]);
    Ok(())
}

#[test]
fn of_two_boxes_with_one_best_anchor_the_nearer_has_it() {
    // Both are nearest to the first anchor; the second box is nearer.
    let anchors = [Corners::new(0.0, 0.0, 4.0, 4.0), Corners::new(3.0, 0.0, 6.0, 4.0), square(9.0, 9.0)];
    let (further, nearer) = (Corners::new(1.0, 0.0, 5.0, 4.0), Corners::new(0.0, 0.0, 4.0, 3.0));
    assert!(anchors[0].iou(nearer) > anchors[0].iou(further) && anchors[0].iou(further) > anchors[1].iou(further));
    assert_eq!(assign_anchors(&[further, nearer], &anchors, 0.5), [Some(1), Some(0), None]);
    assert_eq!(assign_anchors(&[nearer, further], &anchors, 0.5), [Some(0), Some(1), None]);
    // Two boxes in one place: the first has the anchor, the other one what is left.
    assert_eq!(assign_anchors(&[nearer, nearer], &anchors, 0.5), [Some(0), Some(1), None]);
}

#[test]
fn more_boxes_than_anchors_leave_some_without() -> Result<()> {
    let anchors = [square(0.0, 0.0), square(4.0, 0.0)];
    let truths = [square(1.0, 1.0), square(4.0, 0.0), square(9.0, 9.0), square(1.0, 0.0)];
    assert_eq!(assign_anchors(&truths, &anchors, 0.9), [Some(3), Some(1)]);
    let things: Vec<GroundTruth> =
        truths.iter().zip(0..).map(|(&corners, class)| GroundTruth { class, corners }).collect();
    assert_eq!(labels(&anchors, &things)?, (vec![4, 2], vec![1.0; 8]));
    Ok(())
}

#[test]
fn without_anchors_there_is_nothing_to_say() -> Result<()> {
    let thing = GroundTruth { class: 0, corners: square(0.0, 0.0) };
    assert!(assign_anchors(&[thing.corners], &[], 0.5).is_empty());
    let targets = multibox_target(&[], &[vec![thing], vec![]], &CPU)?;
    for tensor in [targets.classes, targets.masks, targets.offsets] {
        assert_eq!(tensor.dims(), [2, 0]);
    }
    let (probabilities, offsets) =
        (Tensor::zeros((2, 3, 0), DType::F32, &CPU)?, Tensor::zeros((2, 0), DType::F32, &CPU)?);
    assert_eq!(multibox_detection(&probabilities, &offsets, &[], 0.5)?, vec![Vec::<Detection>::new(); 2]);
    assert!(nms(&[], &[], 0.5).is_empty());
    assert!(multibox_prior(0, 3, &[0.5], &[1.0]).is_empty() && multibox_prior(3, 3, &[], &[1.0]).is_empty());
    Ok(())
}

#[test]
fn of_equal_scores_the_earlier_box_remains() -> Result<()> {
    let boxes = [square(0.0, 0.0), square(0.0, 0.0), square(5.0, 5.0), square(0.0, 0.0)];
    assert_eq!(nms(&boxes, &[0.5; 4], 0.5), [0, 2]);
    assert_eq!(nms(&boxes, &[0.5, 0.6, 0.6, 0.6], 0.5), [1, 2]);
    // Of equal classes the first.
    let said = Tensor::new(&[[[0.2f32; 4], [0.4; 4], [0.4; 4]]], &CPU)?;
    let found = multibox_detection(&said, &Tensor::zeros((1, 16), DType::F32, &CPU)?, &boxes, 0.5)?.remove(0);
    let classes: Vec<_> = found.iter().map(|found| found.class).collect();
    assert_eq!(classes, [Some(0), Some(0), None, None]);
    assert_eq!(found[1].corners, boxes[2]);
    Ok(())
}

#[test]
fn where_all_scores_are_too_low_all_is_background() -> Result<()> {
    let boxes = [square(0.0, 0.0), square(5.0, 5.0), square(0.0, 0.0)];
    let said = Tensor::new(&[[[0.99f32, 0.995, 0.998], [0.009, 0.004, 0.002], [0.001, 0.001, 0.0]]], &CPU)?;
    let found = multibox_detection(&said, &Tensor::zeros((1, 12), DType::F32, &CPU)?, &boxes, 0.5)?.remove(0);
    assert!(found.iter().all(|found| found.class.is_none()), "{found:?}");
    let confidences: Vec<f32> = found.iter().map(|found| found.confidence).collect();
    assert_eq!(confidences, [1.0 - 0.009, 1.0 - 0.004, 1.0 - 0.002]);
    Ok(())
}

#[test]
fn numbers_that_do_not_fit_together_are_refused() -> Result<()> {
    let anchors = [square(0.0, 0.0); 2];
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &CPU);
    let cases: [(&[usize], &[usize]); 4] =
        [(&[1, 1, 2], &[1, 8]), (&[1, 2, 3], &[1, 8]), (&[1, 2, 2], &[1, 7]), (&[2, 2, 2], &[1, 8])];
    for (probabilities, offsets) in cases {
        let error = multibox_detection(&zeros(probabilities)?, &zeros(offsets)?, &anchors, 0.5).expect_err("a refusal");
        assert!(error.to_string().contains("2 anchors"), "{error}");
    }
    Ok(())
}
