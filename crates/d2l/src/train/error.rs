//! How a training ends early.

use std::path::PathBuf;

use super::History;
use crate::checkpoint::CheckpointError;

/// Any error: what a closure that is handed to a trainer may give.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What such a closure gives.
pub type StepResult = Result<(), BoxError>;

/// Why a training did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The loss, or a parameter, is no longer a finite number.
    #[error("{}", diverged(what, *value, *epoch, *step, *learning_rate))]
    Diverged {
        /// What is not finite: `the loss`, or a parameter by its name.
        what: String,
        /// The value that was met.
        value: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// The step within the epoch, from 1.
        step: usize,
        /// The learning rate, where an optimizer of the library has one.
        learning_rate: Option<f64>,
    },
    /// The reader asked to stop. What there was by then is not a result, and nothing should be made of it but a look.
    #[error("interrupted after {} of {num_epochs} epochs", history.epochs().len())]
    Interrupted {
        /// The epochs that were done.
        history: Box<History>,
        /// How many were asked for.
        num_epochs: usize,
    },
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is a checkpoint, and it is not one that this training can go on from.
    #[error("{}: {reason}", path.display())]
    NotResumable {
        /// The file.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// The trainer was asked for something that makes no sense.
    #[error("{0}")]
    Setup(String),
    /// What the step or an evaluation gave.
    #[error(transparent)]
    Step(BoxError),
}

fn diverged(what: &str, value: f64, epoch: usize, step: usize, learning_rate: Option<f64>) -> String {
    let rate = learning_rate.map(|rate| format!(" at learning rate {rate}")).unwrap_or_default();
    format!(
        "{what} became {value} in epoch {epoch}, step {step}{rate}: training has diverged; try a smaller learning rate \
         (--lr), another --seed, or look for a division by zero or a logarithm of zero in the model"
    )
}

impl TrainError {
    /// Whether the reader asked to stop.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }
}

/// An error of a training inside a step, such as one that found no finite loss, keeps its kind.
impl From<BoxError> for TrainError {
    fn from(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::Step(error),
        }
    }
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        Self::Step(error.into())
    }
}
