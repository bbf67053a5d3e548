//! Chapter 11: optimization algorithms.
//!
//! `cargo run --release -p optimization` lists the sections; each is a file of [`sections`].

pub mod airfoil;
pub mod airfoil_regression;
pub mod derivatives;
pub mod sections;

use d2l::notebook::Chapter;

pub use airfoil::Airfoil;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "optimization", title: "Chapter 11: Optimization Algorithms", sections: sections::SECTIONS };
