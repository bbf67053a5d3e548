//! What the language models of chapters 8 and 9 have in common: their settings, their interface, how a section shows one
//! that was trained.

use d2l::data::TimeMachine;
use d2l::prelude::*;
use d2l::text::{Sampling, SequenceLoader, Vocab};

use crate::sections::rnn_scratch::predict;

/// How a model reads its text; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Reading {
    /// Subsequences a minibatch
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Characters of a subsequence
    #[arg(long, default_value_t = 35, value_parser = count)]
    pub num_steps: usize,
    /// Characters of the text to train on
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub max_tokens: usize,
    /// Passes over the text
    #[arg(long, default_value_t = 500, value_parser = count)]
    pub num_epochs: usize,
}

impl Reading {
    /// The minibatches of The Time Machine's characters, and their vocabulary.
    ///
    /// # Errors
    /// Where the text is too short for one minibatch.
    pub fn load(&self, nb: &mut Notebook, sampling: Sampling) -> anyhow::Result<(SequenceLoader, Vocab)> {
        let (text, stream) = (nb.load::<TimeMachine>()?, nb.stream(Purpose::Shuffling, "subsequences"));
        let max_tokens = Some(self.max_tokens);
        Ok(text.load(self.batch_size, self.num_steps, sampling, max_tokens, stream, nb.device())?)
    }
}

/// What a model carries from one step to the next, each `(layers, batch, hidden)` or `(batch, hidden)`: the hidden
/// state and, for a long short-term memory, its memory cell. Empty at the start of a text.
pub type State = Vec<Tensor>;

/// A model that predicts each next token from those before it.
pub trait LanguageModel {
    /// From ids `(batch, steps)` and a state, empty at the start of a text, to logits `(steps · batch, vocabulary)`,
    /// step by step, and the state after the last one.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)>;
}

/// Texts to go on with, as in the book.
pub const PREFIXES: [&str; 2] = ["time traveller", "traveller"];

/// Shows how a training went: what the model wrote at some epochs, `written`; its speed; what it writes at the end; the
/// curve as the figure `perplexity-<name>` and the metric `perplexity_<name>` by epoch (of many epochs, every so
/// many-th). Where a section trains one model only, the name is empty, and figure and metric are `perplexity`.
///
/// # Errors
/// Where an output cannot be written.
pub fn show_training(
    nb: &mut Notebook,
    name: &str,
    net: &impl LanguageModel,
    vocab: &Vocab,
    history: &History,
    written: Table,
) -> anyhow::Result<()> {
    nb.say(written)?;
    nb.say(format!("{:.0} tokens a second", history.per_second()))?;
    for prefix in PREFIXES {
        let text = predict(prefix, 50, net, vocab, nb.device())?;
        nb.say(text)?;
    }
    let (epochs, perplexities) = history.curve("perplexity");
    let (step, last) = (epochs.len().div_ceil(50), epochs.len());
    let shown = |values: &[f64]| -> Vec<f64> {
        let numbered = (1..).zip(values);
        numbered.filter(|(epoch, _)| epoch % step == 0 || *epoch == last).map(|(_, &value)| value).collect()
    };
    let (epochs, perplexities) = (shown(&epochs), shown(&perplexities));
    let chart = Chart::new().x_label("epoch").y_label("perplexity").line("train", &epochs, &perplexities);
    let separated = |separator: &str| if name.is_empty() { String::new() } else { format!("{separator}{name}") };
    nb.figure(&format!("perplexity{}", separated("-")), "Perplexity by epoch", chart)?;
    nb.metric(&format!("perplexity{}", separated("_")), perplexities)
}
