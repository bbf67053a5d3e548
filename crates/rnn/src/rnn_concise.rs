//! 8.6 Concise Implementation of Recurrent Neural Networks
//!
//! The language model of section 8.5 around a ready layer, which takes all steps in one operation.
//!
//! `cargo run --release -p rnn -- rnn-concise`
//! 500 epochs: perplexity at most 1.4.

use d2l::nn::{Gru, Linear, Lstm, RecurrentConfig, Rnn, VarBuilder};
use d2l::notebook::positive;
use d2l::ops::RnnActivation;
use d2l::prelude::*;
use d2l::random;
use d2l::text::Sampling;

use crate::language_model::{LanguageModel, Reading, State, clipped_descent, defaults_at, train_and_show};
use crate::rnn_scratch::{one_hot, predict};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        defaults_at(scale)
    }
}

/// A recurrent layer over whole sequences, whichever its kind.
pub trait RecurrentLayer {
    /// From `(steps, batch, inputs)` and a state, empty for zeros, to `(steps, batch, hidden)` and the state after.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)>;
}

impl RecurrentLayer for Rnn {
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (outputs, h) = self.forward(x, state.first(), None, None)?;
        Ok((outputs, vec![h]))
    }
}

impl RecurrentLayer for Gru {
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (outputs, h) = self.forward(x, state.first(), None, None)?;
        Ok((outputs, vec![h]))
    }
}

impl RecurrentLayer for Lstm {
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (outputs, (h, c)) = self.forward(x, state.first().zip(state.get(1)), None, None)?;
        Ok((outputs, vec![h, c]))
    }
}

/// One-hot tokens, a recurrent layer, and a linear layer to the logits of the next token.
#[doc(alias = "RNNModel")]
pub struct RecurrentLanguageModel<L> {
    layer: L,
    output: Linear,
    vocabulary: usize,
}

impl<L: RecurrentLayer> RecurrentLanguageModel<L> {
    /// A model around `layer`, which reads `vocabulary` inputs and gives `outputs` features: the hidden units, or twice
    /// as many where the layer runs in both directions.
    pub fn new(layer: L, outputs: usize, vocabulary: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { layer, output: Linear::new(outputs, vocabulary, &vb.pp("output"))?, vocabulary })
    }
}

impl<L: RecurrentLayer> LanguageModel for RecurrentLanguageModel<L> {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let inputs = one_hot(tokens, self.vocabulary)?; // (steps, batch, vocabulary)
        let (outputs, state) = self.layer.forward(&inputs, state)?; // (steps, batch, hidden)
        let logits = self.output.forward(&outputs.flatten_to(1)?)?; // (steps · batch, vocabulary)
        Ok((logits, state))
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (mut train, vocab) = config.reading.minibatches(&text, Sampling::Sequential, nb)?;

    nb.cell("The layer")?;
    let hidden = config.num_hiddens as usize;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layer = Rnn::new(vocab.len(), hidden, RnnActivation::Tanh, RecurrentConfig::default(), &vb.pp("rnn"))?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Its outputs and its state")?;
    let device = nb.device().clone();
    let shape = (config.reading.num_steps as usize, config.reading.batch_size as usize, vocab.len());
    let x = random::uniform(nb.sampling(), 0.0, 1.0, shape, &device)?; // (steps, batch, ids)
    let (outputs, state) = layer.forward(&x, None, None, None)?;
    nb.say(format!("outputs {:?}, state {:?}", outputs.dims(), state.dims()))?;

    nb.cell("The model")?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    nb.show("before training", predict("time traveller", 10, &net, &vocab, &device)?)?;

    nb.cell("Training and predicting")?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    let epochs = config.reading.num_epochs as usize;
    train_and_show(nb, "", &net, (&mut train, &vocab), epochs, &mut updater)
}
