//! 9.7 Sequence to Sequence Learning
//!
//! Translation from English to French: one recurrent net reads, another writes.
//!
//! `cargo run --release -p rnn -- seq2seq`
//! 300 epochs: loss at most 0.021, mean BLEU of four sentences 0.42 or more.

use std::time::Instant;

use d2l::data::{BOS, EOS, PAD, TranslationLoader, preprocess_pairs, truncate_pad};
use d2l::nn::{Embedding, Gru, Linear, Parameters, RecurrentConfig, VarBuilder, init};
use d2l::notebook::{positive, probability};
use d2l::ops::{Reduction, backward, concat, cross_entropy};
use d2l::optim::{Adam, Optimizer, clip_gradients};
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::random::{Purpose, Stream};
use d2l::text::{Vocab, count_corpus};
use d2l::train::{Accumulator, Diverged, EpochSummary, History, Interrupted, Monitor, Progress, run_epochs};

use crate::encoder_decoder::{Decoder, Encoder, EncoderDecoder, Training};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Tokens of a sentence, after padding or truncation
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    pub num_steps: u32,
    /// Pairs to train on
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_examples: u32,
    /// Features of an embedded token
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub embed_size: u32,
    /// Hidden units of a layer
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Recurrent layers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub num_layers: u32,
    /// The share of a layer's outputs that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// Passes over the pairs
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

/// The smaller run of tests, here and in section 9.8.
pub(crate) const SMOKE: &[(&str, &str)] = &[("num_examples", "100"), ("num_epochs", "4")];

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        if scale == Scale::Smoke { SMOKE } else { &[] }
    }
}

/// The sizes of a recurrent encoder or decoder.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Features of an embedded token.
    pub embed: usize,
    /// Features of a hidden state.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// The share of a layer's outputs that training drops.
    pub dropout: f64,
}

impl Sizes {
    /// Gated recurrent units of these sizes from `inputs` features.
    ///
    /// # Errors
    /// Where a size is zero or the share to drop is not in `[0, 1)`.
    pub fn gru(&self, inputs: usize, vb: &VarBuilder) -> Result<Gru> {
        let config = RecurrentConfig { layers: self.layers, dropout: self.dropout, ..RecurrentConfig::default() };
        Gru::new(inputs, self.hidden, config, vb)
    }
}

/// Embeds the source and runs gated recurrent units over it.
pub struct Seq2SeqEncoder {
    embedding: Embedding,
    rnn: Gru,
}

impl Seq2SeqEncoder {
    /// An encoder of `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, sizes.embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(sizes.embed, &vb.pp("rnn"))?,
        })
    }
}

impl Encoder for Seq2SeqEncoder {
    /// The last layer's outputs `(steps, batch, hidden)` and every layer's final state `(layers, batch, hidden)`.
    type Output = (Tensor, Tensor);

    fn forward(&self, tokens: &Tensor, _: &Tensor, training: Training) -> Result<Self::Output> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        self.rnn.forward(&x, None, None, training)
    }
}

/// Gated recurrent units that see, beside each token, the encoder's final state.
pub struct Seq2SeqDecoder {
    embedding: Embedding,
    rnn: Gru,
    output: Linear,
}

impl Seq2SeqDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, sizes.embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(sizes.embed + sizes.hidden, &vb.pp("rnn"))?,
            output: Linear::new(sizes.hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for Seq2SeqDecoder {
    type Encoded = (Tensor, Tensor);
    /// `(layers, batch, hidden)`
    type State = Tensor;

    fn init_state(&self, (_, state): Self::Encoded, _: &Tensor) -> Result<Tensor> {
        Ok(state)
    }

    fn forward(&self, tokens: &Tensor, state: &mut Tensor, training: Training) -> Result<Tensor> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        let context = state.get(state.dim(0)? - 1)?; // (batch, hidden)
        let context = Tensor::stack(&vec![context; x.dim(0)?], 0)?; // (steps, batch, hidden)
        let (outputs, last) = self.rnn.forward(&concat(&[x, context], 2)?, Some(state), None, training)?;
        *state = last;
        self.output.forward(&outputs)?.transpose(0, 1) // (batch, steps, vocabulary)
    }
}

/// The book's translation model.
pub fn seq2seq(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<Seq2SeqEncoder, Seq2SeqDecoder>> {
    Ok(EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: Seq2SeqDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}

/// Puts `value` in place of what stands behind the valid steps: `x` is `(batch, steps, …)`, `valid_lens` `(batch)` of
/// `u32`.
pub fn sequence_mask(x: &Tensor, valid_lens: &Tensor, value: f32) -> Result<Tensor> {
    let (batch, steps) = (x.dim(0)?, x.dim(1)?);
    let positions = Tensor::arange(0u32, steps as u32, x.device())?.unsqueeze(0)?; // (1, steps)
    let valid = positions.broadcast_lt(&valid_lens.unsqueeze(1)?)?; // (batch, steps)
    let valid = valid.reshape([vec![batch, steps], vec![1; x.rank() - 2]].concat())?.broadcast_as(x.shape())?;
    valid.where_cond(x, &Tensor::full(value, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

/// The cross-entropy of each sequence, `(batch)`: the mean over all its steps with nothing counted for padding. Logits
/// `(batch, steps, vocabulary)`, labels `(batch, steps)`, valid lengths `(batch)` of `u32`.
#[doc(alias = "MaskedSoftmaxCELoss")]
pub fn masked_cross_entropy(logits: &Tensor, labels: &Tensor, valid_lens: &Tensor) -> Result<Tensor> {
    let losses = cross_entropy(&logits.flatten_to(1)?, &labels.flatten_all()?, Reduction::None)?; // (batch · steps)
    sequence_mask(&losses.reshape(labels.shape())?, valid_lens, 0.0)?.mean(1) // (batch, steps) -> (batch)
}

/// Trains a translation model by Adam with clipped gradients. The decoder reads the true target, one token later
/// (teacher forcing). The weights of all layers but those named `embedding` start from Xavier's distribution. The
/// examples of the history are target tokens.
///
/// # Errors
/// [`Diverged`] where the loss is not finite; what the model or the loader give.
#[doc(alias = "xavier_init_weights")]
pub fn train_seq2seq<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: &EncoderDecoder<E, D>,
    parameters: &Parameters,
    loader: &mut TranslationLoader,
    (lr, num_epochs): (f64, usize),
    dropout: &mut Stream,
    monitor: &mut dyn Monitor,
) -> anyhow::Result<History> {
    parameters.initialize(|name, shape| {
        (shape.rank() == 2 && !name.contains("embedding")).then(|| init::xavier_uniform(shape)).transpose()
    })?;
    let mut optimizer = Adam::new(parameters.variables(), lr);
    let bos = loader.target_vocab.id(BOS);
    run_epochs(num_epochs, loader.batches(), monitor, |epoch, monitor| {
        let started = Instant::now();
        let mut sums = Accumulator::<2>::new(); // loss, target tokens
        for (batch, item) in loader.epoch().enumerate() {
            Interrupted::check(monitor)?;
            let item = item?;
            let (rows, steps) = item.target.dims2()?;
            let bos = Tensor::full(bos, (rows, 1), item.target.device())?;
            let inputs = Tensor::cat(&[&bos, &item.target.narrow(1, 0, steps - 1)?], 1)?; // (batch, steps)
            let logits = net.forward(&item.source, &inputs, &item.source_lens, Some(dropout))?;
            let loss = masked_cross_entropy(&logits, &item.target, &item.target_lens)?.sum_all()?;
            let value = Diverged::check(f64::from(loss.to_scalar::<f32>()?), epoch, batch + 1)?;
            let mut grads = backward(&loss)?;
            clip_gradients(&mut grads, &parameters.variables(), 1.0)?;
            optimizer.step(&grads)?;
            sums.add([value, f64::from(item.target_lens.sum_all()?.to_scalar::<u32>()?)]);
            let examples_per_second = sums[1] / started.elapsed().as_secs_f64();
            let loss = sums[0] / sums[1];
            monitor.batch(&Progress { epoch, batch: batch + 1, loss, accuracy: None, examples_per_second });
        }
        let (train_loss, examples, duration) = (sums[0] / sums[1], sums[1] as usize, started.elapsed());
        Ok(EpochSummary { epoch, train_loss, train_accuracy: None, test_accuracy: None, examples, duration })
    })
}

/// A source sentence as the decoder's state before its first token.
///
/// # Errors
/// What encoder and decoder give.
pub fn encode<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: &EncoderDecoder<E, D>,
    sentence: &str,
    vocab: &Vocab,
    num_steps: usize,
    device: &Device,
) -> Result<D::State> {
    let sentence = preprocess_pairs(sentence);
    let ids = vocab.ids(sentence.split_whitespace().chain([EOS]));
    let lengths = Tensor::new(&[ids.len().min(num_steps) as u32], device)?; // (1)
    let source = Tensor::new(truncate_pad(&ids, num_steps, vocab.id(PAD)), device)?.unsqueeze(0)?; // (1, steps)
    net.decoder.init_state(net.encoder.forward(&source, &lengths, None)?, &lengths)
}

/// Translates a sentence token by token, each the most likely one, until the end or `num_steps` tokens. Where
/// `save_attention_weights` is set, the weights of each token's call come with it.
///
/// # Errors
/// What encoder and decoder give.
pub fn predict_seq2seq<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: &EncoderDecoder<E, D>,
    sentence: &str,
    (source_vocab, target_vocab): (&Vocab, &Vocab),
    num_steps: usize,
    device: &Device,
    save_attention_weights: bool,
) -> anyhow::Result<(String, Vec<Vec<Tensor>>)> {
    let mut state = encode(net, sentence, source_vocab, num_steps, device)?;
    let (mut tokens, mut weights, mut id) = (Vec::new(), Vec::new(), target_vocab.id(BOS));
    for _ in 0..num_steps {
        let input = Tensor::new(&[[id]], device)?; // (1, 1)
        let logits = net.decoder.forward(&input, &mut state, None)?; // (1, 1, vocabulary)
        id = logits.flatten_all()?.argmax(0)?.to_scalar::<u32>()?;
        if save_attention_weights {
            weights.push(net.decoder.attention_weights(&state));
        }
        if id == target_vocab.id(EOS) {
            break;
        }
        tokens.push(target_vocab.token(id)?);
    }
    Ok((tokens.join(" "), weights))
}

/// How near a predicted sequence comes to the true one, by n-grams up to `k` (Papineni et al., 2002): 1 where they are
/// the same, 0 where they share no n-gram of some length or the prediction is shorter than `k` tokens.
pub fn bleu(prediction: &str, label: &str, k: usize) -> f64 {
    let tokens = |text: &'_ str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    let (prediction, label) = (tokens(prediction), tokens(label));
    let brevity = (1.0 - label.len() as f64 / prediction.len() as f64).min(0.0).exp();
    let precision = |n: usize| {
        let known = count_corpus(label.windows(n));
        let matches = count_corpus(prediction.windows(n)).into_iter().map(|(gram, count)| {
            known.iter().find(|(other, _)| *other == gram).map_or(0, |&(_, available)| count.min(available))
        });
        let grams = (prediction.len() + 1).saturating_sub(n).max(1);
        (matches.sum::<usize>() as f64 / grams as f64).powf(0.5f64.powi(n as i32))
    };
    if prediction.is_empty() { 0.0 } else { brevity * (1..=k).map(precision).product::<f64>() }
}

/// The book's four sentences with their translations.
pub const SENTENCES: [(&str, &str); 4] = [
    ("go .", "va !"),
    ("i lost .", "j'ai perdu ."),
    ("he's calm .", "il est calme ."),
    ("i'm home .", "je suis chez moi ."),
];

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Encoder")?;
    let device = nb.device().clone();
    let sizes = Sizes { embed: 8, hidden: 16, layers: 2, dropout: 0.0 };
    let parameters = nb.parameters();
    let small = seq2seq(10, 10, &sizes, &parameters.builder())?;
    let x = Tensor::zeros((4, 7), DType::U32, &device)?; // (batch, steps)
    let lengths = Tensor::full(7u32, 4, &device)?;
    let (outputs, state) = small.encoder.forward(&x, &lengths, None)?;
    nb.say(format!("outputs {:?}, state {:?}", outputs.dims(), state.dims()))?;

    nb.cell("Decoder")?;
    let mut state = small.decoder.init_state((outputs, state), &lengths)?;
    let logits = small.decoder.forward(&x, &mut state, None)?;
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state.dims()))?;

    nb.cell("Loss function")?;
    let x = Tensor::new(&[[1u32, 2, 3], [4, 5, 6]], &device)?;
    nb.show("the first 1 and 2 entries", sequence_mask(&x, &Tensor::new(&[1u32, 2], &device)?, 0.0)?)?;
    let logits = Tensor::ones((3, 4, 10), DType::F32, &device)?;
    let labels = Tensor::ones((3, 4), DType::U32, &device)?;
    let losses = masked_cross_entropy(&logits, &labels, &Tensor::new(&[4u32, 2, 0], &device)?)?;
    nb.show("losses of sequences with 4, 2 and 0 valid steps", losses)?;

    nb.cell("Training")?;
    let (shuffle, num_examples) = (nb.fork(Purpose::Shuffling), Some(config.num_examples as usize));
    let (batch_size, num_steps) = (config.batch_size as usize, config.num_steps as usize);
    let mut train = nb.fra_eng()?.load(batch_size, num_steps, num_examples, shuffle, &device)?;
    let (source_vocab, target_vocab) = (train.source_vocab.clone(), train.target_vocab.clone());
    let [embed, hidden, layers] = [config.embed_size, config.num_hiddens, config.num_layers].map(|size| size as usize);
    let sizes = Sizes { embed, hidden, layers, dropout: config.dropout };
    let parameters = nb.parameters();
    let net = seq2seq(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
    let mut dropout = nb.fork(Purpose::Dropout);
    let mut progress = nb.progress().tokens();
    let rate = (config.lr, config.num_epochs as usize);
    let history = train_seq2seq(&net, &parameters, &mut train, rate, &mut dropout, &mut progress)?;
    nb.trained_tokens(&history);
    nb.say(format!("{:.0} tokens a second", history.examples_per_second()))?;
    let step = history.epochs.len().div_ceil(60); // some points of the curve suffice
    let shown = history.epochs.iter().filter(|summary| summary.epoch.is_multiple_of(step));
    let (epochs, losses): (Vec<f64>, Vec<f64>) = shown.map(|s| (s.epoch as f64, s.train_loss)).unzip();
    let chart = Chart::new().x_label("epoch").y_label("loss").line("train", &epochs, &losses);
    nb.figure("training-curve", "Training loss by epoch", chart)?;
    nb.metric("train_loss", losses)?;

    nb.cell("Prediction and BLEU")?;
    let mut table = Table::new(["English", "French", "BLEU"]);
    let mut mean = 0.0;
    for (english, french) in SENTENCES {
        let (vocabs, steps) = ((&*source_vocab, &*target_vocab), num_steps);
        let (translation, _) = predict_seq2seq(&net, english, vocabs, steps, &device, false)?;
        let score = bleu(&translation, french, 2);
        mean += score / SENTENCES.len() as f64;
        table.row([english.to_string(), translation, format!("{score:.3}")]);
    }
    nb.say(table)?;
    nb.metric("bleu", mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bleu_is_the_books() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(bleu("va !", "va !", 2), 1.0);
        near(bleu("A B B C D", "A B C D E F", 2), (1f64 - 6.0 / 5.0).exp() * 0.8f64.sqrt() * (3f64 / 4.0).powf(0.25));
        near(bleu("va va va", "va !", 2), 0.0); // no pair of words in common
        near(bleu("va va", "va !", 1), 0.5f64.sqrt()); // `va` counts once
        near(bleu("va", "va !", 2), 0.0);
        near(bleu("", "va !", 2), 0.0);
    }

    #[test]
    fn padding_has_neither_loss_nor_gradient() -> Result<()> {
        let logits = Var::from_tensor(&Tensor::arange(0f32, 24.0, &Device::Cpu)?.reshape((2, 3, 4))?)?;
        let labels = Tensor::new(&[[1u32, 2, 3], [0, 1, 1]], &Device::Cpu)?;
        let losses = masked_cross_entropy(&logits, &labels, &Tensor::new(&[3u32, 1], &Device::Cpu)?)?;
        let grads = losses.sum_all()?.backward()?;
        let grad = grads.get(&logits).expect("a gradient").abs()?.sum(2)?.to_vec2::<f32>()?;
        assert!(grad[0].iter().all(|&g| g > 0.0) && grad[1][0] > 0.0, "{grad:?}");
        assert_eq!(grad[1][1..], [0.0, 0.0]);
        let full = masked_cross_entropy(&logits, &labels, &Tensor::new(&[3u32, 3], &Device::Cpu)?)?;
        assert_eq!(losses.to_vec1::<f32>()?[0], full.to_vec1::<f32>()?[0]);
        Ok(())
    }

    #[test]
    fn a_mask_covers_all_later_axes() -> Result<()> {
        let x = Tensor::ones((2, 3, 4), DType::F32, &Device::Cpu)?;
        let masked = sequence_mask(&x, &Tensor::new(&[1u32, 2], &Device::Cpu)?, -1.0)?;
        assert_eq!(masked.sum(2)?.to_vec2::<f32>()?, [[4.0, -4.0, -4.0], [4.0, 4.0, -4.0]]);
        Ok(())
    }
}
