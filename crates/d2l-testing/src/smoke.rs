//! Sections at smoke scale, and what their records say.

use std::path::Path;

use d2l::notebook::{Chapter, Metric, RunRecord};

/// Runs a section in a folder, and checks that its record and each of its figures were written.
pub fn run_in(out: &Path, chapter: &Chapter, section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    let record = chapter.smoke(section, out, flags)?;
    let folder = out.join(section);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("run.json"))?)?;
    assert_eq!(json["section"], section);
    assert_eq!(json["fingerprint"], record.fingerprint);
    assert_eq!(json["tokens_per_second"].is_number(), record.tokens_per_second.is_some());
    for figure in record.cells.iter().flat_map(|cell| &cell.figures) {
        assert!(std::fs::metadata(folder.join(&figure.file))?.len() > 500, "{} is empty", figure.file);
    }
    Ok(record)
}

/// [`run_in`] a folder of its own.
pub fn run(chapter: &Chapter, section: &str, flags: &[&str]) -> anyhow::Result<RunRecord> {
    run_in(tempfile::tempdir()?.path(), chapter, section, flags)
}

/// The error that a run with wrong settings ends with.
pub fn message(chapter: &Chapter, section: &str, flags: &[&str]) -> String {
    format!("{:#}", run(chapter, section, flags).expect_err("a wrong setting"))
}

/// Holds that a section's results are the same with the same seed and others with another.
pub fn the_seed_decides(chapter: &Chapter, section: &str, flags: &[&str]) -> anyhow::Result<()> {
    let metrics = |seed: u64| -> anyhow::Result<_> {
        let out = tempfile::tempdir()?;
        Ok(chapter.smoke_with_seed(section, out.path(), flags, seed)?.metrics)
    };
    assert_eq!(metrics(7)?, metrics(7)?, "{section}");
    assert_ne!(metrics(7)?, metrics(8)?, "{section}");
    Ok(())
}

fn metric<'a>(record: &'a RunRecord, name: &str) -> &'a Metric {
    record.metrics.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", record.metrics))
}

/// A metric's value after each epoch.
pub fn by_epoch<'a>(record: &'a RunRecord, name: &str) -> &'a [f64] {
    match metric(record, name) {
        Metric::ByEpoch(values) => values,
        Metric::Value(_) => panic!("{name} is not by epoch"),
    }
}

/// A metric's value, after the last epoch where it has one for each.
pub fn value(record: &RunRecord, name: &str) -> f64 {
    metric(record, name).last().unwrap_or_else(|| panic!("{name} is empty"))
}

/// Whether each of several values is below the one before.
pub fn falls(values: &[f64]) -> bool {
    values.len() > 1 && values.windows(2).all(|pair| pair[1] < pair[0])
}

/// How many figures a section drew.
pub fn figures(record: &RunRecord) -> usize {
    record.cells.iter().map(|cell| cell.figures.len()).sum()
}

/// What a cell printed.
pub fn text<'a>(record: &'a RunRecord, title: &str) -> &'a str {
    let cell = record.cells.iter().find(|cell| cell.title == title);
    cell.map_or_else(|| panic!("no cell {title}"), |cell| cell.text.as_str())
}
