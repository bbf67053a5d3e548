//! What a section uses on almost every line.
//!
//! `Result` is candle's, so that a function on tensors can serve as a layer; a section's `run` returns
//! [`anyhow::Result`], into which candle's errors turn with `?`.

pub use candle_core::{D, DType, Device, IndexOp, Result, Tensor, Var};
pub use clap::Args;
pub use serde::Serialize;

pub use crate::data::Dataset;
pub use crate::nn::{Module, ModuleT};
pub use crate::notebook::{Hyperparameters, Notebook, Scale, Table};
