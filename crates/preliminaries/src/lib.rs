//! Chapter 2: preliminaries.
//!
//! `cargo run --release -p preliminaries` lists the sections; each is a file of [`sections`].

pub mod sections;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "preliminaries", title: "Chapter 2: Preliminaries", sections: sections::SECTIONS };
