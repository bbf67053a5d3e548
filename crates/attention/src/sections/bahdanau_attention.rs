//! 10.4 Bahdanau Attention
//!
//! Section 9.7's translation with a decoder that looks at the whole source before each token.
//!
//! `cargo run --release -p attention -- bahdanau-attention`
//! 250 epochs: loss at most 0.022, mean BLEU of four sentences 0.75 or more.

use d2l::data::FraEng;
use d2l::nn::{Embedding, Gru, Linear};
use d2l::ops::concat;
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use rnn::translation::{TranslationSettings, show_training, translate_sentences};
use rnn::{Decoder, Encoder, EncoderDecoder, RecurrentSizes, SENTENCES, Seq2SeqEncoder, Translator, train_seq2seq};

use super::attention_scoring_functions::AdditiveAttention;
use crate::attention_weights::{source_words, stack_steps};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub settings: TranslationSettings,
    /// Passes over the pairs
    #[arg(long, default_value_t = 250, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { num_examples: 100, num_epochs: 4 } }

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
    pub fn new(vocabulary: usize, sizes: &RecurrentSizes, vb: &VarBuilder) -> Result<Self> {
        let RecurrentSizes { embed, hidden, dropout, .. } = *sizes;
        Ok(Self {
            attention: AdditiveAttention::new(hidden, hidden, hidden, dropout, &vb.pp("attention"))?,
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

    fn forward_t(&self, tokens: &Tensor, state: &mut AttentionState, train: bool) -> Result<Tensor> {
        let inputs = self.embedding.forward(&tokens.t()?)?; // (steps, batch, embed)
        state.attention_weights.clear();
        let mut outputs = Vec::with_capacity(inputs.dim(0)?);
        for t in 0..inputs.dim(0)? {
            let query = state.hidden.get(state.hidden.dim(0)? - 1)?.unsqueeze(1)?; // (batch, 1, hidden)
            let (keys, values, lens) = (&state.keys, &state.encoder_outputs, Some(&state.valid_lens));
            let (context, weights) = self.attention.attend(&query, keys, values, lens, train)?;
            state.attention_weights.push(weights.detach());
            let x = concat(&[context.squeeze(1)?, inputs.get(t)?], 1)?.unsqueeze(0)?; // (1, batch, hidden + embed)
            let (output, hidden) = self.rnn.forward_t(&x, Some(&state.hidden), None, train)?;
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
    sizes: &RecurrentSizes,
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
    let sizes = RecurrentSizes { embed: 8, hidden: 16, layers: 2, dropout: 0.0 };
    let parameters = nb.parameters();
    let small = bahdanau(10, 10, &sizes, &parameters.builder())?;
    let x = Tensor::zeros((4, 7), DType::U32, &device)?; // (batch, steps)
    let lengths = Tensor::full(7u32, 4, &device)?;
    let mut state = small.decoder.init_state(small.encoder.forward_t(&x, &lengths, false)?, &lengths)?;
    let logits = small.decoder.forward_t(&x, &mut state, false)?;
    let weights = small.decoder.attention_weights(&state);
    nb.say(format!("logits {:?}, state {:?}", logits.dims(), state.hidden.dims()))?;
    nb.say(format!("weights {:?} at each of {} steps", weights[0].dims(), weights.len()))?;

    nb.cell("Training")?;
    let settings = &config.settings;
    let pairs = nb.load::<FraEng>()?;
    let mut train = settings.load(nb, &pairs)?;
    let (source_vocab, target_vocab) = (train.dataset().source_vocab.clone(), train.dataset().target_vocab.clone());
    let parameters = nb.parameters();
    let net = bahdanau(source_vocab.len(), target_vocab.len(), &settings.sizes(), &parameters.builder())?;
    let history = train_seq2seq(nb.trainer(config.num_epochs), &net, &parameters, &mut train, settings.lr)?;
    show_training(nb, &history)?;

    nb.cell("Translations")?;
    let (source_vocab, target_vocab, num_steps) = (&*source_vocab, &*target_vocab, settings.num_steps);
    let translator = Translator { net: &net, source_vocab, target_vocab, num_steps, device: &device };
    let translation = translate_sentences(nb, &translator)?;

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
