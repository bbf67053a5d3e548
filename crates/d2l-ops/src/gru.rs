//! The gated recurrent unit over a whole sequence.
//!
//! Forward, with the gates in the order `r`, `z`, `n` and `a = w_ih xₜ + b_ih`, `u = w_hh hₜ₋₁ + b_hh`:
//! `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`, `n = tanh(a_n + r ⊙ u_n)`, `hₜ = (1 - z) ⊙ n + z ⊙ hₜ₋₁`. The reset gate
//! applies after the hidden product and its bias, as in `PyTorch`, not before it.
//! Backward, for the gradient `∂hₜ` of a state from its output and the step after: `∂a_n = ∂hₜ (1 - z) (1 - n²)`,
//! `∂u_n = ∂a_n r`, `∂a_r = ∂u_r = ∂a_n u_n r (1 - r)`, `∂a_z = ∂u_z = ∂hₜ (hₜ₋₁ - n) z (1 - z)`, and
//! `∂hₜ₋₁ = ∂hₜ z + w_hhᵀ ∂u`; the weights' gradients as in [`super::recurrence`].

use candle_core::{Result, Tensor};

use super::math;
use super::packed::Lanes;
use super::recurrence::{Cell, RecurrentWeights, Steps, blocks, blocks_mut, recur};

/// Runs a layer of gated recurrent units (section 9.1) over `x` of `(steps, batch, inputs)`.
///
/// `h0` is `(batch, hidden)`, zero by default; the weights hold the gates `r`, `z`, `n`. Returns the hidden states of
/// all steps, `(steps, batch, hidden)`, and the last one, `(batch, hidden)`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
pub fn gru(x: &Tensor, weights: &RecurrentWeights, h0: Option<&Tensor>, steps: Steps) -> Result<(Tensor, Tensor)> {
    let states = recur(GruCell, x, weights, h0, None, steps)?;
    Ok((states.outputs, states.h))
}

#[derive(Clone, Copy)]
pub(super) struct GruCell;

impl Cell for GruCell {
    const NAME: &'static str = "gru";
    const GATES: usize = 3;
    const MEMORY: bool = false;
    const SAVED: usize = 4; // r, z, n, u_n
    const SPLIT: bool = true;

    #[inline(always)]
    fn forward<T: Lanes>(self, a: &[T], u: &[T], h: &mut [T], _: &mut [T], saved: &mut [T]) {
        let (gates, rest) = saved.split_at_mut(2 * h.len());
        for ((gate, &a), &u) in gates.iter_mut().zip(a).zip(u) {
            *gate = math::sigmoid(a + u);
        }
        let ([_, _, a_n], [_, _, u_n]): ([_; 3], [_; 3]) = (blocks(a), blocks(u));
        let ([r, z], [n, saved_u]) = (blocks::<T, 2>(gates), blocks_mut(rest));
        saved_u.copy_from_slice(u_n);
        for (((n, &a), &u), &r) in n.iter_mut().zip(a_n).zip(u_n).zip(r) {
            *n = math::tanh(r.mul_add(u, a));
        }
        for ((h, &n), &z) in h.iter_mut().zip(&*n).zip(z) {
            *h = z.mul_add(*h - n, n);
        }
    }

    #[inline(always)]
    fn backward<T: Lanes>(
        self,
        previous: &[T],
        saved: &[T],
        grad_h: &mut [T],
        _: &mut [T],
        grad_a: &mut [T],
        grad_u: &mut [T],
    ) {
        let one = T::one();
        let [r, z, n, u_n] = blocks(saved);
        let [grad_r, grad_z, grad_n] = blocks_mut(grad_a);
        let [grad_u_r, grad_u_z, grad_u_n] = blocks_mut(grad_u);
        for (((grad, &grad_h), &z), &n) in grad_n.iter_mut().zip(&*grad_h).zip(z).zip(n) {
            *grad = grad_h * (one - z) * (one - n * n);
        }
        for ((grad, &grad_n), &r) in grad_u_n.iter_mut().zip(&*grad_n).zip(r) {
            *grad = grad_n * r;
        }
        for (((grad, &grad_n), &u), &r) in grad_r.iter_mut().zip(&*grad_n).zip(u_n).zip(r) {
            *grad = grad_n * u * r * (one - r);
        }
        for ((((grad, grad_h), &h), &n), &z) in grad_z.iter_mut().zip(&mut *grad_h).zip(previous).zip(n).zip(z) {
            *grad = *grad_h * (h - n) * z * (one - z);
            *grad_h *= z;
        }
        grad_u_r.copy_from_slice(grad_r);
        grad_u_z.copy_from_slice(grad_z);
    }

    fn compose(self, a: &Tensor, u: &Tensor, h: &Tensor, _: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>)> {
        let (a, u) = (a.chunk(3, 1)?, u.chunk(3, 1)?);
        let r = candle_nn::ops::sigmoid(&(&a[0] + &u[0])?)?;
        let z = candle_nn::ops::sigmoid(&(&a[1] + &u[1])?)?;
        let n = (&a[2] + (r * &u[2])?)?.tanh()?;
        let next = (&n + (z * (h - &n)?)?)?;
        Ok((next, None))
    }
}
