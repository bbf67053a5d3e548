//! What the character language models of chapters 8 and 9 have in common.

use d2l::ops;
use d2l::prelude::*;

/// What a model carries from one step to the next, each `(layers, batch, hidden)` or `(batch, hidden)`: the hidden
/// state and, for a long short-term memory, its memory cell.
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

/// Turns ids `(batch, steps)` into indicator vectors `(steps, batch, vocabulary)`.
///
/// # Errors
/// Where an id is not below the vocabulary's size.
pub fn one_hot(tokens: &Tensor, vocabulary: usize) -> Result<Tensor> {
    let rows = Tensor::eye(vocabulary, DType::F32, tokens.device())?;
    ops::embedding(&tokens.t()?, &rows)
}
