//! 9.2 Long Short-Term Memory (LSTM)
//!
//! A memory cell beside the hidden state, with a gate for what enters it, one for what it forgets, one for what leaves.
//!
//! `cargo run --release -p rnn -- lstm`
//! 500 epochs: perplexity at most 1.3 from scratch, at most 1.2 concise.

use d2l::nn::{Lstm, RecurrentConfig};
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

/// The recurrent language model with one layer of memory cells.
pub struct LstmScratch {
    input: Affine,
    forget: Affine,
    exit: Affine,
    candidate: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl LstmScratch {
    /// A model over `vocabulary` tokens with `hidden` memory cells.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut affine = || Affine::new(vocabulary, hidden, stream, device);
        let (input, forget, exit, candidate) = (affine()?, affine()?, affine()?, affine()?);
        let output = Output::new(hidden, vocabulary, stream, device)?;
        Ok(Self { input, forget, exit, candidate, output, sizes: (vocabulary, hidden) })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        let parts = [&self.input, &self.forget, &self.exit, &self.candidate].map(Affine::variables);
        [parts.concat(), self.output.variables()].concat()
    }
}

impl LanguageModel for LstmScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut c = begin_state(state.get(1), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut states = Vec::with_capacity(steps);
        for t in 0..steps {
            let x = inputs.get(t)?; // (batch, vocabulary)
            let i = sigmoid(&self.input.forward(&x, &h)?)?; // (batch, hidden)
            let f = sigmoid(&self.forget.forward(&x, &h)?)?;
            let o = sigmoid(&self.exit.forward(&x, &h)?)?;
            let candidate = tanh(&self.candidate.forward(&x, &h)?)?;
            c = ((f * &c)? + (i * candidate)?)?;
            h = (o * tanh(&c)?)?;
            states.push(h.clone());
        }
        let logits = self.output.forward(&concat(&states, 0)?)?; // (steps · batch, vocabulary)
        Ok((logits, vec![h, c]))
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (mut train, vocab) = config.reading.minibatches(&text, Sampling::Sequential, nb)?;

    nb.cell("Initializing model parameters")?;
    let hidden = config.num_hiddens as usize;
    let net = LstmScratch::new(vocab.len(), hidden, &mut nb.fork(Purpose::Initialization), nb.device())?;
    let count: usize = net.variables().iter().map(|variable| variable.elem_count()).sum();
    nb.say(format!("{} parameters in {} tensors", count, net.variables().len()))?;

    nb.cell("Training and predicting")?;
    let epochs = config.reading.num_epochs as usize;
    let mut updater = clipped_descent(net.variables(), config.lr);
    train_and_show(nb, "scratch", &net, (&mut train, &vocab), epochs, &mut updater)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layer = Lstm::new(vocab.len(), hidden, RecurrentConfig::default(), &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, hidden, vocab.len(), &vb)?;
    let mut updater = clipped_descent(parameters.variables(), config.lr);
    train_and_show(nb, "concise", &net, (&mut train, &vocab), epochs, &mut updater)
}

#[cfg(test)]
mod tests {
    use d2l::random::Random;

    use super::*;

    #[test]
    fn an_open_forget_gate_keeps_the_memory_that_a_closed_one_loses() -> Result<()> {
        let net = LstmScratch::new(3, 2, &mut Random::new(1).fork(Purpose::Initialization), &Device::Cpu)?;
        let gate = |part: &Affine, bias: f32| part.variables()[2].set(&Tensor::full(bias, 2, &Device::Cpu)?);
        gate(&net.input, -50.0)?;
        let (h, c) = (Tensor::zeros((1, 2), DType::F32, &Device::Cpu)?, Tensor::new(&[[0.9f32, -3.0]], &Device::Cpu)?);
        let tokens = Tensor::new(&[[0u32, 2, 1]], &Device::Cpu)?;
        for (bias, expected) in [(50.0, [[0.9, -3.0]]), (-50.0, [[0.0, 0.0]])] {
            gate(&net.forget, bias)?;
            let (_, state) = net.forward(&tokens, &[h.clone(), c.clone()])?;
            let memory = state[1].to_vec2::<f32>()?;
            assert!(memory[0].iter().zip(expected[0]).all(|(c, e)| (c - e).abs() < 1e-6), "{memory:?}");
        }
        Ok(())
    }
}
