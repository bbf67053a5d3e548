//! 10.5 Multi-Head Attention
//!
//! Several attentions side by side, each over its own projection of the same queries, keys and values.
//!
//! `cargo run --release -p attention -- multihead-attention`
//! Shows the reshapes, and that one product over all heads is each head on its own.

use d2l::nn::Linear;
use d2l::ops::{concat, flatten_from};
use d2l::prelude::*;

use super::attention_scoring_functions::DotProductAttention;

/// Sizes.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Features of all heads together
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_hiddens: usize,
    /// Attentions side by side
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_heads: usize,
}

defaults! { Config }

/// Several attentions side by side, each over its own projection of queries, keys and values.
pub struct MultiHeadAttention {
    heads: usize,
    attention: DotProductAttention,
    w_q: Linear,
    w_k: Linear,
    w_v: Linear,
    w_o: Linear,
}

/// Keys and values as the heads take them, each `(batch, heads, keys, hidden / heads)`.
#[derive(Debug, Clone)]
pub struct KeysValues {
    keys: Tensor,
    values: Tensor,
}

impl KeysValues {
    /// These, and then those of `later` steps.
    pub fn join(&self, later: &Self) -> Result<Self> {
        let join = |a: &Tensor, b: &Tensor| concat(&[a.clone(), b.clone()], 2);
        Ok(Self { keys: join(&self.keys, &later.keys)?, values: join(&self.values, &later.values)? })
    }
}

impl MultiHeadAttention {
    /// `heads` attentions over `hidden` features in all, without biases.
    ///
    /// # Errors
    /// Where the heads cannot share the features evenly.
    pub fn new(hidden: usize, heads: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Self::with_projections(hidden, heads, dropout, vb, Linear::without_bias)
    }

    /// The same with biases, as BERT has them (section 14.8).
    ///
    /// # Errors
    /// As [`MultiHeadAttention::new`].
    pub fn with_bias(hidden: usize, heads: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Self::with_projections(hidden, heads, dropout, vb, Linear::new)
    }

    fn with_projections(
        hidden: usize,
        heads: usize,
        dropout: f64,
        vb: &VarBuilder,
        linear: fn(usize, usize, &VarBuilder) -> Result<Linear>,
    ) -> Result<Self> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            candle_core::bail!(
                "{heads} heads cannot share {hidden} features evenly: choose a number that divides them"
            );
        }
        let projection = |name| linear(hidden, hidden, &vb.pp(name));
        Ok(Self {
            heads,
            attention: DotProductAttention::new(dropout, vb)?,
            w_q: projection("w_q")?,
            w_k: projection("w_k")?,
            w_v: projection("w_v")?,
            w_o: projection("w_o")?,
        })
    }

    /// From queries `(batch, queries, hidden)` and keys and values `(batch, keys, hidden)` to
    /// `(batch, queries, hidden)` and the attention weights `(batch, heads, queries, keys)`. `valid_lens` is `(batch)`,
    /// or `(batch, queries)` where each query has its own.
    pub fn forward_t(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        self.attend(queries, &self.project(keys, values)?, valid_lens, train)
    }

    /// Keys and values `(batch, keys, hidden)`, projected and shared out among the heads. A decoder that writes token by
    /// token keeps them, since those of past tokens stay as they are.
    pub fn project(&self, keys: &Tensor, values: &Tensor) -> Result<KeysValues> {
        let (keys, values) = (self.w_k.forward(keys)?, self.w_v.forward(values)?); // (batch, keys, hidden)
        Ok(KeysValues { keys: split_heads(&keys, self.heads)?, values: split_heads(&values, self.heads)? })
    }

    /// [`MultiHeadAttention::forward_t`] with keys and values that [`MultiHeadAttention::project`] gave.
    pub fn attend(
        &self,
        queries: &Tensor,
        keys_values: &KeysValues,
        valid_lens: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let queries = split_heads(&self.w_q.forward(queries)?, self.heads)?; // (batch, heads, queries, hidden / heads)
        let valid_lens = match valid_lens {
            Some(lens) if lens.rank() == 2 => {
                let (batch, queries) = lens.dims2()?;
                Some(lens.unsqueeze(1)?.expand((batch, self.heads, queries))?.contiguous()?) // (batch, heads, queries)
            }
            lens => lens.cloned(),
        };
        let KeysValues { keys, values } = keys_values;
        let (output, weights) = self.attention.forward_t(&queries, keys, values, valid_lens.as_ref(), train)?;
        Ok((self.w_o.forward(&join_heads(&output)?)?, weights)) // (batch, queries, hidden)
    }
}

/// `(batch, steps, hidden)` to `(batch, heads, steps, hidden / heads)`.
#[doc(alias = "transpose_qkv")]
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, steps, _) = x.dims3()?;
    x.reshape((batch, steps, heads, ()))?.transpose(1, 2)
}

/// `(batch, heads, steps, hidden / heads)` to `(batch, steps, hidden)`: [`split_heads`] undone.
#[doc(alias = "transpose_output")]
pub fn join_heads(x: &Tensor) -> Result<Tensor> {
    flatten_from(&x.transpose(1, 2)?, 2)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Implementation")?;
    let (hidden, heads) = (config.num_hiddens, config.num_heads);
    let (device, parameters) = (nb.device().clone(), nb.parameters());
    let attention = MultiHeadAttention::new(hidden, heads, 0.5, &parameters.builder())?;
    nb.say(format!("{} parameters, whatever the number of heads", parameters.count()))?;
    let (queries, keys) = (nb.normal((2, 4, hidden))?, nb.normal((2, 6, hidden))?); // (batch, steps, hidden)
    let valid_lens = Tensor::new(&[3u32, 2], &device)?;
    let (output, weights) = attention.forward_t(&queries, &keys, &keys, Some(&valid_lens), false)?;
    nb.say(format!("output {:?}, weights {:?}", output.dims(), weights.dims()))?;

    nb.cell("The reshapes")?;
    let x = Tensor::arange(0u32, 2 * hidden as u32, &device)?.reshape((1, 2, hidden))?; // (batch, steps, hidden)
    let split = split_heads(&x, heads)?;
    let joined = split.transpose(1, 2)?.flatten_from(2)?;
    for (what, x) in [("features", &x), ("split into heads", &split), ("joined again", &joined)] {
        nb.say(format!("{what}: shape {:?}, strides {:?}", x.dims(), x.stride()))?;
    }
    let first = |head| -> Result<Vec<u32>> { split.i((0, head, 0))?.to_vec1() };
    for head in 0..heads.min(2) {
        let features = first(head)?;
        nb.say(format!("head {head} takes the features {} to {}", features[0], features[features.len() - 1]))?;
    }

    nb.cell("Each head alone")?;
    let size = hidden / heads;
    let mut outputs = Vec::with_capacity(heads);
    for head in 0..heads {
        let part = |layer: &Linear| layer.weight().narrow(0, head * size, size); // (hidden / heads, hidden)
        let project = |x: &Tensor, layer: &Linear| d2l::ops::linear(x, &part(layer)?, None);
        let (q, k, v) = (
            project(&queries, &attention.w_q)?, // (batch, queries, hidden / heads)
            project(&keys, &attention.w_k)?,    // (batch, keys, hidden / heads)
            project(&keys, &attention.w_v)?,
        );
        outputs.push(attention.attention.forward_t(&q, &k, &v, Some(&valid_lens), false)?.0);
    }
    let alone = attention.w_o.forward(&concat(&outputs, 2)?)?; // (batch, queries, hidden)
    let difference = (output - alone)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.show("largest difference", difference)?;
    nb.metric("difference", f64::from(difference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_need_to_share_the_features_evenly() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let x = Tensor::ones((2, 3, 6), DType::F32, &Device::Cpu)?;
        let attention = MultiHeadAttention::new(6, 3, 0.0, &parameters.builder().pp("a"))?;
        let (output, weights) = attention.forward_t(&x, &x, &x, None, false)?;
        assert_eq!((output.dims(), weights.dims()), (&[2, 3, 6][..], &[2, 3, 3, 3][..]));
        for heads in [0, 4] {
            let error = MultiHeadAttention::new(6, heads, 0.0, &parameters.builder().pp("b")).err();
            assert!(error.is_some_and(|error| error.to_string().contains("evenly")), "{heads}");
        }
        Ok(())
    }

    #[test]
    fn joining_undoes_splitting() -> Result<()> {
        let x = Tensor::arange(0f32, 24.0, &Device::Cpu)?.reshape((2, 3, 4))?;
        let split = split_heads(&x, 2)?;
        assert_eq!(split.i((1, 1, 0))?.to_vec1::<f32>()?, [14.0, 15.0]);
        assert_eq!(join_heads(&split)?.to_vec3::<f32>()?, x.to_vec3::<f32>()?);
        Ok(())
    }
}
