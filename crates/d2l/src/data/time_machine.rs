//! The Time Machine: a novel of some thirty thousand words, for language models (section 8.2).

use std::path::Path;

use candle_core::Device;

use super::hub::Hub;
use super::{DataError, Source};
use crate::Result;
use crate::random::Stream;
use crate::text::{self, Sampling, SequenceLoader, TextError, TokenKind, Vocab, letters_only, tokenize};

/// The lines of a novel, with letters and spaces only.
#[derive(Debug, Clone)]
pub struct TimeMachine {
    lines: Vec<String>,
}

impl TimeMachine {
    /// Reads a text in the Latin alphabet and keeps its letters in lower case, see [`letters_only`].
    ///
    /// # Errors
    /// Where the file cannot be read, is not UTF-8, or has no letters.
    #[doc(alias = "read_time_machine")]
    pub fn read(path: &Path) -> Result<Self, TextError> {
        let text = text::read(path)?;
        let lines: Vec<String> = text.lines().map(letters_only).collect();
        if lines.iter().all(String::is_empty) {
            return Err(TextError::NoLetters { path: path.to_path_buf() });
        }
        Ok(Self { lines })
    }

    /// The lines, empty ones included.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The text as ids of its first `max_tokens` characters, or of all, with the vocabulary of the whole text.
    #[doc(alias = "load_corpus_time_machine")]
    pub fn corpus(&self, max_tokens: Option<usize>) -> (Vec<u32>, Vocab) {
        let tokens = tokenize(&self.lines, TokenKind::Char).concat();
        let vocab = Vocab::new(tokens.iter().copied(), 0, &[]);
        let corpus = vocab.ids(&tokens[..max_tokens.unwrap_or(usize::MAX).min(tokens.len())]);
        (corpus, vocab)
    }

    /// Minibatches `(batch_size, num_steps)` of the first `max_tokens` characters, and the vocabulary; the book takes
    /// 10,000 characters.
    ///
    /// # Errors
    /// As [`SequenceLoader::new`].
    #[doc(alias = "load_data_time_machine")]
    pub fn load(
        &self,
        batch_size: usize,
        num_steps: usize,
        sampling: Sampling,
        max_tokens: Option<usize>,
        stream: Stream,
        device: &Device,
    ) -> Result<(SequenceLoader, Vocab), TextError> {
        let (corpus, vocab) = self.corpus(max_tokens);
        Ok((SequenceLoader::new(corpus, batch_size, num_steps, sampling, stream, device)?, vocab))
    }
}

impl Source for TimeMachine {
    const SAMPLE_NOTICE: &'static str = "The Time Machine could not be had, so this run uses a story that comes with the \
         repository, a tenth as long, and its results are not the book's.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Ok(Self::read(&hub.fetch("time_machine")?)?)
    }

    /// Prose of another kind and a tenth of the length, written for this repository.
    fn sample() -> Result<Self, DataError> {
        Ok(Self::read(&super::hub::sample("time_machine/sample.txt")?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    #[test]
    fn the_sample_has_the_letters_of_the_book() -> Result<(), Box<dyn std::error::Error>> {
        let text = TimeMachine::sample()?;
        let (corpus, vocab) = text.corpus(None);
        assert_eq!(vocab.len(), 28); // 26 letters, the space, and the unknown token
        assert!(corpus.len() > 10_000, "{}", corpus.len());
        assert_eq!(text.corpus(Some(500)).0, corpus[..500]);
        assert_eq!(vocab.tokens(&corpus[..4])?.concat(), text.lines().concat()[..4]);
        Ok(())
    }

    #[test]
    fn minibatches_come_from_the_first_characters() -> Result<(), Box<dyn std::error::Error>> {
        let stream = Random::new(1).stream(Purpose::Shuffling, "test");
        let text = TimeMachine::sample()?;
        let (mut loader, vocab) = text.load(2, 5, Sampling::Sequential, Some(100), stream, &Device::Cpu)?;
        let (first, _) = text.corpus(Some(100));
        for batch in loader.epoch() {
            let (x, _) = batch?;
            for row in x.to_vec2::<u32>()? {
                assert!(first.windows(5).any(|part| part == row), "{:?}", vocab.tokens(&row)?);
            }
        }
        Ok(())
    }
}
