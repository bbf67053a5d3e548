//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use rnn::CHAPTER;

use d2l_testing::smoke;

use d2l_testing::smoke::{by_epoch, falls, figures, text, value};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    let eight = ["8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7"];
    let nine = ["9.1", "9.2", "9.3", "9.4", "9.5", "9.6", "9.7", "9.8"];
    assert_eq!(numbers, [&eight[..], &nine[..]].concat());
}

#[test]
fn the_sine_is_predicted_well_for_one_step_and_badly_for_many() -> anyhow::Result<()> {
    let record = run("sequence", &[])?;
    let losses = by_epoch(&record, "train_loss");
    assert!(losses[4] < 0.07 && losses[4] > 0.04, "{losses:?}"); // below 0.04 it would have learned the noise
    assert!(value(&record, "error_1_steps") < 0.2 && value(&record, "error_64_steps") > 0.3, "{:?}", record.metrics);
    assert_eq!((figures(&record), record.data), (4, DataOrigin::None));
    Ok(())
}

#[test]
fn the_text_becomes_ids() -> anyhow::Result<()> {
    let record = run("text-preprocessing", &[])?;
    assert_eq!(record.data, DataOrigin::Sample);
    assert_eq!(value(&record, "character_ids"), 28.0);
    assert!(text(&record, "Reading the dataset").contains("the mill at the bend of the river"));
    assert!(text(&record, "Vocabulary").contains("the"));
    Ok(())
}

#[test]
fn frequencies_fall_and_minibatches_are_cut() -> anyhow::Result<()> {
    let record = run("language-models-and-dataset", &[])?;
    let [one, two, three] = ["unigrams", "bigrams", "trigrams"].map(|metric| value(&record, metric));
    assert!(one < two && two < three, "{:?}", record.metrics);
    assert_eq!(figures(&record), 2);
    assert!(text(&record, "Random sampling").lines().count() >= 6);
    Ok(())
}

#[test]
fn one_product_is_two() -> anyhow::Result<()> {
    assert!(value(&run("rnn", &["--num-hiddens", "50"])?, "max_difference") < 1e-4);
    Ok(())
}

#[test]
fn language_models_learn_in_every_section() -> anyhow::Result<()> {
    let trained = [
        ("rnn-scratch", &["perplexity_sequential", "perplexity_random"][..]),
        ("rnn-concise", &["perplexity"]),
        ("gru", &["perplexity_scratch", "perplexity_concise"]),
        ("lstm", &["perplexity_scratch", "perplexity_concise"]),
        ("deep-rnn", &["perplexity"]),
        ("bi-rnn", &["perplexity"]),
    ];
    for (section, metrics) in trained {
        let record = run(section, &[])?;
        for metric in metrics {
            let perplexities = by_epoch(&record, metric);
            assert!(falls(perplexities), "{section}, {metric}: {perplexities:?}");
            assert!(perplexities[0] < 29.0, "{section}, {metric}: {perplexities:?}"); // 28 is a blind guess
        }
        assert!(record.tokens_per_second.is_some_and(|rate| rate > 0.0), "{section}");
        assert_eq!((figures(&record), record.data), (metrics.len(), DataOrigin::Sample), "{section}");
    }
    Ok(())
}

#[test]
fn gradients_by_hand_are_those_of_autograd_and_random_cuts_are_unbiased() -> anyhow::Result<()> {
    let record = run("bptt", &[])?;
    assert!(value(&record, "gradient_difference") < 1e-12, "{:?}", record.metrics);
    let mean = value(&record, "randomized_mean_error");
    assert!(mean < value(&record, "randomized_error") / 3.0 && mean < value(&record, "truncated_error"));
    assert_eq!(figures(&record), 3);
    Ok(())
}

#[test]
fn sentence_pairs_become_padded_minibatches() -> anyhow::Result<()> {
    let record = run("machine-translation-and-dataset", &[])?;
    assert_eq!((value(&record, "pairs"), record.data), (442.0, DataOrigin::Sample));
    assert!(text(&record, "Tokenization").contains(r#"["go", "."] ["va", "!"]"#));
    assert!(text(&record, "Putting all things together").contains("Tensor[[2, 8], u32]"));
    assert_eq!(figures(&record), 1);
    Ok(())
}

#[test]
fn the_encoder_feeds_the_decoder() -> anyhow::Result<()> {
    assert_eq!(value(&run("encoder-decoder", &[])?, "difference"), 0.0);
    Ok(())
}

#[test]
fn translation_learns() -> anyhow::Result<()> {
    let record = run("seq2seq", &[])?;
    assert!(falls(by_epoch(&record, "train_loss")), "{:?}", record.metrics);
    assert!((0.0..=1.0).contains(&value(&record, "bleu")));
    assert!(record.tokens_per_second.is_some());
    Ok(())
}

#[test]
fn a_wider_beam_finds_no_worse_sequences_on_average() -> anyhow::Result<()> {
    let record = run("beam-search", &[])?;
    assert!(value(&record, "score_beam_8") >= value(&record, "score_greedy"), "{:?}", record.metrics);
    assert_eq!(figures(&record), 1);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_results_and_another_seed_others() -> anyhow::Result<()> {
    for section in ["rnn-scratch", "lstm", "seq2seq"] {
        smoke::the_seed_decides(&CHAPTER, section, &["--num-epochs", "1"])?;
    }
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag_or_the_cure() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    for section in ["rnn-scratch", "gru", "seq2seq"] {
        assert!(message(section, &["--num-epochs", "0"]).contains("--num-epochs"));
        assert!(message(section, &["--lr", "-1"]).contains("--lr"));
    }
    assert!(message("rnn-scratch", &["--lr", "1e39"]).contains("smaller learning rate"));
    assert!(message("rnn-concise", &["--max-tokens", "50"]).contains("50 tokens are too few for 8 rows of 10 steps"));
    assert!(message("sequence", &["--length", "100"]).contains("--num-train"));
    assert!(message("sequence", &["--max-steps", "1000"]).contains("--max-steps"));
    assert!(message("language-models-and-dataset", &["--num-steps", "40"]).contains("--num-steps"));
    assert!(message("beam-search", &["--num-examples", "1000"]).contains("--num-examples"));
    assert!(message("seq2seq", &["--dropout", "1.5"]).contains("dropout"));
    let huge = ["--batch-size", "4294967295", "--num-steps", "4294967295"];
    assert!(message("rnn-concise", &huge).contains("too few"));
}
