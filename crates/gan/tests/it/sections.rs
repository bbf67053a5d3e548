//! Both sections run at smoke scale, and what trains goes the way that it should.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, figures, text, value};
use gan::CHAPTER;
use gan::adversarial::{ACCURACIES, LOSSES};

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["17.1", "17.2"]);
}

#[test]
fn points_come_to_be_a_gaussian() -> anyhow::Result<()> {
    let record = run("gan", &["--examples", "1000", "--num-epochs", "10"])?;
    // Of sixty runs in PyTorch, all losses ended within 0.1 of ln 2, and all but a few errors below 0.5.
    for loss in LOSSES {
        let losses = by_epoch(&record, loss);
        assert_eq!(losses.len(), 10);
        assert!((losses[9] - std::f64::consts::LN_2).abs() < 0.12, "{loss}: {losses:?}");
    }
    for error in ["mean_error", "covariance_error"] {
        let errors = by_epoch(&record, error);
        assert!(errors[0] > 0.7 && errors[9] < 0.6, "{error}: {errors:?}");
    }
    // Who guesses may call all of them real: then one share is 1 and the other 0.
    let told_right: f64 = ACCURACIES.iter().map(|name| value(&record, name)).sum();
    assert!((0.8..1.5).contains(&told_right), "{:?}", record.metrics);
    let covariance = text(&record, "What the real data are");
    assert!(
        covariance.contains("1.0100") && covariance.contains("1.9500") && covariance.contains("4.2500"),
        "{covariance}"
    );
    assert!(text(&record, "Updating the discriminator").starts_with("update 1: loss 0.69"));
    assert_eq!((figures(&record), record.data), (3, DataOrigin::None));
    Ok(())
}

#[test]
fn pictures_are_made_shown_and_measured() -> anyhow::Result<()> {
    let record = run("dcgan", &[])?;
    for loss in LOSSES {
        let losses = by_epoch(&record, loss);
        assert!(losses.len() == 2 && losses.iter().all(|loss| (0.01..3.0).contains(loss)), "{loss}: {losses:?}");
    }
    for share in ACCURACIES {
        assert!((0.0..=1.0).contains(&value(&record, share)), "{:?}", record.metrics);
    }
    let diversity = value(&record, "diversity");
    assert!(diversity > 0.0 && diversity < 2.0, "{diversity}");
    assert!(
        value(&record, "collapse_loss") > 0.0 && value(&record, "collapse_diversity") > 0.0,
        "{:?}",
        record.metrics
    );
    assert!(text(&record, "The Pokemon dataset").contains("48 of 120 sprites"));
    assert!(text(&record, "The generator's block").contains("[2, 3, 16, 16] to [2, 20, 32, 32]"));
    assert!(text(&record, "Four by four pixels of one").contains("[2, 3, 1, 1] to [2, 20, 4, 4]"));
    assert!(text(&record, "From noise to a picture").contains("[1, 8, 1, 1] to [1, 3, 64, 64]"));
    assert!(text(&record, "The discriminator's block").contains("[2, 3, 16, 16] to [2, 20, 8, 8]"));
    assert!(text(&record, "From a picture to a logit").contains("[1, 3, 64, 64] to [1, 1, 1, 1]"));
    assert_eq!((figures(&record), record.data), (8, DataOrigin::Sample));
    Ok(())
}

#[test]
fn the_seed_decides() -> anyhow::Result<()> {
    smoke::the_seed_decides(&CHAPTER, "gan", &[])
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    for flag in ["--lr-d", "--lr-g"] {
        assert!(message("gan", &[flag, "0"]).contains(flag));
    }
    for flag in ["--batch-size", "--latent-dim", "--num-epochs"] {
        for section in ["gan", "dcgan"] {
            assert!(message(section, &[flag, "0"]).contains(flag), "{section}");
        }
    }
    assert!(message("gan", &["--examples", "1"]).contains("--examples"));
    for flag in ["--lr", "--channels", "--steps-alone"] {
        assert!(message("dcgan", &[flag, "0"]).contains(flag));
    }
    for (flag, number) in [("--slope", "1.5"), ("--beta1", "1")] {
        assert!(message("dcgan", &[flag, number]).contains(flag));
    }
}
