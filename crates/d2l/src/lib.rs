//! The shared utilities of the Rust edition of *Dive into Deep Learning*: what the book marks for reuse, and what
//! candle lacks for training on a CPU.
//!
//! Names that stand for one of the book's carry it as a documentation alias: search these pages for `train_ch3` or
//! `load_array` and the item that does that work here comes up.

//!
//! Three features are on by default and can be left out by who wants `nn`, `optim` and `train` alone: `notebook` (what
//! runs the book's sections), `plot` (figures) and `hub` (data sets by name).

#![warn(missing_docs)]

pub mod checkpoint;
mod console;
pub mod data;
pub mod device;
pub mod nn;
#[cfg(feature = "notebook")]
pub mod notebook;
#[doc(inline)]
pub use d2l_ops as ops;
pub mod optim;
pub mod parallel;
#[cfg(feature = "plot")]
pub mod plot;
pub mod prelude;
pub mod random;
pub mod text;
pub mod train;

/// A result whose error is candle's, unless another is named.
pub type Result<T, E = candle_core::Error> = std::result::Result<T, E>;
