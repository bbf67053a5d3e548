//! What skip-gram with negative sampling trains on: central words with their contexts and with noise words (section
//! 14.3).

use d2l::data::DataError;
use d2l::prelude::*;

use crate::ragged::Ragged;

/// A central word, the words around it, and the noise words that were drawn for it.
pub type SkipGramExample<'a> = (u32, &'a [u32], &'a [u32]);

/// Examples of skip-gram with negative sampling.
#[derive(Debug, Clone)]
pub struct SkipGramExamples {
    centers: Vec<u32>,
    contexts: Ragged,
    negatives: Ragged,
}

impl SkipGramExamples {
    /// Puts central words together with the contexts and the noise words of each.
    ///
    /// # Errors
    /// Where their numbers differ.
    pub fn new(centers: Vec<u32>, contexts: Ragged, negatives: Ragged) -> Result<Self, DataError> {
        let (words, rows) = (centers.len(), [contexts.len(), negatives.len()]);
        if rows != [words; 2] {
            let [contexts, negatives] = rows;
            let message = format!("{words} central words, {contexts} rows of contexts, {negatives} of noise words");
            return Err(DataError::Invalid(message));
        }
        Ok(Self { centers, contexts, negatives })
    }

    /// The example at `index`, which must be below their number.
    pub fn example(&self, index: usize) -> SkipGramExample<'_> {
        (self.centers[index], self.contexts.row(index), self.negatives.row(index))
    }
}

impl Dataset for SkipGramExamples {
    type Batch = SkipGramBatch;

    fn len(&self) -> usize {
        self.centers.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<SkipGramBatch> {
        let examples: Vec<_> = indices.iter().map(|&index| self.example(index)).collect();
        batchify(&examples, device)
    }
}

/// A minibatch of [`SkipGramExamples`]. A row is as long as the longest one's contexts and noise words together.
#[derive(Debug, Clone)]
pub struct SkipGramBatch {
    /// The central words, `(batch, 1)` of `u32`.
    pub centers: Tensor,
    /// Their contexts, then the noise words, then zeros, `(batch, max_len)` of `u32`.
    pub contexts_negatives: Tensor,
    /// 0 where [`SkipGramBatch::contexts_negatives`] is padding and 1 elsewhere, `(batch, max_len)` of `f32`.
    pub masks: Tensor,
    /// 1 for contexts and 0 elsewhere, `(batch, max_len)` of `f32`.
    pub labels: Tensor,
}

/// Makes a minibatch of examples of different lengths (section 14.3).
///
/// # Errors
/// What the device gives.
pub fn batchify(examples: &[SkipGramExample<'_>], device: &Device) -> Result<SkipGramBatch> {
    let lengths = examples.iter().map(|(_, contexts, negatives)| contexts.len() + negatives.len());
    let (batch, max_len) = (examples.len(), lengths.max().unwrap_or(0));
    let (mut centers, mut ids) = (Vec::with_capacity(batch), vec![0; batch * max_len]);
    let (mut masks, mut labels) = (vec![0f32; batch * max_len], vec![0f32; batch * max_len]);
    for (row, &(center, contexts, negatives)) in examples.iter().enumerate() {
        centers.push(center);
        let start = row * max_len;
        let (middle, end) = (start + contexts.len(), start + contexts.len() + negatives.len());
        ids[start..middle].copy_from_slice(contexts);
        ids[middle..end].copy_from_slice(negatives);
        masks[start..end].fill(1.0);
        labels[start..middle].fill(1.0);
    }
    Ok(SkipGramBatch {
        centers: Tensor::from_vec(centers, (batch, 1), device)?,
        contexts_negatives: Tensor::from_vec(ids, (batch, max_len), device)?,
        masks: Tensor::from_vec(masks, (batch, max_len), device)?,
        labels: Tensor::from_vec(labels, (batch, max_len), device)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_books_two_examples() -> Result<()> {
        let batch = batchify(&[(1, &[2, 2][..], &[3, 3, 3, 3][..]), (1, &[2, 2, 2][..], &[3, 3][..])], &Device::Cpu)?;
        assert_eq!(batch.centers.to_vec2::<u32>()?, [[1], [1]]);
        assert_eq!(batch.contexts_negatives.to_vec2::<u32>()?, [[2, 2, 3, 3, 3, 3], [2, 2, 2, 3, 3, 0]]);
        assert_eq!(batch.masks.to_vec2::<f32>()?, [[1., 1., 1., 1., 1., 1.], [1., 1., 1., 1., 1., 0.]]);
        assert_eq!(batch.labels.to_vec2::<f32>()?, [[1., 1., 0., 0., 0., 0.], [1., 1., 1., 0., 0., 0.]]);
        Ok(())
    }

    #[test]
    fn parts_of_different_numbers_are_no_examples() {
        let rows = |n: u32| (0..n).map(|id| [id]).collect::<Ragged>();
        let error = SkipGramExamples::new(vec![1, 2], rows(2), rows(3)).expect_err("three rows").to_string();
        assert!(error.contains("2 central words, 2 rows of contexts, 3 of noise words"), "{error}");
        assert!(SkipGramExamples::new(vec![1, 2], rows(2), rows(2)).is_ok());
    }

    /// A row as it would be built up id by id: ids, masks, labels.
    fn padded(contexts: &[u32], negatives: &[u32], max_len: usize) -> (Vec<u32>, Vec<f32>, Vec<f32>) {
        let place = |at: usize| match at.checked_sub(contexts.len()) {
            None => (contexts[at], 1.0, 1.0),
            Some(at) if at < negatives.len() => (negatives[at], 1.0, 0.0),
            Some(_) => (0, 0.0, 0.0),
        };
        let places: Vec<(u32, f32, f32)> = (0..max_len).map(place).collect();
        (
            places.iter().map(|place| place.0).collect(),
            places.iter().map(|place| place.1).collect(),
            places.iter().map(|place| place.2).collect(),
        )
    }

    proptest! {
        #[test]
        fn minibatches_are_what_rows_built_one_by_one_are(
            examples in prop::collection::vec(
                (0u32..50, prop::collection::vec(0u32..50, 1..6), prop::collection::vec(0u32..50, 0..12)), 1..12),
            picks in prop::collection::vec(0usize..1000, 1..9),
        ) {
            let set = SkipGramExamples::new(
                examples.iter().map(|example| example.0).collect(),
                examples.iter().map(|example| example.1.clone()).collect(),
                examples.iter().map(|example| example.2.clone()).collect(),
            ).unwrap();
            let picks: Vec<usize> = picks.into_iter().map(|pick| pick % examples.len()).collect();
            let batch = set.batch(&picks, &Device::Cpu).unwrap();
            let picked: Vec<_> = picks.iter().map(|&pick| &examples[pick]).collect();
            let max_len = picked.iter().map(|(_, contexts, negatives)| contexts.len() + negatives.len()).max().unwrap();
            let ids = batch.contexts_negatives.to_vec2::<u32>().unwrap();
            let (masks, labels) = (batch.masks.to_vec2::<f32>().unwrap(), batch.labels.to_vec2::<f32>().unwrap());
            let centers = batch.centers.to_vec2::<u32>().unwrap();
            for (row, (center, contexts, negatives)) in picked.into_iter().enumerate() {
                let expected = padded(contexts, negatives, max_len);
                prop_assert_eq!((&ids[row], &masks[row], &labels[row]), (&expected.0, &expected.1, &expected.2));
                prop_assert_eq!(&centers[row], &vec![*center]);
            }
        }
    }
}
