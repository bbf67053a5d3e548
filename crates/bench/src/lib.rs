//! The book's workloads: its nets at its sizes, each with what a step of training does, to be timed beside PyTorch.
//!
//! `cargo xtask bench` times them and PyTorch's by turns; `cargo run --release -p bench -- list` names them.

pub mod memory;
pub mod nets;
pub mod worker;
pub mod workloads;
