//! Rows of different lengths in one array, as ratings have them by user or by movie.

/// What belongs to each of so many rows, in one array: of 20 million entries it takes hardly more than these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactRows<T> {
    /// Where each row begins, and where the last one ends.
    offsets: Vec<usize>,
    values: Vec<T>,
}

impl<T: Copy + Default> CompactRows<T> {
    /// Sorts values into `rows` rows, in the order in which they come, by counting: the time grows with their number.
    ///
    /// # Panics
    /// Where a value is for a row beyond the last.
    pub fn group(rows: usize, entries: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut offsets = vec![0usize; rows + 1];
        for (row, _) in entries.clone() {
            offsets[row as usize + 1] += 1;
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let mut next = offsets.clone();
        let mut values = vec![T::default(); offsets[rows]];
        for (row, value) in entries {
            values[next[row as usize]] = value;
            next[row as usize] += 1;
        }
        Self { offsets, values }
    }
}

impl<T> CompactRows<T> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of a row.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> &[T] {
        &self.values[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The same, to be sorted, say.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.values[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = &[T]> {
        self.offsets.windows(2).map(|ends| &self.values[ends[0]..ends[1]])
    }

    /// The values of all rows, one row after the other.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.offsets[..]) + size_of_val(&self.values[..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_keep_their_order_within_a_row() {
        let entries = [(2, 'a'), (0, 'b'), (2, 'c'), (2, 'b'), (0, 'a')];
        let rows = CompactRows::group(4, entries.into_iter());
        assert_eq!(rows.rows().collect::<Vec<_>>(), [&['b', 'a'][..], &[], &['a', 'c', 'b'], &[]]);
        assert_eq!((rows.len(), rows.row(2), rows.row(1).len()), (4, &['a', 'c', 'b'][..], 0));
        assert_eq!(rows.values(), ['b', 'a', 'a', 'c', 'b']);
        assert_eq!(rows.bytes(), 5 * size_of::<usize>() + 5 * size_of::<char>());
        let none = CompactRows::<u8>::group(0, std::iter::empty());
        assert!(none.is_empty() && none.rows().next().is_none());
    }

    proptest! {
        #[test]
        fn every_value_is_in_its_row(entries in proptest::collection::vec((0u32..7, 0u32..100), 0..60)) {
            let mut rows = CompactRows::group(7, entries.iter().copied());
            for row in 0..7 {
                let expected: Vec<u32> =
                    entries.iter().filter(|(of, _)| *of as usize == row).map(|&(_, value)| value).collect();
                prop_assert_eq!(rows.row(row), &expected[..]);
                rows.row_mut(row).sort_unstable();
                prop_assert!(rows.row(row).is_sorted());
            }
        }
    }
}
