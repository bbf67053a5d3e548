//! What a training tells while it runs.

use super::{EpochRecord, History, Unit};

/// Listens to a training. The notebook shows a progress bar; `()` listens to nothing.
pub trait Monitor {
    /// Training starts.
    fn start(&mut self, outline: &Outline) {
        let _ = outline;
    }

    /// Training goes on from a checkpoint, after the epochs of `history`; called after [`Monitor::start`].
    fn resume(&mut self, history: &History) {
        let _ = history;
    }

    /// A step is done.
    fn step(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// An epoch is done, its evaluation included.
    fn epoch(&mut self, epoch: &EpochRecord) {
        let _ = epoch;
    }

    /// Training ends, having come to its end or not.
    fn finish(&mut self, complete: bool) {
        let _ = complete;
    }

    /// Whether training should stop, the epoch that is under way lost.
    fn interrupted(&self) -> bool {
        false
    }
}

impl Monitor for () {}

/// What a training is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The training's name among those of the program.
    pub name: String,
    /// How many epochs there are.
    pub epochs: usize,
    /// How many steps an epoch has, at most.
    pub steps: usize,
    /// What the speed is counted in.
    pub unit: Unit,
}

/// Where an epoch stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<'a> {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step within the epoch, from 1.
    pub step: usize,
    /// The metrics' means over the epoch so far.
    pub metrics: &'a [(String, f64)],
    /// Examples, or tokens, a second so far, training alone.
    pub per_second: f64,
}
