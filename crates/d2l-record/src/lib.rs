//! What a run leaves behind for other programs: `run.json`.

#![warn(missing_docs)]

mod fingerprint;
mod scale;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use fingerprint::fingerprint;
pub use scale::Scale;

/// Where a run's data came from; of several sets, the last of these that one of them came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataOrigin {
    /// The section reads no dataset.
    None,
    /// The whole dataset.
    Full,
    /// A part of it, or another set of the same kind, since the publisher's could not be had.
    StandIn,
    /// The sample that is committed to this repository.
    Sample,
}

/// A named result: one number, or one for each epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metric {
    /// One number.
    Value(f64),
    /// A number for each epoch.
    ByEpoch(Vec<f64>),
}

impl Metric {
    /// All its numbers.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::Value(value) => std::slice::from_ref(value),
            Self::ByEpoch(values) => values,
        }
    }

    /// The number, or the last epoch's.
    pub fn last(&self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(*value),
            Self::ByEpoch(values) => values.last().copied(),
        }
    }
}

impl From<f64> for Metric {
    fn from(value: f64) -> Self {
        Self::Value(value)
    }
}

impl From<Vec<f64>> for Metric {
    fn from(values: Vec<f64>) -> Self {
        Self::ByEpoch(values)
    }
}

/// A cell's output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRecord {
    /// The cell's title.
    pub title: String,
    /// What it printed.
    pub text: String,
    /// What it drew.
    #[serde(default)]
    pub figures: Vec<FigureRecord>,
}

/// A figure of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureRecord {
    /// The file's name within the run's folder.
    pub file: String,
    /// What it shows, for readers who cannot see it.
    pub alt: String,
}

/// A whole run, as written to `run.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRecord {
    /// The chapter's crate.
    #[serde(default)]
    pub chapter: String,
    /// The section's name on the command line.
    pub section: String,
    /// The section's number in the book.
    #[serde(default)]
    pub number: String,
    /// The section's title.
    #[serde(default)]
    pub title: String,
    /// The seed of all random streams.
    pub seed: u64,
    /// How large the run was.
    pub scale: Scale,
    /// Where it computed.
    pub device: String,
    /// With how many threads.
    pub threads: usize,
    /// Where its data came from.
    pub data: DataOrigin,
    /// The hyperparameters.
    #[serde(default)]
    pub config: Value,
    /// The named results.
    pub metrics: BTreeMap<String, Metric>,
    /// How long it took.
    pub seconds: f64,
    /// Examples trained on a second, where the section trains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples_per_second: Option<f64>,
    /// Tokens trained on a second, where the section trains on text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Each training by its name: how long it was, how fast.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trainings: BTreeMap<String, TrainingRecord>,
    /// What tells whether the section's own source has changed since.
    pub fingerprint: String,
    /// Whether the reader broke it off, so that it holds the results up to then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The cells with what they printed and drew.
    pub cells: Vec<CellRecord>,
    /// In a recorded run: every run behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<SeedRun>,
    /// In a recorded run: the median of each metric over the seeds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub median: BTreeMap<String, Metric>,
    /// In a recorded run: further flags that the section was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// In a recorded run: a fingerprint of each source that the section runs or its page shows, by its path in the
    /// workspace or, for an item of a shared crate, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fingerprints: BTreeMap<String, String>,
}

/// One training of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// How many epochs were done.
    pub epochs: usize,
    /// How long its steps took, evaluation left out.
    pub seconds: f64,
    /// What it went through a second.
    pub per_second: f64,
    /// Of what: `examples` or `tokens`.
    pub unit: String,
}

/// One of the runs behind a recorded one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRun {
    /// Its seed.
    pub seed: u64,
    /// Its results.
    pub metrics: BTreeMap<String, Metric>,
    /// How long it took.
    pub seconds: f64,
}

impl RunRecord {
    /// How long a run takes: of a record's runs the fastest, since other programs may have run beside the others.
    pub fn least_seconds(&self) -> f64 {
        self.seeds.iter().map(|run| run.seconds).fold(self.seconds, f64::min)
    }

    /// A cell by its title.
    pub fn cell(&self, title: &str) -> Option<&CellRecord> {
        self.cells.iter().find(|cell| cell.title == title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_kept_is_read_and_written_as_it_is() {
        let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks-md");
        let mut read = 0;
        for chapter in std::fs::read_dir(pages).expect("the pages").flatten() {
            for section in std::fs::read_dir(chapter.path()).into_iter().flatten().flatten() {
                let Ok(text) = std::fs::read_to_string(section.path().join("run.json")) else { continue };
                let record: RunRecord = serde_json::from_str(&text).expect("one form");
                let again: RunRecord =
                    serde_json::from_str(&serde_json::to_string(&record).expect("JSON")).expect("one form");
                assert_eq!((again.metrics, again.cells), (record.metrics, record.cells));
                read += 1;
            }
        }
        assert!(read > 50, "{read} records");
    }
}
