//! The book's nets, one a file. Each moves into its chapter's crate when that is written.

pub mod alexnet;
pub mod attention_scoring;
pub mod bahdanau;
pub mod densenet;
pub mod encoder_decoder;
pub mod googlenet;
pub mod gru_scratch;
pub mod language_model;
pub mod lenet;
pub mod lstm_scratch;
pub mod mlp;
pub mod multi_head_attention;
pub mod nin;
pub mod positional_encoding;
pub mod recurrent_language_model;
pub mod resnet;
pub mod rnn_scratch;
pub mod seq2seq;
pub mod softmax_regression;
pub mod transformer;
pub mod vgg;
