//! Initial values for parameters (section 4.8), to be given to a layer's `with_init` or to
//! [`Parameters::initialize`](super::Parameters::initialize).
//!
//! A weight of `(outputs, inputs, kernel…)` has the fan-in `inputs · kernel` and the fan-out `outputs · kernel`, as in
//! PyTorch.

use candle_core::{Result, Shape, bail};
use candle_nn::Init;

/// Draws from `N(0, std²)`.
#[doc(alias = "normal_")]
pub fn normal(std: f64) -> Init {
    Init::Randn { mean: 0.0, stdev: std }
}

/// Draws uniformly from `[low, high)`.
#[doc(alias = "uniform_")]
pub fn uniform(low: f64, high: f64) -> Init {
    Init::Uniform { lo: low, up: high }
}

/// The same value everywhere.
#[doc(alias = "constant_")]
#[doc(alias = "zeros_")]
#[doc(alias = "ones_")]
pub fn constant(value: f64) -> Init {
    Init::Const(value)
}

/// Draws uniformly within `±√(6 / (fan_in + fan_out))`, so that the variance is `2 / (fan_in + fan_out)` (Glorot and
/// Bengio, 2010).
///
/// # Errors
/// Where a weight of `shape` has no fan-in and fan-out: it needs two axes or more, none of them empty.
#[doc(alias = "xavier_uniform_")]
#[doc(alias = "Xavier")]
pub fn xavier_uniform(shape: impl Into<Shape>) -> Result<Init> {
    let bound = (6.0 / fans("xavier_uniform", &shape.into())?).sqrt();
    Ok(uniform(-bound, bound))
}

/// Draws from `N(0, 2 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
///
/// # Errors
/// As [`xavier_uniform`].
#[doc(alias = "xavier_normal_")]
pub fn xavier_normal(shape: impl Into<Shape>) -> Result<Init> {
    Ok(normal((2.0 / fans("xavier_normal", &shape.into())?).sqrt()))
}

/// The sum of fan-in and fan-out.
fn fans(name: &str, shape: &Shape) -> Result<f64> {
    match shape.dims() {
        [outputs, inputs, kernel @ ..] if shape.elem_count() > 0 => {
            Ok(((outputs + inputs) * kernel.iter().product::<usize>()) as f64)
        }
        dims => bail!("{name}: shape must be (outputs, inputs, …) with nothing empty, got {dims:?}"),
    }
}
