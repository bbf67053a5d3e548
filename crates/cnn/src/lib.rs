//! Chapters 6 and 7: convolutional neural networks.
//!
//! `cargo run --release -p cnn` lists the sections; each is a file of [`sections`]. Beside them stand [`deep_net`], what
//! the nets of chapter 7 have in common, and [`inspection`], what a trained classifier has learned.

pub mod deep_net;
pub mod inspection;
pub mod sections;

use d2l::notebook::Chapter;

pub use sections::alexnet::alexnet;
pub use sections::batch_norm::{BatchNormScratch, lenet_with, ready_made};
pub use sections::densenet::densenet;
pub use sections::googlenet::googlenet;
pub use sections::lenet::{lenet, xavier};
pub use sections::nin::nin;
pub use sections::resnet::{Residual, resnet18};
pub use sections::vgg::{VGG_11, narrower, vgg};

/// The chapters' sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "cnn", title: "Chapters 6 and 7: Convolutional Neural Networks", sections: sections::SECTIONS };
