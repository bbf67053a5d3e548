//! 10.7 Transformer
//!
//! Translation by attention alone (Vaswani et al., 2017).
//!
//! `cargo run --release -p attention -- transformer`
//! 200 epochs: loss at most 0.034, mean BLEU of four sentences 0.75 or more. Then
//! `cargo run --release -p attention -- transformer --translate "i'm home ."` translates a sentence of your own.

use std::path::PathBuf;

use d2l::nn::{Embedding, LayerNorm, Linear, VarBuilder};
use d2l::notebook::{positive, probability};
use d2l::ops::{add, relu};
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use d2l::random::Purpose;
use rnn::encoder_decoder::{Decoder, Encoder, EncoderDecoder, Training, dropout};
use rnn::seq2seq::SENTENCES;

use crate::multihead_attention::{KeysValues, MultiHeadAttention};
use crate::self_attention_and_positional_encoding::PositionalEncoding;
use crate::translation::{source_words, stack_steps, train_and_show, translate_sentences};
use crate::translator::{self, Translator, source_ids};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// Tokens of a sentence, after padding or truncation
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub num_steps: u32,
    /// Pairs to train on
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_examples: u32,
    /// Features of a token
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_hiddens: u32,
    /// Units of the net that is applied at each position
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub ffn_num_hiddens: u32,
    /// Attentions side by side
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_heads: u32,
    /// Blocks on top of each other
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub num_layers: u32,
    /// The share that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// Passes over the pairs
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// Translate this English sentence with the saved model, which is trained first where there is none
    #[arg(long, value_name = "SENTENCE", value_parser = sentence)]
    pub translate: Option<String>,
    /// The saved model [default: transformer.safetensors in the run's folder]
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
}

/// Takes a sentence that has a word.
fn sentence(text: &str) -> std::result::Result<String, String> {
    if text.trim().is_empty() { Err("there is no word to translate".into()) } else { Ok(text.into()) }
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        if scale == Scale::Smoke { &[("num_examples", "100"), ("num_epochs", "4")] } else { &[] }
    }
}

/// The sizes of an encoder or a decoder.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Features of a token.
    pub hidden: usize,
    /// Units of the net that is applied at each position.
    pub feed_forward: usize,
    /// Attentions side by side.
    pub heads: usize,
    /// Blocks on top of each other.
    pub layers: usize,
    /// The share that training drops.
    pub dropout: f64,
    /// Steps that positions are prepared for.
    pub max_len: usize,
}

/// The same perceptron at each position: `(…, hidden)` to `(…, hidden)`.
#[doc(alias = "PositionWiseFFN")]
pub struct FeedForward {
    inner: Linear,
    outer: Linear,
}

impl FeedForward {
    /// A perceptron with one layer of `sizes.feed_forward` units.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            inner: Linear::new(sizes.hidden, sizes.feed_forward, &vb.pp("inner"))?,
            outer: Linear::new(sizes.feed_forward, sizes.hidden, &vb.pp("outer"))?,
        })
    }
}

impl Module for FeedForward {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = relu(&self.inner.forward(x)?)?; // (…, feed-forward)
        self.outer.forward(&inner) // (…, hidden)
    }
}

/// A residual connection, then layer normalisation.
pub struct AddNorm {
    norm: LayerNorm,
    dropout: f64,
}

impl AddNorm {
    /// Normalisation over `sizes.hidden` features.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { norm: LayerNorm::new(sizes.hidden, vb)?, dropout: sizes.dropout })
    }

    /// The norm of `x` plus what a layer, given `x`, made of it, `y`; both `(batch, steps, hidden)`.
    pub fn forward(&self, x: &Tensor, y: &Tensor, training: Training) -> Result<Tensor> {
        self.norm.forward(&add(&dropout(y, self.dropout, training)?, x)?)
    }
}

/// Attention of a sequence to itself, then the feed-forward net.
pub struct EncoderBlock {
    attention: MultiHeadAttention,
    norm1: AddNorm,
    feed_forward: FeedForward,
    norm2: AddNorm,
}

impl EncoderBlock {
    /// A block of these sizes.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let &Sizes { hidden, heads, dropout, .. } = sizes;
        Ok(Self {
            attention: MultiHeadAttention::new(hidden, heads, dropout, &vb.pp("attention"))?,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            feed_forward: FeedForward::new(sizes, &vb.pp("feed_forward"))?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
        })
    }

    /// `(batch, steps, hidden)` to the same shape, and the attention weights `(batch, heads, steps, steps)`.
    pub fn forward(&self, x: &Tensor, valid_lens: &Tensor, mut training: Training) -> Result<(Tensor, Tensor)> {
        let (y, weights) = self.attention.forward(x, x, x, Some(valid_lens), training.as_deref_mut())?;
        let x = self.norm1.forward(x, &y, training.as_deref_mut())?;
        Ok((self.norm2.forward(&x, &self.feed_forward.forward(&x)?, training)?, weights))
    }
}

/// Embedded tokens, scaled so that the positions do not drown them: `(batch, steps)` to `(batch, steps, hidden)`.
fn embed(embedding: &Embedding, tokens: &Tensor, hidden: usize) -> Result<Tensor> {
    embedding.forward(tokens)? * (hidden as f64).sqrt()
}

/// Embedded tokens with their positions, through the blocks.
pub struct TransformerEncoder {
    hidden: usize,
    embedding: Embedding,
    positions: PositionalEncoding,
    blocks: Vec<EncoderBlock>,
}

impl TransformerEncoder {
    /// An encoder of `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| EncoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, vb.device())?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
        })
    }

    /// Like [`Encoder::forward`], with the attention weights of each block, `(batch, heads, steps, steps)`.
    pub fn forward_with_weights(
        &self,
        tokens: &Tensor,
        valid_lens: &Tensor,
        mut training: Training,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let mut x = self.positions.forward(&x, 0, training.as_deref_mut())?;
        let mut all = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let weights;
            (x, weights) = block.forward(&x, valid_lens, training.as_deref_mut())?;
            all.push(weights.detach());
        }
        Ok((x, all))
    }
}

impl Encoder for TransformerEncoder {
    /// `(batch, steps, hidden)`
    type Output = Tensor;

    fn forward(&self, tokens: &Tensor, valid_lens: &Tensor, training: Training) -> Result<Tensor> {
        Ok(self.forward_with_weights(tokens, valid_lens, training)?.0)
    }
}

/// Attention to the tokens so far, attention to the source, then the feed-forward net.
pub struct DecoderBlock {
    self_attention: MultiHeadAttention,
    norm1: AddNorm,
    source_attention: MultiHeadAttention,
    norm2: AddNorm,
    feed_forward: FeedForward,
    norm3: AddNorm,
}

/// What a block of the decoder keeps from token to token.
#[derive(Debug, Clone)]
pub struct BlockState {
    /// Keys and values of the source, which never change.
    source: KeysValues,
    /// Keys and values of the tokens so far.
    seen: Option<KeysValues>,
    /// The weights of the last call: over the tokens so far, and over the source, `(batch, heads, steps, keys)` each.
    weights: Option<(Tensor, Tensor)>,
}

impl DecoderBlock {
    /// A block of these sizes.
    pub fn new(sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let attention = |name| MultiHeadAttention::new(sizes.hidden, sizes.heads, sizes.dropout, &vb.pp(name));
        Ok(Self {
            self_attention: attention("self_attention")?,
            norm1: AddNorm::new(sizes, &vb.pp("norm1"))?,
            source_attention: attention("source_attention")?,
            norm2: AddNorm::new(sizes, &vb.pp("norm2"))?,
            feed_forward: FeedForward::new(sizes, &vb.pp("feed_forward"))?,
            norm3: AddNorm::new(sizes, &vb.pp("norm3"))?,
        })
    }

    /// The state before the first token; `encoded` is `(batch, source steps, hidden)`.
    pub fn init_state(&self, encoded: &Tensor) -> Result<BlockState> {
        Ok(BlockState { source: self.source_attention.project(encoded, encoded)?, seen: None, weights: None })
    }

    /// `(batch, steps, hidden)` to the same shape. `lens` `(batch, steps)` tells how many of the tokens so far each step
    /// may see, `source_lens` `(batch)` how many of the source count.
    pub fn forward(
        &self,
        x: &Tensor,
        state: &mut BlockState,
        (lens, source_lens): (&Tensor, &Tensor),
        mut training: Training,
    ) -> Result<Tensor> {
        let new = self.self_attention.project(x, x)?;
        let seen = match &state.seen {
            Some(seen) => seen.join(&new)?, // (batch, heads, past steps + steps, hidden / heads)
            None => new,
        };
        let (y, self_weights) = self.self_attention.attend(x, &seen, Some(lens), training.as_deref_mut())?;
        let x = self.norm1.forward(x, &y, training.as_deref_mut())?;
        let (y, source_weights) =
            self.source_attention.attend(&x, &state.source, Some(source_lens), training.as_deref_mut())?;
        let x = self.norm2.forward(&x, &y, training.as_deref_mut())?;
        state.seen = Some(seen);
        state.weights = Some((self_weights.detach(), source_weights.detach()));
        self.norm3.forward(&x, &self.feed_forward.forward(&x)?, training)
    }
}

/// Embedded tokens with their positions, through the blocks, to logits.
pub struct TransformerDecoder {
    hidden: usize,
    embedding: Embedding,
    positions: PositionalEncoding,
    blocks: Vec<DecoderBlock>,
    output: Linear,
}

/// What the decoder carries from token to token.
#[derive(Debug, Clone)]
pub struct TransformerState {
    /// `(batch)`
    source_lens: Tensor,
    /// How many tokens it has seen.
    steps: usize,
    blocks: Vec<BlockState>,
}

impl TransformerDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let block = |i: usize| DecoderBlock::new(sizes, &vb.pp(format!("block{}", i + 1)));
        Ok(Self {
            hidden: sizes.hidden,
            embedding: Embedding::new(vocabulary, sizes.hidden, &vb.pp("embedding"))?,
            positions: PositionalEncoding::new(sizes.hidden, sizes.max_len, sizes.dropout, vb.device())?,
            blocks: (0..sizes.layers).map(block).collect::<Result<_>>()?,
            output: Linear::new(sizes.hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for TransformerDecoder {
    type Encoded = Tensor;
    type State = TransformerState;

    fn init_state(&self, encoded: Tensor, valid_lens: &Tensor) -> Result<TransformerState> {
        let blocks = self.blocks.iter().map(|block| block.init_state(&encoded)).collect::<Result<_>>()?;
        Ok(TransformerState { source_lens: valid_lens.clone(), steps: 0, blocks })
    }

    fn forward(&self, tokens: &Tensor, state: &mut TransformerState, mut training: Training) -> Result<Tensor> {
        let (batch, steps) = tokens.dims2()?;
        let first = state.steps;
        // A token sees those before it and itself: training cannot look at the token that it has to predict.
        let lens = Tensor::arange(first as u32 + 1, (first + steps) as u32 + 1, tokens.device())?; // (steps)
        let lens = lens.expand((batch, steps))?.contiguous()?; // (batch, steps)
        let x = embed(&self.embedding, tokens, self.hidden)?; // (batch, steps, hidden)
        let mut x = self.positions.forward(&x, first, training.as_deref_mut())?;
        for (block, block_state) in self.blocks.iter().zip(&mut state.blocks) {
            x = block.forward(&x, block_state, (&lens, &state.source_lens), training.as_deref_mut())?;
        }
        state.steps += steps;
        self.output.forward(&x) // (batch, steps, vocabulary)
    }

    /// For each block the weights over the tokens so far, then for each block those over the source.
    fn attention_weights(&self, state: &TransformerState) -> Vec<Tensor> {
        let weights = || state.blocks.iter().filter_map(|block| block.weights.as_ref());
        weights().map(|(own, _)| own.clone()).chain(weights().map(|(_, source)| source.clone())).collect()
    }
}

/// The book's translation model of attention alone.
pub fn transformer(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<TransformerEncoder, TransformerDecoder>> {
    Ok(EncoderDecoder {
        encoder: TransformerEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: TransformerDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let path = config.model.clone().unwrap_or_else(|| nb.folder().join("transformer.safetensors"));
    if let Some(sentence) = &config.translate {
        if path.exists() {
            return translator::show_saved(nb, &path, sentence);
        }
        nb.say(format!("{} is not there yet: the model is trained first", path.display()))?;
    }

    nb.cell("Positionwise feed-forward networks")?;
    let device = nb.device().clone();
    let sizes = Sizes { hidden: 24, feed_forward: 48, heads: 8, layers: 2, dropout: 0.5, max_len: 1000 };
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let ffn = FeedForward::new(&Sizes { hidden: 4, feed_forward: 4, ..sizes }, &vb.pp("ffn"))?;
    let same = ffn.forward(&Tensor::ones((2, 3, 4), DType::F32, &device)?)?; // (batch, steps, hidden)
    nb.show("three equal positions", same.get(0)?)?;

    nb.cell("Residual connection and layer normalization")?;
    let add_norm = AddNorm::new(&Sizes { hidden: 2, ..sizes }, &vb.pp("norm"))?;
    let x = Tensor::new(&[[1f32, 2.0], [2.0, 3.0]], &device)?;
    nb.show("each row on its own", add_norm.forward(&x, &x.zeros_like()?, None)?)?;

    nb.cell("Encoder and decoder")?;
    let small = transformer(200, 200, &sizes, &vb)?;
    let tokens = Tensor::ones((2, 100), DType::U32, &device)?; // (batch, steps)
    let lens = Tensor::new(&[3u32, 2], &device)?;
    let encoded = small.encoder.forward(&tokens, &lens, None)?;
    let mut state = small.decoder.init_state(encoded.clone(), &lens)?;
    let logits = small.decoder.forward(&tokens, &mut state, None)?;
    nb.say(format!("encoded {:?}, logits {:?}", encoded.dims(), logits.dims()))?;

    nb.cell("Step by step")?;
    let mut state = small.decoder.init_state(encoded, &lens)?;
    let steps = (0..100).map(|t| small.decoder.forward(&tokens.narrow(1, t, 1)?, &mut state, None)); // (batch, 1, 200)
    let difference = (Tensor::cat(&steps.collect::<Result<Vec<_>>>()?, 1)? - logits)?.abs()?.max_all()?;
    nb.show("largest difference from all steps at once", difference.to_scalar::<f32>()?)?;
    nb.metric("cache_difference", f64::from(difference.to_scalar::<f32>()?))?;

    nb.cell("Training")?;
    let (shuffle, num_examples) = (nb.fork(Purpose::Shuffling), Some(config.num_examples as usize));
    let (batch_size, num_steps) = (config.batch_size as usize, config.num_steps as usize);
    let mut train = nb.fra_eng()?.load(batch_size, num_steps, num_examples, shuffle, &device)?;
    let (source_vocab, target_vocab) = (train.source_vocab.clone(), train.target_vocab.clone());
    let sizes = Sizes {
        hidden: config.num_hiddens as usize,
        feed_forward: config.ffn_num_hiddens as usize,
        heads: config.num_heads as usize,
        layers: config.num_layers as usize,
        dropout: config.dropout,
        max_len: 1000,
    };
    let parameters = nb.parameters();
    let net = transformer(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
    train_and_show(nb, &net, &parameters, &mut train, (config.lr, config.num_epochs))?;

    nb.cell("Translations")?;
    let translation = translate_sentences(nb, &net, (&*source_vocab, &*target_vocab), num_steps)?;

    nb.cell("What the encoder looks at")?;
    let (english, _) = SENTENCES[SENTENCES.len() - 1];
    let (source, lens) = source_ids(english, &source_vocab, num_steps, &device)?; // (1, steps), (1)
    let (_, weights) = net.encoder.forward_with_weights(&source, &lens, None)?;
    let weights = Tensor::cat(&weights, 0)?; // (layers, heads, steps, steps)
    let mut words = source_words(english);
    words.resize(num_steps, "<pad>".into());
    let titles: Vec<String> = (1..=sizes.heads).map(|head| format!("head {head}")).collect();
    let maps = HeatMaps::new(&weights)?.x_label("keys").y_label("queries").titles(titles.clone());
    nb.figure(
        "encoder-weights",
        "The encoder's attention weights",
        maps.x_words(words.clone()).y_words(words.clone()),
    )?;

    nb.cell("What the decoder looks at")?;
    let stack = |first: usize| -> Result<Tensor> {
        let layer = |i: usize| stack_steps(translation.weights.iter().map(|weights| &weights[first + i]));
        Tensor::stack(&(0..sizes.layers).map(layer).collect::<Result<Vec<_>>>()?, 0) // (layers, heads, steps, keys)
    };
    let read = std::iter::once("<bos>".to_string()).chain(translation.words.iter().cloned());
    let read: Vec<String> = read.take(translation.words.len()).collect(); // what the decoder was given at each step
    let maps = HeatMaps::new(&stack(0)?)?.x_label("tokens so far").y_label("writes").titles(titles.clone());
    let maps = maps.x_words(read).y_words(translation.words.clone());
    nb.figure("decoder-self-weights", "The decoder's attention weights over the tokens so far", maps)?;
    words.truncate(source_words(english).len());
    let weights = stack(sizes.layers)?.narrow(3, 0, words.len())?; // (layers, heads, steps, source words)
    let maps = HeatMaps::new(&weights)?.x_label("source").y_label("writes").titles(titles);
    let maps = maps.x_words(words).y_words(translation.words);
    nb.figure("decoder-source-weights", "The decoder's attention weights over the source", maps)?;

    nb.cell("Saved and loaded")?;
    let trained = Translator { net, parameters, source_vocab, target_vocab, sizes, num_steps };
    trained.save(&path)?;
    let loaded = Translator::load(&path, &device)?;
    match &config.translate {
        Some(sentence) => translator::show(nb, &loaded, &[sentence.as_str()]),
        None => translator::show(nb, &loaded, &["i'm home .", "he's here .", "we won ."]),
    }
}
