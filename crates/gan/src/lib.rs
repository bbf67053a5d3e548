//! Chapter 17: two nets that learn from each other, one to make what the other cannot tell from real data.
//!
//! `cargo run --release -p gan` lists the sections; each is a file of [`sections`].

pub mod adversarial;
pub mod album;
pub mod diversity;
pub mod pokemon;
pub mod sections;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "gan", title: "Chapter 17: Generative Adversarial Networks", sections: sections::SECTIONS };
