//! 15.5 Natural Language Inference: Using Attention
//!
//! Words of a premise and of a hypothesis are aligned by attention, compared and summed up: no recurrence, no convolution.
//!
//! `cargo run --release -p nlp-applications -- natural-language-inference-attention`
//! Four epochs on all 549,367 pairs: training accuracy 0.80, test accuracy 0.82; on the 18,172 that stand in, 0.45 and 0.51.

use candle_core::bail;
use d2l::data::{PAD, truncate_pad};
use d2l::nn::{Dropout, Embedding, Linear};
use d2l::ops::{concat, matmul, relu, softmax, sum};
use d2l::optim::Adam;
use d2l::plot::HeatMaps;
use d2l::prelude::*;
use d2l::text::Vocab;
use d2l::train::TrainError;
use nlp_pretraining::sections::similarity_analogy::PretrainedSet;

use crate::snli::{CONTRADICTION, RELATIONS, Snli};
use crate::snli_examples::InferenceExamples;
use crate::text_vectors::{count_known, load_vectors, vectors_of_vocabulary};

/// Hyperparameters; the defaults are the book's but for the word vectors, which have 100 numbers there.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a sentence: longer ones are cut, shorter ones filled up
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub num_steps: usize,
    /// The word vectors that the embedding begins with; the book's are glove.6b.100d
    #[arg(long, value_enum, default_value_t = PretrainedSet::Glove6B50)]
    pub embedding: PretrainedSet,
    /// Units of each layer
    #[arg(long, default_value_t = 200, value_parser = count)]
    pub num_hiddens: usize,
    /// The share that training drops before each layer
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training pairs
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub num_epochs: usize,
    /// Training pairs to use, the first of the set [default: all]
    #[arg(long, value_parser = count)]
    pub examples: Option<usize>,
}

defaults! { Config, on a CPU Laptop:
    Laptop { examples: 20000 }
    Smoke { batch_size: 16, num_steps: 12, num_hiddens: 32, lr: 0.005, num_epochs: 5 }
}

/// Dropout, a linear layer and ReLU, twice: from `(…, inputs)` to `(…, hiddens)`.
#[doc(alias = "mlp")]
pub fn perceptron(inputs: usize, hiddens: usize, dropout: f64, vb: &VarBuilder) -> Result<Sequential> {
    let net = Sequential::with_parameters(vb)
        .layer("dropout1", |vb| Dropout::new(dropout, vb))?
        .layer("layer1", |vb| Linear::new(inputs, hiddens, vb))?
        .add(relu)
        .layer("dropout2", |vb| Dropout::new(dropout, vb))?
        .layer("layer2", |vb| Linear::new(hiddens, hiddens, vb))?
        .add(relu);
    Ok(net)
}

/// Aligns each word of one sentence with those of the other, softly. Padding is no exception: as in the book it is looked at
/// like any word.
pub struct Attend {
    f: Sequential,
}

impl Attend {
    /// For words of `inputs` features.
    pub fn new(inputs: usize, hiddens: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { f: perceptron(inputs, hiddens, dropout, &vb.pp("f"))? })
    }

    /// How well each word of `a` `(batch, m, features)` goes with each of `b` `(batch, n, features)`: `f(aᵢ)ᵀ f(bⱼ)`,
    /// `(batch, m, n)`.
    pub fn scores_t(&self, a: &Tensor, b: &Tensor, train: bool) -> Result<Tensor> {
        let (f_a, f_b) = (self.f.forward_t(a, train)?, self.f.forward_t(b, train)?); // (batch, m or n, hiddens)
        matmul(&f_a, &f_b.transpose(1, 2)?) // (batch, m, n)
    }

    /// What of `b` goes with each word of `a`, the book's `beta` `(batch, m, features)`, and what of `a` with each word of
    /// `b`, its `alpha` `(batch, n, features)`.
    pub fn forward_t(&self, a: &Tensor, b: &Tensor, train: bool) -> Result<(Tensor, Tensor)> {
        let e = self.scores_t(a, b, train)?; // (batch, m, n)
        let beta = matmul(&softmax(&e, 2)?, b)?; // (batch, m, features)
        let alpha = matmul(&softmax(&e, 1)?.transpose(1, 2)?, a)?; // (batch, n, features)
        Ok((beta, alpha))
    }
}

/// Compares each word with what it is aligned with.
pub struct Compare {
    g: Sequential,
}

impl Compare {
    /// For words and what they are aligned with of `inputs` features together.
    pub fn new(inputs: usize, hiddens: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { g: perceptron(inputs, hiddens, dropout, &vb.pp("g"))? })
    }

    /// Vectors `(batch, m, hiddens)` for the words of `a` and `(batch, n, hiddens)` for those of `b`.
    pub fn forward_t(
        &self,
        a: &Tensor,
        b: &Tensor,
        beta: &Tensor,
        alpha: &Tensor,
        train: bool,
    ) -> Result<(Tensor, Tensor)> {
        let compare = |words: &Tensor, aligned: &Tensor| {
            let both = concat(&[words.clone(), aligned.clone()], 2)?; // (batch, words, 2 features)
            self.g.forward_t(&both, train) // (batch, words, hiddens)
        };
        Ok((compare(a, beta)?, compare(b, alpha)?))
    }
}

/// Sums up the comparisons of each sentence, and tells the relation from both sums.
pub struct Aggregate {
    h: Sequential,
    output: Linear,
}

impl Aggregate {
    /// For both sums, `inputs` features together.
    pub fn new(inputs: usize, hiddens: usize, outputs: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            h: perceptron(inputs, hiddens, dropout, &vb.pp("h"))?,
            output: Linear::new(hiddens, outputs, &vb.pp("output"))?,
        })
    }

    /// From `(batch, m, hiddens)` and `(batch, n, hiddens)` to logits `(batch, outputs)`.
    pub fn forward_t(&self, v_a: &Tensor, v_b: &Tensor, train: bool) -> Result<Tensor> {
        let sums = concat(&[sum(v_a, 1)?, sum(v_b, 1)?], 1)?; // (batch, 2 hiddens)
        self.output.forward(&self.h.forward_t(&sums, train)?) // (batch, outputs)
    }
}

/// The model of Parikh et al. (2016): three steps, each of which applies a perceptron.
pub struct DecomposableAttention {
    /// The vectors of words, trained with the rest.
    pub embedding: Embedding,
    attend: Attend,
    compare: Compare,
    aggregate: Aggregate,
}

impl DecomposableAttention {
    /// A model of `vocabulary` words with `embed` features, and of perceptrons with `hiddens` units.
    pub fn new(vocabulary: usize, embed: usize, hiddens: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(vocabulary, embed, &vb.pp("embedding"))?,
            attend: Attend::new(embed, hiddens, dropout, &vb.pp("attend"))?,
            compare: Compare::new(2 * embed, hiddens, dropout, &vb.pp("compare"))?,
            aggregate: Aggregate::new(2 * hiddens, hiddens, RELATIONS.len(), dropout, &vb.pp("aggregate"))?,
        })
    }

    /// Premises `(batch, m)` and hypotheses `(batch, n)` of ids to logits of [`RELATIONS`] `(batch, 3)`.
    pub fn forward_t(&self, premises: &Tensor, hypotheses: &Tensor, train: bool) -> Result<Tensor> {
        let a = self.embedding.forward(premises)?; // (batch, m, embed)
        let b = self.embedding.forward(hypotheses)?; // (batch, n, embed)
        let (beta, alpha) = self.attend.forward_t(&a, &b, train)?;
        let (v_a, v_b) = self.compare.forward_t(&a, &b, &beta, &alpha, train)?;
        self.aggregate.forward_t(&v_a, &v_b, train)
    }

    /// How much each word of the premises looks at each of the hypotheses, `(batch, m, n)`; the sum of a row is 1.
    pub fn alignment(&self, premises: &Tensor, hypotheses: &Tensor) -> Result<Tensor> {
        let (a, b) = (self.embedding.forward(premises)?, self.embedding.forward(hypotheses)?);
        Ok(softmax(&self.attend.scores_t(&a, &b, false)?, 2)?.detach())
    }
}

/// Trains by Adam on the mean cross-entropy; the book takes the sum, which to Adam is the same. The history has `train_loss`,
/// `train_acc` and, of `test`, `test_acc`.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "split_batch_multi_inputs")]
pub fn train_pairs<'a>(
    trainer: Trainer<'a>,
    net: &'a DecomposableAttention,
    parameters: &Parameters,
    train: &mut Loader<InferenceExamples>,
    test: &'a mut Loader<InferenceExamples>,
    lr: f64,
) -> Result<History, TrainError> {
    let mut optimizer = Adam::new(parameters, lr);
    let trainer = trainer.with(parameters).with(&optimizer).each_epoch(move |epoch| {
        let guesses = guess_labels(net, test)?;
        epoch.metric("test_acc", share_right(&guesses, test.dataset().labels()))
    });
    trainer.run(train, |step, (premises, hypotheses, labels)| {
        let logits = net.forward_t(&premises, &hypotheses, true)?; // (batch, 3)
        let loss = cross_entropy(&logits, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.accuracy(&logits, &labels)?;
        step.loss(&loss, labels.elem_count())
    })
}

/// The label that the net gives each pair, in the loader's order.
pub fn guess_labels(net: &DecomposableAttention, pairs: &mut Loader<InferenceExamples>) -> Result<Vec<u32>> {
    let mut guesses = Vec::with_capacity(pairs.examples());
    for batch in pairs.epoch() {
        let (premises, hypotheses, _) = batch?;
        let logits = net.forward_t(&premises, &hypotheses, false)?.detach(); // (batch, 3)
        guesses.extend(logits.argmax(D::Minus1)?.to_vec1::<u32>()?);
    }
    Ok(guesses)
}

fn share_right(guesses: &[u32], labels: &[u32]) -> f64 {
    let right = guesses.iter().zip(labels).filter(|(guess, label)| guess == label).count();
    right as f64 / labels.len().max(1) as f64
}

/// How often pairs of each label, a row, were given each label, a column.
pub fn confusions(guesses: &[u32], labels: &[u32]) -> [[usize; 3]; 3] {
    let mut counts = [[0usize; 3]; 3];
    for (&guess, &label) in guesses.iter().zip(labels) {
        if let Some(count) = counts.get_mut(label as usize).and_then(|row| row.get_mut(guess as usize)) {
            *count += 1;
        }
    }
    counts
}

/// A sentence as a minibatch of ids `(1, steps)`: cut or filled up to `num_steps` tokens where that is given.
fn ids(vocab: &Vocab, words: &[&str], num_steps: Option<usize>, device: &Device) -> Result<Tensor> {
    if words.is_empty() {
        bail!("a sentence needs at least one word to tell its relation to another");
    }
    let mut ids = vocab.ids(words);
    if let Some(num_steps) = num_steps {
        ids = truncate_pad(&ids, num_steps, vocab.id(PAD));
    }
    Tensor::new(ids, device)?.unsqueeze(0)
}

/// The probabilities of [`RELATIONS`] for two sentences, filled up to `num_steps` tokens, as while training, or as they are.
///
/// # Errors
/// Where a sentence has no words.
pub fn relation_probabilities(
    net: &DecomposableAttention,
    vocab: &Vocab,
    premise: &[&str],
    hypothesis: &[&str],
    num_steps: Option<usize>,
) -> Result<Vec<f32>> {
    let row = |words: &[&str]| ids(vocab, words, num_steps, net.embedding.weight().device()); // (1, steps)
    let logits = net.forward_t(&row(premise)?, &row(hypothesis)?, false)?; // (1, 3)
    softmax(&logits.detach(), 1)?.squeeze(0)?.to_vec1()
}

/// The relation of a hypothesis to a premise, the most probable of [`RELATIONS`]. As in the book the sentences are not
/// filled up, though all that the net was trained on were.
///
/// # Errors
/// Where a sentence has no words.
pub fn predict_snli(
    net: &DecomposableAttention,
    vocab: &Vocab,
    premise: &[&str],
    hypothesis: &[&str],
) -> Result<&'static str> {
    Ok(most_probable(&relation_probabilities(net, vocab, premise, hypothesis, None)?))
}

/// The relation with the largest of three probabilities.
fn most_probable(probabilities: &[f32]) -> &'static str {
    let pairs = RELATIONS.into_iter().zip(probabilities);
    pairs.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(RELATIONS[0], |(relation, _)| relation)
}

/// Draws how much each word of a premise looks at each word of a hypothesis; where both are filled up to `num_steps` tokens, as
/// while training, also at all the padding after it, in a last column. Gives the mean share of the padding.
fn show_alignment(
    nb: &mut Notebook,
    name: &str,
    net: &DecomposableAttention,
    vocab: &Vocab,
    [premise, hypothesis]: [&[&str]; 2],
    num_steps: Option<usize>,
) -> anyhow::Result<f64> {
    let row = |words: &[&str]| ids(vocab, words, num_steps, nb.device()); // (1, steps)
    let weights = net.alignment(&row(premise)?, &row(hypothesis)?)?; // (1, steps, steps)
    let (_, steps, other_steps) = weights.dims3()?;
    let (m, n) = (premise.len().min(steps), hypothesis.len().min(other_steps));
    let weights = weights.i((0, ..m, ..n))?; // (m, n)
    let padding = relu(&weights.sum_keepdim(1)?.affine(-1.0, 1.0)?)?; // (m, 1), by rounding no less than nothing
    let all = Tensor::cat(&[&weights, &padding], 1)?; // (m, n + 1)
    let (weights, last, more) =
        if num_steps.is_some() { (all, Some(PAD), ", and at padding") } else { (weights, None, "") };
    let (columns, rows) = (hypothesis[..n].iter().copied().chain(last), premise[..m].iter().copied());
    let map = HeatMaps::new(&weights)?.x_words(columns).y_words(rows).x_label("hypothesis").y_label("premise");
    let (premise, hypothesis) = (premise.join(" "), hypothesis.join(" "));
    nb.figure(name, &format!("How much each word of \"{premise}\" looks at each of \"{hypothesis}\"{more}"), map)?;
    Ok(f64::from(padding.mean_all()?.to_scalar::<f32>()?))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Attending")?;
    let Config { num_steps, num_hiddens: hiddens, dropout, .. } = *config;
    let untrained = nb.parameters();
    let vb = untrained.builder();
    // As long as "i do need sleep" and "i am tired", of words with 100 features.
    let (a, b) = (nb.normal((1, 4, 100))?, nb.normal((1, 3, 100))?);
    let (beta, alpha) = Attend::new(100, hiddens, dropout, &vb.pp("attend"))?.forward_t(&a, &b, false)?;
    nb.say(format!("A {:?}, B {:?}: beta {:?}, alpha {:?}", a.dims(), b.dims(), beta.dims(), alpha.dims()))?;

    nb.cell("Comparing")?;
    let compare = Compare::new(2 * 100, hiddens, dropout, &vb.pp("compare"))?;
    let (v_a, v_b) = compare.forward_t(&a, &b, &beta, &alpha, false)?;
    nb.say(format!("V_A {:?}, V_B {:?}", v_a.dims(), v_b.dims()))?;

    nb.cell("Aggregating")?;
    let aggregate = Aggregate::new(2 * hiddens, hiddens, RELATIONS.len(), dropout, &vb.pp("aggregate"))?;
    nb.say(format!("logits {:?}", aggregate.forward_t(&v_a, &v_b, false)?.dims()))?;

    nb.cell("Putting all things together")?;
    let net = DecomposableAttention::new(10, 100, hiddens, dropout, &vb)?; // of the layers above
    let ids = Tensor::ones((2, num_steps), DType::U32, nb.device())?;
    nb.say(format!("{:?}, {} parameters", net.forward_t(&ids, &ids, false)?.dims(), untrained.count()))?;

    nb.cell("Reading the dataset")?;
    let snli = nb.load::<Snli>()?.first(config.examples);
    let shuffle = nb.stream(Purpose::Shuffling, "training pairs");
    let (mut train, mut test) = snli.load(config.batch_size, num_steps, shuffle, nb.device())?;
    let vocab = train.dataset().vocab.clone();
    nb.say(format!("{} training and {} test pairs, {} ids", train.examples(), test.examples(), vocab.len()))?;

    nb.cell("Creating the model")?;
    let vectors = load_vectors(config.embedding, nb)?;
    let parameters = nb.parameters();
    let net = DecomposableAttention::new(vocab.len(), vectors.dimension(), hiddens, dropout, &parameters.builder())?;
    if let Some(weight) = parameters.get("embedding.weight") {
        weight.set(&vectors_of_vocabulary(&vectors, &vocab, nb.device())?)?; // (vocabulary, embed)
    }
    let without_vector = vocab.len() - count_known(&vectors, &vocab);
    nb.say(format!("{} parameters; {without_vector} of {} words begin with zeros", parameters.count(), vocab.len()))?;
    nb.metric("words_without_vector", without_vector as f64)?;

    nb.cell("Training and evaluating the model")?;
    let trainer = nb.trainer(config.num_epochs);
    let history = train_pairs(trainer, &net, &parameters, &mut train, &mut test, config.lr)?;
    nb.training(&history)?;

    nb.cell("Using the model")?;
    let (premise, hypothesis) = (["he", "is", "good", "."], ["he", "is", "bad", "."]);
    nb.say(predict_snli(&net, &vocab, &premise, &hypothesis)?)?;

    nb.cell("With and without padding")?;
    let mut table = Table::new(["tokens"].into_iter().chain(RELATIONS));
    for (suffix, steps) in [("", None), ("_padded", Some(num_steps))] {
        let probabilities = relation_probabilities(&net, &vocab, &premise, &hypothesis, steps)?;
        let cells = probabilities.iter().map(|probability| format!("{probability:.3}"));
        table.row([steps.unwrap_or(premise.len()).to_string()].into_iter().chain(cells));
        let contradiction = f64::from(probabilities[CONTRADICTION as usize]);
        nb.metric(&format!("good_bad_contradiction{suffix}"), contradiction)?;
    }
    nb.say(table)?;

    nb.cell("What is taken for what")?;
    let guesses = guess_labels(&net, &mut test)?;
    let labels = test.dataset().labels();
    let mut table = Table::new(["label"].into_iter().chain(RELATIONS).chain(["right"]));
    for (label, row) in confusions(&guesses, labels).into_iter().enumerate() {
        let right = row[label] as f64 / row.iter().sum::<usize>().max(1) as f64;
        let cells = row.iter().map(ToString::to_string).chain([format!("{right:.3}")]);
        table.row([RELATIONS[label].to_string()].into_iter().chain(cells));
        nb.metric(&format!("test_acc_{}", RELATIONS[label]), right)?;
    }
    nb.say(table)?;

    nb.cell("The first mistakes")?;
    for relation in 0..RELATIONS.len() as u32 {
        let wrong = |&index: &usize| labels[index] == relation && guesses[index] != relation;
        let Some(index) = (0..labels.len()).find(wrong) else { continue };
        let (label, guess) = (RELATIONS[relation as usize], RELATIONS[guesses[index] as usize]);
        nb.say(format!("{} / {}: {label}, taken for {guess}", snli.test.premises[index], snli.test.hypotheses[index]))?;
    }

    nb.cell("The alignment")?;
    let tokens = |index: usize| {
        [&snli.test.premises, &snli.test.hypotheses].map(|set| set[index].split_whitespace().collect::<Vec<_>>())
    };
    let is_unknown = |word: &&str| vocab.id(word) == Vocab::UNKNOWN;
    let is_short = |pair: &[Vec<&str>; 2]| pair.iter().all(|words| (1..=12).contains(&words.len()));
    let unknown_words = |pair: &[Vec<&str>; 2]| pair.iter().flatten().filter(|word| is_unknown(word)).count();
    if let Some([premise, hypothesis]) = (0..labels.len()).map(tokens).filter(is_short).min_by_key(unknown_words) {
        show_alignment(nb, "alignment", &net, &vocab, [&premise, &hypothesis], None)?;
    }
    let pair: [&[&str]; 2] = [&["i", "do", "need", "sleep"], &["i", "am", "tired"]];
    let unknown: Vec<&str> = pair.concat().into_iter().filter(is_unknown).collect();
    nb.say(format!("of the other pair's words, unknown and so all alike: {}", unknown.join(" ")))?;
    show_alignment(nb, "alignment-sleep", &net, &vocab, pair, None)?;
    let padding = show_alignment(nb, "alignment-padded", &net, &vocab, pair, Some(num_steps))?;
    nb.say(format!("filled up, {:.1} of 100 parts of the attention go to padding", 100.0 * padding))?;
    nb.metric("padding_attention", padding)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;
    use d2l::random::normal;

    use super::*;

    const CPU: Device = Device::Cpu;

    fn model(dropout: f64) -> Result<(DecomposableAttention, Parameters)> {
        let parameters = Parameters::new(&Random::new(3), &CPU);
        Ok((DecomposableAttention::new(12, 6, 16, dropout, &parameters.builder())?, parameters))
    }

    fn attend() -> Result<(Attend, Tensor, Tensor)> {
        let random = Random::new(5);
        let attend = Attend::new(6, 16, 0.0, &Parameters::new(&random, &CPU).builder())?;
        let mut stream = random.stream(Purpose::Sampling, "words");
        let mut words = |count: usize| normal(&mut stream, 0.0, 1.0, (2, count, 6), &CPU);
        Ok((attend, words(4)?, words(3)?))
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f32> {
        (a - b)?.abs()?.max_all()?.to_scalar()
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = model(0.2)?;
        let premises = Tensor::new(&[[2u32, 3, 4, 1], [5, 6, 1, 1], [7, 8, 9, 10]], &CPU)?;
        let hypotheses = Tensor::new(&[[2u32, 4, 1], [6, 11, 1], [3, 8, 0]], &CPU)?;
        let logits = net.forward_t(&premises, &hypotheses, true)?;
        assert_eq!(logits.dims(), [3, 3]);
        let loss = cross_entropy(&logits, &Tensor::new(&[0u32, 1, 2], &CPU)?, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    #[test]
    fn parameters_are_counted() -> Result<()> {
        let (_, parameters) = model(0.0)?;
        let perceptron = |inputs: usize| (inputs * 16 + 16) + (16 * 16 + 16);
        assert_eq!(parameters.count(), 12 * 6 + perceptron(6) + perceptron(12) + perceptron(32) + (16 * 3 + 3));
        Ok(())
    }

    #[test]
    fn words_are_averaged_by_their_scores() -> Result<()> {
        let (attend, a, b) = attend()?;
        let scores = attend.scores_t(&a, &b, false)?.to_vec3::<f32>()?; // (2, 4, 3)
        let (beta, alpha) = attend.forward_t(&a, &b, false)?;
        let (beta, alpha) = (beta.to_vec3::<f32>()?, alpha.to_vec3::<f32>()?);
        let average = |scores: &[f32], words: &[Vec<f32>], feature: usize| {
            let weights: Vec<f32> = scores.iter().map(|score| score.exp()).collect();
            let sum: f32 = weights.iter().zip(words).map(|(weight, word)| weight * word[feature]).sum();
            sum / weights.iter().sum::<f32>()
        };
        let (words_a, words_b) = (a.to_vec3::<f32>()?, b.to_vec3::<f32>()?);
        for pair in 0..2 {
            for feature in 0..6 {
                for i in 0..4 {
                    let expected = average(&scores[pair][i], &words_b[pair], feature);
                    assert!((beta[pair][i][feature] - expected).abs() < 1e-5);
                }
                for j in 0..3 {
                    let column: Vec<f32> = scores[pair].iter().map(|row| row[j]).collect();
                    let expected = average(&column, &words_a[pair], feature);
                    assert!((alpha[pair][j][feature] - expected).abs() < 1e-5);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn both_sentences_are_treated_alike() -> Result<()> {
        let (attend, a, b) = attend()?;
        let ((beta, alpha), (other_beta, other_alpha)) =
            (attend.forward_t(&a, &b, false)?, attend.forward_t(&b, &a, false)?);
        assert!(largest_difference(&beta, &other_alpha)? < 1e-5);
        assert!(largest_difference(&alpha, &other_beta)? < 1e-5);
        Ok(())
    }

    #[test]
    fn the_order_of_words_does_not_matter_and_padding_does() -> Result<()> {
        let (net, _) = model(0.0)?;
        let premise = Tensor::new(&[[2u32, 3, 4, 5]], &CPU)?;
        let logits = |hypothesis: &[u32]| net.forward_t(&premise, &Tensor::new(hypothesis, &CPU)?.unsqueeze(0)?, false);
        let first = logits(&[6, 7, 8])?;
        assert!(largest_difference(&first, &logits(&[8, 6, 7])?)? < 1e-5);
        assert!(largest_difference(&first, &logits(&[6, 7, 8, 1, 1])?)? > 1e-3, "as in the book it is not masked");
        Ok(())
    }

    #[test]
    fn guesses_are_counted() {
        let counts = confusions(&[0, 0, 1, 2, 1, 7], &[0, 1, 1, 2, 0, 0]);
        assert_eq!(counts, [[1, 1, 0], [1, 1, 0], [0, 0, 1]]);
        assert_eq!((share_right(&[0, 1, 2], &[0, 2, 2]), share_right(&[], &[])), (2.0 / 3.0, 0.0));
        assert_eq!(most_probable(&[0.2, 0.5, 0.3]), "contradiction");
    }

    #[test]
    fn a_sentence_without_words_has_no_relation() -> Result<()> {
        let (net, _) = model(0.0)?;
        let vocab = Vocab::new("a b c d e f g h i j".split(' '), 0, &[PAD]);
        assert!(RELATIONS.contains(&predict_snli(&net, &vocab, &["a", "unheard"], &["b"])?));
        let error = predict_snli(&net, &vocab, &["a"], &[]).expect_err("no words").to_string();
        assert!(error.contains("at least one word"), "{error}");
        let rows = relation_probabilities(&net, &vocab, &["a"], &["b"], Some(7))?;
        assert!((rows.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{rows:?}");
        let weights = net.alignment(&ids(&vocab, &["a", "b"], None, &CPU)?, &ids(&vocab, &["c"], Some(5), &CPU)?)?;
        assert_eq!(weights.dims(), [1, 2, 5]);
        assert!(weights.sum(2)?.to_vec2::<f32>()?[0].iter().all(|&sum| (sum - 1.0).abs() < 1e-5));
        Ok(())
    }

    #[test]
    fn the_sample_is_learned() -> Result<(), Box<dyn std::error::Error>> {
        let random = Random::new(1);
        let shuffle = random.stream(Purpose::Shuffling, "pairs");
        let (mut train, mut test) = Snli::sample()?.load(16, 12, shuffle, &CPU)?;
        let parameters = Parameters::new(&random, &CPU);
        let net = DecomposableAttention::new(train.dataset().vocab.len(), 8, 24, 0.2, &parameters.builder())?;
        let trainer = Trainer::new(6).random(&random);
        let history = train_pairs(trainer, &net, &parameters, &mut train, &mut test, 0.01)?;
        let (losses, accuracy) = (history.metric("train_loss"), history.last("test_acc"));
        assert!(losses[5] < 0.8 * losses[0] && accuracy > Some(0.6), "{losses:?} {accuracy:?}");
        assert_eq!(history.examples(), 6 * train.examples());
        assert!((0.5..1.0).contains(&history.last("train_acc").unwrap_or(f64::NAN)));
        Ok(())
    }
}
