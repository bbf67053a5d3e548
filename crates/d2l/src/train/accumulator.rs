//! Sums over minibatches.

use std::ops::Index;

/// Adds up `N` quantities over an epoch, such as loss, correct predictions and examples (section 3.6).
///
/// ```
/// use d2l::train::Accumulator;
///
/// let mut sums = Accumulator::<2>::new();
/// sums.add([0.5, 3.0]);
/// sums.add([0.25, 1.0]);
/// assert_eq!([sums[0], sums[1]], [0.75, 4.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accumulator<const N: usize>([f64; N]);

impl<const N: usize> Accumulator<N> {
    /// All sums at zero.
    pub fn new() -> Self {
        Self([0.0; N])
    }

    /// Adds to each sum.
    pub fn add(&mut self, values: [f64; N]) {
        self.0.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }

    /// Sets all sums back to zero.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl<const N: usize> Default for Accumulator<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Index<usize> for Accumulator<N> {
    type Output = f64;

    fn index(&self, index: usize) -> &f64 {
        &self.0[index]
    }
}
