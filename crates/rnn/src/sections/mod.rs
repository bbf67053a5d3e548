//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod sequence;
pub mod text_preprocessing;
pub mod language_models_and_dataset;
pub mod rnn;
pub mod rnn_scratch;
pub mod rnn_concise;
pub mod bptt;
pub mod gru;
pub mod lstm;
pub mod deep_rnn;
pub mod bi_rnn;
pub mod machine_translation_and_dataset;
pub mod encoder_decoder;
pub mod seq2seq;
pub mod beam_search;

/// What the chapters' program offers.
pub const SECTIONS: &[Section] = &[
    section!(sequence),
    section!(text_preprocessing),
    section!(language_models_and_dataset),
    section!(rnn),
    section!(rnn_scratch),
    section!(rnn_concise),
    section!(bptt),
    section!(gru),
    section!(lstm),
    section!(deep_rnn),
    section!(bi_rnn),
    section!(machine_translation_and_dataset),
    section!(encoder_decoder),
    section!(seq2seq),
    section!(beam_search),
];
