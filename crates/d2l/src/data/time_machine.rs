//! The Time Machine: a novel of some thirty thousand words, for language models (section 8.2).

use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::Device;

use super::hub::Hub;
use crate::random::Stream;
use crate::text::{self, Sampling, SequenceLoader, TokenKind, Vocab, letters_only, tokenize};

/// The lines of a novel, with letters and spaces only.
#[derive(Debug, Clone)]
pub struct TimeMachine {
    lines: Vec<String>,
}

impl TimeMachine {
    /// Fetches the text where the cache lacks it, and reads it.
    ///
    /// # Errors
    /// Where no source has the file, and as [`TimeMachine::read`].
    #[doc(alias = "read_time_machine")]
    pub fn fetch(hub: &Hub) -> Result<Self> {
        Self::read(&hub.fetch("time_machine")?)
    }

    /// Reads the committed sample: prose of another kind and a tenth of the length, written for this repository.
    ///
    /// # Errors
    /// As [`TimeMachine::read`].
    pub fn sample() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/samples/time_machine/sample.txt");
        Self::read(&path).context("the sample text that belongs to this repository cannot be read")
    }

    /// Reads a text in the Latin alphabet and keeps its letters in lower case, see [`letters_only`].
    ///
    /// # Errors
    /// Where the file cannot be read, is not UTF-8, or has no letters.
    pub fn read(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let lines: Vec<String> = text.lines().map(letters_only).collect();
        ensure!(lines.iter().any(|line| !line.is_empty()), "{} has no letters of the Latin alphabet", path.display());
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
        batch_shape: (usize, usize),
        sampling: Sampling,
        max_tokens: Option<usize>,
        stream: Stream,
        device: &Device,
    ) -> Result<(SequenceLoader, Vocab)> {
        let (corpus, vocab) = self.corpus(max_tokens);
        Ok((SequenceLoader::new(corpus, batch_shape, sampling, stream, device)?, vocab))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    #[test]
    fn the_sample_has_the_letters_of_the_book() -> Result<()> {
        let text = TimeMachine::sample()?;
        let (corpus, vocab) = text.corpus(None);
        assert_eq!(vocab.len(), 28); // 26 letters, the space, and the unknown token
        assert!(corpus.len() > 10_000, "{}", corpus.len());
        assert_eq!(text.corpus(Some(500)).0, corpus[..500]);
        assert_eq!(vocab.tokens(&corpus[..4])?.concat(), text.lines().concat()[..4]);
        Ok(())
    }

    #[test]
    fn minibatches_come_from_the_first_characters() -> Result<()> {
        let stream = Random::new(1).fork(Purpose::Shuffling);
        let text = TimeMachine::sample()?;
        let (mut loader, vocab) = text.load((2, 5), Sampling::Sequential, Some(100), stream, &Device::Cpu)?;
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
