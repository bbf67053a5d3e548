//! The dropout layer (section 4.6).

use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor, bail};
use candle_nn::ModuleT;

use super::VarBuilder;
use crate::ops;
use crate::random::Stream;

/// Drops elements while training; passes everything on otherwise.
#[derive(Debug)]
pub struct Dropout {
    p: f64,
    // `forward_t` takes `&self`, and its stream moves on.
    stream: Mutex<Stream>,
}

impl Dropout {
    /// A layer that drops each element with probability `p`, drawn from a stream of its own, which the builder's path
    /// names.
    ///
    /// # Errors
    /// Where `p` is not in `[0, 1]`.
    pub fn new(p: f64, vb: &VarBuilder) -> Result<Self> {
        Self::from_stream(p, vb.stream())
    }

    /// The same, drawn from `stream`.
    ///
    /// # Errors
    /// As [`Dropout::new`].
    pub fn from_stream(p: f64, stream: impl Into<Stream>) -> Result<Self> {
        if !(0.0..=1.0).contains(&p) {
            bail!("Dropout: p must be in [0, 1], got {p}");
        }
        Ok(Self { p, stream: Mutex::new(stream.into()) })
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if !train {
            return Ok(x.clone());
        }
        // A thread that panicked while drawing leaves a stream that is still a stream.
        ops::dropout(x, self.p, &mut self.stream.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
