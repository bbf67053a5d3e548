//! Chapter 15: texts judged and compared: sentiment of reviews, inference between sentences, a pretrained BERT fine-tuned.
//!
//! `cargo run --release -p nlp-applications` lists the sections; each is a file of [`sections`].

pub mod bert_checkpoints;
pub mod bert_heads;
pub mod bert_pairs;
pub mod eight_bit_tensors;
pub mod head_examples;
pub mod imdb;
pub mod padded_reviews;
pub mod penn_tokens;
pub mod pretrained_bert;
mod review_archive;
pub mod reviews;
pub mod sections;
pub mod sentiment;
pub mod snli;
pub mod snli_examples;
pub mod text_vectors;
pub mod word_pieces;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "nlp-applications",
    title: "Chapter 15: Natural Language Processing: Applications",
    sections: sections::SECTIONS,
};
