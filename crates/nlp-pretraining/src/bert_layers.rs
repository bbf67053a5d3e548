//! The layers of section 14.8: the encoder of BERT, and the nets of the two tasks that it is pretrained on.

use attention::TransformerSizes;
use attention::transformer_layers::{EncoderBlock, FeedForwardActivation};
use candle_core::bail;
use d2l::nn::{Dropout, Embedding, Init, LayerNorm, Linear};
use d2l::ops::{add, embedding, relu};
use d2l::prelude::*;

/// The sizes of a BERT: those of a Transformer's encoder.
pub type BertSizes = TransformerSizes;

/// In what an encoder differs from another of its sizes; the default is the book's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BertVariant {
    /// What stands between the two layers of each feed-forward net.
    pub activation: FeedForwardActivation,
    /// Whether the sum of the three embeddings is normalized, and a share of it dropped in training, before the first block,
    /// as in BERT's authors' models.
    pub embedding_norm: bool,
}

/// Embedded tokens, with the embeddings of their segments and of their positions, through the blocks.
#[doc(alias = "BERTEncoder")]
pub struct BertEncoder {
    /// The vectors of tokens without a context.
    pub token_embedding: Embedding,
    segment_embedding: Embedding,
    /// `(1, max_len, hidden)`
    position_embedding: Tensor,
    embedding_norm: Option<(LayerNorm, Dropout)>,
    blocks: Vec<EncoderBlock>,
}

impl BertEncoder {
    /// An encoder of `vocabulary` tokens.
    ///
    /// # Errors
    /// Where the heads cannot share the features evenly.
    pub fn new(vocabulary: usize, sizes: &BertSizes, vb: &VarBuilder) -> Result<Self> {
        Self::with_variant(vocabulary, sizes, BertVariant::default(), vb)
    }

    /// An encoder of another kind, for parameters that were pretrained in it (section 15.7).
    ///
    /// # Errors
    /// As [`BertEncoder::new`].
    pub fn with_variant(vocabulary: usize, sizes: &BertSizes, variant: BertVariant, vb: &VarBuilder) -> Result<Self> {
        let &BertSizes { hidden, layers, max_len, dropout, .. } = sizes;
        let BertVariant { activation, embedding_norm } = variant;
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        let block = |i: usize| EncoderBlock::with_activation(activation, sizes, &vb.pp(format!("block{}", i + 1)));
        let norm =
            |vb: &VarBuilder| Ok::<_, candle_core::Error>((LayerNorm::new(hidden, vb)?, Dropout::new(dropout, vb)?));
        Ok(Self {
            token_embedding: Embedding::new(vocabulary, hidden, &vb.pp("token_embedding"))?,
            segment_embedding: Embedding::new(2, hidden, &vb.pp("segment_embedding"))?,
            position_embedding: vb.get_with_hints((1, max_len, hidden), "position_embedding", normal)?,
            embedding_norm: embedding_norm.then(|| norm(&vb.pp("embedding_norm"))).transpose()?,
            blocks: (0..layers).map(block).collect::<Result<_>>()?,
        })
    }

    /// Tokens and segments `(batch, steps)` to vectors `(batch, steps, hidden)`. The first `valid_lens` `(batch)` of each
    /// input's tokens are looked at, or all.
    ///
    /// # Errors
    /// Where an input has more tokens than there are positions, or a token is not in the vocabulary.
    pub fn forward_t(
        &self,
        tokens: &Tensor,
        segments: &Tensor,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<Tensor> {
        let ((batch, steps), (_, max_len, hidden)) = (tokens.dims2()?, self.position_embedding.dims3()?);
        if steps > max_len {
            bail!("an input of {steps} tokens, and the model knows {max_len} positions: cut it, or raise max_len");
        }
        let x = add(&self.token_embedding.forward(tokens)?, &self.segment_embedding.forward(segments)?)?;
        let positions = Tensor::arange(0, steps as u32, tokens.device())?.broadcast_as((batch, steps))?;
        let table = self.position_embedding.reshape((max_len, hidden))?;
        let mut x = add(&x, &embedding(&positions, &table)?)?; // (batch, steps, hidden)
        if let Some((norm, dropout)) = &self.embedding_norm {
            x = dropout.forward_t(&norm.forward(&x)?, train)?;
        }
        let all = Tensor::full(steps as u32, batch, tokens.device())?;
        for block in &self.blocks {
            (x, _) = block.forward_t(&x, valid_lens.unwrap_or(&all), train)?;
        }
        Ok(x)
    }
}

/// Guesses the words at some places from the vectors that the encoder gives there.
#[doc(alias = "MaskLM")]
pub struct MaskedLanguageModel {
    hidden: Linear,
    norm: LayerNorm,
    output: Linear,
}

impl MaskedLanguageModel {
    /// From vectors of `hidden` features to `vocabulary` logits.
    pub fn new(vocabulary: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            hidden: Linear::new(hidden, hidden, &vb.pp("hidden"))?,
            norm: LayerNorm::new(hidden, &vb.pp("norm"))?,
            output: Linear::new(hidden, vocabulary, &vb.pp("output"))?,
        })
    }

    /// From `x` `(batch, steps, hidden)` to logits `(batch, predictions, vocabulary)` of what stands at `positions`
    /// `(batch, predictions)` of `u32`.
    ///
    /// # Errors
    /// Where a position lies beyond the last step.
    pub fn forward(&self, x: &Tensor, positions: &Tensor) -> Result<Tensor> {
        let (batch, predictions) = positions.dims2()?;
        let rows = rows_of_positions(positions, x.dim(1)?)?;
        self.at_rows(x, &Tensor::new(rows, x.device())?)?.reshape((batch, predictions, ()))
    }

    /// From `x` `(batch, steps, hidden)` to logits `(n, vocabulary)` at `rows` `(n)`, see [`rows_of_positions`].
    pub fn at_rows(&self, x: &Tensor, rows: &Tensor) -> Result<Tensor> {
        let (batch, steps, hidden) = x.dims3()?;
        let masked = embedding(rows, &x.reshape((batch * steps, hidden))?)?; // (n, hidden)
        let masked = self.norm.forward(&relu(&self.hidden.forward(&masked)?)?)?;
        self.output.forward(&masked) // (n, vocabulary)
    }
}

/// Where `positions` `(batch, predictions)` are among the steps of all inputs, `steps` of each, one input after the other.
///
/// # Errors
/// Where a position lies beyond the last step.
pub fn rows_of_positions(positions: &Tensor, steps: usize) -> Result<Vec<u32>> {
    let (_, predictions) = positions.dims2()?;
    let row = |(place, position): (usize, u32)| {
        if position as usize >= steps {
            bail!("the word at position {position} is to be guessed, and the input has {steps} tokens");
        }
        Ok((place / predictions * steps) as u32 + position)
    };
    positions.flatten_all()?.to_vec1::<u32>()?.into_iter().enumerate().map(row).collect()
}

/// Tells from one vector of an input whether its second text follows the first.
#[doc(alias = "NextSentencePred")]
pub struct NextSentencePrediction {
    output: Linear,
}

impl NextSentencePrediction {
    /// From vectors of `inputs` features.
    pub fn new(inputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { output: Linear::new(inputs, 2, &vb.pp("output"))? })
    }
}

impl Module for NextSentencePrediction {
    /// `(batch, inputs)` to logits `(batch, 2)`, the second being that it follows.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.output.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use d2l::ops::sum;

    use super::*;

    const CPU: Device = Device::Cpu;

    #[test]
    fn an_encoder_of_another_kind_has_its_own_numbers_and_gradients() -> Result<()> {
        let sizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.1, max_len: 12 };
        let variant = BertVariant { activation: FeedForwardActivation::Gelu, embedding_norm: true };
        let (books, others) = (Parameters::new(&Random::new(3), &CPU), Parameters::new(&Random::new(3), &CPU));
        let plain = BertEncoder::new(13, &sizes, &books.builder())?;
        let other = BertEncoder::with_variant(13, &sizes, variant, &others.builder())?;
        assert_eq!(others.count(), books.count() + 2 * 8);
        let names = |parameters: &Parameters| -> Vec<String> {
            parameters
                .named()
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| !name.starts_with("embedding_norm"))
                .collect()
        };
        assert_eq!(names(&others), names(&books));

        let tokens = Tensor::new(&[[3u32, 7, 4, 9, 4], [3, 8, 4, 1, 1]], &CPU)?;
        let (segments, lens) = (tokens.zeros_like()?, Tensor::new(&[5u32, 3], &CPU)?);
        let encoded = |encoder: &BertEncoder, train| encoder.forward_t(&tokens, &segments, Some(&lens), train);
        let difference = (encoded(&plain, false)? - encoded(&other, false)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference > 1e-2, "{difference}");
        let weights = Tensor::arange(0f32, 80.0, &CPU)?.sin()?.reshape((2, 5, 8))?;
        let loss = sum(&(encoded(&other, true)? * weights)?.flatten_all()?, 0)?;
        // A bias of the keys moves all scores of a query alike, which softmax does not see.
        d2l_testing::gradients::reach_all(&others, &loss, |name| name.ends_with("w_k.bias"))
    }

    #[test]
    fn words_are_guessed_from_their_own_vectors() -> Result<()> {
        let parameters = Parameters::new(&Random::new(3), &CPU);
        let mlm = MaskedLanguageModel::new(13, 8, &parameters.builder())?;
        let x = Var::from_tensor(&Tensor::arange(0f32, 80.0, &CPU)?.reshape((2, 5, 8))?)?;
        let positions = Tensor::new(&[[4u32, 0, 0], [2, 2, 1]], &CPU)?;
        assert_eq!(rows_of_positions(&positions, 5)?, [4, 0, 0, 7, 7, 6]);
        let logits = mlm.forward(&x, &positions)?;
        assert_eq!(logits.dims(), [2, 3, 13]);
        assert_eq!(logits.i((0, 1))?.to_vec1::<f32>()?, logits.i((0, 2))?.to_vec1::<f32>()?);
        let weights = Tensor::arange(0f32, 78.0, &CPU)?.sin()?.reshape((2, 3, 13))?;
        let grads = backward(&sum(&(logits * weights)?.flatten_all()?, 0)?)?;
        let sizes = grads.get(&x)?.abs()?.sum(2)?.to_vec2::<f32>()?; // (2, 5)
        let reached: Vec<Vec<bool>> = sizes.iter().map(|row| row.iter().map(|&size| size > 0.0).collect()).collect();
        assert_eq!(reached, [[true, false, false, false, true], [false, true, true, false, false]]);
        Ok(())
    }
}
