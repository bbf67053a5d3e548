//! The shared utilities of the Rust edition of *Dive into Deep Learning*: what the book marks for reuse, and what
//! candle lacks for training on a CPU.
//!
//! Names that stand for one of the book's carry it as a documentation alias: search these pages for `train_ch3` or
//! `load_array` and the item that does that work here comes up.

#![warn(missing_docs)]

pub mod checkpoint;
mod console;
pub mod data;
pub mod device;
pub mod nn;
pub mod notebook;
#[allow(unsafe_code)] // the kernels; each block gives its reason
pub mod ops;
pub mod optim;
pub mod plot;
pub mod prelude;
pub mod random;
pub mod text;
pub mod train;
