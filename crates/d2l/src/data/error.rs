//! What can go wrong with data.

use std::io;
use std::path::{Path, PathBuf};

use crate::text::TextError;

/// Why data cannot be had or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// What was asked for makes no sense, or a file holds what it should not; the message says what.
    #[error("{0}")]
    Invalid(String),
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// A text is not as it should be.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A set cannot be fetched, or its sample found.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] super::hub::HubError),
    /// The sample of a set is not where it should be.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Sample(#[from] super::hub::SampleError),
    /// A file of images or labels is damaged.
    #[error(transparent)]
    Idx(#[from] super::idx::IdxError),
    /// The tensors cannot be made.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A reader of a chapter's own found its file at fault.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl DataError {
    /// An error with a message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The error of a file that cannot be read.
    pub fn read(path: &Path, reason: io::Error) -> Self {
        Self::Read { path: path.to_path_buf(), reason }
    }

    /// Any other error.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}
