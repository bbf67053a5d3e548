//! What goes wrong between ranks.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Why ranks cannot go on together. All ranks that are still there get the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ParallelError {
    /// A rank did not come to where the others waited for it.
    #[error("rank {rank} did not come to {what}: the others waited {:.1} s", waited.as_secs_f64())]
    TimedOut {
        /// The first of the ranks that are missing.
        rank: usize,
        /// How long it was waited for.
        waited: Duration,
        /// What the others are about to do.
        what: String,
    },
    /// Ranks call for different things, or their parameters differ.
    #[error("rank {rank} disagrees with rank 0: {what}")]
    Disagree {
        /// The first rank that differs from rank 0.
        rank: usize,
        /// In what.
        what: String,
    },
    /// A rank has ended while others need it.
    #[error("rank {rank} has ended: {cause}")]
    Lost {
        /// The rank.
        rank: usize,
        /// The error or the panic that ended it.
        cause: String,
    },
    /// The ranks were asked for something that makes no sense.
    #[error("{0}")]
    Setup(String),
    /// What a rank's own tensors give.
    #[error("{0}")]
    Tensor(Arc<dyn Error + Send + Sync>),
}

impl From<candle_core::Error> for ParallelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(Arc::new(error))
    }
}

/// An error with those that it came from, in one line.
pub(super) fn line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            // Writing to a string does not fail.
            let _ = write!(text, ": {cause}");
        }
        source = error.source();
    }
    text
}
