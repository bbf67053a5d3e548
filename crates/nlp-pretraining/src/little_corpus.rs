//! A text of a few sentences, and what a model is to predict in it (sections 14.1, 14.2 and 14.6).

use std::collections::HashMap;

use anyhow::Context;
use candle_core::{Device, Result, Tensor};
use d2l::text::count_corpus;

/// The six sentences of sections 14.1 and 14.2. "Son" and "daughter" have the same words around them, equally often;
/// "son" and "queen" have others.
pub const FAMILIES: [&str; 6] = [
    "the man loves his son",
    "the man loves his daughter",
    "the woman loves her son",
    "the woman loves her daughter",
    "the king rules his land",
    "the queen rules her land",
];

/// Sentences whose words are numbered, the most frequent first; equally frequent ones in the order in which they came.
#[derive(Debug, Clone)]
pub struct LittleCorpus<'a> {
    /// Each word once.
    pub words: Vec<&'a str>,
    /// How often each word occurs.
    pub counts: Vec<usize>,
    /// The sentences, as numbers of words.
    pub sentences: Vec<Vec<usize>>,
}

impl<'a> LittleCorpus<'a> {
    /// Counts and numbers the words of sentences, which white space separates.
    pub fn new(sentences: &[&'a str]) -> Self {
        let counts = count_corpus(sentences.iter().flat_map(|sentence| sentence.split_whitespace()));
        let (words, counts): (Vec<&str>, Vec<usize>) = counts.into_iter().unzip();
        let ids: HashMap<&str, usize> = words.iter().copied().zip(0..).collect();
        let ids_of = |sentence: &&str| -> Vec<usize> {
            sentence.split_whitespace().filter_map(|word| ids.get(word).copied()).collect()
        };
        let sentences = sentences.iter().map(ids_of).collect();
        Self { words, counts, sentences }
    }

    /// The number of a word.
    ///
    /// # Errors
    /// Where the sentences do not have it.
    pub fn id(&self, word: &str) -> anyhow::Result<usize> {
        let place = self.words.iter().position(|known| *known == word);
        place.with_context(|| format!("the sentences do not have the word {word}"))
    }
}

/// A word that is to be predicted, and the words that it is predicted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// At least one.
    pub given: Vec<usize>,
    /// The one to predict.
    pub word: usize,
}

impl Prediction {
    /// What the skip-gram model predicts: from each center every word at most `window_size` away in its sentence.
    pub fn skip_gram(corpus: &LittleCorpus, window_size: usize) -> Vec<Self> {
        let each = |Self { given: contexts, word: center }: Self| {
            contexts.into_iter().map(move |word| Self { given: vec![center], word })
        };
        Self::cbow(corpus, window_size).into_iter().flat_map(each).collect()
    }

    /// What the continuous bag of words predicts: each center from all words at most `window_size` away in its sentence.
    /// A sentence of one word gives nothing.
    pub fn cbow(corpus: &LittleCorpus, window_size: usize) -> Vec<Self> {
        let centers = corpus.sentences.iter().flat_map(|sentence| (0..sentence.len()).map(move |at| (sentence, at)));
        let around = |(sentence, at): (&Vec<usize>, usize)| {
            let before = &sentence[at.saturating_sub(window_size)..at];
            let behind = sentence[at + 1..].iter().take(window_size);
            Self { given: before.iter().chain(behind).copied().collect(), word: sentence[at] }
        };
        centers.map(around).filter(|prediction| !prediction.given.is_empty()).collect()
    }

    /// Predictions as tensors: the share of each of `words` words in what is given, `(predictions, words)` of `f64`, and the
    /// numbers of the words to predict, `(predictions)`.
    ///
    /// # Errors
    /// What the device gives.
    pub fn tensors(predictions: &[Self], words: usize, device: &Device) -> Result<(Tensor, Tensor)> {
        let share = |Self { given, .. }: &Self| {
            let mut row = vec![0.0; words];
            given.iter().for_each(|&word| row[word] += 1.0 / given.len() as f64);
            row
        };
        let given: Vec<f64> = predictions.iter().flat_map(share).collect();
        let word: Vec<u32> = predictions.iter().map(|prediction| prediction.word as u32).collect();
        Ok((Tensor::from_vec(given, (predictions.len(), words), device)?, Tensor::new(word, device)?))
    }

    /// How often each word is the one to predict where each word alone is given, as a share, `(words, words)` of `f64`.
    ///
    /// # Errors
    /// What the device gives.
    pub fn shares(skip_gram: &[Self], words: usize, device: &Device) -> Result<Tensor> {
        let mut counts = vec![0.0; words * words];
        skip_gram.iter().for_each(|Self { given, word }| counts[given[0] * words + word] += 1.0);
        let counts = Tensor::from_vec(counts, (words, words), device)?;
        counts.broadcast_div(&counts.sum_keepdim(1)?)
    }
}

/// The least that the mean of `-ln P(word | given)` over the predictions can be: their conditional entropy, which the
/// shares of the corpus itself give. The order of the given words does not count.
pub fn least_loss(predictions: &[Prediction]) -> f64 {
    let sorted = predictions.iter().map(|Prediction { given, word }| {
        let mut given = given.clone();
        given.sort_unstable();
        (given, *word)
    });
    let pairs = count_corpus(sorted);
    let mut givens: HashMap<&[usize], usize> = HashMap::new();
    for ((given, _), count) in &pairs {
        *givens.entry(given).or_default() += count;
    }
    // In the order of `pairs`: a sum has the same bits each time.
    let losses = pairs.iter().map(|((given, _), count)| {
        let share = *count as f64 / givens[given.as_slice()] as f64;
        -share.ln() * *count as f64
    });
    losses.sum::<f64>() / predictions.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip_gram(given: usize, word: usize) -> Prediction {
        Prediction { given: vec![given], word }
    }

    #[test]
    fn the_most_frequent_word_is_the_first() -> anyhow::Result<()> {
        let corpus = LittleCorpus::new(&["b  a c", "c d\ta", "c"]);
        assert_eq!((&corpus.words[..], &corpus.counts[..]), (&["c", "a", "b", "d"][..], &[3, 2, 1, 1][..]));
        assert_eq!(corpus.sentences, [vec![2, 1, 0], vec![0, 3, 1], vec![0]]);
        assert_eq!(corpus.id("d")?, 3);
        let error = corpus.id("e").expect_err("no such word").to_string();
        assert!(error.contains("the word e"), "{error}");
        Ok(())
    }

    #[test]
    fn windows_end_with_the_sentence() {
        let corpus = LittleCorpus::new(&["a b c", "d", "", "c b"]);
        let [a, b, c] = ["a", "b", "c"].map(|word| corpus.id(word).expect("a word of the corpus"));
        let cbow = |given: &[usize], word| Prediction { given: given.to_vec(), word };
        let expected = [cbow(&[b], a), cbow(&[a, c], b), cbow(&[b], c), cbow(&[b], c), cbow(&[c], b)];
        assert_eq!(Prediction::cbow(&corpus, 1), expected);
        let expected = [(a, b), (b, a), (b, c), (c, b), (c, b), (b, c)].map(|(given, word)| skip_gram(given, word));
        assert_eq!(Prediction::skip_gram(&corpus, 1), expected);
        // All of a sentence, however wide the window.
        assert_eq!(Prediction::cbow(&corpus, usize::MAX)[0], cbow(&[b, c], a));
        assert!(Prediction::cbow(&corpus, 0).is_empty());
    }

    #[test]
    fn what_is_given_is_a_mean() -> Result<()> {
        let predictions = [Prediction { given: vec![0, 2], word: 1 }, Prediction { given: vec![1, 1], word: 2 }];
        let (given, word) = Prediction::tensors(&predictions, 3, &Device::Cpu)?;
        assert_eq!(given.to_vec2::<f64>()?, [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]);
        assert_eq!(word.to_vec1::<u32>()?, [1, 2]);
        Ok(())
    }

    #[test]
    fn shares_are_those_of_the_corpus() -> Result<()> {
        let predictions = [skip_gram(0, 1), skip_gram(0, 1), skip_gram(0, 0), skip_gram(0, 1), skip_gram(1, 0)];
        let shares = Prediction::shares(&predictions, 2, &Device::Cpu)?;
        assert_eq!(shares.to_vec2::<f64>()?, [[0.25, 0.75], [1.0, 0.0]]);
        Ok(())
    }

    #[test]
    fn the_least_loss_is_the_conditional_entropy() {
        let even = [skip_gram(0, 1), skip_gram(0, 2), skip_gram(1, 0), skip_gram(1, 0)];
        assert!((least_loss(&even) - 2f64.ln() / 2.0).abs() < 1e-15); // ln 2 twice, 0 twice
        let one_in_four = [skip_gram(0, 1), skip_gram(0, 2), skip_gram(0, 2), skip_gram(0, 2)];
        let expected = (4f64.ln() + 3.0 * (4f64 / 3.0).ln()) / 4.0;
        assert!((least_loss(&one_in_four) - expected).abs() < 1e-15);
        let turned = [Prediction { given: vec![0, 1], word: 2 }, Prediction { given: vec![1, 0], word: 3 }];
        assert!((least_loss(&turned) - 2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn son_and_daughter_stand_between_the_same_words() -> anyhow::Result<()> {
        let corpus = LittleCorpus::new(&FAMILIES);
        let around = |word: &str| -> anyhow::Result<Vec<usize>> {
            let id = corpus.id(word)?;
            let predictions = Prediction::skip_gram(&corpus, 2).into_iter();
            let mut words: Vec<usize> = predictions.filter(|p| p.given == [id]).map(|p| p.word).collect();
            words.sort_unstable();
            Ok(words)
        };
        assert_eq!(around("son")?, around("daughter")?);
        assert_ne!(around("son")?, around("queen")?);
        Ok(())
    }
}
