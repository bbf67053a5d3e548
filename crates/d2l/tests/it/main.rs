//! Operations, layers, optimizers, checkpoints, data and text, each held against values of its own.
//!
//! One program for all of them: each more would be linked with candle once more.

mod activation;
mod add;
mod batch_norm;
mod broadcast;
mod checkpoint;
mod concat;
mod contract_cases;
mod convolution;
mod convolution_layers;
mod cross_entropy;
mod dropout;
mod embedding;
mod errors;
mod init;
mod layer_norm;
mod layers;
mod linear;
mod loss;
mod matmul;
mod optim;
mod plot;
mod plot_marks;
mod pool;
mod properties_data;
mod properties_masks;
mod properties_pairs;
mod properties_text;
mod recurrent;
mod recurrent_layers;
mod reduce;
mod scatter_add;
mod sequential;
mod softmax;
mod tape;
mod threads;
mod top_k;

#[path = "../support/mod.rs"]
mod support;
