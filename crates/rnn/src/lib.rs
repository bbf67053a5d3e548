//! Chapters 8 and 9: recurrent neural networks, translation.
//!
//! `cargo run --release -p rnn` lists the sections; each is a file of [`sections`]. Beside them stand [`language_model`],
//! what the models of characters have in common, and [`translation`], what the models that translate have,
//! and [`toy_decoder`], probabilities to follow a search by hand.

pub mod language_model;
pub mod sections;
pub mod toy_decoder;
pub mod translation;

use d2l::notebook::Chapter;

pub use language_model::{LanguageModel, State};
pub use sections::beam_search::Search;
pub use sections::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
pub use sections::gru::GruCell;
pub use sections::lstm::LstmCell;
pub use sections::rnn_concise::{RecurrentLanguageModel, RecurrentLayer};
pub use sections::rnn_scratch::{RnnCell, RnnModelScratch, one_hot};
pub use sections::seq2seq::{
    RecurrentSizes, SENTENCES, Seq2SeqDecoder, Seq2SeqEncoder, Translator, bleu, masked_cross_entropy, seq2seq,
    train_seq2seq,
};

/// The chapters' sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "rnn", title: "Chapters 8 and 9: Recurrent Neural Networks", sections: sections::SECTIONS };
