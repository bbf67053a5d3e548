//! 9.7 Sequence to Sequence Learning
//!
//! Translation from English to French: one recurrent net reads, another writes.
//!
//! `cargo run --release -p rnn -- seq2seq`
//! 300 epochs: loss at most 0.021, mean BLEU of four sentences 0.42 or more.

use d2l::data::{BOS, EOS, FraEng, PAD, TranslationLoader, preprocess_pairs, truncate_pad};
use d2l::nn::{Embedding, Gru, Linear, RecurrentConfig, init};
use d2l::ops::concat;
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::text::{Vocab, count_corpus};
use d2l::train::TrainError;

use super::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
use crate::translation::{TranslationSettings, show_training, translate_sentences};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub settings: TranslationSettings,
    /// Passes over the pairs
    #[arg(long, default_value_t = 300, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { num_examples: 100, num_epochs: 4 } }

/// The sizes of a recurrent encoder or decoder.
#[derive(Debug, Clone, Copy)]
pub struct RecurrentSizes {
    /// Features of an embedded token.
    pub embed: usize,
    /// Features of a hidden state.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// The share of a layer's outputs that training drops.
    pub dropout: f64,
}

impl RecurrentSizes {
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
    pub fn new(vocabulary: usize, sizes: &RecurrentSizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, sizes.embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(sizes.embed, &vb.pp("rnn"))?,
        })
    }
}

impl Encoder for Seq2SeqEncoder {
    /// The last layer's outputs `(steps, batch, hidden)` and every layer's final state `(layers, batch, hidden)`.
    type Output = (Tensor, Tensor);

    fn forward_t(&self, tokens: &Tensor, _: &Tensor, train: bool) -> Result<Self::Output> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        self.rnn.forward_t(&x, None, None, train)
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
    pub fn new(vocabulary: usize, sizes: &RecurrentSizes, vb: &VarBuilder) -> Result<Self> {
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

    fn forward_t(&self, tokens: &Tensor, state: &mut Tensor, train: bool) -> Result<Tensor> {
        let x = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        let context = state.get(state.dim(0)? - 1)?; // (batch, hidden)
        let context = Tensor::stack(&vec![context; x.dim(0)?], 0)?; // (steps, batch, hidden)
        let (outputs, last) = self.rnn.forward_t(&concat(&[x, context], 2)?, Some(state), None, train)?;
        *state = last;
        self.output.forward(&outputs)?.transpose(0, 1) // (batch, steps, vocabulary)
    }
}

/// The book's translation model.
pub fn seq2seq(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &RecurrentSizes,
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
/// history counts target tokens.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "xavier_init_weights")]
pub fn train_seq2seq<E: Encoder, D: Decoder<Encoded = E::Output>>(
    trainer: Trainer<'_>,
    net: &EncoderDecoder<E, D>,
    parameters: &Parameters,
    loader: &mut TranslationLoader,
    lr: f64,
) -> Result<History, TrainError> {
    parameters.initialize(|name, shape| {
        (shape.rank() == 2 && !name.contains("embedding")).then(|| init::xavier_uniform(shape)).transpose()
    })?;
    let mut optimizer = Adam::new(parameters, lr).clip_norm(1.0);
    let bos = loader.dataset().target_vocab.id(BOS);
    trainer.tokens().with(parameters).with(&optimizer).run(loader, |step, pairs| {
        let (batch, steps) = pairs.target.dims2()?;
        let bos = Tensor::full(bos, (batch, 1), pairs.target.device())?;
        let inputs = Tensor::cat(&[&bos, &pairs.target.narrow(1, 0, steps - 1)?], 1)?; // (batch, steps)
        let logits = net.forward_t(&pairs.source, &inputs, &pairs.source_lens, true)?; // (batch, steps, vocabulary)
        let loss = masked_cross_entropy(&logits, &pairs.target, &pairs.target_lens)?.sum_all()?;
        optimizer.minimize(&loss)?;
        let tokens = pairs.target_lens.sum_all()?.to_scalar::<u32>()?;
        step.count(tokens as usize);
        step.metric("train_loss", f64::from(loss.to_scalar::<f32>()?), f64::from(tokens))
    })
}

/// A trained translation model with what it takes to translate by it.
pub struct Translator<'a, E, D> {
    /// The model.
    pub net: &'a EncoderDecoder<E, D>,
    /// The tokens that it reads.
    pub source_vocab: &'a Vocab,
    /// The tokens that it writes.
    pub target_vocab: &'a Vocab,
    /// The most tokens of a sentence.
    pub num_steps: usize,
    /// Where the model is.
    pub device: &'a Device,
}

/// A translation with what the decoder looked at while it wrote.
pub struct Translation {
    /// The tokens, with the end where the decoder came to it.
    pub words: Vec<String>,
    /// For each of them, what [`Decoder::attention_weights`] gave.
    pub weights: Vec<Vec<Tensor>>,
}

impl Translation {
    /// The sentence, without its end.
    pub fn text(&self) -> String {
        let words = self.words.iter().filter(|word| *word != EOS).map(String::as_str);
        words.collect::<Vec<_>>().join(" ")
    }
}

impl<E: Encoder, D: Decoder<Encoded = E::Output>> Translator<'_, E, D> {
    /// A source sentence as the decoder's state before its first token.
    ///
    /// # Errors
    /// What encoder and decoder give.
    pub fn encode(&self, sentence: &str) -> Result<D::State> {
        let (source, lengths) = source_ids(sentence, self.source_vocab, self.num_steps, self.device)?;
        self.net.decoder.init_state(self.net.encoder.forward_t(&source, &lengths, false)?, &lengths)
    }

    /// Translates a sentence token by token, each the most likely one, until the end or `num_steps` tokens.
    ///
    /// # Errors
    /// What encoder and decoder give.
    #[doc(alias = "predict_seq2seq")]
    pub fn translate(&self, sentence: &str) -> anyhow::Result<Translation> {
        let mut state = self.encode(sentence)?;
        let (mut words, mut weights, mut id) = (Vec::new(), Vec::new(), self.target_vocab.id(BOS));
        while words.len() < self.num_steps && id != self.target_vocab.id(EOS) {
            let input = Tensor::new(&[[id]], self.device)?; // (1, 1)
            let logits = self.net.decoder.forward_t(&input, &mut state, false)?.detach(); // (1, 1, vocabulary)
            id = logits.flatten_all()?.argmax(0)?.to_scalar::<u32>()?;
            words.push(self.target_vocab.token(id)?.to_string());
            weights.push(self.net.decoder.attention_weights(&state));
        }
        Ok(Translation { words, weights })
    }
}

/// A sentence as ids `(1, steps)` and the number of those that are no padding, `(1)`.
///
/// # Errors
/// What the device gives.
pub fn source_ids(sentence: &str, vocab: &Vocab, num_steps: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let sentence = preprocess_pairs(sentence);
    let ids = vocab.ids(sentence.split_whitespace().chain([EOS]));
    let lengths = Tensor::new(&[ids.len().min(num_steps) as u32], device)?; // (1)
    Ok((Tensor::new(truncate_pad(&ids, num_steps, vocab.id(PAD)), device)?.unsqueeze(0)?, lengths))
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
    let sizes = RecurrentSizes { embed: 8, hidden: 16, layers: 2, dropout: 0.0 };
    let parameters = nb.parameters();
    let small = seq2seq(10, 10, &sizes, &parameters.builder())?;
    let x = Tensor::zeros((4, 7), DType::U32, &device)?; // (batch, steps)
    let lengths = Tensor::full(7u32, 4, &device)?;
    let (outputs, state) = small.encoder.forward_t(&x, &lengths, false)?;
    nb.say(format!("outputs {:?}, state {:?}", outputs.dims(), state.dims()))?;

    nb.cell("Decoder")?;
    let mut state = small.decoder.init_state((outputs, state), &lengths)?;
    let logits = small.decoder.forward_t(&x, &mut state, false)?;
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state.dims()))?;

    nb.cell("Loss function")?;
    let x = Tensor::new(&[[1u32, 2, 3], [4, 5, 6]], &device)?;
    nb.show("the first 1 and 2 entries", sequence_mask(&x, &Tensor::new(&[1u32, 2], &device)?, 0.0)?)?;
    let x = Tensor::ones((2, 3, 4), DType::F32, &device)?;
    nb.show("the same over further axes", sequence_mask(&x, &Tensor::new(&[1u32, 2], &device)?, -1.0)?)?;
    let logits = Tensor::ones((3, 4, 10), DType::F32, &device)?;
    let labels = Tensor::ones((3, 4), DType::U32, &device)?;
    let losses = masked_cross_entropy(&logits, &labels, &Tensor::new(&[4u32, 2, 0], &device)?)?;
    nb.show("losses of sequences with 4, 2 and 0 valid steps", losses)?;

    nb.cell("Training")?;
    let settings = &config.settings;
    let pairs = nb.load::<FraEng>()?;
    let mut train = settings.load(nb, &pairs)?;
    let (source_vocab, target_vocab) = (train.dataset().source_vocab.clone(), train.dataset().target_vocab.clone());
    let parameters = nb.parameters();
    let net = seq2seq(source_vocab.len(), target_vocab.len(), &settings.sizes(), &parameters.builder())?;
    let history = train_seq2seq(nb.trainer(config.num_epochs), &net, &parameters, &mut train, settings.lr)?;
    show_training(nb, &history)?;

    nb.cell("Prediction and BLEU")?;
    let (source_vocab, target_vocab, num_steps) = (&*source_vocab, &*target_vocab, settings.num_steps);
    let translator = Translator { net: &net, source_vocab, target_vocab, num_steps, device: &device };
    translate_sentences(nb, &translator)?;
    Ok(())
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
        let grads = backward(&losses.sum_all()?)?;
        let grad = grads.get(&logits)?.abs()?.sum(2)?.to_vec2::<f32>()?;
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
