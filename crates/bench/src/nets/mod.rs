//! The two smallest nets, so that the benchmark does not build their chapters.

pub mod mlp;
pub mod softmax_regression;
