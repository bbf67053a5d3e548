//! Rows of different lengths.

/// Rows of ids of different lengths, all in one array: hundreds of thousands of short rows take little more memory than
/// their ids, where a vector for each would take several times as much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ragged {
    ids: Vec<u32>,
    /// Where each row ends among the ids.
    ends: Vec<usize>,
}

impl Ragged {
    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = u32>) {
        self.ids.extend(row);
        self.ends.push(self.ids.len());
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ids of all rows, one after the other.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The row at `index`, which must be below [`Ragged::len`].
    pub fn row(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.ids[start..self.ends[index]]
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|index| self.row(index))
    }
}

impl<R: IntoIterator<Item = u32>> FromIterator<R> for Ragged {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let mut ragged = Self::default();
        rows.into_iter().for_each(|row| ragged.push(row));
        ragged
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_rows_and_empty_rows() {
        assert!(Ragged::default().is_empty() && Ragged::default().rows().next().is_none());
        let rows: Ragged = [vec![], vec![7, 8], vec![], vec![9]].into_iter().collect();
        assert_eq!((rows.len(), rows.ids()), (4, &[7, 8, 9][..]));
        assert_eq!(rows.rows().map(<[u32]>::len).collect::<Vec<_>>(), [0, 2, 0, 1]);
        assert_eq!((rows.row(1), rows.row(3)), (&[7, 8][..], &[9][..]));
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_went_in(rows in prop::collection::vec(prop::collection::vec(0u32..100, 0..5), 0..20)) {
            let ragged: Ragged = rows.iter().cloned().collect();
            prop_assert_eq!(ragged.rows().map(<[u32]>::to_vec).collect::<Vec<_>>(), rows);
        }
    }
}
