//! 15.6 Fine-Tuning BERT for Sequence-Level and Token-Level Applications
//!
//! Four heads on the encoder of section 14.8, for texts, pairs of texts, tags and answers. Each is trained, and the encoder
//! with it, on sixteen examples that were written for this; the book has no code here. The encoder is not pretrained, as
//! section 15.7's is: what it learns is these examples, hardly a language.
//!
//! `cargo run --release -p nlp-applications -- finetuning-bert`
//! 120 steps a head, all in a second or two. Three heads know their own examples without a mistake, with losses below 0.1, and
//! the similarities correlate with those written to 0.98 or more. Of the four examples kept back one answer is right with seed
//! 42, the question's; seven of eight tags are, too.

use anyhow::Context;
use d2l::notebook::within;
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::probability_ratios::correlation;
use nlp_pretraining::sections::bert::{BertEncoder, BertSizes};

use crate::bert_heads::IGNORED;
pub use crate::bert_heads::{
    BertHead, BertInput, BertInputs, HeadTarget, PairClassifier, PairRegressor, SpanReader, SpanScores, Tagger,
    TextClassifier, best_span, reach_of_heads,
};
use crate::head_examples::{
    ACCEPTABILITY, ANSWERING, Example, HeadExamples, JUDGMENTS, SIMILARITY, TAGGING, TAGS, entropy_of_positions,
    variance, vocabulary,
};

/// Sizes and hyperparameters; the book, which trains nothing here, has none.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub batch_size: usize,
    /// Features of a token
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub num_hiddens: usize,
    /// Units of the net that is applied at each position
    #[arg(long, default_value_t = 128, value_parser = count)]
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
    #[arg(long, default_value_t = 1e-3, value_parser = positive)]
    pub lr: f64,
    /// Steps of each training
    #[arg(long, default_value_t = 120, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config: Smoke { num_hiddens: 16, ffn_num_hiddens: 32, num_steps: 4 } }

impl Config {
    /// The sizes of the encoder, which knows twice as many positions as the longest example needs.
    pub fn sizes(&self) -> BertSizes {
        BertSizes {
            hidden: self.num_hiddens,
            feed_forward: self.ffn_num_hiddens,
            heads: self.num_heads,
            layers: self.num_layers,
            dropout: self.dropout,
            max_len: 64,
        }
    }
}

/// The most tokens of an answer.
const MAX_ANSWER: usize = 6;

/// Shows a loss before the training beside that of guessing.
fn show_loss(nb: &mut Notebook, loss: &Tensor, guessing: f64) -> anyhow::Result<()> {
    nb.say(format!("loss before training {:.3}, by guessing {guessing:.3}", loss.to_scalar::<f32>()?))
}

/// Trains a head by Adam, and the encoder below it: all of `parameters`. The loss on all examples that it ends with, without
/// dropout, is the metric `train_loss_…`.
fn fine_tune<H: BertHead>(
    nb: &mut Notebook,
    config: &Config,
    task: &str,
    net: &H,
    parameters: &Parameters,
    examples: &HeadExamples<H::Target>,
) -> anyhow::Result<History> {
    let shuffle = nb.stream(Purpose::Shuffling, task);
    let batches = Loader::<HeadExamples<H::Target>>::new(examples.clone(), config.batch_size, nb.device())?;
    let mut optimizer = Adam::new(parameters, config.lr);
    let trainer = nb.step_trainer(config.num_steps).named(task).with(parameters).with(&optimizer);
    let history = trainer.run(&mut batches.shuffled(shuffle), |step, (inputs, targets)| {
        let loss = net.loss(&inputs, &targets, true)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, targets.dim(0)?)
    })?;
    let (inputs, targets) = examples.all(nb.device())?;
    let loss = f64::from(net.loss(&inputs, &targets, false)?.to_scalar::<f32>()?);
    nb.say(format!("loss after {} steps {loss:.3}", history.steps()))?;
    nb.metric(&format!("train_loss_{task}"), loss)?;
    Ok(history)
}

/// Shows which share of what is told is right, and keeps it as `metric`.
fn show_accuracy<T: PartialEq>(nb: &mut Notebook, metric: &str, told: &[T], right: &[T]) -> anyhow::Result<()> {
    let hits = told.iter().zip(right).filter(|(told, right)| told == right).count();
    nb.say(format!("{hits} of {} right", right.len()))?;
    nb.metric(metric, hits as f64 / right.len() as f64)
}

/// Shows what a head tells of an example that it was not trained on, and what is right.
fn show_kept_back<E: Example, H: BertHead<Target = E::Target>>(
    nb: &mut Notebook,
    net: &H,
    example: &E,
    vocab: &Vocab,
    words: impl Fn(&E::Target) -> String,
) -> anyhow::Result<()> {
    let examples = HeadExamples::new(std::slice::from_ref(example), vocab)?;
    let (inputs, _) = examples.all(nb.device())?;
    let (a, b) = example.texts();
    nb.say(format!("kept back: {a} {}", b.unwrap_or_default()))?;
    for (told, right) in net.predict(&inputs)?.iter().zip(examples.targets()) {
        nb.say(format!("  told:  {}\n  right: {}", words(told), words(right)))?;
    }
    Ok(())
}

/// What the tags of words are called, those of marks left out.
fn names(tags: &[u32]) -> String {
    tags.iter().filter_map(|&tag| TAGS.get(tag as usize)).copied().collect::<Vec<_>>().join(" ")
}

/// How many numbers are trained that are not the encoder's.
fn count_of_head(parameters: &Parameters) -> usize {
    let head = parameters.trained().into_iter().filter(|(name, _)| !name.starts_with("encoder."));
    head.map(|(_, variable)| variable.elem_count()).sum()
}

/// What the heads are called, what they read and tell, and their losses.
const HEADS: [[&str; 4]; 4] = [
    ["TextClassifier", "a text, or two", "(batch, classes)", "cross-entropy"],
    ["PairRegressor", "two texts", "(batch)", "squared error"],
    ["Tagger", "a text", "(batch, steps, tags)", "cross-entropy of each word"],
    ["SpanReader", "question and passage", "2 of (batch, steps)", "cross-entropies of start and end"],
];

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("One encoder, four heads")?;
    let device = nb.device().clone();
    let vocab = vocabulary();
    let sizes = config.sizes();
    let encoder = |parameters: &Parameters| BertEncoder::new(vocab.len(), &sizes, &parameters.builder().pp("encoder"));
    let parameters = nb.parameters();
    encoder(&parameters)?;
    nb.say(format!("{} ids; an encoder of {} parameters", vocab.len(), parameters.count()))?;
    nb.figure("heads", "The encoder makes a vector of each token; each head looks at some of them", reach_of_heads())?;

    nb.cell("Single text classification")?;
    let judged = HeadExamples::new(&ACCEPTABILITY.train, &vocab)?;
    let of_classifier = nb.parameters();
    let classifier = TextClassifier::new(encoder(&of_classifier)?, JUDGMENTS.len(), &of_classifier.builder())?;
    let (texts, labels) = judged.all(&device)?;
    let logits = classifier.forward_t(&texts, false)?; // (examples, classes)
    nb.say(format!("tokens {:?} to logits {:?}", texts.tokens.dims(), logits.dims()))?;
    let of_two = (JUDGMENTS.len() as f64).ln();
    show_loss(nb, &classifier.loss(&texts, &labels, false)?, of_two)?;

    nb.cell("Training the classifier")?;
    let judging = fine_tune(nb, config, "acceptability", &classifier, &of_classifier, &judged)?;
    show_accuracy(nb, "train_acc_acceptability", &classifier.predict(&texts)?, judged.targets())?;
    let judgment = |&class: &u32| JUDGMENTS[class as usize].to_string();
    show_kept_back(nb, &classifier, &ACCEPTABILITY.held_out, &vocab, judgment)?;

    nb.cell("Text pair classification or regression")?;
    let compared = HeadExamples::new(&SIMILARITY.train, &vocab)?;
    let of_regressor = nb.parameters();
    let regressor = PairRegressor::new(encoder(&of_regressor)?, &of_regressor.builder())?;
    let (pairs, scores) = compared.all(&device)?;
    let told = regressor.forward_t(&pairs, false)?; // (examples)
    nb.say(format!("tokens {:?} to numbers {:?}", pairs.tokens.dims(), told.dims()))?;
    let of_mean = variance(compared.targets());
    show_loss(nb, &regressor.loss(&pairs, &scores, false)?, of_mean)?;

    nb.cell("Training the regressor")?;
    let comparing = fine_tune(nb, config, "similarity", &regressor, &of_regressor, &compared)?;
    let told = regressor.predict(&pairs)?.into_iter().map(f64::from);
    let both: Vec<(f64, f64)> = told.zip(compared.targets().iter().copied().map(f64::from)).collect();
    let correlation = correlation(&both).context("all pairs are told the same score")?;
    nb.say(format!("correlation with the scores written {correlation:.3}"))?;
    nb.metric("correlation_similarity", correlation)?;
    show_kept_back(nb, &regressor, &SIMILARITY.held_out, &vocab, |score| format!("{score:.1}"))?;

    nb.cell("Text tagging")?;
    let tagged = HeadExamples::new(&TAGGING.train, &vocab)?;
    let of_tagger = nb.parameters();
    let tagger = Tagger::new(encoder(&of_tagger)?, TAGS.len(), &of_tagger.builder())?;
    let (sentences, tags) = tagged.all(&device)?;
    let logits = tagger.forward_t(&sentences, false)?; // (examples, steps, tags)
    nb.say(format!("tokens {:?} to logits {:?}", sentences.tokens.dims(), logits.dims()))?;
    let of_tags = (TAGS.len() as f64).ln();
    show_loss(nb, &tagger.loss(&sentences, &tags, false)?, of_tags)?;

    nb.cell("Training the tagger")?;
    let tagging = fine_tune(nb, config, "tagging", &tagger, &of_tagger, &tagged)?;
    let words = |rows: &[Vec<u32>]| rows.concat().into_iter().filter(|&tag| tag != IGNORED).collect::<Vec<_>>();
    show_accuracy(nb, "train_acc_tagging", &words(&tagger.predict(&sentences)?), &words(tagged.targets()))?;
    show_kept_back(nb, &tagger, &TAGGING.held_out, &vocab, |tags| names(tags))?;

    nb.cell("Question answering")?;
    let asked = HeadExamples::new(&ANSWERING.train, &vocab)?;
    let of_reader = nb.parameters();
    let reader = SpanReader::new(encoder(&of_reader)?, MAX_ANSWER, &of_reader.builder())?;
    let (questions, spans) = asked.all(&device)?;
    let SpanScores { start, end } = reader.forward_t(&questions, false)?; // (examples, steps) each
    nb.say(format!(
        "tokens {:?} to {:?} for starts, {:?} for ends",
        questions.tokens.dims(),
        start.dims(),
        end.dims()
    ))?;
    let of_passage = entropy_of_positions(&ANSWERING.train);
    show_loss(nb, &reader.loss(&questions, &spans, false)?, of_passage)?;

    nb.cell("Training the reader")?;
    let answering = fine_tune(nb, config, "answering", &reader, &of_reader, &asked)?;
    show_accuracy(nb, "train_acc_answering", &reader.predict(&questions)?, asked.targets())?;
    show_kept_back(nb, &reader, &ANSWERING.held_out, &vocab, |&span| ANSWERING.held_out.words_of(span))?;

    nb.cell("The four trainings")?;
    let mut chart = Chart::new().x_label("epoch").y_label("loss / loss by guessing").horizontal(1.0);
    for (task, history, guessing) in [
        ("acceptability", &judging, of_two),
        ("similarity", &comparing, of_mean),
        ("tagging", &tagging, of_tags),
        ("answering", &answering, of_passage),
    ] {
        let (epochs, losses) = history.curve("train_loss");
        chart = chart.line(task, &epochs, &losses.iter().map(|loss| loss / guessing).collect::<Vec<_>>());
    }
    nb.figure(
        "losses",
        "The losses of the four heads, each as a share of what guessing comes to: all fall below 1",
        chart,
    )?;

    nb.cell("What each head adds")?;
    let mut table = Table::new(["head", "reads", "tells", "loss", "parameters"]);
    for (head, parameters) in HEADS.iter().zip([of_classifier, of_regressor, of_tagger, of_reader]) {
        let parameters = count_of_head(&parameters).to_string();
        table.row(head.map(String::from).into_iter().chain([parameters]));
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_named_and_marks_are_not() {
        assert_eq!(names(&[IGNORED, 0, 7, IGNORED]), "DET PUNCT");
        assert_eq!(names(&[]), "");
    }

    #[test]
    fn a_head_is_what_is_not_the_encoder() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let sizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 1, dropout: 0.0, max_len: 10 };
        let encoder = BertEncoder::new(13, &sizes, &parameters.builder().pp("encoder"))?;
        assert_eq!(count_of_head(&parameters), 0);
        TextClassifier::new(encoder, 3, &parameters.builder())?;
        assert_eq!(count_of_head(&parameters), (8 * 8 + 8) + (8 * 3 + 3));
        Ok(())
    }
}
