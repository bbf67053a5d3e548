//! Positional encoding (section 10.6): `p[i, 2j] = sin(i / 10000^(2j / d))`, `p[i, 2j + 1] = cos(i / 10000^(2j / d))`.

use d2l::prelude::*;

use super::encoder_decoder::{Training, dropout};

/// Adds to each step a vector that tells its position.
pub struct PositionalEncoding {
    /// `(max_len, hidden)`
    table: Tensor,
    dropout: f64,
}

impl PositionalEncoding {
    /// Encodings of `hidden` features for the first `max_len` positions.
    pub fn new(hidden: usize, max_len: usize, dropout: f64, device: &Device) -> Result<Self> {
        let angle = |i: usize, j: usize| i as f64 / 10_000f64.powf((j - j % 2) as f64 / hidden as f64);
        let value = |i, j| if j % 2 == 0 { angle(i, j).sin() } else { angle(i, j).cos() };
        let values: Vec<f32> = (0..max_len).flat_map(|i| (0..hidden).map(move |j| value(i, j) as f32)).collect();
        Ok(Self { table: Tensor::from_vec(values, (max_len, hidden), device)?, dropout })
    }

    /// From `(batch, steps, hidden)`, the first step at position `first`, to the same shape.
    pub fn forward(&self, x: &Tensor, first: usize, training: Training) -> Result<Tensor> {
        let positions = self.table.narrow(0, first, x.dim(1)?)?; // (steps, hidden)
        dropout(&x.broadcast_add(&positions)?, self.dropout, training)
    }
}
