//! Chapter 5: deep learning computation.
//!
//! `cargo run --release -p computation` lists the sections; each is a file of [`sections`].

pub mod sections;
#[cfg(test)]
mod testing;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "computation", title: "Chapter 5: Deep Learning Computation", sections: sections::SECTIONS };
