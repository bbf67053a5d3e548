//! Chapter 13: computer vision.
//!
//! `cargo run --release -p vision` lists the sections; each is a file of [`sections`].

pub mod anchors;
pub mod augmentation;
pub mod average_precision;
pub mod book_pictures;
pub mod cifar10;
pub mod detection;
pub mod detection_set;
pub mod hotdog;
pub mod labeled_pictures;
pub mod picture;
pub mod pretrained;
pub mod region_pooling;
pub mod sections;
pub mod two_stages;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "vision", title: "Chapter 13: Computer Vision", sections: sections::SECTIONS };
