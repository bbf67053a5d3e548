//! Softmax regression (section 3.7): one linear layer from pixels to classes.

use d2l::nn::{Flatten, Linear, Sequential, VarBuilder};
use d2l::prelude::*;

/// From images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn softmax_regression(vb: &VarBuilder) -> Result<Sequential> {
    Ok(Sequential::new()
        .add(Flatten) // (batch, 784)
        .add(Linear::new(784, 10, &vb.pp("output"))?)) // (batch, 10)
}
