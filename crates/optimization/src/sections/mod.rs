//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod optimization_intro;
pub mod convexity;
pub mod gd;
pub mod sgd;
pub mod minibatch_sgd;
pub mod momentum;
pub mod adagrad;
pub mod rmsprop;
pub mod adadelta;
pub mod adam;
pub mod lr_scheduler;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(optimization_intro),
    section!(convexity),
    section!(gd),
    section!(sgd),
    section!(minibatch_sgd),
    section!(momentum),
    section!(adagrad),
    section!(rmsprop),
    section!(adadelta),
    section!(adam),
    section!(lr_scheduler),
];
