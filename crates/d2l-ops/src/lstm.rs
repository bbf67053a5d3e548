//! The long short-term memory over a whole sequence.
//!
//! Forward, with the gates in the order `i`, `f`, `g`, `o` and `s = w_ih xₜ + b_ih + w_hh hₜ₋₁ + b_hh`:
//! `i = σ(s_i)`, `f = σ(s_f)`, `g = tanh(s_g)`, `o = σ(s_o)`, `cₜ = f ⊙ cₜ₋₁ + i ⊙ g`, `hₜ = o ⊙ tanh(cₜ)`.
//! Backward, for the gradients `∂hₜ` of a state from its output and the step after and `∂c` of the memory cell from the
//! step after: `∂s_o = ∂hₜ tanh(cₜ) o (1 - o)`, `∂cₜ = ∂c + ∂hₜ o (1 - tanh²(cₜ))`, `∂s_i = ∂cₜ g i (1 - i)`,
//! `∂s_f = ∂cₜ cₜ₋₁ f (1 - f)`, `∂s_g = ∂cₜ i (1 - g²)`, `∂cₜ₋₁ = ∂cₜ f`, and `∂hₜ₋₁ = w_hhᵀ ∂s`; the weights'
//! gradients as in [`super::recurrence`].

use candle_core::{Result, Tensor, bail};

use super::math;
use super::packed::Lanes;
use super::recurrence::{Cell, RecurrentWeights, Steps, blocks, blocks_mut, recur};

/// Runs a layer of long short-term memory (section 9.2) over `x` of `(steps, batch, inputs)`.
///
/// `state` is `h0` and `c0`, each `(batch, hidden)`, zero by default; the weights hold the gates `i`, `f`, `g`, `o`.
/// Returns the hidden states of all steps, `(steps, batch, hidden)`, and the last hidden state and memory cell, each
/// `(batch, hidden)`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
pub fn lstm(
    x: &Tensor,
    weights: &RecurrentWeights,
    state: Option<(&Tensor, &Tensor)>,
    steps: Steps,
) -> Result<(Tensor, (Tensor, Tensor))> {
    let states = recur(LstmCell, x, weights, state.map(|s| s.0), state.map(|s| s.1), steps)?;
    let Some(c) = states.c else { bail!("lstm: the memory cell is missing") };
    Ok((states.outputs, (states.h, c)))
}

#[derive(Clone, Copy)]
pub(super) struct LstmCell;

impl Cell for LstmCell {
    const NAME: &'static str = "lstm";
    const GATES: usize = 4;
    const MEMORY: bool = true;
    const SAVED: usize = 6; // i, f, g, o, cₜ₋₁, tanh(cₜ)
    const SPLIT: bool = false;

    #[inline(always)]
    fn forward<T: Lanes>(self, a: &[T], _: &[T], h: &mut [T], c: &mut [T], saved: &mut [T]) {
        let [a_i, a_f, a_g, a_o] = blocks(a);
        let [i, f, g, o, saved_c, tanh_c] = blocks_mut(saved);
        for (gate, a) in [(&mut *i, a_i), (&mut *f, a_f), (&mut *o, a_o)] {
            for (gate, &a) in gate.iter_mut().zip(a) {
                *gate = math::sigmoid(a);
            }
        }
        for (g, &a) in g.iter_mut().zip(a_g) {
            *g = math::tanh(a);
        }
        saved_c.copy_from_slice(c);
        for (((c, &i), &f), &g) in c.iter_mut().zip(&*i).zip(&*f).zip(&*g) {
            *c = f.mul_add(*c, i * g);
        }
        for (((h, tanh_c), &c), &o) in h.iter_mut().zip(tanh_c).zip(&*c).zip(&*o) {
            *tanh_c = math::tanh(c);
            *h = o * *tanh_c;
        }
    }

    #[inline(always)]
    fn backward<T: Lanes>(
        self,
        _: &[T],
        saved: &[T],
        grad_h: &mut [T],
        grad_c: &mut [T],
        grad_a: &mut [T],
        _: &mut [T],
    ) {
        let one = T::one();
        let [i, f, g, o, previous_c, tanh_c] = blocks(saved);
        let [grad_i, grad_f, grad_g, grad_o] = blocks_mut(grad_a);
        for ((((grad_o, grad_c), &grad_h), &t), &o) in
            grad_o.iter_mut().zip(&mut *grad_c).zip(&*grad_h).zip(tanh_c).zip(o)
        {
            *grad_o = grad_h * t * o * (one - o);
            *grad_c += grad_h * o * (one - t * t);
        }
        for (((grad, &grad_c), &g), &i) in grad_i.iter_mut().zip(&*grad_c).zip(g).zip(i) {
            *grad = grad_c * g * i * (one - i);
        }
        for (((grad, &grad_c), &g), &i) in grad_g.iter_mut().zip(&*grad_c).zip(g).zip(i) {
            *grad = grad_c * i * (one - g * g);
        }
        for (((grad, grad_c), &c), &f) in grad_f.iter_mut().zip(grad_c).zip(previous_c).zip(f) {
            *grad = *grad_c * c * f * (one - f);
            *grad_c *= f;
        }
        grad_h.fill(T::zero());
    }

    fn compose(self, a: &Tensor, u: &Tensor, _: &Tensor, c: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>)> {
        let Some(c) = c else { bail!("lstm: the memory cell is missing") };
        let gates = (a + u)?.chunk(4, 1)?;
        let sigmoid = |k: usize| candle_nn::ops::sigmoid(&gates[k]);
        let c = ((sigmoid(1)? * c)? + (sigmoid(0)? * gates[2].tanh()?)?)?;
        let h = (sigmoid(3)? * c.tanh()?)?;
        Ok((h, Some(c)))
    }
}
