//! Chapters 6 and 7: convolutional neural networks.
