//! Chapter 4: multilayer perceptrons.
