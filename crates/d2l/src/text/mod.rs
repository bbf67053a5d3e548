//! Text as numbers: reading, tokens, the vocabulary, and minibatches of subsequences (sections 8.2 and 8.3).

mod error;
mod sequences;
mod tokens;
mod vocab;

pub use error::{TextError, decode, read};
pub use sequences::{Sampling, SequenceBatch, SequenceLoader, random_batches, sequential_batches};
pub use tokens::{TokenKind, letters_only, tokenize};
pub use vocab::{UnknownId, Vocab, count_corpus};
