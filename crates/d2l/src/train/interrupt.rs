//! Asking trainings to stop, as Ctrl-C does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static TRAININGS: AtomicUsize = AtomicUsize::new(0);

/// Asks the trainings of this program to stop. Tells whether one is going on that will.
pub fn interrupt() -> bool {
    REQUESTED.store(true, Ordering::Relaxed);
    TRAININGS.load(Ordering::Relaxed) > 0
}

/// Whether [`interrupt`] was called.
pub fn interrupted() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Counts a training while it lives.
pub(super) struct GoingOn(());

impl GoingOn {
    pub(super) fn new() -> Self {
        TRAININGS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for GoingOn {
    fn drop(&mut self) {
        TRAININGS.fetch_sub(1, Ordering::Relaxed);
    }
}
