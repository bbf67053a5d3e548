//! 9.6 Encoder-Decoder Architecture
//!
//! What translation models have in common, as traits: an encoder reads the source, a decoder writes the target from
//! what the encoder gave. Sections 9.7, 10.4 and 10.7 fill them in.
//!
//! `cargo run --release -p rnn -- encoder-decoder`
//! A toy pair shows the way of the shapes.

use d2l::nn::{Embedding, Linear};
use d2l::prelude::*;

/// Sizes of the toy.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Sequences a minibatch
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a source
    #[arg(long, default_value_t = 7, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config }

/// Turns a sequence of any length into what a decoder starts from.
pub trait Encoder {
    /// What the decoder takes.
    type Output;

    /// Reads ids `(batch, steps)`, of which `valid_lens` `(batch)` count in each row.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward_t(&self, tokens: &Tensor, valid_lens: &Tensor, train: bool) -> Result<Self::Output>;
}

/// Makes a sequence from what an encoder gave.
pub trait Decoder {
    /// What the encoder gives.
    type Encoded;
    /// What is carried from token to token when predicting. A search that follows several sequences copies it.
    type State: Clone;

    /// The state before the first token; `valid_lens` `(batch)` are those of the source.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn init_state(&self, encoded: Self::Encoded, valid_lens: &Tensor) -> Result<Self::State>;

    /// From ids `(batch, steps)` to the logits of each next token, `(batch, steps, vocabulary)`.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn forward_t(&self, tokens: &Tensor, state: &mut Self::State, train: bool) -> Result<Tensor>;

    /// The attention weights of the last call of `forward_t`, where the decoder has any and its state keeps them.
    fn attention_weights(&self, state: &Self::State) -> Vec<Tensor> {
        let _ = state;
        Vec::new()
    }
}

/// An encoder with its decoder.
#[derive(Debug)]
pub struct EncoderDecoder<E, D> {
    /// Reads the source.
    pub encoder: E,
    /// Writes the target.
    pub decoder: D,
}

impl<E: Encoder, D: Decoder<Encoded = E::Output>> EncoderDecoder<E, D> {
    /// From source ids `(batch, source steps)` of lengths `source_lens` `(batch)`, and the decoder's input ids
    /// `(batch, target steps)`, to logits `(batch, target steps, vocabulary)`.
    ///
    /// # Errors
    /// What encoder and decoder give.
    pub fn forward_t(&self, source: &Tensor, target: &Tensor, source_lens: &Tensor, train: bool) -> Result<Tensor> {
        let encoded = self.encoder.forward_t(source, source_lens, train)?;
        let mut state = self.decoder.init_state(encoded, source_lens)?;
        self.decoder.forward_t(target, &mut state, train)
    }
}

/// An encoder that knows nothing of order: the mean of the tokens' vectors.
pub struct MeanEncoder(pub Embedding);

impl Encoder for MeanEncoder {
    /// `(batch, features)`
    type Output = Tensor;

    fn forward_t(&self, tokens: &Tensor, valid_lens: &Tensor, _: bool) -> Result<Tensor> {
        let x = self.0.forward(tokens)?; // (batch, steps, features)
        let steps = Tensor::arange(0u32, tokens.dim(1)? as u32, tokens.device())?.unsqueeze(0)?; // (1, steps)
        let valid = steps.broadcast_lt(&valid_lens.unsqueeze(1)?)?.to_dtype(x.dtype())?; // (batch, steps)
        let sum = x.broadcast_mul(&valid.unsqueeze(2)?)?.sum(1)?; // (batch, features)
        sum.broadcast_div(&valid_lens.to_dtype(x.dtype())?.unsqueeze(1)?)
    }
}

/// A decoder that adds that mean to each token's vector, and looks no further back.
pub struct MeanDecoder {
    /// The vectors of the target's tokens.
    pub embedding: Embedding,
    /// From a vector to logits.
    pub output: Linear,
}

impl Decoder for MeanDecoder {
    type Encoded = Tensor;
    /// `(batch, 1, features)`
    type State = Tensor;

    fn init_state(&self, encoded: Tensor, _: &Tensor) -> Result<Tensor> {
        encoded.unsqueeze(1)
    }

    fn forward_t(&self, tokens: &Tensor, state: &mut Tensor, _: bool) -> Result<Tensor> {
        self.output.forward(&self.embedding.forward(tokens)?.broadcast_add(state)?) // (batch, steps, vocabulary)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Encoder")?;
    let (batch, steps) = (config.batch_size, config.num_steps);
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let encoder = MeanEncoder(Embedding::new(10, 8, &vb.pp("encoder"))?);
    let source = Tensor::zeros((batch, steps), DType::U32, nb.device())?;
    let lengths = Tensor::full(steps as u32, batch, nb.device())?;
    let encoded = encoder.forward_t(&source, &lengths, false)?;
    nb.say(format!("source {:?} → {:?}", source.dims(), encoded.dims()))?;

    nb.cell("Decoder")?;
    let decoder = MeanDecoder {
        embedding: Embedding::new(12, 8, &vb.pp("decoder"))?,
        output: Linear::new(8, 12, &vb.pp("output"))?,
    };
    let mut state = decoder.init_state(encoded, &lengths)?;
    let target = Tensor::zeros((batch, 5), DType::U32, nb.device())?;
    let logits = decoder.forward_t(&target, &mut state, false)?;
    nb.say(format!("state {:?}, target {:?} → {:?}", state.dims(), target.dims(), logits.dims()))?;

    nb.cell("Both together")?;
    let net = EncoderDecoder { encoder, decoder };
    let same = (net.forward_t(&source, &target, &lengths, false)? - logits)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.show("difference from the two steps", same)?;
    nb.metric("difference", f64::from(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_does_not_count_in_the_mean() -> Result<()> {
        let parameters = Parameters::new(&Random::new(2), &Device::Cpu);
        let encoder = MeanEncoder(Embedding::new(5, 3, &parameters.builder())?);
        let lengths = Tensor::new(&[2u32], &Device::Cpu)?;
        let encode = |ids: &[u32]| encoder.forward_t(&Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?, &lengths, false);
        let (one, other) = (encode(&[4, 2, 1, 1])?, encode(&[4, 2, 3, 0])?);
        assert_eq!(one.to_vec2::<f32>()?, other.to_vec2::<f32>()?);
        let short = encode(&[4, 2])?.to_vec2::<f32>()?;
        assert!(one.to_vec2::<f32>()?[0].iter().zip(&short[0]).all(|(a, b)| (a - b).abs() < 1e-6));
        Ok(())
    }
}
