//! The sections, in book order.

use d2l::notebook::Section;
use d2l::section;

pub mod geometry_linear_algebraic_ops;
pub mod eigendecomposition;
pub mod single_variable_calculus;
pub mod multivariable_calculus;
pub mod integral_calculus;
pub mod random_variables;
pub mod maximum_likelihood;
pub mod distributions;
pub mod naive_bayes;
pub mod statistics;
pub mod information_theory;

/// What the chapter's program offers.
pub const SECTIONS: &[Section] = &[
    section!(geometry_linear_algebraic_ops),
    section!(eigendecomposition),
    section!(single_variable_calculus),
    section!(multivariable_calculus),
    section!(integral_calculus),
    section!(random_variables),
    section!(maximum_likelihood),
    section!(distributions),
    section!(naive_bayes),
    section!(statistics),
    section!(information_theory),
];
