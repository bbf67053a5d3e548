//! Chapter 15's sections, its models and its program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod reference;
mod sections;
mod weights;
mod word_pieces;
