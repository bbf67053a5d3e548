//! The fully connected layer.

use candle_core::{Result, Tensor};
use candle_nn::{Init, Module};

use super::VarBuilder;
use crate::ops;

/// A fully connected layer: `(…, inputs)` to `(…, outputs)` (section 3.3).
#[doc(alias = "linreg")]
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

/// The uniform distribution in `±1/√inputs`.
fn default_init(inputs: usize) -> Init {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

impl Linear {
    /// A layer with a bias, initialized as PyTorch does: weight and bias uniform within `±1/√inputs`.
    ///
    /// # Errors
    /// Where the builder lacks a parameter of that shape.
    pub fn new(inputs: usize, outputs: usize, parameters: &VarBuilder) -> Result<Self> {
        let init = default_init(inputs);
        Self::with_init(inputs, outputs, parameters, init, init)
    }

    /// A layer with a bias and chosen initial values: section 3.3 draws its weights from `N(0, 0.01²)`.
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn with_init(inputs: usize, outputs: usize, parameters: &VarBuilder, weight: Init, bias: Init) -> Result<Self> {
        let weight = parameters.get_with_hints((outputs, inputs), "weight", weight)?;
        let bias = parameters.get_with_hints(outputs, "bias", bias)?;
        Ok(Self { weight, bias: Some(bias) })
    }

    /// A layer without a bias, initialized as [`Linear::new`].
    ///
    /// # Errors
    /// As [`Linear::new`].
    pub fn without_bias(inputs: usize, outputs: usize, parameters: &VarBuilder) -> Result<Self> {
        let weight = parameters.get_with_hints((outputs, inputs), "weight", default_init(inputs))?;
        Ok(Self { weight, bias: None })
    }

    /// The weights, `(outputs, inputs)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `(outputs)`, where the layer has one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.weight, self.bias.as_ref())
    }
}
