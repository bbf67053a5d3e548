//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod model_construction;
pub mod parameters;
pub mod deferred_init;
pub mod custom_layer;
pub mod read_write;
pub mod use_gpu;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(model_construction),
    section!(parameters),
    section!(deferred_init),
    section!(custom_layer),
    section!(read_write),
    section!(use_gpu),
];
