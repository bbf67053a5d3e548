//! Tensor operations for training: those that candle lacks, computes a wrong gradient for, or runs slowly.
//!
//! On the CPU each is a custom operation with its own forward and backward in `f32` and `f64`; on other devices it is
//! a composition of candle operations whose gradients are right. One operation a file, each opening with the formula
//! of its forward and its backward.

// What `kernel::vectorized` calls gets its vector instructions only where it is inlined.
#![allow(clippy::inline_always)]

mod activation;
mod cross_entropy;
mod dropout;
mod embedding;
mod indices;
pub(crate) mod kernel;
mod layer_norm;
mod linear;
mod loss;
mod math;
mod matmul;
#[allow(dead_code)] // its part for the convolutions
mod memory;
pub(crate) mod parallel;
mod reduce;
mod reduction;
pub(crate) mod row;
mod scatter_add;
mod softmax;
mod top_k;

pub use activation::{gelu, gelu_tanh, relu, sigmoid, tanh};
pub use cross_entropy::{CrossEntropy, cross_entropy, cross_entropy_with};
pub use dropout::dropout;
pub use embedding::embedding;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use loss::{binary_cross_entropy_with_logits, huber_loss, l1_loss, mse_loss, squared_loss};
pub use matmul::matmul;
pub use reduce::{max, max_keepdim, mean, mean_keepdim, sum, sum_keepdim};
pub use reduction::Reduction;
pub use scatter_add::scatter_add;
pub use softmax::{log_softmax, masked_softmax, softmax};
pub use top_k::{End, top_k};
