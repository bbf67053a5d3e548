//! Chapter 10: attention and the Transformer.
//!
//! One module a section, in book order, on the encoder–decoder of the crate `rnn`; [`translation`] for what the two
//! sections that train a translation model have in common, and [`translator`] for a trained model as a file.
//! `cargo run --release -p attention` lists the sections.

pub mod attention_cues;
pub mod attention_scoring_functions;
pub mod bahdanau_attention;
pub mod multihead_attention;
pub mod nadaraya_watson;
pub mod self_attention_and_positional_encoding;
pub mod transformer;
pub mod transformer_layers;
pub mod translation;
pub mod translator;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "attention",
    title: "Chapter 10: Attention Mechanisms",
    sections: &[
        section!(attention_cues),
        section!(nadaraya_watson),
        section!(attention_scoring_functions),
        section!(bahdanau_attention),
        section!(multihead_attention),
        section!(self_attention_and_positional_encoding),
        section!(transformer),
    ],
};
