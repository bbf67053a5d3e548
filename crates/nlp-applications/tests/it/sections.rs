//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, figures, text, value};
use nlp_applications::CHAPTER;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

/// Holds that a run is on the sample and drew so many figures.
fn shown(record: &RunRecord, count: usize) {
    assert_eq!((record.data, figures(record)), (DataOrigin::Sample, count), "{}", record.section);
}

/// Holds that a training's loss ends below where it began, and that shares are some.
fn learned(record: &RunRecord) {
    let losses = by_epoch(record, "train_loss");
    assert!(losses.len() > 1 && losses[losses.len() - 1] < losses[0], "{}: {losses:?}", record.section);
    for (name, metric) in &record.metrics {
        if name.contains("_acc") || name.starts_with("positive_") || name.ends_with("_share") {
            let share = metric.last().unwrap_or(f64::NAN);
            assert!((0.0..=1.0).contains(&share), "{}: {name} is {share}", record.section);
        }
    }
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["15.1", "15.2", "15.3", "15.4", "15.5", "15.6", "15.7"]);
}

#[test]
fn reviews_are_read_counted_and_padded() -> anyhow::Result<()> {
    let record = run("sentiment-analysis-and-dataset", &[])?;
    shown(&record, 1);
    assert_eq!((value(&record, "train_reviews"), value(&record, "test_reviews")), (240.0, 120.0));
    assert_eq!(value(&record, "train_batches"), 4.0); // of 64 reviews
    let (padding, cut) = (value(&record, "padding_share"), value(&record, "cut_share"));
    assert!(padding > 0.5 && padding < 1.0, "{padding}: most of the sample's reviews are short");
    assert!(cut > 0.0 && cut < 0.05, "{cut}: a few of them are long");
    assert!(text(&record, "Reading the dataset").contains("240 training reviews, 120 of them positive"));
    assert!(text(&record, "Creating the data iterator").contains("x [64, 500], y [64]"));
    let record = run("sentiment-analysis-and-dataset", &["--num-steps", "8", "--batch-size", "100"])?;
    assert_eq!((value(&record, "cut_share"), value(&record, "padding_share")), (1.0, 0.0)); // all have 15 tokens or more
    assert!(text(&record, "Creating the data iterator").contains("x [100, 8], y [100]"));
    Ok(())
}

#[test]
fn sentiments_are_learned_by_both_nets() -> anyhow::Result<()> {
    for section in ["sentiment-analysis-rnn", "sentiment-analysis-cnn"] {
        let record = run(section, &["--sentence", "a  wonderful film"])?;
        shown(&record, 1);
        learned(&record);
        let known = value(&record, "known_words");
        assert!(known > 0.0 && known < 1.0, "{section}: {known}");
        let said = text(&record, "Predicting the sentiment");
        for sentence in ["this movie is so great: ", "this movie is so bad: ", "a  wonderful film: "] {
            assert!(said.contains(sentence), "{section}: {said}");
        }
        assert!(text(&record, "Mistakes").contains("positive"), "{section}");
    }
    Ok(())
}

#[test]
fn convolutions_are_those_of_the_book() -> anyhow::Result<()> {
    let record = run("sentiment-analysis-cnn", &["--num-epochs", "1"])?;
    for layer in ["conv1d", "conv2d"] {
        assert!(value(&record, &format!("difference_from_{layer}")) < 1e-5, "{:?}", record.metrics);
    }
    let one = text(&record, "One-dimensional convolutional layer");
    assert!(one.contains("2.,  5.,  8., 11., 14., 17."), "{one}");
    let several = text(&record, "Several input channels");
    assert!(several.contains("2.,  8., 14., 20., 26., 32."), "{several}");
    Ok(())
}

#[test]
fn pairs_of_sentences_are_read_and_counted() -> anyhow::Result<()> {
    let record = run("natural-language-inference-and-dataset", &[])?;
    shown(&record, 0);
    for (set, pairs) in [("train", 402.0), ("test", 120.0)] {
        assert_eq!(value(&record, &format!("{set}_pairs")), pairs);
        for relation in ["entailment", "contradiction", "neutral"] {
            assert_eq!(value(&record, &format!("{set}_{relation}")), pairs / 3.0, "{set} {relation}");
        }
    }
    assert!(value(&record, "padding_share") > 0.5, "{:?}", record.metrics); // of 50 tokens
    assert!(text(&record, "The first minibatch").contains("[32, 50], [32, 50], [32]"));
    let record = run("natural-language-inference-and-dataset", &["--examples", "40", "--num-steps", "7"])?;
    assert_eq!((value(&record, "train_pairs"), value(&record, "test_pairs")), (40.0, 120.0));
    assert!(text(&record, "The first minibatch").contains("[32, 7], [32, 7], [32]"));
    Ok(())
}

#[test]
fn attention_aligns_and_tells_relations() -> anyhow::Result<()> {
    let record = run("natural-language-inference-attention", &[])?;
    shown(&record, 4);
    learned(&record);
    assert!(value(&record, "test_acc") > 0.35, "better than guessing one of three: {:?}", record.metrics);
    for name in ["good_bad_contradiction", "good_bad_contradiction_padded", "padding_attention"] {
        assert!((0.0..=1.0).contains(&value(&record, name)), "{name}: {:?}", record.metrics);
    }
    let mean =
        ["entailment", "contradiction", "neutral"].map(|relation| value(&record, &format!("test_acc_{relation}")));
    let mean = mean.iter().sum::<f64>() / 3.0; // there are equally many of each
    assert!((mean - value(&record, "test_acc")).abs() < 1e-6, "{mean}: {:?}", record.metrics);
    let relation = text(&record, "Using the model").trim();
    assert!(["entailment", "contradiction", "neutral"].contains(&relation), "{relation}");
    Ok(())
}

const TASKS: [&str; 4] = ["acceptability", "similarity", "tagging", "answering"];

#[test]
fn every_head_has_its_shapes_and_few_parameters() -> anyhow::Result<()> {
    let record = run("finetuning-bert", &[])?;
    assert_eq!((record.data, figures(&record)), (DataOrigin::None, 2));
    let shapes = [
        ("Single text classification", "tokens [16, 9] to logits [16, 2]"),
        ("Text pair classification or regression", "to numbers [16]"),
        ("Text tagging", "tokens [16, 10] to logits [16, 10, 8]"),
        ("Question answering", "tokens [16, 27] to [16, 27] for starts, [16, 27] for ends"),
    ];
    for (title, shape) in shapes {
        let said = text(&record, title);
        assert!(said.contains(shape) && said.contains("by guessing"), "{title}: {said}");
    }
    assert!(text(&record, "Text tagging").contains("by guessing 2.079")); // ln 8
    let table = text(&record, "What each head adds");
    for (head, parameters) in [
        ("TextClassifier", (16 * 16 + 16) + (2 * 16 + 2)),
        ("PairRegressor", (16 * 16 + 16) + 17),
        ("Tagger", 8 * 16 + 8),
        ("SpanReader", 2 * 16),
    ] {
        let row = table.lines().find(|line| line.contains(head)).unwrap_or_default();
        assert!(row.ends_with(&format!(" {parameters}")), "{head} with {parameters}: {table}");
    }
    Ok(())
}

/// PyTorch's heads of these sizes ended, in three runs each, below 0.07, 2.7, 0.27 and 0.3.
#[test]
fn every_head_learns_its_examples() -> anyhow::Result<()> {
    let record = run("finetuning-bert", &["--num-steps", "60", "--lr", "0.005"])?;
    for (task, most) in TASKS.into_iter().zip([0.4, 5.0, 0.8, 1.0]) {
        let loss = value(&record, &format!("train_loss_{task}"));
        assert!((0.0..most).contains(&loss), "{task}: {loss}");
    }
    for task in ["acceptability", "tagging", "answering"] {
        let accuracy = value(&record, &format!("train_acc_{task}"));
        assert!(accuracy > 0.5 && accuracy <= 1.0, "{task}: {accuracy}");
    }
    assert!(value(&record, "correlation_similarity").abs() <= 1.0);
    let kept_back = text(&record, "Training the tagger");
    assert!(kept_back.contains("right: PRON ADV VERB ADP DET ADJ NOUN PUNCT"), "{kept_back}");
    assert!(text(&record, "Training the reader").contains("right: porto"));
    Ok(())
}

#[test]
fn a_tiny_bert_is_fine_tuned_and_trained_from_scratch() -> anyhow::Result<()> {
    let record = run("natural-language-inference-bert", &["--lr", "0.003", "--num-epochs", "5"])?;
    shown(&record, 2);
    learned(&record);
    let scratch = by_epoch(&record, "train_loss_scratch");
    assert!(scratch.len() == 5 && scratch[4] < scratch[0], "{scratch:?}");
    let gain = value(&record, "test_acc") - value(&record, "test_acc_scratch");
    assert!((value(&record, "gain") - gain).abs() < 1e-12, "{:?}", record.metrics);
    let (new, all) = (value(&record, "new_parameters"), value(&record, "pretrained_parameters"));
    assert!(new > 0.0 && new < all, "the layers behind <cls> alone: {new} and {all}");
    assert!((0.0..=1.0).contains(&value(&record, "good_bad_contradiction")), "{:?}", record.metrics);
    assert!(text(&record, "Loading pretrained BERT").contains("a tiny BERT of random numbers"));
    assert!(text(&record, "The dataset for fine-tuning BERT").contains("64 training and 24 test pairs"));
    let input = text(&record, "A pair as an input");
    assert!(input.contains("[CLS] ") && input.contains(" [SEP]"), "{input}");

    let flags = ["--scratch", "false", "--model", "bert.base", "--num-epochs", "1", "--examples", "16"];
    let record = run("natural-language-inference-bert", &flags)?;
    shown(&record, 1);
    assert!(text(&record, "The same net from random values").contains("--scratch true"));
    assert!(!record.metrics.contains_key("gain"), "{:?}", record.metrics);
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag_or_the_cure() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    let trainings = [
        "sentiment-analysis-rnn",
        "sentiment-analysis-cnn",
        "natural-language-inference-attention",
        "finetuning-bert",
        "natural-language-inference-bert",
    ];
    for section in trainings {
        assert!(message(section, &["--lr", "-1"]).contains("--lr"), "{section}");
        assert!(message(section, &["--batch-size", "0"]).contains("--batch-size"), "{section}");
    }
    for section in ["sentiment-analysis-rnn", "natural-language-inference-attention"] {
        assert!(message(section, &["--embedding", "glove"]).contains("glove.6b.50d"), "{section}");
    }
    assert!(message("sentiment-analysis-cnn", &["--num-steps", "4"]).contains("--num-steps"));
    assert!(message("finetuning-bert", &["--num-heads", "5"]).contains("5 heads cannot share 16 features"));
    assert!(message("natural-language-inference-bert", &["--model", "bert.large"]).contains("bert.small"));
    assert!(message("natural-language-inference-bert", &["--max-len", "5000"]).contains("--max-len 5000"));
}
