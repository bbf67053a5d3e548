//! Minibatches of ratings (section 16.2).

use d2l::data::DataError;
use d2l::prelude::*;

use crate::ratings::Ratings;
use crate::splits::Split;

/// Ratings as examples to learn from.
#[derive(Debug, Clone)]
pub struct RatingExamples(Ratings);

/// Some ratings: who gave them, to what, and how many stars.
#[derive(Debug, Clone)]
pub struct RatingBatch {
    /// Users, `(batch)` in `u32`.
    pub users: Tensor,
    /// Items, `(batch)` in `u32`.
    pub items: Tensor,
    /// Stars, `(batch)` in `f32`.
    pub ratings: Tensor,
}

impl RatingExamples {
    /// Each rating is an example.
    pub fn new(ratings: Ratings) -> Self {
        Self(ratings)
    }

    /// The ratings behind the examples.
    pub fn ratings(&self) -> &Ratings {
        &self.0
    }
}

impl Dataset for RatingExamples {
    type Batch = RatingBatch;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<RatingBatch> {
        let rows = || indices.iter().map(move |&index| self.0.rows()[index]);
        Ok(RatingBatch {
            users: Tensor::new(rows().map(|row| row.user).collect::<Vec<_>>(), device)?,
            items: Tensor::new(rows().map(|row| row.item).collect::<Vec<_>>(), device)?,
            ratings: Tensor::new(rows().map(|row| row.rating).collect::<Vec<_>>(), device)?,
        })
    }
}

/// The ratings of each item by all users as an example, 0 where there is none (section 16.4).
#[derive(Debug, Clone)]
pub struct ItemRows {
    /// `(items, users)`
    matrix: Tensor,
}

impl ItemRows {
    /// The rating matrix with a row for each item.
    ///
    /// # Errors
    /// What the device gives.
    pub fn new(ratings: &Ratings, device: &Device) -> Result<Self> {
        let (items, users) = (ratings.num_items(), ratings.num_users());
        let mut values = vec![0f32; items * users];
        for row in ratings.rows() {
            values[row.item as usize * users + row.user as usize] = row.rating;
        }
        Ok(Self { matrix: Tensor::from_vec(values, (items, users), device)? })
    }

    /// The whole matrix, `(items, users)`.
    pub fn matrix(&self) -> &Tensor {
        &self.matrix
    }
}

/// A minibatch is `(batch, users)` in `f32`.
impl Dataset for ItemRows {
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.matrix.dims()[0]
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        self.matrix.index_select(&Tensor::new(indices, self.matrix.device())?, 0)?.to_device(device)
    }
}

impl Split {
    /// Minibatches of the training ratings, in a new order each epoch, and of the test ratings. The last one of an epoch is
    /// smaller where the batch size does not divide the number of ratings; the book carries it over to the next epoch.
    ///
    /// # Errors
    /// As [`Loader::new`].
    #[doc(alias = "split_and_load_ml100k")]
    pub fn loaders(
        self,
        batch_size: usize,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(Loader<RatingExamples>, Loader<RatingExamples>), DataError> {
        let loader = |ratings| Loader::new(RatingExamples::new(ratings), batch_size, device);
        Ok((loader(self.train)?.shuffled(shuffle), loader(self.test)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratings::Rating;
    use crate::splits::SplitMode;

    #[test]
    fn an_epoch_has_each_rating_once() -> Result<(), Box<dyn std::error::Error>> {
        let rows: Vec<Rating> =
            (0..40).map(|n| Rating { user: n % 8, item: n / 8, rating: 1.0 + (n % 5) as f32, timestamp: n }).collect();
        let ratings = Ratings::new(rows.clone(), 8, 5)?;
        let random = Random::new(1);
        let split = SplitMode::SequenceAware.split(&ratings, &mut random.stream(Purpose::Sampling, "split"))?;
        let (mut train, mut test) = split.loaders(5, random.stream(Purpose::Shuffling, "ratings"), &Device::Cpu)?;
        assert_eq!((train.batches(), test.batches(), train.dataset().ratings().num_items()), (7, 2, 5));
        let mut seen = Vec::new();
        for batch in train.epoch().chain(test.epoch()) {
            let RatingBatch { users, items, ratings } = batch?;
            assert_eq!((users.dims(), items.dims()), (ratings.dims(), ratings.dims()));
            let ids = users.to_vec1::<u32>()?.into_iter().zip(items.to_vec1::<u32>()?);
            seen.extend(ids.zip(ratings.to_vec1::<f32>()?).map(|((user, item), stars)| (item, user, stars)));
        }
        seen.sort_by_key(|&(item, user, _)| (item, user));
        let expected: Vec<_> = rows.iter().map(|row| (row.item, row.user, row.rating)).collect();
        assert_eq!(seen, expected);
        Ok(())
    }

    #[test]
    fn items_are_rows_and_what_is_not_rated_is_zero() -> Result<()> {
        let rating = |user, item, rating| Rating { user, item, rating, timestamp: 0 };
        let rows = vec![rating(0, 2, 5.0), rating(1, 0, 3.0), rating(1, 2, 1.0)];
        let rows = ItemRows::new(&Ratings::new(rows, 2, 3).expect("ratings"), &Device::Cpu)?;
        assert_eq!(rows.matrix().to_vec2::<f32>()?, [[0.0, 3.0], [0.0, 0.0], [5.0, 1.0]]);
        assert_eq!(
            (rows.len(), rows.batch(&[2, 0], &Device::Cpu)?.to_vec2::<f32>()?),
            (3, vec![vec![5.0, 1.0], vec![0.0, 3.0]])
        );
        Ok(())
    }
}
