//! Chapter 13's sections, its boxes, its nets and its program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod detection;
mod determinism;
mod flags;
mod reference;
mod sections;
