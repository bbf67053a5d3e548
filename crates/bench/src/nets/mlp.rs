//! The multilayer perceptron of section 4.3: one hidden layer of 256 rectified units.

use d2l::nn::{Flatten, Linear, Sequential, VarBuilder};
use d2l::ops::relu;
use d2l::prelude::*;

/// From images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn mlp(vb: &VarBuilder) -> Result<Sequential> {
    Ok(Sequential::new()
        .add(Flatten) // (batch, 784)
        .add(Linear::new(784, 256, &vb.pp("hidden"))?) // (batch, 256)
        .add(relu)
        .add(Linear::new(256, 10, &vb.pp("output"))?)) // (batch, 10)
}
