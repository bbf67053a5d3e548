//! Tensor operations for training: those that candle lacks, computes a wrong gradient for, or runs slowly.
//!
//! On the CPU each is a custom operation with its own forward and backward in `f32` and `f64`; on other devices it is
//! a composition of candle operations whose gradients are right. One operation a file, each opening with the formula
//! of its forward and its backward.

mod kernel;
mod linear;

pub use linear::linear;
