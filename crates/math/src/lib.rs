//! Chapter 18: mathematics for deep learning.
//!
//! `cargo run --release -p math` lists the sections; each is a file of [`sections`].

pub mod distribution_charts;
pub mod einsum;
pub mod grid;
pub mod matrices;
pub mod mnist;
pub mod plane;
pub mod sections;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "math", title: "Chapter 18: Mathematics for Deep Learning", sections: sections::SECTIONS };
