//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod gan;
pub mod dcgan;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[section!(gan), section!(dcgan)];
