//! How well a model ranks, for every user, the items that they did not know when it learned (section 16.6).

use d2l::data::DataError;
use d2l::prelude::*;

use crate::interactions::Interactions;
use crate::item_similarity::ItemSimilarity;
use crate::ranking_metrics::Standing;
use crate::ratings::Ratings;
use crate::splits::Split;

/// The book's length of the list in which an item is a hit.
pub const CUTOFF: usize = 50;

/// Scores that are computed at a time: enough to keep all threads at work, and little memory.
const SCORES_AT_A_TIME: usize = 1 << 16;

/// Means over users.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankingQuality {
    /// How often an item that was left for the test is among the first of the list.
    pub hit_rate: f64,
    /// The share of the other items that a test item is above.
    pub auc: f64,
}

/// What users knew when a model learned, and what they chose then: what a ranking is judged by.
#[derive(Debug, Clone)]
pub struct RankingTest {
    known: Interactions,
    chosen: Interactions,
    users: Vec<u32>,
    cutoff: usize,
}

impl RankingTest {
    /// A test of lists of `cutoff` items by the two parts of a split.
    ///
    /// # Errors
    /// Where no user has a test item; where a test item is one that its user knew; where there is no other item that a user did
    /// not know, so that there is nothing to rank.
    pub fn new(split: &Split, cutoff: usize) -> Result<Self, DataError> {
        let (known, chosen) = (Interactions::new(&split.train), Interactions::new(&split.test));
        let (sizes, others) = ((known.num_users(), known.num_items()), (chosen.num_users(), chosen.num_items()));
        if sizes != others {
            let message = format!("training set of {sizes:?} users and items, test set of {others:?}");
            return Err(DataError::Invalid(message));
        }
        let users: Vec<u32> = (0..chosen.num_users() as u32).filter(|&user| !chosen.items(user).is_empty()).collect();
        if users.is_empty() {
            return Err(DataError::invalid("the test set is empty: no user has an item to find"));
        }
        for &user in &users {
            let items = chosen.items(user);
            if let Some(item) = items.iter().find(|&&item| known.contains(user, item)) {
                let message = format!("item {item} of user {user}, both from 0, is in the training and the test set");
                return Err(DataError::Invalid(message));
            }
            if known.items(user).len() + items.len() == known.num_items() {
                let message = format!("user {user} (from 0) chose all items: none is left to rank a test item against");
                return Err(DataError::Invalid(message));
            }
        }
        Ok(Self { known, chosen, users, cutoff })
    }

    /// What users knew when the model learned.
    pub fn known(&self) -> &Interactions {
        &self.known
    }

    /// Judges the ranking by `scores`, which gives some users' scores of all items, `(users, items)`. What a user knew is left
    /// out, and so are other test items of theirs, if any, when the place of one is looked for. Where a user has several, they
    /// count as one by their mean.
    ///
    /// The book takes the items from the users' numbers, so that of 1,682 it ranks 943; here all of them are ranked.
    ///
    /// # Errors
    /// What `scores` gives; where these are of another shape or not numbers.
    #[doc(alias = "evaluate_ranking")]
    pub fn evaluate(&self, scores: impl Fn(&[u32]) -> Result<Tensor>) -> Result<RankingQuality, DataError> {
        let num_items = self.known.num_items();
        let mut sums = RankingQuality { hit_rate: 0.0, auc: 0.0 };
        for users in self.users.chunks((SCORES_AT_A_TIME / num_items).max(1)) {
            let scores = scores(users)?.detach();
            if scores.dims() != [users.len(), num_items] {
                let wanted = (users.len(), num_items);
                let message = format!("scores of {:?} where {wanted:?} users and items are ranked", scores.dims());
                return Err(DataError::Invalid(message));
            }
            for (&user, scores) in users.iter().zip(scores.to_vec2::<f32>()?) {
                if scores.iter().any(|score| score.is_nan()) {
                    return Err(DataError::Invalid(format!("a score of user {user} (from 0) is not a number")));
                }
                let quality = self.of_user(user, &scores);
                sums.hit_rate += quality.hit_rate;
                sums.auc += quality.auc;
            }
        }
        let count = self.users.len() as f64;
        Ok(RankingQuality { hit_rate: sums.hit_rate / count, auc: sums.auc / count })
    }

    /// The means over a user's test items.
    fn of_user(&self, user: u32, scores: &[f32]) -> RankingQuality {
        let mut others = self.known.candidates(user);
        others.retain(|&item| !self.chosen.contains(user, item));
        let items = self.chosen.items(user);
        let standings = items
            .iter()
            .map(|&item| Standing::of(scores[item as usize], others.iter().map(|&other| scores[other as usize])));
        let (hits, auc) = standings.fold((0.0, 0.0), |(hits, auc), at| (hits + at.hit(self.cutoff), auc + at.auc()));
        RankingQuality { hit_rate: hits / items.len() as f64, auc: auc / items.len() as f64 }
    }

    /// How well the neighborhoods of section 16.1 rank, which know nothing but which items the same users chose in `train`.
    ///
    /// # Errors
    /// As [`ItemSimilarity::cosine`].
    pub fn neighborhoods(&self, train: &Ratings, device: &Device) -> Result<RankingQuality, DataError> {
        self.by_similarity(&ItemSimilarity::cosine(train, device)?)
    }

    /// How well lists rank in which an item stands the higher, the more similar it is to what the user knew.
    ///
    /// # Errors
    /// As [`RankingTest::evaluate`].
    pub fn by_similarity(&self, similarity: &ItemSimilarity) -> Result<RankingQuality, DataError> {
        self.evaluate(|users| {
            let scores: Vec<f32> = users.iter().flat_map(|&user| similarity.scores(self.known.items(user))).collect();
            Tensor::from_vec(scores, (users.len(), self.known.num_items()), &Device::Cpu)
        })
    }
}

/// A builder of a twin of a net: its layers hold the same numbers, always up to date, but record no gradients, so that
/// evaluating it builds no graph.
pub fn without_gradients(parameters: &Parameters) -> VarBuilder {
    let tensors = parameters.named().into_iter().map(|(name, variable)| (name, variable.as_detached_tensor()));
    VarBuilder::from_tensors(tensors.collect(), DType::F32, parameters.device())
}

#[cfg(test)]
mod tests {
    use d2l::nn::{Embedding, Linear};
    use d2l::ops::mse_loss;
    use proptest::prelude::*;

    use super::*;
    use crate::ratings::Rating;

    fn ratings(pairs: &[(u32, u32)], num_users: usize, num_items: usize) -> Ratings {
        let rows = pairs.iter().map(|&(user, item)| Rating { user, item, rating: 3.0, timestamp: 0 }).collect();
        Ratings::new(rows, num_users, num_items).expect("ratings")
    }

    fn split(train: &[(u32, u32)], test: &[(u32, u32)], num_users: usize, num_items: usize) -> Split {
        Split { train: ratings(train, num_users, num_items), test: ratings(test, num_users, num_items) }
    }

    fn rows(scores: &[Vec<f32>]) -> impl Fn(&[u32]) -> Result<Tensor> + '_ {
        move |users: &[u32]| {
            let rows: Vec<f32> = users.iter().flat_map(|&user| scores[user as usize].clone()).collect();
            Tensor::from_vec(rows, (users.len(), scores[0].len()), &Device::Cpu)
        }
    }

    #[test]
    fn what_a_user_knew_is_left_out() -> Result<(), DataError> {
        // User 0 knew the first two, whose scores are the highest: of the others the test item 2 is second, behind 4.
        let split = split(&[(0, 0), (0, 1), (1, 4)], &[(0, 2), (1, 0)], 2, 5);
        let scores = vec![vec![9.0, 8.0, 3.0, 2.0, 4.0], vec![5.0, 1.0, 2.0, 3.0, 9.0]];
        let quality = |cutoff| RankingTest::new(&split, cutoff)?.evaluate(rows(&scores));
        assert_eq!(quality(1)?, RankingQuality { hit_rate: 0.5, auc: 0.75 });
        assert_eq!(quality(2)?, RankingQuality { hit_rate: 1.0, auc: 0.75 });
        Ok(())
    }

    #[test]
    fn a_users_test_items_do_not_stand_in_each_others_way() -> Result<(), DataError> {
        let split = split(&[(0, 0)], &[(0, 1), (0, 2)], 2, 4);
        let test = RankingTest::new(&split, 1)?;
        let quality = test.evaluate(rows(&[vec![0.0, 3.0, 2.0, 1.0], vec![0.0; 4]]))?;
        assert_eq!(quality, RankingQuality { hit_rate: 1.0, auc: 1.0 }, "user 1 has no test item");
        Ok(())
    }

    #[test]
    fn tests_that_make_no_sense_are_errors() {
        let error = |split: &Split| RankingTest::new(split, 50).expect_err("no test").to_string();
        let leaking = split(&[(0, 0), (1, 2)], &[(0, 1), (1, 2)], 2, 3);
        assert!(error(&leaking).contains("item 2 of user 1, both from 0, is in the training and the test set"));
        assert!(error(&split(&[(0, 0)], &[], 1, 3)).contains("the test set is empty"));
        assert!(error(&split(&[(0, 0), (0, 1)], &[(0, 2)], 1, 3)).contains("user 0 (from 0) chose all items"));
        let other = Split { train: ratings(&[(0, 0)], 1, 3), test: ratings(&[(0, 1)], 1, 4) };
        assert!(error(&other).contains("training set of (1, 3)"));
    }

    #[test]
    fn scores_that_are_none_are_errors() -> Result<(), DataError> {
        let test = RankingTest::new(&split(&[(0, 0)], &[(0, 1)], 1, 3), 50)?;
        let error = |scores: Vec<f32>| test.evaluate(rows(&[scores])).expect_err("no scores").to_string();
        assert!(error(vec![0.0; 2]).contains("scores of [1, 2] where (1, 3) users and items are ranked"));
        assert!(error(vec![0.0, f32::NAN, 0.0]).contains("a score of user 0 (from 0) is not a number"));
        assert!(test.known().contains(0, 0) && !test.known().contains(0, 1));
        Ok(())
    }

    #[test]
    fn neighborhoods_find_what_others_chose_together() -> Result<(), DataError> {
        // Of the even items and of the odd ones, each user chose all but one; that one is the test item.
        let all = (0..12u32).flat_map(|user| (0..6u32).map(move |place| (user, 2 * place + user % 2)));
        let (test, train): (Vec<_>, Vec<_>) = all.partition(|&(user, item)| item / 2 == user / 2);
        let split = split(&train, &test, 12, 12);
        let quality = RankingTest::new(&split, 1)?.neighborhoods(&split.train, &Device::Cpu)?;
        assert_eq!(quality, RankingQuality { hit_rate: 1.0, auc: 1.0 });
        Ok(())
    }

    #[test]
    fn a_twin_follows_its_net_and_records_nothing() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let build = |vb: &VarBuilder| -> Result<(Embedding, Linear)> {
            Ok((Embedding::new(5, 3, &vb.pp("table"))?, Linear::new(3, 1, &vb.pp("output"))?))
        };
        let (table, output) = build(&parameters.builder())?;
        let (twin_table, twin_output) = build(&without_gradients(&parameters))?;
        let ids = Tensor::new(&[0u32, 4, 2], &Device::Cpu)?;
        let (y, twin) = (output.forward(&table.forward(&ids)?)?, || twin_output.forward(&twin_table.forward(&ids)?));
        assert!(y.track_op() && !twin()?.track_op());
        assert_eq!(y.to_vec2::<f32>()?, twin()?.to_vec2::<f32>()?);
        Sgd::new(&parameters, 0.5).minimize(&mse_loss(&y, &y.ones_like()?, Reduction::Mean)?)?;
        assert_ne!(y.to_vec2::<f32>()?, twin()?.to_vec2::<f32>()?);
        assert_eq!(output.forward(&table.forward(&ids)?)?.to_vec2::<f32>()?, twin()?.to_vec2::<f32>()?);
        Ok(())
    }

    proptest! {
        #[test]
        fn it_is_the_mean_of_sorted_lists(
            // 0: neither, 1: known, 2: the test item of the user, of which the last one counts.
            kinds in prop::collection::vec(prop::collection::vec(0u8..3, 12), 1..6),
            scores in prop::collection::vec(prop::collection::vec(0u8..9, 12), 6),
            cutoff in 1usize..12,
        ) {
            let (mut train, mut test) = (Vec::new(), Vec::new());
            for (user, kinds) in (0u32..).zip(&kinds) {
                let chosen = kinds.iter().rposition(|&kind| kind == 2);
                prop_assume!(chosen.is_some() && kinds.iter().filter(|kind| **kind != 1).count() > 1);
                train.extend((0u32..).zip(kinds).filter(|(_, kind)| **kind == 1).map(|(item, _)| (user, item)));
                test.extend(chosen.map(|item| (user, item as u32)));
            }
            let split = split(&train, &test, kinds.len(), 12);
            let scores: Vec<Vec<f32>> =
                scores.iter().map(|row| row.iter().map(|&score| f32::from(score)).collect()).collect();
            let quality = RankingTest::new(&split, cutoff).unwrap().evaluate(rows(&scores)).unwrap();
            let (mut hits, mut auc) = (0.0, 0.0);
            for &(user, item) in &test {
                let scores = &scores[user as usize];
                let mut list: Vec<u32> = (0..12).filter(|&other| !train.contains(&(user, other))).collect();
                // Both orders of equals, at whose ends the item stands first and last, give the mean over all.
                for front in [true, false] {
                    list.sort_by(|&a, &b| {
                        let by_score = scores[b as usize].total_cmp(&scores[a as usize]);
                        let (a, b) = (a == item, b == item);
                        by_score.then(if front { b.cmp(&a) } else { a.cmp(&b) })
                    });
                    let place = list.iter().position(|&other| other == item).unwrap();
                    auc += 0.5 * (list.len() - 1 - place) as f64 / (list.len() - 1) as f64;
                }
                let above = list.iter().filter(|&&other| scores[other as usize] > scores[item as usize]).count();
                let equal = list.iter().filter(|&&other| scores[other as usize] == scores[item as usize]).count();
                hits += (above..above + equal).filter(|&place| place < cutoff).count() as f64 / equal as f64;
            }
            let count = test.len() as f64;
            prop_assert!((quality.hit_rate - hits / count).abs() < 1e-9, "{quality:?} {}", hits / count);
            prop_assert!((quality.auc - auc / count).abs() < 1e-9, "{quality:?} {}", auc / count);
        }
    }
}
