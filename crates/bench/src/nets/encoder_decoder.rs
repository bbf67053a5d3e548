//! The encoder–decoder architecture (section 9.6).

use d2l::ops;
use d2l::prelude::*;
use d2l::random::Stream;

/// The stream that dropout draws from while training; `None` to predict.
pub type Training<'a> = Option<&'a mut Stream>;

/// Drops elements with probability `p` while training.
pub fn dropout(x: &Tensor, p: f64, training: Training) -> Result<Tensor> {
    match training {
        Some(stream) => ops::dropout(x, p, stream),
        None => Ok(x.clone()),
    }
}

/// Turns a sequence of any length into what a decoder starts from.
pub trait Encoder {
    /// What the decoder takes.
    type Output;

    /// Reads ids `(batch, steps)`, of which `valid_lens` `(batch)` count in each row.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward(&self, tokens: &Tensor, valid_lens: &Tensor, training: Training) -> Result<Self::Output>;
}

/// Makes a sequence from what an encoder gave.
pub trait Decoder {
    /// What the encoder gives.
    type Encoded;
    /// What is carried from token to token when predicting.
    type State;

    /// The state before the first token; `valid_lens` `(batch)` are those of the source.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn init_state(&self, encoded: Self::Encoded, valid_lens: &Tensor) -> Result<Self::State>;

    /// From ids `(batch, steps)` to the logits of each next token, `(batch, steps, vocabulary)`.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward(&self, tokens: &Tensor, state: &mut Self::State, training: Training) -> Result<Tensor>;
}

/// An encoder with its decoder.
pub struct EncoderDecoder<E, D> {
    /// Reads the source.
    pub encoder: E,
    /// Writes the target.
    pub decoder: D,
}

impl<E: Encoder, D: Decoder<Encoded = E::Output>> EncoderDecoder<E, D> {
    /// From source ids `(batch, source steps)` of lengths `source_lens` `(batch)`, and the decoder's input ids
    /// `(batch, target steps)`, to logits `(batch, target steps, vocabulary)`.
    pub fn forward(
        &self,
        source: &Tensor,
        target: &Tensor,
        source_lens: &Tensor,
        mut training: Training,
    ) -> Result<Tensor> {
        let encoded = self.encoder.forward(source, source_lens, training.as_deref_mut())?;
        let mut state = self.decoder.init_state(encoded, source_lens)?;
        self.decoder.forward(target, &mut state, training)
    }
}
