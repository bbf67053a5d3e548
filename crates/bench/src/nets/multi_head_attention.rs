//! Multi-head attention (section 10.5).

use d2l::nn::{Linear, VarBuilder};
use d2l::prelude::*;

use super::attention_scoring::DotProductAttention;
use super::encoder_decoder::Training;

/// Several attentions side by side, each over its own projection of queries, keys and values.
pub struct MultiHeadAttention {
    heads: usize,
    attention: DotProductAttention,
    w_q: Linear,
    w_k: Linear,
    w_v: Linear,
    w_o: Linear,
}

impl MultiHeadAttention {
    /// `heads` attentions over `hidden` features in all, without biases.
    pub fn new(hidden: usize, heads: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        let projection = |name| Linear::without_bias(hidden, hidden, &vb.pp(name));
        Ok(Self {
            heads,
            attention: DotProductAttention { dropout },
            w_q: projection("w_q")?,
            w_k: projection("w_k")?,
            w_v: projection("w_v")?,
            w_o: projection("w_o")?,
        })
    }

    /// From queries `(batch, queries, hidden)` and keys and values `(batch, keys, hidden)` to
    /// `(batch, queries, hidden)`. `valid_lens` is `(batch)`, or `(batch, queries)` where each query has its own.
    pub fn forward(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        training: Training,
    ) -> Result<Tensor> {
        let queries = self.split(&self.w_q.forward(queries)?)?; // (batch, heads, queries, hidden / heads)
        let keys = self.split(&self.w_k.forward(keys)?)?; // (batch, heads, keys, hidden / heads)
        let values = self.split(&self.w_v.forward(values)?)?;
        let valid_lens = match valid_lens {
            Some(lens) if lens.rank() == 2 => {
                let (batch, queries) = lens.dims2()?;
                Some(lens.unsqueeze(1)?.expand((batch, self.heads, queries))?.contiguous()?)
            }
            lens => lens.cloned(),
        };
        let (output, _) = self.attention.forward(&queries, &keys, &values, valid_lens.as_ref(), training)?;
        // (batch, heads, queries, hidden / heads) to (batch, queries, hidden)
        self.w_o.forward(&output.transpose(1, 2)?.flatten_from(2)?)
    }

    /// `(batch, steps, hidden)` to `(batch, heads, steps, hidden / heads)`.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, steps, _) = x.dims3()?;
        x.reshape((batch, steps, self.heads, ()))?.transpose(1, 2)
    }
}
