//! Losses that put an item that a user chose above one that they did not (section 16.5).
//!
//! Both look at the distance `d` between the two scores alone.
//!
//! | loss | value | derivative by `d` |
//! | --- | --- | --- |
//! | BPR | `−ln σ(d)` | `σ(d) − 1` |
//! | hinge | `max(0, m − d)` | `−1` where `d < m`, else `0` |

use d2l::ops::{binary_cross_entropy_with_logits, relu};
use d2l::prelude::*;

/// The loss of Bayesian personalized ranking (Rendle et al., 2009), `−ln σ(positive − negative)`, for the scores of items that
/// users chose and of others, of one shape. Exact for distances of any size; the book's version, which takes the logarithm
/// of a sigmoid, is infinite where a pair is far in the wrong order.
///
/// ```
/// # use d2l::prelude::*;
/// # use recommender::ranking_losses::bpr_loss;
/// let (positive, negative) = (Tensor::new(&[1f32, -1e3], &Device::Cpu)?, Tensor::new(&[1f32, 0.0], &Device::Cpu)?);
/// let losses = bpr_loss(&positive, &negative, Reduction::None)?.to_vec1::<f32>()?; // (2)
/// assert!((losses[0] - 2f32.ln()).abs() < 1e-6 && (losses[1] - 1e3).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Where the shapes or the types differ.
#[doc(alias = "BPRLoss")]
pub fn bpr_loss(positive: &Tensor, negative: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let distances = (positive - negative)?;
    // It is the cross-entropy of a classifier that is asked whether the first one is the item that was chosen.
    binary_cross_entropy_with_logits(&distances, &distances.ones_like()?, reduction)
}

/// The hinge loss of ranking, `max(0, margin − (positive − negative))`: nothing where an item that was chosen is `margin` above
/// the other or more. Scores as in [`bpr_loss`].
///
/// # Errors
/// Where the shapes or the types differ.
#[doc(alias = "HingeLossbRec")]
pub fn hinge_loss(positive: &Tensor, negative: &Tensor, margin: f64, reduction: Reduction) -> Result<Tensor> {
    let losses = relu(&((negative - positive)? + margin)?)?;
    match reduction {
        Reduction::None => Ok(losses),
        Reduction::Mean => losses.mean_all(),
        Reduction::Sum => losses.sum_all(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(values: &[f64]) -> Result<Tensor> {
        Tensor::new(values, &Device::Cpu)
    }

    /// The losses of distances, each one's negative item having the score 0.25.
    fn losses(loss: impl Fn(&Tensor, &Tensor, Reduction) -> Result<Tensor>, distances: &[f64]) -> Result<Vec<f64>> {
        let negative = scores(&vec![0.25; distances.len()])?;
        loss(&(scores(distances)? + 0.25)?, &negative, Reduction::None)?.to_vec1()
    }

    fn hinge(positive: &Tensor, negative: &Tensor, reduction: Reduction) -> Result<Tensor> {
        hinge_loss(positive, negative, 1.0, reduction)
    }

    fn near(values: &[f64], expected: &[f64]) -> bool {
        values.len() == expected.len() && values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn known_values() -> Result<()> {
        // ln 2; ln(1 + e^-2); ln(1 + e^2)
        let bpr = losses(bpr_loss, &[0.0, 2.0, -2.0])?;
        assert!(near(&bpr, &[std::f64::consts::LN_2, 0.126_928_011_04, 2.126_928_011_04]), "{bpr:?}");
        let hinge = losses(hinge, &[0.0, 0.75, 1.0, 2.0, -2.0])?;
        assert!(near(&hinge, &[1.0, 0.25, 0.0, 0.0, 3.0]), "{hinge:?}");
        Ok(())
    }

    #[test]
    fn pairs_that_are_far_apart_have_finite_losses() -> Result<()> {
        assert!(near(&losses(bpr_loss, &[800.0, -800.0])?, &[0.0, 800.0]));
        assert!(near(&losses(hinge, &[800.0, -800.0])?, &[0.0, 801.0]));
        Ok(())
    }

    #[test]
    fn sums_and_means_are_of_the_pairs_losses() -> Result<()> {
        let (positive, negative) = (scores(&[0.5, 2.0, -1.0])?, scores(&[0.0, 0.5, 1.0])?);
        for loss in [bpr_loss as fn(&Tensor, &Tensor, Reduction) -> Result<Tensor>, hinge] {
            let sum: f64 = loss(&positive, &negative, Reduction::None)?.to_vec1::<f64>()?.iter().sum();
            let value = |reduction| loss(&positive, &negative, reduction)?.to_scalar::<f64>();
            assert!(near(&[value(Reduction::Sum)?, value(Reduction::Mean)?], &[sum, sum / 3.0]));
        }
        assert!(bpr_loss(&positive, &scores(&[0.0])?, Reduction::Mean).is_err());
        assert!(hinge(&positive, &scores(&[0.0])?, Reduction::Mean).is_err());
        Ok(())
    }

    #[test]
    fn a_larger_margin_asks_for_more() -> Result<()> {
        let (positive, negative) = (scores(&[2.0])?, scores(&[0.5])?);
        let loss = |margin| hinge_loss(&positive, &negative, margin, Reduction::Sum)?.to_scalar::<f64>();
        assert_eq!((loss(1.0)?, loss(1.5)?, loss(4.0)?), (0.0, 0.0, 2.5));
        Ok(())
    }

    /// The gradients of the mean loss by the scores of both items.
    fn gradients(
        loss: impl Fn(&Tensor, &Tensor, Reduction) -> Result<Tensor>,
        positive: &[f64],
        negative: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (positive, negative) = (Var::new(positive, &Device::Cpu)?, Var::new(negative, &Device::Cpu)?);
        let grads = backward(&loss(&positive, &negative, Reduction::Mean)?)?;
        Ok((grads.get(&positive)?.to_vec1()?, grads.get(&negative)?.to_vec1()?))
    }

    #[test]
    fn gradients_are_the_closed_forms() -> Result<()> {
        let (positive, negative) = ([0.5, 2.0, -1.0, 30.0], [0.0, 0.5, 1.0, -30.0]);
        let expected = |slope: fn(f64) -> f64| -> Vec<f64> {
            positive.iter().zip(negative).map(|(positive, negative)| slope(positive - negative) / 4.0).collect()
        };
        let bpr = expected(|distance| -1.0 / (1.0 + distance.exp()));
        let hinge_slopes = expected(|distance| if distance < 1.0 { -1.0 } else { 0.0 });
        for ((by_positive, by_negative), expected) in
            [(gradients(bpr_loss, &positive, &negative)?, bpr), (gradients(hinge, &positive, &negative)?, hinge_slopes)]
        {
            let opposite: Vec<f64> = by_negative.iter().map(|gradient| -gradient).collect();
            assert!(near(&by_positive, &expected) && near(&opposite, &expected), "{by_positive:?} {by_negative:?}");
        }
        Ok(())
    }

    #[test]
    fn nothing_pulls_at_the_edge_of_the_margin() -> Result<()> {
        assert_eq!(gradients(hinge, &[1.0], &[0.0])?, (vec![0.0], vec![0.0]));
        Ok(())
    }

    proptest! {
        #[test]
        fn gradients_are_the_slopes_of_the_loss(
            pairs in prop::collection::vec((-4.0f64..4.0, -4.0f64..4.0), 1..6), which in 0usize..2,
        ) {
            let loss: fn(&Tensor, &Tensor, Reduction) -> Result<Tensor> = if which == 0 { bpr_loss } else { hinge };
            // At its corner the hinge has no slope.
            prop_assume!(pairs.iter().all(|(positive, negative)| (positive - negative - 1.0).abs() > 1e-3));
            let (positive, negative): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let value = |positive: &[f64]| -> Result<f64> {
                loss(&scores(positive)?, &scores(&negative)?, Reduction::Mean)?.to_scalar()
            };
            let (by_positive, by_negative) = gradients(loss, &positive, &negative).unwrap();
            for (place, (by_positive, by_negative)) in by_positive.iter().zip(&by_negative).enumerate() {
                let moved = |by: f64| {
                    let mut positive = positive.clone();
                    positive[place] += by;
                    value(&positive).unwrap()
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                prop_assert!((by_positive - slope).abs() < 1e-6, "{by_positive} {slope}");
                prop_assert!((by_negative + slope).abs() < 1e-6, "{by_negative} {slope}");
            }
        }

        #[test]
        fn an_order_and_its_opposite_differ_by_the_distance(distance in -30.0f64..30.0) {
            let losses = losses(bpr_loss, &[distance, -distance]).unwrap();
            prop_assert!((losses[1] - losses[0] - distance).abs() < 1e-9);
            prop_assert!(losses.iter().all(|loss| *loss > 0.0));
        }
    }
}
