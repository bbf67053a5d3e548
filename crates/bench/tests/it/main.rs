//! The benchmark's nets and the protocol of its workers.
//!
//! One program for all of them: each more would be linked with candle once more.

mod nets;
mod worker;
