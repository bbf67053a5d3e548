//! What a section uses on almost every line.
//!
//! `Result` is candle's, so that a function on tensors can serve as a layer; a section's `run` returns
//! [`anyhow::Result`], into which the errors of candle and of `d2l` turn with `?`.

pub use candle_core::{D, DType, Device, IndexOp, Tensor, Var};
#[cfg(feature = "notebook")]
pub use clap::Args;
pub use serde::Serialize;

pub use crate::Result;
pub use crate::data::{Batches, Dataset, Loader};
#[cfg(feature = "notebook")]
pub use crate::defaults;
pub use crate::nn::{Module, ModuleT, Parameters, Sequential, VarBuilder};
#[cfg(feature = "notebook")]
pub use crate::notebook::{Hyperparameters, Notebook, Scale, Table, count, non_negative, positive, probability, share};
pub use crate::ops::{Reduction, backward, cross_entropy};
pub use crate::optim::{Optimizer, Sgd};
#[cfg(feature = "plot")]
pub use crate::plot::Chart;
pub use crate::random::{Purpose, Random, Stream};
pub use crate::train::{EpochEnd, History, Step, StepResult, Trained, Trainer, evaluate_accuracy};
