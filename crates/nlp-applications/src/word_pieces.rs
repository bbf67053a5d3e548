//! Texts as the ids that a pretrained BERT knows: of whole words, as the book's models, or of pieces of words, as their
//! authors' (section 15.7).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use d2l::data::{DataError, PAD};
use d2l::text::{self, Vocab};
use nlp_pretraining::ragged::Ragged;
use nlp_pretraining::sections::bert::{CLS, SEP};
use rayon::prelude::*;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{Model, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// A word of more characters is unknown as a whole, as in BERT's own code.
const LONGEST_WORD: usize = 100;

/// A vocabulary has some ten thousand tokens; a file of more bytes is another one.
const MAX_BYTES: u64 = 1 << 26;

/// The ids of what stands for no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Begins an input.
    pub cls: u32,
    /// Ends a text.
    pub sep: u32,
    /// Fills up an input.
    pub pad: u32,
    /// Stands for what is not known.
    pub unknown: u32,
}

/// Gives texts the ids of a vocabulary; capitals become small letters first.
pub struct BertTokenizer {
    tokens: Vec<String>,
    marks: Marks,
    kind: Kind,
}

enum Kind {
    /// Words between blanks, each with its id.
    Words(HashMap<String, u32>),
    /// Pieces of words, the longest ones first.
    Pieces(Box<WordPiece>),
}

impl BertTokenizer {
    /// Reads the vocabulary of one of the book's models: a JSON list of words, a word's id being its place.
    ///
    /// # Errors
    /// Where the file cannot be read or is no such list, or a word is there twice or a mark not at all.
    pub fn read_words(path: &Path) -> Result<Self, DataError> {
        let fault = |what: String| DataError::invalid(format!("{}: {what}", path.display()));
        let tokens: Vec<String> = serde_json::from_str(&read(path)?)
            .map_err(|error| fault(format!("this is no list of words as JSON: {error}")))?;
        let (ids, marks) = numbered(&tokens, [CLS, SEP, PAD, Vocab::UNKNOWN_TOKEN]).map_err(fault)?;
        Ok(Self { tokens, marks, kind: Kind::Words(ids) })
    }

    /// Reads a vocabulary of word pieces, one a line, a piece's id being its line; `##` begins those that do not begin a
    /// word.
    ///
    /// # Errors
    /// Where the file cannot be read, a line is empty, or a piece is there twice or a mark not at all.
    pub fn read_pieces(path: &Path) -> Result<Self, DataError> {
        let fault = |what: String| DataError::invalid(format!("{}: {what}", path.display()));
        let content = read(path)?;
        // As `WordPiece::read_bytes` reads them.
        let tokens: Vec<String> = content.lines().map(|line| line.trim_end().to_string()).collect();
        let (_, marks) = numbered(&tokens, ["[CLS]", "[SEP]", "[PAD]", "[UNK]"]).map_err(fault)?;
        let ids = WordPiece::read_bytes(content.as_bytes()).map_err(DataError::Other)?;
        let pieces = WordPiece::builder().vocab(ids).max_input_chars_per_word(LONGEST_WORD).build();
        Ok(Self { tokens, marks, kind: Kind::Pieces(Box::new(pieces.map_err(DataError::Other)?)) })
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: there are the marks.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The ids of what stands for no word.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Whether its tokens are pieces of words rather than whole ones.
    pub fn has_pieces(&self) -> bool {
        matches!(self.kind, Kind::Pieces(_))
    }

    /// The tokens of ids; ids that no token has are left out.
    pub fn tokens(&self, ids: &[u32]) -> Vec<&str> {
        ids.iter().filter_map(|&id| self.tokens.get(id as usize)).map(String::as_str).collect()
    }

    /// The ids of a text, without marks.
    ///
    /// # Errors
    /// What the tokenizer gives, which is nothing as things are.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        match &self.kind {
            Kind::Words(ids) => {
                let text = text.to_lowercase();
                let id = |word| ids.get(word).copied().unwrap_or(self.marks.unknown);
                Ok(text.split_whitespace().map(id).collect())
            }
            Kind::Pieces(pieces) => ids_of_pieces(pieces, text).map_err(DataError::Other),
        }
    }

    /// The ids of many texts, a row each, without marks. What stands between two spaces is looked up once, however often it
    /// occurs, and all processors take part.
    ///
    /// # Errors
    /// As [`BertTokenizer::encode`].
    pub fn encode_all(&self, texts: &[&str]) -> Result<Ragged, DataError> {
        // No rule reaches over a space, neither of accents nor of small letters nor of pieces.
        fn between_spaces(text: &str) -> std::str::Split<'_, char> {
            text.split(' ')
        }
        let words: HashSet<&str> = texts
            .par_iter()
            .fold(HashSet::new, |mut words: HashSet<&str>, text| {
                words.extend(between_spaces(text));
                words
            })
            .reduce(HashSet::new, |mut words, others| {
                words.extend(others);
                words
            });
        let ids = words.into_par_iter().map(|word| Ok((word, self.encode(word)?)));
        let ids = ids.collect::<Result<HashMap<&str, Vec<u32>>, DataError>>()?;
        let row = |text: &&str| -> Vec<u32> {
            between_spaces(text).filter_map(|word| ids.get(word)).flatten().copied().collect()
        };
        let rows: Vec<Vec<u32>> = texts.par_iter().map(row).collect();
        Ok(rows.into_iter().collect())
    }
}

/// The whole of a file that is text.
fn read(path: &Path) -> Result<String, DataError> {
    let bytes = std::fs::metadata(path).map_err(|reason| DataError::read(path, reason))?.len();
    if bytes > MAX_BYTES {
        let message = format!("{}: {bytes} bytes are more than a vocabulary has: it is another file", path.display());
        return Err(DataError::invalid(message));
    }
    Ok(text::read(path)?)
}

/// The ids of all tokens, and of the marks of these names: those of an input's begin, of a text's end, of what fills up and
/// of what is not known; or what is at fault.
fn numbered(tokens: &[String], marks: [&str; 4]) -> Result<(HashMap<String, u32>, Marks), String> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in (0u32..).zip(tokens) {
        if token.is_empty() {
            return Err(format!("entry {} is empty", id + 1));
        }
        if let Some(first) = ids.insert(token.clone(), id) {
            return Err(format!("entry {} is `{token}`, which entry {} is already", id + 1, first + 1));
        }
    }
    let id = |mark: &str| ids.get(mark).copied().ok_or_else(|| format!("the vocabulary lacks the mark `{mark}`"));
    let [cls, sep, pad, unknown] = marks;
    let marks = Marks { cls: id(cls)?, sep: id(sep)?, pad: id(pad)?, unknown: id(unknown)? };
    Ok((ids, marks))
}

/// As the uncased models of BERT's authors have it: without control characters, accents and capitals, with Chinese
/// characters and punctuation as words of their own.
fn ids_of_pieces(pieces: &WordPiece, text: &str) -> tokenizers::Result<Vec<u32>> {
    let normalizer = BertNormalizer::default();
    let mut words = PreTokenizedString::from(text);
    words.normalize(|text| normalizer.normalize(text))?;
    BertPreTokenizer.pre_tokenize(&mut words)?;
    let mut ids = Vec::new();
    for (word, ..) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        ids.extend(pieces.tokenize(word)?.into_iter().map(|piece| piece.id));
    }
    Ok(ids)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn reference(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file)
    }

    /// The pieces that `scripts/reference/word_pieces.py` wrote.
    pub(crate) fn some_pieces() -> Result<BertTokenizer, DataError> {
        BertTokenizer::read_pieces(&reference("word_pieces.txt"))
    }

    /// A tokenizer of a file with this content.
    fn of(content: &str, read: fn(&Path) -> Result<BertTokenizer, DataError>) -> Outcome<BertTokenizer> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vocabulary");
        fs::write(&path, content)?;
        Ok(read(&path)?)
    }

    #[derive(serde::Deserialize)]
    struct Line {
        text: String,
        ids: Vec<u32>,
    }

    #[test]
    fn pieces_are_those_of_the_python_package() -> Outcome {
        let tokenizer = some_pieces()?;
        let lines = fs::read_to_string(reference("word_pieces.jsonl"))?;
        let lines: Vec<Line> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert!(lines.len() > 100, "{}", lines.len());
        for Line { text, ids } in &lines {
            let found = tokenizer.encode(text)?;
            assert_eq!(tokenizer.tokens(&found), tokenizer.tokens(ids), "{text:?}");
            assert_eq!(&found, ids, "{text:?}");
        }
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let all = tokenizer.encode_all(&texts)?;
        for (row, Line { text, ids }) in all.rows().zip(&lines) {
            assert_eq!(row, ids, "{text:?} word by word");
        }
        assert_eq!(all.len(), lines.len());
        Ok(())
    }

    #[test]
    fn known_pieces_of_words() -> Outcome {
        let content = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\n##s\n##er\nun\n##a\n!\n中\n";
        let tokenizer = of(content, BertTokenizer::read_pieces)?;
        let pieces = |text: &str| Ok::<_, DataError>(tokenizer.tokens(&tokenizer.encode(text)?).join(" "));
        assert_eq!(pieces("Playing plays!")?, "play ##ing play ##s !");
        assert_eq!(pieces("pláyers 中中 unable")?, "play ##er ##s 中 中 [UNK]");
        // A mark in a text is none.
        assert_eq!(pieces("[CLS]")?, "[UNK] [UNK] [UNK]");
        assert_eq!(pieces("")?, "");
        assert_eq!(tokenizer.marks(), Marks { cls: 2, sep: 3, pad: 0, unknown: 1 });
        assert!(tokenizer.has_pieces() && !tokenizer.is_empty());
        assert_eq!((tokenizer.len(), tokenizer.tokens(&[99, 5])), (13, vec!["play"]));
        Ok(())
    }

    #[test]
    fn words_are_looked_up_whole() -> Outcome {
        let content = r#"["<unk>", "<pad>", "<mask>", "<cls>", "<sep>", "a", "man", "."]"#;
        let tokenizer = of(content, BertTokenizer::read_words)?;
        assert_eq!(tokenizer.encode("A  Man walks .\tA\n")?, [5, 6, 0, 7, 5]);
        assert_eq!(
            tokenizer.encode_all(&["a man", "", "Man a"])?.rows().collect::<Vec<_>>(),
            [&[5, 6][..], &[], &[6, 5]]
        );
        assert_eq!(tokenizer.marks(), Marks { cls: 3, sep: 4, pad: 1, unknown: 0 });
        assert!(!tokenizer.has_pieces());
        Ok(())
    }

    #[test]
    fn vocabularies_at_fault_are_named() {
        let message = |content: &str, read: fn(&Path) -> Result<BertTokenizer, DataError>| {
            of(content, read).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let marks = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
        for (content, expected) in [
            ("[PAD]\n[UNK]\n[SEP]\na\n".to_string(), "vocabulary: the vocabulary lacks the mark `[CLS]`"),
            (format!("{marks}a\n\nb\n"), "entry 6 is empty"),
            (format!("{marks}a\nb\na\n"), "entry 7 is `a`, which entry 5 is already"),
        ] {
            let found = message(&content, BertTokenizer::read_pieces);
            assert!(found.ends_with(expected), "{found}");
        }
        for (content, expected) in [
            (r#"["<unk>", "<pad>", "<cls>"]"#, "lacks the mark `<sep>`"),
            (r#"{"<unk>": 0}"#, "no list of words"),
            (r#"["<unk>", "<p"#, "no list of words"),
        ] {
            let found = message(content, BertTokenizer::read_words);
            assert!(found.contains(expected), "{found}");
        }
        assert!(BertTokenizer::read_pieces(Path::new("/no/such/file")).is_err());
    }

    proptest! {
        #[test]
        fn a_text_is_the_words_between_its_spaces(texts in prop::collection::vec("[a-cÉİ\u{301}\u{200b}中!# \t\u{3000}]{0,20}|\\PC{0,12}", 0..6)) {
            let tokenizer = some_pieces().expect("a vocabulary");
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let all = tokenizer.encode_all(&texts).expect("ids");
            let each: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text).expect("ids")).collect();
            prop_assert_eq!(all.rows().map(<[u32]>::to_vec).collect::<Vec<_>>(), each);
        }
    }
}
