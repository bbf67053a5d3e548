//! What users chose one after the other, and what came next (section 16.7).

use std::iter::repeat_n;

use d2l::data::DataError;
use d2l::prelude::*;

use crate::compact_rows::CompactRows;
use crate::negative_sampling::NegativeSampler;
use crate::ratings::Ratings;

/// What users chose one after the other: so many items that follow each other, the one that came next, and one that the user did
/// not choose.
#[doc(alias = "SeqDataset")]
pub struct SequenceExamples {
    length: usize,
    users: Vec<u32>,
    /// `length` for each example.
    sequences: Vec<u32>,
    targets: Vec<u32>,
    /// The last `length` items of each user.
    latest: Vec<u32>,
    sampler: NegativeSampler,
}

/// A minibatch of [`SequenceExamples`], of `u32`.
#[derive(Debug, Clone)]
pub struct SequenceBatch {
    /// Users, `(batch)`.
    pub users: Tensor,
    /// What they chose, from the oldest to the latest, `(batch, length)`.
    pub sequences: Tensor,
    /// What they chose next, `(batch)`.
    pub items: Tensor,
    /// What they did not choose, `(batch)`.
    pub negatives: Tensor,
}

/// The last `length` of some items; where there are fewer, the first one stands in front as often as is needed.
fn last_items(items: &[u32], length: usize) -> impl Iterator<Item = u32> {
    let missing = length.saturating_sub(items.len());
    let first = items.first().copied().unwrap_or_default();
    repeat_n(first, missing).chain(items[items.len() + missing - length..].iter().copied())
}

impl SequenceExamples {
    /// Sequences of `length` items from ratings in each user's order of time, as a sequence-aware split has them. The items that
    /// are compared with targets are drawn from `draws`.
    ///
    /// A user with `length` items or fewer has one example, filled up with the oldest item; the book fails there.
    ///
    /// # Errors
    /// Where a user has no items, or none has two.
    pub fn new(ratings: &Ratings, length: usize, draws: Stream) -> Result<Self, DataError> {
        let entries = ratings.rows().iter().map(|rating| (rating.user, rating.item));
        let by_user = CompactRows::group(ratings.num_users(), entries);
        let (mut users, mut sequences, mut targets, mut latest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (user, items) in (0..).zip(by_user.rows()) {
            if items.is_empty() {
                let message = format!("user {user} (from 0) has no item, so that nothing is known of what comes next");
                return Err(DataError::Invalid(message));
            }
            for next in length.min(items.len() - 1).max(1)..items.len() {
                users.push(user);
                sequences.extend(last_items(&items[..next], length));
                targets.push(items[next]);
            }
            latest.extend(last_items(items, length));
        }
        if users.is_empty() {
            return Err(DataError::invalid("no user has two items, so that there is no order to learn from"));
        }
        let sampler = NegativeSampler::new(ratings, draws);
        Ok(Self { length, users, sequences, targets, latest, sampler })
    }

    /// What each user chose last, `(users, length)` of `u32`.
    ///
    /// # Errors
    /// What the device gives.
    pub fn latest(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_slice(&self.latest, (self.latest.len() / self.length, self.length), device)
    }
}

impl Dataset for SequenceExamples {
    type Batch = SequenceBatch;

    fn len(&self) -> usize {
        self.users.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<SequenceBatch> {
        let users: Vec<u32> = indices.iter().map(|&index| self.users[index]).collect();
        let items: Vec<u32> = indices.iter().map(|&index| self.targets[index]).collect();
        let sequence = |&index: &usize| &self.sequences[index * self.length..][..self.length];
        let sequences = indices.iter().map(sequence).collect::<Vec<_>>().concat();
        Ok(SequenceBatch {
            sequences: Tensor::from_vec(sequences, (users.len(), self.length), device)?,
            items: Tensor::new(items, device)?,
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

    fn draws() -> Stream {
        Random::new(1).stream(Purpose::Steps, "negative items")
    }

    /// Ratings of each user's items, one after the other.
    fn rated(items: &[&[u32]], num_items: usize) -> Result<Ratings, DataError> {
        let rows = (0u32..).zip(items).flat_map(|(user, items)| {
            (0u32..).zip(*items).map(move |(timestamp, &item)| Rating { user, item, rating: 3.0, timestamp })
        });
        Ratings::new(rows.collect(), items.len(), num_items)
    }

    #[test]
    fn sequences_are_followed_by_what_came_next() -> anyhow::Result<()> {
        let examples = SequenceExamples::new(&rated(&[&[4, 2, 7, 1, 0, 5], &[3, 8], &[6, 0, 1, 2]], 9)?, 3, draws())?;
        let batch = examples.batch(&(0..examples.len()).collect::<Vec<_>>(), &Device::Cpu)?;
        assert_eq!(batch.users.to_vec1::<u32>()?, [0, 0, 0, 1, 2]);
        let sequences = [[4, 2, 7], [2, 7, 1], [7, 1, 0], [3, 3, 3], [6, 0, 1]];
        assert_eq!(batch.sequences.to_vec2::<u32>()?, sequences);
        assert_eq!(batch.items.to_vec1::<u32>()?, [1, 0, 5, 8, 2]);
        assert_eq!(examples.latest(&Device::Cpu)?.to_vec2::<u32>()?, [[1, 0, 5], [3, 3, 8], [0, 1, 2]]);
        Ok(())
    }

    #[test]
    fn short_histories_are_filled_up_and_empty_ones_are_errors() -> anyhow::Result<()> {
        let examples = SequenceExamples::new(&rated(&[&[4], &[3, 8, 1]], 9)?, 3, draws())?;
        let batch = examples.batch(&[0], &Device::Cpu)?;
        assert_eq!((examples.len(), batch.users.to_vec1::<u32>()?), (1, vec![1]));
        assert_eq!((batch.sequences.to_vec2::<u32>()?, batch.items.to_vec1::<u32>()?), (vec![vec![3, 3, 8]], vec![1]));
        assert_eq!(examples.latest(&Device::Cpu)?.to_vec2::<u32>()?, [[4, 4, 4], [3, 8, 1]]);
        let error = SequenceExamples::new(&rated(&[&[4, 1], &[]], 9)?, 3, draws()).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|error| error.contains("user 1 (from 0) has no item")), "{error:?}");
        Ok(())
    }

    #[test]
    fn nothing_of_the_test_is_in_an_example() -> anyhow::Result<()> {
        let MovieLens { ratings, .. } = MovieLens::sample()?;
        let split = sequence_aware(&ratings)?;
        let tested: HashSet<(u32, u32)> = split.test.rows().iter().map(|row| (row.user, row.item)).collect();
        let chosen: HashSet<(u32, u32)> = split.train.rows().iter().map(|row| (row.user, row.item)).collect();
        let examples = SequenceExamples::new(&split.train, 5, draws())?;
        let batch = examples.batch(&(0..examples.len()).collect::<Vec<_>>(), &Device::Cpu)?;
        let (sequences, users) = (batch.sequences.to_vec2::<u32>()?, batch.users.to_vec1::<u32>()?);
        let (items, negatives) = (batch.items.to_vec1::<u32>()?, batch.negatives.to_vec1::<u32>()?);
        for (place, &user) in users.iter().enumerate() {
            assert!(sequences[place].iter().chain([&items[place]]).all(|&item| chosen.contains(&(user, item))));
            assert!(!chosen.contains(&(user, negatives[place])));
        }
        let latest = examples.latest(&Device::Cpu)?.to_vec2::<u32>()?;
        assert!((0u32..).zip(latest).all(|(user, items)| items.iter().all(|&item| !tested.contains(&(user, item)))));
        Ok(())
    }
}
