//! Chapters 6 and 7: their sections, nets and program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod nets;
mod reference;
mod resuming;
mod sections;
