//! 14.2 Approximate Training
//!
//! Two ways around a softmax over all words, negative sampling and hierarchical softmax: both ask a few questions with
//! the answers yes and no. Their losses, their gradients by hand and by autograd, and the products that they take.
//!
//! `cargo run --release -p nlp-pretraining -- approx-training`
//! At once: gradients the same to 1e-12, probabilities that sum to 1; for 6,719 words 9.2 products in place of 6,719.

use anyhow::Context;
use d2l::notebook::within;
use d2l::ops::{binary_cross_entropy_with_logits, embedding, sum};
use d2l::prelude::*;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;

use crate::huffman::{HuffmanTree, sigmoid};
use crate::little_corpus::{FAMILIES, LittleCorpus, Prediction};
use crate::plain_vectors::{Rows, add_scaled, dot, initial_vectors, largest_difference, rows, zeros};

/// Sizes; the book, which trains nothing here, has none.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Numbers in a word vector
    #[arg(long, default_value_t = 8, value_parser = within::<1, 1000>)]
    pub embed_size: usize,
    /// Words on either side of a center that belong to its context
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub window_size: usize,
    /// Noise words for each context word
    #[arg(long, default_value_t = 5, value_parser = within::<1, 1000>)]
    pub num_noise_words: usize,
    /// Words of the largest vocabulary whose products are counted
    #[arg(long, default_value_t = 6719, value_parser = within::<2, 1_000_000>)]
    pub num_words: usize,
}

defaults! { Config: Smoke { num_words: 1000 } }

/// A question about a center with the answer that is right: whether the vector `u` of a row agrees with the center's `v`.
/// The model answers yes with the probability `σ(uᵀ v)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// A word.
    pub center: usize,
    /// A word, or an inner node of a tree.
    pub row: usize,
    /// The right answer.
    pub yes: bool,
}

/// Negative sampling: is this word from the center's window? Yes for each of the window's words, no for
/// `num_noise_words` drawn for each of them, which are from outside of the window. A word is drawn as often as
/// its count to the power of 0.75 says.
pub fn negative_sampling(
    corpus: &LittleCorpus,
    window_size: usize,
    num_noise_words: usize,
    stream: &mut Stream,
) -> anyhow::Result<Vec<Question>> {
    let mut questions = Vec::new();
    for Prediction { given: window, word: center } in Prediction::cbow(corpus, window_size) {
        let weight = |(word, &count): (usize, &usize)| {
            if window.contains(&word) { 0.0 } else { (count as f64).powf(0.75) }
        };
        let noise = WeightedIndex::<f64>::new(corpus.counts.iter().enumerate().map(weight));
        let noise = noise.context("a window has all words: there is no noise to draw")?;
        for &row in &window {
            questions.push(Question { center, row, yes: true });
            questions.extend((0..num_noise_words).map(|_| Question { center, row: noise.sample(stream), yes: false }));
        }
    }
    Ok(questions)
}

/// Hierarchical softmax: does the way to this context word go to the left here? One question at each inner node on it.
pub fn hierarchical_softmax(skip_gram: &[Prediction], tree: &HuffmanTree) -> Vec<Question> {
    let questions = |Prediction { given, word }: &Prediction| {
        let (center, path) = (given[0], tree.path(*word).into_iter());
        path.map(move |turn| Question { center, row: turn.node, yes: turn.left })
    };
    skip_gram.iter().flat_map(questions).collect()
}

/// The loss `−Σ ln σ(±uᵀ v)`, plus where the answer is yes, from tables `v` `(words, dimension)` and `u`
/// `(rows, dimension)`.
pub fn loss(v: &Tensor, u: &Tensor, questions: &[Question]) -> Result<Tensor> {
    let ids = |id: fn(&Question) -> usize| {
        Tensor::new(questions.iter().map(|question| id(question) as u32).collect::<Vec<_>>(), v.device())
    };
    let centers = embedding(&ids(|question| question.center)?, v)?; // (questions, dimension)
    let asked = embedding(&ids(|question| question.row)?, u)?; // (questions, dimension)
    let logits = sum(&(centers * asked)?, 1)?; // (questions)
    let answers: Vec<f64> = questions.iter().map(|question| f64::from(question.yes)).collect();
    binary_cross_entropy_with_logits(&logits, &Tensor::new(answers, v.device())?, Reduction::Sum)
}

/// The gradients of [`loss`] for `v` and for `u` by the formulas: for each question, `(σ(uᵀ v) − 1) u` and
/// `(σ(uᵀ v) − 1) v` where the answer is yes, `σ(uᵀ v) u` and `σ(uᵀ v) v` where it is no.
pub fn loss_gradient(v: &[Vec<f64>], u: &[Vec<f64>], questions: &[Question]) -> [Rows; 2] {
    let mut gradients = [v, u].map(zeros);
    for &Question { center, row, yes } in questions {
        let error = sigmoid(dot(&u[row], &v[center])) - f64::from(yes);
        add_scaled(&mut gradients[0][center], error, &u[row]);
        add_scaled(&mut gradients[1][row], error, &v[center]);
    }
    gradients
}

/// Holds the gradients of the loss by the formulas against autograd's.
fn compare_gradients(nb: &mut Notebook, name: &str, v: &Var, u: &Var, questions: &[Question]) -> anyhow::Result<()> {
    let loss = loss(v, u, questions)?;
    let grads = backward(&loss)?;
    let by_formula = loss_gradient(&rows(v)?, &rows(u)?, questions);
    let error = largest_difference(&by_formula, [grads.get(v)?, grads.get(u)?])?;
    let loss = loss.detach().to_scalar::<f64>()?;
    nb.say(format!("{} questions, loss {loss:.3}", questions.len()))?;
    nb.say(format!("largest difference of a gradient by the formula and by autograd: {error:.1e}"))?;
    nb.metric(&format!("gradient_difference_{name}"), error)
}

/// Counts of so many words by Zipf's law: the word of rank `r` occurs as often as the first over `r`, the last of them ten
/// times.
pub fn zipf_counts(words: usize) -> Vec<usize> {
    (1..=words).map(|rank| 10 * words / rank).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Negative sampling")?;
    let device = nb.device().clone();
    let corpus = LittleCorpus::new(&FAMILIES);
    let words = corpus.words.len();
    let mut stream = nb.stream(Purpose::Initialization, "vectors");
    let mut vectors = |rows: usize| initial_vectors(&mut stream, 0.5, (rows, config.embed_size), &device);
    let (v, u) = (vectors(words)?, vectors(words)?);
    let noise_words = config.num_noise_words;
    let questions = negative_sampling(&corpus, config.window_size, noise_words, nb.sampling())?;
    let mut table = Table::new(["center", "word", "in the window", "P(right answer)"]);
    let (v_rows, u_rows) = (rows(&v)?, rows(&u)?);
    for &Question { center, row, yes } in questions.iter().take(1 + noise_words) {
        let score = dot(&u_rows[row], &v_rows[center]);
        let right = sigmoid(if yes { score } else { -score });
        let answer = if yes { "yes" } else { "no" };
        table.row([corpus.words[center].into(), corpus.words[row].into(), answer.into(), format!("{right:.4}")]);
    }
    nb.say(table)?;
    let first = loss(&v, &u, &questions[..=noise_words])?.detach().to_scalar::<f64>()?;
    nb.say(format!("loss of the first context word, -ln of their product: {first:.4}"))?;
    compare_gradients(nb, "negative-sampling", &v, &u, &questions)?;

    nb.cell("Hierarchical softmax")?;
    let tree = HuffmanTree::new(&corpus.counts)?;
    let nodes = vectors(tree.inner_nodes())?; // (inner nodes, dimension)
    let node_rows = rows(&nodes)?;
    let given = |center: &Vec<f64>| {
        let scores: Vec<f64> = node_rows.iter().map(|u| dot(u, center)).collect();
        tree.probabilities(&scores)
    };
    let given_loves = given(&v_rows[corpus.id("loves")?]);
    let mut table = Table::new(["word", "count", "code", "products", "P(word | loves)"]);
    for (word, (count, probability)) in corpus.counts.iter().zip(&given_loves).enumerate() {
        let (code, products) = (tree.code(word), tree.path(word).len().to_string());
        table.row([corpus.words[word].into(), count.to_string(), code, products, format!("{probability:.4}")]);
    }
    nb.say(table)?;
    nb.say(format!("their sum: {:.12}", given_loves.iter().sum::<f64>()))?;
    let furthest = v_rows.iter().map(|center| (given(center).iter().sum::<f64>() - 1.0).abs()).fold(0.0, f64::max);
    nb.say(format!("over all centers, the sum that is furthest from 1 differs by {furthest:.1e}"))?;
    nb.metric("probability_sum_error", furthest)?;
    let alt = "The Huffman tree of the words: inner nodes with their counts, frequent words near the root";
    nb.figure("huffman-tree", alt, tree.graph(&corpus.words))?;
    let skip_gram = Prediction::skip_gram(&corpus, config.window_size);
    compare_gradients(nb, "hierarchical-softmax", &v, &nodes, &hierarchical_softmax(&skip_gram, &tree))?;

    nb.cell("Products for a word")?;
    let mut table = Table::new(["words", "full softmax", "hierarchical, mean", "most", "negative sampling"]);
    let mut row = |tree: &HuffmanTree| {
        let (words, most) = (tree.words().to_string(), tree.lengths().into_iter().max().unwrap_or(0));
        let mean = format!("{:.3}", tree.products_per_word());
        table.row([words.clone(), words, mean, most.to_string(), (1 + noise_words).to_string()]);
    };
    row(&tree);
    let doubled =
        std::iter::successors(Some(10), |words| Some(words * 2)).take_while(|&words| words < config.num_words);
    let sizes: Vec<usize> = doubled.chain([config.num_words]).collect();
    let mut means = Vec::with_capacity(sizes.len());
    for &size in &sizes {
        let tree = HuffmanTree::new(&zipf_counts(size))?;
        row(&tree);
        means.push(tree.products_per_word());
    }
    nb.say(table)?;
    let chart = Chart::new().x_label("words").y_label("products for a context word").log_x().log_y();
    let chart = chart.line("full softmax", &sizes, &sizes).line("hierarchical softmax", &sizes, &means);
    let chart = chart.line("negative sampling", &sizes, &vec![1 + noise_words; sizes.len()]);
    let alt =
        "Products by the size of the vocabulary: full softmax as many as words, hierarchical softmax their logarithm";
    nb.figure("products", alt, chart)?;
    nb.metric("products_per_word", tree.products_per_word())?;
    nb.metric("products_per_word_zipf", means[means.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64) -> Stream {
        Random::new(seed).stream(Purpose::Sampling, "test")
    }

    #[test]
    fn losses_and_gradients_that_fit_in_the_head() -> Result<()> {
        // Scores 0 and ln 3: yes has the probabilities 1/2 and 3/4.
        let (v, u) = (vec![vec![1.0]], vec![vec![0.0], vec![3f64.ln()]]);
        let questions = [Question { center: 0, row: 0, yes: true }, Question { center: 0, row: 1, yes: false }];
        let [by_v, by_u] = loss_gradient(&v, &u, &questions);
        let expected = [0.75 * 3f64.ln(), -0.5, 0.75];
        for (found, expected) in by_v.concat().into_iter().chain(by_u.concat()).zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        let loss = loss(&Tensor::new(v, &Device::Cpu)?, &Tensor::new(u, &Device::Cpu)?, &questions)?;
        assert!((loss.to_scalar::<f64>()? - 8f64.ln()).abs() < 1e-14, "{loss}"); // -ln (1/2 · 1/4)
        Ok(())
    }

    #[test]
    fn noise_is_from_outside_of_the_window() -> anyhow::Result<()> {
        let corpus = LittleCorpus::new(&FAMILIES);
        let questions = negative_sampling(&corpus, 2, 7, &mut stream(1))?;
        let windows = Prediction::cbow(&corpus, 2);
        let context_words: usize = windows.iter().map(|window| window.given.len()).sum();
        assert_eq!(questions.len(), 8 * context_words);
        let mut questions = questions.into_iter();
        for Prediction { given, word } in windows {
            for &context in &given {
                assert_eq!(questions.next(), Some(Question { center: word, row: context, yes: true }));
                for noise in questions.by_ref().take(7) {
                    assert!(!noise.yes && noise.center == word && !given.contains(&noise.row), "{noise:?}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn frequent_words_are_noise_more_often_and_no_noise_is_an_error() -> anyhow::Result<()> {
        // Around "a" is "b" alone. Of the rest "c" occurs 16 times and "d" once: their weights are 8 and 1.
        let sentence = format!("a b {}d", "c ".repeat(16));
        let corpus = LittleCorpus::new(&[sentence.as_str()]);
        let (a, c, d) = (corpus.id("a")?, corpus.id("c")?, corpus.id("d")?);
        let drawn = negative_sampling(&corpus, 1, 9000, &mut stream(2))?;
        let of_a = |row: usize| drawn.iter().filter(|q| q.center == a && q.row == row && !q.yes).count() as f64;
        assert!((of_a(c) / of_a(d) - 8.0).abs() < 1.0, "{} {}", of_a(c), of_a(d));
        let error = negative_sampling(&LittleCorpus::new(&["a a"]), 1, 1, &mut stream(1)).expect_err("no noise");
        assert!(error.to_string().contains("no noise"), "{error}");
        Ok(())
    }

    #[test]
    fn formulas_and_autograd_agree() -> anyhow::Result<()> {
        let corpus = LittleCorpus::new(&FAMILIES);
        let tree = HuffmanTree::new(&corpus.counts)?;
        let skip_gram = Prediction::skip_gram(&corpus, 2);
        for seed in 1..4 {
            for questions in
                [negative_sampling(&corpus, 2, 3, &mut stream(seed))?, hierarchical_softmax(&skip_gram, &tree)]
            {
                let mut stream = stream(seed);
                let mut vectors = || initial_vectors(&mut stream, 1.0, (corpus.words.len(), 4), &Device::Cpu);
                let (v, u) = (vectors()?, vectors()?);
                let grads = backward(&loss(&v, &u, &questions)?)?;
                let by_formula = loss_gradient(&rows(&v)?, &rows(&u)?, &questions);
                let error = largest_difference(&by_formula, [grads.get(&v)?, grads.get(&u)?])?;
                assert!(error < 1e-12, "seed {seed}: {error}");
            }
        }
        Ok(())
    }

    #[test]
    fn the_loss_of_a_path_is_that_of_its_words_probability() -> anyhow::Result<()> {
        let corpus = LittleCorpus::new(&FAMILIES);
        let tree = HuffmanTree::new(&corpus.counts)?;
        let mut stream = stream(5);
        let v = initial_vectors(&mut stream, 1.0, (corpus.words.len(), 4), &Device::Cpu)?;
        let u = initial_vectors(&mut stream, 1.0, (tree.inner_nodes(), 4), &Device::Cpu)?;
        let (v_rows, u_rows) = (rows(&v)?, rows(&u)?);
        for prediction in Prediction::skip_gram(&corpus, 2) {
            let scores: Vec<f64> = u_rows.iter().map(|u| dot(u, &v_rows[prediction.given[0]])).collect();
            let probability = tree.probabilities(&scores)[prediction.word];
            let loss = loss(&v, &u, &hierarchical_softmax(&[prediction], &tree))?.to_scalar::<f64>()?;
            assert!((loss + probability.ln()).abs() < 1e-12, "{loss} {probability}");
        }
        Ok(())
    }

    #[test]
    fn counts_fall_as_one_over_the_rank() {
        assert_eq!(zipf_counts(5), [50, 25, 16, 12, 10]);
    }
}
