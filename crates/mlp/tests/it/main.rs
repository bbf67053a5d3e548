//! Chapter 4's sections and its program.
//!
//! One program for all of them: each more would be linked with candle once more.

mod determinism;
mod flags;
mod house_prices;
mod properties;
mod sections;
#[cfg(unix)]
mod surroundings;
