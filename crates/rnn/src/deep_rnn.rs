//! 9.3 Deep Recurrent Neural Networks
//!
//! Two layers of memory cells, the lower one's states the inputs of the upper one.
//!
//! `cargo run --release -p rnn -- deep-rnn`
//! 500 epochs: perplexity at most 1.05.

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
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
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
    let layers = RecurrentConfig { layers: config.num_layers as usize, ..RecurrentConfig::default() };
    let layer = Lstm::new(vocab.len(), hidden, layers, &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Training and prediction")?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    train_and_show(nb, "", &net, (&mut train, &vocab), config.reading.num_epochs as usize, &mut updater)
}
