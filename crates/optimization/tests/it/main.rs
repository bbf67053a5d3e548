//! Chapter 11's sections.

mod determinism;
mod flags;
mod sections;
