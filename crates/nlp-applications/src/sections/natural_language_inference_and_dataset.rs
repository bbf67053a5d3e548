//! 15.4 Natural Language Inference and the Dataset
//!
//! Pairs of sentences: the second follows from the first, contradicts it, or does neither.
//!
//! `cargo run --release -p nlp-applications -- natural-language-inference-and-dataset`
//! 3,368, 3,237 and 3,219 test pairs of the three relations; 549,367 training pairs, or 18,172 where these cannot be had.

use std::sync::Arc;

use d2l::data::PAD;
use d2l::prelude::*;
use d2l::text::Vocab;

use crate::snli::{InferencePairs, RELATIONS, Snli};
use crate::snli_examples::InferenceExamples;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a sentence: longer ones are cut, shorter ones filled up
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub num_steps: usize,
    /// Training pairs to use, the first of the set [default: all]
    #[arg(long, value_parser = count)]
    pub examples: Option<usize>,
}

defaults! { Config: Smoke { batch_size: 32 } }

/// The words of a row of a minibatch, without its padding.
fn words(vocab: &Vocab, row: &Tensor) -> anyhow::Result<String> {
    let mut ids = row.to_vec1::<u32>()?;
    ids.retain(|&id| id != vocab.id(PAD));
    Ok(vocab.tokens(&ids)?.join(" "))
}

/// The mean number of tokens of sentences, and how many have more than `num_steps`.
fn lengths(sentences: &[String], num_steps: usize) -> (f64, usize) {
    let lengths: Vec<usize> = sentences.iter().map(|sentence| sentence.split_whitespace().count()).collect();
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
    (mean, lengths.into_iter().filter(|&length| length > num_steps).count())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The Stanford Natural Language Inference (SNLI) dataset")?;
    let snli = nb.load::<Snli>()?.first(config.examples);
    let sets: [(&str, &InferencePairs); 2] = [("train", &snli.train), ("test", &snli.test)];
    for (name, pairs) in sets {
        nb.say(format!("{name}: {} pairs, and {} without a label, left out", pairs.len(), pairs.unlabeled))?;
        nb.metric(&format!("{name}_pairs"), pairs.len() as f64)?;
    }

    nb.cell("Reading the dataset")?;
    let InferencePairs { premises, hypotheses, labels, .. } = &snli.train;
    for ((premise, hypothesis), &label) in premises.iter().zip(hypotheses).zip(labels).take(3) {
        nb.show("premise", premise)?;
        nb.show("hypothesis", hypothesis)?;
        nb.show("label", format!("{label}, {}", RELATIONS[label as usize]))?;
    }

    nb.cell("The labels")?;
    let mut table = Table::new(["set"].into_iter().chain(RELATIONS));
    for (name, pairs) in sets {
        let counts = pairs.counts();
        table.row([name.to_string()].into_iter().chain(counts.iter().map(ToString::to_string)));
        for (relation, count) in RELATIONS.into_iter().zip(counts) {
            nb.metric(&format!("{name}_{relation}"), count as f64)?;
        }
    }
    nb.say(table)?;

    nb.cell("Defining a class for loading the dataset")?;
    let vocab = Arc::new(snli.train.vocab());
    let examples = InferenceExamples::new(&snli.train, config.num_steps, &vocab)?;
    nb.say(format!("read {} examples", examples.len()))?;
    for (name, sentences) in [("premise", premises), ("hypothesis", hypotheses)] {
        let (mean, cut) = lengths(sentences, config.num_steps);
        nb.say(format!("a {name} has {mean:.1} tokens; {cut} with more than {} are cut", config.num_steps))?;
        nb.metric(&format!("{name}_tokens"), mean)?;
    }
    nb.say(format!("{:.1} of 100 places are padding", 100.0 * examples.padding()))?;
    nb.metric("padding_share", examples.padding())?;

    nb.cell("Putting all things together")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training pairs");
    let (mut train, test) = snli.load(config.batch_size, config.num_steps, shuffle, nb.device())?;
    let vocab = train.dataset().vocab.clone();
    nb.say(format!("{} minibatches to train on, {} to test with", train.batches(), test.batches()))?;

    nb.cell("The vocabulary")?;
    nb.show("ids", vocab.len())?;
    nb.metric("pair_word_ids", vocab.len() as f64)?;
    let frequent = vocab.frequencies().iter().take(10).map(|(word, count)| format!("{word} {count}"));
    nb.show("the most frequent", frequent.collect::<Vec<_>>().join(", "))?;

    nb.cell("The first minibatch")?;
    if let Some(batch) = train.epoch().next() {
        let (premises, hypotheses, labels) = batch?;
        nb.say(format!("{:?}, {:?}, {:?}", premises.dims(), hypotheses.dims(), labels.dims()))?;
        nb.show("a premise", words(&vocab, &premises.get(0)?)?)?;
        nb.show("its hypothesis", words(&vocab, &hypotheses.get(0)?)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_counted() {
        let sentences = ["a b c", "", "a b c d e"].map(String::from);
        assert_eq!(lengths(&sentences, 3), (8.0 / 3.0, 1));
        assert_eq!(lengths(&sentences, 2).1, 2);
        assert_eq!(lengths(&[], 2), (0.0, 0));
    }

    #[test]
    fn padding_is_no_word() -> anyhow::Result<()> {
        let vocab = Vocab::new("a b b".split(' '), 0, &[PAD]); // b has the id 2
        let row = Tensor::new(&[2u32, 0, 3, 1, 1], &Device::Cpu)?;
        assert_eq!(words(&vocab, &row)?, "b <unk> a");
        assert_eq!(words(&vocab, &Tensor::new(&[1u32, 1], &Device::Cpu)?)?, "");
        assert!(words(&vocab, &Tensor::new(&[9u32], &Device::Cpu)?).is_err());
        Ok(())
    }
}
