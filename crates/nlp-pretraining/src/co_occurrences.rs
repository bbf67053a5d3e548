//! How often words stand near each other (section 14.5).

use std::ops::Range;

use d2l::data::DataError;
use d2l::prelude::*;
use rayon::prelude::*;

/// For each pair of words how often one stands near the other, each time divided by how far away: `x_ij` of GloVe. Only
/// pairs that occur have an entry, sorted by the first word, then the second; `x_ij` and `x_ji` are equal.
#[derive(Debug, Clone)]
pub struct CoOccurrences {
    words: Vec<u32>,
    contexts: Vec<u32>,
    counts: Vec<f32>,
}

impl CoOccurrences {
    /// Counts the pairs of words at most `window` places apart in one sentence.
    ///
    /// # Errors
    /// Where no sentence has two words, or the window none.
    pub fn count(corpus: &[Vec<u32>], window: usize) -> Result<Self, DataError> {
        let mut pairs = Vec::new(); // the smaller id, the larger, their distance
        for sentence in corpus {
            for (place, &word) in sentence.iter().enumerate() {
                let after = sentence[place + 1..].iter().take(window);
                pairs
                    .extend((1u32..).zip(after).map(|(distance, &other)| (word.min(other), word.max(other), distance)));
            }
        }
        if pairs.is_empty() {
            return Err(DataError::invalid("no two words stand near each other: the text or the window is too small"));
        }
        // Sorted, equal pairs are neighbors, and their sum does not hang on where in the text they stand.
        pairs.par_sort_unstable();
        let mut entries = Vec::new();
        for same in pairs.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (a, b, _) = same[0];
            let count: f64 = same.iter().map(|&(_, _, distance)| f64::from(distance).recip()).sum();
            if a == b {
                entries.push((a, a, 2.0 * count)); // each of the two is a context of the other
            } else {
                entries.extend([(a, b, count), (b, a, count)]);
            }
        }
        drop(pairs);
        entries.par_sort_unstable_by_key(|&(word, context, _)| (word, context));
        Ok(Self {
            words: entries.iter().map(|entry| entry.0).collect(),
            contexts: entries.iter().map(|entry| entry.1).collect(),
            counts: entries.iter().map(|entry| entry.2 as f32).collect(),
        })
    }

    /// The counts of all entries.
    pub fn counts(&self) -> &[f32] {
        &self.counts
    }

    /// How many bytes the entries take.
    pub fn bytes(&self) -> usize {
        self.words.len() * (size_of::<u32>() + size_of::<u32>() + size_of::<f32>())
    }

    /// Where the entries of a word lie.
    fn range(&self, word: u32) -> Range<usize> {
        self.words.partition_point(|&other| other < word)..self.words.partition_point(|&other| other <= word)
    }

    /// The words that stand near a word, with their counts, sorted by their ids.
    pub fn of(&self, word: u32) -> impl Iterator<Item = (u32, f32)> {
        let range = self.range(word);
        self.contexts[range.clone()].iter().copied().zip(self.counts[range].iter().copied())
    }

    /// The count of a pair, 0 where the words never stand near each other.
    pub fn get(&self, word: u32, context: u32) -> f32 {
        let range = self.range(word);
        self.contexts[range.clone()].binary_search(&context).map_or(0.0, |place| self.counts[range.start + place])
    }

    /// The counts of all that stands near a word together: `x_i`.
    pub fn total(&self, word: u32) -> f64 {
        self.of(word).map(|(_, count)| f64::from(count)).sum()
    }
}

/// Some entries of [`CoOccurrences`].
#[derive(Debug, Clone)]
pub struct CoOccurrenceBatch {
    /// `(batch)` of `u32`
    pub words: Tensor,
    /// `(batch)` of `u32`
    pub contexts: Tensor,
    /// How often they stand near each other, `(batch)` of `f32`, all above 0.
    pub counts: Tensor,
}

impl Dataset for CoOccurrences {
    type Batch = CoOccurrenceBatch;

    fn len(&self) -> usize {
        self.words.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<CoOccurrenceBatch> {
        let ids = |ids: &[u32]| indices.iter().map(|&index| ids[index]).collect::<Vec<_>>();
        let counts: Vec<f32> = indices.iter().map(|&index| self.counts[index]).collect();
        Ok(CoOccurrenceBatch {
            words: Tensor::new(ids(&self.words), device)?,
            contexts: Tensor::new(ids(&self.contexts), device)?,
            counts: Tensor::new(counts, device)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(counts: &CoOccurrences) -> Vec<(u32, u32, f32)> {
        let pairs = counts.words.iter().zip(&counts.contexts).zip(&counts.counts);
        pairs.map(|((&word, &context), &count)| (word, context, count)).collect()
    }

    #[test]
    fn near_pairs_count_by_their_distance() -> Result<(), DataError> {
        let counts = CoOccurrences::count(&[vec![3, 1, 2, 1], vec![9], vec![]], 2)?;
        // 3-1 at 1; 3-2 at 2; 1-2 at 1 twice; 1-1 at 2, each of them the other's context; 3-1 at 3 is too far.
        let expected = [(1, 1, 1.0), (1, 2, 2.0), (1, 3, 1.0), (2, 1, 2.0), (2, 3, 0.5), (3, 1, 1.0), (3, 2, 0.5)];
        assert_eq!(entries(&counts), expected);
        assert_eq!((counts.len(), counts.bytes(), counts.counts()[1]), (7, 84, 2.0));
        assert_eq!((counts.get(1, 2), counts.get(2, 2), counts.get(9, 1), counts.get(77, 0)), (2.0, 0.0, 0.0, 0.0));
        assert_eq!((counts.total(1), counts.total(9)), (4.0, 0.0));
        Ok(())
    }

    #[test]
    fn a_text_without_pairs_is_an_error() {
        for (corpus, window) in [(vec![], 5), (vec![vec![1], vec![2]], 5), (vec![vec![1, 2]], 0)] {
            let error = CoOccurrences::count(&corpus, window).expect_err("no pairs").to_string();
            assert!(error.contains("too small"), "{error}");
        }
    }

    #[test]
    fn minibatches_are_entries() -> Result<(), Box<dyn std::error::Error>> {
        let counts = CoOccurrences::count(&[vec![3, 1, 2, 1]], 2)?;
        let batch = counts.batch(&[4, 0], &Device::Cpu)?;
        assert_eq!((batch.words.to_vec1::<u32>()?, batch.contexts.to_vec1::<u32>()?), (vec![2, 1], vec![3, 1]));
        assert_eq!(batch.counts.to_vec1::<f32>()?, [0.5, 1.0]);
        Ok(())
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_plain_table(
            corpus in prop::collection::vec(prop::collection::vec(0u32..6, 0..12), 1..6), window in 1usize..5,
        ) {
            let mut table = [[0f64; 6]; 6];
            for sentence in &corpus {
                for (i, &a) in sentence.iter().enumerate() {
                    for (j, &b) in sentence.iter().enumerate() {
                        if i != j && i.abs_diff(j) <= window {
                            table[a as usize][b as usize] += 1.0 / i.abs_diff(j) as f64;
                        }
                    }
                }
            }
            let expected: Vec<(u32, u32, f64)> = (0..6u32)
                .flat_map(|a| (0..6u32).map(move |b| (a, b)))
                .map(|(a, b)| (a, b, table[a as usize][b as usize]))
                .filter(|entry| entry.2 > 0.0)
                .collect();
            match CoOccurrences::count(&corpus, window) {
                Err(_) => prop_assert!(expected.is_empty()),
                Ok(counts) => {
                    let found = entries(&counts);
                    prop_assert_eq!(found.len(), expected.len());
                    for (found, expected) in found.iter().zip(&expected) {
                        prop_assert_eq!((found.0, found.1), (expected.0, expected.1));
                        prop_assert!((f64::from(found.2) - expected.2).abs() < 1e-5, "{found:?} {expected:?}");
                    }
                }
            }
        }
    }
}
