//! The multilayer perceptron of section 4.3: one hidden layer of 256 rectified units.

use d2l::nn::{Flatten, Linear};
use d2l::ops::relu;
use d2l::prelude::*;

/// From images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn mlp(vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .add(Flatten) // (batch, 784)
        .layer("hidden", |vb| Linear::new(784, 256, vb))? // (batch, 256)
        .add(relu)
        .layer("output", |vb| Linear::new(256, 10, vb)) // (batch, 10)
}
