//! 9.4 Bidirectional Recurrent Neural Networks
//!
//! A net that reads the text from both ends, put to a use that it cannot have: predicting what comes next. It reaches a
//! low perplexity, since it sees the answer, and writes nonsense, where there is no answer to see.
//!
//! `cargo run --release -p rnn -- bi-rnn` trains for 300 of the book's 500 epochs; `--scale book` for all of them.
//! Perplexity at most 1.15, with 500 epochs 1.11.

use d2l::nn::{Lstm, RecurrentConfig};
use d2l::notebook::within;
use d2l::prelude::*;
use d2l::text::Sampling;

use super::rnn_concise::{self, RecurrentLanguageModel, train_clipped};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
#[group(id = "bidirectional")] // apart from the group of the flattened settings, which bears their type's name
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub model: rnn_concise::Config,
    /// Layers on top of each other
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { num_epochs: 300 }
    Smoke { batch_size: 8, num_steps: 10, max_tokens: 1000, num_hiddens: 32, num_epochs: 3 }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (model, layers) = (&config.model, config.num_layers);
    let (mut train, vocab) = model.reading.load(nb, Sampling::Sequential)?;

    nb.cell("The model")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let both_ways = RecurrentConfig { layers, bidirectional: true, ..RecurrentConfig::default() };
    let layer = Lstm::new(vocab.len(), model.num_hiddens, both_ways, &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, 2 * model.num_hiddens, vocab.len(), &vb)?; // outputs of both directions
    nb.say(format!("{} parameters", parameters.count()))?;

    nb.cell("Training and prediction")?;
    train_clipped(nb, "", &net, &parameters, model, &mut train, &vocab)
}
