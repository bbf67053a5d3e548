//! Chapter 18's sections.

mod determinism;
mod flags;
mod golden;
mod sections;
