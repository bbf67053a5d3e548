//! Chapter 17's sections, its nets and its program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod reference;
mod sections;
