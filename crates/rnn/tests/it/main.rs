//! Chapters 8 and 9: their sections, models and program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod models;
mod properties;
mod resuming;
mod sections;
