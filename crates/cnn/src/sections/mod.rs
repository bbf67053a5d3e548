//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod why_conv;
pub mod conv_layer;
pub mod padding_and_strides;
pub mod channels;
pub mod pooling;
pub mod lenet;
pub mod alexnet;
pub mod vgg;
pub mod nin;
pub mod googlenet;
pub mod batch_norm;
pub mod resnet;
pub mod densenet;

/// What the chapters' program offers.
pub const SECTIONS: &[Section] = &[
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
];
