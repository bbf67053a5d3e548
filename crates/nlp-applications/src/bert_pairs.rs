//! Pairs of sentences as inputs of a pretrained BERT, in minibatches (section 15.7).

use std::borrow::Cow;

use d2l::data::DataError;
use d2l::prelude::*;
use nlp_pretraining::ragged::Ragged;
use nlp_pretraining::sections::bert::tokens_and_segments;
use rand::seq::SliceRandom;

use crate::bert_heads::{BertInputs, padded};
use crate::snli::InferencePairs;
use crate::word_pieces::{BertTokenizer, Marks};

/// The marks of an input of two texts: one before them, one behind each.
const MARKS: usize = 3;

/// Cuts the last token off the longer of two texts, of the second where they are of one length, until both together have no
/// more than `room` tokens.
#[doc(alias = "_truncate_pair_of_tokens")]
pub fn truncate_pair<'a, T>(mut a: &'a [T], mut b: &'a [T], room: usize) -> (&'a [T], &'a [T]) {
    while a.len() + b.len() > room {
        let longer = if a.len() > b.len() { &mut a } else { &mut b };
        *longer = &longer[..longer.len() - 1];
    }
    (a, b)
}

/// A sentence as people write it where it is cut as in a treebank: there `can't` is `ca n't`, quotes are two grave accents or
/// two apostrophes, and brackets are `-LRB-` and `-RRB-`. Models with word pieces were pretrained on plain text; other
/// marks they cut off themselves.
pub fn plain_text(sentence: &str) -> Cow<'_, str> {
    if !sentence.contains(['`', '\'']) && !sentence.contains("B-") {
        return sentence.into();
    }
    let mut text = String::with_capacity(sentence.len());
    for token in sentence.split_whitespace() {
        let token = match token {
            "``" | "''" => "\"",
            "`" => "'",
            "-LRB-" => "(",
            "-RRB-" => ")",
            "-LSB-" => "[",
            "-RSB-" => "]",
            "-LCB-" => "{",
            "-RCB-" => "}",
            token => token,
        };
        if !text.is_empty() && !token.eq_ignore_ascii_case("n't") {
            text.push(' ');
        }
        text += token;
    }
    text.into()
}

/// Pairs of sentences as ids, `<cls> premise <sep> hypothesis <sep>`, cut to at most so many tokens, with labels.
#[doc(alias = "SNLIBERTDataset")]
#[derive(Debug, Clone)]
pub struct BertPairs {
    tokens: Ragged,
    segments: Ragged,
    labels: Vec<u32>,
    marks: Marks,
    cut: usize,
}

impl BertPairs {
    /// Gives the pairs the ids of a vocabulary, on all processors.
    ///
    /// # Errors
    /// Where `max_len` leaves no room for a word, or there are not as many premises and hypotheses as labels.
    pub fn new(pairs: &InferencePairs, tokenizer: &BertTokenizer, max_len: usize) -> Result<Self, DataError> {
        let InferencePairs { premises, hypotheses, labels, .. } = pairs;
        if max_len <= MARKS {
            let message = format!("an input of two texts has {MARKS} marks: {max_len} tokens leave no room for words");
            return Err(DataError::Invalid(message));
        }
        if premises.len() != labels.len() || hypotheses.len() != labels.len() {
            let counts =
                format!("{} premises, {} hypotheses, {} labels", premises.len(), hypotheses.len(), labels.len());
            return Err(DataError::Invalid(format!("{counts}: a pair has one of each")));
        }
        let [premises, hypotheses] = [premises, hypotheses].map(|sentences| ids_of(sentences, tokenizer));
        let (marks, room) = (tokenizer.marks(), max_len - MARKS);
        let (mut tokens, mut segments, mut cut) = (Ragged::default(), Ragged::default(), 0);
        for (premise, hypothesis) in premises?.rows().zip(hypotheses?.rows()) {
            cut += usize::from(premise.len() + hypothesis.len() > room);
            let (premise, hypothesis) = truncate_pair(premise, hypothesis, room);
            let (ids, numbers) = tokens_and_segments(premise, Some(hypothesis), [marks.cls, marks.sep]);
            tokens.push(ids);
            segments.push(numbers);
        }
        Ok(Self { tokens, segments, labels: labels.clone(), marks, cut })
    }

    /// The labels of all pairs, in their order.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The ids of the pair at `index`, which must be below the number of pairs, and for each of them the number of its text.
    pub fn input(&self, index: usize) -> (&[u32], &[u32]) {
        (self.tokens.row(index), self.segments.row(index))
    }

    /// The share of pairs that were cut.
    pub fn cut_share(&self) -> f64 {
        self.cut as f64 / self.len().max(1) as f64
    }

    /// The share of tokens that the vocabulary does not know, marks left out.
    pub fn unknown_share(&self) -> f64 {
        let unknown = self.tokens.ids().iter().filter(|&&id| id == self.marks.unknown).count();
        let words = self.tokens.ids().len() - MARKS * self.len();
        unknown as f64 / words.max(1) as f64
    }

    /// The most tokens that a pair has, and how many pairs have in the mean; marks included.
    pub fn lengths(&self) -> (usize, f64) {
        let longest = self.tokens.rows().map(<[u32]>::len).max().unwrap_or(0);
        (longest, self.tokens.ids().len() as f64 / self.len().max(1) as f64)
    }

    /// The positions of all pairs, those of the fewest tokens first: minibatches of neighbors need hardly any padding.
    pub fn by_length(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&index| self.tokens.row(index).len());
        order
    }

    /// The pairs at these positions, filled up to `steps` tokens.
    fn filled_up(&self, indices: &[usize], steps: usize, device: &Device) -> Result<(BertInputs, Tensor)> {
        let rows = |all: &Ragged, filler: u32| {
            let rows = indices.iter().flat_map(|&index| padded(all.row(index), filler, steps));
            Tensor::from_vec(rows.collect::<Vec<u32>>(), (indices.len(), steps), device) // (batch, steps)
        };
        let lens: Vec<u32> = indices.iter().map(|&index| self.tokens.row(index).len() as u32).collect();
        let labels: Vec<u32> = indices.iter().map(|&index| self.labels[index]).collect();
        let inputs = BertInputs {
            tokens: rows(&self.tokens, self.marks.pad)?,
            segments: rows(&self.segments, 0)?,
            valid_lens: Tensor::new(lens, device)?, // (batch)
        };
        Ok((inputs, Tensor::new(labels, device)?))
    }
}

/// The ids of sentences, a row each.
fn ids_of(sentences: &[String], tokenizer: &BertTokenizer) -> Result<Ragged, DataError> {
    let texts: Vec<Cow<'_, str>> = if tokenizer.has_pieces() {
        sentences.iter().map(|sentence| plain_text(sentence)).collect()
    } else {
        sentences.iter().map(|sentence| sentence.as_str().into()).collect()
    };
    tokenizer.encode_all(&texts.iter().map(|text| &**text).collect::<Vec<&str>>())
}

/// Minibatches are inputs and labels `(batch)`. They are filled up to the longest of their own pairs, where the book's are all
/// of `max_len` tokens: attention looks at no padding, so that the results are the same, in a fraction of the time.
impl Dataset for BertPairs {
    type Batch = (BertInputs, Tensor);

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<(BertInputs, Tensor)> {
        let steps = indices.iter().map(|&index| self.tokens.row(index).len()).max().unwrap_or(0);
        self.filled_up(indices, steps, device)
    }
}

/// How many minibatches' pairs are sorted by their lengths at a time.
const POOL: usize = 16;

/// Minibatches of pairs of like lengths, in a new random order each epoch: shuffled pairs, those of sixteen minibatches at a
/// time sorted by their lengths. SNLI's pairs have some 30 tokens, the longest of 32 taken at random some 55, and all 55 cost
/// time.
pub struct SimilarLengths<'a> {
    pairs: &'a BertPairs,
    batch_size: usize,
    shuffle: Stream,
    device: Device,
}

impl<'a> SimilarLengths<'a> {
    /// Minibatches of so many pairs; the last may have fewer.
    ///
    /// # Errors
    /// Where the batch size is zero or there are no pairs.
    pub fn new(pairs: &'a BertPairs, batch_size: usize, shuffle: Stream, device: &Device) -> Result<Self, DataError> {
        if batch_size == 0 || pairs.is_empty() {
            return Err(DataError::invalid("minibatches need a batch size of at least 1, and pairs"));
        }
        Ok(Self { pairs, batch_size, shuffle, device: device.clone() })
    }

    /// The positions of each minibatch's pairs.
    fn order(&mut self) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.shuffle(&mut self.shuffle);
        for pool in order.chunks_mut(self.batch_size.saturating_mul(POOL)) {
            pool.sort_by_key(|&index| self.pairs.input(index).0.len()); // stable
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(self.batch_size).map(<[usize]>::to_vec).collect();
        batches.shuffle(&mut self.shuffle);
        batches
    }
}

impl Batches for SimilarLengths<'_> {
    type Batch = (BertInputs, Tensor);

    fn batches(&self) -> usize {
        self.pairs.len().div_ceil(self.batch_size)
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<Self::Batch>> {
        let (order, pairs, device) = (self.order(), self.pairs, &self.device);
        order.into_iter().map(move |indices| pairs.batch(&indices, device))
    }
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;
    use proptest::prelude::*;

    use super::*;
    use crate::pretrained_bert::PretrainedBert;
    use crate::word_pieces::tests::some_pieces;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const CPU: Device = Device::Cpu;

    fn pairs(sentences: &[(&str, &str)]) -> InferencePairs {
        InferencePairs {
            premises: sentences.iter().map(|(premise, _)| String::from(*premise)).collect(),
            hypotheses: sentences.iter().map(|(_, hypothesis)| String::from(*hypothesis)).collect(),
            labels: (0..sentences.len() as u32).map(|label| label % 3).collect(),
            unlabeled: 0,
        }
    }

    const SENTENCES: [(&str, &str); 4] = [
        ("the river is long .", "a river"),
        ("a man sold the old mill to the bank", "the bank did n't buy a mill last year ."),
        ("", "the mill"),
        ("he said `` no ''", ""),
    ];

    #[test]
    fn the_longer_text_is_cut() {
        let (a, b) = ([1, 2, 3, 4, 5], [6, 7, 8]);
        for (room, expected) in [
            (9, (&a[..], &b[..])),
            (8, (&a[..], &b[..])),
            (7, (&a[..4], &b[..])),
            (6, (&a[..3], &b[..])),
            (5, (&a[..3], &b[..2])), // of texts as long as each other the second
            (4, (&a[..2], &b[..2])),
            (1, (&a[..1], &b[..0])),
            (0, (&a[..0], &b[..0])),
        ] {
            assert_eq!(truncate_pair(&a, &b, room), expected, "{room}");
        }
        assert_eq!(truncate_pair(&b, &a, 5), (&b[..3], &a[..2]));
    }

    proptest! {
        #[test]
        fn no_more_is_cut_than_must_be(a in 0usize..40, b in 0usize..40, room in 0usize..60) {
            let (first, second) = (vec![0u8; a], vec![1u8; b]);
            let (a_left, b_left) = truncate_pair(&first, &second, room);
            prop_assert_eq!(a_left.len() + b_left.len(), room.min(a + b));
            // What was cut was no shorter than the other afterwards, but for the token cut last.
            prop_assert!(a_left.len() == a || a_left.len() + 1 >= b_left.len());
            prop_assert!(b_left.len() == b || b_left.len() + 1 >= a_left.len());
            prop_assert!(first.starts_with(a_left) && second.starts_with(b_left));
        }
    }

    #[test]
    fn marks_of_a_treebank_become_those_of_a_typewriter() {
        for (sentence, expected) in [
            ("A man walks .", "A man walks ."),
            ("it ca n't be , he said", "it can't be , he said"),
            ("DO N'T", "DON'T"),
            ("a man 's `` dog '' -LRB- old -RRB-", "a man 's \" dog \" ( old )"),
            ("n't", "n't"),
            ("", ""),
        ] {
            assert_eq!(plain_text(sentence), expected);
        }
    }

    #[test]
    fn pairs_are_ids_with_marks_and_filled_up() -> Outcome {
        let tokenizer = some_pieces()?;
        let Marks { cls, sep, pad, .. } = tokenizer.marks();
        let examples = BertPairs::new(&pairs(&SENTENCES), &tokenizer, 12)?;
        let words = |text: &str| tokenizer.encode(text);
        let expected = [&[cls][..], &words("the river is long .")?, &[sep], &words("a river")?, &[sep]].concat();
        let (tokens, segments) = examples.input(0);
        assert_eq!(tokens, expected);
        assert_eq!(segments, [vec![0; tokens.len() - 3], vec![1; 3]].concat());
        assert_eq!(examples.input(1).0.len(), 12);
        assert_eq!(examples.cut_share(), 0.25);
        assert_eq!(examples.input(3).0, [&[cls][..], &words("he said \" no \"")?, &[sep, sep]].concat());

        let (BertInputs { tokens, segments, valid_lens }, labels) = examples.batch(&[2, 0], &CPU)?;
        let steps = expected.len();
        assert_eq!((tokens.dims(), segments.dims()), (&[2, steps][..], &[2, steps][..]));
        let short = examples.input(2).0.len();
        assert_eq!(valid_lens.to_vec1::<u32>()?, [short as u32, steps as u32]);
        assert_eq!(tokens.to_vec2::<u32>()?[0][short..], vec![pad; steps - short]);
        assert_eq!(segments.to_vec2::<u32>()?[0][short..], vec![0; steps - short]);
        assert_eq!(labels.to_vec1::<u32>()?, [2, 0]);
        let (longest, mean) = examples.lengths();
        assert!(longest == 12 && mean < 12.0 && examples.unknown_share() == 0.0, "{longest} {mean}");
        let unknown = BertPairs::new(&pairs(&[("a \u{1f9ff}", "a")]), &tokenizer, 12)?;
        assert!((unknown.unknown_share() - 1.0 / 3.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn minibatches_have_each_pair_once_and_others_of_its_length() -> Outcome {
        let tokenizer = some_pieces()?;
        let premises: Vec<String> = (0..103).map(|number| "a ".repeat(number * 37 % 41)).collect();
        let sentences: Vec<(&str, &str)> = premises.iter().map(|premise| (premise.as_str(), "the mill")).collect();
        let examples = BertPairs::new(&pairs(&sentences), &tokenizer, 64)?;
        let random = Random::new(3);
        let shuffle = random.stream(Purpose::Shuffling, "pairs");
        let mut batches = SimilarLengths::new(&examples, 4, shuffle, &CPU)?;
        assert_eq!(batches.batches(), 26);
        let (first, second) = (batches.order(), batches.order());
        assert_ne!(first, second);
        for order in [first, second] {
            assert_eq!(order.len(), 26);
            let mut seen = order.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..103).collect::<Vec<_>>());
        }
        let (mut padding, mut tokens) = (0, 0);
        for batch in batches.epoch() {
            let (inputs, _) = batch?;
            let lens = inputs.valid_lens.to_vec1::<u32>()?;
            tokens += lens.iter().sum::<u32>() as usize;
            padding += inputs.tokens.elem_count() - lens.iter().sum::<u32>() as usize;
        }
        assert!(padding * 10 < tokens, "{padding} {tokens}");
        let lens: Vec<usize> = examples.by_length().iter().map(|&index| examples.input(index).0.len()).collect();
        assert!(lens.is_sorted() && lens.len() == 103);
        assert!(SimilarLengths::new(&examples, 0, random.stream(Purpose::Shuffling, "pairs"), &CPU).is_err());
        Ok(())
    }

    #[test]
    fn sets_that_are_none_are_refused() -> Outcome {
        let tokenizer = some_pieces()?;
        let message = |pairs: &InferencePairs, max_len| {
            BertPairs::new(pairs, &tokenizer, max_len).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message(&pairs(&SENTENCES), 3).contains("no room for words"));
        let mut uneven = pairs(&SENTENCES);
        uneven.premises.pop();
        assert!(message(&uneven, 12).contains("3 premises, 4 hypotheses, 4 labels"));
        Ok(())
    }

    #[test]
    fn longer_padding_changes_no_vector() -> Outcome {
        let bert = PretrainedBert::sample()?;
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let encoder = bert.encoder(0.1, &parameters.builder().pp("encoder"))?;
        bert.restore(&parameters)?;
        let examples = BertPairs::new(&pairs(&SENTENCES), &bert.tokenizer, 32)?;
        let (all, longest) = ([0, 1, 2, 3], examples.lengths().0);
        let (short, _) = examples.batch(&all, &CPU)?;
        let (long, _) = examples.filled_up(&all, 32, &CPU)?;
        assert!(short.tokens.dim(1)? == longest && longest < 32);
        let (short, long) = (short.encode(&encoder, false)?, long.encode(&encoder, false)?);
        for index in all {
            let len = examples.input(index).0.len();
            let difference = (short.i((index, ..len))? - long.i((index, ..len))?)?.abs()?.max_all()?;
            assert!(difference.to_scalar::<f32>()? < 1e-5, "{index}: {difference}");
        }
        Ok(())
    }
}
