//! 8.5 Implementation of Recurrent Neural Networks from Scratch
//!
//! A language model of characters on tensors and autograd alone, trained with both ways of cutting the text.
//!
//! `cargo run --release -p rnn -- rnn-scratch`
//! 500 epochs: perplexity at most 1.3 with sequential minibatches, at most 1.6 with random ones.

use std::time::Instant;

use anyhow::ensure;
use d2l::notebook::positive;
use d2l::ops::{Reduction, add, backward, concat, cross_entropy, embedding, linear, tanh};
use d2l::optim::{Optimizer, Sgd};
use d2l::prelude::*;
use d2l::random::{self, Purpose, Stream};
use d2l::text::{Sampling, SequenceLoader, Vocab};
use d2l::train::{Accumulator, Diverged, EpochSummary, History, Interrupted, Monitor, Progress, Updater, run_epochs};

use crate::language_model::{LanguageModel, Reading, State, defaults_at, train_and_show};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Hidden units
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
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

/// Turns ids `(batch, steps)` into indicator vectors `(steps, batch, vocabulary)`.
#[doc(alias = "F.one_hot")]
pub fn one_hot(tokens: &Tensor, vocabulary: usize) -> Result<Tensor> {
    let rows = Tensor::eye(vocabulary, DType::F32, tokens.device())?; // row i is 1 at place i
    embedding(&tokens.t()?, &rows)
}

/// An affine map of an input and a hidden state, `w_x x + w_h h + b`: the inner part of a layer or of a gate.
pub struct Affine {
    w_x: Var,
    w_h: Var,
    b: Var,
}

impl Affine {
    /// `w_x` of `(hidden, inputs)` and `w_h` of `(hidden, hidden)` from `N(0, 0.01²)`, `b` of `(hidden)` zero.
    pub fn new(inputs: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            w_x: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (hidden, inputs), device)?)?,
            w_h: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (hidden, hidden), device)?)?,
            b: Var::zeros(hidden, DType::F32, device)?,
        })
    }

    /// `(batch, inputs)` and `(batch, hidden)` to `(batch, hidden)`.
    pub fn forward(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        add(&linear(x, &self.w_x, Some(&self.b))?, &linear(h, &self.w_h, None)?)
    }

    /// The parameters.
    pub fn variables(&self) -> Vec<Var> {
        vec![self.w_x.clone(), self.w_h.clone(), self.b.clone()]
    }
}

/// The output layer of a model from scratch: hidden states to logits.
pub struct Output {
    w: Var,
    b: Var,
}

impl Output {
    /// `w` of `(vocabulary, hidden)` from `N(0, 0.01²)`, `b` of `(vocabulary)` zero.
    pub fn new(hidden: usize, vocabulary: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            w: Var::from_tensor(&random::normal(stream, 0.0, 0.01, (vocabulary, hidden), device)?)?,
            b: Var::zeros(vocabulary, DType::F32, device)?,
        })
    }

    /// `(…, hidden)` to `(…, vocabulary)`.
    pub fn forward(&self, h: &Tensor) -> Result<Tensor> {
        linear(h, &self.w, Some(&self.b))
    }

    /// The parameters.
    pub fn variables(&self) -> Vec<Var> {
        vec![self.w.clone(), self.b.clone()]
    }
}

/// The recurrent language model with one layer of `tanh` units.
#[doc(alias = "RNNModelScratch")]
pub struct RnnScratch {
    hidden: Affine,
    output: Output,
    sizes: (usize, usize),
}

impl RnnScratch {
    /// A model over `vocabulary` tokens with `hidden` units.
    pub fn new(vocabulary: usize, hidden: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        Ok(Self {
            hidden: Affine::new(vocabulary, hidden, stream, device)?,
            output: Output::new(hidden, vocabulary, stream, device)?,
            sizes: (vocabulary, hidden),
        })
    }

    /// All parameters.
    pub fn variables(&self) -> Vec<Var> {
        [self.hidden.variables(), self.output.variables()].concat()
    }
}

/// The state at the start of a text: zeros of `(batch, hidden)`, unless one is given.
#[doc(alias = "init_rnn_state")]
pub fn begin_state(state: Option<&Tensor>, batch: usize, hidden: usize, device: &Device) -> Result<Tensor> {
    state.map_or_else(|| Tensor::zeros((batch, hidden), DType::F32, device), |state| Ok(state.clone()))
}

impl LanguageModel for RnnScratch {
    fn forward(&self, tokens: &Tensor, state: &[Tensor]) -> Result<(Tensor, State)> {
        let (vocabulary, hidden) = self.sizes;
        let (batch, steps) = tokens.dims2()?;
        let inputs = one_hot(tokens, vocabulary)?; // (steps, batch, vocabulary)
        let mut h = begin_state(state.first(), batch, hidden, tokens.device())?; // (batch, hidden)
        let mut states = Vec::with_capacity(steps);
        for t in 0..steps {
            h = tanh(&self.hidden.forward(&inputs.get(t)?, &h)?)?; // (batch, hidden)
            states.push(h.clone());
        }
        let logits = self.output.forward(&concat(&states, 0)?)?; // (steps · batch, vocabulary)
        Ok((logits, vec![h]))
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

/// The factor that brings the norm of all gradients together down to `theta`; 1 where it is not above.
#[doc(alias = "grad_clipping")]
pub fn clipping_factor(grads: &[Tensor], theta: f64) -> Result<f64> {
    let mut sum = 0.0;
    for grad in grads {
        sum += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    Ok((theta / sum.sqrt()).min(1.0))
}

/// Trains for one epoch. The state goes on from minibatch to minibatch where they follow each other in the text; it is
/// detached, so that no gradient, and no memory, reaches back beyond a minibatch.
///
/// # Errors
/// [`Diverged`] where the loss is not finite; what the model, the updater or the loader give.
#[doc(alias = "train_epoch_ch8")]
pub fn train_epoch(
    net: &impl LanguageModel,
    loader: &mut SequenceLoader,
    updater: &mut impl Updater,
    epoch: usize,
    monitor: &mut dyn Monitor,
) -> anyhow::Result<EpochSummary> {
    let (started, sampling) = (Instant::now(), loader.sampling());
    let mut state = State::new();
    let mut sums = Accumulator::<2>::new(); // loss, tokens
    for (batch, item) in loader.epoch().enumerate() {
        Interrupted::check(monitor)?;
        let (x, y) = item?; // (batch, steps) both
        if sampling == Sampling::Random {
            state.clear();
        }
        let (logits, next) = net.forward(&x, &state)?; // (steps · batch, vocabulary)
        state = next.iter().map(Tensor::detach).collect();
        let loss = cross_entropy(&logits, &y.t()?.flatten_all()?, Reduction::Mean)?;
        let value = Diverged::check(f64::from(loss.to_scalar::<f32>()?), epoch, batch + 1)?;
        updater.update(&loss)?;
        sums.add([value * y.elem_count() as f64, y.elem_count() as f64]);
        let tokens_per_second = sums[1] / started.elapsed().as_secs_f64();
        let (batch, loss) = (batch + 1, sums[0] / sums[1]);
        monitor.batch(&Progress { epoch, batch, loss, accuracy: None, examples_per_second: tokens_per_second });
    }
    let (train_loss, examples, duration) = (sums[0] / sums[1], sums[1] as usize, started.elapsed());
    Ok(EpochSummary { epoch, train_loss, train_accuracy: None, test_accuracy: None, examples, duration })
}

/// Trains for some epochs; `each_epoch` is told of each. The examples of the history are tokens.
///
/// # Errors
/// As [`train_epoch`]; what `each_epoch` gives.
#[doc(alias = "train_ch8")]
pub fn train(
    net: &impl LanguageModel,
    loader: &mut SequenceLoader,
    num_epochs: usize,
    updater: &mut impl Updater,
    monitor: &mut dyn Monitor,
    mut each_epoch: impl FnMut(&EpochSummary) -> anyhow::Result<()>,
) -> anyhow::Result<History> {
    run_epochs(num_epochs, loader.batches(), monitor, |epoch, monitor| {
        let summary = train_epoch(net, loader, updater, epoch, monitor)?;
        each_epoch(&summary)?;
        Ok(summary)
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let text = nb.time_machine()?;
    let (mut sequential, vocab) = config.reading.minibatches(&text, Sampling::Sequential, nb)?;
    let (mut random, _) = config.reading.minibatches(&text, Sampling::Random, nb)?;
    nb.say(format!("{} ids; at most {} minibatches an epoch", vocab.len(), sequential.batches()))?;

    nb.cell("One-hot encoding")?;
    let device = nb.device().clone();
    let ids = Tensor::new(&[[0u32, 2]], &device)?; // (1, 2)
    nb.show("ids 0 and 2", one_hot(&ids, vocab.len())?.squeeze(1)?)?; // (2, 28)
    let x = Tensor::arange(0u32, 10, &device)?.reshape((2, 5))?;
    nb.show("shape of a minibatch (2, 5)", format!("{:?}", one_hot(&x, vocab.len())?.dims()))?;

    nb.cell("The model")?;
    let hidden = config.num_hiddens as usize;
    let net = RnnScratch::new(vocab.len(), hidden, &mut nb.fork(Purpose::Initialization), &device)?;
    let (logits, state) = net.forward(&x, &[])?;
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state[0].dims()))?;

    nb.cell("Prediction")?;
    nb.show("before training", predict("time traveller ", 10, &net, &vocab, &device)?)?;

    nb.cell("Gradient clipping")?;
    let clipped = |variables: Vec<Var>| {
        let mut optimizer = Sgd::new(variables.clone(), config.lr);
        move |loss: &Tensor| {
            let mut grads = backward(loss)?;
            let all: Vec<Tensor> = variables.iter().filter_map(|variable| grads.get(variable).cloned()).collect();
            let factor = clipping_factor(&all, 1.0)?;
            if factor < 1.0 {
                for (variable, grad) in variables.iter().zip(&all) {
                    grads.insert(variable, (grad * factor)?);
                }
            }
            optimizer.step(&grads)
        }
    };

    nb.cell("Training")?;
    let mut updater = clipped(net.variables());
    let epochs = config.reading.num_epochs as usize;
    train_and_show(nb, "sequential", &net, (&mut sequential, &vocab), epochs, &mut updater)?;

    nb.cell("Training with random sampling")?;
    let net = RnnScratch::new(vocab.len(), hidden, &mut nb.fork(Purpose::Initialization), &device)?;
    let mut updater = clipped(net.variables());
    train_and_show(nb, "random", &net, (&mut random, &vocab), epochs, &mut updater)
}

#[cfg(test)]
mod tests {
    use d2l::optim::clip_gradients;

    use super::*;

    #[test]
    fn clipping_is_that_of_the_library() -> Result<()> {
        let v = Var::new(&[3f32, -4.0], &Device::Cpu)?;
        for (scale, theta) in [(1.0, 1.0), (0.01, 1.0), (2.0, 0.5)] {
            let mut grads = ((v.as_tensor().sqr()? * 0.5)?.sum_all()? * scale)?.backward()?; // the gradient is scale · v
            let own = clipping_factor(&[grads.get(&v).expect("a gradient").clone()], theta)?;
            let norm = clip_gradients(&mut grads, std::slice::from_ref(&v), theta)?;
            assert!((own - (theta / norm).min(1.0)).abs() < 1e-6, "{own} {norm}");
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
