//! 15.1 Sentiment Analysis and the Dataset
//!
//! Fifty thousand reviews of movies, half of them praise, become rows of 500 ids.
//!
//! `cargo run --release -p nlp-applications -- sentiment-analysis-and-dataset`
//! 25,000 reviews to train on and as many to test with, 49,347 ids, 234 tokens a review, of which 8 in a hundred have more
//! than 500; 391 minibatches.

use std::time::Instant;

use d2l::data::PAD;
use d2l::notebook::within;
use d2l::prelude::*;

use crate::imdb::Imdb;
use crate::padded_reviews::ReviewExamples;
use crate::reviews::{POSITIVE, excerpt};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Reviews a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a review: a longer one is cut, a shorter one padded
    #[arg(long, default_value_t = 500, value_parser = within::<8, 10_000>)]
    pub num_steps: usize,
}

defaults! { Config }

/// The width of a bar of the histogram, and where its last bar ends.
const BAR: usize = 50;
const LONGEST: usize = 1000;

/// Each length as the start of the bar that it belongs to. All that are longer than the book's histogram shows count as
/// its end, which the last bar holds.
pub fn binned(lengths: &[usize]) -> Vec<usize> {
    lengths.iter().map(|length| (length / BAR * BAR).min(LONGEST)).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let imdb = nb.load::<Imdb>()?;
    let (train, test) = (&imdb.train, &imdb.test);
    let positive = train.labels().iter().filter(|&&label| label == POSITIVE).count();
    nb.say(format!("{} training reviews, {positive} of them positive; {} test reviews", train.len(), test.len()))?;
    nb.metric("train_reviews", train.len() as f64)?;
    nb.metric("test_reviews", test.len() as f64)?;

    nb.cell("The first reviews")?;
    for (text, label) in train.texts().iter().zip(train.labels()).take(3) {
        nb.say(format!("label {label}: {}", excerpt(text, 60)))?;
    }

    nb.cell("Tokenization and vocabulary")?;
    let started = Instant::now();
    let vocab = imdb.vocab();
    let lengths = train.lengths();
    let tokens: usize = lengths.iter().sum();
    nb.say(format!("{tokens} tokens, {} different ones, {} ids", vocab.frequencies().len(), vocab.len()))?;
    let frequent = (2..vocab.len() as u32).take(10).filter_map(|id| vocab.token(id).ok());
    nb.say(format!("the most frequent: {}", frequent.collect::<Vec<_>>().join(" ")))?;
    nb.metric("word_ids", vocab.len() as f64)?;

    nb.cell("How long reviews are")?;
    let chart = Chart::new().x_label("tokens per review").y_label("count");
    let chart = chart.histogram([("", &binned(&lengths)[..])], LONGEST / BAR);
    let alt = "How many training reviews have how many tokens; the last bar has all of 950 or more";
    nb.figure("review-lengths", alt, chart)?;
    let (shortest, longest) = (lengths.iter().min().unwrap_or(&0), lengths.iter().max().unwrap_or(&0));
    let mean = tokens as f64 / lengths.len() as f64;
    let cut = lengths.iter().filter(|&&length| length > config.num_steps).count() as f64 / lengths.len() as f64;
    nb.say(format!("{shortest} to {longest} tokens, {mean:.0} on average"))?;
    nb.say(format!("{:.1} in a hundred have more than {}", 100.0 * cut, config.num_steps))?;
    nb.metric("mean_tokens", mean)?;
    nb.metric("cut_share", cut)?;

    nb.cell("Padding to the same length")?;
    let examples = ReviewExamples::new(train, &vocab, config.num_steps)?;
    let seconds = started.elapsed().as_secs_f64();
    nb.say(format!("({}, {}), in {seconds:.2} s with the vocabulary", examples.len(), examples.num_steps()))?;
    nb.metric("reviews_per_second", examples.len() as f64 / seconds)?;
    let padding = (0..examples.len()).flat_map(|index| examples.row(index)).filter(|&&id| id == vocab.id(PAD)).count();
    let padding = padding as f64 / (examples.len() * examples.num_steps()) as f64;
    nb.say(format!("{:.1} in a hundred of them are padding", 100.0 * padding))?;
    nb.metric("padding_share", padding)?;

    nb.cell("Creating the data iterator")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training reviews");
    let mut batches = Loader::new(examples, config.batch_size, nb.device())?.shuffled(shuffle);
    if let Some(batch) = batches.epoch().next().transpose()? {
        let (x, y) = batch;
        nb.say(format!("x {:?}, y {:?}", x.dims(), y.dims()))?;
    }
    nb.say(format!("{} minibatches", batches.batches()))?;
    nb.metric("train_batches", batches.batches() as f64)?;

    nb.cell("Putting all things together")?;
    let shuffle = nb.stream(Purpose::Shuffling, "training reviews");
    let (train, test, vocab) = imdb.load(config.batch_size, config.num_steps, shuffle, nb.device())?;
    nb.say(format!("{} and {} minibatches, {} ids", train.batches(), test.batches(), vocab.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_go_to_the_books_bars() {
        assert_eq!(binned(&[0, 49, 50, 234, 949, 950, 999, 1000, 2470]), [0, 0, 50, 200, 900, 950, 950, 1000, 1000]);
    }
}
