//! Chapter 10: attention and the Transformer, on the encoder–decoder of the crate `rnn`.
//!
//! `cargo run --release -p attention` lists the sections; each is a file of [`sections`]. Beside them stand
//! [`transformer_layers`], the blocks of section 10.7, [`attention_weights`], how the weights of a prediction become
//! matrices, and [`saved_transformer`], a trained model as a file.

pub mod attention_weights;
pub mod saved_transformer;
pub mod sections;
pub mod transformer_layers;

use d2l::notebook::Chapter;

pub use saved_transformer::SavedTransformer;
pub use sections::attention_scoring_functions::{AdditiveAttention, DotProductAttention};
pub use sections::bahdanau_attention::bahdanau;
pub use sections::multihead_attention::MultiHeadAttention;
pub use sections::self_attention_and_positional_encoding::PositionalEncoding;
pub use sections::transformer::transformer;
pub use transformer_layers::TransformerSizes;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter =
    Chapter { name: "attention", title: "Chapter 10: Attention Mechanisms", sections: sections::SECTIONS };
