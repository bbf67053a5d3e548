//! 9.4 Bidirectional Recurrent Neural Networks
//!
//! A net that reads the text from both ends, put to a use that it cannot have: predicting what comes next. It reaches a
//! low perplexity, since it sees the answer, and writes nonsense, where there is no answer to see.
//!
//! `cargo run --release -p rnn -- bi-rnn`
//! 500 epochs: perplexity at most 1.15.

use d2l::nn::{Lstm, RecurrentConfig};
use d2l::notebook::positive;
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::text::Sampling;

use crate::language_model::{clipped_descent, train_and_show};
use crate::rnn_concise::RecurrentLanguageModel;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Subsequences a minibatch
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Characters of a subsequence
    #[arg(long, default_value_t = 35, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_steps: u32,
    /// Characters of the text to train on
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Layers on top of each other
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub num_layers: u32,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
    /// Passes over the text
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            Scale::Smoke => &[
                ("batch_size", "8"),
                ("num_steps", "10"),
                ("max_tokens", "1000"),
                ("num_hiddens", "32"),
                ("num_epochs", "3"),
            ],
            _ => &[],
        }
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (device, shape) = (nb.device().clone(), (config.batch_size as usize, config.num_steps as usize));
    let (max_tokens, shuffle) = (Some(config.max_tokens as usize), nb.fork(Purpose::Shuffling));
    let (mut train, vocab) = text.load(shape, Sampling::Sequential, max_tokens, shuffle, &device)?;

    nb.cell("The model")?;
    let hidden = config.num_hiddens as usize;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layers = config.num_layers as usize;
    let both_ways = RecurrentConfig { layers, bidirectional: true, ..RecurrentConfig::default() };
    let layer = Lstm::new(vocab.len(), hidden, both_ways, &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, 2 * hidden, vocab.len(), &vb)?; // outputs of both directions
    nb.say(format!("{} parameters", parameters.count()))?;

    nb.cell("Training and prediction")?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    train_and_show(nb, "", &net, (&mut train, &vocab), config.num_epochs as usize, &mut updater)
}
