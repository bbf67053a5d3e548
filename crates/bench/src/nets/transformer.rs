//! The Transformer (section 10.7; Vaswani et al., 2017): an encoder and a decoder of attention alone.

use d2l::nn::{Embedding, LayerNorm, Linear, VarBuilder};
use d2l::ops::relu;
use d2l::prelude::*;

use super::encoder_decoder::{Decoder, Encoder, EncoderDecoder, Training, dropout};
use super::multi_head_attention::MultiHeadAttention;
use super::positional_encoding::PositionalEncoding;

/// The sizes of an encoder or a decoder.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Features of a token.
    pub hidden: usize,
    /// Units of the net that is applied at each position.
    pub feed_forward: usize,
    /// Attentions side by side.
    pub heads: usize,
    /// Blocks on top of each other.
    pub layers: usize,
    /// The share that training drops.
    pub dropout: f64,
    /// Steps that positions are prepared for.
    pub max_len: usize,
}

/// The same perceptron at each position: `(…, hidden)` to `(…, hidden)`.
#[doc(alias = "PositionWiseFFN")]
pub struct FeedForward {
    inner: Linear,
    outer: Linear,
}

impl FeedForward {
    /// A perceptron with one layer of `sizes.feed_forward` units.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            inner: Linear::new(sizes.hidden, sizes.feed_forward, &vb.pp("inner"))?,
            outer: Linear::new(sizes.feed_forward, sizes.hidden, &vb.pp("outer"))?,
        })
    }
}

impl Module for FeedForward {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.outer.forward(&relu(&self.inner.forward(x)?)?)
    }
}

/// A residual connection, then layer normalisation.
pub struct AddNorm {
    norm: LayerNorm,
    dropout: f64,
}

impl AddNorm {
    /// Normalisation over `sizes.hidden` features.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { norm: LayerNorm::new(sizes.hidden, vb)?, dropout: sizes.dropout })
    }

    /// The norm of `x` plus what a layer, given `x`, made of it, `y`; both `(batch, steps, hidden)`.
    pub fn forward(&self, x: &Tensor, y: &Tensor, training: Training) -> Result<Tensor> {
        self.norm.forward(&(dropout(y, self.dropout, training)? + x)?)
    }
}

/// Attention of a sequence to itself, then the feed-forward net.
pub struct EncoderBlock {
    attention: MultiHeadAttention,
    norm1: AddNorm,
    feed_forward: FeedForward,
    norm2: AddNorm,
}

impl EncoderBlock {
    /// A block of these sizes.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let &Sizes { hidden, heads, dropout, .. } = sizes;
        Ok(Self {
            attention: MultiHeadAttention::new(hidden, heads, dropout, &vb.pp("attention"))?,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            feed_forward: FeedForward::new(sizes, &vb.pp("feed_forward"))?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
        })
    }

    /// `(batch, steps, hidden)` to the same shape.
    pub fn forward(&self, x: &Tensor, valid_lens: &Tensor, mut training: Training) -> Result<Tensor> {
        let y = self.attention.forward(x, x, x, Some(valid_lens), training.as_deref_mut())?;
        let x = self.norm1.forward(x, &y, training.as_deref_mut())?;
        self.norm2.forward(&x, &self.feed_forward.forward(&x)?, training)
    }
}

/// Embedded tokens, scaled so that the positions do not drown them: `(batch, steps)` to `(batch, steps, hidden)`.
fn embed(embedding: &Embedding, tokens: &Tensor, hidden: usize) -> Result<Tensor> {
    embedding.forward(tokens)? * (hidden as f64).sqrt()
}

/// Embedded tokens with their positions, through the blocks.
pub struct TransformerEncoder {
    hidden: usize,
    embedding: Embedding,
    positions: PositionalEncoding,
    blocks: Vec<EncoderBlock>,
}

impl TransformerEncoder {
    /// An encoder of `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| EncoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, vb.device())?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
        })
    }
}

impl Encoder for TransformerEncoder {
    /// `(batch, steps, hidden)`
    type Output = Tensor;

    fn forward(&self, tokens: &Tensor, valid_lens: &Tensor, mut training: Training) -> Result<Tensor> {
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let x = self.positions.forward(&x, 0, training.as_deref_mut())?;
        self.blocks.iter().try_fold(x, |x, block| block.forward(&x, valid_lens, training.as_deref_mut()))
    }
}

/// Attention to the tokens so far, attention to the source, then the feed-forward net.
pub struct DecoderBlock {
    self_attention: MultiHeadAttention,
    norm1: AddNorm,
    source_attention: MultiHeadAttention,
    norm2: AddNorm,
    feed_forward: FeedForward,
    norm3: AddNorm,
}

/// What the decoder carries from token to token.
pub struct TransformerState {
    /// `(batch, source steps, hidden)`
    encoded: Tensor,
    /// `(batch)`
    source_lens: Tensor,
    /// For each block its inputs so far, `(batch, steps, hidden)`; kept when predicting token by token.
    seen: Vec<Option<Tensor>>,
}

impl DecoderBlock {
    /// A block of these sizes.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let attention = |name| MultiHeadAttention::new(sizes.hidden, sizes.heads, sizes.dropout, &vb.pp(name));
        Ok(Self {
            self_attention: attention("self_attention")?,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            source_attention: attention("source_attention")?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
            feed_forward: FeedForward::new(sizes, &vb.pp("feed_forward"))?,
            norm3: AddNorm::new(sizes, &vb.pp("norm3"))?,
        })
    }

    /// `(batch, steps, hidden)` to the same shape; `past` is `(batch, past steps + steps, hidden)`, the inputs up to
    /// and with `x`, and `lens` how many of them each query may see.
    fn forward(
        &self,
        x: &Tensor,
        past: &Tensor,
        lens: &Tensor,
        state: &TransformerState,
        mut training: Training,
    ) -> Result<Tensor> {
        let y = self.self_attention.forward(x, past, past, Some(lens), training.as_deref_mut())?;
        let x = self.norm1.forward(x, &y, training.as_deref_mut())?;
        let (source, source_lens) = (&state.encoded, Some(&state.source_lens));
        let y = self.source_attention.forward(&x, source, source, source_lens, training.as_deref_mut())?;
        let x = self.norm2.forward(&x, &y, training.as_deref_mut())?;
        self.norm3.forward(&x, &self.feed_forward.forward(&x)?, training)
    }
}

/// Embedded tokens with their positions, through the blocks, to logits.
pub struct TransformerDecoder {
    hidden: usize,
    embedding: Embedding,
    positions: PositionalEncoding,
    blocks: Vec<DecoderBlock>,
    output: Linear,
}

impl TransformerDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| DecoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, vb.device())?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
            output: Linear::new(sizes.hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for TransformerDecoder {
    type Encoded = Tensor;
    type State = TransformerState;

    fn init_state(&self, encoded: Tensor, valid_lens: &Tensor) -> Result<TransformerState> {
        Ok(TransformerState { encoded, source_lens: valid_lens.clone(), seen: vec![None; self.blocks.len()] })
    }

    fn forward(&self, tokens: &Tensor, state: &mut TransformerState, mut training: Training) -> Result<Tensor> {
        let (batch, steps) = tokens.dims2()?;
        let before = match state.seen.first() {
            Some(Some(seen)) => seen.dim(1)?,
            _ => 0,
        };
        // A token sees those before it and itself.
        let lens = Tensor::arange(before as u32 + 1, (before + steps) as u32 + 1, tokens.device())?; // (steps)
        let lens = lens.expand((batch, steps))?.contiguous()?; // (batch, steps)
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let mut x = self.positions.forward(&x, before, training.as_deref_mut())?;
        for (i, block) in self.blocks.iter().enumerate() {
            let past = match &state.seen[i] {
                Some(seen) => Tensor::cat(&[seen, &x], 1)?,
                None => x.clone(),
            };
            x = block.forward(&x, &past, &lens, state, training.as_deref_mut())?;
            state.seen[i] = Some(past);
        }
        self.output.forward(&x) // (batch, steps, vocabulary)
    }
}

/// The book's translation model of attention alone.
pub fn transformer(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<TransformerEncoder, TransformerDecoder>> {
    Ok(EncoderDecoder {
        encoder: TransformerEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: TransformerDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}
