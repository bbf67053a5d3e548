//! The leaky ReLU as a layer.

use candle_core::{Result, Tensor};
use candle_nn::Module;

use crate::ops;

/// [`leaky_relu`](crate::ops::leaky_relu()) with this slope below 0 (section 17.2).
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "nn.LeakyReLU")]
pub struct LeakyRelu(pub f64);

impl Module for LeakyRelu {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::leaky_relu(x, self.0)
    }
}
