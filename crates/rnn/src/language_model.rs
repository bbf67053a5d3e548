//! What the language models of chapters 8 and 9 have in common: their interface, their optimizer, and how a section
//! trains one and shows it.

use d2l::data::TimeMachine;
use d2l::ops::backward;
use d2l::optim::{Optimizer, Sgd, clip_gradients};
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::text::{Sampling, SequenceLoader, Vocab};
use d2l::train::{EpochSummary, Updater};

use crate::rnn_scratch::{predict, train};

/// How a model reads its text; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Reading {
    /// Subsequences a minibatch
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Characters of a subsequence
    #[arg(long, default_value_t = 35, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_steps: u32,
    /// Characters of the text to train on
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Passes over the text
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Reading {
    /// The minibatches of a text's characters, and their vocabulary.
    ///
    /// # Errors
    /// Where the text is too short for one minibatch.
    pub fn minibatches(
        &self,
        text: &TimeMachine,
        sampling: Sampling,
        nb: &mut Notebook,
    ) -> anyhow::Result<(SequenceLoader, Vocab)> {
        let (shape, max_tokens) = ((self.batch_size as usize, self.num_steps as usize), self.max_tokens as usize);
        text.load(shape, sampling, Some(max_tokens), nb.fork(Purpose::Shuffling), nb.device())
    }
}

/// What a language model's section changes at a scale.
pub const fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
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

/// Stochastic gradient descent with the gradients clipped to a norm of 1, as all models of these chapters are trained.
pub fn clipped_descent(variables: Vec<Var>, lr: f64) -> impl Updater {
    let mut optimizer = Sgd::new(variables.clone(), lr);
    move |loss: &Tensor| {
        let mut grads = backward(loss)?;
        clip_gradients(&mut grads, &variables, 1.0)?;
        optimizer.step(&grads)
    }
}

/// Texts to go on with, as in the book.
const PREFIXES: [&str; 2] = ["time traveller", "traveller"];

/// Trains a model and shows how it went: its perplexity and what it writes at some epochs, the curve as the figure
/// `perplexity-<name>`, what it writes at the end. Keeps the metric `perplexity_<name>`, by epoch (of many epochs,
/// every so many-th). Where a section trains one model only, the name is empty, and figure and metric are `perplexity`.
///
/// # Errors
/// Where the loss is not finite, or an output cannot be written.
pub fn train_and_show(
    nb: &mut Notebook,
    name: &str,
    net: &impl LanguageModel,
    (loader, vocab): (&mut SequenceLoader, &Vocab),
    num_epochs: usize,
    updater: &mut impl Updater,
) -> anyhow::Result<()> {
    let device = nb.device().clone();
    let mut progress = nb.progress().tokens().perplexity();
    let mut table = Table::new(["epoch", "perplexity", "goes on with"]);
    let rows = num_epochs.div_ceil(5);
    let history = train(net, loader, num_epochs, updater, &mut progress, |summary| {
        if summary.epoch.is_multiple_of(rows) || summary.epoch == num_epochs {
            let text = predict(PREFIXES[0], 30, net, vocab, &device)?;
            table.row([summary.epoch.to_string(), format!("{:.3}", perplexity(summary)), format!("{text:?}")]);
        }
        Ok(())
    })?;
    nb.say(table)?;
    nb.say(format!("{:.0} tokens a second", history.examples_per_second()))?;
    for prefix in PREFIXES {
        nb.say(predict(prefix, 50, net, vocab, &device)?)?;
    }
    let shown = history.epochs.iter().filter(|summary| {
        let step = num_epochs.div_ceil(50);
        summary.epoch.is_multiple_of(step) || summary.epoch == num_epochs
    });
    let (epochs, perplexities): (Vec<f64>, Vec<f64>) =
        shown.map(|summary| (summary.epoch as f64, perplexity(summary))).unzip();
    let chart = Chart::new().x_label("epoch").y_label("perplexity").line("train", &epochs, &perplexities);
    let named =
        |separator: &str| if name.is_empty() { "perplexity".into() } else { format!("perplexity{separator}{name}") };
    nb.figure(&named("-"), "Perplexity by epoch", chart)?;
    nb.metric(&named("_"), perplexities)?;
    nb.trained_tokens(&history);
    Ok(())
}

fn perplexity(summary: &EpochSummary) -> f64 {
    summary.train_loss.exp()
}
