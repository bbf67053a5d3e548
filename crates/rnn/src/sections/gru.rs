//! 9.1 Gated Recurrent Units (GRU)
//!
//! Two gates say how much of the old state a new one keeps and how much of it the candidate sees.
//!
//! `cargo run --release -p rnn -- gru`
//! 500 epochs: perplexity at most 1.25 from scratch, at most 1.1 concise.

use d2l::nn::{Gru, RecurrentConfig};
use d2l::ops::{sigmoid, tanh};
use d2l::prelude::*;
use d2l::text::Sampling;

use super::rnn_concise::{RecurrentLanguageModel, train_clipped};
use super::rnn_scratch::{Affine, Cell, RnnModelScratch};
use crate::language_model::State;

pub use super::rnn_concise::Config;

/// Gated units: the reset gate applies to the state before the product, as the book writes it; the layer [`Gru`] applies
/// it after.
pub struct GruCell {
    update: Affine,
    reset: Affine,
    candidate: Affine,
}

impl Cell for GruCell {
    fn new(inputs: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        let affine = |name| Affine::new(inputs, hidden, &vb.pp(name));
        Ok(Self { update: affine("update")?, reset: affine("reset")?, candidate: affine("candidate")? })
    }

    fn step(&self, x: &Tensor, state: &[Tensor]) -> Result<State> {
        let h = &state[0]; // (batch, hidden)
        let z = sigmoid(&self.update.forward(x, h)?)?; // (batch, hidden)
        let r = sigmoid(&self.reset.forward(x, h)?)?;
        let candidate = tanh(&self.candidate.forward(x, &(r * h)?)?)?;
        let h = ((&z * h)? + (z.affine(-1.0, 1.0)? * candidate)?)?; // z ⊙ h + (1 − z) ⊙ candidate
        Ok(vec![h])
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (mut train, vocab) = config.reading.load(nb, Sampling::Sequential)?;

    nb.cell("Initializing model parameters")?;
    let parameters = nb.parameters();
    let net = RnnModelScratch::<GruCell>::new(vocab.len(), config.num_hiddens, &parameters.builder())?;
    nb.say(format!("{} parameters in {} tensors", parameters.count(), parameters.variables().len()))?;

    nb.cell("Training and predicting")?;
    train_clipped(nb, "scratch", &net, &parameters, config, &mut train, &vocab)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layer = Gru::new(vocab.len(), config.num_hiddens, RecurrentConfig::default(), &vb.pp("gru"))?;
    let net = RecurrentLanguageModel::new(layer, config.num_hiddens, vocab.len(), &vb)?;
    train_clipped(nb, "concise", &net, &parameters, config, &mut train, &vocab)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LanguageModel;

    #[test]
    fn a_closed_update_gate_keeps_the_state() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = RnnModelScratch::<GruCell>::new(3, 2, &parameters.builder())?;
        let bias = parameters.get("update.b").expect("the gate's bias");
        bias.set(&Tensor::full(50f32, 2, &Device::Cpu)?)?; // z = 1
        let h = Tensor::new(&[[0.3f32, -0.7]], &Device::Cpu)?;
        let (_, state) = net.forward(&Tensor::new(&[[0u32, 2, 1]], &Device::Cpu)?, std::slice::from_ref(&h))?;
        assert_eq!(state[0].to_vec2::<f32>()?, h.to_vec2::<f32>()?);
        Ok(())
    }
}
