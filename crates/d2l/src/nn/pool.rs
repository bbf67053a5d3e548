//! Pooling layers, without parameters.

use candle_core::{Result, Tensor};
use candle_nn::Module;

use crate::ops::{self, Pool2dConfig};

/// The maximum of each window of `(batch, channels, height, width)` (section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "nn.MaxPool2d")]
pub struct MaxPool2d(pub Pool2dConfig);

impl Module for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::max_pool2d(x, &self.0)
    }
}

/// The mean of each window of `(batch, channels, height, width)` (section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "nn.AvgPool2d")]
pub struct AvgPool2d(pub Pool2dConfig);

impl Module for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::avg_pool2d(x, &self.0)
    }
}

/// The mean of each of `(height, width)` parts of a plane (section 7.3): `(batch, channels, height, width)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "nn.AdaptiveAvgPool2d")]
pub struct AdaptiveAvgPool2d(pub (usize, usize));

impl Module for AdaptiveAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::adaptive_avg_pool2d(x, self.0)
    }
}

/// The mean of each plane (section 7.3): `(batch, channels, 1, 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "GlobalAvgPool2D")]
pub struct GlobalAvgPool2d;

impl Module for GlobalAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::global_avg_pool2d(x)
    }
}
