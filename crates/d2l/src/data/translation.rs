//! Pairs of English and French sentences, for translation (section 9.5).

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::hub::Hub;
use super::{DataError, Dataset, Loader, Source};
use crate::Result;
use crate::random::Stream;
use crate::text::{self, TextError, Vocab};

/// Fills the end of a sequence that is shorter than others.
pub const PAD: &str = "<pad>";
/// Begins a sequence.
pub const BOS: &str = "<bos>";
/// Ends a sequence.
pub const EOS: &str = "<eos>";

/// Sentence pairs as published: an English and a French sentence a line, with a tab between.
#[derive(Debug, Clone)]
pub struct FraEng {
    text: String,
}

impl FraEng {
    /// Reads a file of pairs.
    ///
    /// # Errors
    /// Where the file cannot be read, is not UTF-8, or has a line without a tab; the error names the line.
    #[doc(alias = "read_data_nmt")]
    pub fn read(path: &Path) -> Result<Self, TextError> {
        let text = text::read(path)?;
        match text.lines().enumerate().find(|(_, line)| !line.trim().is_empty() && !line.contains('\t')) {
            Some((number, line)) => {
                Err(TextError::In { path: path.to_path_buf(), fault: Box::new(no_tab(number, line)) })
            }
            None => Ok(Self { text }),
        }
    }

    /// The text as it is in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first pairs, or all, as tokens.
    ///
    /// # Errors
    /// As [`SentencePairs::parse`].
    pub fn pairs(&self, num_examples: Option<usize>) -> Result<SentencePairs, TextError> {
        SentencePairs::parse(&preprocess_pairs(&self.text), num_examples)
    }

    /// The first pairs as padded ids, in shuffled minibatches, with both vocabularies; the book takes 600 pairs.
    ///
    /// # Errors
    /// As [`SentenceArrays::new`] and [`Loader::new`].
    #[doc(alias = "load_data_nmt")]
    pub fn load(
        &self,
        batch_size: usize,
        num_steps: usize,
        num_examples: Option<usize>,
        shuffle: Stream,
        device: &Device,
    ) -> Result<TranslationLoader, DataError> {
        let arrays = SentenceArrays::new(&self.pairs(num_examples)?, num_steps)?;
        Ok(Loader::new(arrays, batch_size, device)?.shuffled(shuffle))
    }
}

impl Source for FraEng {
    const SAMPLE_NOTICE: &'static str = "the sentence pairs could not be had, so this run uses 442 pairs that come with \
         the repository, and its results are not the book's.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Ok(Self::read(&hub.fetch_extracted("fra-eng")?.join("fra.txt"))?)
    }

    /// Four hundred pairs written for this repository.
    fn sample() -> Result<Self, DataError> {
        Ok(Self::read(&super::hub::sample("fra-eng/fra.txt")?)?)
    }
}

/// Turns no-break spaces into spaces, capitals into small letters, and puts a space before each `,` `.` `!` `?` that
/// has none (section 9.5). Letters beyond ASCII stay what they are.
///
/// ```
/// use d2l::data::preprocess_pairs;
///
/// assert_eq!(preprocess_pairs("Go.\tVa\u{202f}!\nWow!\tÇa alors!"), "go .\tva !\nwow !\tça alors !");
/// ```
#[doc(alias = "preprocess_nmt")]
pub fn preprocess_pairs(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let spaced = text.replace(['\u{202f}', '\u{a0}'], " ").to_lowercase();
    let mut previous = None;
    for c in spaced.chars() {
        if matches!(c, ',' | '.' | '!' | '?') && previous.is_some_and(|previous| previous != ' ') {
            out.push(' ');
        }
        out.push(c);
        previous = Some(c);
    }
    out
}

/// Tokenized sentences and their translations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentencePairs {
    /// The tokens of each source sentence.
    pub source: Vec<Vec<String>>,
    /// The tokens of its translation.
    pub target: Vec<Vec<String>>,
}

impl SentencePairs {
    /// Cuts the first `num_examples` lines, or all, at the tab and then at spaces (section 9.5). Empty lines are left
    /// out, and so is what follows a second tab, where newer sets name their authors.
    ///
    /// # Errors
    /// Where a line has no tab.
    #[doc(alias = "tokenize_nmt")]
    pub fn parse(text: &str, num_examples: Option<usize>) -> Result<Self, TextError> {
        let mut pairs = Self { source: Vec::new(), target: Vec::new() };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines.take(num_examples.unwrap_or(usize::MAX)) {
            let mut parts = line.split('\t');
            let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
                return Err(no_tab(number, line));
            };
            let tokens =
                |sentence: &str| sentence.split(' ').filter(|token| !token.is_empty()).map(String::from).collect();
            pairs.source.push(tokens(source));
            pairs.target.push(tokens(target));
        }
        Ok(pairs)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }
}

/// The error of the line `number`, counted from 0.
fn no_tab(number: usize, line: &str) -> TextError {
    TextError::NoTab { line: number + 1, text: line.chars().take(40).collect() }
}

/// The vocabulary of sentences: tokens that occur twice, and those for padding, beginning and end.
pub fn sentence_vocab(sentences: &[Vec<String>]) -> Vocab {
    Vocab::new(sentences.iter().flatten().map(String::as_str), 2, &[PAD, BOS, EOS])
}

/// The first `num_steps` ids of a sequence, filled with `padding` where it is shorter (section 9.5).
///
/// ```
/// use d2l::data::truncate_pad;
///
/// assert_eq!(truncate_pad(&[5, 6, 7], 5, 1), [5, 6, 7, 1, 1]);
/// assert_eq!(truncate_pad(&[5, 6, 7], 2, 1), [5, 6]);
/// ```
pub fn truncate_pad(ids: &[u32], num_steps: usize, padding: u32) -> Vec<u32> {
    ids.iter().copied().chain(std::iter::repeat(padding)).take(num_steps).collect()
}

/// Sentences as ids, each ended by [`EOS`] and then truncated or padded to `num_steps`: ids `(n, num_steps)` and the
/// number of those that are no padding, `(n)`, row by row.
#[doc(alias = "build_array_nmt")]
pub fn sentence_arrays(sentences: &[Vec<String>], vocab: &Vocab, num_steps: usize) -> (Vec<Vec<u32>>, Vec<u32>) {
    let row = |sentence: &Vec<String>| {
        let mut ids = vocab.ids(sentence);
        ids.push(vocab.id(EOS));
        (truncate_pad(&ids, num_steps, vocab.id(PAD)), ids.len().min(num_steps) as u32)
    };
    sentences.iter().map(row).unzip()
}

/// A minibatch of sentence pairs.
#[derive(Debug, Clone)]
pub struct TranslationBatch {
    /// Source ids, `(batch, steps)` of `u32`.
    pub source: Tensor,
    /// How many of them are no padding, `(batch)` of `u32`.
    pub source_lens: Tensor,
    /// Target ids, `(batch, steps)` of `u32`.
    pub target: Tensor,
    /// How many of them are no padding, `(batch)` of `u32`.
    pub target_lens: Tensor,
}

/// Sentence pairs as padded ids, with the vocabularies that they are ids of (section 9.5).
#[derive(Debug, Clone)]
pub struct SentenceArrays {
    /// The source's vocabulary.
    pub source_vocab: Arc<Vocab>,
    /// The target's vocabulary.
    pub target_vocab: Arc<Vocab>,
    source: (Vec<Vec<u32>>, Vec<u32>),
    target: (Vec<Vec<u32>>, Vec<u32>),
    num_steps: usize,
}

/// A loader of minibatches of sentence pairs.
pub type TranslationLoader = Loader<SentenceArrays>;

impl SentenceArrays {
    /// The pairs, each sentence `num_steps` tokens long.
    ///
    /// # Errors
    /// Where there are no pairs or no steps.
    pub fn new(pairs: &SentencePairs, num_steps: usize) -> Result<Self, DataError> {
        if pairs.is_empty() {
            return Err(DataError::invalid("there are no sentence pairs"));
        }
        if num_steps == 0 {
            return Err(DataError::invalid("a sentence needs at least one step"));
        }
        let (source_vocab, target_vocab) = (sentence_vocab(&pairs.source), sentence_vocab(&pairs.target));
        Ok(Self {
            source: sentence_arrays(&pairs.source, &source_vocab, num_steps),
            target: sentence_arrays(&pairs.target, &target_vocab, num_steps),
            source_vocab: Arc::new(source_vocab),
            target_vocab: Arc::new(target_vocab),
            num_steps,
        })
    }

    /// Tokens of each sentence, padding included.
    pub fn num_steps(&self) -> usize {
        self.num_steps
    }
}

impl Dataset for SentenceArrays {
    type Batch = TranslationBatch;

    fn len(&self) -> usize {
        self.source.0.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<TranslationBatch> {
        let ids = |(rows, _): &(Vec<Vec<u32>>, Vec<u32>)| {
            let ids: Vec<u32> = indices.iter().flat_map(|&index| &rows[index]).copied().collect();
            Tensor::from_vec(ids, (indices.len(), self.num_steps), device) // (batch, steps)
        };
        let lens = |(_, lens): &(Vec<Vec<u32>>, Vec<u32>)| {
            let lens: Vec<u32> = indices.iter().map(|&index| lens[index]).collect();
            Tensor::new(lens, device) // (batch)
        };
        Ok(TranslationBatch {
            source: ids(&self.source)?,
            source_lens: lens(&self.source)?,
            target: ids(&self.target)?,
            target_lens: lens(&self.target)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    #[test]
    fn nothing_but_case_and_spaces_changes_in_french() {
        let text = "Où êtes-vous\u{202f}?\tL'été, déjà\u{a0}!\n…?";
        let processed = preprocess_pairs(text);
        assert_eq!(processed, "où êtes-vous ?\tl'été , déjà !\n… ?");
        let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(kept(&processed), kept(&text.to_lowercase()));
        assert_eq!(preprocess_pairs(".\n.a"), ".\n .a"); // the first character of all has none before it
    }

    #[test]
    fn pairs_are_cut_at_the_tab() -> Result<(), Box<dyn std::error::Error>> {
        let pairs = SentencePairs::parse("go .\tva !\n\nhi .\tsalut .\tby somebody\n", None)?;
        assert_eq!(pairs.source, [["go", "."], ["hi", "."]]);
        assert_eq!(pairs.target, [["va", "!"], ["salut", "."]]);
        assert_eq!(SentencePairs::parse("a\tb\nc\td", Some(1))?.len(), 1);
        Ok(())
    }

    #[test]
    fn a_line_without_a_tab_is_named() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::TempDir::new()?;
        let path = folder.path().join("fra.txt");
        std::fs::write(&path, "Go.\tVa !\n\nÇa va sans dire\n")?;
        let message = format!("{}", FraEng::read(&path).expect_err("no tab"));
        assert!(message.contains("fra.txt") && message.contains("line 3 has no tab"), "{message}");
        assert!(message.contains("Ça va sans dire"), "{message}");
        std::fs::write(&path, "")?;
        assert!(format!("{}", FraEng::read(&path).expect_err("empty")).contains("holds no text"));
        Ok(())
    }

    #[test]
    fn arrays_end_with_eos_and_padding() {
        let sentences: Vec<Vec<String>> =
            ["a b a b", "a b", "x"].iter().map(|s| s.split(' ').map(String::from).collect()).collect();
        let vocab = sentence_vocab(&sentences);
        assert_eq!(vocab.len(), 6); // <unk> <pad> <bos> <eos> a b
        let (rows, lens) = sentence_arrays(&sentences, &vocab, 4);
        assert_eq!(rows, [[4, 5, 4, 5], [4, 5, 3, 1], [0, 3, 1, 1]]);
        assert_eq!(lens, [4, 3, 2]);
    }

    #[test]
    fn an_epoch_has_each_pair_of_the_sample_once() -> Result<(), Box<dyn std::error::Error>> {
        let shuffle = Random::new(1).stream(Purpose::Shuffling, "test");
        let mut loader = FraEng::sample()?.load(64, 9, Some(100), shuffle, &Device::Cpu)?;
        let mut sources: Vec<Vec<u32>> = Vec::new();
        for batch in loader.epoch() {
            let batch = batch?;
            assert_eq!(batch.source.dims()[0], batch.target_lens.dims()[0]);
            for (row, len) in batch.target.to_vec2::<u32>()?.iter().zip(batch.target_lens.to_vec1::<u32>()?) {
                let pad = loader_pad(row, len as usize);
                assert!(pad, "{row:?} {len}");
            }
            sources.extend(batch.source.to_vec2::<u32>()?);
        }
        assert_eq!((loader.batches(), sources.len()), (2, 100));
        let mut expected = loader.dataset().source.0.clone();
        sources.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sources, expected);
        Ok(())
    }

    /// Whether padding (id 1) fills a row from `len` on, and only there.
    fn loader_pad(row: &[u32], len: usize) -> bool {
        row.iter().enumerate().all(|(place, &id)| (id == 1) == (place >= len))
    }
}
