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
use d2l::text::Sampling;

use crate::language_model::{Reading, clipped_descent, defaults_at, train_and_show};
use crate::rnn_concise::RecurrentLanguageModel;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Layers on top of each other
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub num_layers: u32,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        defaults_at(scale)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (mut train, vocab) = config.reading.minibatches(&text, Sampling::Sequential, nb)?;

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
    train_and_show(nb, "", &net, (&mut train, &vocab), config.reading.num_epochs as usize, &mut updater)
}
