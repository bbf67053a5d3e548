//! 10.4 Bahdanau Attention
//!
//! Section 9.7's translation with a decoder that looks at the whole source before each token.
//!
//! `cargo run --release -p attention -- bahdanau-attention`
//! 250 epochs: loss at most 0.022, mean BLEU of four sentences 0.75 or more.

use d2l::nn::{Embedding, Gru, Linear, VarBuilder};
use d2l::notebook::{positive, probability};
use d2l::ops::concat;
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use d2l::random::Purpose;
use rnn::encoder_decoder::{Decoder, Encoder, EncoderDecoder, Training};
use rnn::seq2seq::{SENTENCES, Seq2SeqEncoder, Sizes};

use crate::attention_scoring_functions::AdditiveAttention;
use crate::translation::{source_words, stack_steps, train_and_show, translate_sentences};

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
    /// The share of a layer's outputs and of the attention weights that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// Passes over the pairs
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        if scale == Scale::Smoke { &[("num_examples", "100"), ("num_epochs", "4")] } else { &[] }
    }
}

/// Gated recurrent units that see, beside each token, a mean of the encoder's outputs, weighted by the state before.
#[doc(alias = "Seq2SeqAttentionDecoder")]
pub struct AttentionDecoder {
    attention: AdditiveAttention,
    embedding: Embedding,
    rnn: Gru,
    output: Linear,
}

/// What the decoder carries from token to token.
#[derive(Debug, Clone)]
pub struct AttentionState {
    /// The attention's values, `(batch, source steps, hidden)`.
    encoder_outputs: Tensor,
    /// The attention's keys as it takes them, `(batch, source steps, hidden)`: the same for every token.
    keys: Tensor,
    /// `(batch)`
    valid_lens: Tensor,
    /// `(layers, batch, hidden)`
    hidden: Tensor,
    /// The weights of each token of the last call, `(batch, 1, source steps)`.
    attention_weights: Vec<Tensor>,
}

impl AttentionDecoder {
    /// A decoder to `vocabulary` tokens.
    pub fn new(vocabulary: usize, sizes: &Sizes, vb: &VarBuilder) -> Result<Self> {
        let Sizes { embed, hidden, dropout, .. } = *sizes;
        Ok(Self {
            attention: AdditiveAttention::new((hidden, hidden), hidden, dropout, &vb.pp("attention"))?,
            embedding: Embedding::new(vocabulary, embed, &vb.pp("embedding"))?,
            rnn: sizes.gru(embed + hidden, &vb.pp("rnn"))?,
            output: Linear::new(hidden, vocabulary, &vb.pp("output"))?,
        })
    }
}

impl Decoder for AttentionDecoder {
    type Encoded = (Tensor, Tensor);
    type State = AttentionState;

    fn init_state(&self, (outputs, hidden): Self::Encoded, valid_lens: &Tensor) -> Result<AttentionState> {
        let encoder_outputs = outputs.transpose(0, 1)?.contiguous()?; // (batch, source steps, hidden)
        let keys = self.attention.project(&encoder_outputs)?;
        let valid_lens = valid_lens.clone();
        Ok(AttentionState { encoder_outputs, keys, valid_lens, hidden, attention_weights: Vec::new() })
    }

    fn forward(&self, tokens: &Tensor, state: &mut AttentionState, mut training: Training) -> Result<Tensor> {
        let inputs = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        state.attention_weights.clear();
        let mut outputs = Vec::with_capacity(inputs.dim(0)?);
        for t in 0..inputs.dim(0)? {
            let query = state.hidden.get(state.hidden.dim(0)? - 1)?.unsqueeze(1)?; // (batch, 1, hidden)
            let (keys, values, lens) = (&state.keys, &state.encoder_outputs, Some(&state.valid_lens));
            let (context, weights) = self.attention.attend(&query, keys, values, lens, training.as_deref_mut())?;
            state.attention_weights.push(weights.detach());
            let x = concat(&[context.squeeze(1)?, inputs.get(t)?], 1)?.unsqueeze(0)?; // (1, batch, hidden + embed)
            let (output, hidden) = self.rnn.forward(&x, Some(&state.hidden), None, training.as_deref_mut())?;
            state.hidden = hidden;
            outputs.push(output); // (1, batch, hidden)
        }
        self.output.forward(&concat(&outputs, 0)?)?.transpose(0, 1) // (batch, steps, vocabulary)
    }

    fn attention_weights(&self, state: &AttentionState) -> Vec<Tensor> {
        state.attention_weights.clone()
    }
}

/// The book's translation model with attention.
pub fn bahdanau(
    source_vocabulary: usize,
    target_vocabulary: usize,
    sizes: &Sizes,
    vb: &VarBuilder,
) -> Result<EncoderDecoder<Seq2SeqEncoder, AttentionDecoder>> {
    Ok(EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source_vocabulary, sizes, &vb.pp("encoder"))?,
        decoder: AttentionDecoder::new(target_vocabulary, sizes, &vb.pp("decoder"))?,
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Defining the decoder with attention")?;
    let device = nb.device().clone();
    let sizes = Sizes { embed: 8, hidden: 16, layers: 2, dropout: 0.0 };
    let parameters = nb.parameters();
    let small = bahdanau(10, 10, &sizes, &parameters.builder())?;
    let x = Tensor::zeros((4, 7), DType::U32, &device)?; // (batch, steps)
    let lengths = Tensor::full(7u32, 4, &device)?;
    let mut state = small.decoder.init_state(small.encoder.forward(&x, &lengths, None)?, &lengths)?;
    let logits = small.decoder.forward(&x, &mut state, None)?;
    let weights = small.decoder.attention_weights(&state);
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state.hidden.dims()))?;
    nb.say(format!("weights {:?} at each of {} steps", weights[0].dims(), weights.len()))?;

    nb.cell("Training")?;
    let (shuffle, num_examples) = (nb.fork(Purpose::Shuffling), Some(config.num_examples as usize));
    let (batch_size, num_steps) = (config.batch_size as usize, config.num_steps as usize);
    let mut train = nb.fra_eng()?.load(batch_size, num_steps, num_examples, shuffle, &device)?;
    let (source_vocab, target_vocab) = (train.source_vocab.clone(), train.target_vocab.clone());
    let [embed, hidden, layers] = [config.embed_size, config.num_hiddens, config.num_layers].map(|size| size as usize);
    let sizes = Sizes { embed, hidden, layers, dropout: config.dropout };
    let parameters = nb.parameters();
    let net = bahdanau(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
    train_and_show(nb, &net, &parameters, &mut train, (config.lr, config.num_epochs))?;

    nb.cell("Translations")?;
    let translation = translate_sentences(nb, &net, (&*source_vocab, &*target_vocab), num_steps)?;

    nb.cell("What the decoder looks at")?;
    let (english, _) = SENTENCES[SENTENCES.len() - 1];
    let mut words = source_words(english);
    words.truncate(num_steps);
    let steps = translation.weights.iter().flatten().map(|weights| weights.unsqueeze(1)); // (1, 1, 1, source steps)
    let weights = stack_steps(&steps.collect::<Result<Vec<_>>>()?)?.get(0)?; // (target steps, source steps)
    let weights = weights.narrow(1, 0, words.len())?; // (target steps, source words)
    let maps = HeatMaps::new(&weights)?.x_label("source").y_label("translation");
    let maps = maps.x_words(words).y_words(translation.words);
    nb.figure("attention-weights", "The weights of the source's words for each word of the translation", maps)
}
