//! Datasets, where they come from, and minibatches of them.

pub mod archive;
pub mod fashion_mnist;
pub mod hub;
pub mod idx;
mod loader;
mod partial;
mod synthetic;
mod time_machine;
mod translation;

pub use loader::{ArrayLoader, Arrays, Dataset, Epoch, Loader};
pub use synthetic::synthetic_data;
pub use time_machine::TimeMachine;
pub use translation::{
    BOS, EOS, FraEng, PAD, SentencePairs, TranslationBatch, TranslationLoader, preprocess_pairs, sentence_arrays,
    sentence_vocab, truncate_pad,
};
