//! Chapters 8 and 9: recurrent neural networks, translation.
//!
//! One module a section, in book order, and [`language_model`] for what the language models have in common.
//! `cargo run --release -p rnn` lists the sections.

pub mod beam_search;
pub mod bi_rnn;
pub mod bptt;
pub mod deep_rnn;
pub mod encoder_decoder;
pub mod gru;
pub mod language_model;
pub mod language_models_and_dataset;
pub mod lstm;
pub mod machine_translation_and_dataset;
pub mod rnn;
pub mod rnn_concise;
pub mod rnn_scratch;
pub mod seq2seq;
pub mod sequence;
pub mod text_preprocessing;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapters' sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "rnn",
    title: "Chapters 8 and 9: Recurrent Neural Networks",
    sections: &[
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
    ],
};
