//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, figures, value};
use optimization::CHAPTER;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

/// Holds results against known ones.
fn near(record: &RunRecord, expected: &[(&str, f64)], tolerance: f64) {
    for &(name, number) in expected {
        let found = value(record, name);
        assert!((found - number).abs() < tolerance, "{name}: {found} instead of {number}");
    }
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    let expected: Vec<String> = (1..=11).map(|section| format!("11.{section}")).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn risk_and_empirical_risk_have_different_minima() -> anyhow::Result<()> {
    let record = run("optimization-intro", &[])?;
    assert_eq!(figures(&record), 5);
    near(&record, &[("minima", 2.0), ("smallest_eigenvalue", -2.0), ("tanh_slope", 0.001_341)], 1e-5);
    assert!(value(&record, "risk_gap") > 0.01);
    Ok(())
}

#[test]
fn jensens_inequality_holds_for_the_convex_functions() -> anyhow::Result<()> {
    let record = run("convexity", &[])?;
    near(&record, &[("eigenvalue_bowl", 1.0), ("eigenvalue_saddle", -2.0), ("eigenvalue_logsumexp", 0.0)], 1e-4);
    near(&record, &[("clipping_difference", 0.0)], 1e-9);
    // E ½X² = ½ and E exp(½X) = exp(⅛) for a standard normal X; the cosine has the mean exp(-π²/2) for 1 at the middle.
    near(&record, &[("jensen_square", 0.5), ("jensen_exponential", 0.133), ("jensen_cosine", -0.993)], 0.02);
    near(&record, &[("penalty_violation", 1.0 / 1001.0)], 1e-9);
    Ok(())
}

#[test]
fn searches_without_noise_end_where_the_books_do() -> anyhow::Result<()> {
    let record = run("gd", &[])?;
    near(&record, &[("x_rate_0.2", 0.060_466), ("x_local_minimum", -1.528_166), ("x_newton", 0.0)], 1e-6);
    near(&record, &[("x_newton_astray", 26.834_133), ("x_newton_damped", 7.269_860)], 1e-6);
    near(&record, &[("x1_plane", -0.057_646), ("x2_plane", -0.000_073)], 1e-6);
    let steps = ["preconditioned", "line_search", "plain", "slow"].map(|name| value(&record, &format!("steps_{name}")));
    assert!(steps.is_sorted() && steps[0] == 1.0, "{steps:?}");
    let record = run("momentum", &[])?;
    near(&record, &[("x1_gd_0.4", -0.943_467), ("x2_gd_0.4", -0.000_073), ("x1_gd_0.6", -0.387_814)], 1e-6);
    near(
        &record,
        &[("x2_gd_0.6", -1_673.365_109), ("x1_momentum_0.5", 0.007_188), ("x2_momentum_0.5", 0.002_553)],
        1e-6,
    );
    near(&record, &[("x1_momentum_0.25", -0.126_340), ("x2_momentum_0.25", -0.186_632)], 1e-6);
    Ok(())
}

#[test]
fn a_falling_rate_comes_nearer_than_a_constant_one() -> anyhow::Result<()> {
    let record = run("sgd", &[])?;
    assert!(value(&record, "mean_f_polynomial") < value(&record, "mean_f_constant"), "{:?}", record.metrics);
    near(&record, &[("share_drawn", 1.0 - (-1f64).exp())], 0.02);
    Ok(())
}

#[test]
fn every_algorithm_learns_the_airfoils() -> anyhow::Result<()> {
    for section in ["minibatch-sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam"] {
        let record = run(section, &["--num-epochs", "8"])?;
        assert_eq!(record.data, DataOrigin::Sample, "{section}");
        let losses: Vec<_> = record.metrics.iter().filter(|(name, _)| name.starts_with("loss_")).collect();
        assert!(losses.len() > 1, "{section}");
        for (name, loss) in losses {
            // Half the variance is 0.5: what a model knows that tells nothing.
            assert!(loss.last().is_some_and(|loss| loss < 0.3), "{section}, {name}: {loss:?}");
        }
    }
    Ok(())
}

#[test]
fn a_whole_product_is_faster_than_its_elements_one_by_one() -> anyhow::Result<()> {
    let record = run("minibatch-sgd", &[])?;
    assert!(
        value(&record, "gflop_per_second_whole") > value(&record, "gflop_per_second_elements"),
        "{:?}",
        record.metrics
    );
    assert!(value(&record, "product_difference") < 1e-3, "{:?}", record.metrics);
    Ok(())
}

#[test]
fn the_net_learns_with_every_schedule() -> anyhow::Result<()> {
    let record = run("lr-scheduler", &["--num-epochs", "8", "--examples", "2000", "--batch-size", "128"])?;
    for name in ["constant", "square-root", "multi-factor", "cosine", "warmup"] {
        // A high rate makes some epochs worse than the one before; ln 10 = 2.3 is the loss of guessing.
        let losses = by_epoch(&record, &format!("train_loss_{name}"));
        assert!(losses[7] < 1.9 && losses[7] < losses[0], "{name}: {losses:?}");
    }
    Ok(())
}

#[test]
fn settings_out_of_their_range_are_named() {
    let cases = [
        ("momentum", "--momentum", "1", "below 1"),
        ("momentum", "--lr", "-0.1", "above zero"),
        ("rmsprop", "--gamma", "1.5", "below 1"),
        ("adadelta", "--rho", "-0.1", "from 0"),
        ("adam", "--lr", "0", "above zero"),
        ("lr-scheduler", "--lr", "inf", "above zero"),
    ];
    for (section, flag, setting, range) in cases {
        let message = smoke::message(&CHAPTER, section, &[flag, setting]);
        assert!(message.contains(flag) && message.contains(range), "{section} {flag} {setting}: {message}");
    }
}

#[test]
fn a_training_that_diverges_says_so() {
    let message = smoke::message(&CHAPTER, "momentum", &["--lr", "1e30"]);
    assert!(message.contains("diverged") && message.contains("smaller learning rate"), "{message}");
}
