//! Every section runs at smoke scale, and what trains learns.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, by_epoch, figures, text, value};
use recommender::CHAPTER;

fn run(section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    smoke::run(&CHAPTER, section, flags)
}

/// Whether the last value is below the first one.
fn comes_down(values: &[f64]) -> bool {
    values.len() > 1 && values[values.len() - 1] < values[0]
}

#[test]
fn the_table_names_every_section_with_its_number() {
    let numbers: Vec<_> = CHAPTER.sections.iter().map(|section| section.heading().0).collect();
    assert_eq!(numbers, ["16.1", "16.2", "16.3", "16.4", "16.5", "16.6", "16.7", "16.8", "16.9", "16.10"]);
}

#[test]
fn neighborhoods_are_better_than_means_and_popularity() -> anyhow::Result<()> {
    let record = run("recsys-intro", &["--movie", "0", "--shrinkage", "5"])?;
    assert!(value(&record, "test_rmse") < value(&record, "test_rmse_mean"), "{:?}", record.metrics);
    for quality in ["hit_rate", "auc", "hit_rate_popularity", "auc_popularity"] {
        assert!((0.0..=1.0).contains(&value(&record, quality)), "{:?}", record.metrics);
    }
    assert!(value(&record, "auc") > 0.5, "{:?}", record.metrics);
    assert!(text(&record, "Explicit feedback and implicit feedback").contains(" stars"));
    assert_eq!((figures(&record), record.data), (1, DataOrigin::Sample));
    Ok(())
}

#[test]
fn the_sample_is_counted_split_and_measured() -> anyhow::Result<()> {
    let record = run("movielens", &["--rows", "3000"])?;
    assert_eq!((value(&record, "users"), value(&record, "items")), (60.0, 90.0));
    let sparsity = value(&record, "sparsity");
    assert!((0.5..0.6).contains(&sparsity), "{sparsity}");
    assert!(text(&record, "Splitting the dataset").contains("1 to 1"), "{}", text(&record, "Splitting the dataset"));
    let growth = text(&record, "Twenty million ratings");
    assert!(growth.contains("375 ") && growth.contains("3000 "), "{growth}");
    assert!(value(&record, "bytes_a_row") < 22.0 && value(&record, "rows_per_second") > 0.0, "{:?}", record.metrics);
    assert_eq!((figures(&record), record.data), (1, DataOrigin::Sample));
    Ok(())
}

#[test]
fn ratings_are_learned_and_movies_recommended() -> anyhow::Result<()> {
    for (section, count) in [("mf", 2), ("autorec", 1)] {
        let record = run(section, &[])?;
        for metric in ["train_loss", "test_rmse"] {
            assert!(comes_down(by_epoch(&record, metric)), "{section}: {:?}", record.metrics);
        }
        assert_eq!((figures(&record), record.data), (count, DataOrigin::Sample), "{section}");
    }
    let record = run("mf", &["--user", "3", "--movie", "5"])?;
    assert!(value(&record, "test_rmse") < 1.1, "{:?}", record.metrics);
    let films = text(&record, "Ten movies for one user");
    assert!(films.contains("user 3, a ") && films.contains("liked ") && films.lines().count() == 14, "{films}");
    assert!(text(&record, "A rating that is not known").contains("user 3 might give "));
    Ok(())
}

#[test]
fn a_loss_of_probabilities_cannot_become_small() -> anyhow::Result<()> {
    let record = run("ranking", &[])?;
    let least = value(&record, "least_loss_of_probabilities");
    assert!((least - (1.0 + (-1f64).exp()).ln()).abs() < 1e-4, "{least}");
    assert_eq!((figures(&record), record.data), (1, DataOrigin::None));
    Ok(())
}

#[test]
fn rankings_are_learned() -> anyhow::Result<()> {
    for section in ["neumf", "seqrec"] {
        let record = run(section, &[])?;
        assert!(comes_down(by_epoch(&record, "train_loss")), "{section}: {:?}", record.metrics);
        for quality in ["test_hit_rate", "test_auc"] {
            assert!((0.0..=1.0).contains(&value(&record, quality)), "{section}: {:?}", record.metrics);
        }
        assert!(text(&record, "Ten movies for one user").contains("user 20, a "), "{section}");
        assert_eq!(record.data, DataOrigin::Sample, "{section}");
    }
    Ok(())
}

#[test]
fn clicks_are_counted_and_learned() -> anyhow::Result<()> {
    let record = run("ctr", &["--min-threshold", "2"])?;
    assert!((0.0..1.0).contains(&value(&record, "click_rate")) && value(&record, "category_numbers") > 10.0);
    for section in ["fm", "deepfm"] {
        let record = run(section, &[])?;
        assert!(comes_down(by_epoch(&record, "train_loss")), "{section}: {:?}", record.metrics);
        assert_eq!(record.data, DataOrigin::Sample, "{section}");
    }
    Ok(())
}

#[test]
fn the_seed_decides() -> anyhow::Result<()> {
    for section in ["recsys-intro", "mf"] {
        smoke::the_seed_decides(&CHAPTER, section, &[])?;
    }
    Ok(())
}

#[test]
fn wrong_settings_are_errors_that_name_the_flag() {
    let message = |section: &str, flags: &[&str]| smoke::message(&CHAPTER, section, flags);
    for section in ["mf", "autorec", "neumf", "seqrec", "fm", "deepfm"] {
        assert!(message(section, &["--lr", "-1"]).contains("--lr"), "{section}");
        assert!(message(section, &["--batch-size", "0"]).contains("--batch-size"), "{section}");
    }
    assert!(message("mf", &["--user", "60"]).contains("--user 60: there are 60 users"));
    assert!(message("mf", &["--movie", "90"]).contains("--movie 90: there are 90 movies"));
    assert!(message("recsys-intro", &["--movie", "90"]).contains("--movie 90: there are 90 movies"));
    for section in ["recsys-intro", "movielens", "mf", "autorec"] {
        assert!(message(section, &["--test-ratio", "0"]).contains("--test-ratio must be above 0"), "{section}");
        assert!(message(section, &["--test-ratio", "1"]).contains("--test-ratio"), "{section}");
    }
}
