//! 14.8 Bidirectional Encoder Representations from Transformers (BERT)
//!
//! The encoder of a Transformer, which sees a text in both directions, and the two tasks that it is pretrained on: which
//! words were masked, and whether one sentence follows another.
//!
//! `cargo run --release -p nlp-pretraining -- bert`
//! 25,203,986 parameters. Untrained, the encoder already gives one word two vectors in two contexts.

use d2l::data::PAD;
use d2l::nn::Linear;
use d2l::notebook::{at_least, within};
use d2l::ops::tanh;
use d2l::prelude::*;
use d2l::text::Vocab;
use rand::Rng;

pub use crate::bert_layers::{BertEncoder, BertSizes, MaskedLanguageModel, NextSentencePrediction};

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Tokens that the model knows
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<31>)]
    pub vocab_size: usize,
    /// Features of a token
    #[arg(long, default_value_t = 768, value_parser = count)]
    pub num_hiddens: usize,
    /// Units of the net that is applied at each position
    #[arg(long, default_value_t = 1024, value_parser = count)]
    pub ffn_num_hiddens: usize,
    /// Attentions side by side
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub num_heads: usize,
    /// Blocks on top of each other
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// The share that training drops
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub dropout: f64,
}

defaults! { Config: Smoke { vocab_size: 100, num_hiddens: 24, ffn_num_hiddens: 32 } }

/// What begins every input; its vector stands for the input as a whole.
pub const CLS: &str = "<cls>";
/// What ends each text of an input.
pub const SEP: &str = "<sep>";
/// What stands in the place of a word that is to be guessed.
pub const MASK: &str = "<mask>";
/// The tokens that stand for no word, in the order of their ids, which follow that of unknown words.
pub const RESERVED: [&str; 4] = [PAD, MASK, CLS, SEP];

/// One text or two as an input, `<cls> a <sep>` or `<cls> a <sep> b <sep>`, and for each token the number of its text, 0
/// or 1. The tokens are words or ids, and `marks` what stands for `<cls>` and `<sep>` among them.
#[doc(alias = "get_tokens_and_segments")]
pub fn tokens_and_segments<T: Copy>(a: &[T], b: Option<&[T]>, marks: [T; 2]) -> (Vec<T>, Vec<u32>) {
    let [cls, sep] = marks;
    let mut tokens = [&[cls][..], a, &[sep]].concat();
    let mut segments = vec![0; tokens.len()];
    if let Some(b) = b {
        tokens.extend_from_slice(b);
        tokens.push(sep);
        segments.resize(tokens.len(), 1);
    }
    (tokens, segments)
}

/// The encoder with the nets of both tasks.
#[doc(alias = "BERTModel")]
pub struct Bert {
    /// What is kept after pretraining.
    pub encoder: BertEncoder,
    /// Guesses masked words.
    pub mlm: MaskedLanguageModel,
    hidden: Linear,
    nsp: NextSentencePrediction,
}

impl Bert {
    /// A model of `vocabulary` tokens.
    ///
    /// # Errors
    /// As [`BertEncoder::new`].
    pub fn new(vocabulary: usize, sizes: &BertSizes, vb: &VarBuilder) -> Result<Self> {
        let hidden = sizes.hidden;
        Ok(Self {
            encoder: BertEncoder::new(vocabulary, sizes, &vb.pp("encoder"))?,
            mlm: MaskedLanguageModel::new(vocabulary, hidden, &vb.pp("mlm"))?,
            hidden: Linear::new(hidden, hidden, &vb.pp("hidden"))?,
            nsp: NextSentencePrediction::new(hidden, &vb.pp("nsp"))?,
        })
    }

    /// Tokens and segments `(batch, steps)` to the vectors of all tokens `(batch, steps, hidden)`, the logits of the words
    /// at `pred_positions` `(batch, predictions)`, where they are asked for, and those of the second text's following the
    /// first, `(batch, 2)`.
    ///
    /// # Errors
    /// As [`BertEncoder::forward_t`] and [`MaskedLanguageModel::forward`].
    pub fn forward_t(
        &self,
        tokens: &Tensor,
        segments: &Tensor,
        valid_lens: Option<&Tensor>,
        pred_positions: Option<&Tensor>,
        train: bool,
    ) -> Result<(Tensor, Option<Tensor>, Tensor)> {
        let encoded = self.encoder.forward_t(tokens, segments, valid_lens, train)?; // (batch, steps, hidden)
        let mlm = pred_positions.map(|positions| self.mlm.forward(&encoded, positions)).transpose()?;
        let nsp = self.next_sentence(&encoded)?;
        Ok((encoded, mlm, nsp))
    }

    /// Whether the second text follows the first: from `(batch, steps, hidden)` to logits `(batch, 2)`, by the vector of
    /// `<cls>` alone.
    pub fn next_sentence(&self, encoded: &Tensor) -> Result<Tensor> {
        let cls = encoded.i((.., 0))?; // (batch, hidden)
        self.nsp.forward(&tanh(&self.hidden.forward(&cls)?)?) // (batch, 2)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("From context-independent to context-sensitive")?;
    let device = nb.device().clone();
    let contexts = ["a crane is flying", "a crane driver came"];
    let vocab = Vocab::new(contexts.iter().flat_map(|text| text.split(' ')), 0, &[]);
    let tokens: Vec<Vec<u32>> = contexts.iter().map(|text| vocab.ids(text.split(' '))).collect();
    let tokens = Tensor::new(tokens, &device)?; // (2, 4)
    let sizes = BertSizes { hidden: 24, feed_forward: 48, heads: 4, layers: 2, dropout: 0.0, max_len: 4 };
    let untrained = BertEncoder::new(vocab.len(), &sizes, &nb.parameters().builder())?;
    let embedded = untrained.token_embedding.forward(&tokens)?; // (2, 4, 24)
    let encoded = untrained.forward_t(&tokens, &tokens.zeros_like()?, None, false)?; // (2, 4, 24)
    for (name, vectors) in [("embedding_difference", embedded), ("context_difference", encoded)] {
        let crane = vectors.i((.., 1))?; // (2, 24)
        let difference = (crane.i(0)? - crane.i(1)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
        nb.show(&name.replace('_', " "), difference)?;
        nb.metric(name, f64::from(difference))?;
    }

    nb.cell("Input representation")?;
    let (a, b) = (["this", "movie", "is", "great"], ["i", "like", "it"]);
    let (tokens, segments) = tokens_and_segments(&a, Some(&b), [CLS, SEP]);
    nb.say(format!("{tokens:?}\n{segments:?}"))?;

    nb.cell("The encoder")?;
    let &Config { num_hiddens: hidden, ffn_num_hiddens: feed_forward, num_heads: heads, .. } = config;
    let &Config { vocab_size, num_layers: layers, dropout, .. } = config;
    let sizes = BertSizes { hidden, feed_forward, heads, layers, dropout, max_len: 1000 };
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let encoder = BertEncoder::new(vocab_size, &sizes, &vb.pp("encoder"))?;
    let ids: Vec<u32> = (0..16).map(|_| nb.sampling().random_range(0..vocab_size as u32)).collect();
    let tokens = Tensor::from_vec(ids, (2, 8), &device)?; // (batch, steps)
    let segments = Tensor::new(&[[0u32, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1]], &device)?;
    let encoded = encoder.forward_t(&tokens, &segments, None, false)?; // (batch, steps, hidden)
    nb.say(format!("{:?} to {:?}", tokens.dims(), encoded.dims()))?;

    nb.cell("Masked language modeling")?;
    let mlm = MaskedLanguageModel::new(vocab_size, hidden, &vb.pp("mlm"))?;
    let positions = Tensor::new(&[[1u32, 5, 2], [6, 1, 5]], &device)?; // (batch, predictions)
    let logits = mlm.forward(&encoded, &positions)?; // (batch, predictions, vocabulary)
    let words = Tensor::new(&[[7u32, 8, 9], [10, 20, 30]], &device)?; // what stood there
    let losses = cross_entropy(&logits.flatten_to(1)?, &words.flatten_all()?, Reduction::None)?;
    nb.say(format!("logits {:?}, losses {:?}", logits.dims(), losses.dims()))?;
    nb.show("losses", &losses)?;
    nb.show("loss where all words are equally likely", format!("{:.4}", (vocab_size as f64).ln()))?;

    nb.cell("Next sentence prediction")?;
    let dense = Linear::new(hidden, hidden, &vb.pp("hidden"))?;
    let nsp = NextSentencePrediction::new(hidden, &vb.pp("nsp"))?;
    let cls = tanh(&dense.forward(&encoded.i((.., 0))?)?)?; // (batch, hidden)
    let logits = nsp.forward(&cls)?; // (batch, 2)
    let losses = cross_entropy(&logits, &Tensor::new(&[0u32, 1], &device)?, Reduction::None)?;
    nb.say(format!("logits {:?}, losses {:?}", logits.dims(), losses.dims()))?;
    nb.show("losses", &losses)?;

    nb.cell("Putting all things together")?;
    let net = Bert::new(vocab_size, &sizes, &vb)?; // of the layers above: the builder has their parameters already
    let (same, mlm_logits, nsp_logits) = net.forward_t(&tokens, &segments, None, Some(&positions), false)?;
    let mlm_shape = mlm_logits.map(|logits| logits.dims().to_vec()).unwrap_or_default();
    nb.say(format!("encoded {:?}, masked words {mlm_shape:?}, following {:?}", same.dims(), nsp_logits.dims()))?;
    let difference = (same - encoded)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.show("largest difference from the encoder alone", difference)?;
    nb.show("parameters", parameters.count())?;
    nb.metric("parameters", parameters.count() as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CPU: Device = Device::Cpu;
    const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 12 };

    fn bert(sizes: &BertSizes) -> Result<(Bert, Parameters)> {
        let parameters = Parameters::new(&Random::new(3), &CPU);
        Ok((Bert::new(13, sizes, &parameters.builder())?, parameters))
    }

    /// Two inputs of five tokens, the second with two that do not count, and padding after them.
    fn inputs(padding: usize) -> Result<(Tensor, Tensor, Tensor)> {
        let padded = |row: [u32; 5]| row.into_iter().chain(std::iter::repeat_n(1, padding)).collect::<Vec<u32>>();
        let tokens = Tensor::new(vec![padded([3, 7, 4, 9, 4]), padded([3, 8, 4, 1, 1])], &CPU)?;
        let segments = Tensor::new(vec![padded([0, 0, 0, 1, 1]), padded([0; 5])], &CPU)?;
        Ok((tokens, segments, Tensor::new(&[5u32, 3], &CPU)?))
    }

    #[test]
    fn marks_stand_around_texts_of_words_or_ids() {
        let (tokens, segments) = tokens_and_segments(&["a", "b"], Some(&["c"]), [CLS, SEP]);
        assert_eq!(tokens, ["<cls>", "a", "b", "<sep>", "c", "<sep>"]);
        assert_eq!(segments, [0, 0, 0, 0, 1, 1]);
        assert_eq!(tokens_and_segments(&[7u32], None, [3, 4]), (vec![3, 7, 4], vec![0, 0, 0]));
        assert_eq!(tokens_and_segments(&[], Some(&[]), [3u32, 4]), (vec![3, 4, 4], vec![0, 0, 1]));
    }

    proptest! {
        #[test]
        fn segments_tell_the_texts_apart(
            a in prop::collection::vec(5u32..99, 0..9),
            b in prop::collection::vec(5u32..99, 0..9),
        ) {
            let (tokens, segments) = tokens_and_segments(&a, Some(&b), [3, 4]);
            prop_assert_eq!(tokens.len(), segments.len());
            let first = segments.iter().filter(|&&segment| segment == 0).count();
            prop_assert_eq!(first, a.len() + 2);
            prop_assert!(segments.is_sorted());
            prop_assert_eq!(&tokens[1..first - 1], &a[..]);
            prop_assert_eq!(&tokens[first..tokens.len() - 1], &b[..]);
        }
    }

    #[test]
    fn parameters_are_counted() -> Result<()> {
        let (_, parameters) = bert(&SIZES)?;
        let embeddings = 13 * 8 + 2 * 8 + 12 * 8;
        let block = 4 * (8 * 8 + 8) + (8 * 6 + 6) + (6 * 8 + 8) + 2 * 16;
        let mlm = (8 * 8 + 8) + 16 + (8 * 13 + 13);
        assert_eq!(parameters.count(), embeddings + 2 * block + mlm + (8 * 8 + 8) + (8 * 2 + 2));
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = bert(&BertSizes { dropout: 0.1, ..SIZES })?;
        let (tokens, segments, lens) = inputs(0)?;
        let positions = Tensor::new(&[[1u32, 3], [1, 0]], &CPU)?;
        let (_, mlm, nsp) = net.forward_t(&tokens, &segments, Some(&lens), Some(&positions), true)?;
        let mlm = mlm.expect("logits of words").flatten_to(1)?; // (4, 13)
        let mlm = cross_entropy(&mlm, &Tensor::new(&[5u32, 6, 7, 8], &CPU)?, Reduction::Mean)?;
        let nsp = cross_entropy(&nsp, &Tensor::new(&[1u32, 0], &CPU)?, Reduction::Mean)?;
        // A bias of the keys moves all scores of a query alike, which softmax does not see.
        d2l_testing::gradients::reach_all(&parameters, &(mlm + nsp)?, |name| name.ends_with("w_k.bias"))
    }

    #[test]
    fn longer_padding_changes_nothing() -> Result<()> {
        let (net, _) = bert(&SIZES)?;
        let positions = Tensor::new(&[[1u32, 3], [1, 0]], &CPU)?;
        let results = |padding: usize| -> Result<[Tensor; 4]> {
            let (tokens, segments, lens) = inputs(padding)?;
            let (encoded, mlm, nsp) = net.forward_t(&tokens, &segments, Some(&lens), Some(&positions), false)?;
            Ok([encoded.i((0, ..5))?, encoded.i((1, ..3))?, mlm.expect("logits of words"), nsp])
        };
        for (short, long) in results(0)?.into_iter().zip(results(6)?) {
            let difference = (short - long)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-5, "{difference}");
        }
        Ok(())
    }

    #[test]
    fn without_lengths_every_token_counts() -> Result<()> {
        let (net, _) = bert(&SIZES)?;
        let (tokens, segments, _) = inputs(2)?;
        let all = Tensor::new(&[7u32, 7], &CPU)?;
        let (some, none) = (
            net.encoder.forward_t(&tokens, &segments, Some(&all), false)?,
            net.encoder.forward_t(&tokens, &segments, None, false)?,
        );
        assert_eq!(some.to_vec3::<f32>()?, none.to_vec3::<f32>()?);
        let (_, mlm, _) = net.forward_t(&tokens, &segments, None, None, false)?;
        assert!(mlm.is_none());
        Ok(())
    }

    #[test]
    fn what_lies_beyond_the_end_is_refused() -> Result<()> {
        let (net, _) = bert(&SIZES)?;
        let (tokens, segments, lens) = inputs(8)?;
        let message = |result: Result<(Tensor, Option<Tensor>, Tensor)>| {
            result.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let long = message(net.forward_t(&tokens, &segments, Some(&lens), None, false));
        assert!(long.contains("13 tokens") && long.contains("12 positions"), "{long}");
        let (tokens, segments, lens) = inputs(0)?;
        let positions = Tensor::new(&[[1u32], [5]], &CPU)?;
        let far = message(net.forward_t(&tokens, &segments, Some(&lens), Some(&positions), false));
        assert!(far.contains("position 5") && far.contains("5 tokens"), "{far}");
        assert!(Bert::new(13, &BertSizes { heads: 3, ..SIZES }, &VarBuilder::zeros(DType::F32, &CPU)).is_err());
        Ok(())
    }
}
