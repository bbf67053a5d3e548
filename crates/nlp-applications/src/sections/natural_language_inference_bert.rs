//! 15.7 Natural Language Inference: Fine-Tuning BERT
//!
//! A pretrained BERT learns to tell how two sentences are related: the last layers are new, all others go on from what they
//! know.
//!
//! `cargo run --release -p nlp-applications -- natural-language-inference-bert`
//! On the first 6,000 of the training pairs that stand in, in some four minutes: test accuracy 0.67; the same net from random
//! values comes to 0.46.

use anyhow::ensure;
use clap::ArgAction;
use d2l::notebook::at_least;
use d2l::ops::softmax;
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::TrainError;
use nlp_pretraining::sections::bert::BertSizes;

use super::natural_language_inference_attention::confusions;
use crate::bert_heads::TextClassifier;
use crate::bert_pairs::{BertPairs, SimilarLengths};
use crate::pretrained_bert::{BookModel, PretrainedBert};
use crate::snli::{CONTRADICTION, InferencePairs, RELATIONS, Snli};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// The pretrained model
    #[arg(long, value_enum, default_value_t = BookModel::Small)]
    pub model: BookModel,
    /// Pairs a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a pair at most, marks included; the longer sentence of longer ones is cut
    #[arg(long, default_value_t = 128, value_parser = at_least::<5>)]
    pub max_len: usize,
    /// The share that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 1e-4, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training pairs
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
    /// Training pairs to use, the first of the set
    #[arg(long, default_value_t = 549_367, value_parser = count)]
    pub examples: usize,
    /// Test pairs to use, the first of the set
    #[arg(long, default_value_t = 9_824, value_parser = count)]
    pub test_examples: usize,
    /// Whether the same net is trained from random values too
    #[arg(long, default_value_t = false, action = ArgAction::Set)]
    pub scratch: bool,
}

defaults! { Config, on a CPU Laptop:
    Laptop { batch_size: 32, num_epochs: 2, examples: 6000, test_examples: 1000, scratch: true }
    Smoke { batch_size: 8, max_len: 64, num_epochs: 2, examples: 64, test_examples: 24, scratch: true }
}

/// What stands on the encoder: a layer with tanh behind `<cls>`, which pretrained models may have, and a new layer to three
/// logits. It is the classifier of section 15.6.
#[doc(alias = "BERTClassifier")]
pub type BertClassifier = TextClassifier;

/// A classifier of pairs around the encoder of a pretrained model, of random values still.
///
/// # Errors
/// Where the parameters exist with other shapes.
pub fn classifier(bert: &PretrainedBert, dropout: f64, vb: &VarBuilder) -> Result<BertClassifier> {
    let encoder = bert.encoder(dropout, &vb.pp("encoder"))?;
    BertClassifier::new(encoder, RELATIONS.len(), vb)
}

/// What a net takes each pair's relation to be: the place in [`RELATIONS`] of the largest logit.
///
/// # Errors
/// What the device gives.
pub fn guess_relations(net: &BertClassifier, pairs: &BertPairs, device: &Device) -> Result<Vec<u32>> {
    const AT_A_TIME: usize = 128;
    let mut guesses = vec![0; pairs.len()];
    for indices in pairs.by_length().chunks(AT_A_TIME) {
        let (inputs, _) = pairs.batch(indices, device)?;
        let logits = net.forward_t(&inputs, false)?.detach(); // (batch, 3)
        for (&index, guess) in indices.iter().zip(logits.argmax(D::Minus1)?.to_vec1::<u32>()?) {
            guesses[index] = guess;
        }
    }
    Ok(guesses)
}

/// Trains all parameters by Adam, and evaluates the accuracy on the test pairs after each epoch.
///
/// # Errors
/// As [`Trainer::run`].
pub fn fine_tune<'a>(
    trainer: Trainer<'a>,
    net: &'a BertClassifier,
    parameters: &Parameters,
    train: &mut SimilarLengths<'_>,
    test: &'a BertPairs,
    lr: f64,
) -> Result<History, TrainError> {
    let device = parameters.device().clone();
    let mut optimizer = Adam::new(parameters, lr);
    let evaluated = trainer.each_epoch(move |epoch| {
        let guesses = guess_relations(net, test, &device)?;
        let right = guesses.iter().zip(test.labels()).filter(|(guess, label)| guess == label).count();
        epoch.metric("test_acc", right as f64 / test.len() as f64)
    });
    evaluated.with(parameters).with(&optimizer).run(train, |step, (inputs, labels)| {
        let logits = net.forward_t(&inputs, true)?; // (batch, 3)
        let loss = cross_entropy(&logits, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.accuracy(&logits, &labels)?;
        step.loss(&loss, labels.elem_count())
    })
}

/// The probabilities of [`RELATIONS`] for one pair of sentences.
///
/// # Errors
/// What the tokenizer and the device give.
pub fn pair_probabilities(
    net: &BertClassifier,
    bert: &PretrainedBert,
    [premise, hypothesis]: [&str; 2],
    device: &Device,
) -> anyhow::Result<Vec<f32>> {
    let (premises, hypotheses) = (vec![premise.to_string()], vec![hypothesis.to_string()]);
    let pair = InferencePairs { premises, hypotheses, labels: vec![0], unlabeled: 0 };
    let (inputs, _) = BertPairs::new(&pair, &bert.tokenizer, bert.sizes().max_len)?.batch(&[0], device)?;
    Ok(softmax(&net.forward_t(&inputs, false)?.detach(), 1)?.squeeze(0)?.to_vec1()?) // (3)
}

/// What it is asked in the end: of each relation a pair.
const PAIRS: [[&str; 2]; 3] = [
    ["two dogs are running through a field .", "some animals are outdoors ."],
    ["he is good .", "he is bad ."],
    ["a woman is reading a book .", "a woman is reading a novel about the sea ."],
];

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Loading pretrained BERT")?;
    let bert = PretrainedBert::load(config.model, nb)?;
    let &BertSizes { hidden, feed_forward, heads, layers, max_len: positions, .. } = bert.sizes();
    ensure!(config.max_len <= positions, "--max-len {}: {} knows {positions} positions", config.max_len, bert.name);
    let kind = if bert.tokenizer.has_pieces() { "word pieces" } else { "words" };
    nb.say(format!("{}: {} {kind}, {} parameters", bert.name, bert.tokenizer.len(), bert.count()))?;
    nb.say(format!(
        "{layers} blocks of {hidden} features, {heads} heads, {feed_forward} units, {positions} positions"
    ))?;
    nb.metric("pretrained_parameters", bert.count() as f64)?;

    nb.cell("The dataset for fine-tuning BERT")?;
    let device = nb.device().clone();
    let snli = nb.load::<Snli>()?.first(Some(config.examples));
    let test_pairs = snli.test.first(config.test_examples);
    let train = BertPairs::new(&snli.train, &bert.tokenizer, config.max_len)?;
    let test = BertPairs::new(&test_pairs, &bert.tokenizer, config.max_len)?;
    nb.say(format!("{} training and {} test pairs", train.len(), test.len()))?;
    let (longest, mean) = train.lengths();
    nb.say(format!("{mean:.1} tokens in the mean, {longest} at most, marks included"))?;
    for (name, value) in [("cut_share", train.cut_share()), ("unknown_share", train.unknown_share())] {
        nb.show(&name.replace('_', " "), format!("{value:.5}"))?;
        nb.metric(name, value)?;
    }
    nb.metric("pair_tokens", mean)?;

    nb.cell("A pair as an input")?;
    let (tokens, segments) = test.input(0);
    nb.say(format!("{} / {}", test_pairs.premises[0], test_pairs.hypotheses[0]))?;
    nb.say(bert.tokenizer.tokens(tokens).join(" "))?;
    nb.say(format!("{segments:?}"))?;

    nb.cell("The net")?;
    let parameters = nb.parameters();
    let net = classifier(&bert, config.dropout, &parameters.builder())?;
    let restored = bert.restore(&parameters)?;
    let new = restored.left.missing;
    let count_of = |name: &String| parameters.get(name).map_or(0, |parameter| parameter.elem_count());
    let of_new: usize = new.iter().map(count_of).sum();
    nb.say(format!("{} parameters, of which {of_new} are new: {}", parameters.count(), new.join(", ")))?;
    nb.metric("new_parameters", of_new as f64)?;

    nb.cell("Fine-tuning BERT")?;
    let batches =
        || SimilarLengths::new(&train, config.batch_size, nb.stream(Purpose::Shuffling, "training pairs"), &device);
    let (mut shuffled, mut again) = (batches()?, batches()?); // in the same order
    let trainer = nb.trainer(config.num_epochs).named("fine-tuned");
    let history = fine_tune(trainer, &net, &parameters, &mut shuffled, &test, config.lr)?;
    nb.training(&history)?;

    nb.cell("The same net from random values")?;
    if config.scratch {
        let parameters = nb.parameters();
        let net = classifier(&bert, config.dropout, &parameters.builder())?;
        let trainer = nb.trainer(config.num_epochs).named("scratch");
        let scratch = fine_tune(trainer, &net, &parameters, &mut again, &test, config.lr)?;
        nb.training_of("scratch", &scratch)?;
        let accuracy = |history: &History| history.last("test_acc").unwrap_or(f64::NAN);
        nb.metric("gain", accuracy(&history) - accuracy(&scratch))?;
    } else {
        nb.say("left out; --scratch true trains it")?;
    }

    nb.cell("What is taken for what")?;
    let guesses = guess_relations(&net, &test, &device)?;
    let mut table = Table::new(["label"].into_iter().chain(RELATIONS).chain(["right"]));
    for (label, row) in confusions(&guesses, test.labels()).into_iter().enumerate() {
        let right = row[label] as f64 / row.iter().sum::<usize>().max(1) as f64;
        let cells = row.iter().map(ToString::to_string).chain([format!("{right:.3}")]);
        table.row([RELATIONS[label].to_string()].into_iter().chain(cells));
        nb.metric(&format!("test_acc_{}", RELATIONS[label]), right)?;
    }
    nb.say(table)?;

    nb.cell("The first mistakes")?;
    let wrong = (0..test.len()).filter(|&index| guesses[index] != test.labels()[index]);
    for index in wrong.take(4) {
        let [label, guess] = [test.labels()[index], guesses[index]].map(|label| RELATIONS[label as usize]);
        let (premise, hypothesis) = (&test_pairs.premises[index], &test_pairs.hypotheses[index]);
        nb.say(format!("{premise} / {hypothesis}: {label}, taken for {guess}"))?;
    }

    nb.cell("Using the model")?;
    let mut table = Table::new(["premise", "hypothesis"].into_iter().chain(RELATIONS));
    for pair in PAIRS {
        let probabilities = pair_probabilities(&net, &bert, pair, &device)?;
        let cells = probabilities.iter().map(|probability| format!("{probability:.3}"));
        table.row(pair.map(String::from).into_iter().chain(cells));
        if pair == PAIRS[1] {
            nb.metric("good_bad_contradiction", f64::from(probabilities[CONTRADICTION as usize]))?;
        }
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;

    use super::*;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const CPU: Device = Device::Cpu;

    fn pairs() -> InferencePairs {
        let sentences = [
            ("a man is old .", "the man is old .", 0),
            ("a man is old .", "the man is young .", 1),
            ("a man is old .", "he has a house .", 2),
            ("the river is long .", "the river is short .", 1),
        ];
        InferencePairs {
            premises: sentences.iter().map(|(premise, ..)| String::from(*premise)).collect(),
            hypotheses: sentences.iter().map(|(_, hypothesis, _)| String::from(*hypothesis)).collect(),
            labels: sentences.iter().map(|&(.., label)| label).collect(),
            unlabeled: 0,
        }
    }

    fn net(bert: &PretrainedBert, dropout: f64) -> Outcome<(BertClassifier, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = classifier(bert, dropout, &parameters.builder())?;
        bert.restore(&parameters)?;
        Ok((net, parameters))
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Outcome {
        let bert = PretrainedBert::sample()?;
        let (net, parameters) = net(&bert, 0.1)?;
        let examples = BertPairs::new(&pairs(), &bert.tokenizer, 32)?;
        let (inputs, labels) = examples.batch(&[0, 1, 2, 3], &CPU)?;
        let logits = net.forward_t(&inputs, true)?;
        assert_eq!(logits.dims(), [4, 3]);
        let loss = cross_entropy(&logits, &labels, Reduction::Mean)?;
        // A bias of the keys moves all scores of a query alike, which softmax does not see.
        d2l_testing::gradients::reach_all(&parameters, &loss, |name| name.ends_with("w_k.bias"))?;
        Ok(())
    }

    #[test]
    fn only_the_last_layers_are_new() -> Outcome {
        let bert = PretrainedBert::sample()?;
        let (_, parameters) = net(&bert, 0.0)?;
        let restored = bert.restore(&parameters)?;
        assert_eq!(restored.left.missing, ["output.weight", "output.bias", "hidden.weight", "hidden.bias"]);
        let hidden = bert.sizes().hidden;
        assert_eq!(parameters.count(), bert.count() + hidden * hidden + hidden + 3 * hidden + 3);
        Ok(())
    }

    #[test]
    fn a_few_pairs_are_learned_by_heart() -> Outcome {
        let bert = PretrainedBert::sample()?;
        let (net, parameters) = net(&bert, 0.0)?;
        let examples = BertPairs::new(&pairs(), &bert.tokenizer, 32)?;
        let shuffle = Random::new(2).stream(Purpose::Shuffling, "pairs");
        let mut train = SimilarLengths::new(&examples, 4, shuffle, &CPU)?;
        let history = fine_tune(Trainer::new(60), &net, &parameters, &mut train, &examples, 0.01)?;
        let losses = history.metric("train_loss");
        assert!(losses[59] < 0.2 * losses[0], "{} {}", losses[0], losses[59]);
        assert_eq!(history.last("test_acc"), Some(1.0));
        assert_eq!(guess_relations(&net, &examples, &CPU)?, examples.labels());
        let probabilities = pair_probabilities(&net, &bert, ["a man is old .", "the man is young ."], &CPU)?;
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5 && probabilities[1] > 0.5, "{probabilities:?}");
        Ok(())
    }

    #[test]
    fn the_pairs_asked_in_the_end_are_in_small_letters_and_short() {
        for sentence in PAIRS.as_flattened() {
            assert!(sentence.chars().all(|c| c == ' ' || c == '.' || c.is_ascii_lowercase()), "{sentence}");
        }
    }
}
