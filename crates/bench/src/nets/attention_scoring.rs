//! Attention scoring functions (section 10.3).

use d2l::nn::{Linear, VarBuilder};
use d2l::ops::{masked_softmax, matmul, tanh};
use d2l::prelude::*;

use super::encoder_decoder::{Training, dropout};

/// Scores a query against a key by a small net, `w_v tanh(w_q q + w_k k)`: they may have different sizes.
pub struct AdditiveAttention {
    w_q: Linear,
    w_k: Linear,
    w_v: Linear,
    dropout: f64,
}

impl AdditiveAttention {
    /// Attention through `hidden` units.
    pub fn new((query_size, key_size): (usize, usize), hidden: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            w_q: Linear::without_bias(query_size, hidden, &vb.pp("w_q"))?,
            w_k: Linear::without_bias(key_size, hidden, &vb.pp("w_k"))?,
            w_v: Linear::without_bias(hidden, 1, &vb.pp("w_v"))?,
            dropout,
        })
    }

    /// From queries `(batch, queries, query size)`, keys `(batch, keys, key size)` and values
    /// `(batch, keys, value size)`, of which the first `valid_lens` count, to `(batch, queries, value size)` and the
    /// attention weights `(batch, queries, keys)`.
    pub fn forward(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        training: Training,
    ) -> Result<(Tensor, Tensor)> {
        let queries = self.w_q.forward(queries)?.unsqueeze(2)?; // (batch, queries, 1, hidden)
        let keys = self.w_k.forward(keys)?.unsqueeze(1)?; // (batch, 1, keys, hidden)
        let features = tanh(&queries.broadcast_add(&keys)?)?; // (batch, queries, keys, hidden)
        let scores = self.w_v.forward(&features)?.squeeze(3)?; // (batch, queries, keys)
        let weights = masked_softmax(&scores, valid_lens)?;
        Ok((matmul(&dropout(&weights, self.dropout, training)?, values)?, weights))
    }
}

/// Scores a query against a key of the same size by `q · k / √d`.
#[derive(Debug, Clone, Copy)]
pub struct DotProductAttention {
    /// The share of the weights that training drops.
    pub dropout: f64,
}

impl DotProductAttention {
    /// From queries `(…, queries, d)`, keys `(…, keys, d)` and values `(…, keys, value size)` to
    /// `(…, queries, value size)` and the attention weights `(…, queries, keys)`; `valid_lens` as for
    /// [`masked_softmax`].
    pub fn forward(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        training: Training,
    ) -> Result<(Tensor, Tensor)> {
        let d = queries.dim(D::Minus1)? as f64;
        let scores = (matmul(queries, &keys.t()?)? / d.sqrt())?; // (…, queries, keys)
        let weights = masked_softmax(&scores, valid_lens)?;
        Ok((matmul(&dropout(&weights, self.dropout, training)?, values)?, weights))
    }
}
