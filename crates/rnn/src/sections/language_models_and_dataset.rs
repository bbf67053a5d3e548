//! 8.3 Language Models and the Dataset
//!
//! How often words, pairs and triples of words occur, and how a long text is cut into minibatches.
//!
//! `cargo run --release -p rnn -- language-models-and-dataset`
//! Three straight lines on logarithmic axes: the frequency falls as a power of the rank.

use anyhow::ensure;
use d2l::data::TimeMachine;
use d2l::prelude::*;
use d2l::text::{
    Sampling, SequenceBatch, TokenKind, Vocab, count_corpus, random_batches, sequential_batches, tokenize,
};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Subsequences a minibatch
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a subsequence
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config }

/// A table of the ten most frequent tokens.
fn top(counts: impl Iterator<Item = (String, usize)>) -> Table {
    let mut table = Table::new(["token", "count"]);
    counts.take(10).for_each(|(token, count)| table.row([token, count.to_string()]));
    table
}

/// The slope of `log count` over `log rank` for the first thousand ranks, by least squares: minus the exponent of Zipf's
/// law.
pub fn zipf_slope(counts: &[f64]) -> f64 {
    let counts = &counts[..counts.len().min(1000)];
    let logs = || (1..).zip(counts).map(|(rank, count): (u32, &f64)| (f64::from(rank).ln(), count.ln()));
    let n = counts.len() as f64;
    let (mean_x, mean_y) = (logs().map(|(x, _)| x).sum::<f64>() / n, logs().map(|(_, y)| y).sum::<f64>() / n);
    let covariance: f64 = logs().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    covariance / logs().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>()
}

/// Shows minibatches as rows of ids.
fn show_batches(nb: &mut Notebook, batches: impl Iterator<Item = Result<SequenceBatch>>) -> anyhow::Result<()> {
    for batch in batches {
        let (x, y) = batch?;
        nb.say(format!("X {:?}\nY {:?}", x.to_vec2::<u32>()?, y.to_vec2::<u32>()?))?;
    }
    Ok(())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Words")?;
    let text = nb.load::<TimeMachine>()?;
    let words = tokenize(text.lines(), TokenKind::Word).concat();
    let vocab = Vocab::new(words.iter().copied(), 0, &[]);
    nb.say(top(vocab.frequencies().iter().cloned()))?;

    nb.cell("Frequencies over ranks")?;
    let unigrams: Vec<f64> = vocab.frequencies().iter().map(|&(_, count)| count as f64).collect();
    let ranks = |counts: &[f64]| (1..=counts.len()).map(|rank| rank as f64).collect::<Vec<_>>();
    let axes = || Chart::new().x_label("rank").y_label("frequency").log_x().log_y();
    let chart = axes().unlabeled_line(&ranks(&unigrams), &unigrams);
    nb.figure("unigrams", "Frequencies of words fall along a straight line on logarithmic axes", chart)?;

    nb.cell("Pairs and triples of words")?;
    let bigrams = count_corpus(words.windows(2).map(|pair| [pair[0], pair[1]]));
    nb.say(top(bigrams.iter().map(|(pair, count)| (pair.join(" "), *count))))?;
    let trigrams = count_corpus(words.windows(3).map(|triple| [triple[0], triple[1], triple[2]]));
    nb.say(top(trigrams.iter().map(|(triple, count)| (triple.join(" "), *count))))?;

    nb.cell("All three")?;
    let bigrams: Vec<f64> = bigrams.iter().map(|&(_, count)| count as f64).collect();
    let trigrams: Vec<f64> = trigrams.iter().map(|&(_, count)| count as f64).collect();
    let mut chart = axes();
    for (name, counts) in [("unigram", &unigrams), ("bigram", &bigrams), ("trigram", &trigrams)] {
        chart = chart.line(name, &ranks(counts), counts);
        nb.say(format!("{} different {name}s, slope {:.2}", counts.len(), zipf_slope(counts)))?;
        nb.metric(&format!("{name}s"), counts.len() as f64)?;
    }
    nb.figure("n-grams", "Frequencies of words, pairs and triples over their ranks", chart)?;

    nb.cell("Random sampling")?;
    let (batch_size, num_steps) = (config.batch_size, config.num_steps);
    let sequence: Vec<u32> = (0..35).collect();
    ensure!(batch_size * num_steps < sequence.len(), "--batch-size times --num-steps must be below 35");
    let device = nb.device().clone();
    let mut stream = nb.stream(Purpose::Shuffling, "subsequences");
    show_batches(nb, random_batches(&sequence, batch_size, num_steps, &mut stream, &device))?;

    nb.cell("Sequential partitioning")?;
    show_batches(nb, sequential_batches(&sequence, batch_size, num_steps, &mut stream, &device))?;

    nb.cell("Putting all things together")?;
    let (mut loader, vocab) = text.load(32, 35, Sampling::Sequential, Some(10_000), stream, &device)?;
    let batches = loader.epoch().count();
    nb.say(format!("{batches} minibatches of (32, 35) characters in an epoch, {} ids", vocab.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_power_law_is_its_exponent() {
        let counts: Vec<f64> = (1..=50).map(|rank| 100.0 * f64::from(rank).powf(-1.3)).collect();
        assert!((zipf_slope(&counts) + 1.3).abs() < 1e-9, "{}", zipf_slope(&counts));
    }
}
