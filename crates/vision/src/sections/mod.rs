//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod image_augmentation;
pub mod fine_tuning;
pub mod bounding_box;
pub mod anchor;
pub mod multiscale_object_detection;
pub mod object_detection_dataset;
pub mod ssd;
pub mod rcnn;
pub mod semantic_segmentation_and_dataset;
pub mod transposed_conv;
pub mod fcn;
pub mod neural_style;
pub mod kaggle_cifar10;
pub mod kaggle_dog;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(image_augmentation),
    section!(fine_tuning),
    section!(bounding_box),
    section!(anchor),
    section!(multiscale_object_detection),
    section!(object_detection_dataset),
    section!(ssd),
    section!(rcnn),
    section!(semantic_segmentation_and_dataset),
    section!(transposed_conv),
    section!(fcn),
    section!(neural_style),
    section!(kaggle_cifar10),
    section!(kaggle_dog),
];
