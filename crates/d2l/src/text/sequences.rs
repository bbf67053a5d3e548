//! Minibatches of subsequences of a long text (section 8.3).

use std::sync::Arc;

use candle_core::{Device, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

use super::TextError;
use crate::Result;
use crate::random::Stream;

/// How a long sequence is cut into minibatches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Subsequences in a random order: neighbors in the text are no neighbors in training.
    Random,
    /// Row `i` of a minibatch goes on where row `i` of the one before ended, so a state can be carried on.
    Sequential,
}

/// Token ids and, one place further, the ids to predict; both `(batch, steps)` of `u32`.
pub type SequenceBatch = (Tensor, Tensor);

/// Minibatches of subsequences in a random order, after a random number of tokens below `num_steps` is left out.
///
/// Give at least one row and one step. Tokens at the end that fill no minibatch are left out; a text that is too short
/// gives none.
#[doc(alias = "seq_data_iter_random")]
pub fn random_batches<'a>(
    corpus: &'a [u32],
    batch_size: usize,
    num_steps: usize,
    stream: &mut Stream,
    device: &'a Device,
) -> impl Iterator<Item = Result<SequenceBatch>> + use<'a> {
    let corpus = &corpus[stream.random_range(0..num_steps.max(1)).min(corpus.len())..];
    let subsequences = corpus.len().saturating_sub(1).checked_div(num_steps).unwrap_or(0);
    let mut starts: Vec<usize> = (0..subsequences).map(|index| index * num_steps).collect();
    starts.shuffle(stream);
    let batches = subsequences.checked_div(batch_size).unwrap_or(0);
    (0..batches).map(move |batch| cut(corpus, &starts[batch * batch_size..(batch + 1) * batch_size], num_steps, device))
}

/// Minibatches that follow each other in the text row by row, after a random number of tokens up to `num_steps` is
/// left out.
///
/// Give at least one row and one step. Tokens at the end that fill no minibatch are left out; a text that is too short
/// gives none.
#[doc(alias = "seq_data_iter_sequential")]
pub fn sequential_batches<'a>(
    corpus: &'a [u32],
    batch_size: usize,
    num_steps: usize,
    stream: &mut Stream,
    device: &'a Device,
) -> impl Iterator<Item = Result<SequenceBatch>> + use<'a> {
    let corpus = &corpus[stream.random_range(0..=num_steps).min(corpus.len())..];
    let row = corpus.len().saturating_sub(1).checked_div(batch_size).unwrap_or(0);
    let batches = row.checked_div(num_steps).unwrap_or(0);
    (0..batches).map(move |batch| {
        let starts: Vec<usize> = (0..batch_size).map(|index| index * row + batch * num_steps).collect();
        cut(corpus, &starts, num_steps, device)
    })
}

/// The subsequences at `starts`, and those one place further.
fn cut(corpus: &[u32], starts: &[usize], num_steps: usize, device: &Device) -> Result<SequenceBatch> {
    let rows = |shift: usize| {
        let ids: Vec<u32> =
            starts.iter().flat_map(|start| &corpus[start + shift..start + shift + num_steps]).copied().collect();
        Tensor::from_vec(ids, (starts.len(), num_steps), device) // (batch, steps)
    };
    Ok((rows(0)?, rows(1)?))
}

/// Serves a text in minibatches of subsequences, cut anew each epoch (section 8.3).
#[doc(alias = "SeqDataLoader")]
pub struct SequenceLoader {
    corpus: Arc<[u32]>,
    batch_size: usize,
    num_steps: usize,
    sampling: Sampling,
    stream: Stream,
    device: Device,
}

impl SequenceLoader {
    /// A loader of minibatches `(batch_size, num_steps)`.
    ///
    /// # Errors
    /// Where a size is zero, or the text is too short for one minibatch wherever an epoch begins.
    pub fn new(
        corpus: impl Into<Arc<[u32]>>,
        batch_size: usize,
        num_steps: usize,
        sampling: Sampling,
        stream: Stream,
        device: &Device,
    ) -> Result<Self, TextError> {
        let corpus = corpus.into();
        if batch_size == 0 || num_steps == 0 {
            return Err(TextError::NoMinibatch);
        }
        let least = batch_size.saturating_mul(num_steps).saturating_add(num_steps).saturating_add(1);
        if corpus.len() < least {
            return Err(TextError::TooShort { tokens: corpus.len(), batch_size, num_steps, least });
        }
        Ok(Self { corpus, batch_size, num_steps, sampling, stream, device: device.clone() })
    }

    /// How the text is cut.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Where the minibatches are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How many minibatches an epoch has at most: one fewer where it begins late in the text.
    pub fn batches(&self) -> usize {
        (self.corpus.len() - 1) / self.batch_size / self.num_steps
    }

    /// Starts an epoch.
    pub fn epoch(&mut self) -> impl Iterator<Item = Result<SequenceBatch>> {
        let Self { corpus, batch_size, num_steps, sampling, stream, device } = self;
        let batches: Box<dyn Iterator<Item = _>> = match sampling {
            Sampling::Random => Box::new(random_batches(corpus, *batch_size, *num_steps, stream, device)),
            Sampling::Sequential => Box::new(sequential_batches(corpus, *batch_size, *num_steps, stream, device)),
        };
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    fn stream(seed: u64) -> Stream {
        Random::new(seed).stream(Purpose::Sampling, "test")
    }

    fn rows(batches: impl Iterator<Item = Result<SequenceBatch>>) -> Result<Vec<(Vec<u32>, Vec<u32>)>> {
        let mut all = Vec::new();
        for batch in batches {
            let (x, y) = batch?;
            all.extend(x.to_vec2()?.into_iter().zip(y.to_vec2()?));
        }
        Ok(all)
    }

    #[test]
    fn labels_are_one_place_further_in_both_samplings() -> Result<()> {
        let corpus: Vec<u32> = (0..35).collect();
        for seed in 0..20 {
            let random = rows(random_batches(&corpus, 2, 5, &mut stream(seed), &Device::Cpu))?;
            let sequential = rows(sequential_batches(&corpus, 2, 5, &mut stream(seed), &Device::Cpu))?;
            assert_eq!(random.len(), 6, "seed {seed}"); // 6 subsequences of 5 fit after at most 4 left out
            assert!(sequential.len() >= 4, "seed {seed}");
            for (x, y) in random.iter().chain(&sequential) {
                assert!(x.iter().zip(y).all(|(x, y)| x + 1 == *y), "{x:?} {y:?}");
                assert!(x.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{x:?}");
            }
            let mut seen: Vec<u32> = random.into_iter().flat_map(|(x, _)| x).collect();
            seen.sort_unstable();
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "a token twice: {seen:?}");
        }
        Ok(())
    }

    #[test]
    fn sequential_rows_go_on_where_they_ended() -> Result<()> {
        let corpus: Vec<u32> = (0..100).collect();
        let batches = sequential_batches(&corpus, 3, 4, &mut stream(1), &Device::Cpu);
        let batches = batches.map(|batch| batch?.0.to_vec2::<u32>()).collect::<Result<Vec<_>>>()?;
        assert!(batches.len() >= 7);
        for pair in batches.windows(2) {
            for (before, after) in pair[0].iter().zip(&pair[1]) {
                assert_eq!(before[3] + 1, after[0]);
            }
        }
        Ok(())
    }

    #[test]
    fn a_loader_refuses_a_text_that_is_too_short() -> Result<(), Box<dyn std::error::Error>> {
        let loader = |tokens: u32, (batch_size, num_steps)| {
            let corpus: Vec<u32> = (0..tokens).collect();
            SequenceLoader::new(corpus, batch_size, num_steps, Sampling::Random, stream(1), &Device::Cpu)
        };
        let message = loader(15, (2, 5)).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("15 tokens are too few for 2 rows of 5 steps: at least 16"), "{message}");
        assert!(loader(15, (0, 5)).is_err());
        for seed in 0..50 {
            for sampling in [Sampling::Random, Sampling::Sequential] {
                let corpus: Vec<u32> = (0..16).collect();
                let mut loader = SequenceLoader::new(corpus, 2, 5, sampling, stream(seed), &Device::Cpu)?;
                assert_eq!(loader.epoch().count(), 1, "{sampling:?}, seed {seed}");
            }
        }
        Ok(())
    }

    #[test]
    fn no_steps_and_short_texts_give_no_batches() {
        let (corpus, device) = ([1, 2, 3], Device::Cpu);
        for (batch_size, num_steps) in [(0, 2), (2, 0), (2, 5)] {
            assert_eq!(random_batches(&corpus, batch_size, num_steps, &mut stream(1), &device).count(), 0);
            assert_eq!(sequential_batches(&corpus, batch_size, num_steps, &mut stream(1), &device).count(), 0);
        }
        assert_eq!(random_batches(&[], 2, 5, &mut stream(1), &device).count(), 0);
    }
}
