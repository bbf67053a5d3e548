//! WikiText-2: articles of Wikipedia with their punctuation, so that sentences can be told apart (section 14.9).

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::text::{self, TextError, Vocab};
use flate2::read::GzDecoder;

use crate::sections::bert::RESERVED;

/// What stands between two sentences of a paragraph. Those that end otherwise are not told apart, as in the book.
const BETWEEN_SENTENCES: &str = " . ";

/// A word that occurs less often is unknown.
const MIN_FREQ: usize = 5;

/// Unpacked, the text has eleven million bytes; a file that holds more than this is another one.
const MAX_BYTES: u64 = 1 << 26;

/// Paragraphs of sentences, in lower case.
#[derive(Debug, Clone)]
pub struct WikiText2 {
    text: String,
    /// Where the paragraphs stand in the text.
    paragraphs: Vec<Range<usize>>,
}

impl WikiText2 {
    /// Reads a file with a paragraph a line and spaces around each token.
    ///
    /// # Errors
    /// Where the file cannot be read or is not UTF-8, or no line has a full stop between spaces.
    #[doc(alias = "_read_wiki")]
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::of_file(&text::read(path)?, path)
    }

    /// The same from a file that gzip has packed.
    ///
    /// # Errors
    /// As [`WikiText2::read`], and where the file is damaged.
    pub fn read_gzipped(path: &Path) -> Result<Self, DataError> {
        let failed = |reason| TextError::Io { path: path.to_path_buf(), reason };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        GzDecoder::new(file).take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_BYTES {
            let message = format!("{} has more than {MAX_BYTES} bytes of text: it is another file", path.display());
            return Err(DataError::Invalid(message));
        }
        Self::of_file(&text, path)
    }

    fn of_file(text: &str, path: &Path) -> Result<Self, DataError> {
        Self::parse(text).ok_or_else(|| {
            let what = "has no paragraph: no line has a full stop between two spaces, where a sentence would end";
            DataError::invalid(format!("{} {what}", path.display()))
        })
    }

    /// The paragraphs of a text, if it has any: the lines in which a full stop stands between two spaces. It may be the
    /// last token, since a line of the set ends with a space. So, as in the book, a paragraph of one sentence stays, of
    /// which no pair can be made, but which can come after a sentence of another.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let (mut paragraphs, mut start) = (Vec::new(), 0);
        for line in text.split('\n') {
            if line.contains(BETWEEN_SENTENCES) {
                let from = start + line.len() - line.trim_start().len();
                paragraphs.push(from..from + line.trim().len());
            }
            start += line.len() + 1;
        }
        (!paragraphs.is_empty()).then_some(Self { text, paragraphs })
    }

    /// The sentences of each paragraph, at least one.
    pub fn paragraphs(&self) -> impl Iterator<Item = Vec<&str>> {
        self.paragraphs.iter().map(|paragraph| self.text[paragraph.clone()].split(BETWEEN_SENTENCES).collect())
    }

    /// The words that occur at least five times, after the tokens that stand for none.
    pub fn vocab(&self) -> Vocab {
        Vocab::new(self.paragraphs().flatten().flat_map(str::split_whitespace), MIN_FREQ, &RESERVED)
    }

    /// The ids of the words of each sentence of each paragraph.
    pub fn ids(&self, vocab: &Vocab) -> Vec<Vec<Vec<u32>>> {
        let sentence = |sentence: &str| vocab.ids(sentence.split_whitespace());
        self.paragraphs().map(|paragraph| paragraph.into_iter().map(sentence).collect()).collect()
    }
}

impl Source for WikiText2 {
    const SAMPLE_NOTICE: &'static str = "WikiText-2 could not be had, so this run uses a short text that comes with the \
         repository, and its results are not the book's.";

    /// The publisher's archive, or else its training text alone, plain or gzipped: the same bytes.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch_extracted("wikitext-2") {
            Ok(folder) => return Self::read(&folder.join("wiki.train.tokens")),
            Err(error) => error,
        };
        if let Ok(path) = hub.fetch("wikitext-2-text") {
            return Self::read(&path);
        }
        match hub.fetch("wikitext-2-gz") {
            Ok(path) => Self::read_gzipped(&path),
            Err(_) => Err(error.into()), // that of the book's own file
        }
    }

    /// A text in the set's manner, written for this repository.
    fn sample() -> Result<Self, DataError> {
        Self::read(&hub::sample("wikitext-2/wiki.train.tokens")?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use d2l::data::PAD;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    const TEXT: &str =
        " \n = Cranes = \n \n A Crane is flying . It lands ! Does it ? . \n One sentence . \n no stop. here \n";

    #[test]
    fn lines_with_a_full_stop_are_paragraphs() {
        let text = WikiText2::parse(TEXT).expect("paragraphs");
        let paragraphs: Vec<Vec<&str>> = text.paragraphs().collect();
        assert_eq!(paragraphs, [vec!["a crane is flying", "it lands ! does it ? ."], vec!["one sentence ."]]);
        assert!(WikiText2::parse("no stop.\nnone . at the end .").is_some_and(|text| text.paragraphs.len() == 1));
        assert!(WikiText2::parse("one .\n. two\n").is_none());
    }

    #[test]
    fn letters_of_all_alphabets_become_small() {
        let text = WikiText2::parse("\u{3000}ÉTÉ . ΟΔΟΣ . \n İ . x . \n").expect("paragraphs");
        let paragraphs: Vec<Vec<&str>> = text.paragraphs().collect();
        assert_eq!(paragraphs, [vec!["été", "οδος ."], vec!["i\u{307}", "x ."]]);
    }

    #[test]
    fn rare_words_are_unknown() {
        let text = WikiText2::parse(&"the crane . <unk> the \n".repeat(5)).expect("paragraphs");
        let mut vocab = text.vocab();
        assert_eq!(
            vocab.tokens(&[0, 1, 2, 3, 4, 5, 6]),
            Ok(vec!["<unk>", PAD, "<mask>", "<cls>", "<sep>", "the", "crane"])
        );
        assert_eq!(text.ids(&vocab)[4], [vec![5, 6], vec![0, 5]]);
        vocab = WikiText2::parse(&"the crane . a \n".repeat(4)).expect("paragraphs").vocab();
        assert_eq!(vocab.len(), 5);
    }

    #[test]
    fn files_at_fault_are_named() -> Result<(), Box<dyn std::error::Error>> {
        let folder = TempDir::new()?;
        let path = folder.path().join("wiki.train.tokens");
        let message = |content: &[u8]| -> Result<String, std::io::Error> {
            std::fs::write(&path, content)?;
            Ok(WikiText2::read(&path).map_or_else(|error| error.to_string(), |_| String::new()))
        };
        assert!(message(b"")?.ends_with("wiki.train.tokens holds no text"));
        assert!(message(b"one . two . \nd\xe9 . \n")?.contains("line 2: the byte 0xE9 is not UTF-8"));
        assert!(message(b"a text without stops\n")?.contains("wiki.train.tokens has no paragraph"));
        // A long line is a paragraph like any other.
        assert_eq!(message("ten letters . ".repeat(750_000).as_bytes())?, "");
        assert!(message("ten letters ".repeat(870_000).as_bytes())?.contains("has no paragraph"));
        Ok(())
    }

    #[test]
    fn the_gzipped_text_is_the_same() -> Result<(), Box<dyn std::error::Error>> {
        let folder = TempDir::new()?;
        let path = folder.path().join("wiki.train.tokens.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(TEXT.as_bytes())?;
        let packed = packed.finish()?;
        std::fs::write(&path, &packed)?;
        let (text, plain) = (WikiText2::read_gzipped(&path)?, WikiText2::parse(TEXT).expect("paragraphs"));
        assert_eq!((text.text, text.paragraphs), (plain.text, plain.paragraphs));
        std::fs::write(&path, &packed[..packed.len() / 2])?;
        let error = WikiText2::read_gzipped(&path).expect_err("half a file").to_string();
        assert!(error.contains("wiki.train.tokens.gz cannot be read"), "{error}");
        Ok(())
    }

    proptest! {
        #[test]
        fn paragraphs_are_those_of_the_book(text in "[ab É.\n ]{0,80}") {
            let lines = text.lines().filter(|line| line.contains(" . "));
            let expected: Vec<Vec<String>> = lines
                .map(|line| line.to_lowercase().trim().split(" . ").map(String::from).collect())
                .collect();
            let found = WikiText2::parse(&text);
            let found = found.iter().flat_map(WikiText2::paragraphs);
            let found: Vec<Vec<String>> = found.map(|p| p.into_iter().map(String::from).collect()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
