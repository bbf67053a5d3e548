//! Chapters 6 and 7: convolutional neural networks.
//!
//! One module a section, in book order. `cargo run --release -p cnn` lists the sections that run. The nets are for other
//! programs too: each takes its parameters from a builder, so it can be saved, loaded and trained on.
//!
//! ```
//! use cnn::resnet::resnet18;
//! use d2l::nn::{ModuleT, Parameters};
//! use d2l::prelude::*;
//! use d2l::random::{Purpose, Random};
//!
//! let parameters = Parameters::new(Random::new(7).fork(Purpose::Initialization), &Device::Cpu);
//! let net = resnet18(&parameters.builder())?;
//! assert_eq!(parameters.count(), 11_178_378);
//! let images = Tensor::zeros((2, 1, 32, 32), DType::F32, &Device::Cpu)?;
//! assert_eq!(net.forward_t(&images, false)?.dims(), [2, 10]);
//!
//! let file = std::env::temp_dir().join(format!("resnet18-{}.safetensors", std::process::id()));
//! parameters.save(&file)?; // and `load` in the other program, with the same net built first
//! parameters.load(&file)?;
//! # std::fs::remove_file(&file)?;
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! What a trained net has learned is shown by [`inspection`]; [`lenet::train`] is the loop that all nets share.

pub mod alexnet;
pub mod batch_norm;
pub mod channels;
pub mod conv_layer;
pub mod densenet;
pub mod googlenet;
pub mod inspection;
pub mod lenet;
pub mod nin;
pub mod padding_and_strides;
pub mod pooling;
pub mod resnet;
pub mod training;
pub mod vgg;
pub mod why_conv;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapters' sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "cnn",
    title: "Chapters 6 and 7: Convolutional Neural Networks",
    sections: &[
        section!(why_conv),
        section!(conv_layer),
        section!(padding_and_strides),
        section!(channels),
        section!(pooling),
        section!(lenet),
        section!(alexnet),
        section!(vgg),
        section!(nin),
        section!(googlenet),
        section!(batch_norm),
        section!(resnet),
        section!(densenet),
    ],
};
