//! Sentences of the Wall Street Journal, for word vectors (section 14.3).

use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::*;
use d2l::text::{self, TextError, Vocab};

use crate::sections::word_embedding_dataset::{THRESHOLD, centers_and_contexts, negatives, subsample};
use crate::skip_gram_examples::SkipGramExamples;

/// The training set of the Penn Treebank as Mikolov prepared it: a sentence a line, numbers as `N`, rare words as
/// `<unk>`.
#[derive(Debug, Clone)]
pub struct PennTreebank {
    text: String,
}

impl PennTreebank {
    /// How often a word must occur for an id of its own; rarer ones are unknown.
    pub const MIN_FREQ: usize = 10;

    /// Reads a text with a sentence a line and white space between words.
    ///
    /// # Errors
    /// Where the file cannot be read, is not UTF-8 (the error names the line), or holds no text.
    #[doc(alias = "read_ptb")]
    pub fn read(path: &Path) -> Result<Self, TextError> {
        Ok(Self { text: text::read(path)? })
    }

    /// The same text, of its first lines only where a number of them is given.
    pub fn first(mut self, max_sentences: Option<usize>) -> Self {
        if let Some(lines) = max_sentences {
            let end = self.text.split_inclusive('\n').take(lines).map(str::len).sum();
            self.text.truncate(end);
        }
        self
    }

    /// The words of each line; an empty line has none. The book counts one sentence more, the nothing after the last
    /// line's end.
    pub fn sentences(&self) -> Vec<Vec<&str>> {
        self.text.lines().map(|line| line.split_whitespace().collect()).collect()
    }

    /// The words that occur at least [`PennTreebank::MIN_FREQ`] times.
    pub fn vocab(&self) -> Vocab {
        Vocab::new(self.text.split_whitespace(), Self::MIN_FREQ, &[])
    }

    /// Minibatches of central words with contexts and noise words, in a new order each epoch, and the vocabulary. Frequent
    /// words are subsampled, windows and noise words drawn once for all epochs.
    ///
    /// # Errors
    /// Where no sentence has two words after subsampling; as [`negatives`] and [`Loader::new`].
    #[doc(alias = "load_data_ptb")]
    pub fn load(
        &self,
        batch_size: usize,
        max_window_size: usize,
        num_noise_words: usize,
        random: &Random,
        device: &Device,
    ) -> Result<(Loader<SkipGramExamples>, Vocab), DataError> {
        let stream = |name| random.stream(Purpose::Sampling, name);
        let vocab = self.vocab();
        let subsampled = subsample(&self.sentences(), &vocab, THRESHOLD, &mut stream("subsampling"));
        let corpus: Vec<Vec<u32>> = subsampled.iter().map(|sentence| vocab.ids(sentence)).collect();
        let (centers, contexts) = centers_and_contexts(&corpus, max_window_size, &mut stream("windows"));
        if centers.is_empty() {
            return Err(DataError::invalid("the text is too short: after subsampling no sentence has two words"));
        }
        let negatives = negatives(&contexts, &corpus, num_noise_words, &mut stream("noise words"))?;
        let examples = SkipGramExamples::new(centers, contexts, negatives)?;
        let shuffle = random.stream(Purpose::Shuffling, "central words");
        Ok((Loader::new(examples, batch_size, device)?.shuffled(shuffle), vocab))
    }
}

impl Source for PennTreebank {
    const SAMPLE_NOTICE: &'static str = "the Penn Treebank could not be had, so this run uses a small text that comes with \
         the repository, and its results are not the book's.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Ok(Self::read(&hub.fetch_extracted("ptb")?.join("ptb.train.txt"))?)
    }

    /// A text written for this repository: the treebank's license does not allow parts of it to be passed on.
    fn sample() -> Result<Self, DataError> {
        Ok(Self::read(&hub::sample("ptb/ptb.train.txt")?)?)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn of(text: &str) -> PennTreebank {
        PennTreebank { text: text.to_string() }
    }

    #[test]
    fn a_line_is_a_sentence() {
        let text = of(" the  chip is\u{a0}new \n\nça va\n");
        assert_eq!(text.sentences(), [vec!["the", "chip", "is", "new"], vec![], vec!["ça", "va"]]);
        assert_eq!(of("one\ntwo").sentences(), [["one"], ["two"]]);
        assert_eq!(of("one\ntwo\nthree").first(Some(2)).sentences(), [["one"], ["two"]]);
        assert_eq!(of("one\ntwo").first(Some(5)).sentences().len(), 2);
        assert_eq!(of("one\ntwo").first(None).sentences().len(), 2);
    }

    #[test]
    fn rare_words_have_no_id() {
        let text = of(&format!("{}\n{}\n{}", "often ".repeat(10), "rarely ".repeat(9), "<unk> ".repeat(20)));
        let vocab = text.vocab();
        assert_eq!((vocab.len(), vocab.id("often"), vocab.id("rarely"), vocab.id("<unk>")), (2, 1, 0, 0));
    }

    #[test]
    fn files_without_text_or_in_another_encoding_are_named() -> Outcome {
        let folder = TempDir::new()?;
        let path = folder.path().join("ptb.train.txt");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes)?;
            Ok::<_, std::io::Error>(PennTreebank::read(&path).expect_err("at fault").to_string())
        };
        assert!(error(b" \n")?.ends_with("ptb.train.txt holds no text"));
        assert!(error(b"one\ncaf\xe9\n")?.contains("line 2: the byte 0xE9 is not UTF-8"));
        Ok(())
    }

    #[test]
    fn a_text_that_is_too_short_is_an_error() {
        let message = |text: &str| {
            let loaded = of(text).load(4, 2, 5, &Random::new(1), &Device::Cpu);
            loaded.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message("one\ntwo\n").contains("too short"));
        // All words are unknown, so `<unk>` is the only one, and one in a hundred stays.
        assert!(message(&"rare words only\n".repeat(3)).contains("too short"));
    }

    #[test]
    fn an_epoch_of_the_sample_has_each_central_word_once() -> Outcome {
        let text = PennTreebank::sample()?.first(Some(500));
        let random = Random::new(1);
        let (mut loader, vocab) = text.load(64, 5, 5, &random, &Device::Cpu)?;
        let mut examples = 0;
        for batch in loader.epoch() {
            let batch = batch?;
            let (rows, max_len) = batch.contexts_negatives.dims2()?;
            assert_eq!((batch.centers.dims(), batch.labels.dims()), (&[rows, 1][..], &[rows, max_len][..]));
            let ids = batch.contexts_negatives.to_vec2::<u32>()?;
            assert!(ids.iter().flatten().all(|&id| (id as usize) < vocab.len()));
            let (masks, labels) = (batch.masks.to_vec2::<f32>()?, batch.labels.to_vec2::<f32>()?);
            for (row, ids) in ids.iter().enumerate() {
                let contexts = labels[row].iter().filter(|&&label| label == 1.0).count();
                let length = masks[row].iter().filter(|&&mask| mask == 1.0).count();
                assert!((1..=10).contains(&contexts) && length == 6 * contexts, "{contexts} {length}");
                assert!(ids[contexts..length].iter().all(|noise| !ids[..contexts].contains(noise)));
            }
            examples += rows;
        }
        assert_eq!(examples, loader.examples());
        let again = text.load(64, 5, 5, &random, &Device::Cpu)?.0;
        assert_eq!(again.dataset().example(7), loader.dataset().example(7));
        Ok(())
    }
}
