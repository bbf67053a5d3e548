//! Chapter 3: linear neural networks.
//!
//! `cargo run --release -p linear-nets` lists the sections; each is a file of [`sections`].

pub mod sections;

use d2l::notebook::Chapter;

pub use sections::linear_regression_scratch::{linear_model, sgd, squared_loss, synthetic_data};

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "linear-nets", title: "Chapter 3: Linear Neural Networks", sections: sections::SECTIONS };
