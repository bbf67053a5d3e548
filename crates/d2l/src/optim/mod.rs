//! Optimizers with PyTorch's formulas and defaults, which chapter 11 introduces one by one.
//!
//! Parameters are updated where they lie: a layer that holds a variable sees its new value at once. A parameter
//! without a gradient is an error: it would stay as it is and nobody would know.
//!
//! ```
//! use candle_core::{Device, Var};
//! use d2l::optim::{Optimizer, Sgd};
//!
//! let x = Var::new(3f32, &Device::Cpu)?;
//! let mut optimizer = Sgd::new([&x], 0.25);
//! for _ in 0..20 {
//!     optimizer.minimize(&x.sqr()?)?; // the gradient is 2x, so each step halves x
//! }
//! assert!(x.to_scalar::<f32>()? < 1e-5);
//! let unrelated = Var::new(1f32, &Device::Cpu)?;
//! assert!(optimizer.minimize(&unrelated.sqr()?).is_err());
//! # Ok::<(), candle_core::Error>(())
//! ```

// A rule gets the vector instructions of the loop that calls it only where it is inlined.
#![allow(clippy::inline_always)]

mod adadelta;
mod adagrad;
mod adam;
mod clip;
mod descent;
mod rms_prop;
pub mod schedule;
mod sgd;

pub use adadelta::{Adadelta, AdadeltaRule};
pub use adagrad::{Adagrad, AdagradRule};
pub use adam::{Adam, AdamRule, AdamW, AmsGrad, AmsGradRule};
pub use clip::clip_gradients;
pub use descent::{Descent, ParameterGroup, ParameterGroups};
pub use rms_prop::{RmsProp, RmsPropRule};
pub use sgd::{Sgd, SgdRule};

pub(crate) use descent::{Rule, State};

use candle_core::{Result, Tensor};

use crate::ops::Gradients;

/// What a training's step asks of an optimizer.
#[doc(alias = "Trainer")]
pub trait Optimizer {
    /// Computes the gradients of `loss` and updates each parameter by its own.
    ///
    /// # Errors
    /// What the backward pass gives, and as [`Optimizer::step`].
    #[doc(alias = "updater")]
    fn minimize(&mut self, loss: &Tensor) -> Result<()>;

    /// Updates each parameter by its gradient among `grads`: for gradients that were changed, or summed over devices.
    ///
    /// # Errors
    /// Where a parameter has no gradient, or one that does not fit it; where a setting is out of its range. No parameter
    /// is changed then.
    fn step(&mut self, grads: &Gradients) -> Result<()>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate from the next step on, as a schedule does.
    fn set_learning_rate(&mut self, learning_rate: f64);
}
