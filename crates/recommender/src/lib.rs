//! Chapter 16: what people will like, from what they and others liked: ratings, rankings, sequences, clicks.
//!
//! `cargo run --release -p recommender` lists the sections; each is a file of [`sections`].

pub mod ad_clicks;
pub mod click_evaluation;
pub mod compact_rows;
pub mod interactions;
pub mod item_similarity;
pub mod movielens;
pub mod negative_sampling;
pub mod ranking_evaluation;
pub mod ranking_losses;
pub mod ranking_metrics;
pub mod ranking_training;
pub mod rating_batches;
pub mod ratings;
pub mod recommendations;
pub mod sections;
pub mod sequence_examples;
pub mod splits;

use d2l::notebook::Chapter;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "recommender", title: "Chapter 16: Recommender Systems", sections: sections::SECTIONS };
