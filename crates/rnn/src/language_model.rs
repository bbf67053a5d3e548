//! What the language models of chapters 8 and 9 have in common: their interface, their optimizer, and how a section
//! trains one and shows it.

use d2l::ops::backward;
use d2l::optim::{Optimizer, Sgd, clip_gradients};
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::text::{SequenceLoader, Vocab};
use d2l::train::{EpochSummary, Updater};

use crate::rnn_scratch::{predict, train};

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
