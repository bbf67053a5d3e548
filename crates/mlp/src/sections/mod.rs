//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod mlp;
pub mod mlp_scratch;
pub mod mlp_concise;
pub mod underfit_overfit;
pub mod weight_decay;
pub mod dropout;
pub mod backprop;
pub mod numerical_stability_and_init;
pub mod environment;
pub mod kaggle_house_price;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(mlp),
    section!(mlp_scratch),
    section!(mlp_concise),
    section!(underfit_overfit),
    section!(weight_decay),
    section!(dropout),
    section!(backprop),
    section!(numerical_stability_and_init),
    section!(environment),
    section!(kaggle_house_price),
];
