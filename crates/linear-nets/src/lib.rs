//! Chapter 3: linear neural networks.
