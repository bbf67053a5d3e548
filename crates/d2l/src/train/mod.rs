//! Training loops and what they need: a stopwatch, sums, accuracy, curves.
//!
//! A loop reports to a [`Monitor`] and knows nothing of notebooks, so it serves in any program.

mod accumulator;
mod accuracy;
mod animator;
mod classifier;
mod epochs;
mod loss;
mod monitor;
pub(crate) mod session;
mod timer;

pub use accumulator::Accumulator;
pub use accuracy::{count_correct, evaluate_accuracy};
pub use animator::Animator;
pub use classifier::{Diverged, Updater, train_classifier, train_epoch};
pub use epochs::{Interrupted, interrupt, interrupted, run_epochs};
pub use loss::evaluate_loss;
pub use monitor::{EpochSummary, History, Monitor, Progress};
pub use timer::Timer;
