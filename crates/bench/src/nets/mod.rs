//! The book's nets, one a file. Each moves into its chapter's crate when that is written.

pub mod alexnet;
pub mod densenet;
pub mod googlenet;
pub mod gru_scratch;
pub mod lenet;
pub mod lstm_scratch;
pub mod mlp;
pub mod nin;
pub mod resnet;
pub mod rnn_scratch;
pub mod softmax_regression;
pub mod vgg;
