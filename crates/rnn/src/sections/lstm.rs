//! 9.2 Long Short-Term Memory (LSTM)
//!
//! A memory cell beside the hidden state, with a gate for what enters it, one for what it forgets, one for what leaves.
//!
//! `cargo run --release -p rnn -- lstm`
//! 500 epochs: perplexity at most 1.3 from scratch, at most 1.2 concise.

use d2l::nn::{Lstm, RecurrentConfig};
use d2l::ops::{sigmoid, tanh};
use d2l::prelude::*;
use d2l::text::Sampling;

use super::rnn_concise::{RecurrentLanguageModel, train_clipped};
use super::rnn_scratch::{Affine, Cell, RnnModelScratch};
use crate::language_model::State;

pub use super::rnn_concise::Config;

/// Memory cells, with a gate for what enters, one for what is forgotten, and one for what leaves.
pub struct LstmCell {
    input: Affine,
    forget: Affine,
    output: Affine,
    candidate: Affine,
}

impl Cell for LstmCell {
    const STATES: usize = 2;

    fn new(inputs: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        let affine = |name| Affine::new(inputs, hidden, &vb.pp(name));
        let (input, forget, output) = (affine("input")?, affine("forget")?, affine("output_gate")?);
        Ok(Self { input, forget, output, candidate: affine("candidate")? })
    }

    fn step(&self, x: &Tensor, state: &[Tensor]) -> Result<State> {
        let (h, c) = (&state[0], &state[1]); // (batch, hidden) both
        let i = sigmoid(&self.input.forward(x, h)?)?; // (batch, hidden)
        let f = sigmoid(&self.forget.forward(x, h)?)?;
        let o = sigmoid(&self.output.forward(x, h)?)?;
        let candidate = tanh(&self.candidate.forward(x, h)?)?;
        let c = ((f * c)? + (i * candidate)?)?;
        let h = (o * tanh(&c)?)?;
        Ok(vec![h, c])
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (mut train, vocab) = config.reading.load(nb, Sampling::Sequential)?;

    nb.cell("Initializing model parameters")?;
    let parameters = nb.parameters();
    let net = RnnModelScratch::<LstmCell>::new(vocab.len(), config.num_hiddens, &parameters.builder())?;
    nb.say(format!("{} parameters in {} tensors", parameters.count(), parameters.variables().len()))?;

    nb.cell("Training and predicting")?;
    train_clipped(nb, "scratch", &net, &parameters, config, &mut train, &vocab)?;

    nb.cell("Concise implementation")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let layer = Lstm::new(vocab.len(), config.num_hiddens, RecurrentConfig::default(), &vb.pp("lstm"))?;
    let net = RecurrentLanguageModel::new(layer, config.num_hiddens, vocab.len(), &vb)?;
    train_clipped(nb, "concise", &net, &parameters, config, &mut train, &vocab)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LanguageModel;

    #[test]
    fn an_open_forget_gate_keeps_the_memory_that_a_closed_one_loses() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = RnnModelScratch::<LstmCell>::new(3, 2, &parameters.builder())?;
        let gate = |bias: &str, value: f32| {
            parameters.get(bias).expect("a gate's bias").set(&Tensor::full(value, 2, &Device::Cpu)?)
        };
        gate("input.b", -50.0)?;
        let (h, c) = (Tensor::zeros((1, 2), DType::F32, &Device::Cpu)?, Tensor::new(&[[0.9f32, -3.0]], &Device::Cpu)?);
        let tokens = Tensor::new(&[[0u32, 2, 1]], &Device::Cpu)?;
        for (bias, expected) in [(50.0, [[0.9, -3.0]]), (-50.0, [[0.0, 0.0]])] {
            gate("forget.b", bias)?;
            let (_, state) = net.forward(&tokens, &[h.clone(), c.clone()])?;
            let memory = state[1].to_vec2::<f32>()?;
            assert!(memory[0].iter().zip(expected[0]).all(|(c, e)| (c - e).abs() < 1e-6), "{memory:?}");
        }
        Ok(())
    }
}
