//! What the recurrent operations share: a whole sequence through one layer as a single node of the graph, with
//! backpropagation through time of its own.
//!
//! Forward, from the first step to the last (the other way round in reverse), for `xₜ` of `(batch, inputs)` and a
//! state `h` of `(batch, hidden)`: `aₜ = xₜ w_ihᵀ + b_ih`, `uₜ = h w_hhᵀ + b_hh`, both `(batch, gates · hidden)`, and
//! the cell makes the next state of `aₜ`, `uₜ` and the state.
//! Backward, for the gradient `g` of the outputs, from the last step to the first: the cell turns `gₜ + ∂h` into
//! `∂aₜ`, `∂uₜ` and what reaches the state before directly, to which `∂uₜ w_hh` is added. After the last step, one
//! product each over all steps: `∂w_hh = Σₜ ∂uₜᵀ hₜ₋₁`, `∂w_ih = Σₜ ∂aₜᵀ xₜ`, `∂xₜ = ∂aₜ w_ih`; `∂b_hh = Σ ∂uₜ`,
//! `∂b_ih = Σ ∂aₜ`.
//!
//! The rows of a batch never meet, so each thread takes its rows through all steps without waiting for another.

use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::kernel::{self, Float, Matrix, for_float};
use super::packed::{Lanes, Packed, SERIAL_PRODUCT, TILE_ROWS, transposed_products, zeros};
use super::tape;

/// The parameters of one layer in one direction, with the gates in the order of the operation's formulas (section 8.4).
#[derive(Debug, Clone, Copy)]
pub struct RecurrentWeights<'a> {
    /// `(gates · hidden, inputs)`.
    pub w_ih: &'a Tensor,
    /// `(gates · hidden, hidden)`.
    pub w_hh: &'a Tensor,
    /// `(gates · hidden)`.
    pub b_ih: &'a Tensor,
    /// `(gates · hidden)`.
    pub b_hh: &'a Tensor,
}

/// The way over the steps; by default from the first to the last, all of the same length.
#[derive(Debug, Clone, Copy, Default)]
pub struct Steps<'a> {
    /// From the last step (each sequence's own last, where `lengths` are given) to the first.
    pub reverse: bool,
    /// `(batch)`, whole numbers in `1..=steps`: how many steps each sequence has. Outputs after them are zero, and the
    /// state stays as they left it.
    pub lengths: Option<&'a Tensor>,
}

/// The arithmetic of one step of one cell, for one row of the batch in the kernels and for the batch in the composition.
pub(super) trait Cell: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    /// Blocks of `hidden` columns in the weights.
    const GATES: usize;
    /// Whether there is a memory cell `c` beside the hidden state `h`.
    const MEMORY: bool;
    /// Blocks of `hidden` values that `forward` keeps for `backward`.
    const SAVED: usize;
    /// Whether the cell needs `a` and `u` apart; otherwise `a` stands for their sum and `u` is empty.
    const SPLIT: bool;

    /// Turns the state (`c` is empty without a memory cell) into the next, given `a` and `u`, each `(gates · hidden)`.
    fn forward<T: Lanes>(self, a: &[T], u: &[T], h: &mut [T], c: &mut [T], saved: &mut [T]);

    /// Turns the gradients of the next state in `grad_h` and `grad_c` into those of the state before (of the direct
    /// ways only, not through `u`), and writes those of `a` and `u`. `previous` is the `h` before the step.
    fn backward<T: Lanes>(
        self,
        previous: &[T],
        saved: &[T],
        grad_h: &mut [T],
        grad_c: &mut [T],
        grad_a: &mut [T],
        grad_u: &mut [T],
    );

    /// `forward` on tensors of `(batch, …)`, for devices without a kernel, with `a` and `u` always apart: the next `h`
    /// and `c`.
    fn compose(self, a: &Tensor, u: &Tensor, h: &Tensor, c: Option<&Tensor>) -> Result<(Tensor, Option<Tensor>)>;
}

/// `N` blocks of the same size.
#[inline(always)]
pub(super) fn blocks<T, const N: usize>(row: &[T]) -> [&[T]; N] {
    let size = row.len() / N;
    std::array::from_fn(|i| &row[i * size..(i + 1) * size])
}

/// `N` blocks of the same size.
#[inline(always)]
pub(super) fn blocks_mut<T, const N: usize>(row: &mut [T]) -> [&mut [T]; N] {
    let mut blocks = row.chunks_exact_mut(row.len() / N);
    std::array::from_fn(|_| blocks.next().unwrap_or_default())
}

/// The result of [`recur`].
pub(super) struct States {
    /// `(steps, batch, hidden)`: the hidden states, zero past a sequence's length.
    pub outputs: Tensor,
    /// `(batch, hidden)`: the hidden state after each sequence's last step.
    pub h: Tensor,
    /// `(batch, hidden)`: the memory cell's, where there is one.
    pub c: Option<Tensor>,
}

/// Runs `cell` over `x` of `(steps, batch, inputs)` from the states `h` and `c` of `(batch, hidden)`, zero by default.
pub(super) fn recur<C: Cell>(
    cell: C,
    x: &Tensor,
    weights: &RecurrentWeights,
    h: Option<&Tensor>,
    c: Option<&Tensor>,
    steps: Steps,
) -> Result<States> {
    let sizes = Sizes::check::<C>(x, weights)?;
    let zeros = Tensor::zeros((sizes.batch, sizes.hidden), x.dtype(), x.device())?;
    for (name, state) in [("h0", h), ("c0", c)] {
        if let Some(state) = state
            && state.dims() != zeros.dims()
        {
            bail!("{}: {name} must be {:?}, got {:?}", C::NAME, zeros.dims(), state.dims());
        }
    }
    let RecurrentWeights { w_ih, w_hh, b_ih, b_hh } = *weights;
    let named = [("w_ih", w_ih), ("w_hh", w_hh), ("b_ih", b_ih), ("b_hh", b_hh)];
    for (name, tensor) in named.into_iter().chain(h.map(|h| ("h0", h))).chain(c.map(|c| ("c0", c))) {
        if tensor.dtype() != x.dtype() {
            bail!("{}: {name} must be {:?} as x is, got {:?}", C::NAME, x.dtype(), tensor.dtype());
        }
    }
    let lengths = check_lengths::<C>(steps.lengths, sizes)?;
    let (h, c) = (h.unwrap_or(&zeros), C::MEMORY.then(|| c.unwrap_or(&zeros)));
    if !kernel::has_kernel(x) {
        return compose(cell, x, weights, (h, c), steps.reverse, lengths.as_deref());
    }

    // An operation takes three tensors at most, so the small ones travel as one.
    let mut rest = vec![w_ih.flatten_all()?, b_ih.clone(), b_hh.clone(), h.flatten_all()?];
    rest.extend(c.map(Tensor::flatten_all).transpose()?);
    let kernel = Recurrence { cell, sizes, reverse: steps.reverse, lengths: lengths.clone(), saved: OnceLock::new() };
    let states = tape::apply3(x, w_hh, &Tensor::cat(&rest, 0)?, kernel)?;
    let outputs = if C::MEMORY { states.narrow(0, 0, sizes.steps)? } else { states.clone() };
    let h = match lengths {
        _ if steps.reverse => outputs.get(0)?,
        None => outputs.get(sizes.steps - 1)?,
        Some(lengths) => {
            let last = |(row, length)| ((length - 1) * sizes.batch + row) as u32;
            let rows: Vec<u32> = lengths.into_iter().enumerate().map(last).collect();
            outputs.flatten_to(1)?.index_select(&Tensor::new(rows, x.device())?, 0)?
        }
    };
    let c = if C::MEMORY { Some(states.get(sizes.steps)?) } else { None };
    Ok(States { outputs, h, c })
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    steps: usize,
    batch: usize,
    inputs: usize,
    hidden: usize,
    /// `gates · hidden`.
    wide: usize,
}

impl Sizes {
    fn check<C: Cell>(x: &Tensor, weights: &RecurrentWeights) -> Result<Self> {
        let name = C::NAME;
        let &[steps, batch, inputs] = x.dims() else {
            bail!("{name}: x must be (steps, batch, inputs), got {:?}", x.dims());
        };
        let (wide, hidden) = match weights.w_hh.dims() {
            &[wide, hidden] if wide == C::GATES * hidden => (wide, hidden),
            other => bail!("{name}: w_hh must be ({} · hidden, hidden), got {other:?}", C::GATES),
        };
        if x.elem_count() == 0 || hidden == 0 {
            bail!("{name}: x {:?} and w_hh {:?} must not be empty", x.dims(), weights.w_hh.dims());
        }
        let expected: [(_, _, &[usize]); 3] =
            [("w_ih", weights.w_ih, &[wide, inputs]), ("b_ih", weights.b_ih, &[wide]), ("b_hh", weights.b_hh, &[wide])];
        for (argument, tensor, dims) in expected {
            if tensor.dims() != dims {
                bail!("{name}: {argument} must be {dims:?}, got {:?}", tensor.dims());
            }
        }
        Ok(Self { steps, batch, inputs, hidden, wide })
    }
}

fn check_lengths<C: Cell>(lengths: Option<&Tensor>, sizes: Sizes) -> Result<Option<Vec<usize>>> {
    let Some(lengths) = lengths else { return Ok(None) };
    let (name, steps) = (C::NAME, sizes.steps);
    if lengths.dims() != [sizes.batch] || !lengths.dtype().is_int() {
        bail!(
            "{name}: lengths must be ({}) whole numbers, got {:?} of {:?}",
            sizes.batch,
            lengths.dims(),
            lengths.dtype()
        );
    }
    let lengths = lengths.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    if let Some(length) = lengths.iter().find(|&&length| !(1..=steps as i64).contains(&length)) {
        bail!("{name}: lengths must be in 1..={steps}, got {length}");
    }
    Ok(Some(lengths.into_iter().map(|length| length as usize).collect()))
}

/// The order in which the steps are taken.
fn order(steps: usize, reverse: bool) -> impl Iterator<Item = usize> {
    (0..steps).map(move |t| if reverse { steps - 1 - t } else { t })
}

/// The same as the kernels, of candle's operations.
fn compose<C: Cell>(
    cell: C,
    x: &Tensor,
    weights: &RecurrentWeights,
    (h, c): (&Tensor, Option<&Tensor>),
    reverse: bool,
    lengths: Option<&[usize]>,
) -> Result<States> {
    let (steps, batch, inputs) = x.dims3()?;
    let a = x.reshape(((), inputs))?.matmul(&weights.w_ih.t()?)?.broadcast_add(weights.b_ih)?;
    let a = a.reshape((steps, batch, ()))?;
    let w_hh = weights.w_hh.t()?;
    let (mut h, mut c) = (h.clone(), c.cloned());
    let mut outputs = vec![h.clone(); steps];
    for t in order(steps, reverse) {
        let u = h.matmul(&w_hh)?.broadcast_add(weights.b_hh)?;
        let (next_h, next_c) = cell.compose(&a.get(t)?, &u, &h, c.as_ref())?;
        let Some(lengths) = lengths else {
            outputs[t] = next_h.clone();
            (h, c) = (next_h, next_c);
            continue;
        };
        let inside: Vec<f32> = lengths.iter().map(|&length| f32::from(u8::from(t < length))).collect();
        let inside = Tensor::from_vec(inside, (batch, 1), x.device())?.to_dtype(x.dtype())?;
        let outside = inside.affine(-1.0, 1.0)?;
        outputs[t] = next_h.broadcast_mul(&inside)?;
        h = (&outputs[t] + h.broadcast_mul(&outside)?)?;
        c = match (next_c, c) {
            (Some(next), Some(c)) => Some((next.broadcast_mul(&inside)? + c.broadcast_mul(&outside)?)?),
            _ => None,
        };
    }
    Ok(States { outputs: Tensor::stack(&outputs, 0)?, h, c })
}

struct Recurrence<C> {
    cell: C,
    sizes: Sizes,
    reverse: bool,
    lengths: Option<Vec<usize>>,
    /// `(steps, batch, (1 + SAVED) · hidden)`: the state before each step and what the cell keeps.
    saved: OnceLock<CpuStorage>,
}

/// The small inputs of the operation in one buffer, or their gradients.
struct Rest<S> {
    w_ih: S,
    b_ih: S,
    b_hh: S,
    /// `h0` and then `c0`, where there is a memory cell.
    states: S,
}

/// One thread's part: rows of the batch, and their pieces of the buffers, one a step.
struct Rows<'a, T, const N: usize> {
    first: usize,
    count: usize,
    steps: Vec<[&'a mut [T]; N]>,
    /// Of `h` and of `c`.
    states: [&'a mut [T]; 2],
}

/// The gradients of the operation's three tensors; that of `x` where it is wanted.
struct Gradients<T> {
    x: Option<Vec<T>>,
    w_hh: Vec<T>,
    rest: Vec<T>,
}

impl<C: Cell> Recurrence<C> {
    fn split_rest<'a, T>(&self, rest: &'a [T]) -> Rest<&'a [T]> {
        let Sizes { inputs, wide, .. } = self.sizes;
        let (w_ih, rest) = rest.split_at(wide * inputs);
        let (b_ih, rest) = rest.split_at(wide);
        let (b_hh, states) = rest.split_at(wide);
        Rest { w_ih, b_ih, b_hh, states }
    }

    fn split_rest_mut<'a, T>(&self, rest: &'a mut [T]) -> Rest<&'a mut [T]> {
        let Sizes { inputs, wide, .. } = self.sizes;
        let (w_ih, rest) = rest.split_at_mut(wide * inputs);
        let (b_ih, rest) = rest.split_at_mut(wide);
        let (b_hh, states) = rest.split_at_mut(wide);
        Rest { w_ih, b_ih, b_hh, states }
    }

    /// Whether step `t` lies within the sequence of a row.
    fn inside(&self, row: usize, t: usize) -> bool {
        self.lengths.as_ref().is_none_or(|lengths| t < lengths[row])
    }

    /// Cuts buffers of `(steps, batch, …)` and the states of `(1 or 2, batch, hidden)` into one part a thread.
    fn rows<'a, T, const N: usize>(&self, mut buffers: [&'a mut [T]; N], states: &'a mut [T]) -> Vec<Rows<'a, T, N>> {
        let Sizes { steps, batch, inputs, hidden, wide } = self.sizes;
        let work = steps * batch * wide * (inputs + hidden);
        let threads = if work < SERIAL_PRODUCT { 1 } else { rayon::current_num_threads() };
        let count = batch.div_ceil(threads).next_multiple_of(TILE_ROWS).min(batch);
        let (h, c) = states.split_at_mut(batch * hidden);
        let mut c = c.chunks_mut(count * hidden);
        let mut parts: Vec<_> = h
            .chunks_mut(count * hidden)
            .enumerate()
            .map(|(i, h)| Rows {
                first: i * count,
                count: h.len() / hidden,
                steps: Vec::with_capacity(steps),
                states: [h, c.next().unwrap_or_default()],
            })
            .collect();
        let widths = buffers.each_ref().map(|buffer| buffer.len() / (steps * batch));
        for _ in 0..steps {
            for part in &mut parts {
                part.steps.push(std::array::from_fn(|i| {
                    let (piece, rest) = std::mem::take(&mut buffers[i]).split_at_mut(part.count * widths[i]);
                    buffers[i] = rest;
                    piece
                }));
            }
        }
        parts
    }

    /// The outputs, `(steps, batch, hidden)`, followed by the last memory cells, and what the backward pass needs.
    fn forward<T: Lanes>(&self, x: &[T], w_hh: &[T], rest: &[T]) -> (Vec<T>, Vec<T>) {
        let Sizes { steps, batch, inputs, hidden, wide } = self.sizes;
        let rest = self.split_rest(rest);
        let from_input = Packed::new(Matrix::rows(rest.w_ih, inputs).transposed(), (inputs, wide));
        let from_hidden = Packed::new(Matrix::rows(w_hh, hidden).transposed(), (hidden, wide));
        let mut states = rest.states.to_vec();
        let width = (1 + C::SAVED) * hidden;
        let mut outputs = zeros((steps + usize::from(C::MEMORY)) * batch * hidden);
        let mut saved = zeros(steps * batch * width);
        let parts = self.rows([&mut outputs[..steps * batch * hidden], &mut saved], &mut states);
        parts.into_par_iter().for_each(|rows| {
            let (from_input, from_hidden) = (&from_input, &from_hidden);
            pulp::Arch::new().dispatch(Forward { op: self, x, rest: &rest, from_input, from_hidden, rows });
        });
        if C::MEMORY {
            outputs[steps * batch * hidden..].copy_from_slice(&states[batch * hidden..]);
        }
        (outputs, saved)
    }

    /// The gradients of `x` (where wanted), `w_hh` and the rest, for the gradient `grad` of what `forward` returned.
    fn backward<T: Lanes>(&self, x: &[T], w_hh: &[T], rest: &[T], grad: &[T], want_x: bool) -> Result<Gradients<T>> {
        let Sizes { steps, batch, inputs, hidden, wide } = self.sizes;
        let saved = match self.saved.get() {
            Some(saved) => T::cpu_storage_as_slice(saved)?,
            None => bail!("{}: no forward pass was run", C::NAME),
        };
        let width = (1 + C::SAVED) * hidden;
        let to_hidden = Packed::new(Matrix::rows(w_hh, hidden), (wide, hidden));
        let w_ih = Matrix::rows(self.split_rest(rest).w_ih, inputs);
        let to_input = want_x.then(|| Packed::new(w_ih, (wide, inputs)));
        let mut grad_rest = vec![T::zero(); rest.len()];
        let grads = self.split_rest_mut(&mut grad_rest);
        if C::MEMORY {
            grads.states[batch * hidden..].copy_from_slice(&grad[steps * batch * hidden..]);
        }
        let rows = steps * batch;
        let mut grad_x = zeros(if want_x { rows * inputs } else { 0 });
        let mut grad_a = zeros(rows * wide);
        let mut grad_u = zeros(if C::SPLIT { rows * wide } else { 0 });
        let parts = self.rows([&mut grad_a, &mut grad_u, &mut grad_x], grads.states);
        parts.into_par_iter().for_each(|rows| {
            let (to_hidden, to_input) = (&to_hidden, to_input.as_ref());
            pulp::Arch::new().dispatch(Backward { op: self, saved, grad, to_hidden, to_input, rows });
        });

        let x = Packed::new(Matrix::rows(x, inputs), (rows, inputs));
        let previous = Matrix { values: saved, row_stride: width, column_stride: 1 };
        let previous = Packed::new(previous, (rows, hidden));
        let mut grad_w_hh = zeros(wide * hidden);
        if C::SPLIT {
            transposed_products(&grad_a, grads.b_ih, vec![(&x, grads.w_ih)]);
            transposed_products(&grad_u, grads.b_hh, vec![(&previous, &mut grad_w_hh)]);
        } else {
            transposed_products(&grad_a, grads.b_ih, vec![(&x, grads.w_ih), (&previous, &mut grad_w_hh)]);
            grads.b_hh.copy_from_slice(grads.b_ih);
        }
        Ok(Gradients { x: want_x.then_some(grad_x), w_hh: grad_w_hh, rest: grad_rest })
    }
}

/// One thread's forward pass.
struct Forward<'a, C, T> {
    op: &'a Recurrence<C>,
    x: &'a [T],
    rest: &'a Rest<&'a [T]>,
    from_input: &'a Packed<T>,
    from_hidden: &'a Packed<T>,
    rows: Rows<'a, T, 2>,
}

impl<C: Cell, T: Lanes> WithSimd for Forward<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { op, x, rest, from_input, from_hidden, rows } = self;
        let Sizes { steps, batch, inputs, hidden, wide } = op.sizes;
        let Rows { first, count, steps: mut pieces, states: [h, c] } = rows;
        let width = (1 + C::SAVED) * hidden;
        let mut a = vec![T::zero(); count * wide];
        let mut u = vec![T::zero(); if C::SPLIT { count * wide } else { 0 }];
        let mut bias = rest.b_ih.to_vec();
        if !C::SPLIT {
            for (bias, &other) in bias.iter_mut().zip(rest.b_hh) {
                *bias += other;
            }
        }
        for t in order(steps, op.reverse) {
            a.chunks_exact_mut(wide).for_each(|a| a.copy_from_slice(&bias));
            u.chunks_exact_mut(wide).for_each(|u| u.copy_from_slice(rest.b_hh));
            from_input.accumulate(&x[(t * batch + first) * inputs..][..count * inputs], &mut a);
            from_hidden.accumulate(h, if C::SPLIT { &mut u } else { &mut a });
            let [outputs, saved] = &mut pieces[t];
            for row in (0..count).filter(|row| op.inside(first + row, t)) {
                let (at, gates) = (row * hidden..(row + 1) * hidden, row * wide..(row + 1) * wide);
                let (previous, saved) = saved[row * width..(row + 1) * width].split_at_mut(hidden);
                let c = if C::MEMORY { &mut c[at.clone()] } else { &mut [] };
                previous.copy_from_slice(&h[at.clone()]);
                let u = if C::SPLIT { &u[gates.clone()] } else { &[] };
                op.cell.forward(&a[gates], u, &mut h[at.clone()], c, saved);
                outputs[at.clone()].copy_from_slice(&h[at]);
            }
        }
    }
}

/// One thread's backward pass; the parts of the buffers are those of the gradients of `a` and `u`.
struct Backward<'a, C, T> {
    op: &'a Recurrence<C>,
    saved: &'a [T],
    grad: &'a [T],
    to_hidden: &'a Packed<T>,
    to_input: Option<&'a Packed<T>>,
    rows: Rows<'a, T, 3>,
}

impl<C: Cell, T: Lanes> WithSimd for Backward<'_, C, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { op, saved, grad, to_hidden, to_input, rows } = self;
        let Sizes { steps, batch, hidden, wide, .. } = op.sizes;
        let Rows { first, count, steps: mut pieces, states: [grad_h, grad_c] } = rows;
        let width = (1 + C::SAVED) * hidden;
        for t in order(steps, !op.reverse) {
            let [grad_a, grad_u, grad_x] = &mut pieces[t];
            for row in (0..count).filter(|row| op.inside(first + row, t)) {
                let (at, gates) = (row * hidden..(row + 1) * hidden, row * wide..(row + 1) * wide);
                let place = t * batch + first + row;
                let (previous, saved) = saved[place * width..(place + 1) * width].split_at(hidden);
                let grad_h = &mut grad_h[at.clone()];
                for (sum, &grad) in grad_h.iter_mut().zip(&grad[place * hidden..(place + 1) * hidden]) {
                    *sum += grad;
                }
                let grad_c = if C::MEMORY { &mut grad_c[at] } else { &mut [] };
                let grad_u = if C::SPLIT { &mut grad_u[gates.clone()] } else { &mut [] };
                op.cell.backward(previous, saved, grad_h, grad_c, &mut grad_a[gates], grad_u);
            }
            to_hidden.accumulate(if C::SPLIT { grad_u } else { grad_a }, grad_h);
            if let Some(to_input) = to_input {
                to_input.accumulate(grad_a, grad_x);
            }
        }
    }
}

impl<C: Cell> CustomOp3 for Recurrence<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        rest: &CpuStorage,
        rl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Sizes { steps, batch, hidden, .. } = self.sizes;
        let shape = (steps + usize::from(C::MEMORY), batch, hidden);
        for_float!(C::NAME, x.dtype(), T => {
            let (x, w) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(w, wl)?);
            let (outputs, saved) = self.forward::<T>(&x, &w, &kernel::values::<T>(rest, rl)?);
            // A node runs forward once; a second run would have left the same values.
            self.saved.get_or_init(|| T::into_storage(saved));
            Ok((T::into_storage(outputs), shape.into()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        rest: &Tensor,
        _states: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        for_float!(C::NAME, x.dtype(), T => {
            let grads = kernel::read::<T, _>(grad, |grad| {
                kernel::read::<T, _>(x, |x_values| kernel::read::<T, _>(w, |w| kernel::read::<T, _>(rest, |rest| {
                    self.backward(x_values, w, rest, grad, x.track_op())
                })))
            })?;
            let tensor = |values: Vec<T>, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
            let grad_x = grads.x.map(|grad_x| tensor(grad_x, x)).transpose()?;
            Ok((grad_x, Some(tensor(grads.w_hh, w)?), Some(tensor(grads.rest, rest)?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::rnn::RnnActivation;

    /// The kernels' results and gradients are the composition's, over several panels of weights and tiles of rows.
    fn agrees<C: Cell>(cell: C, tolerance: f64, dtype: DType, reverse: bool, lengths: Option<&[u32]>) -> Result<()> {
        let (steps, batch, inputs, hidden) = (4, 21, 5, 43);
        let wide = C::GATES * hidden;
        let shapes: [&[usize]; 7] = [
            &[steps, batch, inputs],
            &[wide, inputs],
            &[wide, hidden],
            &[wide],
            &[wide],
            &[batch, hidden],
            &[batch, hidden],
        ];
        let vars: Vec<Var> = shapes
            .iter()
            .enumerate()
            .map(|(k, &shape)| {
                let values = (0..shape.iter().product()).map(|i: usize| (i as f64 * 0.37 + k as f64).sin() * 0.5);
                Var::from_tensor(&Tensor::from_iter(values, &Device::Cpu)?.reshape(shape)?.to_dtype(dtype)?)
            })
            .collect::<Result<_>>()?;
        let weights = RecurrentWeights { w_ih: &vars[1], w_hh: &vars[2], b_ih: &vars[3], b_hh: &vars[4] };
        let c = C::MEMORY.then_some(vars[6].as_tensor());
        let values = |states: States| -> Result<Vec<Vec<f64>>> {
            let results: Vec<Tensor> = [states.outputs, states.h].into_iter().chain(states.c).collect();
            let rows = results.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?;
            let row = Tensor::cat(&rows, 0)?;
            let grads = row.sqr()?.backward()?;
            let grads = vars.iter().filter_map(|var| grads.get(var.as_tensor())).cloned();
            std::iter::once(row).chain(grads).map(|t| t.flatten_all()?.to_dtype(DType::F64)?.to_vec1()).collect()
        };
        let lengths_tensor = lengths.map(|lengths| Tensor::new(lengths, &Device::Cpu)).transpose()?;
        let ways = Steps { reverse, lengths: lengths_tensor.as_ref() };
        let ours = values(recur(cell, &vars[0], &weights, Some(&vars[5]), c, ways)?)?;
        let lengths: Option<Vec<usize>> =
            lengths.map(|lengths| lengths.iter().map(|&length| length as usize).collect());
        let theirs = values(compose(cell, &vars[0], &weights, (&vars[5], c), reverse, lengths.as_deref())?)?;
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for (&ours, &theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() <= tolerance * (1.0 + theirs.abs()), "{}: {ours} for {theirs}", C::NAME);
            }
        }
        Ok(())
    }

    #[test]
    fn kernels_agree_with_the_composition() -> Result<()> {
        let lengths: Vec<u32> = (0..21).map(|row| 1 + row % 4).collect();
        for (dtype, tolerance) in [(DType::F32, 1e-3), (DType::F64, 1e-11)] {
            for reverse in [false, true] {
                for lengths in [None, Some(&lengths[..])] {
                    agrees(RnnActivation::Tanh, tolerance, dtype, reverse, lengths)?;
                    agrees(RnnActivation::Relu, tolerance, dtype, reverse, lengths)?;
                    agrees(crate::gru::GruCell, tolerance, dtype, reverse, lengths)?;
                    agrees(crate::lstm::LstmCell, tolerance, dtype, reverse, lengths)?;
                }
            }
        }
        Ok(())
    }
}
