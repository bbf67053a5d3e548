//! Chapter 4: multilayer perceptrons.
//!
//! `cargo run --release -p mlp` lists the sections; each is a file of [`sections`].

pub mod house_prices;
pub mod label_shift;
pub mod sections;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "mlp", title: "Chapter 4: Multilayer Perceptrons", sections: sections::SECTIONS };
