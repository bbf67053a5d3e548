//! SNLI: pairs of sentences, the second of which follows from the first, contradicts it, or does neither (section 15.4).

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, PAD, Source};
use d2l::prelude::*;
use d2l::text::{TextError, Vocab};
use flate2::read::GzDecoder;

use crate::penn_tokens::penn_tokens;
use crate::snli_examples::InferenceExamples;

/// The relations of a hypothesis to its premise, each at the place of its label.
pub const RELATIONS: [&str; 3] = ["entailment", "contradiction", "neutral"];
/// The label of a hypothesis that follows from its premise.
pub const ENTAILMENT: u32 = 0;
/// The label of one that cannot be true where its premise is.
pub const CONTRADICTION: u32 = 1;
/// The label of all others.
pub const NEUTRAL: u32 = 2;

/// What stands for the label of a pair of which people thought differently.
const NO_LABEL: &str = "-";

/// A word that occurs less often is unknown.
const MIN_FREQ: usize = 5;

/// The publisher's training set has less than half of that; a file that holds more is another one.
const MAX_BYTES: u64 = 1 << 30;

/// No line of the set has a hundredth of that.
const MAX_LINE: u64 = 1 << 20;

/// Premises and hypotheses, each as its tokens with spaces between them, and how they are related.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InferencePairs {
    /// What is given.
    pub premises: Vec<String>,
    /// What may follow from it.
    pub hypotheses: Vec<String>,
    /// The places of their relations in [`RELATIONS`].
    pub labels: Vec<u32>,
    /// How many more pairs were in the file, left out since they have no label.
    pub unlabeled: usize,
}

impl InferencePairs {
    /// Reads a file with a pair a line and tabs between its columns, which a first line names. The publisher's has binary
    /// parses as `sentence1_binary_parse` and `sentence2_binary_parse` with a word as `gold_label`; others have sentences as
    /// `sentence1` and `sentence2` with the same labels, or as `premise` and `hypothesis` with a number as `label`: 0 for
    /// entailment, 1 for neutral, 2 for contradiction. Sentences are cut as [`penn_tokens`] does. A name that ends in `.gz`
    /// is that of a file that gzip has packed.
    ///
    /// Pairs with `-` or nothing for a label are counted and left out. A sentence may be empty, as in the book: nothing but
    /// padding will stand for it.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged or not UTF-8, has no such columns or no pair with a label; where a line
    /// lacks a column or has another label. The error names the file and the line.
    #[doc(alias = "read_snli")]
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|reason| DataError::read(path, reason))?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            Self::parse(BufReader::new(GzDecoder::new(file)), path)
        } else {
            Self::parse(BufReader::new(file), path)
        }
    }

    fn parse(mut reader: impl BufRead, path: &Path) -> Result<Self, DataError> {
        let fault = |line: usize, what: &str| DataError::Invalid(format!("{}, line {line}: {what}", path.display()));
        let (mut pairs, mut columns) = (Self::default(), None);
        let (mut bytes, mut total) = (Vec::new(), 0);
        for number in 1.. {
            bytes.clear();
            let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes);
            let length = read.map_err(|reason| DataError::read(path, reason))? as u64;
            total += length;
            if length == 0 {
                break;
            }
            if length == MAX_LINE || total > MAX_BYTES {
                return Err(fault(number, "too long for a file of sentence pairs: it is another file"));
            }
            let line = str::from_utf8(&bytes).map_err(|error| TextError::NotUtf8 {
                path: path.to_path_buf(),
                line: number,
                byte: bytes[error.valid_up_to()],
            })?;
            let line = line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
            match columns {
                _ if line.trim().is_empty() => {}
                None => columns = Some(Columns::of_header(line).map_err(|what| fault(number, &what))?),
                Some(columns) => pairs.push_line(columns, line).map_err(|what| fault(number, &what))?,
            }
        }
        if pairs.is_empty() {
            return Err(DataError::Invalid(format!("{} holds no pair of sentences with a label", path.display())));
        }
        Ok(pairs)
    }

    /// Adds the pair of a line, or counts it where it has no label.
    fn push_line(&mut self, columns: Columns, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let places = [columns.premise, columns.hypothesis, columns.label];
        let [Some(premise), Some(hypothesis), Some(label)] = places.map(|place| fields.get(place).copied()) else {
            let needed = places.into_iter().max().unwrap_or(0) + 1;
            return Err(format!("{} columns with tabs between them, and at least {needed} are needed", fields.len()));
        };
        let (label, labels) = (label.trim(), columns.layout.labels);
        if label.is_empty() || label == NO_LABEL {
            self.unlabeled += 1;
            return Ok(());
        }
        let Some(place) = labels.iter().position(|known| *known == label) else {
            let start: String = label.chars().take(40).collect();
            return Err(format!("the label {start:?} is none of {}, nor {NO_LABEL} for none", labels.join(", ")));
        };
        self.premises.push(columns.layout.tokens(premise));
        self.hypotheses.push(columns.layout.tokens(hypothesis));
        self.labels.push(place as u32);
        Ok(())
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// How many pairs each of [`RELATIONS`] has.
    pub fn counts(&self) -> [usize; 3] {
        [ENTAILMENT, CONTRADICTION, NEUTRAL].map(|label| self.labels.iter().filter(|&&other| other == label).count())
    }

    /// The first pairs only, at most so many.
    pub fn first(mut self, pairs: usize) -> Self {
        self.premises.truncate(pairs);
        self.hypotheses.truncate(pairs);
        self.labels.truncate(pairs);
        self
    }

    /// These pairs and then others.
    pub fn joined(mut self, other: Self) -> Self {
        self.premises.extend(other.premises);
        self.hypotheses.extend(other.hypotheses);
        self.labels.extend(other.labels);
        self.unlabeled += other.unlabeled;
        self
    }

    /// The tokens that occur at least five times in all sentences, after those for unknown ones and for padding.
    pub fn vocab(&self) -> Vocab {
        let sentences = self.premises.iter().chain(&self.hypotheses);
        Vocab::new(sentences.flat_map(|sentence| sentence.split_whitespace()), MIN_FREQ, &[PAD])
    }
}

/// How a kind of file names its columns and, in the order of [`RELATIONS`], its labels.
#[derive(Debug)]
struct Layout {
    premise: &'static str,
    hypothesis: &'static str,
    label: &'static str,
    labels: [&'static str; 3],
    /// Whether the sentences are parses: tokens between brackets.
    is_parsed: bool,
}

/// The publisher's comes first: it has the columns of the last as well.
const LAYOUTS: &[Layout] = &[
    Layout {
        premise: "sentence1_binary_parse",
        hypothesis: "sentence2_binary_parse",
        label: "gold_label",
        labels: RELATIONS,
        is_parsed: true,
    },
    Layout {
        premise: "premise",
        hypothesis: "hypothesis",
        label: "label",
        labels: ["0", "2", "1"], // neutral comes before contradiction in these files
        is_parsed: false,
    },
    Layout { premise: "sentence1", hypothesis: "sentence2", label: "gold_label", labels: RELATIONS, is_parsed: false },
];

impl Layout {
    /// The tokens of a sentence with spaces between them. Brackets of a parse go away; those of the text are `-LRB-` there.
    fn tokens(&self, field: &str) -> String {
        if self.is_parsed {
            let field = field.replace(['(', ')'], "");
            field.split_whitespace().collect::<Vec<_>>().join(" ")
        } else {
            penn_tokens(&unquoted(field)).join(" ")
        }
    }
}

/// A field without the quotes around it, in which each quote of the text stands twice.
fn unquoted(field: &str) -> Cow<'_, str> {
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.replace("\"\"", "").contains('"') => inner.replace("\"\"", "\"").into(),
        _ => field.into(),
    }
}

/// Where the columns of a file are.
#[derive(Debug, Clone, Copy)]
struct Columns {
    layout: &'static Layout,
    premise: usize,
    hypothesis: usize,
    label: usize,
}

impl Columns {
    fn of_header(line: &str) -> Result<Self, String> {
        let names: Vec<&str> = line.split('\t').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|known| *known == name);
        let columns = LAYOUTS.iter().find_map(|layout| {
            let (premise, hypothesis) = (place(layout.premise)?, place(layout.hypothesis)?);
            Some(Self { layout, premise, hypothesis, label: place(layout.label)? })
        });
        columns.ok_or_else(|| {
            let known = LAYOUTS.iter().map(|layout| [layout.premise, layout.hypothesis, layout.label].join(", "));
            format!("the first line must name the columns: {}", known.collect::<Vec<_>>().join("; or "))
        })
    }
}

/// The pairs to train on and those to test with.
#[derive(Debug, Clone)]
pub struct Snli {
    /// Trained on.
    pub train: InferencePairs,
    /// Tested with.
    pub test: InferencePairs,
    stand_in: Option<&'static str>,
}

/// What is told where the training set could not be had.
const PART: &str = "SNLI's 549,367 training pairs could not be had: 18,172 others are trained on, its validation set and 8,330 \
     pairs of which people rewrote 6,664. The test set is whole.";

impl Snli {
    /// The same with the first training pairs only, where a number of them is given.
    pub fn first(mut self, train_pairs: Option<usize>) -> Self {
        if let Some(pairs) = train_pairs {
            self.train = self.train.first(pairs);
        }
        self
    }

    /// Minibatches of the training pairs, in a new order each epoch, and of the test pairs, in their own. The vocabulary is
    /// that of the training pairs for both.
    ///
    /// # Errors
    /// As [`InferenceExamples::new`] and [`Loader::new`].
    #[doc(alias = "load_data_snli")]
    pub fn load(
        &self,
        batch_size: usize,
        num_steps: usize,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(Loader<InferenceExamples>, Loader<InferenceExamples>), DataError> {
        let vocab = Arc::new(self.train.vocab());
        let examples = |pairs: &InferencePairs| InferenceExamples::new(pairs, num_steps, &vocab);
        let train = Loader::new(examples(&self.train)?, batch_size, device)?.shuffled(shuffle);
        Ok((train, Loader::new(examples(&self.test)?, batch_size, device)?))
    }

    /// The whole set from the folder of the publisher's archive.
    fn whole(folder: &Path) -> Result<Self, DataError> {
        let read = |set: &str| InferencePairs::read(&folder.join(format!("snli_1.0_{set}.txt")));
        Ok(Self { train: read("train")?, test: read("test")?, stand_in: None })
    }

    /// What stands in where the archive cannot be had.
    fn part(hub: &Hub) -> Result<Self, DataError> {
        let read = |name: &str| InferencePairs::read(&hub.fetch(name)?);
        let train = read("SNLI/validation")?.joined(read("SNLI/more-pairs")?);
        Ok(Self { train, test: read("SNLI/test")?, stand_in: Some(PART) })
    }
}

impl Source for Snli {
    const SAMPLE_NOTICE: &'static str = "SNLI could not be had, so this run uses some hundred pairs of sentences that come with \
         the repository, and its results are not the book's.";

    /// The two files of the publisher's archive that are read, or else a part of the set.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        // With the folder before the name, since a Mac has packed a second file with each, whose name ends alike.
        let is_wanted = |name: &str| name.ends_with("/snli_1.0_train.txt") || name.ends_with("/snli_1.0_test.txt");
        let error = match hub.fetch_part("SNLI", "pairs", is_wanted) {
            Ok(folder) => return Self::whole(&folder),
            Err(error) => error,
        };
        match Self::part(hub) {
            Err(DataError::Hub(_)) => Err(error.into()), // that of the book's own file
            part => part,
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stand_in
    }

    /// Pairs made from patterns, for this repository.
    fn sample() -> Result<Self, DataError> {
        let read = |set: &str| InferencePairs::read(&hub::sample(&format!("snli/{set}.tsv"))?);
        Ok(Self { train: read("train")?, test: read("test")?, stand_in: None })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn parse(text: impl AsRef<[u8]>) -> Result<InferencePairs, DataError> {
        InferencePairs::parse(text.as_ref(), Path::new("pairs.tsv"))
    }

    fn message(text: impl AsRef<[u8]>) -> String {
        parse(text).map_or_else(|error| error.to_string(), |pairs| format!("read {} pairs", pairs.len()))
    }

    const PUBLISHED: &str = "\
gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpairID
neutral\t( ( Two women ) ( ( are here ) . ) )\t( ( The women ) ( ( are n't ) old ) )\tx\tx\tTwo women are here.\tThe…\t1#0
-\t( A man )\t( A dog )\tx\tx\tA man\tA dog\t1#1
contradiction\t( ( ( A `` sign '' ) -LRB-  red ) -RRB- )\t(   )\tx\tx\tA \"sign\" (red)\t\t1#2
entailment\t( One )\t( Two )
";

    #[test]
    fn the_publishers_parses_lose_their_brackets() -> Outcome {
        let pairs = parse(PUBLISHED)?;
        assert_eq!(pairs.premises, ["Two women are here .", "A `` sign '' -LRB- red -RRB-", "One"]);
        assert_eq!(pairs.hypotheses, ["The women are n't old", "", "Two"]);
        assert_eq!((pairs.labels.as_slice(), pairs.unlabeled), (&[NEUTRAL, CONTRADICTION, ENTAILMENT][..], 1));
        assert_eq!((pairs.len(), pairs.counts()), (3, [1, 1, 1]));
        Ok(())
    }

    #[test]
    fn sentences_are_cut_and_numbers_have_another_order() -> Outcome {
        let numbers = "\u{feff}premise\thypothesis\tlabel\r\nA man's hat.\tHe can't see.\t1\r\n\"A \"\"big\"\" \
                       hat\"\tA hat, red\t0\r\n\r\nA hat\tNo hat\t2\r\nA\tB\t\r\n";
        let pairs = parse(numbers)?;
        assert_eq!(pairs.premises, ["A man 's hat .", "A `` big '' hat", "A hat"]);
        assert_eq!(pairs.hypotheses, ["He ca n't see .", "A hat , red", "No hat"]);
        assert_eq!((pairs.labels, pairs.unlabeled), (vec![NEUTRAL, ENTAILMENT, CONTRADICTION], 1));
        let words = parse("sentence1\tsentence2\tgold_label\nA hat.\tA cap.\tneutral\nA hat.\tA cap.\t-")?;
        assert_eq!((words.hypotheses, words.labels, words.unlabeled), (vec!["A cap .".to_string()], vec![NEUTRAL], 1));
        Ok(())
    }

    #[test]
    fn quotes_around_a_field_are_those_of_the_file() {
        let cases = [
            (r#""A ""big"" hat""#, r#"A "big" hat"#),
            (r#""Stop" is on "it""#, r#""Stop" is on "it""#),
            (r#"say "no""#, r#"say "no""#),
            ("\"", "\""),
            ("\"\"", ""),
            ("", ""),
        ];
        for (field, expected) in cases {
            assert_eq!(unquoted(field), expected, "{field}");
        }
    }

    #[test]
    fn lines_at_fault_are_named() {
        let header = "premise\thypothesis\tlabel\n";
        let said = message(format!("{header}A\tB\t0\nA\tB\n"));
        assert!(said.contains("pairs.tsv, line 3: 2 columns") && said.contains("at least 3 are needed"), "{said}");
        let said = message(format!("{header}A\tB\t3\n"));
        assert!(said.contains("line 2: the label \"3\" is none of 0, 2, 1"), "{said}");
        let said = message("sentence1\tsentence2\tgold_label\nA\tB\t0\n");
        assert!(said.contains("line 2: the label \"0\" is none of entailment, contradiction, neutral"), "{said}");
        let said = message("gold_label\tsentence1\n");
        assert!(said.contains("line 1: the first line must name the columns: sentence1_binary_parse"), "{said}");
        let said = message([header.as_bytes(), b"A\tB\t0\nA\t\xe9\t0\n"].concat());
        assert!(said.contains("pairs.tsv, line 3: the byte 0xE9 is not UTF-8"), "{said}");
        for empty in ["", "\n \n", header, "premise\thypothesis\tlabel\nA\tB\t-\n"] {
            assert!(message(empty).contains("pairs.tsv holds no pair"), "{empty:?}");
        }
        let said = message(format!("{header}{}\tB\t0\n", "word ".repeat(1 << 18)));
        assert!(said.contains("line 2: too long"), "{said}");
    }

    #[test]
    fn packed_files_are_read_and_damaged_ones_named() -> Outcome {
        let folder = TempDir::new()?;
        let path = folder.path().join("pairs.tsv.gz");
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(PUBLISHED.as_bytes())?;
        let packed = packed.finish()?;
        std::fs::write(&path, &packed)?;
        assert_eq!(InferencePairs::read(&path)?, parse(PUBLISHED)?);
        std::fs::write(&path, &packed[..packed.len() / 2])?;
        assert!(InferencePairs::read(&path).is_err_and(|error| error.to_string().contains("pairs.tsv.gz")));
        assert!(InferencePairs::read(&folder.path().join("none.tsv")).is_err());
        Ok(())
    }

    #[test]
    fn pairs_are_joined_and_cut() -> Outcome {
        let pairs = parse(PUBLISHED)?;
        let both = pairs.clone().joined(pairs.clone());
        assert_eq!((both.len(), both.unlabeled, both.counts()), (6, 2, [2; 3]));
        let first = both.first(4);
        assert_eq!((first.premises.len(), first.hypotheses.len(), first.counts()), (4, 4, [1, 1, 2]));
        assert_eq!(pairs.clone().first(99), pairs);
        Ok(())
    }

    #[test]
    fn words_of_both_sentences_count() -> Outcome {
        let line = "a hat\ta cap\t0\n";
        let pairs = parse(format!("premise\thypothesis\tlabel\n{}a hat\tnone\t0\n", line.repeat(4)))?;
        let vocab = pairs.vocab();
        assert_eq!(vocab.tokens(&[0, 1, 2, 3])?, ["<unk>", PAD, "a", "hat"]);
        assert_eq!((vocab.len(), vocab.id("cap")), (4, Vocab::UNKNOWN));
        Ok(())
    }

    #[test]
    fn the_sample_has_the_books_pair_and_all_labels() -> Outcome {
        let snli = Snli::sample()?;
        for pairs in [&snli.train, &snli.test] {
            let [first, rest @ ..] = pairs.counts();
            assert!(first > 30 && rest == [first; 2], "{:?}", pairs.counts());
        }
        let pairs = snli.train.premises.iter().zip(&snli.train.hypotheses);
        let place = pairs
            .map(|(premise, hypothesis)| [premise.as_str(), hypothesis])
            .position(|pair| pair == ["he is good .", "he is bad ."]);
        assert_eq!(place.map(|place| snli.train.labels[place]), Some(CONTRADICTION));
        let first = snli.first(Some(3)).train;
        assert_eq!((first.len(), first.counts()), (3, [1; 3]));
        Ok(())
    }

    #[test]
    fn where_there_is_nothing_the_books_archive_is_named() -> Outcome {
        let folder = TempDir::new()?;
        let mut hub = Hub::new(folder.path());
        hub.offline = true;
        let message = Snli::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`SNLI`") && message.contains("D2L_MIRROR"), "{message}");
        Ok(())
    }
}
