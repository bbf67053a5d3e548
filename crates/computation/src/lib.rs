//! Chapter 5: deep learning computation.
//!
//! One module a section, in book order. `cargo run --release -p computation` lists them.

pub mod custom_layer;
pub mod deferred_init;
pub mod model_construction;
pub mod parameters;
pub mod read_write;
pub mod use_gpu;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "computation",
    title: "Chapter 5: Deep Learning Computation",
    sections: &[
        section!(model_construction),
        section!(parameters),
        section!(deferred_init),
        section!(custom_layer),
        section!(read_write),
        section!(use_gpu),
    ],
};
