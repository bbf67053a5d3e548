//! 9.1 Gated Recurrent Units (GRU)
//!
//! Two gates say how much of the old state a new one keeps and how much of it the candidate sees.
//!
//! `cargo run --release -p rnn -- gru`
//! 500 epochs: perplexity at most 1.25 from scratch, at most 1.1 concise.

use d2l::nn::{Gru, RecurrentConfig};
use d2l::notebook::positive;
use d2l::ops::{concat, sigmoid, tanh};
use d2l::prelude::*;
use d2l::random::{Purpose, Stream};
use d2l::text::Sampling;

use crate::language_model::{LanguageModel, Reading, State, clipped_descent, defaults_at, train_and_show};
use crate::rnn_concise::RecurrentLanguageModel;
use crate::rnn_scratch::{Affine, Output, begin_state, one_hot};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        defaults_at(scale)
    }
}

/// The recurrent language model with one layer of gated units.
///
/// The reset gate applies to the state before the product, as the book writes it; the layer [`Gru`] applies it after.
pub struct GruScratch {
    update: Affine,
    reset: Affine,
    candidate: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl GruScratch {
    /// A model over `vocabulary` tokens with `hidden` units.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut affine = || Affine::new(vocabulary, hidden, stream, device);
        let (update, reset, candidate) = (affine()?, affine()?, affine()?);
        let output = Output::new(hidden, vocabulary, stream, device)?;
        Ok(Self { update, reset, candidate, output, sizes: (vocabulary, hidden) })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        let parts = [&self.update, &self.reset, &self.candidate].map(Affine::variables);
        [parts.concat(), self.output.variables()].concat()
    }
}

impl LanguageModel for GruScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut states = Vec::with_capacity(steps);
        for t in 0..steps {
            let x = inputs.get(t)?; // (batch, vocabulary)
            let z = sigmoid(&self.update.forward(&x, &h)?)?; // (batch, hidden)
            let r = sigmoid(&self.reset.forward(&x, &h)?)?;
            let candidate = tanh(&self.candidate.forward(&x, &(r * &h)?)?)?;
            h = ((&z * &h)? + (z.affine(-1.0, 1.0)? * candidate)?)?; // z ⊙ h + (1 − z) ⊙ candidate
            states.push(h.clone());
        }
        let logits = self.output.forward(&concat(&states, 0)?)?; // (steps · batch, vocabulary)
        Ok((logits, vec![h]))
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (mut train, vocab) = config.reading.minibatches(&text, Sampling::Sequential, nb)?;

    nb.cell("Initializing model parameters")?;
    let hidden = config.num_hiddens as usize;
    let net = GruScratch::new(vocab.len(), hidden, &mut nb.fork(Purpose::Initialization), nb.device())?;
    let count: usize = net.variables().iter().map(|variable| variable.elem_count()).sum();
    nb.say(format!("{} parameters in {} tensors", count, net.variables().len()))?;

    nb.cell("Training and predicting")?;
    let epochs = config.reading.num_epochs as usize;
    let mut updater = clipped_descent(net.variables(), config.lr);
    train_and_show(nb, "scratch", &net, (&mut train, &vocab), epochs, &mut updater)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layer = Gru::new(vocab.len(), hidden, RecurrentConfig::default(), &vb.pp("gru"))?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    train_and_show(nb, "concise", &net, (&mut train, &vocab), epochs, &mut updater)
}

#[cfg(test)]
mod tests {
    use d2l::random::Random;

    use super::*;

    #[test]
    fn a_closed_update_gate_keeps_the_state() -> Result<()> {
        let net = GruScratch::new(3, 2, &mut Random::new(1).fork(Purpose::Initialization), &Device::Cpu)?;
        net.update.variables()[2].set(&Tensor::full(50f32, 2, &Device::Cpu)?)?; // z = 1
        let h = Tensor::new(&[[0.3f32, -0.7]], &Device::Cpu)?;
        let (_, state) = net.forward(&Tensor::new(&[[0u32, 2, 1]], &Device::Cpu)?, std::slice::from_ref(&h))?;
        assert_eq!(state[0].to_vec2::<f32>()?, h.to_vec2::<f32>()?);
        Ok(())
    }
}
