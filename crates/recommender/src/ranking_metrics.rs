//! How high up in a ranking an item stands: the hit rate and the area under the ROC curve (section 16.6).

/// Where an item stands among others that are ranked by their scores. Items of the same score are in no order: what is
/// measured is the mean over all orders that they could be listed in, so that a model that scores all items alike does no
/// better than chance. The book sorts, and so takes them in the order of their numbers.
///
/// ```
/// use recommender::ranking_metrics::Standing;
///
/// let standing = Standing::of(0.7, [0.9, 0.1, 0.7, 0.2]);
/// assert_eq!(standing, Standing { above: 1, equal: 1, below: 2 });
/// assert_eq!((standing.hit(1), standing.hit(2), standing.hit(3)), (0.0, 0.5, 1.0));
/// assert_eq!(standing.auc(), 2.5 / 4.0);
/// ```
#[doc(alias = "hit_and_auc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many others have a higher score.
    pub above: usize,
    /// How many others have the same score.
    pub equal: usize,
    /// How many others have a lower score.
    pub below: usize,
}

impl Standing {
    /// Counts the others by their scores, all of which must be numbers.
    pub fn of(score: f32, others: impl IntoIterator<Item = f32>) -> Self {
        let mut standing = Self { above: 0, equal: 0, below: 0 };
        for other in others {
            standing.above += usize::from(other > score);
            standing.equal += usize::from(other == score);
            standing.below += usize::from(other < score);
        }
        standing
    }

    /// How many others there are.
    pub fn others(&self) -> usize {
        self.above + self.equal + self.below
    }

    /// Whether the item is among the first `k`: 1 or 0; where that depends on the order of equals, the share of the orders in
    /// which it is.
    pub fn hit(&self, k: usize) -> f64 {
        let places = self.equal + 1; // from `above` on
        k.saturating_sub(self.above).min(places) as f64 / places as f64
    }

    /// The area under the ROC curve: the share of the others that have a lower score, those with the same one counted half. NaN
    /// where there are no others.
    pub fn auc(&self) -> f64 {
        (self.below as f64 + 0.5 * self.equal as f64) / self.others() as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_and_the_last() {
        let others = || (1..100).map(|score| score as f32);
        let (first, last) = (Standing::of(100.0, others()), Standing::of(0.5, others()));
        assert_eq!((first.hit(1), first.auc()), (1.0, 1.0));
        assert_eq!((last.hit(99), last.hit(100), last.auc()), (0.0, 1.0, 0.0));
        assert_eq!((first.hit(0), first.others()), (0.0, 99));
        assert!(Standing::of(1.0, []).auc().is_nan() && Standing::of(1.0, []).hit(1) == 1.0);
    }

    #[test]
    fn where_all_are_alike_chance_decides() {
        let standing = Standing::of(0.5, [0.5; 199]);
        assert_eq!((standing.hit(50), standing.auc()), (0.25, 0.5));
    }

    /// The place of the item, from 0, in a list that is sorted by falling scores, as the book has it: of equals the item comes
    /// after `before` of them.
    fn place(score: f32, others: &[f32], before: usize) -> usize {
        let mut list: Vec<(f32, usize)> = Vec::new();
        let mut equals = 0;
        for &other in others {
            // The item has the number 1 among its equals, those before it 0 and those after it 2.
            let number = if other == score {
                equals += 1;
                if equals <= before { 0 } else { 2 }
            } else {
                0
            };
            list.push((other, number));
        }
        list.push((score, 1));
        list.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        list.iter().position(|&(_, number)| number == 1).unwrap()
    }

    proptest! {
        #[test]
        fn both_are_means_over_sorted_lists(
            score in 0u8..6, others in prop::collection::vec(0u8..6, 1..30), k in 0usize..32,
        ) {
            let (score, others) = (f32::from(score), others.into_iter().map(f32::from).collect::<Vec<_>>());
            let standing = Standing::of(score, others.iter().copied());
            let equals = others.iter().filter(|other| **other == score).count();
            let places: Vec<usize> = (0..=equals).map(|before| place(score, &others, before)).collect();
            let mean = |value: &dyn Fn(usize) -> f64| {
                places.iter().map(|&place| value(place)).sum::<f64>() / places.len() as f64
            };
            let hit = mean(&|place| f64::from(u8::from(place < k)));
            let last = others.len(); // the book's `max`
            let auc = mean(&|place| (last - place) as f64 / last as f64);
            prop_assert!((standing.hit(k) - hit).abs() < 1e-12, "{standing:?} {hit}");
            prop_assert!((standing.auc() - auc).abs() < 1e-12, "{standing:?} {auc}");
            let pairs = others.iter().map(|&other| match score.total_cmp(&other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            });
            prop_assert!((standing.auc() - pairs.sum::<f64>() / others.len() as f64).abs() < 1e-12);
        }
    }
}
