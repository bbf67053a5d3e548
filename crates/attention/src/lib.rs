//! Chapter 10: attention.
