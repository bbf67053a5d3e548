//! What a backward pass gives.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, bail};

/// The gradients of a loss.
pub struct Gradients(GradStore);

impl Gradients {
    pub(super) fn new(store: GradStore) -> Self {
        Self(store)
    }

    /// The gradient of the loss for `tensor`.
    ///
    /// # Errors
    /// Where the loss does not depend on it.
    pub fn get(&self, tensor: &Tensor) -> Result<&Tensor> {
        match self.0.get(tensor) {
            Some(grad) => Ok(grad),
            None => bail!("the loss does not depend on this tensor {:?}, so it has no gradient", tensor.dims()),
        }
    }

    /// The gradient for `tensor`, if the loss depends on it.
    pub fn find(&self, tensor: &Tensor) -> Option<&Tensor> {
        self.0.get(tensor)
    }

    /// Puts `grad` in the place of the gradient for `tensor`.
    pub fn set(&mut self, tensor: &Tensor, grad: Tensor) {
        self.0.insert(tensor, grad);
    }
}
