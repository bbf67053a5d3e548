//! Optimizers with PyTorch's formulas and defaults, which chapter 11 introduces one by one.
//!
//! Parameters are updated where they lie: a layer that holds a variable sees its new value at once. A parameter
//! without a gradient is left alone.

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
pub use adam::{Adam, AdamRule, AdamW};
pub use clip::clip_gradients;
pub use descent::{Descent, ParameterGroup, ParameterGroups};
pub use rms_prop::{RmsProp, RmsPropRule};
pub use sgd::{Sgd, SgdRule};

use candle_core::Result;
use candle_core::backprop::GradStore;

/// What a training loop asks of an optimizer.
#[doc(alias = "Trainer")]
pub trait Optimizer {
    /// Updates each parameter that has a gradient.
    ///
    /// # Errors
    /// Where a setting is out of its range, or a gradient does not fit its parameter.
    fn step(&mut self, grads: &GradStore) -> Result<()>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate from the next step on, as a schedule does.
    fn set_learning_rate(&mut self, learning_rate: f64);
}
