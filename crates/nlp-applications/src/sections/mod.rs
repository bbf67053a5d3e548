//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod sentiment_analysis_and_dataset;
pub mod sentiment_analysis_rnn;
pub mod sentiment_analysis_cnn;
pub mod natural_language_inference_and_dataset;
pub mod natural_language_inference_attention;
pub mod finetuning_bert;
pub mod natural_language_inference_bert;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(sentiment_analysis_and_dataset),
    section!(sentiment_analysis_rnn),
    section!(sentiment_analysis_cnn),
    section!(natural_language_inference_and_dataset),
    section!(natural_language_inference_attention),
    section!(finetuning_bert),
    section!(natural_language_inference_bert),
];
