//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod ndarray;
pub mod pandas;
pub mod linear_algebra;
pub mod calculus;
pub mod autograd;
pub mod probability;
pub mod lookup_api;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(ndarray),
    section!(pandas),
    section!(linear_algebra),
    section!(calculus),
    section!(autograd),
    section!(probability),
    section!(lookup_api),
];
