//! The hub against servers and archives that fail in every way they can.

mod archive;
mod hub;
mod server;
