//! Words as sums of the vectors of their parts, after fastText (section 14.6).

use std::collections::HashSet;
use std::ops::RangeInclusive;

use d2l::nn::{Embedding, Init, init};
use d2l::ops::{embedding, matmul, sum};
use d2l::prelude::*;

/// The lengths of fastText's n-grams, in characters.
pub const LENGTHS: RangeInclusive<usize> = 3..=6;

/// The subwords of a word: the n-grams of these lengths, in characters, of the word between `<` and `>`, and that as a
/// whole. Each is there once, the short ones first, the whole last unless it is an n-gram.
///
/// ```
/// use nlp_pretraining::subword_vectors::subwords;
///
/// assert_eq!(subwords("where", 3..=3), ["<wh", "whe", "her", "ere", "re>", "<where>"]);
/// ```
pub fn subwords(word: &str, lengths: RangeInclusive<usize>) -> Vec<String> {
    let whole = format!("<{word}>");
    let characters: Vec<char> = whole.chars().collect();
    let lengths = lengths.take_while(|&length| length <= characters.len()).filter(|&length| length > 0);
    let n_grams = lengths.flat_map(|length| characters.windows(length)).map(|n_gram| n_gram.iter().collect::<String>());
    let mut seen = HashSet::new();
    n_grams.chain([whole]).filter(|subword| seen.insert(subword.clone())).collect()
}

/// fastText's hash of a subword: FNV-1a of 32 bits over its UTF-8. As there, a byte above 127 counts as a negative number,
/// which sets the upper bits too; in ASCII it is the usual FNV-1a.
pub fn hash(subword: &str) -> u32 {
    let add = |hash: u32, byte: u8| (hash ^ byte as i8 as u32).wrapping_mul(16_777_619);
    subword.bytes().fold(2_166_136_261, add)
}

/// Initial values within `±1 / embed_size`, as fastText's.
fn initial(embed_size: usize) -> Init {
    let bound = 1.0 / embed_size as f64;
    init::uniform(-bound, bound)
}

/// A table of vectors for subwords, from which a word's vector is made: their sum, also for a word that was never seen.
///
/// There are too many n-grams for a row each, so a subword's row is its hash modulo the number of rows; some share one.
/// fastText has 2,000,000 rows for the n-grams and, unlike here, others for whole words that it knows.
pub struct SubwordVectors {
    table: Embedding,
    buckets: usize,
}

impl SubwordVectors {
    /// A table of so many rows, uniform within `±1 / embed_size` as in fastText.
    ///
    /// # Errors
    /// Where a size is zero.
    pub fn new(buckets: usize, embed_size: usize, vb: &VarBuilder) -> Result<Self> {
        if buckets == 0 || embed_size == 0 {
            candle_core::bail!("subword vectors need at least one row and one column, not {buckets} and {embed_size}");
        }
        Ok(Self { table: Embedding::with_init(buckets, embed_size, vb, initial(embed_size))?, buckets })
    }

    /// The rows of a word's subwords.
    pub fn buckets(&self, word: &str) -> Vec<u32> {
        subwords(word, LENGTHS).iter().map(|subword| (hash(subword) as usize % self.buckets) as u32).collect()
    }

    /// The vectors of words, `(words, dimension)`: for each the sum over its subwords.
    ///
    /// # Errors
    /// Where there are no words.
    pub fn vectors(&self, words: &[&str]) -> Result<Tensor> {
        let weight = self.table.weight();
        let vector = |word: &&str| {
            let buckets = Tensor::new(self.buckets(word), weight.device())?;
            sum(&embedding(&buckets, weight)?, 0) // (subwords, dimension) -> (dimension)
        };
        Tensor::stack(&words.iter().map(vector).collect::<Result<Vec<_>>>()?, 0)
    }
}

/// The skip-gram model with subwords: a center is the sum of its subwords' vectors, a context word has one of its own.
pub struct SubwordSkipGram {
    /// Of centers.
    pub subwords: SubwordVectors,
    /// Of context words.
    pub contexts: Embedding,
}

impl SubwordSkipGram {
    /// A model of so many context words, with a table of so many rows for subwords.
    ///
    /// # Errors
    /// Where a size is zero.
    pub fn new(words: usize, buckets: usize, embed_size: usize, vb: &VarBuilder) -> Result<Self> {
        let subwords = SubwordVectors::new(buckets, embed_size, &vb.pp("subwords"))?;
        let contexts = Embedding::with_init(words, embed_size, &vb.pp("contexts"), initial(embed_size))?;
        Ok(Self { subwords, contexts })
    }

    /// The logits of all context words for each of some centers, which need not have been seen, `(centers, words)`.
    ///
    /// # Errors
    /// Where there are no centers.
    pub fn logits(&self, centers: &[&str]) -> Result<Tensor> {
        matmul(&self.subwords.vectors(centers)?, &self.contexts.weight().t()?)
    }
}

#[cfg(test)]
mod tests {
    use d2l_testing::gradients::reach_all;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_books_word() {
        let all = subwords("where", LENGTHS);
        let expected = [
            "<wh", "whe", "her", "ere", "re>", "<whe", "wher", "here", "ere>", "<wher", "where", "here>", "<where",
            "where>", "<where>",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn repeated_and_short_words_have_each_subword_once() {
        assert_eq!(subwords("anana", 3..=3), ["<an", "ana", "nan", "na>", "<anana>"]);
        assert_eq!(subwords("a", LENGTHS), ["<a>"]);
        assert_eq!(subwords("ab", LENGTHS), ["<ab", "ab>", "<ab>"]);
        assert_eq!(subwords("", LENGTHS), ["<>"]);
        assert_eq!(subwords("ab", 0..=1), ["<", "a", "b", ">", "<ab>"]);
    }

    #[test]
    fn characters_are_never_cut() {
        assert_eq!(subwords("où🙂", 3..=3), ["<où", "où🙂", "ù🙂>", "<où🙂>"]);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Of the list of test values that came with the algorithm.
        assert_eq!([hash(""), hash("a"), hash("foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
        // "é" is 0xC3 0xA9: with the signs of both bytes, each step of the formula written out.
        let first = (0x811c_9dc5u32 ^ 0xffff_ffc3).wrapping_mul(0x0100_0193);
        assert_eq!(hash("é"), (first ^ 0xffff_ffa9).wrapping_mul(0x0100_0193));
    }

    #[test]
    fn a_vector_is_the_sum_of_its_subwords_and_gets_their_gradients() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let vectors = SubwordVectors::new(97, 3, &parameters.builder())?;
        let table = vectors.table.weight().to_vec2::<f32>()?;
        let mut expected = [0f32; 3];
        for bucket in vectors.buckets("taller") {
            expected.iter_mut().zip(&table[bucket as usize]).for_each(|(sum, x)| *sum += x);
        }
        let found = vectors.vectors(&["tall", "taller"])?;
        assert_eq!(found.dims(), [2, 3]);
        for (found, expected) in found.get(1)?.to_vec1::<f32>()?.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let loss = vectors.vectors(&["tall"])?.sum_all()?;
        reach_all(&parameters, &loss, |_| false)?;
        let grad = backward(&vectors.vectors(&["tall"])?.sum_all()?)?.get(vectors.table.weight())?.to_vec2::<f32>()?;
        for (row, grad) in grad.into_iter().enumerate() {
            let times = vectors.buckets("tall").iter().filter(|&&bucket| bucket as usize == row).count();
            assert_eq!(grad, [times as f32; 3], "row {row}");
        }
        Ok(())
    }

    #[test]
    fn no_rows_and_no_words_are_errors() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        assert!(SubwordVectors::new(0, 3, &parameters.builder()).is_err());
        assert!(SubwordVectors::new(5, 3, &parameters.builder())?.vectors(&[]).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn subwords_are_parts_of_the_word(word in "[a-cé🙂]{0,9}", shortest in 0usize..5, more in 0usize..4) {
            let whole = format!("<{word}>");
            let all = subwords(&word, shortest..=shortest + more);
            prop_assert!(all.contains(&whole));
            let distinct: HashSet<&String> = all.iter().collect();
            prop_assert_eq!(distinct.len(), all.len());
            for subword in &all {
                let length = subword.chars().count();
                prop_assert!(whole.contains(subword.as_str()));
                prop_assert!(*subword == whole || (shortest..=shortest + more).contains(&length));
            }
        }
    }
}
