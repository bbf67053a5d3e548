//! Every section runs at smoke scale, and what trains learns.

use attention::CHAPTER;
use d2l::notebook::{DataOrigin, RunRecord};
use tempfile::TempDir;

use d2l_testing::smoke;

use d2l_testing::smoke::{by_epoch, figures, text, value};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7"]);
}

#[test]
fn heat_maps_of_one_and_of_many() -> anyhow::Result<()> {
    let record = run("attention-cues", &[])?;
    assert!(value(&record, "row_sum_error") < 1e-5);
    assert_eq!((figures(&record), record.data), (2, DataOrigin::None));
    Ok(())
}

#[test]
fn the_kernel_becomes_narrower_and_attention_beats_the_mean() -> anyhow::Result<()> {
    let record = run("nadaraya-watson", &[])?;
    assert!(value(&record, "loss_change") < 0.0 && value(&record, "sharper") > 1.5, "{:?}", record.metrics);
    assert!(value(&record, "test_mse_nonparametric") < value(&record, "test_mse_average"), "{:?}", record.metrics);
    assert_eq!((by_epoch(&record, "train_loss").len(), figures(&record)), (5, 6));
    Ok(())
}

#[test]
fn padding_weighs_nothing_and_a_row_without_keys_is_even() -> anyhow::Result<()> {
    let record = run("attention-scoring-functions", &[])?;
    assert!(value(&record, "row_sum_error") < 1e-5 && value(&record, "difference") < 1e-4, "{:?}", record.metrics);
    assert!(text(&record, "A row without keys").contains("0.2500, 0.2500, 0.2500, 0.2500"));
    assert_eq!(figures(&record), 2);
    Ok(())
}

#[test]
fn heads_together_are_each_head_alone() -> anyhow::Result<()> {
    let record = run("multihead-attention", &["--num-hiddens", "12", "--num-heads", "3"])?;
    assert!(value(&record, "difference") < 1e-5);
    assert!(text(&record, "The reshapes").contains("head 1 takes the features 4 to 7"));
    Ok(())
}

#[test]
fn paths_are_counted_and_positions_are_rotations() -> anyhow::Result<()> {
    let record = run("self-attention-and-positional-encoding", &[])?;
    assert_eq!(value(&record, "cnn_path_per_step"), 63.0 / 64.0);
    assert_eq!(value(&record, "attention_path_per_step"), 1.0 / 64.0);
    assert!(value(&record, "rotation_error") < 1e-6);
    assert_eq!(text(&record, "Comparing CNNs, RNNs and self-attention").lines().count(), 2 + 3);
    assert_eq!(figures(&record), 3);
    Ok(())
}

#[test]
fn translation_learns() -> anyhow::Result<()> {
    for (section, count) in [("bahdanau-attention", 2), ("transformer", 4)] {
        let record = run(section, &[])?;
        let losses = by_epoch(&record, "train_loss");
        assert!(losses.len() > 1 && losses.windows(2).all(|pair| pair[1] < pair[0]), "{section}: {losses:?}");
        assert!((0.0..=1.0).contains(&value(&record, "bleu")), "{section}");
        assert!(record.tokens_per_second.is_some_and(|rate| rate > 0.0), "{section}");
        assert_eq!((figures(&record), record.data), (count, DataOrigin::Sample), "{section}");
    }
    Ok(())
}

#[test]
fn a_sentence_of_ones_own_is_translated_by_the_saved_model_without_training() -> anyhow::Result<()> {
    let out = TempDir::new()?;
    let own = ["--translate", "i'm home ."];
    let first = smoke::run_in(out.path(), &CHAPTER, "transformer", &own)?; // there is no model yet
    assert!(first.metrics.contains_key("train_loss"));
    let again = CHAPTER.smoke("transformer", out.path(), &own)?;
    assert!(again.metrics.is_empty());
    let translation = text(&again, "Translation");
    assert!(translation.contains("i'm home .") && translation == text(&first, "Saved and loaded"), "{translation}");
    let error = CHAPTER.smoke("transformer", out.path(), &["--translate", " "]).expect_err("no word");
    assert!(format!("{error:#}").contains("--translate"), "{error:#}");
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_results_and_another_seed_others() -> anyhow::Result<()> {
    for section in ["bahdanau-attention", "transformer"] {
        smoke::the_seed_decides(&CHAPTER, section, &["--num-epochs", "1"])?;
    }
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag_or_the_cure() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    for section in ["nadaraya-watson", "bahdanau-attention", "transformer"] {
        assert!(message(section, &["--num-epochs", "0"]).contains("--num-epochs"));
        assert!(message(section, &["--lr", "-1"]).contains("--lr"));
    }
    assert!(message("transformer", &["--num-heads", "5"]).contains("5 heads cannot share 32 features"));
    assert!(message("transformer", &["--dropout", "1.5"]).contains("dropout"));
    assert!(message("bahdanau-attention", &["--dropout", "1.5"]).contains("dropout"));
    assert!(message("multihead-attention", &["--num-heads", "3"]).contains("evenly"));
    let missing = ["--translate", "go .", "--model", "/nowhere/model.safetensors", "--lr", "1e39"];
    assert!(message("transformer", &missing).contains("smaller learning rate"));
}
