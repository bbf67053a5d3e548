//! Sequence to sequence learning (section 9.7): a recurrent encoder and decoder, and the loss without padding.

use d2l::nn::{Embedding, Gru, Linear, RecurrentConfig, VarBuilder};
use d2l::ops::{Reduction, cross_entropy, mean};
use d2l::prelude::*;

use super::encoder_decoder::{Decoder, Encoder, EncoderDecoder, Training};

/// The sizes of a recurrent encoder or decoder.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Features of an embedded token.
    pub embed: usize,
    /// Features of a hidden state.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// The share of a layer's outputs that training drops.
    pub dropout: f64,
}

impl Sizes {
    /// The recurrent layers from `inputs` features.
    pub(super) fn gru(&self, inputs: usize, vb: &VarBuilder) -> Result<Gru> {
        let config = RecurrentConfig { layers: self.layers, dropout: self.dropout, ..RecurrentConfig::default() };
        Gru::new(inputs, self.hidden, config, vb)
    }
}

/// Embeds the source and runs gated recurrent units over it.
pub struct Seq2SeqEncoder {
    embedding: Embedding,
    rnn: Gru,
}

impl Seq2SeqEncoder {
    /// An encoder of `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, sizes.embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(sizes.embed, &vb.pp("rnn"))?,
        })
    }
}

impl Encoder for Seq2SeqEncoder {
    /// The last layer's outputs `(steps, batch, hidden)` and every layer's final state `(layers, batch, hidden)`.
    type Output = (Tensor, Tensor);

    fn forward(&self, tokens: &Tensor, _: &Tensor, training: Training) -> Result<Self::Output> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        self.rnn.forward(&x, None, None, training)
    }
}

/// Gated recurrent units that see, beside each token, the encoder's final state.
pub struct Seq2SeqDecoder {
    embedding: Embedding,
    rnn: Gru,
    output: Linear,
}

impl Seq2SeqDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, sizes.embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(sizes.embed + sizes.hidden, &vb.pp("rnn"))?,
            output: Linear::new(sizes.hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for Seq2SeqDecoder {
    type Encoded = (Tensor, Tensor);
    /// `(layers, batch, hidden)`
    type State = Tensor;

    fn init_state(&self, (_, state): Self::Encoded, _: &Tensor) -> Result<Tensor> {
        Ok(state)
    }

    fn forward(&self, tokens: &Tensor, state: &mut Tensor, training: Training) -> Result<Tensor> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        let context = state.get(state.dim(0)? - 1)?; // (batch, hidden)
        let context = Tensor::stack(&vec![context; x.dim(0)?], 0)?; // (steps, batch, hidden)
        let (outputs, last) = self.rnn.forward(&Tensor::cat(&[x, context], 2)?, Some(state), None, training)?;
        *state = last;
        self.output.forward(&outputs)?.transpose(0, 1) // (batch, steps, vocabulary)
    }
}

/// The book's translation model.
pub fn seq2seq(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<Seq2SeqEncoder, Seq2SeqDecoder>> {
    Ok(EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: Seq2SeqDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}

/// 1 for the first `valid_lens` `(batch)` of `steps` positions, 0 after: `(batch, steps)`.
pub fn sequence_mask(valid_lens: &Tensor, steps: usize) -> Result<Tensor> {
    let positions = Tensor::arange(0u32, steps as u32, valid_lens.device())?.unsqueeze(0)?; // (1, steps)
    positions.broadcast_lt(&valid_lens.unsqueeze(1)?)?.to_dtype(DType::F32)
}

/// The cross-entropy of each sequence, `(batch)`, with nothing counted for padding: logits
/// `(batch, steps, vocabulary)`, labels `(batch, steps)`, lengths `(batch)` of `u32`.
#[doc(alias = "MaskedSoftmaxCELoss")]
pub fn masked_cross_entropy(logits: &Tensor, labels: &Tensor, valid_lens: &Tensor) -> Result<Tensor> {
    let losses = cross_entropy(&logits.flatten_to(1)?, &labels.flatten_all()?, Reduction::None)?; // (batch · steps)
    let losses = (losses.reshape(labels.shape())? * sequence_mask(valid_lens, labels.dim(1)?)?)?; // (batch, steps)
    mean(&losses, 1)
}
