//! Chapter 3: linear neural networks.
//!
//! One module a section, in book order. `cargo run --release -p linear-nets` lists them.

pub mod image_classification_dataset;
pub mod linear_regression;
pub mod linear_regression_concise;
pub mod linear_regression_scratch;
pub mod softmax_regression;
pub mod softmax_regression_concise;
pub mod softmax_regression_scratch;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "linear-nets",
    title: "Chapter 3: Linear Neural Networks",
    sections: &[
        section!(linear_regression),
        section!(linear_regression_scratch),
        section!(linear_regression_concise),
        section!(softmax_regression),
        section!(image_classification_dataset),
        section!(softmax_regression_scratch),
        section!(softmax_regression_concise),
    ],
};
