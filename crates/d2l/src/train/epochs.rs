//! The loop over epochs that all trainings share: it goes on from a checkpoint, keeps one, and ends early if asked to.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

use super::{EpochSummary, History, Monitor, session};

/// The reader asked to stop before training had come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted before the first epoch of a training was done")]
pub struct Interrupted;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static TRAINING: AtomicBool = AtomicBool::new(false);

/// Asks trainings to stop. Tells whether one is going on that will.
pub fn interrupt() -> bool {
    REQUESTED.store(true, Ordering::Relaxed);
    TRAINING.load(Ordering::Relaxed)
}

/// Whether [`interrupt`] was called.
pub fn interrupted() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

impl Interrupted {
    /// An error where a monitor's reader asked to stop; called at each step.
    ///
    /// # Errors
    /// As it says.
    pub fn check(monitor: &dyn Monitor) -> Result<(), Self> {
        if monitor.interrupted() { Err(Self) } else { Ok(()) }
    }
}

/// Calls `each` for the epochs from 1 to `num_epochs` and gathers what they came to. Where the program was started with
/// `--resume`, the epochs that an earlier run did are not done again; where it was interrupted, those so far are given.
///
/// # Errors
/// What `each` gives; [`Interrupted`] where there was no whole epoch; where a checkpoint cannot be written or used; zero
/// epochs.
pub fn run_epochs(
    num_epochs: usize,
    batches: usize,
    monitor: &mut dyn Monitor,
    mut each: impl FnMut(usize, &mut dyn Monitor) -> Result<EpochSummary>,
) -> Result<History> {
    ensure!(num_epochs > 0, "--num-epochs must be at least 1");
    let mut history = session::begin(num_epochs)?;
    monitor.start(num_epochs, batches);
    TRAINING.store(true, Ordering::Relaxed);
    let outcome = (history.epochs.len() + 1..=num_epochs).try_for_each(|epoch| -> Result<()> {
        let summary = each(epoch, monitor)?;
        monitor.epoch(&summary);
        history.epochs.push(summary);
        session::keep(&history)
    });
    TRAINING.store(false, Ordering::Relaxed);
    monitor.finish();
    match outcome {
        Err(error) if error.downcast_ref::<Interrupted>().is_some() && !history.epochs.is_empty() => Ok(history),
        outcome => outcome.map(|()| history),
    }
}
