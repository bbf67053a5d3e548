//! 14.10 Pretraining BERT
//!
//! A small BERT learns both tasks on WikiText-2 for some steps, and then represents sentences.
//!
//! `cargo run --release -p nlp-pretraining -- bert-pretraining`
//! Fifty steps of 512 pairs in some two minutes. The loss of masked words falls from 10 to 7, that of the next sentence stays
//! near that of guessing, 0.69; "crane" has another vector in another sentence.

use anyhow::Context;
use d2l::notebook::{at_least, within};
use d2l::ops::sum;
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::text::Vocab;
use d2l::train::TrainError;

use super::bert::{Bert, BertSizes, CLS, SEP, tokens_and_segments};
use super::bert_dataset::{BertBatch, PretrainingExamples};
use crate::bert_layers::rows_of_positions;
use crate::wiki_text::WikiText2;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a pair, after padding; longer ones are left out
    #[arg(long, default_value_t = 64, value_parser = at_least::<5>)]
    pub max_len: usize,
    /// Features of a token
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub num_hiddens: usize,
    /// Units of the net that is applied at each position
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub ffn_num_hiddens: usize,
    /// Attentions side by side
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub num_heads: usize,
    /// Blocks on top of each other
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// The share that training drops
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 1e-3, value_parser = positive)]
    pub lr: f64,
    /// Steps of the training
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config: Smoke { batch_size: 8, max_len: 32, num_hiddens: 16, ffn_num_hiddens: 32, num_steps: 3 } }

impl Config {
    /// The sizes of the model, which has the book's thousand positions, or more where a pair needs them.
    pub fn sizes(&self) -> BertSizes {
        BertSizes {
            hidden: self.num_hiddens,
            feed_forward: self.ffn_num_hiddens,
            heads: self.num_heads,
            layers: self.num_layers,
            dropout: self.dropout,
            max_len: self.max_len.max(1000),
        }
    }
}

/// The losses of a minibatch: of the masked words, `Σ w l / (Σ w + 1e-8)` over all guesses with their weights `w` and
/// cross-entropies `l`, and of the next sentence, the mean over all pairs.
///
/// Guesses that only fill up a row weigh nothing, so they are left out before the whole vocabulary is scored for them. In the
/// book's code, though not in its text, they count like all others: it multiplies by the weights what is a mean already.
#[doc(alias = "_get_batch_loss_bert")]
pub fn pretraining_losses(net: &Bert, batch: &BertBatch, train: bool) -> Result<(Tensor, Tensor)> {
    let BertBatch { tokens, segments, valid_lens, .. } = batch;
    let encoded = net.encoder.forward_t(tokens, segments, Some(valid_lens), train)?; // (batch, steps, hidden)
    let rows = rows_of_positions(&batch.pred_positions, tokens.dim(1)?)?;
    let labels = batch.mlm_labels.flatten_all()?.to_vec1::<u32>()?;
    let weights = batch.mlm_weights.flatten_all()?.to_vec1::<f32>()?;
    let guesses = rows.into_iter().zip(labels).zip(weights).filter(|&(_, weight)| weight > 0.0);
    let (rows, labels, weights): (Vec<u32>, Vec<u32>, Vec<f32>) =
        guesses.map(|((row, label), weight)| (row, label, weight)).collect();
    let total = weights.iter().copied().map(f64::from).sum::<f64>() + 1e-8;
    let device = tokens.device();
    let logits = net.mlm.at_rows(&encoded, &Tensor::new(rows, device)?)?; // (guesses, vocabulary)
    let losses = cross_entropy(&logits, &Tensor::new(labels, device)?, Reduction::None)?; // (guesses)
    let mlm = (sum(&(losses * Tensor::new(weights, device)?)?, 0)? / total)?;
    let nsp = cross_entropy(&net.next_sentence(&encoded)?, &batch.nsp_labels, Reduction::Mean)?;
    Ok((mlm, nsp))
}

/// The names of the two losses of each single step.
const BY_STEP: [&str; 2] = ["mlm_loss_by_step", "nsp_loss_by_step"];

/// Trains by Adam on the sum of both losses. The history has `mlm_loss` and `nsp_loss`, means over steps, their sum
/// `train_loss`, and the losses of each step as the fine curves `mlm_loss_by_step` and `nsp_loss_by_step`.
///
/// # Errors
/// As [`Trainer::run`].
pub fn train_bert(
    trainer: Trainer<'_>,
    net: &Bert,
    parameters: &Parameters,
    pairs: &mut Loader<PretrainingExamples>,
    lr: f64,
) -> Result<History, TrainError> {
    let mut optimizer = Adam::new(parameters, lr);
    trainer.with(parameters).with(&optimizer).run(pairs, |step, batch| {
        let (mlm, nsp) = pretraining_losses(net, &batch, true)?;
        let loss = (&mlm + &nsp)?;
        optimizer.minimize(&loss)?;
        for (place, (name, loss)) in [("mlm_loss", mlm), ("nsp_loss", nsp)].into_iter().enumerate() {
            let loss = f64::from(loss.detach().to_scalar::<f32>()?);
            step.metric(name, loss, 1.0)?;
            step.measure(BY_STEP[place], || Ok(loss))?;
        }
        step.loss(&loss, batch.nsp_labels.elem_count())
    })
}

/// The cross-entropy of whoever knows how often each word of the text occurs and nothing else: what a model of contexts has to
/// come below.
pub fn unigram_entropy(vocab: &Vocab) -> f64 {
    let mut counts = vec![0usize; vocab.len()];
    vocab.frequencies().iter().for_each(|(word, count)| counts[vocab.id(word) as usize] += count);
    let total: usize = counts.iter().sum();
    let shares = counts.into_iter().filter(|&count| count > 0).map(|count| count as f64 / total as f64);
    shares.map(|share| -share * share.ln()).sum()
}

/// The vectors of a text's tokens, or of two texts', marks included: `(1, steps, hidden)`.
///
/// # Errors
/// Where there are more tokens than positions.
#[doc(alias = "get_bert_encoding")]
pub fn bert_encoding(net: &Bert, vocab: &Vocab, a: &[&str], b: Option<&[&str]>, device: &Device) -> Result<Tensor> {
    let (tokens, segments) = tokens_and_segments(a, b, [CLS, SEP]);
    let tokens = Tensor::new(vocab.ids(tokens), device)?.unsqueeze(0)?; // (1, steps)
    let segments = Tensor::new(segments, device)?.unsqueeze(0)?; // (1, steps)
    Ok(net.encoder.forward_t(&tokens, &segments, None, false)?.detach()) // (1, steps, hidden)
}

/// The cosine of the angle between two vectors, and how far they are apart, as a share of the first one's length.
fn compare(a: &[f32], b: &[f32]) -> (f64, f64) {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let apart = dot(a, a) + dot(b, b) - 2.0 * dot(a, b);
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(), (apart.max(0.0) / dot(a, a)).sqrt())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The data and the model")?;
    let device = nb.device().clone();
    let (mut pairs, vocab) = nb.load::<WikiText2>()?.load(config.batch_size, config.max_len, nb.random(), &device)?;
    let parameters = nb.parameters();
    let net = Bert::new(vocab.len(), &config.sizes(), &parameters.builder())?;
    nb.say(format!("{} pairs, {} ids, {} parameters", pairs.examples(), vocab.len(), parameters.count()))?;

    nb.cell("The losses")?;
    let first: Vec<usize> = (0..pairs.examples().min(128)).collect();
    let batch = pairs.dataset().batch(&first, &device)?;
    let (mlm, nsp) = pretraining_losses(&net, &batch, false)?;
    nb.say(format!("before training: {:.3} and {:.3}", mlm.to_scalar::<f32>()?, nsp.to_scalar::<f32>()?))?;
    nb.say(format!("where all answers are equally likely: {:.3} and {:.3}", (vocab.len() as f64).ln(), 2f64.ln()))?;
    nb.say(format!("where each word is guessed by how often it occurs: {:.3}", unigram_entropy(&vocab)))?;

    nb.cell("Training")?;
    let history = train_bert(nb.step_trainer(config.num_steps), &net, &parameters, &mut pairs, config.lr)?;
    for name in ["mlm_loss", "nsp_loss", "train_loss"] {
        let sums = history.epochs().iter().filter_map(|epoch| Some(epoch.get(name)? * epoch.steps as f64));
        let mean = sums.sum::<f64>() / history.steps() as f64;
        nb.say(format!("{name}, the mean over {} steps: {mean:.3}", history.steps()))?;
        nb.metric(name, mean)?;
    }
    let steps = history.steps() as f64 / history.duration().as_secs_f64();
    nb.say(format!("{steps:.2} steps a second, {:.0} sentence pairs", history.per_second()))?;
    let mut chart = Chart::new().x_label("step").y_label("loss");
    for (label, name) in ["masked words", "next sentence"].into_iter().zip(BY_STEP) {
        let (_, losses) = history.fine_curve(name);
        let steps: Vec<f64> = (1..=losses.len()).map(|step| step as f64).collect();
        chart = chart.line(label, &steps, &losses);
    }
    nb.figure("losses", "The losses of masked words and of the next sentence at each step of the training", chart)?;

    nb.cell("What padding hides")?;
    let (mlm, _) = pretraining_losses(&net, &batch, false)?;
    let mlm = f64::from(mlm.to_scalar::<f32>()?);
    let BertBatch { tokens, segments, valid_lens, pred_positions, mlm_labels, .. } = &batch;
    let (_, logits, _) = net.forward_t(tokens, segments, Some(valid_lens), Some(pred_positions), false)?;
    let logits = logits.context("no words to guess")?.flatten_to(1)?; // (batch * predictions, vocabulary)
    let mean = cross_entropy(&logits, &mlm_labels.flatten_all()?, Reduction::Mean)?;
    let mean = f64::from(mean.to_scalar::<f32>()?);
    nb.say(format!("after training {mlm:.3}; the mean with what only fills up the rows: {mean:.3}"))?;
    nb.metric("eval_mlm_loss", mlm)?;
    nb.metric("eval_mlm_loss_with_padding", mean)?;

    nb.cell("Representing text with BERT")?;
    let text = ["a", "crane", "is", "flying"];
    let (first, second) = (["a", "crane", "driver", "came"], ["he", "just", "left"]);
    let unknown = text.iter().chain(&first).chain(&second).filter(|word| vocab.id(word) == Vocab::UNKNOWN);
    nb.show("words that it does not know", unknown.count())?;
    let single = bert_encoding(&net, &vocab, &text, None, &device)?; // (1, 6, hidden)
    let pair = bert_encoding(&net, &vocab, &first, Some(&second), &device)?; // (1, 10, hidden)
    // Before the words stands <cls>.
    let vector = |encoded: &Tensor, position: usize| encoded.i((0, position))?.to_vec1::<f32>(); // (hidden)
    for (name, encoded) in [("text", &single), ("pair", &pair)] {
        let (cls, crane) = (vector(encoded, 0)?, vector(encoded, 2)?);
        nb.say(format!(
            "{name}: {:?}, <cls> ({}), crane begins with {:?}",
            encoded.dims(),
            cls.len(),
            &crane[..crane.len().min(3)]
        ))?;
    }

    nb.cell("A crane and a crane")?;
    let crane = vector(&single, 2)?;
    let mut table = Table::new(["", "cosine", "distance"]);
    let others = [("crane of the other text", vector(&pair, 2)?), ("is", vector(&single, 3)?)];
    for (place, (what, other)) in others.into_iter().enumerate() {
        let (cosine, distance) = compare(&crane, &other);
        table.row([format!("crane and {what}"), format!("{cosine:.3}"), format!("{distance:.3}")]);
        if place == 0 {
            nb.metric("crane_cosine", cosine)?;
            nb.metric("crane_distance", distance)?;
        } else {
            nb.metric("other_word_cosine", cosine)?;
        }
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use d2l::data::Source;

    use super::*;

    const CPU: Device = Device::Cpu;

    #[test]
    fn rare_words_are_one_in_the_entropy_of_words() {
        // Half of the words are "a", a quarter "b", a quarter unknown.
        let vocab = Vocab::new("a a a a b b c d".split(' '), 2, &["<pad>"]);
        assert!((unigram_entropy(&vocab) - 1.5 * 2f64.ln()).abs() < 1e-12);
    }
    const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 1, dropout: 0.0, max_len: 32 };

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn sample() -> Outcome<(Loader<PretrainingExamples>, Arc<Vocab>)> {
        Ok(WikiText2::sample()?.load(8, 32, &Random::new(1), &CPU)?)
    }

    fn scalar(x: &Tensor) -> Result<f64> {
        x.to_dtype(DType::F64)?.to_scalar()
    }

    #[test]
    fn what_fills_up_a_row_weighs_nothing() -> Outcome {
        let (pairs, vocab) = sample()?;
        let parameters = Parameters::new(&Random::new(2), &CPU);
        let net = Bert::new(vocab.len(), &SIZES, &parameters.builder())?;
        let batch = pairs.dataset().batch(&[0, 1, 2], &CPU)?;
        let losses = |batch: &BertBatch| -> Result<[f64; 2]> {
            let (mlm, nsp) = pretraining_losses(&net, batch, false)?;
            Ok([scalar(&mlm)?, scalar(&nsp)?])
        };
        let [mlm, nsp] = losses(&batch)?;

        let BertBatch { tokens, segments, valid_lens, pred_positions, .. } = &batch;
        let (_, logits, following) = net.forward_t(tokens, segments, Some(valid_lens), Some(pred_positions), false)?;
        let logits = logits.ok_or("no words to guess")?.flatten_to(1)?;
        let all = cross_entropy(&logits, &batch.mlm_labels.flatten_all()?, Reduction::None)?; // (batch * predictions)
        let weights = batch.mlm_weights.flatten_all()?;
        assert!(scalar(&weights.min(0)?)? == 0.0, "no row is filled up");
        let expected = scalar(&(all * &weights)?.sum_all()?)? / (scalar(&weights.sum_all()?)? + 1e-8);
        assert!((mlm - expected).abs() < 1e-5, "{mlm} {expected}");
        let expected = scalar(&cross_entropy(&following, &batch.nsp_labels, Reduction::Mean)?)?;
        assert!((nsp - expected).abs() < 1e-6, "{nsp} {expected}");

        // Other labels in the places that weigh nothing.
        let ones = batch.mlm_labels.ones_like()?;
        let other = batch.mlm_weights.gt(0f32)?.where_cond(&batch.mlm_labels, &ones)?;
        assert_eq!(losses(&BertBatch { mlm_labels: other, ..batch.clone() })?, [mlm, nsp]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient_of_the_sum() -> Outcome {
        let (mut pairs, vocab) = sample()?;
        let parameters = Parameters::new(&Random::new(2), &CPU);
        let net = Bert::new(vocab.len(), &BertSizes { dropout: 0.1, ..SIZES }, &parameters.builder())?;
        let batch = pairs.epoch().next().ok_or("no minibatch")??;
        let (mlm, nsp) = pretraining_losses(&net, &batch, true)?;
        // A bias of the keys moves all scores of a query alike, which softmax does not see.
        d2l_testing::gradients::reach_all(&parameters, &(mlm + nsp)?, |name| name.ends_with("w_k.bias"))?;
        Ok(())
    }

    #[test]
    fn a_few_pairs_are_learned_by_heart() -> Outcome {
        let (pairs, vocab) = sample()?;
        let parameters = Parameters::new(&Random::new(2), &CPU);
        let net = Bert::new(vocab.len(), &BertSizes { hidden: 16, ..SIZES }, &parameters.builder())?;
        let mut optimizer = Adam::new(&parameters, 0.02);
        let batch = pairs.dataset().batch(&[0, 1, 2, 3], &CPU)?;
        let mut sums = Vec::new();
        for _ in 0..60 {
            let (mlm, nsp) = pretraining_losses(&net, &batch, true)?;
            let loss = (mlm + nsp)?;
            sums.push(scalar(&loss)?);
            optimizer.minimize(&loss)?;
        }
        assert!(sums[59] < 0.2 * sums[0], "{} {}", sums[0], sums[59]);
        Ok(())
    }

    #[test]
    fn a_training_counts_steps_and_pairs() -> Outcome {
        let (mut pairs, vocab) = sample()?;
        let parameters = Parameters::new(&Random::new(2), &CPU);
        let net = Bert::new(vocab.len(), &SIZES, &parameters.builder())?;
        let steps = pairs.batches() + 1; // one into the second epoch
        let history = train_bert(Trainer::steps(steps), &net, &parameters, &mut pairs, 1e-3)?;
        assert_eq!((history.steps(), history.examples()), (steps, pairs.examples() + 8));
        for name in BY_STEP {
            assert_eq!(history.fine_curve(name).1.len(), steps);
        }
        let last = |name| history.last(name).unwrap_or(f64::NAN);
        assert!((last("train_loss") - last("mlm_loss") - last("nsp_loss")).abs() < 1e-4);
        Ok(())
    }

    #[test]
    fn vectors_are_compared() {
        let (cosine, distance) = compare(&[3.0, 4.0], &[4.0, -3.0]);
        assert!(cosine.abs() < 1e-12 && (distance - 2f64.sqrt()).abs() < 1e-12, "{cosine} {distance}");
        let (cosine, distance) = compare(&[1.0, 2.0], &[2.0, 4.0]);
        assert!((cosine - 1.0).abs() < 1e-12 && (distance - 1.0).abs() < 1e-12, "{cosine} {distance}");
    }
}
