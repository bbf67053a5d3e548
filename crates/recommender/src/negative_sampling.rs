//! Pairs of an item that a user chose and one that they did not (section 16.6).

use std::sync::{Mutex, PoisonError};

use d2l::prelude::*;

use crate::interactions::Interactions;
use crate::ratings::Ratings;

/// Draws items that users did not choose, others at each epoch.
pub struct NegativeSampler {
    chosen: Interactions,
    // A minibatch is made from `&self`, and the stream moves on.
    draws: Mutex<Stream>,
}

impl NegativeSampler {
    /// Draws from `draws` what is not among these ratings.
    pub fn new(ratings: &Ratings, draws: Stream) -> Self {
        Self { chosen: Interactions::new(ratings), draws: Mutex::new(draws) }
    }

    /// An item for each of some users.
    ///
    /// # Errors
    /// Where one of the users chose all items.
    pub fn draw(&self, users: &[u32]) -> Result<Vec<u32>> {
        // A thread that panicked while drawing leaves a stream that is still a stream.
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        self.chosen.negatives(users, &mut *draws).map_err(candle_core::Error::wrap)
    }
}

/// Each choice of a user with an item that they did not choose.
#[doc(alias = "PRDataset")]
pub struct PairwiseExamples {
    ratings: Ratings,
    sampler: NegativeSampler,
}

/// A minibatch of [`PairwiseExamples`], each part `(batch)` of `u32`.
#[derive(Debug, Clone)]
pub struct PairwiseBatch {
    /// Users.
    pub users: Tensor,
    /// What they chose.
    pub items: Tensor,
    /// What they did not choose.
    pub negatives: Tensor,
}

impl PairwiseExamples {
    /// Takes each rating for a choice, and draws the items that are compared with them from `draws`.
    pub fn new(ratings: Ratings, draws: Stream) -> Self {
        Self { sampler: NegativeSampler::new(&ratings, draws), ratings }
    }
}

impl Dataset for PairwiseExamples {
    type Batch = PairwiseBatch;

    fn len(&self) -> usize {
        self.ratings.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<PairwiseBatch> {
        let rows = || indices.iter().map(|&index| self.ratings.rows()[index]);
        let users: Vec<u32> = rows().map(|row| row.user).collect();
        Ok(PairwiseBatch {
            items: Tensor::new(rows().map(|row| row.item).collect::<Vec<u32>>(), device)?,
            negatives: Tensor::new(self.sampler.draw(&users)?, device)?,
            users: Tensor::new(users, device)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use d2l::data::Source;

    use super::*;
    use crate::movielens::MovieLens;
    use crate::ratings::Rating;
    use crate::splits::sequence_aware;

    #[test]
    fn pairs_are_of_the_training_set_and_negatives_are_not() -> Result<(), Box<dyn std::error::Error>> {
        let split = sequence_aware(&MovieLens::sample()?.ratings)?;
        let tested: HashSet<(u32, u32)> = split.test.rows().iter().map(|row| (row.user, row.item)).collect();
        let chosen: HashSet<(u32, u32)> = split.train.rows().iter().map(|row| (row.user, row.item)).collect();
        let random = Random::new(3);
        let examples = PairwiseExamples::new(split.train, random.stream(Purpose::Steps, "negative items"));
        let mut loader = Loader::<PairwiseExamples>::new(examples, 100, &Device::Cpu)?;
        let mut epoch = |number| -> Result<Vec<(u32, u32)>> {
            random.begin_epoch(number);
            let (mut positives, mut negatives) = (HashSet::new(), Vec::new());
            for batch in loader.epoch() {
                let PairwiseBatch { users, items, negatives: others } = batch?;
                let users = users.to_vec1::<u32>()?;
                positives.extend(users.iter().copied().zip(items.to_vec1::<u32>()?));
                negatives.extend(users.into_iter().zip(others.to_vec1::<u32>()?));
            }
            assert!(positives == chosen && positives.is_disjoint(&tested));
            assert!(negatives.len() == chosen.len() && negatives.iter().all(|pair| !chosen.contains(pair)));
            Ok(negatives)
        };
        let first = epoch(1)?;
        assert_ne!(first, epoch(2)?, "each epoch has others");
        assert_eq!(first, epoch(1)?, "which follow from the seed");
        Ok(())
    }

    #[test]
    fn who_chose_everything_is_named() -> Result<(), Box<dyn std::error::Error>> {
        let rows = (0..3).map(|item| Rating { user: 0, item, rating: 1.0, timestamp: 0 }).collect();
        let draws = Random::new(1).stream(Purpose::Steps, "negative items");
        let examples = PairwiseExamples::new(Ratings::new(rows, 1, 3)?, draws);
        let error = examples.batch(&[0], &Device::Cpu).expect_err("nothing to draw").to_string();
        assert!(error.contains("user 0 (from 0) chose all 3 items"), "{error}");
        Ok(())
    }
}
