//! Chapter 5: deep learning computation.
