//! The layer normalization layer (section 10.7).

use candle_core::{Result, Shape, Tensor};
use candle_nn::{Init, Module};

use super::VarBuilder;
use crate::ops;

/// Normalizes over the last axes, then scales and shifts.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Normalization over the last axes, of shape `normalized`: `hidden`, or `(steps, hidden)`. Parameters `weight`, 1 at
    /// first, and `bias`, 0 at first; 1e-5 is added to the variance.
    ///
    /// # Errors
    /// Where the parameters cannot be made or have another shape.
    pub fn new(normalized: impl Into<Shape>, vb: &VarBuilder) -> Result<Self> {
        let shape = normalized.into();
        Ok(Self {
            weight: vb.get_with_hints(shape.clone(), "weight", Init::Const(1.0))?,
            bias: vb.get_with_hints(shape, "bias", Init::Const(0.0))?,
            eps: 1e-5,
        })
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}
