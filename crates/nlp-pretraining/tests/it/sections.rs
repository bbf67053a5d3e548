//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, figures, text, value};
use nlp_pretraining::CHAPTER;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["14.1", "14.2", "14.3", "14.4", "14.5", "14.6", "14.7", "14.8", "14.9", "14.10"]);
}

#[test]
fn the_formulas_are_the_gradients_and_the_little_corpus_is_learned() -> anyhow::Result<()> {
    let record = run("word2vec", &[])?;
    for model in ["skip-gram", "cbow"] {
        assert!(value(&record, &format!("gradient_difference_{model}")) < 1e-12, "{:?}", record.metrics);
        let excess = value(&record, &format!("excess_loss_{model}"));
        assert!((0.0..0.04).contains(&excess), "{model}: {excess}");
        let losses = by_epoch(&record, &format!("train_loss_{model}"));
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    }
    assert_eq!((figures(&record), record.data), (3, DataOrigin::None));
    Ok(())
}

#[test]
fn the_tree_is_a_distribution_with_few_products() -> anyhow::Result<()> {
    let record = run("approx-training", &[])?;
    assert!(value(&record, "probability_sum_error") < 1e-12, "{:?}", record.metrics);
    for method in ["negative-sampling", "hierarchical-softmax"] {
        assert!(value(&record, &format!("gradient_difference_{method}")) < 1e-12, "{:?}", record.metrics);
    }
    assert!((value(&record, "products_per_word") - 103.0 / 30.0).abs() < 1e-12);
    assert_eq!(figures(&record), 2);
    Ok(())
}

#[test]
fn frequent_words_are_thinned_out_and_rare_ones_stay() -> anyhow::Result<()> {
    let record = run("word-embedding-dataset", &[])?;
    assert!(value(&record, "kept_words") < 0.5 && value(&record, "kept_the") < 0.1, "{:?}", record.metrics);
    assert_eq!((figures(&record), record.data), (1, DataOrigin::Sample));
    Ok(())
}

#[test]
fn word_vectors_learn() -> anyhow::Result<()> {
    for section in ["word2vec-pretraining", "glove"] {
        let record = run(section, &[])?;
        let losses = by_epoch(&record, "train_loss");
        assert!(losses.len() > 1 && losses.windows(2).all(|pair| pair[1] < pair[0]), "{section}: {losses:?}");
        assert_eq!(record.data, DataOrigin::Sample, "{section}");
    }
    Ok(())
}

#[test]
fn pairs_are_merged_as_in_the_book_and_unseen_words_are_near_their_roots() -> anyhow::Result<()> {
    let record = run("subword-embedding", &[])?;
    assert_eq!(value(&record, "symbols"), 38.0);
    assert!(value(&record, "similarity_gap") > 0.4, "{:?}", record.metrics);
    let segments = text(&record, "Segmenting other words");
    assert!(segments.contains("tall e s t _") && segments.contains("fa t t er_"), "{segments}");
    Ok(())
}

#[test]
fn neighbors_and_analogies_are_asked_of_the_sample() -> anyhow::Result<()> {
    let record = run("similarity-analogy", &["--word", "water"])?;
    assert_eq!(record.data, DataOrigin::Sample);
    let near = text(&record, "Finding synonyms");
    assert!(near.contains("chip: ") && near.contains("water: "), "{near}");
    assert!(text(&record, "Finding analogies").contains("man : woman :: son : "));
    let record = run("similarity-analogy", &["--word", "blorp", "--embedding", "wiki.en"])?;
    assert!(text(&record, "Finding synonyms").contains("blorp: has no vector here"));
    Ok(())
}

#[test]
fn a_word_has_another_vector_in_another_context() -> anyhow::Result<()> {
    let record = run("bert", &[])?;
    assert_eq!(value(&record, "embedding_difference"), 0.0);
    assert!(value(&record, "context_difference") > 0.1, "{:?}", record.metrics);
    assert!(text(&record, "Putting all things together").contains("masked words [2, 3, 100]"));
    Ok(())
}

#[test]
fn eighty_of_a_hundred_words_are_masked() -> anyhow::Result<()> {
    let record = run("bert-dataset", &[])?;
    assert!((value(&record, "mask_share") - 0.8).abs() < 0.04, "{:?}", record.metrics);
    assert!((value(&record, "random_share") - 0.1).abs() < 0.03, "{:?}", record.metrics);
    assert_eq!(record.data, DataOrigin::Sample);
    Ok(())
}

#[test]
fn bert_trains_on_both_tasks() -> anyhow::Result<()> {
    let record = run("bert-pretraining", &[])?;
    let sum = value(&record, "mlm_loss") + value(&record, "nsp_loss");
    assert!((sum - value(&record, "train_loss")).abs() < 1e-3, "{:?}", record.metrics);
    assert!(text(&record, "Representing text with BERT").contains("[1, 6, 16]"));
    assert_eq!((figures(&record), record.data), (1, DataOrigin::Sample));
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag_or_the_cure() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    for section in ["word2vec-pretraining", "glove", "bert-pretraining"] {
        assert!(message(section, &["--lr", "-1"]).contains("--lr"));
        assert!(message(section, &["--batch-size", "0"]).contains("--batch-size"));
    }
    assert!(message("bert", &["--num-heads", "5"]).contains("5 heads cannot share 24 features"));
    assert!(message("bert-pretraining", &["--max-len", "5"]).contains("--max-len"));
    assert!(message("similarity-analogy", &["--embedding", "glove"]).contains("glove.6b.50d"));
    assert!(message("word2vec-pretraining", &["--max-sentences", "1", "--batch-size", "3"]).len() > 10);
}
