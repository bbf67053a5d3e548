//! Chapter 14: word vectors and BERT, pretrained on text without labels.
//!
//! `cargo run --release -p nlp-pretraining` lists the sections; each is a file of [`sections`].

pub mod bert_layers;
pub mod co_occurrences;
pub mod huffman;
pub mod little_corpus;
pub mod penn_treebank;
pub mod plain_vectors;
pub mod pretrained_vectors;
pub mod pretraining_examples;
pub mod probability_ratios;
pub mod query_words;
pub mod ragged;
pub mod sections;
pub mod skip_gram_examples;
pub mod subword_vectors;
mod vector_cache;
pub mod vector_files;
pub mod vector_text;
pub mod wiki_text;
pub mod word_vectors;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "nlp-pretraining",
    title: "Chapter 14: Natural Language Processing: Pretraining",
    sections: sections::SECTIONS,
};
