//! Neighborhoods: movies that the same people like alike, and what follows from them (section 16.1).

use d2l::data::DataError;
use d2l::ops::matmul;
use d2l::prelude::*;

use crate::compact_rows::CompactRows;
use crate::ratings::{Rating, Ratings};
use crate::splits::Split;

/// Similarities of more items than this, one for each pair, would take more than a GB.
const MOST_ITEMS: usize = 1 << 14;

/// How much any two items belong together.
#[derive(Debug, Clone)]
pub struct ItemSimilarity {
    /// Of each item with each.
    values: Vec<f32>,
    num_items: usize,
}

impl ItemSimilarity {
    /// The adjusted cosine of Sarwar et al. (2001): of what two items got above the mean of each user who rated both. Where
    /// few did, it says little, and is taken for less: for `n` of them it is multiplied by `n / (n + shrinkage)`.
    ///
    /// # Errors
    /// Where there are more than some ten thousand items; what the device gives.
    pub fn adjusted_cosine(ratings: &Ratings, shrinkage: f64, device: &Device) -> Result<Self, DataError> {
        check_size(ratings.num_items())?;
        let means = means(ratings, ratings.num_users(), |rating| rating.user);
        let above = dense(ratings, |rating| rating.rating - means[rating.user as usize], device)?; // (users, items)
        let known = dense(ratings, |_| 1.0, device)?; // (users, items)
        let products = matmul(&above.t()?, &above)?; // (items, items)
        // Of the first item, over those who rated the second one, too.
        let squares = matmul(&above.sqr()?.t()?, &known)?; // (items, items)
        let both = matmul(&known.t()?, &known)?; // (items, items)
        let norms = (&squares * squares.t()?)?.sqrt()?;
        let trust = (&both / ((&both + shrinkage)? + TINY)?)?;
        Self::of_tensor(&((products / (norms + TINY)?)? * trust)?)
    }

    /// The cosine of choices: how many users chose both items, divided by the root of how many chose the one times how many
    /// chose the other.
    ///
    /// # Errors
    /// As [`ItemSimilarity::adjusted_cosine`].
    pub fn cosine(ratings: &Ratings, device: &Device) -> Result<Self, DataError> {
        check_size(ratings.num_items())?;
        let known = dense(ratings, |_| 1.0, device)?; // (users, items)
        let both = matmul(&known.t()?, &known)?; // (items, items)
        let norms = (known.sum(0)? + TINY)?.sqrt()?; // (items)
        Self::of_tensor(&both.broadcast_div(&norms.unsqueeze(1)?)?.broadcast_div(&norms)?)
    }

    fn of_tensor(similarities: &Tensor) -> Result<Self, DataError> {
        let num_items = similarities.dim(0)?;
        Ok(Self { values: similarities.flatten_all()?.to_vec1()?, num_items })
    }

    /// The similarities of an item with all items, itself among them.
    ///
    /// # Panics
    /// Where there is no such item.
    pub fn row(&self, item: u32) -> &[f32] {
        &self.values[item as usize * self.num_items..][..self.num_items]
    }

    /// The `k` items that are most similar to one, the nearest first.
    ///
    /// # Panics
    /// Where there is no such item.
    pub fn nearest(&self, item: u32, k: usize) -> Vec<(u32, f32)> {
        let mut others: Vec<(u32, f32)> =
            (0..).zip(self.row(item).iter().copied()).filter(|&(id, _)| id != item).collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        others.truncate(k);
        others
    }

    /// The same with 0 in the place of all but each item's `k` largest similarities with others.
    pub fn of_nearest(&self, k: usize) -> Self {
        let mut values = vec![0f32; self.values.len()];
        for (item, row) in (0u32..).zip(values.chunks_mut(self.num_items.max(1))) {
            for (other, similarity) in self.nearest(item, k) {
                row[other as usize] = similarity;
            }
        }
        Self { values, num_items: self.num_items }
    }

    /// For each item the sum of its similarities with some items: how well it goes with what a user chose.
    ///
    /// # Panics
    /// Where there is no such item.
    pub fn scores(&self, chosen: &[u32]) -> Vec<f32> {
        let mut sums = vec![0f32; self.num_items];
        for &item in chosen {
            sums.iter_mut().zip(self.row(item)).for_each(|(sum, similarity)| *sum += similarity);
        }
        sums
    }
}

/// Added to what could be 0 and is divided by.
const TINY: f64 = 1e-9;

fn check_size(num_items: usize) -> Result<(), DataError> {
    if num_items <= MOST_ITEMS {
        return Ok(());
    }
    Err(DataError::Invalid(format!("similarities of all pairs of {num_items} items: {MOST_ITEMS} is the most")))
}

/// A matrix `(users, items)` that has 0 where there is no rating.
fn dense(ratings: &Ratings, value: impl Fn(&Rating) -> f32, device: &Device) -> Result<Tensor> {
    let (users, items) = (ratings.num_users(), ratings.num_items());
    let mut values = vec![0f32; users * items];
    for rating in ratings.rows() {
        values[rating.user as usize * items + rating.item as usize] = value(rating);
    }
    Tensor::from_vec(values, (users, items), device)
}

/// The mean rating by user or by item, for each of so many; the mean of all where one has no ratings.
pub fn means(ratings: &Ratings, count: usize, of: impl Fn(&Rating) -> u32) -> Vec<f32> {
    let mut sums = vec![(0f64, 0usize); count];
    for rating in ratings.rows() {
        let (sum, number) = &mut sums[of(rating) as usize];
        *sum += f64::from(rating.rating);
        *number += 1;
    }
    let all = ratings.mean();
    sums.into_iter().map(|(sum, number)| (if number == 0 { all } else { sum / number as f64 }) as f32).collect()
}

/// The root of the mean squared error of predicted ratings, given a user and an item; NaN where there is nothing to predict.
pub fn rmse(test: &Ratings, predict: impl Fn(u32, u32) -> f32) -> f64 {
    let square = |row: &Rating| f64::from(row.rating - predict(row.user, row.item)).powi(2);
    (test.rows().iter().map(square).sum::<f64>() / test.len() as f64).sqrt()
}

/// Ratings that section 16.1 predicts one from, at most, and its shrinkage of similarities.
pub const NEIGHBORS: usize = 40;
/// So many users who rated two movies make their similarity count half.
pub const SHRINKAGE: f64 = 25.0;

/// The test RMSE of predictions from similar movies, as in section 16.1.
///
/// # Errors
/// As [`ItemSimilarity::adjusted_cosine`].
pub fn neighborhood_rmse(split: &Split, device: &Device) -> Result<f64, DataError> {
    let similarity = ItemSimilarity::adjusted_cosine(&split.train, SHRINKAGE, device)?;
    let model = NeighborRatings::new(&split.train, similarity, NEIGHBORS);
    Ok(rmse(&split.test, |user, item| model.predict(user, item)))
}

/// Predicts ratings from those that the same user gave to similar items (Sarwar et al., 2001).
#[derive(Debug, Clone)]
pub struct NeighborRatings {
    similarity: ItemSimilarity,
    /// What each user rated, and how.
    by_user: CompactRows<(u32, f32)>,
    user_means: Vec<f32>,
    neighbors: usize,
}

impl NeighborRatings {
    /// Predictions from so many ratings each, at most. `similarity` is that of the ratings' items.
    pub fn new(ratings: &Ratings, similarity: ItemSimilarity, neighbors: usize) -> Self {
        let entries = ratings.rows().iter().map(|rating| (rating.user, (rating.item, rating.rating)));
        let by_user = CompactRows::group(ratings.num_users(), entries);
        let user_means = means(ratings, ratings.num_users(), |rating| rating.user);
        Self { similarity, by_user, user_means, neighbors }
    }

    /// The mean of the user's ratings of the most similar items, weighted by the similarities, as far as these are above 0;
    /// the mean of all their ratings where none is.
    ///
    /// # Panics
    /// Where there is no such user or item.
    pub fn predict(&self, user: u32, item: u32) -> f32 {
        let similarities = self.similarity.row(item);
        let rated = self.by_user.row(user as usize).iter().filter(|(other, _)| *other != item);
        let rated = rated.map(|&(other, stars)| (similarities[other as usize], stars));
        let mut near: Vec<(f32, f32)> = rated.filter(|&(similarity, _)| similarity > 0.0).collect();
        if near.len() > self.neighbors {
            near.select_nth_unstable_by(self.neighbors, |a, b| b.0.total_cmp(&a.0));
            near.truncate(self.neighbors);
        }
        let weights: f32 = near.iter().map(|(similarity, _)| similarity).sum();
        let stars: f32 = near.iter().map(|(similarity, stars)| similarity * stars).sum();
        if weights > 0.0 { stars / weights } else { self.user_means[user as usize] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Device = Device::Cpu;

    /// Ratings from rows of users, 0 for none.
    fn rated(rows: &[&[u8]]) -> Ratings {
        let mut ratings = Vec::new();
        for (user, row) in (0..).zip(rows) {
            for (item, &stars) in (0..).zip(*row).filter(|(_, stars)| **stars > 0) {
                ratings.push(Rating { user, item, rating: f32::from(stars), timestamp: 0 });
            }
        }
        Ratings::new(ratings, rows.len(), rows[0].len()).expect("ratings")
    }

    fn near(a: f32, b: f64) -> bool {
        (f64::from(a) - b).abs() < 1e-5
    }

    #[test]
    fn the_adjusted_cosine_is_that_of_the_formula() -> Result<(), DataError> {
        // Above the means 3, 3 and 4: (2, -2, 0), (1, -1, none) and (1, none, -1).
        let ratings = rated(&[&[5, 1, 3], &[4, 2, 0], &[5, 0, 3]]);
        let similarity = ItemSimilarity::adjusted_cosine(&ratings, 0.0, &CPU)?;
        assert!(near(similarity.row(0)[1], -1.0), "{:?}", similarity.row(0)); // (2·-2 + 1·-1) / (√5 √5)
        // Of items 0 and 2: users 0 (2, 0) and 2 (1, -1).
        assert!(near(similarity.row(0)[2], -1.0 / 5f64.sqrt()), "{:?}", similarity.row(0));
        assert!(near(similarity.row(2)[0], -1.0 / 5f64.sqrt()));
        assert!(near(similarity.row(1)[2], 0.0), "one user, and nothing above the mean: {:?}", similarity.row(1));
        let shrunk = ItemSimilarity::adjusted_cosine(&ratings, 2.0, &CPU)?;
        assert!(near(shrunk.row(0)[1], -0.5), "two users of four: {:?}", shrunk.row(0));
        assert_eq!(similarity.nearest(0, 1), [(2, similarity.row(0)[2])]);
        Ok(())
    }

    #[test]
    fn the_cosine_of_choices_counts_users() -> Result<(), DataError> {
        let ratings = rated(&[&[1, 5, 0, 0], &[3, 0, 2, 0], &[1, 1, 0, 0]]);
        let similarity = ItemSimilarity::cosine(&ratings, &CPU)?;
        assert!(near(similarity.row(0)[1], 2.0 / 6f64.sqrt()) && near(similarity.row(0)[2], 1.0 / 3f64.sqrt()));
        assert!(near(similarity.row(1)[2], 0.0) && near(similarity.row(3)[0], 0.0));
        let scores = similarity.scores(&[0, 2]);
        assert!(near(scores[1], 2.0 / 6f64.sqrt()), "{scores:?}");
        Ok(())
    }

    #[test]
    fn predictions_are_means_of_the_nearest() -> Result<(), DataError> {
        let ratings = rated(&[&[5, 1, 4, 0], &[4, 2, 4, 0], &[1, 5, 2, 0], &[5, 0, 0, 0]]);
        let similarity = ItemSimilarity::adjusted_cosine(&ratings, 0.0, &CPU)?;
        let (first, third) = (similarity.row(0)[2], similarity.row(1)[2]);
        assert!(first > 0.9 && third < 0.0, "{first} {third}");
        let model = NeighborRatings::new(&ratings, similarity, 2);
        assert!(near(model.predict(3, 2), 5.0), "from one rating");
        assert!(near(model.predict(0, 3), 10.0 / 3.0), "an item that nobody rated gets the user's mean");
        assert!(near(model.predict(3, 1), 5.0), "and so does one that is like nothing");
        assert!(near(model.predict(0, 2), 5.0), "not the rating of the item itself");
        let test = rated(&[&[0, 0, 0, 4], &[0, 0, 0, 0], &[0, 0, 0, 0], &[0, 0, 2, 0]]);
        let error = rmse(&test, |user, item| model.predict(user, item));
        assert!((error - f64::midpoint(4.0 / 9.0, 9.0).sqrt()).abs() < 1e-5, "{error}");
        assert!(rmse(&ratings.part(Vec::new()), |_, _| 3.0).is_nan());
        Ok(())
    }

    #[test]
    fn only_the_nearest_count() {
        let ratings = rated(&[&[1, 2, 3, 5]]);
        let values = [[1.0, 0.2, 0.4, 0.1], [0.2, 1.0, 0.0, 0.0], [0.4, 0.0, 1.0, 0.0], [0.1, 0.0, 0.0, 1.0]].concat();
        let similarity = ItemSimilarity { values, num_items: 4 };
        assert_eq!(similarity.nearest(0, 2), [(2, 0.4), (1, 0.2)]);
        let predicted = |neighbors| NeighborRatings::new(&ratings, similarity.clone(), neighbors).predict(0, 0);
        assert!(near(predicted(1), 3.0) && near(predicted(2), (0.4 * 3.0 + 0.2 * 2.0) / 0.6));
        assert!(near(predicted(9), (0.4 * 3.0 + 0.2 * 2.0 + 0.1 * 5.0) / 0.7));
    }

    #[test]
    fn an_item_keeps_its_nearest_others() {
        let values = [[1.0, 0.125, 0.5], [0.125, 1.0, 0.25], [0.5, 0.25, 1.0]].concat();
        let similarity = ItemSimilarity { values, num_items: 3 };
        assert_eq!(similarity.of_nearest(1).values, [0.0, 0.0, 0.5, 0.0, 0.0, 0.25, 0.5, 0.0, 0.0]);
        assert_eq!(similarity.of_nearest(1).scores(&[0, 1]), [0.0, 0.0, 0.75]);
        assert_eq!(similarity.of_nearest(9).scores(&[1]), [0.125, 0.0, 0.25]);
    }

    #[test]
    fn means_of_nothing_are_the_mean_of_all() {
        let ratings = rated(&[&[5, 0], &[2, 0]]);
        assert_eq!(means(&ratings, 2, |rating| rating.item), [3.5, 3.5]);
        assert_eq!(means(&ratings, 2, |rating| rating.user), [5.0, 2.0]);
    }

    #[test]
    fn too_many_items_are_refused() -> Result<(), DataError> {
        let rating = Rating { user: 0, item: 0, rating: 3.0, timestamp: 0 };
        let ratings = Ratings::new(vec![rating], 1, 1 << 15)?;
        let error = ItemSimilarity::cosine(&ratings, &CPU).expect_err("too many").to_string();
        assert!(error.contains("32768 items"), "{error}");
        Ok(())
    }
}
