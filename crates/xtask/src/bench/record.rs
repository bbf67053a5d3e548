//! The recorded benchmark beside its page.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Options;
use super::machine::Machine;
use super::measure::{Row, geometric_mean};
use crate::chapters::{Workspace, read};

/// `notebooks-md/performance.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub machine: Machine,
    pub threads: usize,
    pub rounds: usize,
    /// What Python with PyTorch takes before there is a net.
    pub torch_start_mb: Option<f64>,
    pub geometric_mean: f64,
    pub rows: Vec<Row>,
}

impl Record {
    pub fn new(machine: Machine, options: &Options, torch_start_mb: Option<f64>, rows: Vec<Row>) -> Self {
        let geometric_mean = (geometric_mean(rows.iter().map(|row| row.ratio)) * 1000.0).round() / 1000.0;
        let torch_start_mb = torch_start_mb.map(f64::round);
        Self { machine, threads: options.threads, rounds: options.rounds, torch_start_mb, geometric_mean, rows }
    }

    pub fn path(workspace: &Workspace) -> PathBuf {
        workspace.pages_dir().join("performance.json")
    }

    /// The record, if there is one.
    pub fn read(workspace: &Workspace) -> Result<Option<Self>> {
        let path = Self::path(workspace);
        if !path.is_file() {
            return Ok(None);
        }
        let record = serde_json::from_str(&read(&path)?);
        let record = record.with_context(|| format!("{} is not a benchmark's record", path.display()))?;
        Ok(Some(record))
    }

    pub fn write(&self, workspace: &Workspace) -> Result<()> {
        let path = Self::path(workspace);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
