//! 10.7 Transformer
//!
//! Translation by attention alone (Vaswani et al., 2017).
//!
//! `cargo run --release -p attention -- transformer`
//! 200 epochs: loss at most 0.034, mean BLEU of four sentences 0.75 or more. Then
//! `cargo run --release -p attention -- transformer --translate "i'm home ."` translates a sentence of your own.

use std::path::PathBuf;

use d2l::data::FraEng;
use d2l::nn::{BatchNorm, LayerNorm};
use d2l::notebook::within;
use d2l::ops::BatchNormConfig;
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use rnn::sections::seq2seq::source_ids;
use rnn::translation::{show_training, translate_sentences};
use rnn::{Decoder, Encoder, EncoderDecoder, SENTENCES, train_seq2seq};

use crate::attention_weights::{source_words, stack_steps};
use crate::saved_transformer::{SavedTransformer, show, show_saved};
use crate::transformer_layers::{
    AddNorm, DecoderBlock, EncoderBlock, FeedForward, TransformerDecoder, TransformerEncoder, TransformerSizes,
};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a sentence, after padding or truncation
    #[arg(long, default_value_t = 10, value_parser = within::<2, 1000>)]
    pub num_steps: usize,
    /// Pairs to train on
    #[arg(long, default_value_t = 600, value_parser = count)]
    pub num_examples: usize,
    /// Features of a token
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub num_hiddens: usize,
    /// Units of the net that is applied at each position
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub ffn_num_hiddens: usize,
    /// Attentions side by side
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub num_heads: usize,
    /// Blocks on top of each other
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// The share that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// Passes over the pairs
    #[arg(long, default_value_t = 200, value_parser = count)]
    pub num_epochs: usize,
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

defaults! { Config: Smoke { num_examples: 100, num_epochs: 4 } }

impl Config {
    /// The sizes of the net.
    pub fn sizes(&self) -> TransformerSizes {
        TransformerSizes {
            hidden: self.num_hiddens,
            feed_forward: self.ffn_num_hiddens,
            heads: self.num_heads,
            layers: self.num_layers,
            dropout: self.dropout,
            max_len: 1000,
        }
    }
}

/// The book's translation model of attention alone.
pub fn transformer(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &TransformerSizes,
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
        let asked = nb.provenance(&["translate", "model"]);
        if show_saved(nb, &path, config.model.is_some(), &asked, sentence)? {
            return Ok(());
        }
    }

    nb.cell("Positionwise feed-forward networks")?;
    let device = nb.device().clone();
    let sizes = TransformerSizes { hidden: 24, feed_forward: 48, heads: 8, layers: 2, dropout: 0.5, max_len: 1000 };
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let ffn = FeedForward::new(4, 4, 8, &vb.pp("ffn"))?;
    let same = ffn.forward(&Tensor::ones((2, 3, 4), DType::F32, &device)?)?; // (batch, steps, 8)
    nb.show("three equal positions", same.get(0)?)?;

    nb.cell("Residual connection and layer normalization")?;
    let layer_norm = LayerNorm::new(2, &vb.pp("layer norm"))?;
    let batch_norm = BatchNorm::new(2, BatchNormConfig::default(), &vb.pp("batch norm"))?;
    let x = Tensor::new(&[[1f32, 2.0], [2.0, 3.0]], &device)?;
    nb.show("layer norm, each row on its own", layer_norm.forward(&x)?)?;
    nb.show("batch norm, each column on its own", batch_norm.forward_t(&x, true)?)?;
    let add_norm = AddNorm::new(&TransformerSizes { hidden: 4, ..sizes }, &vb.pp("norm"))?;
    let x = Tensor::ones((2, 3, 4), DType::F32, &device)?;
    nb.show("shape of a sum, normalized", format!("{:?}", add_norm.forward_t(&x, &x, true)?.dims()))?;

    nb.cell("A block of each kind")?;
    let x = Tensor::ones((2, 100, sizes.hidden), DType::F32, &device)?; // (batch, steps, hidden)
    let lens = Tensor::new(&[3u32, 2], &device)?;
    let block = EncoderBlock::new(&sizes, &vb.pp("encoder block"))?;
    let (encoded, weights) = block.forward_t(&x, &lens, false)?;
    nb.say(format!("encoder block: {:?} to {:?}, weights {:?}", x.dims(), encoded.dims(), weights.dims()))?;
    let block = DecoderBlock::new(&sizes, &vb.pp("decoder block"))?;
    let so_far = Tensor::arange(1u32, 101, &device)?.broadcast_as((2, 100))?; // step t sees t tokens
    let decoded = block.forward_t(&x, &mut block.init_state(&encoded)?, &so_far, &lens, false)?;
    nb.say(format!("decoder block: {:?} to {:?}", x.dims(), decoded.dims()))?;

    nb.cell("Encoder and decoder")?;
    let small = transformer(200, 200, &sizes, &vb)?;
    let tokens = Tensor::ones((2, 100), DType::U32, &device)?; // (batch, steps)
    let encoded = small.encoder.forward_t(&tokens, &lens, false)?;
    let mut state = small.decoder.init_state(encoded.clone(), &lens)?;
    let logits = small.decoder.forward_t(&tokens, &mut state, false)?;
    nb.say(format!("encoded {:?}, logits {:?}", encoded.dims(), logits.dims()))?;

    nb.cell("Step by step")?;
    let mut state = small.decoder.init_state(encoded, &lens)?;
    let steps = (0..100).map(|t| small.decoder.forward_t(&tokens.narrow(1, t, 1)?, &mut state, false)); // (batch, 1, 200)
    let difference = (Tensor::cat(&steps.collect::<Result<Vec<_>>>()?, 1)? - logits)?.abs()?.max_all()?;
    nb.show("largest difference from all steps at once", difference.to_scalar::<f32>()?)?;
    nb.metric("cache_difference", f64::from(difference.to_scalar::<f32>()?))?;

    nb.cell("Training")?;
    let (shuffle, num_steps) = (nb.stream(Purpose::Shuffling, "pairs"), config.num_steps);
    let pairs = nb.load::<FraEng>()?;
    let mut train = pairs.load(config.batch_size, num_steps, Some(config.num_examples), shuffle, &device)?;
    let (source_vocab, target_vocab) = (train.dataset().source_vocab.clone(), train.dataset().target_vocab.clone());
    let sizes = config.sizes();
    let parameters = nb.parameters();
    let net = transformer(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
    let history = train_seq2seq(nb.trainer(config.num_epochs), &net, &parameters, &mut train, config.lr)?;
    show_training(nb, &history)?;
    let trained = SavedTransformer { net, parameters, source_vocab, target_vocab, sizes, num_steps };

    nb.cell("Translations")?;
    let translation = translate_sentences(nb, &trained.translator())?;

    nb.cell("What the encoder looks at")?;
    let (english, _) = SENTENCES[SENTENCES.len() - 1];
    let (source, lens) = source_ids(english, &trained.source_vocab, num_steps, &device)?; // (1, steps), (1)
    let (_, weights) = trained.net.encoder.forward_with_weights(&source, &lens, false)?;
    let weights = Tensor::cat(&weights, 0)?; // (layers, heads, steps, steps)
    nb.say(format!("{:?}: layers, heads, queries, keys", weights.dims()))?;
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
    let weights = stack(0)?;
    nb.say(format!("over the tokens so far {:?}, over the source {:?}", weights.dims(), stack(sizes.layers)?.dims()))?;
    let maps = HeatMaps::new(&weights)?.x_label("tokens so far").y_label("writes").titles(titles.clone());
    let maps = maps.x_words(read).y_words(translation.words.clone());
    nb.figure("decoder-self-weights", "The decoder's attention weights over the tokens so far", maps)?;
    words.truncate(source_words(english).len());
    let weights = stack(sizes.layers)?.narrow(3, 0, words.len())?; // (layers, heads, steps, source words)
    let maps = HeatMaps::new(&weights)?.x_label("source").y_label("writes").titles(titles);
    let maps = maps.x_words(words).y_words(translation.words);
    nb.figure("decoder-source-weights", "The decoder's attention weights over the source", maps)?;

    nb.cell("Saved and loaded")?;
    trained.save(&path, &nb.provenance(&["translate", "model"]))?;
    let (loaded, _) = SavedTransformer::load(&path, &device)?;
    match &config.translate {
        Some(sentence) => show(nb, &loaded, &[sentence.as_str()]),
        None => show(nb, &loaded, &["i'm home .", "he's here .", "we won ."]),
    }
}
