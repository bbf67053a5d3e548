//! Vectors of words, by name, by number and by what is near them (section 14.7).

use std::cmp::Ordering;
use std::path::Path;

use d2l::prelude::*;
use d2l::text::Vocab;
use rayon::prelude::*;

use crate::vector_cache::{self, CachedVectors};

/// Rows that one task multiplies at a time.
const ROWS: usize = 4096;

/// A vector for each of many words.
///
/// Number 0 is [`Vocab::UNKNOWN_TOKEN`], whose vector is zero; the others have the order of the file that they come from, the most frequent first as a
/// rule. A word that the file has twice keeps both rows, and its name means the first. Vectors that were read before
/// lie in a file of the cache, of which the system reads what is looked at.
#[derive(Debug)]
#[doc(alias = "TokenEmbedding")]
pub struct WordVectors(Store);

#[derive(Debug)]
enum Store {
    Memory(Table),
    Cache(CachedVectors),
}

/// The tables of words and vectors, wherever they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub words: &'a [u8],
    pub ends: &'a [u64],
    pub order: &'a [u32],
    pub vectors: &'a [f32],
    pub norms: &'a [f32],
}

/// Words and vectors in memory.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The text of all words, one after the other.
    pub words: Vec<u8>,
    /// Where each word ends in it.
    pub ends: Vec<u64>,
    /// The words' numbers in the order of their bytes, equal ones by number.
    pub order: Vec<u32>,
    /// `(len, dimension)`
    pub vectors: Vec<f32>,
    /// The length of each vector.
    pub norms: Vec<f32>,
}

/// Collects words and vectors.
#[derive(Debug)]
pub struct WordVectorsBuilder {
    dimension: usize,
    table: Table,
}

impl WordVectorsBuilder {
    /// No words yet but the unknown one; vectors will have `dimension` numbers, at least one.
    pub fn new(dimension: usize) -> Self {
        Self::with_room(dimension, 0)
    }

    /// The same with room for so many words.
    pub fn with_room(dimension: usize, words: usize) -> Self {
        let mut builder = Self { dimension: dimension.max(1), table: Table::default() };
        builder.table.vectors.reserve_exact((words + 1) * builder.dimension);
        builder.push(Vocab::UNKNOWN_TOKEN, &vec![0.0; dimension.max(1)]);
        builder
    }

    /// Adds a word. A vector of another length is cut, or filled with zeros.
    pub fn push(&mut self, word: &str, vector: &[f32]) {
        let Self { dimension, table } = self;
        table.words.extend_from_slice(word.as_bytes());
        table.ends.push(table.words.len() as u64);
        let start = table.vectors.len();
        table.vectors.extend(vector.iter().take(*dimension));
        table.vectors.resize(start + *dimension, 0.0);
        table.norms.push(norm(&table.vectors[start..]));
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The words and vectors, ready to be asked.
    pub fn finish(self) -> WordVectors {
        let mut table = self.table;
        let word = |number: u32| word_at(&table.words, &table.ends, number as usize);
        let mut order: Vec<u32> = (0..table.ends.len() as u32).collect();
        order.par_sort_unstable_by(|&a, &b| word(a).cmp(word(b)).then(a.cmp(&b)));
        table.order = order;
        WordVectors(Store::Memory(table))
    }
}

/// The bytes of a word.
fn word_at<'a>(words: &'a [u8], ends: &[u64], number: usize) -> &'a [u8] {
    let start = if number == 0 { 0 } else { ends[number - 1] as usize };
    &words[start..ends[number] as usize]
}

fn norm(vector: &[f32]) -> f32 {
    dot(vector, vector).sqrt()
}

/// The product of two vectors of one length, in eight sums that the processor can keep side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + rest
}

impl WordVectors {
    /// Vectors that [`WordVectors::save`] wrote, from the same source; nothing where there are none, or damaged ones.
    pub(crate) fn open(path: &Path, is_source: impl Fn(&str) -> bool) -> Option<Self> {
        CachedVectors::open(path, is_source).map(|cached| Self(Store::Cache(cached)))
    }

    /// Writes the vectors to a file from which they are there at once the next time; `source` tells what they were read
    /// from.
    ///
    /// # Errors
    /// Where the file cannot be written; nothing half-written is left then.
    pub(crate) fn save(&self, path: &Path, source: &str) -> anyhow::Result<()> {
        match &self.0 {
            Store::Memory(table) => vector_cache::save(path, table, self.dimension(), source),
            Store::Cache(_) => Ok(()),
        }
    }

    fn parts(&self) -> Parts<'_> {
        match &self.0 {
            Store::Memory(Table { words, ends, order, vectors, norms }) => Parts { words, ends, order, vectors, norms },
            Store::Cache(cached) => cached.parts(),
        }
    }

    /// How many words there are, the unknown one among them.
    pub fn len(&self) -> usize {
        self.parts().ends.len()
    }

    /// Never: there is always the unknown word.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.parts().vectors.len() / self.len().max(1)
    }

    /// The word with a number.
    #[doc(alias = "idx_to_token")]
    pub fn word(&self, number: usize) -> Option<&str> {
        let Parts { words, ends, .. } = self.parts();
        (number < ends.len()).then(|| std::str::from_utf8(word_at(words, ends, number)).unwrap_or(Vocab::UNKNOWN_TOKEN))
    }

    /// The number of a word, the first of its rows.
    #[doc(alias = "token_to_idx")]
    pub fn number(&self, word: &str) -> Option<usize> {
        let Parts { words, ends, order, .. } = self.parts();
        let at = order.partition_point(|&number| word_at(words, ends, number as usize) < word.as_bytes());
        let number = *order.get(at)? as usize;
        (word_at(words, ends, number) == word.as_bytes()).then_some(number)
    }

    /// The vector of a word; zero for an unknown one.
    pub fn vector(&self, word: &str) -> &[f32] {
        self.row(self.number(word).unwrap_or(0))
    }

    fn row(&self, number: usize) -> &[f32] {
        let dimension = self.dimension();
        &self.parts().vectors[number * dimension..][..dimension]
    }

    /// The vectors of words, `(words, dimension)`; zero for unknown ones.
    ///
    /// # Errors
    /// What the device gives.
    #[doc(alias = "__getitem__")]
    pub fn vectors<W: AsRef<str>>(&self, words: &[W], device: &Device) -> Result<Tensor> {
        let values: Vec<f32> = words.iter().flat_map(|word| self.vector(word.as_ref())).copied().collect();
        Tensor::from_vec(values, (words.len(), self.dimension()), device)
    }

    /// The `k` words whose vectors have the smallest angle with `x`, of the length of a vector, as numbers with the
    /// cosines of the angles; equal ones in the order of their numbers. One product with all vectors, then a selection.
    ///
    /// The unknown word, whose vector is zero, has the cosine 0 with everything.
    pub fn nearest(&self, x: &[f32], k: usize) -> Vec<(usize, f32)> {
        let Parts { vectors, norms, .. } = self.parts();
        let (dimension, length) = (self.dimension(), norm(x).max(f32::MIN_POSITIVE));
        let mut cosines = vec![0f32; norms.len()];
        cosines.par_chunks_mut(ROWS).enumerate().for_each(|(block, cosines)| {
            let first = block * ROWS;
            let rows = vectors[first * dimension..].chunks_exact(dimension);
            for ((cosine, row), norm) in cosines.iter_mut().zip(rows).zip(&norms[first..]) {
                *cosine = if *norm > 0.0 { dot(row, x) / (norm * length) } else { 0.0 };
            }
        });
        let mut numbers: Vec<usize> = (0..cosines.len()).collect();
        let by_angle = |&a: &usize, &b: &usize| -> Ordering { cosines[b].total_cmp(&cosines[a]).then(a.cmp(&b)) };
        let k = k.min(numbers.len());
        if k == 0 {
            return Vec::new();
        }
        numbers.select_nth_unstable_by(k - 1, by_angle);
        numbers.truncate(k);
        numbers.sort_unstable_by(by_angle);
        numbers.into_iter().map(|number| (number, cosines[number])).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words with vectors of two numbers.
    pub fn compass() -> WordVectors {
        let mut builder = WordVectorsBuilder::new(2);
        let words: [(&str, [f32; 2]); 6] = [
            ("east", [2.0, 0.0]),
            ("north", [0.0, 1.0]),
            ("nordöst", [1.0, 1.0]),
            ("west", [-1.0, 0.0]),
            ("east", [2.0, 2.0]),
            ("", [0.5, -0.5]),
        ];
        words.iter().for_each(|(word, vector)| builder.push(word, vector));
        builder.finish()
    }

    #[test]
    fn words_have_numbers_and_vectors() -> Result<()> {
        let vectors = compass();
        assert_eq!((vectors.len(), vectors.dimension(), vectors.is_empty()), (7, 2, false));
        assert_eq!(vectors.number("nordöst"), Some(3));
        assert_eq!(vectors.word(3), Some("nordöst"));
        assert_eq!((vectors.word(0), vectors.word(7)), (Some(Vocab::UNKNOWN_TOKEN), None));
        assert_eq!(vectors.number("east"), Some(1), "the first of two rows");
        assert_eq!((vectors.number("zenith"), vectors.number("")), (None, Some(6)));
        assert_eq!((vectors.vector("north"), vectors.vector("zenith")), (&[0.0, 1.0][..], &[0.0, 0.0][..]));
        let table = vectors.vectors(&["west", "zenith"], &Device::Cpu)?;
        assert_eq!(table.to_vec2::<f32>()?, [[-1.0, 0.0], [0.0, 0.0]]);
        Ok(())
    }

    #[test]
    fn the_nearest_have_the_smallest_angle_whatever_their_length() {
        let vectors = compass();
        let near: Vec<_> = vectors.nearest(&[3.0, 0.0], 4).into_iter().map(|(number, _)| number).collect();
        assert_eq!(near, [1, 3, 5, 6]); // east, both at 45 degrees by number, then the empty word at -45
        let (number, cosine) = vectors.nearest(&[1.0, 1.0], 1)[0];
        assert_eq!(number, 3);
        assert!((cosine - 1.0).abs() < 1e-6);
        assert_eq!(vectors.nearest(&[1.0, 0.0], 100).len(), 7);
        assert!(vectors.nearest(&[1.0, 0.0], 0).is_empty());
        assert!(vectors.nearest(&[0.0, 0.0], 3).iter().all(|(_, cosine)| *cosine == 0.0));
    }

    proptest! {
        #[test]
        fn the_nearest_are_those_of_a_full_sort(values in prop::collection::vec(-3i8..4, 8..200), k in 0usize..9) {
            let mut builder = WordVectorsBuilder::new(3);
            for (place, row) in values.chunks_exact(3).enumerate() {
                builder.push(&place.to_string(), &[f32::from(row[0]), f32::from(row[1]), f32::from(row[2])]);
            }
            let vectors = builder.finish();
            let all = vectors.nearest(&[1.0, -2.0, 0.5], vectors.len());
            prop_assert!(all.windows(2).all(|pair| pair[0].1 > pair[1].1 || pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0));
            prop_assert_eq!(&vectors.nearest(&[1.0, -2.0, 0.5], k)[..], &all[..k.min(all.len())]);
        }

        #[test]
        fn every_word_is_found_by_its_name(words in prop::collection::vec("[a-cé🙂]{0,3}", 0..40)) {
            let mut builder = WordVectorsBuilder::new(1);
            words.iter().for_each(|word| builder.push(word, &[1.0]));
            let vectors = builder.finish();
            for word in &words {
                let first = words.iter().position(|other| other == word).map(|place| place + 1);
                prop_assert_eq!(vectors.number(word), first);
            }
        }
    }
}
