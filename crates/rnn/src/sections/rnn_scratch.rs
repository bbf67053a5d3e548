//! 8.5 Implementation of Recurrent Neural Networks from Scratch
//!
//! A language model of characters on tensors and autograd alone, trained with both ways of cutting the text.
//!
//! `cargo run --release -p rnn -- rnn-scratch`
//! 500 epochs: perplexity at most 1.3 with sequential minibatches, at most 1.6 with random ones.

use anyhow::ensure;
use d2l::nn::Init;
use d2l::ops::{Gradients, add, concat, embedding, linear, tanh};
use d2l::prelude::*;
use d2l::text::{Sampling, SequenceLoader, Vocab};
use d2l::train::TrainError;

use crate::language_model::{LanguageModel, PREFIXES, Reading, State, show_training};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub num_hiddens: usize,
    /// Learning rate
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr: f64,
}

defaults! { Config: Smoke { batch_size: 8, num_steps: 10, max_tokens: 1000, num_hiddens: 32, num_epochs: 3 } }

/// Turns ids `(batch, steps)` into indicator vectors `(steps, batch, vocabulary)`.
#[doc(alias = "F.one_hot")]
pub fn one_hot(tokens: &Tensor, vocabulary: usize) -> Result<Tensor> {
    let rows = Tensor::eye(vocabulary, DType::F32, tokens.device())?; // row i is 1 at place i
    embedding(&tokens.t()?, &rows)
}

/// The normal distribution that all weights of a model from scratch start from.
const SMALL: Init = Init::Randn { mean: 0.0, stdev: 0.01 };

/// An affine map of an input and a hidden state, `w_x x + w_h h + b`: the inner part of a layer or of a gate.
pub struct Affine {
    w_x: Tensor,
    w_h: Tensor,
    b: Tensor,
}

impl Affine {
    /// `w_x` of `(hidden, inputs)` and `w_h` of `(hidden, hidden)` from `N(0, 0.01²)`, `b` of `(hidden)` zero.
    pub fn new(inputs: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            w_x: vb.get_with_hints((hidden, inputs), "w_x", SMALL)?,
            w_h: vb.get_with_hints((hidden, hidden), "w_h", SMALL)?,
            b: vb.get(hidden, "b")?,
        })
    }

    /// `(batch, inputs)` and `(batch, hidden)` to `(batch, hidden)`.
    pub fn forward(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        add(&linear(x, &self.w_x, Some(&self.b))?, &linear(h, &self.w_h, None)?)
    }
}

/// What a recurrent layer from scratch does at one step; sections 9.1 and 9.2 write others.
pub trait Cell: Sized {
    /// How many tensors `(batch, hidden)` the state has; the first is the hidden state.
    const STATES: usize = 1;

    /// A cell of `hidden` units.
    ///
    /// # Errors
    /// Where `vb` has parameters of other shapes.
    fn new(inputs: usize, hidden: usize, vb: &VarBuilder) -> Result<Self>;

    /// From an input `(batch, inputs)` and the state before it to the state after.
    ///
    /// # Errors
    /// Where the sizes do not fit together.
    fn step(&self, x: &Tensor, state: &[Tensor]) -> Result<State>;
}

/// One layer of `tanh` units.
#[doc(alias = "rnn")]
pub struct RnnCell(Affine);

impl Cell for RnnCell {
    fn new(inputs: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self(Affine::new(inputs, hidden, &vb.pp("hidden"))?))
    }

    fn step(&self, x: &Tensor, state: &[Tensor]) -> Result<State> {
        Ok(vec![tanh(&self.0.forward(x, &state[0])?)?]) // (batch, hidden)
    }
}

/// A recurrent language model around a cell.
#[doc(alias = "RNNModelScratch")]
pub struct RnnModelScratch<C> {
    cell: C,
    /// `(vocabulary, hidden)`
    w_q: Tensor,
    /// `(vocabulary)`
    b_q: Tensor,
}

impl<C: Cell> RnnModelScratch<C> {
    /// A model over `vocabulary` tokens with `hidden` units.
    pub fn new(vocabulary: usize, hidden: usize, vb: &VarBuilder) -> Result<Self> {
        let cell = C::new(vocabulary, hidden, vb)?;
        let w_q = vb.get_with_hints((vocabulary, hidden), "output.w", SMALL)?;
        Ok(Self { cell, w_q, b_q: vb.get(vocabulary, "output.b")? })
    }

    /// The state at the start of a text: zeros.
    #[doc(alias = "init_rnn_state")]
    pub fn begin_state(&self, batch: usize) -> Result<State> {
        let zeros = Tensor::zeros((batch, self.w_q.dim(1)?), self.w_q.dtype(), self.w_q.device())?; // (batch, hidden)
        Ok(vec![zeros; C::STATES])
    }
}

impl<C: Cell> LanguageModel for RnnModelScratch<C> {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let inputs = one_hot(tokens, self.w_q.dim(0)?)?; // (steps, batch, vocabulary)
        let mut state = if state.is_empty() { self.begin_state(tokens.dim(0)?)? } else { state.to_vec() };
        let mut outputs = Vec::with_capacity(inputs.dim(0)?);
        for t in 0..inputs.dim(0)? {
            state = self.cell.step(&inputs.get(t)?, &state)?;
            outputs.push(state[0].clone()); // (batch, hidden)
        }
        let logits = linear(&concat(&outputs, 0)?, &self.w_q, Some(&self.b_q))?; // (steps · batch, vocabulary)
        Ok((logits, state))
    }
}

/// Goes on with a text by `num_preds` tokens, each the most likely one.
///
/// # Errors
/// Where the prefix is empty.
#[doc(alias = "predict_ch8")]
pub fn predict(
    prefix: &str,
    num_preds: usize,
    net: &impl LanguageModel,
    vocab: &Vocab,
    device: &Device,
) -> anyhow::Result<String> {
    ensure!(!prefix.is_empty(), "a prediction needs a text to go on with");
    let mut text = prefix.to_string();
    let mut ids = vocab.ids(prefix.chars().map(String::from));
    let mut state = State::new();
    for _ in 0..num_preds {
        let tokens = Tensor::new(ids, device)?.unsqueeze(0)?; // (1, steps): the prefix, then one token a time
        let (logits, next) = net.forward(&tokens, &state)?; // (steps, vocabulary)
        state = next.iter().map(Tensor::detach).collect();
        let id = logits.get(logits.dim(0)? - 1)?.argmax(0)?.to_scalar::<u32>()?;
        text.push_str(vocab.token(id)?);
        ids = vec![id];
    }
    Ok(text)
}

/// Scales the gradients of `parameters` down where their norm together is above `theta`.
pub fn grad_clipping(grads: &mut Gradients, parameters: &[Var], theta: f64) -> Result<()> {
    let mut sum = 0.0;
    for parameter in parameters {
        sum += f64::from(grads.get(parameter)?.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let norm = sum.sqrt();
    if norm > theta {
        for parameter in parameters {
            grads.set(parameter, (grads.get(parameter)? * (theta / norm))?);
        }
    }
    Ok(())
}

/// Trains a language model; `update` takes a step for a loss. Gives the history, whose metric `perplexity` is the
/// exponential of the loss, and a table of what the model wrote at some epochs.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_ch8")]
#[doc(alias = "train_epoch_ch8")]
pub fn train(
    trainer: Trainer<'_>,
    net: &impl LanguageModel,
    vocab: &Vocab,
    loader: &mut SequenceLoader,
    mut update: impl FnMut(&Tensor) -> Result<()>,
) -> Result<(History, Table), TrainError> {
    let mut written = Table::new(["epoch", "perplexity", "goes on with"]);
    let (sampling, device) = (loader.sampling(), loader.device().clone());
    let mut state = State::new();
    let trainer = trainer.tokens().perplexity().each_epoch(|epoch| {
        if let (true, Some(perplexity)) = (epoch.every(epoch.num_epochs().div_ceil(5)), epoch.get("perplexity")) {
            let text = predict(PREFIXES[0], 30, net, vocab, &device)?;
            written.row([epoch.number().to_string(), format!("{perplexity:.3}"), format!("{text:?}")]);
        }
        Ok(())
    });
    let history = trainer.run(loader, |step, (x, y)| {
        // With sequential minibatches the state goes on from one to the next.
        if step.begins_epoch() || sampling == Sampling::Random {
            state.clear();
        }
        let (logits, next) = net.forward(&x, &state)?; // (steps · batch, vocabulary)
        // Detached, so that no gradient, and no memory, reaches back beyond a minibatch.
        state = next.iter().map(Tensor::detach).collect();
        let loss = cross_entropy(&logits, &y.t()?.flatten_all()?, Reduction::Mean)?;
        update(&loss)?;
        step.loss(&loss, y.elem_count())
    })?;
    Ok((history, written))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let (mut sequential, vocab) = config.reading.load(nb, Sampling::Sequential)?;
    let (mut random, _) = config.reading.load(nb, Sampling::Random)?;
    nb.say(format!("{} ids; at most {} minibatches an epoch", vocab.len(), sequential.batches()))?;

    nb.cell("One-hot encoding")?;
    let device = nb.device().clone();
    let ids = Tensor::new(&[[0u32, 2]], &device)?; // (1, 2)
    nb.show("ids 0 and 2", one_hot(&ids, vocab.len())?.squeeze(1)?)?; // (2, 28)
    let x = Tensor::arange(0u32, 10, &device)?.reshape((2, 5))?;
    nb.show("shape of a minibatch (2, 5)", format!("{:?}", one_hot(&x, vocab.len())?.dims()))?;

    nb.cell("The model")?;
    let parameters = nb.parameters();
    let net = RnnModelScratch::<RnnCell>::new(vocab.len(), config.num_hiddens, &parameters.builder())?;
    let (logits, state) = net.forward(&x, &[])?;
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state[0].dims()))?;

    nb.cell("Prediction")?;
    nb.show("before training", predict("time traveller ", 10, &net, &vocab, &device)?)?;

    nb.cell("Gradient clipping")?;
    let step = |optimizer: &mut Sgd, parameters: &Parameters, loss: &Tensor| {
        let mut grads = backward(loss)?;
        grad_clipping(&mut grads, &parameters.variables(), 1.0)?;
        optimizer.step(&grads)
    };

    nb.cell("Training")?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.reading.num_epochs).named("sequential").with(&parameters).with(&optimizer);
    let update = |loss: &Tensor| step(&mut optimizer, &parameters, loss);
    let (history, written) = train(trainer, &net, &vocab, &mut sequential, update)?;
    show_training(nb, "sequential", &net, &vocab, &history, written)?;

    nb.cell("Training with random sampling")?;
    let parameters = nb.parameters();
    let net = RnnModelScratch::<RnnCell>::new(vocab.len(), config.num_hiddens, &parameters.builder())?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.reading.num_epochs).named("random").with(&parameters).with(&optimizer);
    let update = |loss: &Tensor| step(&mut optimizer, &parameters, loss);
    let (history, written) = train(trainer, &net, &vocab, &mut random, update)?;
    show_training(nb, "random", &net, &vocab, &history, written)
}

#[cfg(test)]
mod tests {
    use d2l::optim::clip_gradients;

    use super::*;

    #[test]
    fn clipping_is_that_of_the_library() -> Result<()> {
        let v = Var::new(&[3f32, -4.0], &Device::Cpu)?;
        for (scale, theta) in [(1.0, 1.0), (0.01, 1.0), (2.0, 0.5)] {
            let loss = ((v.as_tensor().sqr()? * 0.5)?.sum_all()? * scale)?; // the gradient is scale · v
            let (mut own, mut library) = (backward(&loss)?, backward(&loss)?);
            grad_clipping(&mut own, std::slice::from_ref(&v), theta)?;
            clip_gradients(&mut library, std::slice::from_ref(&v), theta)?;
            let difference = (own.get(&v)? - library.get(&v)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-6, "{difference}");
        }
        Ok(())
    }

    #[test]
    fn one_hot_rows_have_one_one() -> Result<()> {
        let x = Tensor::new(&[[0u32, 2, 1], [1, 1, 0]], &Device::Cpu)?;
        let encoded = one_hot(&x, 3)?; // (3, 2, 3)
        assert_eq!(encoded.argmax(2)?.to_vec2::<u32>()?, [[0, 1], [2, 1], [1, 0]]);
        assert_eq!(encoded.sum_all()?.to_scalar::<f32>()?, 6.0);
        Ok(())
    }

    /// Knows that `b` follows `a`, and `a` follows whatever else.
    struct Alternating;

    impl LanguageModel for Alternating {
        fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
            let next = Tensor::new(&[[0f32, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], tokens.device())?;
            Ok((embedding(&tokens.t()?.flatten_all()?, &next)?, state.to_vec()))
        }
    }

    #[test]
    fn predictions_go_on_from_the_last_token() -> anyhow::Result<()> {
        let vocab = Vocab::new(["a", "b"], 0, &[]); // <unk> a b
        assert_eq!(predict("ba", 4, &Alternating, &vocab, &Device::Cpu)?, "bababa");
        assert_eq!(predict("é", 2, &Alternating, &vocab, &Device::Cpu)?, "éab");
        assert!(predict("", 2, &Alternating, &vocab, &Device::Cpu).is_err());
        Ok(())
    }
}
