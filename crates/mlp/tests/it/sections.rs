//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, falls, figures, value};
use mlp::CHAPTER;
use tempfile::TempDir;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10"]);
}

#[test]
fn four_activation_functions_are_drawn_with_their_gradients() -> anyhow::Result<()> {
    let record = run("mlp", &[])?;
    assert_eq!(figures(&record), 4);
    assert_eq!((value(&record, "sigmoid_gradient"), value(&record, "tanh_gradient")), (0.25, 1.0));
    assert!(value(&record, "linear_difference") < 1e-5);
    Ok(())
}

#[test]
fn the_net_with_a_hidden_layer_learns_and_both_versions_agree() -> anyhow::Result<()> {
    let (scratch, concise) = (run("mlp-scratch", &[])?, run("mlp-concise", &[])?);
    for record in [&scratch, &concise] {
        assert_eq!(record.data, DataOrigin::Sample);
        assert!(falls(by_epoch(record, "train_loss")), "{:?}", record.metrics);
        assert!(value(record, "test_acc") > 0.5, "{:?}", record.metrics);
    }
    let difference = value(&scratch, "train_loss") - value(&concise, "train_loss");
    assert!(difference.abs() < 0.05, "{difference}");
    Ok(())
}

#[test]
fn two_terms_fit_worse_than_four() -> anyhow::Result<()> {
    let record = run("underfit-overfit", &[])?;
    assert_eq!(figures(&record), 3);
    let (normal, underfit) = (value(&record, "train_loss_normal"), value(&record, "train_loss_underfit"));
    assert!(normal < 1.0 && underfit > 2.0 * normal, "{normal} and {underfit}");
    Ok(())
}

#[test]
fn weight_decay_makes_the_weights_ten_times_smaller() -> anyhow::Result<()> {
    let record = run("weight-decay", &[])?;
    for kind in ["scratch", "concise"] {
        assert!(value(&record, &format!("norm_ratio_{kind}")) > 10.0, "{:?}", record.metrics);
        let (with, without) = ("test_loss", "test_loss_without_decay");
        assert!(value(&record, &format!("{with}_{kind}")) < 0.1 * value(&record, &format!("{without}_{kind}")));
    }
    Ok(())
}

#[test]
fn nets_with_dropout_learn() -> anyhow::Result<()> {
    let record = run("dropout", &[])?;
    for kind in ["scratch", "concise"] {
        let losses = by_epoch(&record, &format!("train_loss_{kind}"));
        assert!(losses[losses.len() - 1] < 0.8 * losses[0], "{kind}: {losses:?}");
    }
    Ok(())
}

#[test]
fn gradients_by_hand_are_those_of_autograd_and_the_objective_falls() -> anyhow::Result<()> {
    let record = run("backprop", &["--num-inputs", "7", "--num-hiddens", "5"])?;
    assert!(value(&record, "gradient_difference") < 1e-12);
    assert!(value(&record, "finite_difference") < 1e-6);
    assert!(falls(&by_epoch(&record, "train_loss")[..10]));
    Ok(())
}

#[test]
fn equal_weights_stay_equal_and_xavier_keeps_the_size() -> anyhow::Result<()> {
    let record = run("numerical-stability-and-init", &[])?;
    assert!(value(&record, "log10_product") > 15.0);
    assert!(value(&record, "spread_equal") < 1e-4 && value(&record, "spread_random") > 0.1, "{:?}", record.metrics);
    assert!(value(&record, "train_loss_random") < 0.5 * value(&record, "train_loss_equal"), "{:?}", record.metrics);
    assert!((0.1..10.0).contains(&value(&record, "outputs_xavier_normal")), "{:?}", record.metrics);
    assert!(value(&record, "outputs_small") < 1e-10);
    Ok(())
}

#[test]
fn both_corrections_help_on_the_target() -> anyhow::Result<()> {
    let record = run("environment", &[])?;
    assert!(value(&record, "target_error_weighted") < 0.5 * value(&record, "target_error_unweighted"));
    assert!(value(&record, "target_acc_weighted") > value(&record, "target_acc_unweighted") + 0.02);
    assert!(value(&record, "share_error") < 0.1, "{:?}", record.metrics);
    Ok(())
}

#[test]
fn house_prices_are_learned_and_handed_in() -> anyhow::Result<()> {
    let out = TempDir::new()?;
    let record = smoke::run_in(out.path(), &CHAPTER, "kaggle-house-price", &[])?;
    assert_eq!(record.data, DataOrigin::Sample);
    assert_eq!(value(&record, "features"), 331.0);
    let errors = by_epoch(&record, "final_train_log_rmse");
    assert!(errors[errors.len() - 1] < 0.5 * errors[0], "{errors:?}");
    assert!(value(&record, "valid_log_rmse") < errors[0] / 2.0);
    let file = std::fs::read_to_string(out.path().join("kaggle-house-price/submission.csv"))?;
    let mut lines = file.lines();
    assert_eq!(lines.next(), Some("Id,SalePrice"));
    let rows: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(',')).collect();
    assert_eq!(rows.len(), 120);
    assert_eq!((rows[0].0, rows[119].0), ("241", "360"));
    assert!(rows.iter().all(|(_, price)| price.parse::<f64>().is_ok_and(f64::is_finite)), "{rows:?}");
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_results_and_another_seed_others() -> anyhow::Result<()> {
    for section in ["dropout", "kaggle-house-price"] {
        smoke::the_seed_decides(&CHAPTER, section, &["--num-epochs", "1"])?;
    }
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    assert!(message("mlp-scratch", &["--num-hiddens", "0"]).contains("--num-hiddens"));
    assert!(message("dropout", &["--dropout1", "1.5"]).contains("--dropout1"));
    assert!(message("kaggle-house-price", &["--k", "1"]).contains("--k"));
    assert!(message("kaggle-house-price", &["--k", "1000"]).contains("--k 1000: 240 houses"));
    assert!(message("kaggle-house-price", &["--train-csv", "a.csv"]).contains("--test-csv"));
    assert!(message("kaggle-house-price", &["--weight-decay", "-1"]).contains("--weight-decay"));
    let diverging = [
        ("mlp-scratch", "1e39"),
        ("mlp-concise", "1e39"),
        ("underfit-overfit", "10"),
        ("weight-decay", "10"),
        ("backprop", "1e30"),
        ("kaggle-house-price", "1e38"),
    ];
    for (section, rate) in diverging {
        let message = message(section, &["--lr", rate]);
        assert!(message.contains("diverged") && message.contains("smaller learning rate"), "{section}: {message}");
    }
}
