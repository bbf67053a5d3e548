//! Bahdanau attention (section 10.4): a decoder that looks at the whole source before each token.

use d2l::nn::{Embedding, Gru, Linear, VarBuilder};
use d2l::prelude::*;

use super::attention_scoring::AdditiveAttention;
use super::encoder_decoder::{Decoder, EncoderDecoder, Training};
use super::seq2seq::{Seq2SeqEncoder, Sizes};

/// Gated recurrent units that see, beside each token, a mean of the encoder's outputs, weighted by the state before.
pub struct AttentionDecoder {
    attention: AdditiveAttention,
    embedding: Embedding,
    rnn: Gru,
    output: Linear,
}

/// What the decoder carries from token to token.
pub struct AttentionState {
    /// `(batch, source steps, hidden)`
    encoder_outputs: Tensor,
    /// `(batch)`
    valid_lens: Tensor,
    /// `(layers, batch, hidden)`
    hidden: Tensor,
    /// The attention weights of each token of the last call, `(batch, 1, source steps)`.
    pub attention_weights: Vec<Tensor>,
}

impl AttentionDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let Sizes { embed, hidden, dropout, .. } = *sizes;
        Ok(Self {
            attention: AdditiveAttention::new((hidden, hidden), hidden, dropout, &vb.pp("attention"))?,
            embedding: Embedding::new(vocabulary, embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(embed + hidden, &vb.pp("rnn"))?,
            output: Linear::new(hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for AttentionDecoder {
    type Encoded = (Tensor, Tensor);
    type State = AttentionState;

    fn init_state(&self, (outputs, hidden): Self::Encoded, valid_lens: &Tensor) -> Result<AttentionState> {
        let encoder_outputs = outputs.transpose(0, 1)?.contiguous()?; // (batch, source steps, hidden)
        Ok(AttentionState { encoder_outputs, valid_lens: valid_lens.clone(), hidden, attention_weights: Vec::new() })
    }

    fn forward(&self, tokens: &Tensor, state: &mut AttentionState, mut training: Training) -> Result<Tensor> {
        let inputs = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        state.attention_weights.clear();
        let mut outputs = Vec::with_capacity(inputs.dim(0)?);
        for t in 0..inputs.dim(0)? {
            let query = state.hidden.get(state.hidden.dim(0)? - 1)?.unsqueeze(1)?; // (batch, 1, hidden)
            let source = &state.encoder_outputs;
            let lens = Some(&state.valid_lens);
            let (context, weights) = self.attention.forward(&query, source, source, lens, training.as_deref_mut())?;
            state.attention_weights.push(weights.detach());
            let x = Tensor::cat(&[context.squeeze(1)?, inputs.get(t)?], 1)?.unsqueeze(0)?; // (1, batch, hidden + embed)
            let (output, hidden) = self.rnn.forward(&x, Some(&state.hidden), None, training.as_deref_mut())?;
            state.hidden = hidden;
            outputs.push(output); // (1, batch, hidden)
        }
        self.output.forward(&Tensor::cat(&outputs, 0)?)?.transpose(0, 1) // (batch, steps, vocabulary)
    }
}

/// The book's translation model with attention.
pub fn bahdanau(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<Seq2SeqEncoder, AttentionDecoder>> {
    Ok(EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: AttentionDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}
