//! Every section runs at smoke scale, and what it computes is known.

use d2l::notebook::{DataOrigin, RunRecord};
use d2l_testing::smoke::{self, figures, text, value};
use math::CHAPTER;

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
    let expected: Vec<String> = (1..=11).map(|section| format!("18.{section}")).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn the_means_of_two_classes_tell_them_apart() -> anyhow::Result<()> {
    let record = run("geometry-linear-algebraic-ops", &[])?;
    assert_eq!((record.data, figures(&record)), (DataOrigin::Sample, 6));
    near(&record, &[("angle", 0.418_990), ("rank", 2.0), ("determinant", 5.0), ("difference", 0.0)], 1e-6);
    // What PyTorch gives for the sample's 200 test images.
    near(&record, &[("two_means_acc", 0.82), ("two_means_acc_upright", 0.87)], 1e-9);
    near(&record, &[("two_means_acc_halfway", 0.91)], 1e-9);
    // A cosine in n dimensions has the standard deviation 1/√n.
    near(&record, &[("cosine_1000_dimensions", (2.0 / (std::f64::consts::PI * 1000.0)).sqrt())], 0.006);
    assert!(value(&record, "residual_solve") < 1e-14 && value(&record, "residual_inverse") > 1e-9);
    assert!(text(&record, "Dot products and angles").contains("angle = 0.4190"));
    Ok(())
}

#[test]
fn random_vectors_stop_growing_after_the_normalization() -> anyhow::Result<()> {
    let record = run("eigendecomposition", &[])?;
    assert_eq!((record.data, figures(&record)), (DataOrigin::None, 7));
    near(&record, &[("eigenvalue_lower", 1.0), ("eigenvalue_upper", 4.0), ("largest_eigenvalue", 1.0)], 1e-9);
    near(&record, &[("disc_eigenvalue_least", 0.992_285), ("disc_eigenvalue_most", 9.080_336)], 1e-6);
    near(&record, &[("decomposition_error", 0.0), ("orthogonality_error", 0.0), ("symmetric_error", 0.0)], 1e-12);
    near(&record, &[("growth_error", 0.0)], 0.1);
    near(&record, &[("circular_law", 1.0)], 0.4);
    Ok(())
}

#[test]
fn settings_that_overflow_are_told() {
    let message = smoke::message(&CHAPTER, "eigendecomposition", &["--num-norms", "10000"]);
    assert!(message.contains("--num-norms"), "{message}");
}
