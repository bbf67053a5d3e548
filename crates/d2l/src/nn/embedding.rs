//! The embedding layer (section 14.4).

use candle_core::{Result, Tensor};
use candle_nn::{Init, Module};

use super::VarBuilder;
use crate::ops;

/// A table with one vector for each token.
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// A table `weight` of `(vocabulary, dimension)`, drawn from the standard normal distribution, as in PyTorch.
    ///
    /// # Errors
    /// Where the parameter cannot be made or has another shape.
    pub fn new(vocabulary: usize, dimension: usize, vb: &VarBuilder) -> Result<Self> {
        Self::with_init(vocabulary, dimension, vb, Init::Randn { mean: 0.0, stdev: 1.0 })
    }

    /// A table with chosen initial values.
    ///
    /// # Errors
    /// Where the parameter cannot be made or has another shape.
    pub fn with_init(vocabulary: usize, dimension: usize, vb: &VarBuilder, weight: Init) -> Result<Self> {
        Ok(Self { weight: vb.get_with_hints((vocabulary, dimension), "weight", weight)? })
    }

    /// The table, `(vocabulary, dimension)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

impl Module for Embedding {
    /// From ids `(…)` to vectors `(…, dimension)`.
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        ops::embedding(ids, &self.weight)
    }
}
