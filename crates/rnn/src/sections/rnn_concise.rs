//! 8.6 Concise Implementation of Recurrent Neural Networks
//!
//! The language model of section 8.5 around a ready layer, which takes all steps in one operation.
//!
//! `cargo run --release -p rnn -- rnn-concise`
//! 500 epochs: perplexity at most 1.4.

use d2l::nn::{Gru, Linear, Lstm, RecurrentConfig, Rnn};
use d2l::ops::RnnActivation;
use d2l::prelude::*;
use d2l::text::{Sampling, SequenceLoader, Vocab};

use super::rnn_scratch::{one_hot, predict, train};
use crate::language_model::{LanguageModel, Reading, State, show_training};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub num_hiddens: usize,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
}

defaults! { Config: Smoke { batch_size: 8, num_steps: 10, max_tokens: 1000, num_hiddens: 32, num_epochs: 3 } }

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
        let (outputs, h) = self.forward_t(x, state.first(), None, false)?;
        Ok((outputs, vec![h]))
    }
}

impl RecurrentLayer for Gru {
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (outputs, h) = self.forward_t(x, state.first(), None, false)?;
        Ok((outputs, vec![h]))
    }
}

impl RecurrentLayer for Lstm {
    fn forward(&self, x: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (outputs, (h, c)) = self.forward_t(x, state.first().zip(state.get(1)), None, false)?;
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

/// Trains a model by stochastic gradient descent, with the gradients clipped to a norm of 1, and shows it under a name.
///
/// # Errors
/// As [`Trainer::run`]; where an output cannot be written.
pub fn train_clipped(
    nb: &mut Notebook,
    name: &str,
    net: &impl LanguageModel,
    parameters: &Parameters,
    config: &Config,
    loader: &mut SequenceLoader,
    vocab: &Vocab,
) -> anyhow::Result<()> {
    let mut optimizer = Sgd::new(parameters, config.lr).clip_norm(1.0);
    let trainer = nb.trainer(config.reading.num_epochs).with(parameters).with(&optimizer);
    let trainer = if name.is_empty() { trainer } else { trainer.named(name) };
    let (history, written) = train(trainer, net, vocab, loader, |loss| optimizer.minimize(loss))?;
    show_training(nb, name, net, vocab, &history, written)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (mut train, vocab) = config.reading.load(nb, Sampling::Sequential)?;

    nb.cell("The layer")?;
    let (parameters, hidden) = (nb.parameters(), config.num_hiddens);
    let vb = parameters.builder();
    let layer = Rnn::new(vocab.len(), hidden, RnnActivation::Tanh, RecurrentConfig::default(), &vb.pp("rnn"))?;
    for (name, parameter) in parameters.named() {
        nb.say(format!("{name} {:?}", parameter.dims()))?;
    }

    nb.cell("Its outputs and its state")?;
    let x = nb.uniform((config.reading.num_steps, config.reading.batch_size, vocab.len()))?; // (steps, batch, ids)
    let (outputs, state) = layer.forward_t(&x, None, None, false)?;
    nb.say(format!("outputs {:?}, state {:?}", outputs.dims(), state.dims()))?;

    nb.cell("The model")?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    let text = predict("time traveller", 10, &net, &vocab, nb.device())?;
    nb.show("before training", text)?;

    nb.cell("Training and predicting")?;
    train_clipped(nb, "", &net, &parameters, config, &mut train, &vocab)
}
