//! 10.3 Attention Scoring Functions
//!
//! Two ways to score a query against a key, and the softmax that leaves padding out.
//!
//! `cargo run --release -p attention -- attention-scoring-functions`
//! With equal keys both kinds give each valid value the same weight.

use d2l::nn::{Dropout, Linear};
use d2l::ops::{masked_softmax, matmul, tanh};
use d2l::plot::HeatMaps;
use d2l::prelude::*;

/// Nothing to choose.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// Scores a query against a key by a small net, `w_v · tanh(W_q q + W_k k)`: they may have different sizes.
pub struct AdditiveAttention {
    w_q: Linear,
    w_k: Linear,
    w_v: Linear,
    dropout: Dropout,
}

impl AdditiveAttention {
    /// Attention through `hidden` units; training drops the share `dropout` of the weights.
    pub fn new(query_size: usize, key_size: usize, hidden: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            w_q: Linear::without_bias(query_size, hidden, &vb.pp("w_q"))?,
            w_k: Linear::without_bias(key_size, hidden, &vb.pp("w_k"))?,
            w_v: Linear::without_bias(hidden, 1, &vb.pp("w_v"))?,
            dropout: Dropout::new(dropout, &vb.pp("dropout"))?,
        })
    }

    /// The keys `(batch, keys, key size)` as the net takes them, `(batch, keys, hidden)`: the same for every query, so
    /// whoever asks several times about the same keys projects them once.
    pub fn project(&self, keys: &Tensor) -> Result<Tensor> {
        self.w_k.forward(keys)
    }

    /// From queries `(batch, queries, query size)`, keys `(batch, keys, key size)` and values
    /// `(batch, keys, value size)`, of which the first `valid_lens` count, to `(batch, queries, value size)` and the
    /// attention weights `(batch, queries, keys)`.
    pub fn forward_t(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        self.attend(queries, &self.project(keys)?, values, valid_lens, train)
    }

    /// [`AdditiveAttention::forward_t`] with keys that [`AdditiveAttention::project`] gave.
    pub fn attend(
        &self,
        queries: &Tensor,
        projected_keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let queries = self.w_q.forward(queries)?.unsqueeze(2)?; // (batch, queries, 1, hidden)
        let keys = projected_keys.unsqueeze(1)?; // (batch, 1, keys, hidden)
        let features = tanh(&queries.broadcast_add(&keys)?)?; // (batch, queries, keys, hidden)
        let scores = self.w_v.forward(&features)?.squeeze(3)?; // (batch, queries, keys)
        let weights = masked_softmax(&scores, valid_lens)?;
        Ok((matmul(&self.dropout.forward_t(&weights, train)?, values)?, weights))
    }
}

/// Scores a query against a key of the same size by `q · k / √d`.
pub struct DotProductAttention {
    dropout: Dropout,
}

impl DotProductAttention {
    /// Attention that drops the share `dropout` of the weights while training.
    pub fn new(dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { dropout: Dropout::new(dropout, &vb.pp("dropout"))? })
    }

    /// From queries `(…, queries, d)`, keys `(…, keys, d)` and values `(…, keys, value size)` to
    /// `(…, queries, value size)` and the attention weights `(…, queries, keys)`; `valid_lens` as for
    /// [`masked_softmax`].
    pub fn forward_t(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let d = queries.dim(D::Minus1)? as f64;
        let scores = (matmul(queries, &keys.t()?)? / d.sqrt())?; // (…, queries, keys)
        let weights = masked_softmax(&scores, valid_lens)?;
        Ok((matmul(&self.dropout.forward_t(&weights, train)?, values)?, weights))
    }
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Masked softmax operation")?;
    let device = nb.device().clone();
    let scores = nb.uniform((2, 2, 4))?; // (batch, queries, keys)
    let per_sequence = Tensor::new(&[2u32, 3], &device)?;
    nb.show("2 and 3 keys count", masked_softmax(&scores, Some(&per_sequence))?)?;
    let per_query = Tensor::new(&[[1u32, 3], [2, 4]], &device)?;
    nb.show("a length for each query", masked_softmax(&scores, Some(&per_query))?)?;

    nb.cell("A row without keys")?;
    let weights = masked_softmax(&scores, Some(&Tensor::new(&[0u32, 9], &device)?))?;
    nb.show("no key, and more than there are", &weights)?;
    let error = (weights.sum(2)? - 1.0)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("row_sum_error", f64::from(error))?;

    nb.cell("Additive attention")?;
    let queries = nb.normal((2, 1, 20))?; // (batch, queries, query size)
    let keys = Tensor::ones((2, 10, 2), DType::F32, &device)?; // (batch, keys, key size)
    let values = Tensor::arange(0f32, 40.0, &device)?.reshape((1, 10, 4))?; // (1, keys, value size)
    let values = values.repeat((2, 1, 1))?; // (batch, keys, value size)
    let valid_lens = Tensor::new(&[2u32, 6], &device)?;
    let parameters = nb.parameters();
    let attention = AdditiveAttention::new(20, 2, 8, 0.1, &parameters.builder())?;
    let (output, weights) = attention.forward_t(&queries, &keys, &values, Some(&valid_lens), false)?;
    nb.show("output", &output)?; // (batch, queries, value size)
    let maps = |weights: &Tensor| -> anyhow::Result<HeatMaps> {
        let weights = weights.reshape((1, 1, 2, 10))?; // (rows of maps, columns of maps, queries, keys)
        Ok(HeatMaps::new(&weights)?.x_label("keys").y_label("queries"))
    };
    nb.figure("additive-weights", "The weights of additive attention over ten keys", maps(&weights)?)?;

    nb.cell("Scaled dot-product attention")?;
    let queries = nb.normal((2, 1, 2))?; // as wide as a key
    let attention = DotProductAttention::new(0.5, &parameters.builder().pp("dot_product"))?;
    let (same, weights) = attention.forward_t(&queries, &keys, &values, Some(&valid_lens), false)?;
    nb.show("output", &same)?;
    nb.figure("dot-product-weights", "The weights of dot-product attention over ten keys", maps(&weights)?)?;
    nb.metric("difference", f64::from((output - same)?.abs()?.max_all()?.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_give_the_mean_of_the_valid_values_and_of_all_where_none_is() -> Result<()> {
        let cpu = &Device::Cpu;
        let (queries, keys) = (Tensor::ones((2, 1, 2), DType::F32, cpu)?, Tensor::ones((2, 3, 2), DType::F32, cpu)?);
        let values = Tensor::new(&[[[1f32], [3.0], [8.0]], [[1.0], [3.0], [8.0]]], cpu)?; // (2, 3, 1)
        let lens = Tensor::new(&[2u32, 0], cpu)?;
        let parameters = Parameters::new(&Random::new(1), cpu);
        let additive = AdditiveAttention::new(2, 2, 4, 0.1, &parameters.builder())?;
        let dot = DotProductAttention::new(0.0, &parameters.builder())?;
        for (output, weights) in [
            dot.forward_t(&queries, &keys, &values, Some(&lens), false)?,
            additive.forward_t(&queries, &keys, &values, Some(&lens), false)?,
        ] {
            assert_eq!((output.dims(), weights.dims()), (&[2, 1, 1][..], &[2, 1, 3][..]));
            let output = output.flatten_all()?.to_vec1::<f32>()?;
            assert!((output[0] - 2.0).abs() < 1e-6 && (output[1] - 4.0).abs() < 1e-6, "{output:?}");
            let weights = weights.flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(weights[..3], [0.5, 0.5, 0.0]);
        }
        Ok(())
    }
}
