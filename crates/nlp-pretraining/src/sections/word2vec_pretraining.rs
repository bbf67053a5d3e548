//! 14.4 Pretraining word2vec
//!
//! Skip-gram with negative sampling on the Wall Street Journal, and which words it finds alike.
//!
//! `cargo run --release -p nlp-pretraining -- word2vec-pretraining`
//! Five epochs: loss 0.33; of the ten words nearest to "chip" four to nine have to do with computers.

use anyhow::ensure;
use d2l::nn::{Embedding, init};
use d2l::ops::{End, binary_cross_entropy_with_logits, matmul, mean, top_k};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::text::Vocab;
use d2l::train::TrainError;

use crate::penn_treebank::PennTreebank;
use crate::query_words::{count_computing_words, listed, queries};
use crate::skip_gram_examples::{SkipGramBatch, SkipGramExamples};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Central words a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// The most words to each side of a central word that are its contexts
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub max_window_size: usize,
    /// Noise words for each context
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_noise_words: usize,
    /// Features of a word
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub embed_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the central words
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
    /// Sentences to use, the first of the text [default: all]
    #[arg(long, value_parser = count)]
    pub max_sentences: Option<usize>,
}

defaults! { Config: Smoke { batch_size: 64, embed_size: 20, num_epochs: 2, max_sentences: 1000 } }

/// The products of each central word's vector with those of its contexts and noise words, `(batch, 1, max_len)`; from ids
/// `(batch, 1)` and `(batch, max_len)`.
pub fn skip_gram(
    centers: &Tensor,
    contexts_negatives: &Tensor,
    embed_v: &Embedding,
    embed_u: &Embedding,
) -> Result<Tensor> {
    let v = embed_v.forward(centers)?; // (batch, 1, embed)
    let u = embed_u.forward(contexts_negatives)?; // (batch, max_len, embed)
    // The smaller one is transposed, since its gradient is transposed back.
    matmul(&u, &v.transpose(1, 2)?)?.transpose(1, 2) // (batch, max_len, 1) -> (batch, 1, max_len)
}

/// The skip-gram model: two vectors for each word.
pub struct SkipGram {
    /// The vectors of words as central ones.
    pub centers: Embedding,
    /// The vectors of words as contexts.
    pub contexts: Embedding,
}

impl SkipGram {
    /// Vectors of `embed_size` for the words of a vocabulary.
    pub fn new(vocabulary: usize, embed_size: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            centers: Embedding::new(vocabulary, embed_size, &vb.pp("centers"))?,
            contexts: Embedding::new(vocabulary, embed_size, &vb.pp("contexts"))?,
        })
    }

    /// How much each context and noise word belongs to its central word, as logits `(batch, max_len)`.
    pub fn forward(&self, batch: &SkipGramBatch) -> Result<Tensor> {
        skip_gram(&batch.centers, &batch.contexts_negatives, &self.centers, &self.contexts)?.squeeze(1)
    }
}

/// The binary cross-entropy of each example, `(batch)`, from logits, labels and masks `(batch, max_len)`: the mean over
/// all places of its row, of which those with the mask 0 count as no loss.
pub fn masked_loss(logits: &Tensor, labels: &Tensor, masks: &Tensor) -> Result<Tensor> {
    let losses = binary_cross_entropy_with_logits(logits, labels, Reduction::None)?; // (batch, max_len)
    mean(&(losses * masks)?, 1) // (batch)
}

/// [`masked_loss`] divided by the places that count instead, at least one in each row, so that examples of all lengths
/// weigh alike.
pub fn normalized_loss(logits: &Tensor, labels: &Tensor, masks: &Tensor) -> Result<Tensor> {
    let padding = (masks.dim(1)? as f64 / masks.sum(1)?)?; // (batch)
    masked_loss(logits, labels, masks)? * padding
}

/// Trains by Adam on the sum of a minibatch's losses, from vectors by Xavier's distribution. The history counts central
/// words; its `train_loss` is the mean for each of them.
///
/// # Errors
/// As [`Trainer::run`].
pub fn train_skip_gram(
    trainer: Trainer<'_>,
    net: &SkipGram,
    parameters: &Parameters,
    loader: &mut Loader<SkipGramExamples>,
    lr: f64,
) -> Result<History, TrainError> {
    parameters.initialize(|_, shape| Ok(Some(init::xavier_uniform(shape)?)))?;
    let mut optimizer = Adam::new(parameters, lr);
    trainer.tokens().with(parameters).with(&optimizer).run(loader, |step, batch| {
        let losses = normalized_loss(&net.forward(&batch)?, &batch.labels, &batch.masks)?; // (batch)
        optimizer.minimize(&losses.sum_all()?)?;
        step.losses(&losses)
    })
}

/// The `k` words whose vectors have the largest cosines with that of `query`, which is left out, with these cosines.
/// `vectors` is `(vocabulary, embed)`.
///
/// # Errors
/// Where the vocabulary does not have the word, or `vectors` not a row for each of its words.
#[doc(alias = "get_similar_tokens")]
pub fn nearest_tokens(query: &str, k: usize, vectors: &Tensor, vocab: &Vocab) -> anyhow::Result<Vec<(String, f64)>> {
    let (id, rows) = (vocab.id(query), vectors.dim(0)?);
    ensure!(vocab.token(id)? == query, "the vocabulary does not have the word {query:?}");
    ensure!(rows == vocab.len(), "{rows} vectors are not those of a vocabulary of {} words", vocab.len());
    let vectors = vectors.detach();
    let x = vectors.narrow(0, id as usize, 1)?.t()?; // (embed, 1)
    let squares = matmul(&vectors.sqr()?, &x.ones_like()?)?; // (vocabulary, 1)
    let square = f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?);
    // The little that is added keeps vectors of zeros from a division by zero.
    let cosines = (matmul(&vectors, &x)? / ((squares * square)? + 1e-9)?.sqrt()?)?.squeeze(1)?; // (vocabulary)
    let (cosines, ids) = top_k(&cosines, k.saturating_add(1).min(rows), 0, End::Largest)?;
    let nearest = ids.to_vec1::<u32>()?.into_iter().zip(cosines.to_vec1::<f32>()?);
    let nearest = nearest.filter(|&(other, _)| other != id).take(k);
    nearest.map(|(other, cosine)| Ok((vocab.token(other)?.to_string(), f64::from(cosine)))).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Loading the dataset")?;
    let Config { batch_size, max_window_size, num_noise_words, .. } = *config;
    let text = nb.load::<PennTreebank>()?.first(config.max_sentences);
    let (mut loader, vocab) = text.load(batch_size, max_window_size, num_noise_words, nb.random(), nb.device())?;
    nb.say(format!("{} central words, {} ids", loader.examples(), vocab.len()))?;

    nb.cell("Embedding layer")?;
    let parameters = nb.parameters();
    let embed = Embedding::new(20, 4, &parameters.builder().pp("embed"))?;
    nb.say(format!("weight {:?}, {:?}", embed.weight().dims(), embed.weight().dtype()))?;
    let x = Tensor::new(&[[1u32, 2, 3], [4, 5, 6]], nb.device())?; // (2, 3)
    nb.show("vectors", embed.forward(&x)?.detach())?; // (2, 3, 4)

    nb.cell("Skip-gram model forward calculation")?;
    let centers = Tensor::ones((2, 1), DType::U32, nb.device())?;
    let contexts_negatives = Tensor::ones((2, 4), DType::U32, nb.device())?;
    nb.say(format!("{:?}", skip_gram(&centers, &contexts_negatives, &embed, &embed)?.dims()))?;

    nb.cell("Binary cross-entropy loss function")?;
    let logits = Tensor::new(&[[0.5f32; 4]; 2], nb.device())?;
    let labels = Tensor::new(&[[1f32, 0.0, 1.0, 0.0]; 2], nb.device())?;
    let masks = Tensor::new(&[[1f32, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], nb.device())?;
    nb.show("mean over all places", masked_loss(&logits, &labels, &masks)?)?;
    nb.show("over those that count", normalized_loss(&logits, &labels, &masks)?)?;

    nb.cell("Initializing model parameters")?;
    let parameters = nb.parameters();
    let net = SkipGram::new(vocab.len(), config.embed_size, &parameters.builder())?;
    nb.say(format!("{} words, two vectors each: {} parameters", vocab.len(), parameters.count()))?;

    nb.cell("Training")?;
    let trainer = nb.trainer(config.num_epochs).named("skip-gram");
    let history = train_skip_gram(trainer, &net, &parameters, &mut loader, config.lr)?;
    nb.training(&history)?;

    nb.cell("Applying the word embedding model")?;
    let (queries, vectors) = (queries(&vocab), net.centers.weight());
    if let Some(query) = queries.first() {
        nb.say(format!("nearest to {query}:"))?;
        for (word, cosine) in nearest_tokens(query, 3, vectors, &vocab)? {
            nb.say(format!("cosine {cosine:.3}: {word}"))?;
        }
    }

    nb.cell("The ten nearest words")?;
    let mut table = Table::new(["word", "nearest first"]);
    for query in queries {
        let nearest = nearest_tokens(&query, 10, vectors, &vocab)?;
        if query == "chip" {
            nb.metric("computing_neighbors", count_computing_words(&nearest) as f64)?;
        }
        table.row([query, listed(&nearest)]);
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ragged::Ragged;
    use crate::skip_gram_examples::batchify;

    fn parameters() -> Parameters {
        Parameters::new(&Random::new(1), &Device::Cpu)
    }

    #[test]
    fn logits_are_products_of_vectors() -> Result<()> {
        let parameters = parameters();
        let net = SkipGram::new(10, 3, &parameters.builder())?;
        let batch = batchify(&[(4, &[1, 2][..], &[3][..]), (5, &[9][..], &[8][..])], &Device::Cpu)?;
        let logits = net.forward(&batch)?.to_vec2::<f32>()?;
        let (v, u) = (net.centers.weight().to_vec2::<f32>()?, net.contexts.weight().to_vec2::<f32>()?);
        let product =
            |center: usize, context: usize| v[center].iter().zip(&u[context]).map(|(v, u)| v * u).sum::<f32>();
        for (row, (center, contexts)) in [(4, [1, 2, 3]), (5, [9, 8, 0])].into_iter().enumerate() {
            for (place, context) in contexts.into_iter().enumerate() {
                assert!((logits[row][place] - product(center, context)).abs() < 1e-5, "{logits:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn masked_places_have_no_loss() -> Result<()> {
        let logits = Tensor::new(&[[0.5f32; 4]; 2], &Device::Cpu)?;
        let labels = Tensor::new(&[[1f32, 0.0, 1.0, 0.0]; 2], &Device::Cpu)?;
        let masks = Tensor::new(&[[1f32, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], &Device::Cpu)?;
        // log(1 + e^-0.5) = 0.474077 for a 1, log(1 + e^0.5) = 0.974077 for a 0
        let near = |losses: Tensor, expected: [f32; 2]| {
            let losses = losses.to_vec1::<f32>()?;
            assert!(losses.iter().zip(expected).all(|(loss, expected)| (loss - expected).abs() < 1e-5), "{losses:?}");
            Ok::<_, candle_core::Error>(())
        };
        near(masked_loss(&logits, &labels, &masks)?, [0.724_077, 0.362_038])?;
        near(normalized_loss(&logits, &labels, &masks)?, [0.724_077, 0.724_077])
    }

    #[test]
    fn padding_changes_neither_loss_nor_gradients() -> Result<()> {
        let example = (1u32, &[2u32, 3][..], &[4u32, 5, 6][..]);
        let longer = (7u32, &[2u32, 3, 4, 5][..], &[6u32, 7, 8, 9, 0][..]);
        let parameters = parameters();
        let net = SkipGram::new(10, 3, &parameters.builder())?;
        let outcome = |examples: &[_]| {
            let batch = batchify(examples, &Device::Cpu)?;
            let losses = normalized_loss(&net.forward(&batch)?, &batch.labels, &batch.masks)?;
            let grads = backward(&losses.narrow(0, 0, 1)?.sum_all()?)?;
            let grads = [&net.centers, &net.contexts].map(|table| grads.get(table.weight())?.to_vec2::<f32>());
            let [v, u] = grads;
            Ok::<_, candle_core::Error>((losses.to_vec1::<f32>()?[0], v?.concat(), u?.concat()))
        };
        let (alone, padded) = (outcome(&[example])?, outcome(&[example, longer])?);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!((alone.0 - padded.0).abs() < 1e-6, "{} {}", alone.0, padded.0);
        assert!(near(&alone.1, &padded.1) && near(&alone.2, &padded.2));
        assert!(padded.2[..3].iter().all(|&g| g == 0.0), "padding has the id 0: {:?}", &padded.2[..3]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let parameters = parameters();
        let net = SkipGram::new(10, 3, &parameters.builder())?;
        let batch = batchify(&[(1, &[2, 3][..], &[4, 5, 6][..])], &Device::Cpu)?;
        let losses = normalized_loss(&net.forward(&batch)?, &batch.labels, &batch.masks)?;
        d2l_testing::gradients::reach_all(&parameters, &losses.sum_all()?, |_| false)
    }

    #[test]
    fn words_that_stand_together_come_to_belong_together() -> Result<(), Box<dyn std::error::Error>> {
        // Of six words 1 and 2 always stand together, and so do 3 and 4.
        let centers: Vec<u32> = (0..200).map(|place| 1 + 2 * (place % 2)).collect();
        let contexts: Ragged = centers.iter().map(|center| [center + 1]).collect();
        let negatives: Ragged = centers.iter().map(|center| [(center + 2) % 4 + 1, 5]).collect();
        let examples = SkipGramExamples::new(centers, contexts, negatives)?;
        let mut loader = Loader::<SkipGramExamples>::new(examples, 20, &Device::Cpu)?;
        let parameters = parameters();
        let net = SkipGram::new(6, 8, &parameters.builder())?;
        let history = train_skip_gram(Trainer::new(8), &net, &parameters, &mut loader, 0.05)?;
        assert!(history.last("train_loss") < Some(0.1), "{:?}", history.metric("train_loss"));
        assert_eq!((history.examples(), history.unit()), (1600, d2l::train::Unit::Tokens));
        let batch = batchify(&[(1, &[2][..], &[4][..])], &Device::Cpu)?;
        let logits = net.forward(&batch)?.to_vec2::<f32>()?;
        assert!(logits[0][0] > 1.0 && logits[0][1] < -1.0, "{logits:?}");
        Ok(())
    }

    #[test]
    fn the_nearest_have_the_largest_cosines() -> anyhow::Result<()> {
        let vocab = Vocab::new("east east east north-east north-east west".split(' '), 0, &[]);
        let vectors = Tensor::new(&[[0f32, 0.0], [2.0, 0.0], [1.0, 1.0], [-3.0, 0.0]], &Device::Cpu)?;
        let nearest = nearest_tokens("east", 2, &vectors, &vocab)?;
        assert_eq!(listed(&nearest), "north-east <unk>");
        assert!((nearest[0].1 - 0.5f64.sqrt()).abs() < 1e-6 && nearest[1].1 == 0.0, "{nearest:?}");
        let all = nearest_tokens("west", 99, &vectors, &vocab)?;
        assert_eq!((listed(&all).as_str(), all[2].1.round()), ("<unk> north-east east", -1.0));
        let unknown = nearest_tokens("south", 1, &vectors, &vocab).expect_err("no such word").to_string();
        assert!(unknown.contains("south"), "{unknown}");
        assert!(nearest_tokens("east", 1, &vectors.narrow(0, 0, 3)?, &vocab).is_err());
        Ok(())
    }
}
