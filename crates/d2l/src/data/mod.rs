//! Datasets, where they come from, and minibatches of them.

pub mod archive;
pub mod fashion_mnist;
pub mod hub;
pub mod idx;
mod loader;
mod partial;
mod synthetic;

pub use loader::{ArrayLoader, Arrays, Dataset, Epoch, Loader};
pub use synthetic::synthetic_data;
