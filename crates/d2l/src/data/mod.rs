//! Datasets, where they come from, and minibatches of them.

mod error;
#[cfg(feature = "hub")]
pub mod fashion_mnist;
pub mod idx;
mod loader;
#[cfg(feature = "hub")]
mod source;
#[cfg(feature = "hub")]
mod time_machine;
#[cfg(feature = "hub")]
mod translation;

#[cfg(feature = "hub")]
pub use d2l_hub as hub;
#[cfg(feature = "hub")]
pub use d2l_hub::archive;
pub use error::DataError;
pub use loader::{ArrayLoader, Arrays, Batches, Dataset, Epoch, FromFn, Loader, Prefetched, Repeat, from_fn};
#[cfg(feature = "hub")]
pub use source::Source;
#[cfg(feature = "hub")]
pub use time_machine::TimeMachine;
#[cfg(feature = "hub")]
pub use translation::{
    BOS, EOS, FraEng, PAD, SentenceArrays, SentencePairs, TranslationBatch, TranslationLoader, preprocess_pairs,
    sentence_arrays, sentence_vocab, truncate_pad,
};
