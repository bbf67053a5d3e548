//! 14.9 The Dataset for Pretraining BERT
//!
//! A text becomes pairs of sentences, about half of which do not belong together, with 15 % of their words to be guessed.
//!
//! `cargo run --release -p nlp-pretraining -- bert-dataset`
//! 20,256 ids and some 43,600 pairs in a few seconds; of the words to be guessed 80 % are masked, 10 % random, 10 % as they were.

use std::sync::Arc;
use std::time::Instant;

use d2l::data::DataError;
use d2l::notebook::at_least;
use d2l::prelude::*;
use d2l::text::{UnknownId, Vocab};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::bert::{CLS, MASK, SEP, tokens_and_segments};
pub use crate::pretraining_examples::{BertBatch, PretrainingExamples};
use crate::wiki_text::WikiText2;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a pair, after padding; longer ones are left out
    #[arg(long, default_value_t = 64, value_parser = at_least::<5>)]
    pub max_len: usize,
}

defaults! { Config: Smoke { batch_size: 8, max_len: 32 } }

/// Two sentences as an input of BERT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentencePair {
    /// Ids, those of the marks included.
    pub tokens: Vec<u32>,
    /// For each of them the number of its sentence, 0 or 1.
    pub segments: Vec<u32>,
    /// Whether the second follows the first.
    pub is_next: bool,
}

/// With probability one half the sentence that comes `next`, else a random sentence of a random paragraph; and whether it
/// is the one that comes next.
#[doc(alias = "_get_next_sentence")]
pub fn next_sentence<'a>(next: &'a [u32], paragraphs: &'a [Vec<Vec<u32>>], stream: &mut Stream) -> (&'a [u32], bool) {
    if stream.random_bool(0.5) {
        return (next, true);
    }
    let other = paragraphs.choose(stream).and_then(|paragraph| paragraph.choose(stream));
    other.map_or((next, true), |other| (other.as_slice(), false))
}

/// Each sentence of a paragraph but the last, with what [`next_sentence`] gives for it. Pairs of more than `max_len`
/// tokens are left out, and those without a word.
#[doc(alias = "_get_nsp_data_from_paragraph")]
pub fn sentence_pairs(
    paragraph: &[Vec<u32>],
    paragraphs: &[Vec<Vec<u32>>],
    vocab: &Vocab,
    max_len: usize,
    stream: &mut Stream,
) -> Vec<SentencePair> {
    let mut pairs = Vec::new();
    let marks = [vocab.id(CLS), vocab.id(SEP)];
    for sentences in paragraph.windows(2) {
        let (a, (b, is_next)) = (&sentences[0], next_sentence(&sentences[1], paragraphs, stream));
        let words = a.len() + b.len();
        if words > 0 && words + 3 <= max_len {
            let (tokens, segments) = tokens_and_segments(a, Some(b), marks);
            pairs.push(SentencePair { tokens, segments, is_next });
        }
    }
    pairs
}

/// An input with words to guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedTokens {
    /// What the model sees.
    pub tokens: Vec<u32>,
    /// Where it has to guess, in ascending order.
    pub positions: Vec<u32>,
    /// What stood there.
    pub labels: Vec<u32>,
}

/// How many words of an input of `len` tokens are to be guessed: 15 % of `len`, rounded as Python rounds, half to even.
pub fn num_predictions(len: usize) -> usize {
    ((len as f64 * 0.15).round_ties_even() as usize).max(1)
}

/// Takes `num_predictions` of the `candidates`, or all where there are not so many, in random order, and puts in the place
/// of each `<mask>` (80 %), a token drawn from the whole vocabulary (10 %), or what was there (10 %). Gives the changed
/// tokens and the positions taken.
///
/// In the book's code the random token is drawn as a number and then looked up as if it were a word, so that the model
/// sees `<unk>` in its place; here it sees the token.
#[doc(alias = "_replace_mlm_tokens")]
pub fn replace_tokens(
    tokens: &[u32],
    mut candidates: Vec<u32>,
    num_predictions: usize,
    vocab: &Vocab,
    stream: &mut Stream,
) -> (Vec<u32>, Vec<u32>) {
    let mut replaced = tokens.to_vec();
    candidates.shuffle(stream);
    candidates.truncate(num_predictions);
    for &position in &candidates {
        if stream.random_bool(0.8) {
            replaced[position as usize] = vocab.id(MASK);
        } else if stream.random_bool(0.5) {
            replaced[position as usize] = stream.random_range(0..vocab.len() as u32);
        }
    }
    (replaced, candidates)
}

/// Chooses the words of an input that are to be guessed, never one of the marks, and replaces them.
#[doc(alias = "_get_mlm_data_from_tokens")]
pub fn mask_tokens(tokens: &[u32], vocab: &Vocab, stream: &mut Stream) -> MaskedTokens {
    let marks = [vocab.id(CLS), vocab.id(SEP)];
    let candidates = (0u32..).zip(tokens).filter(|(_, token)| !marks.contains(token)).map(|(position, _)| position);
    let count = num_predictions(tokens.len());
    let (replaced, mut positions) = replace_tokens(tokens, candidates.collect(), count, vocab, stream);
    positions.sort_unstable();
    let labels = positions.iter().map(|&position| tokens[position as usize]).collect();
    MaskedTokens { tokens: replaced, positions, labels }
}

impl WikiText2 {
    /// Pairs of sentences with words to guess, in shuffled minibatches, and the vocabulary. Pairs and masks are drawn once;
    /// `random` gives them, and the order of each epoch.
    ///
    /// # Errors
    /// Where no pair of sentences has at most `max_len` tokens.
    #[doc(alias = "load_data_wiki")]
    pub fn load(
        &self,
        batch_size: usize,
        max_len: usize,
        random: &Random,
        device: &Device,
    ) -> Result<(Loader<PretrainingExamples>, Arc<Vocab>), DataError> {
        let vocab = Arc::new(self.vocab());
        let examples = PretrainingExamples::new(&self.ids(&vocab), &vocab, max_len, random)?;
        let order = random.stream(Purpose::Shuffling, "pairs of sentences");
        Ok((Loader::new(examples, batch_size, device)?.shuffled(order), vocab))
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.load::<WikiText2>()?;
    let vocab = text.vocab();
    let paragraphs = text.ids(&vocab);
    let sentences: usize = paragraphs.iter().map(Vec::len).sum();
    nb.say(format!("{} paragraphs, {sentences} sentences, {} ids", paragraphs.len(), vocab.len()))?;
    for sentence in text.paragraphs().take(1).flatten().take(2) {
        nb.say(sentence)?;
    }
    nb.metric("word_ids", vocab.len() as f64)?;

    nb.cell("Generating the next sentence prediction task")?;
    let words = |ids: &[u32]| Ok::<_, UnknownId>(vocab.tokens(ids)?.join(" "));
    let mut stream = nb.stream(Purpose::Sampling, "examples to show");
    let mut pairs = Vec::new();
    for paragraph in &paragraphs {
        pairs = sentence_pairs(paragraph, &paragraphs, &vocab, config.max_len, &mut stream);
        if pairs.iter().any(|pair| pair.is_next) && pairs.iter().any(|pair| !pair.is_next) {
            break; // a pair of each kind
        }
    }
    for pair in pairs.iter().take(4) {
        nb.say(format!("{}: {}", if pair.is_next { "next" } else { "random" }, words(&pair.tokens)?))?;
    }

    nb.cell("Generating the masked language modeling task")?;
    if let Some(pair) = pairs.first() {
        let masked = mask_tokens(&pair.tokens, &vocab, &mut stream);
        nb.say(words(&masked.tokens)?)?;
        let mut table = Table::new(["position", "word", "the model sees"]);
        for (&position, &label) in masked.positions.iter().zip(&masked.labels) {
            let seen = vocab.token(masked.tokens[position as usize])?;
            table.row([position.to_string(), vocab.token(label)?.to_string(), seen.to_string()]);
        }
        nb.say(table)?;
    }

    nb.cell("Transforming text into the pretraining dataset")?;
    let started = Instant::now();
    let (mut loader, vocab) = text.load(config.batch_size, config.max_len, nb.random(), nb.device())?;
    let seconds = started.elapsed().as_secs_f64();
    nb.say(format!("{} pairs prepared in {seconds:.1} s", loader.examples()))?;
    for batch in loader.epoch().take(1) {
        for (name, tensor) in batch?.named() {
            nb.say(format!("{name}: {:?}", tensor.dims()))?;
        }
    }
    nb.metric("sentence_pairs", loader.examples() as f64)?;
    nb.metric("pairs_per_second", loader.examples() as f64 / seconds)?;

    nb.cell("What was drawn")?;
    let examples = loader.dataset();
    let counts = examples.replacements(&vocab);
    let guesses = counts.iter().sum::<usize>() as f64;
    nb.say(format!("{guesses} words are to be guessed"))?;
    for (name, count) in ["mask_share", "random_share", "unchanged_share"].into_iter().zip(counts) {
        let share = count as f64 / guesses;
        nb.show(&name.replace('_', " "), format!("{share:.4}"))?;
        nb.metric(name, share)?;
    }
    nb.show("share of pairs that follow each other", format!("{:.4}", examples.next_share()))?;
    nb.metric("next_share", examples.next_share())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPECIAL: u32 = 5; // ids below it stand for no word

    /// A vocabulary of `words` words, w0, w1 …, whose ids follow the special ones.
    fn vocab(words: usize) -> Vocab {
        let words: Vec<String> = (0..words).map(|word| format!("w{word}")).collect();
        Vocab::new(words.iter().map(String::as_str), 0, &super::super::bert::RESERVED)
    }

    fn stream(seed: u64) -> Stream {
        Random::new(seed).stream(Purpose::Sampling, "test")
    }

    #[test]
    fn predictions_are_rounded_as_in_python() {
        let cases = [(3, 1), (4, 1), (10, 2), (30, 4), (50, 8), (64, 10), (70, 10), (128, 19)];
        for (len, expected) in cases {
            assert_eq!(num_predictions(len), expected, "{len}");
        }
    }

    #[test]
    fn half_of_the_pairs_follow_each_other() {
        let paragraphs = vec![vec![vec![5], vec![6], vec![7]], vec![vec![8]]];
        let (mut stream, mut follow, mut seen) = (stream(1), 0, [0; 9]);
        for _ in 0..4000 {
            let (sentence, is_next) = next_sentence(&[6], &paragraphs, &mut stream);
            if is_next {
                assert_eq!(sentence, [6]);
                follow += 1;
            } else {
                seen[sentence[0] as usize] += 1;
            }
        }
        assert!((1800..2200).contains(&follow), "{follow}");
        // A paragraph is as likely as the other, however many sentences it has.
        assert!((850..1150).contains(&seen[8]) && (250..420).contains(&seen[5]), "{seen:?}");
        assert_eq!(next_sentence(&[6], &[], &mut stream), (&[6u32][..], true));
    }

    #[test]
    fn pairs_that_are_too_long_or_empty_are_left_out() {
        let vocab = vocab(10);
        let paragraph = vec![vec![5, 6], vec![7], vec![8; 9], vec![], vec![]];
        let paragraphs = [vec![vec![7]]]; // the only random sentence is the one that follows the first
        let pairs = sentence_pairs(&paragraph, &paragraphs, &vocab, 6, &mut stream(1));
        assert_eq!((&pairs[0].tokens[..], &pairs[0].segments[..]), (&[3, 5, 6, 4, 7, 4][..], &[0, 0, 0, 0, 1, 1][..]));
        assert!(pairs.iter().all(|pair| (4..=6).contains(&pair.tokens.len())), "{pairs:?}");
        assert!(sentence_pairs(&paragraph[..1], &paragraphs, &vocab, 6, &mut stream(1)).is_empty());
        assert!(sentence_pairs(&paragraph[..2], &paragraphs, &vocab, 5, &mut stream(1)).is_empty());
    }

    #[test]
    fn eighty_ten_ten() {
        let (vocab, mut stream) = (vocab(10_000), stream(1));
        let tokens: Vec<u32> = (0..1000).map(|word| SPECIAL + word).collect();
        let mut counts = [0usize; 3];
        for _ in 0..100 {
            let masked = mask_tokens(&tokens, &vocab, &mut stream);
            assert_eq!(masked.positions.len(), 150);
            for (&position, &label) in masked.positions.iter().zip(&masked.labels) {
                let token = masked.tokens[position as usize];
                counts[if token == vocab.id(MASK) { 0 } else { 1 + usize::from(token == label) }] += 1;
            }
        }
        let share = |count: usize| count as f64 / 15_000.0;
        assert!((share(counts[0]) - 0.8).abs() < 0.015, "{counts:?}");
        assert!((share(counts[1]) - 0.1).abs() < 0.01 && (share(counts[2]) - 0.1).abs() < 0.01, "{counts:?}");
    }

    #[test]
    fn what_has_no_word_has_nothing_to_guess() {
        let masked = mask_tokens(&[3, 4, 4], &vocab(3), &mut stream(1));
        assert_eq!(masked, MaskedTokens { tokens: vec![3, 4, 4], positions: vec![], labels: vec![] });
    }

    proptest! {
        #[test]
        fn marks_are_never_guessed_and_labels_are_what_stood_there(
            a in prop::collection::vec(5u32..25, 0..20),
            b in prop::collection::vec(5u32..25, 1..20),
            seed in 0u64..1000,
        ) {
            let vocab = vocab(20);
            let (tokens, _) = tokens_and_segments(&a, Some(&b), [vocab.id(CLS), vocab.id(SEP)]);
            let masked = mask_tokens(&tokens, &vocab, &mut stream(seed));
            prop_assert_eq!(masked.positions.len(), num_predictions(tokens.len()).min(a.len() + b.len()));
            prop_assert!(masked.positions.windows(2).all(|pair| pair[0] < pair[1]));
            let mut restored = masked.tokens.clone();
            for (&position, &label) in masked.positions.iter().zip(&masked.labels) {
                prop_assert!(tokens[position as usize] >= SPECIAL);
                prop_assert!(masked.tokens[position as usize] < vocab.len() as u32);
                restored[position as usize] = label;
            }
            prop_assert_eq!(restored, tokens);
        }
    }
}
