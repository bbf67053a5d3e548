//! How a loss turns one value an example into its result.

/// What a loss returns (section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduction {
    /// One loss an example, or an element, unreduced.
    None,
    /// The mean, a scalar. A weighted loss divides by the sum of the weights it used.
    #[default]
    Mean,
    /// The sum, a scalar.
    Sum,
}
