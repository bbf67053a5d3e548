//! 9.3 Deep Recurrent Neural Networks
//!
//! Two layers of memory cells, the lower one's states the inputs of the upper one.
//!
//! `cargo run --release -p rnn -- deep-rnn`
//! 500 epochs: perplexity at most 1.05.

use d2l::nn::{Lstm, RecurrentConfig};
use d2l::notebook::within;
use d2l::prelude::*;
use d2l::text::Sampling;

use super::rnn_concise::{self, RecurrentLanguageModel, train_clipped};
use crate::language_model::Reading;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub num_hiddens: usize,
    /// Layers on top of each other
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// Learning rate
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    pub lr: f64,
}

defaults! { Config: Smoke { batch_size: 8, num_steps: 10, max_tokens: 1000, num_hiddens: 32, num_epochs: 3 } }

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (mut train, vocab) = config.reading.load(nb, Sampling::Sequential)?;

    nb.cell("The model")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layers = RecurrentConfig { layers: config.num_layers, ..RecurrentConfig::default() };
    let layer = Lstm::new(vocab.len(), config.num_hiddens, layers, &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, config.num_hiddens, vocab.len(), &vb)?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Training and prediction")?;
    let &Config { num_hiddens, lr, .. } = config;
    let model = rnn_concise::Config { reading: config.reading.clone(), num_hiddens, lr };
    train_clipped(nb, "", &net, &parameters, &model, &mut train, &vocab)
}
