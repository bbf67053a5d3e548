//! Gated recurrent units from tensors and autograd (section 9.1).
//!
//! `r = σ(…)`, `z = σ(…)`, `h̃ = tanh(w_xh x + w_hh (r ⊙ h) + b_h)`, `h ← z ⊙ h + (1 − z) ⊙ h̃`. Here the reset gate
//! applies before the product, as in the book; the layer `Gru` applies it after.

use d2l::ops::{concat, sigmoid, tanh};
use d2l::prelude::*;
use d2l::random::Stream;
use rnn::language_model::{LanguageModel, State};
use rnn::rnn_scratch::one_hot;

use super::rnn_scratch::{Affine, Output, begin_state};

/// The recurrent language model with one layer of gated units.
pub struct GruScratch {
    update: Affine,
    reset: Affine,
    candidate: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl GruScratch {
    /// A model over `vocabulary` tokens with `hidden` units.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut affine = || Affine::new(vocabulary, hidden, stream, device);
        let (update, reset, candidate) = (affine()?, affine()?, affine()?);
        let output = Output::new(hidden, vocabulary, stream, device)?;
        Ok(Self { update, reset, candidate, output, sizes: (vocabulary, hidden) })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        let parts = [&self.update, &self.reset, &self.candidate].map(Affine::variables);
        [parts.concat(), self.output.variables()].concat()
    }
}

impl LanguageModel for GruScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut logits = Vec::with_capacity(steps);
        for t in 0..steps {
            let x = inputs.get(t)?; // (batch, vocabulary)
            let z = sigmoid(&self.update.forward(&x, &h)?)?; // (batch, hidden)
            let r = sigmoid(&self.reset.forward(&x, &h)?)?;
            let candidate = tanh(&self.candidate.forward(&x, &(r * &h)?)?)?;
            h = ((&z * &h)? + (z.affine(-1.0, 1.0)? * candidate)?)?; // z ⊙ h + (1 − z) ⊙ h̃
            logits.push(self.output.forward(&h)?); // (batch, vocabulary)
        }
        Ok((concat(&logits, 0)?, vec![h])) // (steps · batch, vocabulary)
    }
}
