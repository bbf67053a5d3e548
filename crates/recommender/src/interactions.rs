//! Implicit feedback: which items each user chose, whatever they thought of them (sections 16.2 and 16.6).

use d2l::data::DataError;
use rand::Rng;

use crate::compact_rows::CompactRows;
use crate::ratings::Ratings;

/// The items of each user, in compact rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interactions {
    /// Ascending within a user's row.
    items: CompactRows<u32>,
    num_items: usize,
}

impl Interactions {
    /// Takes each rating as a choice.
    #[doc(alias = "load_data_ml100k")]
    pub fn new(ratings: &Ratings) -> Self {
        let entries = ratings.rows().iter().map(|rating| (rating.user, rating.item));
        let mut items = CompactRows::group(ratings.num_users(), entries);
        for user in 0..items.len() {
            items.row_mut(user).sort_unstable();
        }
        Self { items, num_items: ratings.num_items() }
    }

    /// How many users there are.
    pub fn num_users(&self) -> usize {
        self.items.len()
    }

    /// How many items there are to choose from.
    pub fn num_items(&self) -> usize {
        self.num_items
    }

    /// How many choices there are.
    pub fn len(&self) -> usize {
        self.items.values().len()
    }

    /// Whether nobody chose anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items that a user chose, ascending.
    ///
    /// # Panics
    /// Where there is no such user.
    pub fn items(&self, user: u32) -> &[u32] {
        self.items.row(user as usize)
    }

    /// Whether a user chose an item.
    ///
    /// # Panics
    /// Where there is no such user.
    pub fn contains(&self, user: u32, item: u32) -> bool {
        self.items(user).binary_search(&item).is_ok()
    }

    /// The items that a user did not choose, ascending: what is ranked for them. The book calls `candidates` what is left
    /// out here.
    ///
    /// # Panics
    /// Where there is no such user.
    pub fn candidates(&self, user: u32) -> Vec<u32> {
        let mut chosen = self.items(user).iter().copied().peekable();
        (0..self.num_items as u32).filter(|&item| chosen.next_if_eq(&item).is_none()).collect()
    }

    /// An item that a user did not choose, each as likely as the others.
    ///
    /// # Errors
    /// Where the user chose all items.
    ///
    /// # Panics
    /// Where there is no such user.
    pub fn negative(&self, user: u32, stream: &mut impl Rng) -> Result<u32, DataError> {
        let chosen = self.items(user);
        let others = self.num_items - chosen.len();
        if others == 0 {
            let message =
                format!("user {user} (from 0) chose all {} items: none is left for a negative one", chosen.len());
            return Err(DataError::Invalid(message));
        }
        Ok(nth_absent(chosen, stream.random_range(0..others as u32)))
    }

    /// [`Interactions::negative`] for each of some users: the negative items of a minibatch.
    ///
    /// # Errors
    /// Where one of the users chose all items.
    ///
    /// # Panics
    /// Where there is no such user.
    pub fn negatives(&self, users: &[u32], stream: &mut impl Rng) -> Result<Vec<u32>, DataError> {
        users.iter().map(|&user| self.negative(user, stream)).collect()
    }

    /// How often each item was chosen.
    pub fn popularity(&self) -> Vec<usize> {
        let mut counts = vec![0; self.num_items];
        for &item in self.items.values() {
            counts[item as usize] += 1;
        }
        counts
    }

    /// The bytes that the index takes.
    pub fn bytes(&self) -> usize {
        self.items.bytes()
    }
}

/// The `n`-th number, from 0, that an ascending list does not have. One draw and a binary search give a negative item, where
/// drawing until none is in the list takes the longer, the more a user chose.
fn nth_absent(list: &[u32], n: u32) -> u32 {
    // Before the number at `place` there are `list[place] - place` that the list lacks.
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low.midpoint(high);
        if list[middle] - middle as u32 <= n { low = middle + 1 } else { high = middle }
    }
    n + low as u32
}

#[cfg(test)]
mod tests {
    use d2l::random::{Purpose, Random, Stream};
    use proptest::prelude::*;

    use super::*;
    use crate::ratings::Rating;

    fn interactions(pairs: &[(u32, u32)], num_users: usize, num_items: usize) -> Interactions {
        let rows = pairs.iter().map(|&(user, item)| Rating { user, item, rating: 3.0, timestamp: 0 }).collect();
        Interactions::new(&Ratings::new(rows, num_users, num_items).expect("ratings"))
    }

    fn stream() -> Stream {
        Random::new(1).stream(Purpose::Sampling, "test")
    }

    #[test]
    fn each_user_has_the_items_and_the_others() {
        let set = interactions(&[(2, 4), (0, 1), (2, 0), (2, 3)], 3, 5);
        assert_eq!((set.items(2), set.items(0), set.items(1)), (&[0, 3, 4][..], &[1][..], &[][..]));
        assert_eq!((set.candidates(2), set.candidates(1)), (vec![1, 2], vec![0, 1, 2, 3, 4]));
        assert!(set.contains(2, 3) && !set.contains(2, 1) && !set.contains(1, 3));
        assert_eq!((set.num_users(), set.num_items(), set.len(), set.is_empty()), (3, 5, 4, false));
        assert_eq!(set.popularity(), [1, 1, 0, 1, 1]);
        assert_eq!(set.bytes(), 4 * size_of::<usize>() + 4 * size_of::<u32>());
    }

    #[test]
    fn negatives_are_drawn_alike_and_none_is_chosen() -> Result<(), DataError> {
        let set = interactions(&[(0, 0), (0, 2), (0, 3), (0, 6)], 1, 7);
        let mut counts = [0usize; 7];
        for negative in set.negatives(&vec![0; 9000], &mut stream())? {
            counts[negative as usize] += 1;
        }
        for (item, count) in counts.into_iter().enumerate() {
            let expected = if set.contains(0, item as u32) { 0 } else { 3000 };
            assert!(count.abs_diff(expected) < 200, "{counts:?}"); // 4 standard deviations are 180
        }
        Ok(())
    }

    #[test]
    fn a_user_who_chose_everything_is_named() {
        let set = interactions(&[(1, 0), (1, 1)], 2, 2);
        assert!(set.negative(0, &mut stream()).is_ok());
        let error = set.negatives(&[0, 1], &mut stream()).expect_err("nothing is left").to_string();
        assert!(error.contains("user 1 (from 0) chose all 2 items"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_absent_is_found_by_its_number(list in proptest::collection::btree_set(0u32..40, 0..40)) {
            let list: Vec<u32> = list.into_iter().collect();
            let absent: Vec<u32> = (0..40).filter(|number| !list.contains(number)).collect();
            for (n, &number) in (0..).zip(&absent) {
                prop_assert_eq!(nth_absent(&list, n), number);
            }
            let pairs: Vec<(u32, u32)> = list.iter().map(|&item| (0, item)).collect();
            prop_assert_eq!(interactions(&pairs, 1, 40).candidates(0), absent);
        }
    }
}
