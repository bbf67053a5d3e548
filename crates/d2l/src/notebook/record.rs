//! What a run leaves behind for other programs: `run.json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Scale;

/// Where a run's data came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataOrigin {
    /// The section reads no dataset.
    None,
    /// The whole dataset.
    Full,
    /// The sample that is committed to this repository.
    Sample,
}

/// A named result: one number, or one for each epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Metric {
    /// One number.
    Value(f64),
    /// A number for each epoch.
    ByEpoch(Vec<f64>),
}

impl Metric {
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CellRecord {
    /// The cell's title.
    pub title: String,
    /// What it printed.
    pub text: String,
    /// What it drew.
    pub figures: Vec<FigureRecord>,
}

/// A figure of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FigureRecord {
    /// The file's name within the run's folder.
    pub file: String,
    /// What it shows, for readers who cannot see it.
    pub alt: String,
}

/// A whole run, as written to `run.json`.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecord {
    /// The chapter's crate.
    pub chapter: String,
    /// The section's name on the command line.
    pub section: String,
    /// The section's number in the book.
    pub number: String,
    /// The section's title.
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
    pub config: Value,
    /// The named results.
    pub metrics: BTreeMap<String, Metric>,
    /// How long it took.
    pub seconds: f64,
    /// Examples trained on a second, where the section trains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples_per_second: Option<f64>,
    /// Tokens trained on a second, where the section trains on text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// What tells whether the source has changed since.
    pub fingerprint: String,
    /// Whether the reader broke it off, so that it holds the results up to then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The cells with what they printed and drew.
    pub cells: Vec<CellRecord>,
}
