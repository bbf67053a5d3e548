//! 8.4 Recurrent Neural Networks
//!
//! One layer whose input is the new token and what it made of all tokens before.
//!
//! `cargo run --release -p rnn -- rnn`
//! Two products and one product of concatenations differ by less than a millionth.

use d2l::ops::matmul;
use d2l::prelude::*;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Sequences a minibatch
    #[arg(long, default_value_t = 3, value_parser = count)]
    pub batch_size: usize,
    /// Features of an input
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub num_inputs: usize,
    /// Features of a hidden state
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub num_hiddens: usize,
}

defaults! { Config }

/// The exponential of the mean cross-entropy between logits `(tokens, vocabulary)` and the tokens that came `(tokens)`:
/// among how many equally likely tokens the model hesitates.
pub fn perplexity(logits: &Tensor, labels: &Tensor) -> Result<f64> {
    let loss = cross_entropy(logits, labels, Reduction::Mean)?;
    Ok(f64::from(loss.to_scalar::<f32>()?).exp())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Two products")?;
    let (batch, inputs, hidden) = (config.batch_size, config.num_inputs, config.num_hiddens);
    let (x, w_xh) = (nb.normal((batch, inputs))?, nb.normal((inputs, hidden))?);
    let (h, w_hh) = (nb.normal((batch, hidden))?, nb.normal((hidden, hidden))?);
    let sum = (matmul(&x, &w_xh)? + matmul(&h, &w_hh)?)?; // (batch, hidden)
    nb.show("x w_xh + h w_hh", &sum)?;

    nb.cell("One product")?;
    let xh = Tensor::cat(&[&x, &h], 1)?; // (batch, inputs + hidden)
    let w = Tensor::cat(&[&w_xh, &w_hh], 0)?; // (inputs + hidden, hidden)
    let product = matmul(&xh, &w)?; // (batch, hidden)
    nb.show("[x h] [w_xh; w_hh]", &product)?;
    let difference = (sum - product)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("max_difference", f64::from(difference))?;

    nb.cell("Inputs and labels of a language model")?;
    let text: Vec<char> = "machine".chars().collect();
    let (inputs, labels) = (&text[..text.len() - 1], &text[1..]);
    nb.say(format!("inputs {inputs:?}\nlabels {labels:?}"))?;

    nb.cell("Perplexity")?;
    let labels = Tensor::new(&[1u32, 0, 2], nb.device())?;
    let certain = (Tensor::new(&[[0f32, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], nb.device())? * 50.0)?; // (3, 3)
    nb.show("certain and right", format!("{:.3}", perplexity(&certain, &labels)?))?;
    nb.show("no idea among three", format!("{:.3}", perplexity(&(&certain * 0.0)?, &labels)?))?;
    nb.show("certain and wrong", format!("{:.3e}", perplexity(&certain.neg()?, &labels)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perplexity_counts_equally_likely_tokens() -> Result<()> {
        let labels = Tensor::new(&[3u32, 27], &Device::Cpu)?;
        let uniform = Tensor::zeros((2, 28), DType::F32, &Device::Cpu)?;
        assert!((perplexity(&uniform, &labels)? - 28.0).abs() < 1e-4);
        let half = Tensor::new(&[[0f32, 0.0, -1e4]], &Device::Cpu)?; // (1, 3)
        assert!((perplexity(&half, &Tensor::new(&[1u32], &Device::Cpu)?)? - 2.0).abs() < 1e-5);
        Ok(())
    }
}
