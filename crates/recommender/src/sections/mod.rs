//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod recsys_intro;
pub mod movielens;
pub mod mf;
pub mod autorec;
pub mod ranking;
pub mod neumf;
pub mod seqrec;
pub mod ctr;
pub mod fm;
pub mod deepfm;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(recsys_intro),
    section!(movielens),
    section!(mf),
    section!(autorec),
    section!(ranking),
    section!(neumf),
    section!(seqrec),
    section!(ctr),
    section!(fm),
    section!(deepfm),
];
