//! The trainings of a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{TrainingProgress, TrainingRecord};
use crate::train::{EpochRecord, History, Monitor, Outline, Progress, Unit};

/// What each training of a run came to, told by its monitor.
#[derive(Clone, Default)]
pub(super) struct Ledger(Rc<RefCell<Vec<Training>>>);

/// One training.
#[derive(Debug, Clone)]
pub(super) struct Training {
    pub(super) outline: Outline,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) complete: bool,
}

/// Shows a training's progress and writes it into the ledger.
pub(super) struct Entry {
    ledger: Ledger,
    /// Its place in the ledger.
    place: Option<usize>,
    progress: TrainingProgress,
}

impl Ledger {
    /// What a training reports to.
    pub(super) fn entry(&self, progress: TrainingProgress) -> Entry {
        Entry { ledger: self.clone(), place: None, progress }
    }

    /// Examples, or tokens, trained on a second: those of all trainings by all their time.
    pub(super) fn per_second(&self, unit: Unit) -> Option<f64> {
        let trainings = self.0.borrow();
        let epochs = || trainings.iter().filter(|training| training.outline.unit == unit).flat_map(|t| &t.epochs);
        let seconds: Duration = epochs().map(|epoch| epoch.duration).sum();
        let examples: usize = epochs().map(|epoch| epoch.examples).sum();
        (examples > 0).then(|| examples as f64 / seconds.as_secs_f64())
    }

    /// The training that did not come to its end.
    pub(super) fn unfinished(&self) -> Option<Training> {
        self.0.borrow().iter().rev().find(|training| !training.complete).cloned()
    }

    /// What the record keeps of all trainings.
    pub(super) fn trainings(&self) -> BTreeMap<String, TrainingRecord> {
        let record = |training: &Training| {
            let seconds = training.epochs.iter().map(|epoch| epoch.duration).sum::<Duration>().as_secs_f64();
            let examples: usize = training.epochs.iter().map(|epoch| epoch.examples).sum();
            let (epochs, unit) = (training.epochs.len(), training.outline.unit.name().to_string());
            let per_second = if examples == 0 { 0.0 } else { examples as f64 / seconds };
            (training.outline.name.clone(), TrainingRecord { epochs, seconds, per_second, unit })
        };
        self.0.borrow().iter().map(record).collect()
    }

    /// An error where two trainings share a name: they would share a checkpoint too.
    pub(super) fn check_names(&self) -> Result<()> {
        let trainings = self.0.borrow();
        for (place, training) in trainings.iter().enumerate() {
            let name = &training.outline.name;
            let twice = trainings[..place].iter().any(|before| before.outline.name == *name);
            ensure!(!twice, "two trainings of this section are called {name}: name them with Trainer::named");
        }
        Ok(())
    }
}

impl Monitor for Entry {
    fn start(&mut self, outline: &Outline) {
        let mut trainings = self.ledger.0.borrow_mut();
        self.place = Some(trainings.len());
        trainings.push(Training { outline: outline.clone(), epochs: Vec::new(), complete: false });
        self.progress.start(outline);
    }

    fn resume(&mut self, history: &History) {
        self.write(|training| training.epochs = history.epochs().to_vec());
        self.progress.resume(history);
    }

    fn step(&mut self, progress: &Progress<'_>) {
        self.progress.step(progress);
    }

    fn epoch(&mut self, epoch: &EpochRecord) {
        self.write(|training| training.epochs.push(epoch.clone()));
        self.progress.epoch(epoch);
    }

    fn finish(&mut self, complete: bool) {
        self.write(|training| training.complete = complete);
        self.progress.finish(complete);
    }

    fn interrupted(&self) -> bool {
        self.progress.interrupted()
    }
}

impl Entry {
    fn write(&self, change: impl FnOnce(&mut Training)) {
        let mut trainings = self.ledger.0.borrow_mut();
        if let Some(training) = self.place.and_then(|place| trainings.get_mut(place)) {
            change(training);
        }
    }
}
