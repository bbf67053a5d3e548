//! Chapter 3's sections, and its program in strange surroundings.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod sections;
#[cfg(unix)]
mod surroundings;
