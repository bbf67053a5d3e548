//! Chapter 4: multilayer perceptrons.
//!
//! One module a section, in book order. `cargo run --release -p mlp` lists them.

pub mod backprop;
pub mod dropout;
pub mod environment;
pub mod house_prices;
pub mod kaggle_house_price;
pub mod mlp;
pub mod mlp_concise;
pub mod mlp_scratch;
pub mod numerical_stability_and_init;
pub mod underfit_overfit;
pub mod weight_decay;

use d2l::notebook::Chapter;
use d2l::section;

/// The chapter's sections, in book order.
pub const CHAPTER: Chapter = Chapter {
    name: "mlp",
    title: "Chapter 4: Multilayer Perceptrons",
    sections: &[
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
    ],
};
