//! Flattening all axes but the first.

use candle_core::{Result, Tensor};
use candle_nn::Module;

use crate::ops;

/// Turns `(batch, d₁, d₂, …)` into `(batch, d₁ · d₂ · …)`: the step from images to a linear layer in section 3.7.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flatten;

impl Module for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::flatten_from(x, 1)
    }
}
