//! What can be wrong with a table.

use std::path::{Path, PathBuf};

use d2l::text::TextError;
use polars::prelude::{DataType, PolarsError};

/// Why a file is no table, or a table no tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A file that is no text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A file that is at fault.
    #[error("{}, line {line}: {fault}", file.display())]
    Fault {
        /// The file.
        file: PathBuf,
        /// The line, from 1; where a row goes over several, its first.
        line: usize,
        /// What is wrong, and what to do.
        fault: String,
    },
    /// A column without numbers, where a tensor needs them.
    #[error("the column `{column}` holds {dtype}, and a tensor takes numbers: make dummies of it, or drop it")]
    NotNumeric {
        /// The column.
        column: String,
        /// Its type.
        dtype: DataType,
    },
    /// A column with a missing value, where a tensor needs a number.
    #[error("the column `{column}` has no value in row {row}: fill it before the frame becomes a tensor")]
    MissingValue {
        /// The column.
        column: String,
        /// The first row without a value, from 0.
        row: usize,
    },
    /// What polars finds.
    #[error(transparent)]
    Polars(#[from] PolarsError),
    /// What candle finds.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl TableError {
    /// What is wrong with a file, at its `line`.
    pub(crate) fn fault(file: &Path, line: usize, fault: impl Into<String>) -> Self {
        Self::Fault { file: file.to_owned(), line, fault: fault.into() }
    }
}
