//! A recurrent net from tensors and autograd (section 8.5).

use d2l::ops::{add, concat, linear, tanh};
use d2l::prelude::*;
use d2l::random::{self, Stream};
use rnn::language_model::{LanguageModel, State};
use rnn::rnn_scratch::one_hot;

/// A sum of affine maps of an input and a hidden state, `w_x x + w_h h + b`: the inner part of a layer or of a gate.
pub struct Affine {
    w_x: Var,
    w_h: Var,
    b: Var,
}

impl Affine {
    /// `w_x` of `(hidden, inputs)` and `w_h` of `(hidden, hidden)` from `N(0, 0.01²)`, `b` of `(hidden)` zero.
    pub fn new(inputs: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            w_x: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (hidden, inputs), device)?)?,
            w_h: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (hidden, hidden), device)?)?,
            b: Var::zeros(hidden, DType::F32, device)?,
        })
    }

    /// `(batch, inputs)` and `(batch, hidden)` to `(batch, hidden)`.
    pub fn forward(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        add(&linear(x, &self.w_x, Some(&self.b))?, &linear(h, &self.w_h, None)?)
    }

    /// The parameters.
    pub fn variables(&self) -> Vec<Var> {
        vec![self.w_x.clone(), self.w_h.clone(), self.b.clone()]
    }
}

/// The output layer of a model from scratch: hidden states to logits.
pub struct Output {
    w: Var,
    b: Var,
}

impl Output {
    /// `w` of `(vocabulary, hidden)` from `N(0, 0.01²)`, `b` of `(vocabulary)` zero.
    pub fn new(hidden: usize, vocabulary: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            w: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (vocabulary, hidden), device)?)?,
            b: Var::zeros(vocabulary, DType::F32, device)?,
        })
    }

    /// `(batch, hidden)` to `(batch, vocabulary)`.
    pub fn forward(&self, h: &Tensor) -> Result<Tensor> {
        linear(h, &self.w, Some(&self.b))
    }

    /// The parameters.
    pub fn variables(&self) -> Vec<Var> {
        vec![self.w.clone(), self.b.clone()]
    }
}

/// The recurrent language model with one layer of `tanh` units.
pub struct RnnScratch {
    hidden: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl RnnScratch {
    /// A model over `vocabulary` tokens with `hidden` units.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            hidden: Affine::new(vocabulary, hidden, stream, device)?,
            output: Output::new(hidden, vocabulary, stream, device)?,
            sizes: (vocabulary, hidden),
        })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        [self.hidden.variables(), self.output.variables()].concat()
    }
}

/// The state at the start of a text: zeros of `(batch, hidden)`, unless one is given.
pub fn begin_state(state: Option<&Tensor>, batch: usize, hidden: usize, device: &Device) -> Result<Tensor> {
    state.map_or_else(|| Tensor::zeros((batch, hidden), DType::F32, device), |state| Ok(state.clone()))
}

impl LanguageModel for RnnScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut logits = Vec::with_capacity(steps);
        for t in 0..steps {
            h = tanh(&self.hidden.forward(&inputs.get(t)?, &h)?)?; // (batch, hidden)
            logits.push(self.output.forward(&h)?); // (batch, vocabulary)
        }
        Ok((concat(&logits, 0)?, vec![h])) // (steps · batch, vocabulary)
    }
}
