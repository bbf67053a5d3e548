//! The recurrent language model from ready layers (sections 8.6, 9.1 and 9.2).

use d2l::nn::{Gru, Linear, Lstm, Rnn, VarBuilder};
use d2l::prelude::*;

use super::language_model::{LanguageModel, State, one_hot};

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
    /// A model around `layer`, which reads `vocabulary` inputs and gives `hidden` outputs.
    pub fn new(layer: L, hidden: usize, vocabulary: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { layer, output: Linear::new(hidden, vocabulary, &vb.pp("output"))?, vocabulary })
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
