//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, falls};
use linear_nets::CHAPTER;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7"]);
}

#[test]
fn linear_regression_draws_three_densities() -> anyhow::Result<()> {
    let record = run("linear-regression", &["--length", "100"])?;
    assert_eq!(record.cells.last().map(|cell| cell.figures.len()), Some(1));
    assert_eq!(record.data, DataOrigin::None);
    Ok(())
}

#[test]
fn linear_regression_finds_the_weights() -> anyhow::Result<()> {
    for section in ["linear-regression-scratch", "linear-regression-concise"] {
        let record = run(section, &[])?;
        let losses = by_epoch(&record, "train_loss");
        assert!(losses[2] < losses[0] && losses[2] < 2e-4, "{section}: {losses:?}");
        assert!(record.metrics["w_error"].last().is_some_and(|error| error < 0.002), "{section}: {:?}", record.metrics);
    }
    Ok(())
}

#[test]
fn the_gradient_of_cross_entropy_is_prediction_minus_label() -> anyhow::Result<()> {
    let record = run("softmax-regression", &[])?;
    assert!(record.metrics["gradient_difference"].last().is_some_and(|difference| difference < 1e-6));
    Ok(())
}

#[test]
fn the_dataset_is_shown() -> anyhow::Result<()> {
    let record = run("image-classification-dataset", &[])?;
    assert_eq!(record.data, DataOrigin::Sample);
    assert!(record.cells[0].text.contains("6000 training and 1000 test images"), "{}", record.cells[0].text);
    assert!(record.cells[4].text.contains("[32, 1, 64, 64]"), "{}", record.cells[4].text);
    Ok(())
}

#[test]
fn softmax_regression_learns_and_both_versions_agree() -> anyhow::Result<()> {
    let (scratch, concise) = (run("softmax-regression-scratch", &[])?, run("softmax-regression-concise", &[])?);
    for record in [&scratch, &concise] {
        assert!(falls(by_epoch(record, "train_loss")), "{:?}", record.metrics);
        assert!(record.metrics["test_acc"].last().is_some_and(|accuracy| accuracy > 0.6), "{:?}", record.metrics);
    }
    let last = |record: &RunRecord| record.metrics["train_loss"].last().unwrap_or(f64::NAN);
    assert!((last(&scratch) - last(&concise)).abs() < 0.02, "{} and {}", last(&scratch), last(&concise));
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_results_and_another_seed_others() -> anyhow::Result<()> {
    smoke::the_seed_decides(&CHAPTER, "softmax-regression-concise", &["--num-epochs", "1"])
}

/// The error that a run ends with.
fn message(section: &str, flags: &[&str]) -> String {
    smoke::message(&CHAPTER, section, flags)
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    for (flag, value) in [("--num-epochs", "0"), ("--batch-size", "0"), ("--lr", "-1")] {
        assert!(message("softmax-regression-concise", &[flag, value]).contains(flag), "{flag}");
    }
}

#[test]
fn a_training_that_diverges_ends_with_an_error_that_says_so() {
    let cases = [
        ("linear-regression-scratch", "3"),
        ("linear-regression-concise", "1e6"),
        ("softmax-regression-scratch", "1e30"),
        ("softmax-regression-concise", "1e39"),
    ];
    for (section, rate) in cases {
        let message = message(section, &["--lr", rate]);
        assert!(message.contains("diverged") && message.contains("smaller learning rate"), "{section}: {message}");
    }
}
