//! Tensor operations for training: those that candle lacks, computes a wrong gradient for, or runs slowly.
//!
//! On the CPU each is a custom operation with its own forward and backward in `f32` and `f64`; on other devices it is
//! a composition of candle operations whose gradients are right. One operation a file, each opening with the formula
//! of its forward and its backward. Between them gradients travel beside candle's store, as `tape.rs` tells; candle's
//! `loss.backward()` works as ever, and [`backward`] does the same without a copy of each variable's gradient.

#![warn(missing_docs)]

mod activation;
mod add;
mod avg_pool2d;
mod batch_norm;
mod broadcast;
mod channel_map;
mod channels;
mod concat;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod convolution;
mod count;
mod cross_entropy;
mod dropout;
mod embedding;
mod gradients;
mod gru;
mod indices;
#[doc(hidden)] // for the updates of optimizers
pub mod kernel;
mod layer_norm;
mod leaky_relu;
mod linear;
mod loss;
mod lstm;
mod math;
mod matmul;
mod max_pool2d;
mod memory;
mod packed;
#[doc(hidden)]
pub mod parallel;
mod pool;
mod recording;
mod recurrence;
mod reduce;
mod reduction;
mod reshape;
mod rnn;
#[doc(hidden)]
pub mod row;
mod row_gradient;
mod scatter_add;
mod skinny;
mod softmax;
mod tape;
mod top_k;
mod upsample;
mod windows;
mod winograd;

pub use activation::{gelu, gelu_tanh, relu, sigmoid, tanh};
pub use add::{add, add_relu};
pub use avg_pool2d::{adaptive_avg_pool2d, avg_pool1d, avg_pool2d, global_avg_pool2d};
pub use batch_norm::{BatchNormConfig, RunningStatistics, batch_norm};
pub use broadcast::{broadcast_add, broadcast_div, broadcast_mul, broadcast_sub};
pub use concat::concat;
pub use conv_transpose2d::{ConvTranspose2dConfig, conv_transpose2d};
pub use conv1d::{Conv1dConfig, conv1d};
pub use conv2d::{Conv2dConfig, conv2d};
pub use count::count_multiply_adds;
pub use cross_entropy::{CrossEntropy, cross_entropy, cross_entropy_with};
pub use dropout::dropout;
pub use embedding::embedding;
pub use gradients::Gradients;
pub use gru::gru;
pub use layer_norm::layer_norm;
pub use leaky_relu::leaky_relu;
pub use linear::linear;
pub use loss::{binary_cross_entropy_with_logits, huber_loss, l1_loss, mse_loss, squared_loss};
pub use lstm::lstm;
pub use matmul::matmul;
pub use max_pool2d::{adaptive_max_pool2d, max_pool1d, max_pool2d};
pub use pool::{Pool1dConfig, Pool2dConfig};
pub use recording::unrecorded;
pub use recurrence::{RecurrentWeights, Steps};
pub use reduce::{max, max_keepdim, mean, mean_keepdim, sum, sum_keepdim};
pub use reduction::Reduction;
pub use reshape::flatten_from;
pub use rnn::{RnnActivation, rnn};
pub use row_gradient::RowGradient;
pub use scatter_add::scatter_add;
pub use softmax::{log_softmax, masked_softmax, softmax};
pub use tape::backward;
pub use top_k::{End, top_k};
pub use upsample::{upsample_bilinear2d, upsample_nearest2d};
