//! Layers: parameters from seeded streams, PyTorch's default initialization, gradients that are held against PyTorch's.
//!
//! Layers implement candle's [`Module`] or [`ModuleT`], called as `forward_t(x, train)`, and take their parameters and
//! random streams from a [`VarBuilder`]; for training that builder comes from [`Parameters`].

mod batch_norm;
mod builder;
mod conv;
mod dropout;
mod embedding;
mod flatten;
pub mod init;
mod layer_norm;
mod leaky_relu;
mod linear;
mod parameters;
mod pool;
mod recurrent;
mod sequential;
mod summary;

pub use batch_norm::{BatchNorm, is_buffer};
pub use builder::VarBuilder;
pub use candle_nn::{Init, Module, ModuleT};
pub use conv::{Conv1d, Conv2d, ConvTranspose2d};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use parameters::Parameters;
pub use pool::{AdaptiveAvgPool2d, AvgPool2d, GlobalAvgPool2d, MaxPool2d};
pub use recurrent::{Gru, Lstm, RecurrentConfig, Rnn};
pub use sequential::{Position, Sequential};
pub use summary::{Summary, SummaryRow};
