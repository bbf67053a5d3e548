//! The table of workloads, and what a step of training is in each.

use attention::bahdanau_attention::bahdanau;
use attention::transformer::transformer;
use attention::transformer_layers;
use d2l::nn::{Gru, Lstm, Parameters, RecurrentConfig, Rnn, Sequential, VarBuilder};
use d2l::ops::{Reduction, RnnActivation, backward, cross_entropy};
use d2l::optim::{Adam, Optimizer, Sgd, clip_gradients};
use d2l::prelude::*;
use d2l::random::{self, Purpose, Random, Stream};
use rnn::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
use rnn::gru::GruScratch;
use rnn::language_model::{LanguageModel, State};
use rnn::lstm::LstmScratch;
use rnn::rnn_concise::{RecurrentLanguageModel, RecurrentLayer};
use rnn::rnn_scratch::RnnScratch;
use rnn::seq2seq::{self, masked_cross_entropy, seq2seq};

use crate::nets::mlp::mlp;
use crate::nets::softmax_regression::softmax_regression;
use cnn::alexnet::alexnet;
use cnn::densenet::densenet;
use cnn::googlenet::googlenet;
use cnn::lenet::lenet;
use cnn::nin::nin;
use cnn::resnet::resnet18;
use cnn::vgg::{VGG_11, narrower, vgg};

/// One of the book's trainings.
#[derive(Clone, Copy)]
pub struct Workload {
    /// As on the command line.
    pub name: &'static str,
    /// What is trained, on what.
    pub about: &'static str,
    build: fn(&mut Random) -> Result<Training>,
}

impl Workload {
    /// The net with new parameters and its synthetic minibatch, both from `seed`.
    ///
    /// # Errors
    /// Where a tensor cannot be made.
    pub fn training(&self, seed: u64) -> Result<Training> {
        (self.build)(&mut Random::new(seed))
    }
}

/// All workloads, in book order.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "softmax",
        about: "softmax regression, 28×28, batch 256",
        build: |random| classifier(random, (256, 28), 0.1, |vb, _| softmax_regression(vb)),
    },
    Workload {
        name: "mlp",
        about: "MLP 784-256-10, batch 256",
        build: |random| classifier(random, (256, 28), 0.1, |vb, _| mlp(vb)),
    },
    Workload {
        name: "lenet",
        about: "LeNet, 28×28, batch 256",
        build: |random| classifier(random, (256, 28), 0.9, |vb, _| lenet(vb)),
    },
    Workload {
        name: "alexnet",
        about: "AlexNet, 224×224, batch 16",
        build: |random| classifier(random, (16, 224), 0.01, alexnet),
    },
    Workload {
        name: "vgg",
        about: "VGG-11, channels over 4, 224×224, batch 16",
        build: |random| classifier(random, (16, 224), 0.01, |vb, random| vgg(&narrower(VGG_11, 4), vb, random)),
    },
    Workload {
        name: "nin", about: "NiN, 224×224, batch 16", build: |random| classifier(random, (16, 224), 0.01, nin)
    },
    Workload {
        name: "googlenet",
        about: "GoogLeNet, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, |vb, _| googlenet(vb)),
    },
    Workload {
        name: "resnet",
        about: "ResNet-18, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, |vb, _| resnet18(vb)),
    },
    Workload {
        name: "densenet",
        about: "DenseNet, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, |vb, _| densenet(vb)),
    },
    Workload {
        name: "rnn-scratch",
        about: "character RNN from scratch, 32 × 35, 512 hidden",
        build: |random| {
            let net = RnnScratch::new(VOCABULARY, 512, &mut random.fork(Purpose::Initialization), &Device::Cpu)?;
            let variables = net.variables();
            language_model(random, net, variables)
        },
    },
    Workload {
        name: "gru-scratch",
        about: "character GRU from scratch, 32 × 35, 512 hidden",
        build: |random| {
            let net = GruScratch::new(VOCABULARY, 512, &mut random.fork(Purpose::Initialization), &Device::Cpu)?;
            let variables = net.variables();
            language_model(random, net, variables)
        },
    },
    Workload {
        name: "lstm-scratch",
        about: "character LSTM from scratch, 32 × 35, 512 hidden",
        build: |random| {
            let net = LstmScratch::new(VOCABULARY, 512, &mut random.fork(Purpose::Initialization), &Device::Cpu)?;
            let variables = net.variables();
            language_model(random, net, variables)
        },
    },
    Workload {
        name: "rnn",
        about: "character RNN, 32 × 35, 256 hidden",
        build: |random| {
            concise(random, |vb| Rnn::new(VOCABULARY, 256, RnnActivation::Tanh, RecurrentConfig::default(), vb))
        },
    },
    Workload {
        name: "gru",
        about: "character GRU, 32 × 35, 256 hidden",
        build: |random| concise(random, |vb| Gru::new(VOCABULARY, 256, RecurrentConfig::default(), vb)),
    },
    Workload {
        name: "lstm",
        about: "character LSTM, 32 × 35, 256 hidden",
        build: |random| concise(random, |vb| Lstm::new(VOCABULARY, 256, RecurrentConfig::default(), vb)),
    },
    Workload {
        name: "seq2seq",
        about: "seq2seq, GRU 2 × 32, 64 × 10",
        build: |random| translation(random, |vb| seq2seq(SOURCE, TARGET, &RECURRENT, vb)),
    },
    Workload {
        name: "bahdanau",
        about: "Bahdanau attention, GRU 2 × 32, 64 × 10",
        build: |random| translation(random, |vb| bahdanau(SOURCE, TARGET, &RECURRENT, vb)),
    },
    Workload {
        name: "transformer",
        about: "Transformer, 2 × 32, 4 heads, 64 × 10",
        build: |random| translation(random, |vb| transformer(SOURCE, TARGET, &ATTENTION, vb)),
    },
];

/// The characters of *The Time Machine*, and the unknown one.
const VOCABULARY: usize = 28;
/// The tokens of the book's English sentences, and of their French translations below.
const SOURCE: usize = 184;
const TARGET: usize = 201;
const RECURRENT: seq2seq::Sizes = seq2seq::Sizes { embed: 32, hidden: 32, layers: 2, dropout: 0.1 };
const ATTENTION: transformer_layers::Sizes =
    transformer_layers::Sizes { hidden: 32, feed_forward: 64, heads: 4, layers: 2, dropout: 0.1, max_len: 1000 };

/// A net, its optimizer and a minibatch.
pub struct Training {
    parameters: usize,
    step: Box<dyn FnMut() -> Result<Tensor>>,
}

impl Training {
    fn new(variables: &[Var], step: impl FnMut() -> Result<Tensor> + 'static) -> Self {
        Self { parameters: variables.iter().map(|variable| variable.elem_count()).sum(), step: Box::new(step) }
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Forward, loss, backward, clipping where the book clips, and the optimizer's update; returns the loss.
    ///
    /// # Errors
    /// Where an operation fails.
    pub fn step(&mut self) -> Result<Tensor> {
        (self.step)()
    }
}

fn parameters(random: &mut Random) -> Parameters {
    Parameters::new(random.fork(Purpose::Initialization), &Device::Cpu)
}

/// Numbers below `limit` as a tensor of `u32`.
fn integers(stream: &mut Stream, limit: usize, shape: &[usize]) -> Result<Tensor> {
    random::uniform(stream, 0.0, limit as f64, shape, &Device::Cpu)?.to_dtype(DType::U32)
}

/// Ten classes of square images with one channel, by stochastic gradient descent.
fn classifier(
    random: &mut Random,
    (batch, side): (usize, usize),
    learning_rate: f64,
    net: impl FnOnce(&VarBuilder, &mut Random) -> Result<Sequential>,
) -> Result<Training> {
    let parameters = parameters(random);
    let net = net(&parameters.builder(), random)?;
    let variables = parameters.variables();
    let images = random::normal(random.sampling(), 0.0, 1.0, (batch, 1, side, side), &Device::Cpu)?;
    let labels = integers(random.sampling(), 10, &[batch])?;
    let mut optimizer = Sgd::new(variables.clone(), learning_rate);
    Ok(Training::new(&variables, move || {
        let loss = cross_entropy(&net.forward_t(&images, true)?, &labels, Reduction::Mean)?;
        optimizer.step(&backward(&loss)?)?;
        Ok(loss)
    }))
}

/// A language model from a ready layer.
fn concise<L: RecurrentLayer + 'static>(
    random: &mut Random,
    layer: impl FnOnce(&VarBuilder) -> Result<L>,
) -> Result<Training> {
    let parameters = parameters(random);
    let vb = parameters.builder();
    let net = RecurrentLanguageModel::new(layer(&vb.pp("layer"))?, 256, VOCABULARY, &vb)?;
    language_model(random, net, parameters.variables())
}

/// Next characters, by stochastic gradient descent with clipping; the state goes on from step to step.
fn language_model(random: &mut Random, net: impl LanguageModel + 'static, variables: Vec<Var>) -> Result<Training> {
    let (batch, steps) = (32, 35);
    let inputs = integers(random.sampling(), VOCABULARY, &[batch, steps])?;
    let labels = integers(random.sampling(), VOCABULARY, &[batch, steps])?;
    let mut optimizer = Sgd::new(variables.clone(), 1.0);
    let mut state = State::new();
    Ok(Training::new(&variables.clone(), move || {
        let (logits, next) = net.forward(&inputs, &state)?; // (steps · batch, vocabulary)
        state = next.iter().map(Tensor::detach).collect();
        let loss = cross_entropy(&logits, &labels.t()?.flatten_all()?, Reduction::Mean)?;
        let mut grads = backward(&loss)?;
        clip_gradients(&mut grads, &variables, 1.0)?;
        optimizer.step(&grads)?;
        Ok(loss)
    }))
}

/// Translation pairs, by Adam with clipping.
fn translation<E, D>(
    random: &mut Random,
    net: impl FnOnce(&VarBuilder) -> Result<EncoderDecoder<E, D>>,
) -> Result<Training>
where
    E: Encoder + 'static,
    D: Decoder<Encoded = E::Output> + 'static,
{
    let (batch, steps) = (64, 10);
    let parameters = parameters(random);
    let net = net(&parameters.builder())?;
    let variables = parameters.variables();
    let source = integers(random.sampling(), SOURCE, &[batch, steps])?;
    let target = integers(random.sampling(), TARGET, &[batch, steps])?;
    let mut lengths = || (integers(random.sampling(), steps - 2, &[batch])? + 3.0)?.to_dtype(DType::U32); // 3 to 10
    let (source_lens, target_lens) = (lengths()?, lengths()?);
    let begin = Tensor::ones((batch, 1), DType::U32, &Device::Cpu)?;
    let mut optimizer = Adam::new(variables.clone(), 0.005);
    let mut dropout = random.fork(Purpose::Dropout);
    Ok(Training::new(&variables.clone(), move || {
        // Teacher forcing: the decoder reads the target, one token later.
        let inputs = Tensor::cat(&[&begin, &target.narrow(1, 0, steps - 1)?], 1)?;
        let logits = net.forward(&source, &inputs, &source_lens, Some(&mut dropout))?; // (batch, steps, vocabulary)
        let loss = masked_cross_entropy(&logits, &target, &target_lens)?.sum_all()?;
        let mut grads = backward(&loss)?;
        clip_gradients(&mut grads, &variables, 1.0)?;
        optimizer.step(&grads)?;
        Ok(loss)
    }))
}
