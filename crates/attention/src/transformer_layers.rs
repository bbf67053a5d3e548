//! The layers of section 10.7: the net at each position, residual connections with layer normalization, and the blocks of
//! encoder and decoder.

use d2l::nn::{Dropout, Embedding, LayerNorm, Linear};
use d2l::ops::{add, gelu, relu};
use d2l::prelude::*;
use rnn::{Decoder, Encoder};

use crate::sections::multihead_attention::{KeysValues, MultiHeadAttention};
use crate::sections::self_attention_and_positional_encoding::PositionalEncoding;

/// The sizes of an encoder or a decoder.
#[derive(Debug, Clone, Copy)]
pub struct TransformerSizes {
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

/// What stands between the two layers of a [`FeedForward`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeedForwardActivation {
    /// As in the book.
    #[default]
    Relu,
    /// As in BERT's authors' models.
    Gelu,
}

/// The same perceptron at each position: `(…, inputs)` to `(…, outputs)`.
#[doc(alias = "PositionWiseFFN")]
pub struct FeedForward {
    inner: Linear,
    outer: Linear,
    activation: FeedForwardActivation,
}

impl FeedForward {
    /// A perceptron with one layer of `hidden` units.
    pub fn new(inputs: usize, hidden: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Self::with_activation(inputs, hidden, outputs, FeedForwardActivation::Relu, vb)
    }

    /// The same with another activation, for pretrained models that have one (section 15.7).
    pub fn with_activation(
        inputs: usize,
        hidden: usize,
        outputs: usize,
        activation: FeedForwardActivation,
        vb: &VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            inner: Linear::new(inputs, hidden, &vb.pp("inner"))?,
            outer: Linear::new(hidden, outputs, &vb.pp("outer"))?,
            activation,
        })
    }
}

impl Module for FeedForward {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.inner.forward(x)?; // (…, hidden)
        let inner = match self.activation {
            FeedForwardActivation::Relu => relu(&inner)?,
            FeedForwardActivation::Gelu => gelu(&inner)?,
        };
        self.outer.forward(&inner) // (…, outputs)
    }
}

/// A residual connection, then layer normalization.
pub struct AddNorm {
    norm: LayerNorm,
    dropout: Dropout,
}

impl AddNorm {
    /// Normalization over `sizes.hidden` features.
    pub fn new(sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        let dropout = Dropout::new(sizes.dropout, &vb.pp("dropout"))?;
        Ok(Self { norm: LayerNorm::new(sizes.hidden, vb)?, dropout })
    }

    /// The norm of `x` plus what a layer, given `x`, made of it, `y`; both `(batch, steps, hidden)`.
    pub fn forward_t(&self, x: &Tensor, y: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward(&add(&self.dropout.forward_t(y, train)?, x)?)
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
    pub fn new(sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        let attention = MultiHeadAttention::new(sizes.hidden, sizes.heads, sizes.dropout, &vb.pp("attention"))?;
        Self::around(attention, FeedForwardActivation::Relu, sizes, vb)
    }

    /// The same with biases in its attention, as BERT has them (section 14.8).
    pub fn with_bias(sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        Self::with_activation(FeedForwardActivation::Relu, sizes, vb)
    }

    /// [`EncoderBlock::with_bias`] with another activation in its feed-forward net, for pretrained models that have one
    /// (section 15.7).
    pub fn with_activation(
        activation: FeedForwardActivation,
        sizes: &TransformerSizes,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let &TransformerSizes { hidden, heads, dropout, .. } = sizes;
        let attention = MultiHeadAttention::with_bias(hidden, heads, dropout, &vb.pp("attention"))?;
        Self::around(attention, activation, sizes, vb)
    }

    fn around(
        attention: MultiHeadAttention,
        activation: FeedForwardActivation,
        sizes: &TransformerSizes,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let &TransformerSizes { hidden, feed_forward, .. } = sizes;
        let inner = &vb.pp("feed_forward");
        Ok(Self {
            attention,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            feed_forward: FeedForward::with_activation(hidden, feed_forward, hidden, activation, inner)?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
        })
    }

    /// `(batch, steps, hidden)` to the same shape, and the attention weights `(batch, heads, steps, steps)`.
    pub fn forward_t(&self, x: &Tensor, valid_lens: &Tensor, train: bool) -> Result<(Tensor, Tensor)> {
        let (y, weights) = self.attention.forward_t(x, x, x, Some(valid_lens), train)?;
        let x = self.norm1.forward_t(x, &y, train)?;
        Ok((self.norm2.forward_t(&x, &self.feed_forward.forward(&x)?, train)?, weights))
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
    pub fn new(vocabulary: usize, sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| EncoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, &vb.pp("positions"))?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
        })
    }

    /// Like [`Encoder::forward_t`], with the attention weights of each block, `(batch, heads, steps, steps)`.
    pub fn forward_with_weights(
        &self,
        tokens: &Tensor,
        valid_lens: &Tensor,
        train: bool,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let mut x = self.positions.forward_t(&x, 0, train)?;
        let mut all = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let weights;
            (x, weights) = block.forward_t(&x, valid_lens, train)?;
            all.push(weights.detach());
        }
        Ok((x, all))
    }
}

impl Encoder for TransformerEncoder {
    /// `(batch, steps, hidden)`
    type Output = Tensor;

    fn forward_t(&self, tokens: &Tensor, valid_lens: &Tensor, train: bool) -> Result<Tensor> {
        Ok(self.forward_with_weights(tokens, valid_lens, train)?.0)
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

/// What a block of the decoder keeps from token to token.
#[derive(Debug, Clone)]
pub struct BlockState {
    /// Keys and values of the source, which never change.
    source: KeysValues,
    /// Keys and values of the tokens so far.
    seen: Option<KeysValues>,
    /// The weights of the last call: over the tokens so far, and over the source, `(batch, heads, steps, keys)` each.
    weights: Option<(Tensor, Tensor)>,
}

impl DecoderBlock {
    /// A block of these sizes.
    pub fn new(sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        let attention = |name| MultiHeadAttention::new(sizes.hidden, sizes.heads, sizes.dropout, &vb.pp(name));
        Ok(Self {
            self_attention: attention("self_attention")?,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            source_attention: attention("source_attention")?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
            feed_forward: FeedForward::new(sizes.hidden, sizes.feed_forward, sizes.hidden, &vb.pp("feed_forward"))?,
            norm3: AddNorm::new(sizes, &vb.pp("norm3"))?,
        })
    }

    /// The state before the first token; `encoded` is `(batch, source steps, hidden)`.
    pub fn init_state(&self, encoded: &Tensor) -> Result<BlockState> {
        Ok(BlockState { source: self.source_attention.project(encoded, encoded)?, seen: None, weights: None })
    }

    /// `(batch, steps, hidden)` to the same shape. `lens` `(batch, steps)` tells how many of the tokens so far each step
    /// may see, `source_lens` `(batch)` how many of the source count.
    pub fn forward_t(
        &self,
        x: &Tensor,
        state: &mut BlockState,
        lens: &Tensor,
        source_lens: &Tensor,
        train: bool,
    ) -> Result<Tensor> {
        let new = self.self_attention.project(x, x)?;
        let seen = match &state.seen {
            Some(seen) => seen.join(&new)?, // (batch, heads, past steps + steps, hidden / heads)
            None => new,
        };
        let (y, self_weights) = self.self_attention.attend(x, &seen, Some(lens), train)?;
        let x = self.norm1.forward_t(x, &y, train)?;
        let (y, source_weights) = self.source_attention.attend(&x, &state.source, Some(source_lens), train)?;
        let x = self.norm2.forward_t(&x, &y, train)?;
        state.seen = Some(seen);
        state.weights = Some((self_weights.detach(), source_weights.detach()));
        self.norm3.forward_t(&x, &self.feed_forward.forward(&x)?, train)
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

/// What the decoder carries from token to token.
#[derive(Debug, Clone)]
pub struct TransformerState {
    /// `(batch)`
    source_lens: Tensor,
    /// How many tokens it has seen.
    steps: usize,
    blocks: Vec<BlockState>,
}

impl TransformerDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &TransformerSizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| DecoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, &vb.pp("positions"))?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
            output: Linear::new(sizes.hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for TransformerDecoder {
    type Encoded = Tensor;
    type State = TransformerState;

    fn init_state(&self, encoded: Tensor, valid_lens: &Tensor) -> Result<TransformerState> {
        let blocks = self.blocks.iter().map(|block| block.init_state(&encoded)).collect::<Result<_>>()?;
        Ok(TransformerState { source_lens: valid_lens.clone(), steps: 0, blocks })
    }

    fn forward_t(&self, tokens: &Tensor, state: &mut TransformerState, train: bool) -> Result<Tensor> {
        let (batch, steps) = tokens.dims2()?;
        let first = state.steps;
        // A token sees those before it and itself: training cannot look at the token that it has to predict.
        let lens = Tensor::arange(first as u32 + 1, (first + steps) as u32 + 1, tokens.device())?; // (steps)
        let lens = lens.expand((batch, steps))?.contiguous()?; // (batch, steps)
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let mut x = self.positions.forward_t(&x, first, train)?;
        for (block, block_state) in self.blocks.iter().zip(&mut state.blocks) {
            x = block.forward_t(&x, block_state, &lens, &state.source_lens, train)?;
        }
        state.steps += steps;
        self.output.forward(&x) // (batch, steps, vocabulary)
    }

    /// For each block the weights over the tokens so far, then for each block those over the source.
    fn attention_weights(&self, state: &TransformerState) -> Vec<Tensor> {
        let weights = || state.blocks.iter().filter_map(|block| block.weights.as_ref());
        weights().map(|(own, _)| own.clone()).chain(weights().map(|(_, source)| source.clone())).collect()
    }
}
