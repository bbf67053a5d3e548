//! Pairs of sentences as ids of one length, in minibatches (section 15.4).

use std::sync::Arc;

use d2l::data::{DataError, PAD, truncate_pad};
use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::ragged::Ragged;

use crate::snli::InferencePairs;

/// Premises and hypotheses as ids, with labels. A minibatch is `(premises, hypotheses, labels)`: ids `(batch, steps)`, twice,
/// and places in [`RELATIONS`](crate::snli::RELATIONS) `(batch)`, all of `u32`.
#[doc(alias = "SNLIDataset")]
#[derive(Debug, Clone)]
pub struct InferenceExamples {
    /// What the ids are ids of.
    pub vocab: Arc<Vocab>,
    num_steps: usize,
    premises: Ragged,
    hypotheses: Ragged,
    labels: Vec<u32>,
}

impl InferenceExamples {
    /// The pairs, each sentence cut after `num_steps` tokens or filled up to that by padding.
    ///
    /// # Errors
    /// Where there are no steps, or not as many premises and hypotheses as labels.
    pub fn new(pairs: &InferencePairs, num_steps: usize, vocab: &Arc<Vocab>) -> Result<Self, DataError> {
        let InferencePairs { premises, hypotheses, labels, .. } = pairs;
        if num_steps == 0 {
            return Err(DataError::invalid("a sentence needs at least one step"));
        }
        if premises.len() != labels.len() || hypotheses.len() != labels.len() {
            let counts =
                format!("{} premises, {} hypotheses, {} labels", premises.len(), hypotheses.len(), labels.len());
            return Err(DataError::Invalid(format!("{counts}: a pair has one of each")));
        }
        let row = |sentence: &String| vocab.ids(sentence.split_whitespace().take(num_steps));
        Ok(Self {
            vocab: vocab.clone(),
            num_steps,
            premises: premises.iter().map(row).collect(),
            hypotheses: hypotheses.iter().map(row).collect(),
            labels: labels.clone(),
        })
    }

    /// Tokens of each sentence, padding included.
    pub fn num_steps(&self) -> usize {
        self.num_steps
    }

    /// The labels of all pairs, in their order.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The share of all places of the sentences at which padding stands.
    pub fn padding(&self) -> f64 {
        let words = self.premises.ids().len() + self.hypotheses.ids().len();
        1.0 - words as f64 / (2 * self.len() * self.num_steps).max(1) as f64
    }
}

impl Dataset for InferenceExamples {
    type Batch = (Tensor, Tensor, Tensor);

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Self::Batch> {
        let padding = self.vocab.id(PAD);
        let ids = |sentences: &Ragged| {
            let rows = indices.iter().flat_map(|&index| truncate_pad(sentences.row(index), self.num_steps, padding));
            Tensor::from_vec(rows.collect::<Vec<u32>>(), (indices.len(), self.num_steps), device) // (batch, steps)
        };
        let labels: Vec<u32> = indices.iter().map(|&index| self.labels[index]).collect();
        Ok((ids(&self.premises)?, ids(&self.hypotheses)?, Tensor::new(labels, device)?))
    }
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;

    use super::*;
    use crate::snli::Snli;

    const CPU: Device = Device::Cpu;

    fn pairs() -> InferencePairs {
        InferencePairs {
            premises: vec!["a b c d".to_string(), String::new(), "a x".to_string()],
            hypotheses: vec!["a".to_string(), "b a".to_string(), "c b a d e".to_string()],
            labels: vec![2, 0, 1],
            unlabeled: 0,
        }
    }

    #[test]
    fn sentences_are_cut_and_filled_up() -> Result<(), Box<dyn std::error::Error>> {
        let vocab = Arc::new(Vocab::new("a a a b b c d".split(' '), 1, &[PAD])); // ids 2 to 5
        let examples = InferenceExamples::new(&pairs(), 3, &vocab)?;
        let (premises, hypotheses, labels) = examples.batch(&[2, 0, 1], &CPU)?;
        assert_eq!(premises.to_vec2::<u32>()?, [[2, 0, 1], [2, 3, 4], [1, 1, 1]]);
        assert_eq!(hypotheses.to_vec2::<u32>()?, [[4, 3, 2], [2, 1, 1], [3, 2, 1]]);
        assert_eq!(labels.to_vec1::<u32>()?, [1, 2, 0]);
        assert_eq!((examples.len(), examples.num_steps(), examples.labels()), (3, 3, &[2, 0, 1][..]));
        assert!((examples.padding() - 7.0 / 18.0).abs() < 1e-12, "{}", examples.padding());
        Ok(())
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let vocab = Arc::new(pairs().vocab());
        let message = |pairs: &InferencePairs, num_steps| {
            InferenceExamples::new(pairs, num_steps, &vocab).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message(&pairs(), 0).contains("at least one step"));
        let unequal = InferencePairs { premises: vec!["a".to_string()], ..pairs() };
        assert!(message(&unequal, 3).contains("1 premises, 3 hypotheses, 3 labels"));
    }

    #[test]
    fn an_epoch_has_each_pair_of_the_sample_once() -> Result<(), Box<dyn std::error::Error>> {
        let snli = Snli::sample()?;
        let shuffle = Random::new(1).stream(Purpose::Shuffling, "test");
        let (mut train, mut test) = snli.load(32, 16, shuffle, &CPU)?;
        assert!(Arc::ptr_eq(&train.dataset().vocab, &test.dataset().vocab));
        let mut labels = Vec::new();
        for batch in train.epoch() {
            let (premises, hypotheses, batch) = batch?;
            let rows = batch.dims1()?;
            assert_eq!((premises.dims(), hypotheses.dims()), (&[rows, 16][..], &[rows, 16][..]));
            labels.extend(batch.to_vec1::<u32>()?);
        }
        assert_ne!(labels, snli.train.labels);
        labels.sort_unstable();
        let mut expected = snli.train.labels.clone();
        expected.sort_unstable();
        assert_eq!(labels, expected);
        let in_order = test.epoch().map(|batch| batch?.2.to_vec1::<u32>()).collect::<Result<Vec<_>>>()?.concat();
        assert_eq!(in_order, snli.test.labels);
        Ok(())
    }
}
