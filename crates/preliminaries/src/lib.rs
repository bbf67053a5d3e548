//! Chapter 2: preliminaries.
//!
//! One module a section, in book order, and [`csv_table`], with which sections 2.2 and 4.10 read their data.
//! `cargo run --release -p preliminaries` lists the sections.

pub mod autograd;
pub mod calculus;
pub mod csv_table;
pub mod linear_algebra;
pub mod lookup_api;
pub mod ndarray;
pub mod pandas;
pub mod probability;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "preliminaries",
    title: "Chapter 2: Preliminaries",
    sections: &[
        section!(ndarray),
        section!(pandas),
        section!(linear_algebra),
        section!(calculus),
        section!(autograd),
        section!(probability),
        section!(lookup_api),
    ],
};
