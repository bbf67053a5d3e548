//! 14.1 Word Embedding (word2vec)
//!
//! Two models of which words stand together, skip-gram and the continuous bag of words, on six sentences: their
//! probabilities, their gradients by the book's formulas and by autograd, and a training of each.
//!
//! `cargo run --release -p nlp-pretraining -- word2vec`
//! At once: gradients the same to 1e-12; after 200 steps both losses are within 0.03 of the least possible.

use d2l::data::Repeat;
use d2l::notebook::within;
use d2l::ops::{matmul, softmax};
use d2l::plot::HeatMaps;
use d2l::prelude::*;

use crate::little_corpus::{FAMILIES, LittleCorpus, Prediction, least_loss};
use crate::plain_vectors::{
    Rows, add_scaled, cosine_similarity, dot, initial_vectors, largest_difference, rows, zeros,
};

/// Sizes and hyperparameters; the book, which trains nothing here, has none.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Numbers in a word vector
    #[arg(long, default_value_t = 8, value_parser = within::<1, 1000>)]
    pub embed_size: usize,
    /// Words on either side of a center that belong to its context
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub window_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    pub lr: f64,
    /// Epochs of each training
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
    /// Gradient steps of an epoch, each on all sentences
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config }

/// The mean vector of the words that are given: the center's own vector in the skip-gram model.
pub fn mean_vector(v: &[Vec<f64>], given: &[usize]) -> Vec<f64> {
    let mut mean = vec![0.0; v.first().map_or(0, Vec::len)];
    given.iter().for_each(|&word| add_scaled(&mut mean, 1.0 / given.len() as f64, &v[word]));
    mean
}

/// The probability of each word where the vector `h` is given: the softmax of `uⱼᵀ h` over all words `j`.
pub fn probabilities(u: &[Vec<f64>], h: &[f64]) -> Vec<f64> {
    let scores: Vec<f64> = u.iter().map(|u| dot(u, h)).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|exponential| exponential / sum).collect()
}

/// `Σ ln P(word | given)` over the predictions.
pub fn log_likelihood(v: &[Vec<f64>], u: &[Vec<f64>], predictions: &[Prediction]) -> f64 {
    predictions.iter().map(|p| probabilities(u, &mean_vector(v, &p.given))[p.word].ln()).sum()
}

/// The gradients of [`log_likelihood`] for `v` and for `u`, by the formulas. With `n` words given,
/// `∂ ln P(o | given) / ∂vᵢ = (u_o − Σⱼ P(j | given) uⱼ) / n` for each of them, and
/// `∂ ln P(o | given) / ∂uⱼ = ([j = o] − P(j | given)) h`, where `h` is their mean.
pub fn log_likelihood_gradient(v: &[Vec<f64>], u: &[Vec<f64>], predictions: &[Prediction]) -> [Rows; 2] {
    let mut gradients = [v, u].map(zeros);
    for Prediction { given, word } in predictions {
        let h = mean_vector(v, given);
        let p = probabilities(u, &h);
        let mut by_h = u[*word].clone();
        u.iter().zip(&p).for_each(|(u, p)| add_scaled(&mut by_h, -p, u));
        for &given_word in given {
            add_scaled(&mut gradients[0][given_word], 1.0 / given.len() as f64, &by_h);
        }
        for (j, p) in p.iter().enumerate() {
            add_scaled(&mut gradients[1][j], f64::from(j == *word) - p, &h);
        }
    }
    gradients
}

/// Two vectors for each word, and a softmax over all words. In `f64`, since its gradients are compared.
pub struct FullSoftmax {
    /// The vectors of words that are given, `(words, dimension)`: centers for skip-gram, contexts for the bag of words.
    pub v: Var,
    /// The vectors of words that are predicted, `(words, dimension)`.
    pub u: Var,
}

impl FullSoftmax {
    /// Short random vectors: every word is nearly as likely as any other.
    pub fn new(words: usize, embed_size: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let mut vectors = || initial_vectors(stream, 0.1, (words, embed_size), device);
        Ok(Self { v: vectors()?, u: vectors()? })
    }

    /// `uⱼᵀ h` for each word `j`, `(predictions, words)`, from the share that each word has in what is given,
    /// `(predictions, words)`.
    pub fn logits(&self, given: &Tensor) -> Result<Tensor> {
        let h = matmul(given, &self.v)?; // (predictions, words) -> (predictions, dimension)
        matmul(&h, &self.u.t()?) // (predictions, words)
    }

    /// The loss of the predictions, summed or as their mean.
    pub fn loss(&self, (given, word): &(Tensor, Tensor), reduction: Reduction) -> Result<Tensor> {
        cross_entropy(&self.logits(given)?, word, reduction)
    }
}

/// Holds the gradients of the corpus's likelihood by the formulas against autograd's, and shows both for "loves".
fn compare_gradients(
    nb: &mut Notebook,
    name: &str,
    model: &FullSoftmax,
    corpus: &LittleCorpus,
    predictions: &[Prediction],
) -> anyhow::Result<()> {
    let by_formula = log_likelihood_gradient(&rows(&model.v)?, &rows(&model.u)?, predictions);
    let examples = Prediction::tensors(predictions, corpus.words.len(), nb.device())?;
    let grads = backward(&model.loss(&examples, Reduction::Sum)?.neg()?)?;
    let (by_v, by_u) = (grads.get(&model.v)?, grads.get(&model.u)?);
    let loves = corpus.id("loves")?;
    nb.show("for v of loves, by the formula", Tensor::new(&by_formula[0][loves][..], &Device::Cpu)?)?;
    nb.show("for v of loves, by autograd", by_v.get(loves)?)?;
    let error = largest_difference(&by_formula, [by_v, by_u])?;
    nb.say(format!("largest difference over all vectors: {error:.1e}"))?;
    nb.metric(&format!("gradient_difference_{name}"), error)
}

/// Trains a model by gradient descent on all predictions at once, and tells how near its loss comes to the least that
/// the corpus allows.
fn train(
    nb: &mut Notebook,
    name: &str,
    model: &FullSoftmax,
    predictions: &[Prediction],
    config: &Config,
) -> anyhow::Result<()> {
    let examples = Prediction::tensors(predictions, model.v.dim(0)?, nb.device())?;
    let mut optimizer = Sgd::new([&model.v, &model.u], config.lr);
    let trainer = nb.trainer(config.num_epochs).named(name).with(&[&model.v, &model.u]).with(&optimizer);
    let history = trainer.run(&mut Repeat(config.num_steps), |step, ()| {
        let loss = model.loss(&examples, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, predictions.len())
    })?;
    nb.training_of(name, &history)?;
    let last = model.loss(&examples, Reduction::Mean)?.detach().to_scalar::<f64>()?;
    let least = least_loss(predictions);
    nb.say(format!("loss {last:.4} after the last step; the least possible is {least:.4}"))?;
    nb.metric(&format!("excess_loss_{name}"), last - least)
}

/// Shows how likely a model takes each of some words to be where others are given.
fn show_probabilities(
    nb: &mut Notebook,
    model: &FullSoftmax,
    corpus: &LittleCorpus,
    given: &[usize],
    predicted: &[usize],
) -> anyhow::Result<()> {
    let p = probabilities(&rows(&model.u)?, &mean_vector(&rows(&model.v)?, given));
    let given: Vec<&str> = given.iter().map(|&word| corpus.words[word]).collect();
    for &word in predicted {
        nb.say(format!("P({} | {}) = {:.4}", corpus.words[word], given.join(", "), p[word]))?;
    }
    let product: f64 = predicted.iter().map(|&word| p[word]).product();
    nb.say(format!("product {product:.3e}; sum over all {} words {:.6}", p.len(), p.iter().sum::<f64>()))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Why not use one-hot vectors?")?;
    let device = nb.device().clone();
    let corpus = LittleCorpus::new(&FAMILIES);
    let (words, counts) = (corpus.words.len(), corpus.words.iter().zip(&corpus.counts));
    let counts: Vec<String> = counts.map(|(word, count)| format!("{word} {count}")).collect();
    nb.say(format!("{}\n{words} words: {}", FAMILIES.join("\n"), counts.join(", ")))?;
    let one_hot = rows(&Tensor::eye(words, DType::F64, &device)?)?;
    let pairs = (0..words).flat_map(|a| (0..a).map(move |b| (a, b)));
    let similarities: Vec<f64> = pairs.map(|(a, b)| cosine_similarity(&one_hot[a], &one_hot[b])).collect();
    let zeros = similarities.iter().filter(|&&similarity| similarity == 0.0).count();
    nb.say(format!("cosine similarity 0: {zeros} of the {} pairs of one-hot vectors", similarities.len()))?;

    nb.cell("The skip-gram model")?;
    let skip_gram = Prediction::skip_gram(&corpus, config.window_size);
    let cbow = Prediction::cbow(&corpus, config.window_size);
    let Prediction { given: context, word: center } = &cbow[2]; // the third word of the first sentence
    let mut stream = nb.stream(Purpose::Initialization, "skip-gram");
    let of_centers = FullSoftmax::new(words, config.embed_size, &mut stream, &device)?;
    show_probabilities(nb, &of_centers, &corpus, &[*center], context)?;
    let likelihood = log_likelihood(&rows(&of_centers.v)?, &rows(&of_centers.u)?, &skip_gram);
    nb.say(format!("log-likelihood of the corpus, {} context words: {likelihood:.3}", skip_gram.len()))?;
    nb.say(format!("if all words were equally likely: {:.3}", -(skip_gram.len() as f64) * (words as f64).ln()))?;

    nb.cell("Skip-gram model training")?;
    compare_gradients(nb, "skip-gram", &of_centers, &corpus, &skip_gram)?;
    let each_center = Tensor::eye(words, DType::F64, &device)?;
    let contexts = |model: &FullSoftmax| softmax(&model.logits(&each_center)?.detach(), 1); // (centers, contexts)
    let before = contexts(&of_centers)?;
    train(nb, "skip-gram", &of_centers, &skip_gram, config)?;
    show_probabilities(nb, &of_centers, &corpus, &[*center], context)?;
    let maps = [before, contexts(&of_centers)?, Prediction::shares(&skip_gram, words, &device)?];
    let maps = HeatMaps::new(&Tensor::stack(&maps, 0)?.unsqueeze(0)?)?; // (1, 3, centers, contexts)
    let maps = maps.titles(["before training", "after it", "in the corpus"]).x_label("context").y_label("center");
    let alt = "Probabilities of context words given each center: even before training, after it close to the corpus";
    nb.figure("contexts", alt, maps.x_words(corpus.words.clone()).y_words(corpus.words.clone()))?;

    nb.cell("The CBOW model")?;
    let mut stream = nb.stream(Purpose::Initialization, "cbow");
    let of_contexts = FullSoftmax::new(words, config.embed_size, &mut stream, &device)?;
    show_probabilities(nb, &of_contexts, &corpus, context, &[*center])?;
    let likelihood = log_likelihood(&rows(&of_contexts.v)?, &rows(&of_contexts.u)?, &cbow);
    nb.say(format!("log-likelihood of the corpus, {} centers: {likelihood:.3}", cbow.len()))?;

    nb.cell("CBOW model training")?;
    compare_gradients(nb, "cbow", &of_contexts, &corpus, &cbow)?;
    train(nb, "cbow", &of_contexts, &cbow, config)?;
    show_probabilities(nb, &of_contexts, &corpus, context, &[*center])?;

    nb.cell("What the vectors learned")?;
    let tables = [one_hot, rows(&of_centers.v)?, rows(&of_contexts.v)?];
    let mut table = Table::new(["cosine similarity", "one-hot", "skip-gram", "CBOW"]);
    for (one, other) in [("son", "daughter"), ("man", "woman"), ("son", "queen")] {
        let (a, b) = (corpus.id(one)?, corpus.id(other)?);
        let similarities = tables.each_ref().map(|vectors| cosine_similarity(&vectors[a], &vectors[b]));
        let shown = similarities.iter().map(|similarity| format!("{similarity:.3}"));
        table.row(std::iter::once(format!("{one}, {other}")).chain(shown));
        if other == "daughter" {
            nb.metric("similarity_skip-gram", similarities[1])?;
            nb.metric("similarity_cbow", similarities[2])?;
        }
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-14, "{found:?} {expected:?}");
    }

    fn prediction(given: &[usize], word: usize) -> Prediction {
        Prediction { given: given.to_vec(), word }
    }

    #[test]
    fn gradients_that_fit_in_the_head() {
        // Where the vector 1 is given, the words' scores are ln 3 and 0: their probabilities 3/4 and 1/4.
        let (v, u) = (vec![vec![1.0], vec![5.0]], vec![vec![3f64.ln()], vec![0.0]]);
        near(&probabilities(&u, &v[0]), &[0.75, 0.25]);
        let to_the_second = [prediction(&[0], 1)];
        assert!((log_likelihood(&v, &u, &to_the_second) - 0.25f64.ln()).abs() < 1e-15);
        let [by_v, by_u] = log_likelihood_gradient(&v, &u, &to_the_second);
        near(&by_v.concat(), &[-0.75 * 3f64.ln(), 0.0]);
        near(&by_u.concat(), &[-0.75, 0.75]);
        // Two vectors with the mean 1: each gets half of it.
        let v = vec![vec![2.0], vec![0.0]];
        let [by_v, by_u] = log_likelihood_gradient(&v, &u, &[prediction(&[0, 1], 1)]);
        near(&by_v.concat(), &[-0.375 * 3f64.ln(), -0.375 * 3f64.ln()]);
        near(&by_u.concat(), &[-0.75, 0.75]);
    }

    #[test]
    fn large_scores_overflow_nothing() {
        near(&probabilities(&[vec![1e4], vec![-1e4], vec![1e4]], &[1.0]), &[0.5, 0.0, 0.5]);
    }

    #[test]
    fn formulas_and_autograd_agree_for_all_sizes_of_windows() -> Result<()> {
        let corpus = LittleCorpus::new(&FAMILIES);
        let words = corpus.words.len();
        for (seed, window_size) in [(1, 1), (2, 2), (3, 4)] {
            for predictions in [Prediction::skip_gram(&corpus, window_size), Prediction::cbow(&corpus, window_size)] {
                let mut stream = Random::new(seed).stream(Purpose::Initialization, "test");
                let mut vectors = || initial_vectors(&mut stream, 1.0, (words, 5), &Device::Cpu);
                let model = FullSoftmax { v: vectors()?, u: vectors()? };
                let examples = Prediction::tensors(&predictions, words, &Device::Cpu)?;
                let loss = model.loss(&examples, Reduction::Sum)?;
                let likelihood = log_likelihood(&rows(&model.v)?, &rows(&model.u)?, &predictions);
                assert!((loss.to_scalar::<f64>()? + likelihood).abs() < 1e-10, "{likelihood}");
                let grads = backward(&loss.neg()?)?;
                let by_formula = log_likelihood_gradient(&rows(&model.v)?, &rows(&model.u)?, &predictions);
                let error = largest_difference(&by_formula, [grads.get(&model.v)?, grads.get(&model.u)?])?;
                assert!(error < 1e-12, "seed {seed}: {error}");
                // Every word is given and predicted somewhere, so each of its vectors moves.
                assert!(by_formula.iter().flatten().all(|row| row.iter().any(|&g| g != 0.0 && g.is_finite())));
            }
        }
        Ok(())
    }

    #[test]
    fn the_mean_of_one_vector_is_that_vector() {
        let v = [vec![1.0, -2.0], vec![0.5, 3.0]];
        near(&mean_vector(&v, &[1]), &v[1]);
        near(&mean_vector(&v, &[0, 1]), &[0.75, 0.5]);
        near(&mean_vector(&v, &[0, 0, 1, 1]), &[0.75, 0.5]);
    }
}
