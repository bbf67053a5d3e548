//! Who keeps a training in checkpoints, and who goes on from what is read there: of several ranks, rank 0 keeps and reads, and
//! all go on.

use super::checkpoints::Checkpoints;
use super::{BoxError, History, Kept, TrainError};
use crate::checkpoint::CheckpointError;

/// How the ranks of a training share what rank 0 reads.
pub(crate) trait Share {
    /// Whether this is rank 0.
    fn is_root(&self) -> bool;

    /// Gives every rank the bytes that rank 0 has.
    fn broadcast(&self, bytes: &[u8]) -> Result<Vec<u8>, BoxError>;
}

/// Where a training is kept, and with whom what is read from there is shared.
#[derive(Default)]
pub(crate) struct Keeping<'a> {
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) share: Option<Box<dyn Share + 'a>>,
}

impl Keeping<'_> {
    /// Begins a training, on all ranks: see [`Checkpoints::begin`]. A checkpoint knows nothing of ranks, so a training goes
    /// on with another number of them.
    pub(super) fn begin(&self, training: &str, num_epochs: usize, kept: &Kept) -> Result<Option<History>, TrainError> {
        let own = || self.checkpoints.as_ref().map_or(Ok(None), |own| own.begin(training, num_epochs, kept));
        let Some(share) = &self.share else { return own() };
        if share.is_root() {
            let history = own()?;
            let file = match &self.checkpoints {
                Some(own) if history.is_some() => own.read(training)?,
                _ => Vec::new(),
            };
            share.broadcast(&file)?;
            return Ok(history);
        }
        match &share.broadcast(&[])?[..] {
            [] => Ok(None),
            file => Checkpoints::receive(file, kept).map(Some),
        }
    }

    /// Keeps the training as it is now: rank 0 does.
    pub(super) fn keep(&self, training: &str, history: &History, kept: &Kept) -> Result<(), CheckpointError> {
        match &self.checkpoints {
            Some(own) if self.share.as_ref().is_none_or(|share| share.is_root()) => own.keep(training, history, kept),
            _ => Ok(()),
        }
    }
}
