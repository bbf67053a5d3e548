//! Chapters 8 and 9: recurrent neural networks.
