//! What the tests of the chapters share. All of it panics where a promise is broken, as tests do.

#![allow(clippy::missing_panics_doc)]

pub mod determinism;
pub mod flags;
pub mod gradients;
pub mod pytorch;
pub mod resuming;
pub mod smoke;
