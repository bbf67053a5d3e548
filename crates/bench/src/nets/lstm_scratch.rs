//! Long short-term memory from tensors and autograd (section 9.2).
//!
//! `i`, `f`, `o = σ(…)`, `c̃ = tanh(…)`, `c ← f ⊙ c + i ⊙ c̃`, `h ← o ⊙ tanh c`.

use d2l::ops::{concat, sigmoid, tanh};
use d2l::prelude::*;
use d2l::random::Stream;
use rnn::language_model::{LanguageModel, State};
use rnn::rnn_scratch::one_hot;

use super::rnn_scratch::{Affine, Output, begin_state};

/// The recurrent language model with one layer of memory cells.
pub struct LstmScratch {
    input: Affine,
    forget: Affine,
    exit: Affine,
    candidate: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl LstmScratch {
    /// A model over `vocabulary` tokens with `hidden` memory cells.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut affine = || Affine::new(vocabulary, hidden, stream, device);
        let (input, forget, exit, candidate) = (affine()?, affine()?, affine()?, affine()?);
        let output = Output::new(hidden, vocabulary, stream, device)?;
        Ok(Self { input, forget, exit, candidate, output, sizes: (vocabulary, hidden) })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        let parts = [&self.input, &self.forget, &self.exit, &self.candidate].map(Affine::variables);
        [parts.concat(), self.output.variables()].concat()
    }
}

impl LanguageModel for LstmScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut c = begin_state(state.get(1), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut logits = Vec::with_capacity(steps);
        for t in 0..steps {
            let x = inputs.get(t)?; // (batch, vocabulary)
            let i = sigmoid(&self.input.forward(&x, &h)?)?; // (batch, hidden)
            let f = sigmoid(&self.forget.forward(&x, &h)?)?;
            let o = sigmoid(&self.exit.forward(&x, &h)?)?;
            let candidate = tanh(&self.candidate.forward(&x, &h)?)?;
            c = ((f * &c)? + (i * candidate)?)?;
            h = (o * tanh(&c)?)?;
            logits.push(self.output.forward(&h)?); // (batch, vocabulary)
        }
        Ok((concat(&logits, 0)?, vec![h, c])) // (steps · batch, vocabulary)
    }
}
