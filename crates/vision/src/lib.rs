//! Chapter 13: computer vision.
//!
//! `cargo run --release -p vision` lists the sections; each is a file of [`sections`].

#![allow(
    clippy::manual_midpoint,
    clippy::needless_pass_by_value,
    reason = "a center is written as the formula has it, and a transform is made where it is handed over"
)]

pub mod anchors;
pub mod augmentation;
pub mod average_precision;
pub mod book_pictures;
pub mod cifar10;
pub mod confusion;
pub mod detection;
pub mod detection_set;
pub mod hotdog;
pub mod labeled_pictures;
pub mod picture;
pub mod pretrained;
pub mod region_pooling;
pub mod sections;
pub mod segmentation_set;
pub mod two_stages;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "vision", title: "Chapter 13: Computer Vision", sections: sections::SECTIONS };
