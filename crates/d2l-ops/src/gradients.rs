//! What a backward pass gives.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, bail};

use super::RowGradient;

/// The gradients of a loss.
pub struct Gradients {
    store: GradStore,
    /// Of tables of which rows were looked up and that were used for nothing else.
    rows: HashMap<TensorId, RowGradient>,
}

impl Gradients {
    pub(super) fn new(store: GradStore, rows: HashMap<TensorId, RowGradient>) -> Self {
        Self { store, rows }
    }

    /// The gradient of the loss for `tensor`.
    ///
    /// # Errors
    /// Where the loss does not depend on it.
    pub fn get(&self, tensor: &Tensor) -> Result<&Tensor> {
        if let Some(rows) = self.rows.get(&tensor.id()) {
            return rows.whole();
        }
        match self.store.get(tensor) {
            Some(grad) => Ok(grad),
            None => bail!("the loss does not depend on this tensor {:?}, so it has no gradient", tensor.dims()),
        }
    }

    /// The gradient for `tensor`, if the loss depends on it.
    pub fn find(&self, tensor: &Tensor) -> Option<&Tensor> {
        match self.rows.get(&tensor.id()) {
            Some(rows) => rows.whole().ok(),
            None => self.store.get(tensor),
        }
    }

    /// The gradient for `tensor` by its rows, if it is a table that the loss depends on by lookups alone.
    pub fn rows(&self, tensor: &Tensor) -> Option<&RowGradient> {
        self.rows.get(&tensor.id())
    }

    /// Puts `grad` in the place of the gradient for `tensor`.
    pub fn set(&mut self, tensor: &Tensor, grad: Tensor) {
        self.rows.remove(&tensor.id());
        self.store.insert(tensor, grad);
    }

    /// Puts `grad` in the place of the gradient for the table `tensor`.
    pub fn set_rows(&mut self, tensor: &Tensor, grad: RowGradient) {
        self.store.remove(tensor);
        self.rows.insert(tensor.id(), grad);
    }
}
