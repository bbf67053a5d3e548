//! The book's nets, one a file. Each moves into its chapter's crate when that is written.

pub mod attention_scoring;
pub mod bahdanau;
pub mod encoder_decoder;
pub mod gru_scratch;
pub mod language_model;
pub mod lstm_scratch;
pub mod mlp;
pub mod multi_head_attention;
pub mod positional_encoding;
pub mod recurrent_language_model;
pub mod rnn_scratch;
pub mod seq2seq;
pub mod softmax_regression;
pub mod transformer;
