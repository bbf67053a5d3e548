//! 14.5 Word Embedding with Global Vectors (GloVe)
//!
//! Vectors whose products are the logarithms of how often words stand near each other.
//!
//! `cargo run --release -p nlp-pretraining -- glove`
//! 2,475,681 pairs of words, fifteen epochs: mean weighted error of a logarithm, squared, 0.32.

use std::path::PathBuf;
use std::sync::Arc;

use d2l::nn::{Embedding, init};
use d2l::ops::{log_softmax, sum};
use d2l::optim::Adagrad;
use d2l::prelude::*;
use d2l::train::TrainError;

use super::word_embedding_dataset::count_ids;
use super::word2vec_pretraining::{SkipGram, nearest_tokens, train_skip_gram};
use crate::co_occurrences::CoOccurrences;
use crate::penn_treebank::PennTreebank;
use crate::probability_ratios::{correlation, log_ratios, ratio_table};
use crate::query_words::{count_computing_words, count_shared, listed, queries};
use crate::vector_text::write_text;

/// Hyperparameters. The book trains nothing here: window, exponent and learning rate are the paper's
/// (Pennington, Socher and Manning, 2014), cutoff and passes those of its authors' example on a small text.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 4096, value_parser = count)]
    pub batch_size: usize,
    /// The most places between two words that stand near each other
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub window_size: usize,
    // The paper's is 100, for corpora of billions of words; of this text's pairs one in 700 would reach it.
    /// The count from which on a pair has the weight 1
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub cutoff: f64,
    /// Features of a word
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub embed_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.05, value_parser = positive)]
    pub lr: f64,
    /// Passes over the pairs
    #[arg(long, default_value_t = 15, value_parser = count)]
    pub num_epochs: usize,
    /// Passes over the central words, for the word2vec to compare with
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub word2vec_epochs: usize,
    /// Sentences to use, the first of the text [default: all]
    #[arg(long, value_parser = count)]
    pub max_sentences: Option<usize>,
    /// A file to write the vectors to, as text, for section 14.7 and for others' programs
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

defaults! { Config: Smoke { embed_size: 20, num_epochs: 3, word2vec_epochs: 2, max_sentences: 1000 } }

/// How much each pair counts, from how often it occurs: `min((x / cutoff)^0.75, 1)`.
pub fn pair_weights(counts: &Tensor, cutoff: f64) -> Result<Tensor> {
    (counts / cutoff)?.powf(0.75)?.minimum(1.0)
}

/// Two vectors and two biases for each word.
pub struct Glove {
    words: Embedding,
    contexts: Embedding,
    word_biases: Embedding,
    context_biases: Embedding,
}

impl Glove {
    /// Vectors of `embed_size` for the words of a vocabulary, drawn as the authors draw them.
    pub fn new(vocabulary: usize, embed_size: usize, vb: &VarBuilder) -> Result<Self> {
        let bound = 0.5 / embed_size as f64;
        let table = |name: &str, features| {
            Embedding::with_init(vocabulary, features, &vb.pp(name), init::uniform(-bound, bound))
        };
        Ok(Self {
            words: table("words", embed_size)?,
            contexts: table("contexts", embed_size)?,
            word_biases: table("word_biases", 1)?,
            context_biases: table("context_biases", 1)?,
        })
    }

    /// The logarithms of the counts of pairs as the model has them, `u · v + b + c`, `(batch)`; from ids `(batch)`.
    pub fn forward(&self, words: &Tensor, contexts: &Tensor) -> Result<Tensor> {
        let (v, u) = (self.words.forward(words)?, self.contexts.forward(contexts)?); // (batch, embed)
        let biases = (self.word_biases.forward(words)? + self.context_biases.forward(contexts)?)?; // (batch, 1)
        sum(&(v * u)?, 1)? + biases.squeeze(1)? // (batch)
    }

    /// [`Glove::forward`] for one word with each of several contexts, without a graph.
    pub fn log_counts(&self, word: u32, contexts: &[u32]) -> Result<Vec<f32>> {
        let device = self.words.weight().device();
        let words = Tensor::full(word, contexts.len(), device)?; // (contexts)
        self.forward(&words, &Tensor::new(contexts, device)?)?.detach().to_vec1()
    }

    /// The words' vectors, `(vocabulary, embed)`: of each the sum of both, which count the same pairs.
    pub fn vectors(&self) -> Result<Tensor> {
        self.words.weight().detach() + self.contexts.weight().detach()
    }
}

/// Trains by Adagrad on the weighted squared errors of the logarithms. The history's `train_loss` is the mean squared error
/// of a weight of 1.
///
/// # Errors
/// As [`Trainer::run`].
pub fn train_glove(
    trainer: Trainer<'_>,
    net: &Glove,
    parameters: &Parameters,
    pairs: &mut Loader<CoOccurrences>,
    lr: f64,
    cutoff: f64,
) -> Result<History, TrainError> {
    let mut optimizer = Adagrad::new(parameters, lr);
    trainer.with(parameters).with(&optimizer).run(pairs, |step, pairs| {
        let weights = pair_weights(&pairs.counts, cutoff)?; // (batch)
        let errors = (net.forward(&pairs.words, &pairs.contexts)? - pairs.counts.log()?)?; // (batch)
        let loss = (errors.sqr()? * &weights)?.sum_all()?;
        optimizer.minimize(&loss)?;
        step.count(pairs.counts.elem_count());
        let [loss, weight] = [loss, weights.sum_all()?].map(|sum| sum.to_scalar::<f32>().map(f64::from));
        step.metric("train_loss", loss?, weight?)
    })
}

/// The loss of skip-gram for one central word, from the logarithms of its contexts' probabilities: context by context, and
/// by how often each word is one of its contexts.
pub fn skip_gram_losses(contexts: &[u32], log_q: &[f32]) -> (f64, f64) {
    let by_context = contexts.iter().map(|&id| -f64::from(log_q[id as usize])).sum();
    let multiplicities = count_ids(contexts);
    (by_context, multiplicities.iter().zip(log_q).map(|(&x, &log_q)| -(x as f64) * f64::from(log_q)).sum())
}

/// How far the model is from the logarithms of counts of at least `least`, on average; none where no count is so large.
pub fn log_count_error(net: &Glove, counts: &CoOccurrences, least: f64, device: &Device) -> Result<Option<f64>> {
    let frequent: Vec<usize> = (0..counts.len()).filter(|&place| f64::from(counts.counts()[place]) >= least).collect();
    if frequent.is_empty() {
        return Ok(None);
    }
    let pairs = counts.batch(&frequent, device)?;
    let errors = (net.forward(&pairs.words, &pairs.contexts)?.detach() - pairs.counts.log()?)?.abs()?; // (pairs)
    Ok(Some(f64::from(errors.mean_all()?.to_scalar::<f32>()?)))
}

/// The book's two words, and those that stand near the first, the second, both, and neither.
const ICE_AND_STEAM: [&str; 2] = ["ice", "steam"];
const ICE_AND_STEAM_PROBES: [&str; 4] = ["solid", "gas", "water", "fashion"];

/// Two words that this text has often, and two of each kind: near the first, the second, and both or neither.
const STOCK_AND_BONDS: [&str; 2] = ["stock", "bonds"];
const STOCK_AND_BONDS_PROBES: [&str; 6] = ["exchange", "shares", "treasury", "junk", "cash", "week"];

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let device = nb.device().clone();
    let text = nb.load::<PennTreebank>()?.first(config.max_sentences);
    let (sentences, vocab) = (text.sentences(), text.vocab());
    let corpus: Vec<Vec<u32>> = sentences.iter().map(|sentence| vocab.ids(sentence)).collect();
    nb.say(format!("{} sentences, {} ids", corpus.len(), vocab.len()))?;

    nb.cell("Skip-gram with global corpus statistics")?;
    let contexts = [1, 0, 3, 1, 1, 2, 1, 0]; // k j m k and k l k j, by their numbers among j k l m
    let log_q = log_softmax(&nb.normal(4)?, 0)?.to_vec1::<f32>()?;
    let (by_context, by_count) = skip_gram_losses(&contexts, &log_q);
    nb.show("multiplicities of j, k, l and m", format!("{:?}", count_ids(&contexts)))?;
    nb.say(format!("loss {by_context:.6} context by context, {by_count:.6} by multiplicities"))?;
    nb.metric("loss_difference", (by_context - by_count).abs())?;

    nb.cell("Co-occurrences of the whole text")?;
    let counts = Arc::new(CoOccurrences::count(&corpus, config.window_size)?);
    let (entries, all) = (counts.len(), vocab.len().pow(2));
    nb.say(format!("{entries} of {all} pairs occur, in {:.1} MB", counts.bytes() as f64 / 1e6))?;
    for least in [1.0, config.cutoff] {
        let frequent = counts.counts().iter().filter(|&&count| f64::from(count) >= least).count();
        nb.say(format!("{frequent} have a count of {least} or more"))?;
    }
    nb.metric("word_pairs", entries as f64)?;

    nb.cell("The weights of pairs")?;
    let x: Vec<f32> = (1..=200).map(|step| step as f32 / 100.0 * config.cutoff as f32).collect();
    let weights = pair_weights(&Tensor::new(x.as_slice(), &device)?, config.cutoff)?.to_vec1::<f32>()?;
    let chart = Chart::new().x_label("count").y_label("weight").unlabeled_line(&x, &weights);
    nb.figure("weights", "The weight of a pair rises with its count, and is 1 from the cutoff on", chart)?;

    nb.cell("The GloVe model")?;
    let shuffle = nb.stream(Purpose::Shuffling, "pairs");
    let mut pairs = Loader::<CoOccurrences>::new(counts.clone(), config.batch_size, &device)?.shuffled(shuffle);
    let parameters = nb.parameters();
    let net = Glove::new(vocab.len(), config.embed_size, &parameters.builder())?;
    nb.say(format!("{} parameters, {} minibatches an epoch", parameters.count(), pairs.batches()))?;

    nb.cell("Training")?;
    let trainer = nb.trainer(config.num_epochs).named("glove");
    let history = train_glove(trainer, &net, &parameters, &mut pairs, config.lr, config.cutoff)?;
    nb.training(&history)?;
    if let Some(path) = &config.save {
        write_text(path, &vocab, &net.vectors()?)?;
        nb.say(format!("{} vectors written to {}", vocab.len() - 1, path.display()))?;
    }

    nb.cell("Logarithms of counts")?;
    if let Some(error) = log_count_error(&net, &counts, config.cutoff, &device)? {
        nb.say(format!("mean absolute error where a count is {} or more: {error:.3}", config.cutoff))?;
        nb.metric("log_count_error", error)?;
    }

    nb.cell("Training word2vec to compare with")?;
    let (mut examples, _) = text.load(512, 5, 5, nb.random(), &device)?; // the settings of section 14.4
    let parameters = nb.parameters();
    let word2vec = SkipGram::new(vocab.len(), config.embed_size, &parameters.builder())?;
    let trainer = nb.trainer(config.word2vec_epochs).named("word2vec");
    nb.training_of("word2vec", &train_skip_gram(trainer, &word2vec, &parameters, &mut examples, 0.01)?)?;

    nb.cell("Nearest words of both")?;
    let mut table = Table::new(["word", "GloVe", "word2vec", "shared of ten"]);
    let (queries, mut shared) = (queries(&vocab), 0);
    for query in &queries {
        let glove = nearest_tokens(query, 10, &net.vectors()?, &vocab)?;
        let other = nearest_tokens(query, 10, word2vec.centers.weight(), &vocab)?;
        if query == "chip" {
            nb.metric("computing_neighbors_glove", count_computing_words(&glove) as f64)?;
            nb.metric("computing_neighbors_word2vec", count_computing_words(&other) as f64)?;
        }
        let of_both = count_shared(&glove, &other);
        shared += of_both;
        let first = |words: &[(String, f64)]| listed(&words[..words.len().min(5)]);
        table.row([query.clone(), first(&glove), first(&other), of_both.to_string()]);
    }
    nb.say(table)?;
    nb.metric("shared_neighbors", shared as f64 / queries.len() as f64)?;

    nb.cell("Ratios of the book's words")?;
    nb.say(ratio_table(ICE_AND_STEAM, &ICE_AND_STEAM_PROBES, &sentences, config.window_size))?;

    nb.cell("Ratios of frequent words")?;
    nb.say(ratio_table(STOCK_AND_BONDS, &STOCK_AND_BONDS_PROBES, &sentences, config.window_size))?;

    nb.cell("Ratios by the model")?;
    let pair = STOCK_AND_BONDS.map(|word| vocab.id(word));
    let near_both = |k: u32, least: f32| k > 0 && pair.iter().all(|&word| word > 0 && counts.get(word, k) >= least);
    let ratios = |ks: &[u32]| log_ratios(&counts, pair, ks, |word, ks| net.log_counts(word, ks));
    let mut table = Table::new(["near", "ratio of counts", "ratio by the model"]);
    for probe in STOCK_AND_BONDS_PROBES.into_iter().filter(|probe| near_both(vocab.id(probe), f32::MIN_POSITIVE)) {
        for (counted, model) in ratios(&[vocab.id(probe)])? {
            table.row([probe.to_string(), format!("{:.2}", counted.exp()), format!("{:.2}", model.exp())]);
        }
    }
    nb.say(table)?;
    let ks: Vec<u32> = (0..vocab.len() as u32).filter(|&k| near_both(k, 1.0)).collect();
    if let Some(correlation) = correlation(&ratios(&ks)?) {
        nb.say(format!("the logarithms of {} ratios have the correlation {correlation:.3}", ks.len()))?;
        nb.metric("log_ratio_correlation", correlation)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn parameters() -> Parameters {
        Parameters::new(&Random::new(1), &Device::Cpu)
    }

    /// A text of five words, of which 4 stands near 5 only, 1 nearer to 3 than to 5, and 2 nearer to 5 than to 3.
    fn counts() -> CoOccurrences {
        let sentence = |place| match place % 4 {
            0 => vec![4, 5, 4],
            3 => vec![2, 5, 3],
            _ => vec![1, 3, 5],
        };
        CoOccurrences::count(&(0..30).map(sentence).collect::<Vec<_>>(), 2).expect("a text")
    }

    #[test]
    fn losses_by_context_and_by_count_are_one() {
        let log_q = [0.25f32.ln(), 0.5f32.ln(), 0.25f32.ln()];
        let (by_context, by_count) = skip_gram_losses(&[1, 2, 1, 0, 1], &log_q);
        // Three times log 2, twice log 4.
        assert!((by_context - 7.0 * 2f64.ln()).abs() < 1e-6 && (by_context - by_count).abs() < 1e-12);
    }

    #[test]
    fn weights_rise_to_one() -> Result<()> {
        let counts = Tensor::new(&[0.625f32, 5.0, 10.0, 11.0, 1e9], &Device::Cpu)?;
        let weights = pair_weights(&counts, 10.0)?.to_vec1::<f32>()?;
        let expected = [0.125, 0.5f32.powf(0.75), 1.0, 1.0, 1.0]; // (1 / 16)^0.75 = 1 / 8
        assert!(weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-6), "{weights:?}");
        Ok(())
    }

    #[test]
    fn a_pair_is_a_product_and_two_biases() -> Result<()> {
        let parameters = parameters();
        let net = Glove::new(5, 3, &parameters.builder())?;
        let said = net.forward(&Tensor::new(&[4u32, 0], &Device::Cpu)?, &Tensor::new(&[1u32, 4], &Device::Cpu)?)?;
        let row = |table: &Embedding, id: usize| table.weight().get(id)?.to_vec1::<f32>();
        for (said, (word, context)) in said.to_vec1::<f32>()?.into_iter().zip([(4, 1), (0, 4)]) {
            let (v, u) = (row(&net.words, word)?, row(&net.contexts, context)?);
            let product: f32 = v.iter().zip(&u).map(|(v, u)| v * u).sum();
            let expected = product + row(&net.word_biases, word)?[0] + row(&net.context_biases, context)?[0];
            assert!((said - expected).abs() < 1e-6, "{said} {expected}");
        }
        let sum = (net.words.weight().get(2)? + net.contexts.weight().get(2)?)?.to_vec1::<f32>()?;
        assert_eq!(net.vectors()?.get(2)?.to_vec1::<f32>()?, sum);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let parameters = parameters();
        let net = Glove::new(6, 3, &parameters.builder())?;
        let batch = counts().batch(&[0, 3, 5], &Device::Cpu)?;
        let errors = (net.forward(&batch.words, &batch.contexts)? - batch.counts.log()?)?;
        let loss = (errors.sqr()? * pair_weights(&batch.counts, 10.0)?)?.sum_all()?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    #[test]
    fn a_trained_model_has_the_counts_and_their_ratios() -> Outcome {
        let counts = Arc::new(counts());
        let mut pairs = Loader::<CoOccurrences>::new(counts.clone(), 4, &Device::Cpu)?;
        let parameters = parameters();
        let net = Glove::new(6, 8, &parameters.builder())?;
        let history = train_glove(Trainer::new(100), &net, &parameters, &mut pairs, 0.1, 10.0)?;
        assert!(history.last("train_loss") < Some(1e-3), "{:?}", history.last("train_loss"));
        assert_eq!(history.examples(), 100 * counts.len());
        assert!(log_count_error(&net, &counts, 10.0, &Device::Cpu)?.is_some_and(|error| error < 0.05));
        assert_eq!(log_count_error(&net, &counts, 1e9, &Device::Cpu)?, None);
        let ratios = log_ratios(&counts, [1, 2], &[3, 5], |word, ks| net.log_counts(word, ks))?;
        // Near 1 are 3 once and 5 half, near 2 the other way around: (2 / 3) / (1 / 3) and its inverse.
        for ((counted, model), expected) in ratios.into_iter().zip([2f64, 0.5]) {
            assert!((counted - expected.ln()).abs() < 1e-6 && (model - counted).abs() < 0.1, "{counted} {model}");
        }
        Ok(())
    }
}
