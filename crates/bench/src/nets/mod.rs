//! The nets whose chapters have them in another form, one a file.

pub mod gru_scratch;
pub mod lstm_scratch;
pub mod mlp;
pub mod rnn_scratch;
pub mod softmax_regression;
