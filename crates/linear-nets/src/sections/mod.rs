//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod linear_regression;
pub mod linear_regression_scratch;
pub mod linear_regression_concise;
pub mod softmax_regression;
pub mod image_classification_dataset;
pub mod softmax_regression_scratch;
pub mod softmax_regression_concise;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(linear_regression),
    section!(linear_regression_scratch),
    section!(linear_regression_concise),
    section!(softmax_regression),
    section!(image_classification_dataset),
    section!(softmax_regression_scratch),
    section!(softmax_regression_concise),
];
