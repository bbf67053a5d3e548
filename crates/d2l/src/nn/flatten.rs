//! Flattening all axes but the first.

use candle_core::{Result, Tensor};
use candle_nn::Module;

/// Turns `(batch, d₁, d₂, …)` into `(batch, d₁ · d₂ · …)`: the step from images to a linear layer in section 3.7.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flatten;

impl Module for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.flatten_from(1)
    }
}
