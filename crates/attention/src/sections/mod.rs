//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod attention_cues;
pub mod nadaraya_watson;
pub mod attention_scoring_functions;
pub mod bahdanau_attention;
pub mod multihead_attention;
pub mod self_attention_and_positional_encoding;
pub mod transformer;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(attention_cues),
    section!(nadaraya_watson),
    section!(attention_scoring_functions),
    section!(bahdanau_attention),
    section!(multihead_attention),
    section!(self_attention_and_positional_encoding),
    section!(transformer),
];
