//! Recurrent layers with the options and parameter names of `PyTorch`'s: several layers, both directions, dropout
//! between layers, sequences of different lengths.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor, bail};
use candle_nn::Init;

use super::VarBuilder;
use crate::ops::{RecurrentWeights, RnnActivation, Steps, dropout, gru, lstm, rnn};
use crate::random::Stream;

/// What the recurrent layers have in common (section 9.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecurrentConfig {
    /// Layers on top of each other; 1 by default.
    pub layers: usize,
    /// Whether every layer also runs from the last step to the first, its outputs beside the others; not by default.
    pub bidirectional: bool,
    /// The share of each layer's outputs, but the last's, that training sets to zero; 0 by default.
    pub dropout: f64,
    /// Whether inputs and outputs are `(batch, steps, …)` rather than `(steps, batch, …)`; not by default.
    pub batch_first: bool,
}

impl Default for RecurrentConfig {
    fn default() -> Self {
        Self { layers: 1, bidirectional: false, dropout: 0.0, batch_first: false }
    }
}

/// The parameters of one layer in one direction.
#[derive(Debug, Clone)]
struct Parameters {
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
}

/// All layers' parameters, and the way through them that the kinds of layer share.
#[derive(Debug, Clone)]
struct Stack {
    name: &'static str,
    config: RecurrentConfig,
    hidden: usize,
    /// For each layer, forward and then reverse.
    parameters: Vec<Vec<Parameters>>,
    /// For dropout between layers; shared by clones, as the parameters are.
    stream: Arc<Mutex<Stream>>,
}

impl Stack {
    fn new(
        name: &'static str,
        gates: usize,
        (inputs, hidden): (usize, usize),
        config: RecurrentConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        if inputs == 0 || hidden == 0 || config.layers == 0 {
            bail!("{name}: inputs ({inputs}), hidden ({hidden}) and layers ({}) must be positive", config.layers);
        }
        if !(0.0..1.0).contains(&config.dropout) {
            bail!("{name}: dropout must be in [0, 1), got {}", config.dropout);
        }
        let bound = 1.0 / (hidden as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let directions = if config.bidirectional { &["", "_reverse"][..] } else { &[""] };
        let wide = gates * hidden;
        let layer = |layer: usize| {
            let inputs = if layer == 0 { inputs } else { directions.len() * hidden };
            let direction = |suffix: &&str| {
                Ok(Parameters {
                    w_ih: vb.get_with_hints((wide, inputs), &format!("weight_ih_l{layer}{suffix}"), init)?,
                    w_hh: vb.get_with_hints((wide, hidden), &format!("weight_hh_l{layer}{suffix}"), init)?,
                    b_ih: vb.get_with_hints(wide, &format!("bias_ih_l{layer}{suffix}"), init)?,
                    b_hh: vb.get_with_hints(wide, &format!("bias_hh_l{layer}{suffix}"), init)?,
                })
            };
            directions.iter().map(direction).collect()
        };
        let parameters = (0..config.layers).map(layer).collect::<Result<_>>()?;
        Ok(Self { name, config, hidden, parameters, stream: Arc::new(Mutex::new(vb.stream())) })
    }

    /// Runs `operation` for every layer and direction. `states` holds the initial states, if any, each of
    /// `(layers · directions, batch, hidden)`; the final ones come back in the same form.
    fn forward(
        &self,
        x: &Tensor,
        states: &[&Tensor],
        lengths: Option<&Tensor>,
        train: bool,
        operation: impl Fn(&Tensor, &RecurrentWeights, &[Tensor], Steps) -> Result<(Tensor, Vec<Tensor>)>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let Self { name, config, .. } = self;
        if x.rank() != 3 {
            let axes = if config.batch_first { "batch, steps" } else { "steps, batch" };
            bail!("{name}: x must be ({axes}, inputs), got {:?}", x.dims());
        }
        let mut x = if config.batch_first { x.transpose(0, 1)? } else { x.clone() };
        let directions = if config.bidirectional { 2 } else { 1 };
        let expected = [config.layers * directions, x.dim(1)?, self.hidden];
        if let Some(state) = states.iter().find(|state| state.dims() != expected) {
            bail!("{name}: an initial state must be {expected:?}, got {:?}", state.dims());
        }
        let mut finals = Vec::new(); // for each layer and direction, the operation's states
        for (layer, parameters) in self.parameters.iter().enumerate() {
            if train && layer > 0 && config.dropout > 0.0 {
                // A thread that panicked while drawing leaves a stream that is still a stream.
                let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
                x = dropout(&x, config.dropout, &mut stream)?;
            }
            let mut outputs = Vec::with_capacity(directions);
            for (direction, Parameters { w_ih, w_hh, b_ih, b_hh }) in parameters.iter().enumerate() {
                let place = layer * directions + direction;
                let initial = states.iter().map(|state| state.get(place)).collect::<Result<Vec<_>>>()?;
                let weights = RecurrentWeights { w_ih, w_hh, b_ih, b_hh };
                let (output, last) = operation(&x, &weights, &initial, Steps { reverse: direction == 1, lengths })?;
                outputs.push(output);
                finals.push(last);
            }
            x = if let [output] = &outputs[..] { output.clone() } else { Tensor::cat(&outputs, 2)? };
        }
        let count = finals[0].len();
        let stacked = (0..count).map(|k| Tensor::stack(&finals.iter().map(|last| &last[k]).collect::<Vec<_>>(), 0));
        let stacked = stacked.collect::<Result<_>>()?;
        Ok((if config.batch_first { x.transpose(0, 1)? } else { x }, stacked))
    }
}

/// A simple recurrent net (section 8.4), `hₜ = φ(w_ih xₜ + b_ih + w_hh hₜ₋₁ + b_hh)` in every layer.
#[doc(alias = "rnn.RNN")]
#[doc(alias = "nn.RNN")]
#[derive(Debug, Clone)]
pub struct Rnn {
    stack: Stack,
    activation: RnnActivation,
}

/// Gated recurrent units (section 9.1), with the reset gate applied after the hidden product.
#[doc(alias = "rnn.GRU")]
#[doc(alias = "nn.GRU")]
#[derive(Debug, Clone)]
pub struct Gru {
    stack: Stack,
}

/// Long short-term memory (section 9.2).
#[doc(alias = "rnn.LSTM")]
#[doc(alias = "nn.LSTM")]
#[derive(Debug, Clone)]
pub struct Lstm {
    stack: Stack,
}

impl Rnn {
    /// A net from `inputs` to `hidden` features. Its parameters are `weight_ih_l0` `(hidden, inputs)`, `weight_hh_l0`
    /// `(hidden, hidden)`, `bias_ih_l0` and `bias_hh_l0` `(hidden)`, then those of the layers after, each followed by
    /// its `…_reverse` where there are two directions; new ones are uniform in `±1 / √hidden`.
    ///
    /// # Errors
    /// Where a size is zero, `dropout` is outside of `[0, 1)`, or `vb` lacks a parameter of that shape.
    pub fn new(
        inputs: usize,
        hidden: usize,
        activation: RnnActivation,
        config: RecurrentConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        Ok(Self { stack: Stack::new("Rnn", 1, (inputs, hidden), config, vb)?, activation })
    }

    /// Runs over `x` of `(steps, batch, inputs)` from the state `h0`, zero by default, of
    /// `(layers · directions, batch, hidden)`.
    ///
    /// `lengths` of `(batch)` gives each sequence's number of steps where they differ. With `train`, dropout applies between
    /// layers. Returns the last layer's outputs, `(steps, batch, directions · hidden)`, and every layer's final state in
    /// the form of `h0`.
    ///
    /// # Errors
    /// Where the sizes do not fit together; the message names the argument.
    pub fn forward_t(
        &self,
        x: &Tensor,
        h0: Option<&Tensor>,
        lengths: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let (outputs, mut states) =
            self.stack.forward(x, h0.as_slice(), lengths, train, |x, weights, state, steps| {
                let (outputs, h) = rnn(x, weights, state.first(), self.activation, steps)?;
                Ok((outputs, vec![h]))
            })?;
        Ok((outputs, states.remove(0)))
    }
}

impl Gru {
    /// Units from `inputs` to `hidden` features. The parameters are named as those of [`Rnn::new`], with
    /// `3 · hidden` rows for the gates `r`, `z` and `n`.
    ///
    /// # Errors
    /// As [`Rnn::new`].
    pub fn new(inputs: usize, hidden: usize, config: RecurrentConfig, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { stack: Stack::new("Gru", 3, (inputs, hidden), config, vb)? })
    }

    /// Runs over `x`, as [`Rnn::forward_t`] does.
    ///
    /// # Errors
    /// Where the sizes do not fit together; the message names the argument.
    pub fn forward_t(
        &self,
        x: &Tensor,
        h0: Option<&Tensor>,
        lengths: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let (outputs, mut states) =
            self.stack.forward(x, h0.as_slice(), lengths, train, |x, weights, state, steps| {
                let (outputs, h) = gru(x, weights, state.first(), steps)?;
                Ok((outputs, vec![h]))
            })?;
        Ok((outputs, states.remove(0)))
    }
}

impl Lstm {
    /// Layers from `inputs` to `hidden` features. The parameters are named as those of [`Rnn::new`], with
    /// `4 · hidden` rows for the gates `i`, `f`, `g` and `o`.
    ///
    /// # Errors
    /// As [`Rnn::new`].
    pub fn new(inputs: usize, hidden: usize, config: RecurrentConfig, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { stack: Stack::new("Lstm", 4, (inputs, hidden), config, vb)? })
    }

    /// Runs over `x`, as [`Rnn::forward_t`] does, with the hidden states and memory cells `(h0, c0)` for a state.
    ///
    /// # Errors
    /// Where the sizes do not fit together; the message names the argument.
    pub fn forward_t(
        &self,
        x: &Tensor,
        state: Option<(&Tensor, &Tensor)>,
        lengths: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, (Tensor, Tensor))> {
        let states = state.map_or_else(Vec::new, |(h, c)| vec![h, c]);
        let (outputs, mut states) = self.stack.forward(x, &states, lengths, train, |x, weights, state, steps| {
            let state = if let [h, c] = state { Some((h, c)) } else { None };
            let (outputs, (h, c)) = lstm(x, weights, state, steps)?;
            Ok((outputs, vec![h, c]))
        })?;
        let h = states.remove(0);
        Ok((outputs, (h, states.remove(0))))
    }
}
