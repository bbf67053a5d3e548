//! The simple recurrent layer over a whole sequence.
//!
//! Forward: `hₜ = φ(w_ih xₜ + b_ih + w_hh hₜ₋₁ + b_hh)` with `φ` the hyperbolic tangent or the positive part.
//! Backward, for the gradient `∂hₜ` of a state from its output and the step after: `∂a = ∂hₜ φ'`, with
//! `φ' = 1 - hₜ²` or `[hₜ > 0]`; the weights' gradients and `∂hₜ₋₁ = w_hhᵀ ∂a` as in [`super::recurrence`].

use candle_core::{Result, Tensor};

use super::math;
use super::packed::Lanes;
use super::recurrence::{Cell, RecurrentWeights, Steps, recur};

/// The function that a simple recurrent layer applies (section 8.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RnnActivation {
    #[default]
    /// The hyperbolic tangent, PyTorch's default.
    Tanh,
    /// The rectifier.
    Relu,
}

/// Runs a simple recurrent layer (section 8.4) over `x` of `(steps, batch, inputs)`.
///
/// `h0` is `(batch, hidden)`, zero by default; the weights have one gate. Returns the hidden states of all steps,
/// `(steps, batch, hidden)`, and the last one, `(batch, hidden)`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
pub fn rnn(
    x: &Tensor,
    weights: &RecurrentWeights,
    h0: Option<&Tensor>,
    activation: RnnActivation,
    steps: Steps,
) -> Result<(Tensor, Tensor)> {
    let states = recur(activation, x, weights, h0, None, steps)?;
    Ok((states.outputs, states.h))
}

impl Cell for RnnActivation {
    const NAME: &'static str = "rnn";
    const GATES: usize = 1;
    const MEMORY: bool = false;
    const SAVED: usize = 1; // hₜ
    const SPLIT: bool = false;

    #[inline(always)]
    fn forward<T: Lanes>(self, a: &[T], _: &[T], h: &mut [T], _: &mut [T], saved: &mut [T]) {
        match self {
            Self::Tanh => {
                for (h, &a) in h.iter_mut().zip(a) {
                    *h = math::tanh(a);
                }
            }
            Self::Relu => {
                for (h, &a) in h.iter_mut().zip(a) {
                    // Not `max`, which would turn what is not a number into 0.
                    *h = if a < T::zero() { T::zero() } else { a };
                }
            }
        }
        saved.copy_from_slice(h);
    }

    #[inline(always)]
    fn backward<T: Lanes>(self, _: &[T], saved: &[T], grad_h: &mut [T], _: &mut [T], grad_a: &mut [T], _: &mut [T]) {
        let rows = grad_a.iter_mut().zip(&*grad_h).zip(saved);
        match self {
            Self::Tanh => rows.for_each(|((grad_a, &grad_h), &h)| *grad_a = grad_h * (T::one() - h * h)),
            Self::Relu => {
                rows.for_each(|((grad_a, &grad_h), &h)| *grad_a = if h > T::zero() { grad_h } else { T::zero() });
            }
        }
        grad_h.fill(T::zero());
    }

    fn compose(self, a: &Tensor, u: &Tensor, _: &Tensor, _: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>)> {
        let sum = (a + u)?;
        let h = match self {
            Self::Tanh => sum.tanh()?,
            // candle's `relu` has the gradient 1 at 0.
            Self::Relu => (&sum * sum.gt(0.0)?.to_dtype(sum.dtype())?)?,
        };
        Ok((h, None))
    }
}
