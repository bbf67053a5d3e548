//! Chapter 13: computer vision.
//!
//! `cargo run --release -p vision` lists the sections; each is a file of [`sections`].

#![allow(
    clippy::manual_midpoint,
    clippy::needless_pass_by_value,
    clippy::single_match_else,
    reason = "a center is written as the formula has it, a transform is made where it is handed over, and nets are told apart \
              by a match"
)]

pub mod anchors;
pub mod augmentation;
pub mod average_precision;
pub mod book_pictures;
pub mod cifar10;
pub mod confusion;
pub mod detection;
pub mod detection_set;
pub mod efficientnet;
pub mod hotdog;
pub mod kaggle;
pub mod kaggle_sets;
pub mod labeled_pictures;
pub mod picture;
pub mod pretrained;
pub mod region_pooling;
pub mod resnet;
pub mod sections;
pub mod segmentation_set;
pub mod squeezenet;
pub mod style_pictures;
pub mod two_stages;
pub mod vgg;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "vision", title: "Chapter 13: Computer Vision", sections: sections::SECTIONS };
