//! 14.6 Subword Embedding
//!
//! Parts of words: fastText's n-grams, whose sum stands for a word, also for one that was never seen; and byte pair
//! encoding, which finds parts of any length by counting.
//!
//! `cargo run --release -p nlp-pretraining -- subword-embedding`
//! At once: "tallest" comes next to "tall" and "taller"; ten merges give `fast_`, `er_` and `tall_`.

use std::collections::{HashMap, HashSet};

use d2l::data::Repeat;
use d2l::notebook::within;
use d2l::ops::softmax;
use d2l::prelude::*;

use crate::little_corpus::{LittleCorpus, Prediction};
use crate::plain_vectors::{Rows, cosine_similarity};
use crate::subword_vectors::{LENGTHS, SubwordSkipGram, subwords};

/// Sizes and hyperparameters; the number of merges is the book's, which trains no subword vectors.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows of the table that subwords are hashed into
    #[arg(long, default_value_t = 10_000, value_parser = within::<1, 10_000_000>)]
    pub buckets: usize,
    /// Numbers in a subword vector
    #[arg(long, default_value_t = 8, value_parser = within::<1, 1000>)]
    pub embed_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.5, value_parser = positive)]
    pub lr: f64,
    /// Epochs of the training
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
    /// Gradient steps of an epoch, each on all phrases
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_steps: usize,
    /// Merges of byte pair encoding
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_merges: usize,
}

defaults! { Config }

/// Phrases in which words with one root stand before the same nouns.
const PHRASES: [&str; 12] = [
    "a tall tower",
    "a taller tower",
    "a tall mountain",
    "a taller mountain",
    "a fast car",
    "a faster car",
    "a fast train",
    "a faster train",
    "a slow snail",
    "a slower snail",
    "a slow turtle",
    "a slower turtle",
];

/// Words that are in no phrase, each with one of its root that is.
const UNSEEN: [(&str, &str); 3] = [("tallest", "tall"), ("fastest", "fast"), ("slowest", "slow")];

/// Trains the model by gradient descent on all phrases at once.
fn train(
    nb: &Notebook,
    model: &SubwordSkipGram,
    parameters: &Parameters,
    corpus: &LittleCorpus,
    config: &Config,
) -> anyhow::Result<History> {
    let predictions = Prediction::skip_gram(corpus, 1);
    let tensor = |id: fn(&Prediction) -> usize| {
        Tensor::new(predictions.iter().map(|prediction| id(prediction) as u32).collect::<Vec<_>>(), nb.device())
    };
    let (centers, labels) = (tensor(|prediction| prediction.given[0])?, tensor(|prediction| prediction.word)?);
    let mut optimizer = Sgd::new(parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).with(parameters).with(&optimizer);
    let history = trainer.run(&mut Repeat(config.num_steps), |step, ()| {
        let logits = model.logits(&corpus.words)?.index_select(&centers, 0)?; // (words, words) -> (pairs, words)
        let loss = cross_entropy(&logits, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, predictions.len())
    })?;
    Ok(history)
}

/// The vectors of words as plain numbers.
fn word_rows(model: &SubwordSkipGram, words: &[&str]) -> Result<Rows> {
    model.subwords.vectors(words)?.detach().to_dtype(DType::F64)?.to_vec2()
}

/// By how much the unseen words are more similar to the known word of their root than to those of other roots, at least;
/// below 0 where one is not.
fn similarity_gap(model: &SubwordSkipGram) -> Result<f64> {
    let unseen = word_rows(model, &UNSEEN.map(|(word, _)| word))?;
    let roots = word_rows(model, &UNSEEN.map(|(_, root)| root))?;
    let mut least = f64::INFINITY;
    for (own, word) in unseen.iter().enumerate() {
        let similarities: Vec<f64> = roots.iter().map(|root| cosine_similarity(word, root)).collect();
        for (_, similarity) in similarities.iter().enumerate().filter(|&(other, _)| other != own) {
            least = least.min(similarities[own] - similarity);
        }
    }
    Ok(least)
}

/// A word as symbols, and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolWord {
    /// Characters at first, then what they are merged to.
    pub symbols: Vec<String>,
    /// Its count in the text.
    pub count: usize,
}

impl SymbolWord {
    /// A word of single characters.
    pub fn new(word: &str, count: usize) -> Self {
        Self { symbols: word.chars().map(String::from).collect(), count }
    }
}

/// The pair of neighboring symbols that occurs most often, of several the one that comes first; nothing where no word has
/// two symbols.
pub fn max_freq_pair(words: &[SymbolWord]) -> Option<(String, String)> {
    let mut places = HashMap::new();
    let mut counts: Vec<(&[String], usize)> = Vec::new();
    for SymbolWord { symbols, count } in words {
        for pair in symbols.windows(2) {
            let place = *places.entry(pair).or_insert(counts.len());
            if place == counts.len() {
                counts.push((pair, 0));
            }
            counts[place].1 += count;
        }
    }
    // Of equal ones the last counts as the largest: in reverse, the first.
    let (pair, _) = counts.into_iter().rev().max_by_key(|&(_, count)| count)?;
    Some((pair[0].clone(), pair[1].clone()))
}

/// Makes one symbol of each occurrence of `pair` in the words, from left to right, and adds it to the symbols.
pub fn merge_symbols((first, second): &(String, String), words: &mut [SymbolWord], symbols: &mut Vec<String>) {
    let merged = format!("{first}{second}");
    for SymbolWord { symbols, .. } in words {
        let mut rest = std::mem::take(symbols).into_iter().peekable();
        while let Some(symbol) = rest.next() {
            let is_pair = symbol == *first && rest.next_if_eq(second).is_some();
            symbols.push(if is_pair { merged.clone() } else { symbol });
        }
    }
    if !symbols.contains(&merged) {
        symbols.push(merged);
    }
}

/// The symbol that stands for the rest of a word from a character on that no symbol begins with.
pub const UNKNOWN: &str = "[UNK]";

/// Cuts each token into the longest symbols possible, from left to right, with spaces between.
pub fn segment_bpe(tokens: &[&str], symbols: &[String]) -> Vec<String> {
    let symbols: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    let longest = symbols.iter().map(|symbol| symbol.len()).max().unwrap_or(0);
    let segment = |token: &&str| {
        let (mut rest, mut output) = (*token, Vec::new());
        while !rest.is_empty() {
            let mut ends = (1..=longest.min(rest.len())).rev().filter(|&end| rest.is_char_boundary(end));
            let Some(end) = ends.find(|&end| symbols.contains(&rest[..end])) else {
                output.push(UNKNOWN);
                break;
            };
            output.push(&rest[..end]);
            rest = &rest[end..];
        }
        output.join(" ")
    };
    tokens.iter().map(segment).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("fastText")?;
    nb.say(format!("n-grams of 3 characters and the whole: {:?}", subwords("where", 3..=3)))?;
    nb.say(format!("{} subwords with the n-grams of 3 to 6", subwords("where", LENGTHS).len()))?;

    nb.cell("A word as the sum of its subwords")?;
    let corpus = LittleCorpus::new(&PHRASES);
    let parameters = nb.parameters();
    let (words, buckets) = (corpus.words.len(), config.buckets);
    let model = SubwordSkipGram::new(words, buckets, config.embed_size, &parameters.builder())?;
    let all: HashSet<String> = corpus.words.iter().flat_map(|word| subwords(word, LENGTHS)).collect();
    let rows: HashSet<u32> = corpus.words.iter().flat_map(|word| model.subwords.buckets(word)).collect();
    nb.say(format!("{words} words, {} subwords in {} of {buckets} rows", all.len(), rows.len()))?;
    let untrained = similarity_gap(&model)?;
    let history = train(nb, &model, &parameters, &corpus, config)?;
    nb.training(&history)?;

    nb.cell("Words that were never seen")?;
    let known = word_rows(&model, &corpus.words)?;
    let mut table = Table::new(["unseen", "nearest", "cosine", "tall", "fast", "slow", "likely contexts"]);
    for (word, _) in UNSEEN {
        let vector = &word_rows(&model, &[word])?[0];
        let similarities: Vec<f64> = known.iter().map(|other| cosine_similarity(vector, other)).collect();
        let (nearest, similarity) = largest(&similarities, 1)[0];
        let p = softmax(&model.logits(&[word])?.detach(), 1)?.to_dtype(DType::F64)?.get(0)?.to_vec1::<f64>()?;
        let contexts: Vec<String> =
            largest(&p, 3).iter().map(|&(word, p)| format!("{} {p:.2}", corpus.words[word])).collect();
        let mut row = vec![word.to_string(), corpus.words[nearest].to_string(), format!("{similarity:.3}")];
        for (_, root) in UNSEEN {
            row.push(format!("{:.3}", similarities[corpus.id(root)?]));
        }
        table.row(row.into_iter().chain([contexts.join(", ")]));
    }
    nb.say(table)?;
    let trained = similarity_gap(&model)?;
    nb.say(format!("the own root is nearer than the others by {trained:.3} at least; untrained by {untrained:.3}"))?;
    nb.metric("similarity_gap", trained)?;

    nb.cell("Byte pair encoding")?;
    let mut symbols: Vec<String> = ('a'..='z').map(String::from).chain(["_".into(), UNKNOWN.into()]).collect();
    let token_freqs = [("fast_", 4), ("faster_", 3), ("tall_", 5), ("taller_", 4)];
    let mut words = token_freqs.map(|(token, count)| SymbolWord::new(token, count));
    for SymbolWord { symbols, count } in &words {
        nb.say(format!("{}: {count}", symbols.join(" ")))?;
    }

    nb.cell("Merging the most frequent pair")?;
    for number in 1..=config.num_merges {
        let Some(pair) = max_freq_pair(&words) else { break };
        merge_symbols(&pair, &mut words, &mut symbols);
        nb.say(format!("merge #{number}: ('{}', '{}')", pair.0, pair.1))?;
    }
    nb.say(format!("{symbols:?}"))?;
    nb.say(format!("{:?}", words.each_ref().map(|word| word.symbols.join(" "))))?;
    nb.metric("symbols", symbols.len() as f64)?;

    nb.cell("Segmenting other words")?;
    nb.say(format!("{:?}", segment_bpe(&["tallest_", "fatter_"], &symbols)))?;
    nb.say(format!("{:?}", segment_bpe(&["größer_"], &symbols)))
}

/// The places of the `count` largest values, the largest first.
fn largest(values: &[f64], count: usize) -> Vec<(usize, f64)> {
    let mut places: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    places.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable
    places.truncate(count);
    places
}

#[cfg(test)]
mod tests {
    use d2l_testing::gradients::reach_all;
    use proptest::prelude::*;

    use super::*;

    fn words(words: &[(&str, usize)]) -> Vec<SymbolWord> {
        words.iter().map(|&(word, count)| SymbolWord::new(word, count)).collect()
    }

    fn strings(symbols: &[&str]) -> Vec<String> {
        symbols.iter().map(ToString::to_string).collect()
    }

    fn pair(first: &str, second: &str) -> (String, String) {
        (first.to_string(), second.to_string())
    }

    /// The book's example after `merges` merges: the pairs, the words, the symbols.
    fn example(merges: usize) -> (Vec<(String, String)>, Vec<SymbolWord>, Vec<String>) {
        let mut words = words(&[("fast_", 4), ("faster_", 3), ("tall_", 5), ("taller_", 4)]);
        let mut symbols: Vec<String> = ('a'..='z').map(String::from).chain(strings(&["_", UNKNOWN])).collect();
        let mut pairs = Vec::new();
        while pairs.len() < merges
            && let Some(pair) = max_freq_pair(&words)
        {
            merge_symbols(&pair, &mut words, &mut symbols);
            pairs.push(pair);
        }
        (pairs, words, symbols)
    }

    #[test]
    fn the_books_example_to_the_letter() {
        let (pairs, words, symbols) = example(10);
        let expected = [
            ("t", "a"),
            ("ta", "l"),
            ("tal", "l"),
            ("f", "a"),
            ("fa", "s"),
            ("fas", "t"),
            ("e", "r"),
            ("er", "_"),
            ("tall", "_"),
            ("fast", "_"),
        ];
        assert_eq!(pairs, expected.map(|(first, second)| pair(first, second)));
        let joined: Vec<String> = words.iter().map(|word| word.symbols.join(" ")).collect();
        assert_eq!(joined, ["fast_", "fast er_", "tall_", "tall er_"]);
        assert_eq!(words.iter().map(|word| word.count).collect::<Vec<_>>(), [4, 3, 5, 4]);
        assert_eq!(symbols[25..28], ["z", "_", "[UNK]"]);
        assert_eq!(symbols[28..], ["ta", "tal", "tall", "fa", "fas", "fast", "er", "er_", "tall_", "fast_"]);
        assert_eq!(segment_bpe(&["tallest_", "fatter_"], &symbols), ["tall e s t _", "fa t t er_"]);
        // Two more, and each word is a symbol: no pair is left.
        assert_eq!(example(100).0[10..], [pair("tall", "er_"), pair("fast", "er_")]);
    }

    #[test]
    fn of_pairs_as_frequent_the_first_is_merged() {
        assert_eq!(max_freq_pair(&words(&[("ab", 2), ("cd", 2), ("ef", 1)])), Some(pair("a", "b")));
        assert_eq!(max_freq_pair(&words(&[("ab", 2), ("cdcd", 2), ("ef", 1)])), Some(pair("c", "d")));
        assert_eq!(max_freq_pair(&words(&[("ab", 1), ("ba", 3)])), Some(pair("b", "a")));
        assert_eq!(max_freq_pair(&words(&[("a", 7), ("", 1)])), None);
        assert_eq!(max_freq_pair(&[]), None);
    }

    #[test]
    fn no_merge_begins_within_a_symbol() {
        // In the text "xa b", "a b" would be found.
        let mut words = vec![SymbolWord { symbols: strings(&["xa", "b", "a", "b", "a", "bx"]), count: 1 }];
        let mut symbols = Vec::new();
        merge_symbols(&pair("a", "b"), &mut words, &mut symbols);
        assert_eq!(words[0].symbols, ["xa", "b", "ab", "a", "bx"]);
        assert_eq!(symbols, ["ab"]);
    }

    #[test]
    fn pairs_that_overlap_are_merged_from_the_left_and_a_symbol_is_listed_once() {
        let mut words = words(&[("aaaaa", 1)]);
        let mut symbols = strings(&["a"]);
        merge_symbols(&pair("a", "a"), &mut words, &mut symbols);
        assert_eq!(words[0].symbols, ["aa", "aa", "a"]);
        merge_symbols(&pair("aa", "a"), &mut words, &mut symbols);
        assert_eq!(words[0].symbols, ["aa", "aaa"]);
        let mut others = vec![SymbolWord { symbols: strings(&["a", "aa"]), count: 1 }];
        merge_symbols(&pair("a", "aa"), &mut others, &mut symbols);
        assert_eq!(symbols, ["a", "aa", "aaa"]);
    }

    #[test]
    fn what_no_symbol_begins_with_is_unknown_to_the_words_end() {
        let symbols = strings(&["a", "b", "ab", "é", "🙂é", "_"]);
        let tokens = ["aba_", "é🙂é_", "ab🙂ab", "xab", "", "Ab_", "🙂"];
        let expected = ["ab a _", "é 🙂é _", "ab [UNK]", "[UNK]", "", "[UNK]", "[UNK]"];
        assert_eq!(segment_bpe(&tokens, &symbols), expected);
        assert_eq!(segment_bpe(&["a"], &[]), ["[UNK]"]);
    }

    #[test]
    fn unseen_words_come_near_those_of_their_root() -> Result<()> {
        let parameters = Parameters::new(&Random::new(3), &Device::Cpu);
        let corpus = LittleCorpus::new(&PHRASES);
        let model = SubwordSkipGram::new(corpus.words.len(), 10_000, 8, &parameters.builder())?;
        let labels =
            Tensor::new(corpus.sentences.iter().map(|phrase| phrase[2] as u32).collect::<Vec<_>>(), &Device::Cpu)?;
        let centers: Vec<&str> = corpus.sentences.iter().map(|phrase| corpus.words[phrase[1]]).collect();
        let loss = || cross_entropy(&model.logits(&centers)?, &labels, Reduction::Mean);
        reach_all(&parameters, &loss()?, |_| false)?;
        let mut optimizer = Sgd::new(&parameters, 0.5);
        for _ in 0..60 {
            optimizer.minimize(&loss()?)?;
        }
        for (word, root) in UNSEEN {
            let vectors = word_rows(&model, &[word, "tall", "fast", "slow"])?;
            for (vector, other) in vectors[1..].iter().zip(["tall", "fast", "slow"]) {
                let similarity = cosine_similarity(&vectors[0], vector);
                assert!((similarity > 0.7) == (other == root), "{word} {other} {similarity}");
            }
        }
        let gap = similarity_gap(&model)?;
        assert!((0.5..1.5).contains(&gap), "{gap}");
        Ok(())
    }

    #[test]
    fn the_largest_come_first() {
        assert_eq!(largest(&[0.1, 0.5, 0.2, 0.5], 3), [(1, 0.5), (3, 0.5), (2, 0.2)]);
    }

    proptest! {
        #[test]
        fn merges_and_segments_keep_every_character(
            texts in prop::collection::vec("[abé🙂]{1,8}", 1..8),
            merges in 0usize..12,
        ) {
            let counted: Vec<(&str, usize)> = texts.iter().map(String::as_str).zip(1..).collect();
            let mut words = words(&counted);
            let mut symbols = strings(&["a", "b", "é", "🙂"]);
            for _ in 0..merges {
                let Some(pair) = max_freq_pair(&words) else { break };
                merge_symbols(&pair, &mut words, &mut symbols);
                prop_assert_ne!(max_freq_pair(&words), Some(pair)); // it is nowhere any more
            }
            for (word, text) in words.iter().zip(&texts) {
                prop_assert_eq!(&word.symbols.concat(), text);
                prop_assert!(word.symbols.iter().all(|symbol| symbols.contains(symbol)));
            }
            let tokens: Vec<&str> = texts.iter().map(String::as_str).collect();
            for (segmented, text) in segment_bpe(&tokens, &symbols).iter().zip(&texts) {
                prop_assert_eq!(&segmented.replace(' ', ""), text);
            }
        }
    }
}
