//! 9.3 Deep Recurrent Neural Networks
//!
//! Two layers of memory cells, the lower one's states the inputs of the upper one.
//!
//! `cargo run --release -p rnn -- deep-rnn`
//! 500 epochs: perplexity at most 1.05.

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
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
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
    let layers = RecurrentConfig { layers: config.num_layers as usize, ..RecurrentConfig::default() };
    let layer = Lstm::new(vocab.len(), hidden, layers, &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Training and prediction")?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    train_and_show(nb, "", &net, (&mut train, &vocab), config.num_epochs as usize, &mut updater)
}
