//! Softmax regression (section 3.7): one linear layer from pixels to classes.

use d2l::nn::{Flatten, Linear};
use d2l::prelude::*;

/// From images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn softmax_regression(vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .add(Flatten) // (batch, 784)
        .layer("output", |vb| Linear::new(784, 10, vb)) // (batch, 10)
}
