//! Ratings to learn from, and others to be tested by (section 16.2).

use d2l::data::DataError;
use d2l::random::Stream;
use rand::Rng;

use crate::ratings::{Rating, Ratings};

/// Which ratings are left for the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SplitMode {
    /// Each with this probability, whenever it was given.
    Random {
        /// Above 0 and below 1.
        test_ratio: f64,
    },
    /// The latest one of each user.
    SequenceAware,
}

/// Two parts of a set, of the same users and items.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What is learned from.
    pub train: Ratings,
    /// What is not known in training.
    pub test: Ratings,
}

impl SplitMode {
    /// Splits ratings; only [`SplitMode::Random`] draws from the stream. In the random mode, both parts keep the ratings' order.
    /// In the sequence-aware mode, the training part goes from user to user and in the order of time, ratings of one second in
    /// the order of the file; the test part has one rating a user, in the users' order: of several in a user's last second the
    /// first of the file, as in the book.
    ///
    /// # Errors
    /// Where a part would be empty, the ratio is not above 0 and below 1, or, in the sequence-aware mode, a user has fewer than
    /// two ratings.
    #[doc(alias = "split_data_ml100k")]
    pub fn split(self, ratings: &Ratings, stream: &mut Stream) -> Result<Split, DataError> {
        match self {
            Self::Random { test_ratio } => random(ratings, test_ratio, stream),
            Self::SequenceAware => sequence_aware(ratings),
        }
    }
}

fn random(ratings: &Ratings, test_ratio: f64, stream: &mut Stream) -> Result<Split, DataError> {
    if !(test_ratio > 0.0 && test_ratio < 1.0) {
        return Err(DataError::Invalid(format!("--test-ratio must be above 0 and below 1, got {test_ratio}")));
    }
    let (test, train): (Vec<Rating>, Vec<Rating>) =
        ratings.rows().iter().partition(|_| stream.random::<f64>() < test_ratio);
    for (part, rows) in [("training", &train), ("test", &test)] {
        if rows.is_empty() {
            let message =
                format!("with --test-ratio {test_ratio} the {part} set of {} ratings is empty", ratings.len());
            return Err(DataError::Invalid(message));
        }
    }
    Ok(Split { train: ratings.part(train), test: ratings.part(test) })
}

/// [`SplitMode::SequenceAware`].
///
/// # Errors
/// Where a user has fewer than two ratings.
pub fn sequence_aware(ratings: &Ratings) -> Result<Split, DataError> {
    let mut rows = ratings.rows().to_vec();
    rows.sort_by_key(|rating| (rating.user, rating.timestamp)); // stable
    let (mut train, mut test) = (Vec::with_capacity(rows.len()), Vec::with_capacity(ratings.num_users()));
    let mut next = 0;
    for user in 0..ratings.num_users() as u32 {
        let length = rows[next..].iter().take_while(|rating| rating.user == user).count();
        let own = &rows[next..next + length];
        next += length;
        let [.., _, last] = own else {
            let message = format!(
                "user {} has too few ratings: {length}, and the sequence-aware split needs one to learn from and one for \
                 the test; leave the user out of the file, and number the users without gaps",
                user + 1
            );
            return Err(DataError::Invalid(message));
        };
        let latest = own.partition_point(|rating| rating.timestamp < last.timestamp);
        test.push(own[latest]);
        train.extend(own[..latest].iter().chain(&own[latest + 1..]));
    }
    Ok(Split { train: ratings.part(train), test: ratings.part(test) })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use d2l::random::{Purpose, Random};
    use proptest::prelude::*;

    use super::*;

    fn stream(seed: u64) -> Stream {
        Random::new(seed).stream(Purpose::Sampling, "split")
    }

    fn rated(rows: &[(u32, u32, u32)]) -> Ratings {
        let rows = rows.iter().map(|&(user, item, timestamp)| Rating { user, item, rating: 3.0, timestamp }).collect();
        Ratings::new(rows, 3, 60).expect("ratings")
    }

    fn pairs(ratings: &Ratings) -> Vec<(u32, u32)> {
        ratings.rows().iter().map(|rating| (rating.user, rating.item)).collect()
    }

    #[test]
    fn the_latest_of_each_user_is_for_the_test() -> Result<(), DataError> {
        let ratings =
            rated(&[(1, 5, 70), (0, 1, 30), (2, 9, 1), (1, 6, 90), (0, 2, 10), (2, 8, 0), (0, 3, 20), (1, 7, 80)]);
        let Split { train, test } = SplitMode::SequenceAware.split(&ratings, &mut stream(1))?;
        assert_eq!(pairs(&test), [(0, 1), (1, 6), (2, 9)]);
        assert_eq!(pairs(&train), [(0, 2), (0, 3), (1, 5), (1, 7), (2, 8)]);
        assert_eq!((train.num_users(), test.num_items()), (3, 60));
        Ok(())
    }

    #[test]
    fn of_one_second_the_first_is_for_the_test_and_the_file_gives_the_order() -> Result<(), DataError> {
        let ratings = rated(&[(0, 4, 9), (0, 3, 9), (0, 2, 5), (0, 1, 9), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 1)]);
        let Split { train, test } = sequence_aware(&ratings)?;
        assert_eq!(pairs(&test), [(0, 4), (1, 0), (2, 1)]);
        assert_eq!(pairs(&train), [(0, 2), (0, 3), (0, 1), (1, 1), (2, 0)]);
        Ok(())
    }

    #[test]
    fn users_with_too_few_ratings_are_named() {
        let error = |rows: &[_]| sequence_aware(&rated(rows)).expect_err("too few").to_string();
        assert!(error(&[(0, 1, 1), (0, 2, 2), (2, 1, 1), (2, 2, 2)]).contains("user 2 has too few ratings: 0"));
        assert!(error(&[(0, 1, 1), (1, 2, 2), (1, 1, 1), (2, 2, 2)]).contains("user 1 has too few ratings: 1"));
    }

    #[test]
    fn the_seed_draws_as_many_for_the_test_as_asked() -> Result<(), DataError> {
        let rows: Vec<(u32, u32, u32)> = (0..180).map(|place| (place % 3, place / 3, 0)).collect();
        let ratings = rated(&rows);
        let mode = SplitMode::Random { test_ratio: 0.5 };
        let one = mode.split(&ratings, &mut stream(1))?;
        assert_eq!(one, mode.split(&ratings, &mut stream(1))?);
        assert_ne!(one, mode.split(&ratings, &mut stream(2))?);
        assert!((60..120).contains(&one.test.len()), "{}", one.test.len()); // 90, standard deviation 7
        Ok(())
    }

    #[test]
    fn empty_parts_and_ratios_that_make_no_sense_are_errors() {
        let error = |test_ratio| {
            let ratings = rated(&[(0, 1, 1)]);
            SplitMode::Random { test_ratio }.split(&ratings, &mut stream(1)).expect_err("nothing").to_string()
        };
        assert!(error(1e-9).contains("the test set of 1 ratings is empty"));
        assert!(error(1.0 - 1e-9).contains("the training set of 1 ratings is empty"));
        for ratio in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(error(ratio).contains("--test-ratio must be above 0"));
        }
    }

    proptest! {
        #[test]
        fn no_rating_is_in_both_parts_or_in_none(times in proptest::collection::vec(0u32..9, 6..60), seed in 0u64..99) {
            let rows: Vec<_> = (0u32..).zip(times).map(|(place, time)| (place % 3, place / 3, time)).collect();
            let ratings = rated(&rows);
            let whole: HashSet<(u32, u32)> = pairs(&ratings).into_iter().collect();
            let random = SplitMode::Random { test_ratio: 0.5 };
            for split in [random, SplitMode::SequenceAware].map(|mode| mode.split(&ratings, &mut stream(seed))) {
                let Ok(Split { train, test }) = split else { continue };
                let (train_pairs, test_pairs) = (pairs(&train), pairs(&test));
                prop_assert_eq!(train_pairs.len() + test_pairs.len(), whole.len());
                let parts: HashSet<_> = train_pairs.into_iter().chain(test_pairs).collect();
                prop_assert_eq!(&parts, &whole);
            }
        }

        #[test]
        fn nothing_that_is_learned_comes_after_the_test(times in proptest::collection::vec(0u32..9, 6..60)) {
            let rows: Vec<_> = (0u32..).zip(times).map(|(place, time)| (place % 3, place / 3, time)).collect();
            let Split { train, test } = sequence_aware(&rated(&rows)).expect("two ratings a user");
            for (user, last) in test.rows().iter().enumerate() {
                prop_assert_eq!(last.user as usize, user);
                let own = train.rows().iter().filter(|rating| rating.user == last.user);
                prop_assert!(own.clone().all(|rating| rating.timestamp <= last.timestamp));
                prop_assert!(own.map(|rating| rating.timestamp).is_sorted());
            }
        }
    }
}
