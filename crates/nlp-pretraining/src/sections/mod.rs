//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod word2vec;
pub mod approx_training;
pub mod word_embedding_dataset;
pub mod word2vec_pretraining;
pub mod glove;
pub mod subword_embedding;
pub mod similarity_analogy;
pub mod bert;
pub mod bert_dataset;
pub mod bert_pretraining;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(word2vec),
    section!(approx_training),
    section!(word_embedding_dataset),
    section!(word2vec_pretraining),
    section!(glove),
    section!(subword_embedding),
    section!(similarity_analogy),
    section!(bert),
    section!(bert_dataset),
    section!(bert_pretraining),
];
