//! 9.5 Machine Translation and the Dataset
//!
//! Pairs of English and French sentences as padded minibatches of ids.
//!
//! `cargo run --release -p rnn -- machine-translation-and-dataset`
//! 167,130 pairs; 10,012 English tokens that occur twice or more; 184 English and 201 French ones in the first 600.

use d2l::data::{EOS, FraEng, PAD, preprocess_pairs, sentence_vocab, truncate_pad};
use d2l::prelude::*;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a sentence, after padding or truncation
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub num_steps: usize,
    /// Pairs to make minibatches of
    #[arg(long, default_value_t = 600, value_parser = count)]
    pub num_examples: usize,
}

defaults! { Config }

/// The beginning of a text, by characters.
fn beginning(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading the dataset")?;
    let set = nb.load::<FraEng>()?;
    nb.say(beginning(set.text(), 75))?;

    nb.cell("Preprocessing")?;
    nb.say(beginning(&preprocess_pairs(&beginning(set.text(), 200)), 80))?;

    nb.cell("Tokenization")?;
    let pairs = set.pairs(None)?;
    nb.say(format!("{} pairs", pairs.len()))?;
    for (source, target) in pairs.source.iter().zip(&pairs.target).take(6) {
        nb.say(format!("{source:?} {target:?}"))?;
    }
    nb.metric("pairs", pairs.len() as f64)?;

    nb.cell("Tokens a sentence")?;
    let lengths = |sentences: &[Vec<String>]| sentences.iter().map(|s| s.len() as f64).collect::<Vec<_>>();
    let (source, target) = (lengths(&pairs.source), lengths(&pairs.target));
    let mean = |lengths: &[f64]| lengths.iter().sum::<f64>() / lengths.len() as f64;
    nb.say(format!("{:.2} English and {:.2} French tokens on average", mean(&source), mean(&target)))?;
    let chart = Chart::new().x_label("tokens a sentence").y_label("sentences");
    let chart = chart.histogram([("source", &source[..]), ("target", &target[..])], 10);
    nb.figure("lengths", "Most sentences have fewer than ten tokens", chart)?;

    nb.cell("Vocabulary")?;
    let vocab = sentence_vocab(&pairs.source);
    nb.say(format!("{} English ids", vocab.len()))?;
    nb.say(format!("the first: {}", vocab.tokens(&[0, 1, 2, 3, 4, 5, 6, 7])?.join(" ")))?;
    nb.metric("source_ids_all", vocab.len() as f64)?;

    nb.cell("Truncation and padding")?;
    let mut ids = vocab.ids(&pairs.source[0]);
    ids.push(vocab.id(EOS));
    nb.say(format!("{ids:?} → {:?}", truncate_pad(&ids, 10, vocab.id(PAD))))?;

    nb.cell("Putting all things together")?;
    let (shuffle, num_examples) = (nb.stream(Purpose::Shuffling, "pairs"), Some(config.num_examples));
    let mut train = set.load(config.batch_size, config.num_steps, num_examples, shuffle, nb.device())?;
    if let Some(batch) = train.epoch().next() {
        let batch = batch?;
        nb.show("source", &batch.source)?;
        nb.show("valid lengths of the source", &batch.source_lens)?;
        nb.show("target", &batch.target)?;
        nb.show("valid lengths of the target", &batch.target_lens)?;
    }
    let (source, target) = (train.dataset().source_vocab.len(), train.dataset().target_vocab.len());
    nb.say(format!("{source} English and {target} French ids"))?;
    nb.metric("source_ids", source as f64)?;
    nb.metric("target_ids", target as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_never_splits_a_character() {
        assert_eq!(beginning("où\u{202f}?", 2), "où");
        assert_eq!(beginning("où", 20), "où");
    }
}
