//! What guesses of clicks are worth (section 16.9). Clicks are rare, so that always guessing none is right most of the time:
//! the share of right guesses says little without the order of the guesses and their surprise.

use d2l::data::DataError;
use d2l::prelude::*;
use d2l::train::EpochRecord;

/// What a model's guesses for test rows are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClickQuality {
    /// The share of rows for which a probability above one half means a click, and another one none.
    pub accuracy: f64,
    /// How often, of a row with a click and one without, the first has the larger score: [`roc_auc`].
    pub auc: f64,
    /// The mean of the negative logarithm of the probability that was given to what came.
    pub log_loss: f64,
}

impl ClickQuality {
    /// Of a model that gives logits `(batch)` for features `(batch, fields)`, in evaluation mode, on minibatches with clicks
    /// `(batch)`.
    ///
    /// # Errors
    /// As [`ClickQuality::of_logits`]; what the net or the batches give.
    pub fn of(net: &impl ModuleT, batches: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<Self, DataError> {
        let (mut logits, mut clicks) = (Vec::new(), Vec::new());
        for batch in batches.epoch() {
            let (x, y) = batch?;
            logits.extend(net.forward_t(&x, false)?.detach().to_vec1::<f32>()?.into_iter().map(f64::from));
            clicks.extend(are_clicks(&y)?);
        }
        Self::of_logits(&logits, &clicks)
    }

    /// Of a logit for each row.
    ///
    /// # Errors
    /// Where their numbers differ, or the rows have only clicks or none.
    pub fn of_logits(logits: &[f64], clicks: &[bool]) -> Result<Self, DataError> {
        if logits.len() != clicks.len() {
            return Err(DataError::invalid(format!("{} logits for {} rows", logits.len(), clicks.len())));
        }
        let auc = roc_auc(logits, clicks).ok_or_else(|| {
            let rows = clicks.len();
            DataError::invalid(format!("of {rows} rows to evaluate on, all have a click or none has: take others"))
        })?;
        let pairs = || logits.iter().zip(clicks);
        let right = pairs().filter(|&(&logit, &click)| (logit > 0.0) == click).count();
        // log(1 + e^x) for what did not come, by which no large x overflows.
        let surprise = |logit: f64| logit.max(0.0) + (-logit.abs()).exp().ln_1p();
        let sum: f64 = pairs().map(|(&logit, &click)| surprise(if click { -logit } else { logit })).sum();
        let rows = clicks.len() as f64;
        Ok(Self { accuracy: right as f64 / rows, auc, log_loss: sum / rows })
    }

    /// Of giving every row the same probability of a click: below one half, that is to guess none.
    ///
    /// # Errors
    /// As [`ClickQuality::of_logits`].
    pub fn of_probability(probability: f64, clicks: &[bool]) -> Result<Self, DataError> {
        Self::of_logits(&vec![(probability / (1.0 - probability)).ln(); clicks.len()], clicks)
    }

    /// What an epoch of [`train_clicks`](crate::sections::fm::train_clicks) came to, if it was one.
    fn after(epoch: &EpochRecord) -> Option<Self> {
        let [accuracy, auc, log_loss] = ["test_acc", "test_auc", "test_log_loss"].map(|name| epoch.get(name));
        Some(Self { accuracy: accuracy?, auc: auc?, log_loss: log_loss? })
    }
}

/// The epoch of [`train_clicks`](crate::sections::fm::train_clicks) whose guesses had the smallest log loss, with what they
/// were worth; and the last epoch, where that is another.
pub fn best_and_last(history: &History) -> Vec<(usize, ClickQuality)> {
    let mut qualities = history.epochs().iter().filter_map(|epoch| Some((epoch.epoch, ClickQuality::after(epoch)?)));
    let best = qualities.clone().min_by(|(_, a), (_, b)| a.log_loss.total_cmp(&b.log_loss));
    let last = qualities.next_back().filter(|last| best.is_some_and(|best| best.0 != last.0));
    best.into_iter().chain(last).collect()
}

/// The share of pairs of a positive and a negative example in which the positive one has the larger score; of equal scores
/// half counts. None where there are no such pairs.
#[doc(alias = "roc_auc_score")]
pub fn roc_auc(scores: &[f64], are_positive: &[bool]) -> Option<f64> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(are_positive.iter().copied()).collect();
    order.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let (mut below, mut won) = (0, 0.0);
    for equal in order.chunk_by(|(a, _), (b, _)| a == b) {
        let positives = equal.iter().filter(|&&(_, is_positive)| is_positive).count();
        let negatives = equal.len() - positives;
        won += positives as f64 * (below as f64 + 0.5 * negatives as f64);
        below += negatives;
    }
    let pairs = below * (order.len() - below);
    (pairs > 0).then(|| won / pairs as f64)
}

/// Which rows have a click.
fn are_clicks(y: &Tensor) -> Result<Vec<bool>> {
    Ok(y.to_vec1::<f32>()?.into_iter().map(|click| click > 0.5).collect())
}

/// How many logits `(batch)` are above 0, so that a click is likelier than none, where there was one in `clicks` `(batch)`,
/// or not where there was none.
///
/// The book compares probabilities with labels for equality, which counts no guess but that of exactly 0 or 1.
pub fn count_right(logits: &Tensor, clicks: &Tensor) -> Result<usize> {
    let logits = logits.detach().to_vec1::<f32>()?;
    Ok(logits.into_iter().zip(are_clicks(clicks)?).filter(|&(logit, click)| (logit > 0.0) == click).count())
}

/// A table with a row for each way to guess.
pub fn quality_table<N: Into<String>>(rows: impl IntoIterator<Item = (N, ClickQuality)>) -> Table {
    let mut table = Table::new(["guess", "accuracy", "AUC", "log loss"]);
    for (name, ClickQuality { accuracy, auc, log_loss }) in rows {
        table.row([name.into(), format!("{accuracy:.3}"), format!("{auc:.3}"), format!("{log_loss:.3}")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use d2l::data::ArrayLoader;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_rows_by_hand() -> Result<(), Box<dyn std::error::Error>> {
        // Probabilities 0.2, 0.8, 0.5 and 0.8: of four pairs two are won, one is lost and one is even.
        let (low, high) = (0.25f64.ln(), 4f64.ln());
        let quality = ClickQuality::of_logits(&[low, high, 0.0, high], &[false, true, true, false])?;
        assert_eq!((quality.accuracy, quality.auc), (0.5, 2.5 / 4.0));
        let expected = -(0.8f64.ln() + 0.8f64.ln() + 0.5f64.ln() + 0.2f64.ln()) / 4.0;
        assert!((quality.log_loss - expected).abs() < 1e-12, "{quality:?}");

        let logits = Tensor::new(&[low as f32, high as f32, 0.0, high as f32], &Device::Cpu)?;
        let clicks = Tensor::new(&[0f32, 1.0, 1.0, 0.0], &Device::Cpu)?;
        assert_eq!(count_right(&logits, &clicks)?, 2);
        let mut loader = ArrayLoader::from_tensors(&logits, &clicks, 3)?;
        let found = ClickQuality::of(&|x: &Tensor| Ok(x.clone()), &mut loader)?;
        assert!((found.log_loss - expected).abs() < 1e-6 && found.auc == quality.auc, "{found:?}");
        Ok(())
    }

    #[test]
    fn one_probability_for_all_is_known_by_its_entropy() -> Result<(), DataError> {
        let quality = ClickQuality::of_probability(0.25, &[true, false, false, false])?;
        assert_eq!((quality.accuracy, quality.auc), (0.75, 0.5));
        assert!((quality.log_loss - (0.25 * 4f64.ln() + 0.75 * (4f64 / 3.0).ln())).abs() < 1e-12, "{quality:?}");
        Ok(())
    }

    #[test]
    fn large_logits_lose_as_much_as_they_are_large() -> Result<(), DataError> {
        let quality = ClickQuality::of_logits(&[1e4, -1e4], &[false, true])?;
        assert_eq!(quality, ClickQuality { accuracy: 0.0, auc: 0.0, log_loss: 1e4 });
        Ok(())
    }

    #[test]
    fn rows_of_one_kind_are_an_error() {
        let message = |clicks: &[bool]| ClickQuality::of_logits(&[0.0, 1.0], clicks).expect_err("a fault").to_string();
        assert!(message(&[true, true]).contains("of 2 rows to evaluate on, all have a click or none has"));
        assert!(message(&[false, false]).contains("none has"));
        assert!(message(&[true]).contains("2 logits for 1 rows"));
        assert_eq!(roc_auc(&[], &[]), None);
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs(rows in prop::collection::vec((-3i8..3, any::<bool>()), 0..40)) {
            let (scores, positive): (Vec<f64>, Vec<bool>) = rows.into_iter().map(|(s, p)| (f64::from(s), p)).unzip();
            let (mut won, mut pairs) = (0.0, 0u32);
            for (&first, _) in scores.iter().zip(&positive).filter(|&(_, &p)| p) {
                for (&second, _) in scores.iter().zip(&positive).filter(|&(_, &p)| !p) {
                    won += if first > second { 1.0 } else if first == second { 0.5 } else { 0.0 };
                    pairs += 1;
                }
            }
            if let Some(auc) = roc_auc(&scores, &positive) {
                prop_assert!((auc - won / f64::from(pairs)).abs() < 1e-12);
            } else {
                prop_assert_eq!(pairs, 0);
            }
        }
    }
}
