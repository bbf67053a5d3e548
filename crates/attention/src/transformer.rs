//! 10.7 Transformer
//!
//! Translation by attention alone (Vaswani et al., 2017).
//!
//! `cargo run --release -p attention -- transformer`
//! 200 epochs: loss at most 0.034, mean BLEU of four sentences 0.75 or more. Then
//! `cargo run --release -p attention -- transformer --translate "i'm home ."` translates a sentence of your own.

use std::path::PathBuf;

use d2l::nn::VarBuilder;
use d2l::notebook::{positive, probability};
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use d2l::random::Purpose;
use rnn::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
use rnn::seq2seq::SENTENCES;

use crate::transformer_layers::{AddNorm, FeedForward, Sizes, TransformerDecoder, TransformerEncoder};
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
