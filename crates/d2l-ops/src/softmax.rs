//! Softmax over one axis, its logarithm, and softmax over a row's first elements only.
//!
//! Forward, along the axis: `pᵢ = exp(xᵢ − m) / Σⱼ exp(xⱼ − m)` with `m = max x`, so that nothing overflows;
//! `log pᵢ = xᵢ − log Σⱼ exp xⱼ`. A masked element has `p = 0`.
//! Backward, for the gradient `g` of `p`: `∂xᵢ = pᵢ (gᵢ − Σⱼ gⱼ pⱼ)`; of `log p`: `∂xᵢ = gᵢ − pᵢ Σⱼ gⱼ`.

use candle_core::backend::BackendStorage;
use candle_core::shape::Dim;
use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor, bail};

use super::indices::read_indices;
use super::kernel::{self, Float, for_float};
use super::math::{self, Elementary};
use super::parallel;
use super::row;
use super::tape;

/// The distribution along `axis` whose logarithms `x` holds up to a constant (section 3.4).
///
/// # Errors
/// Where the axis is out of range.
pub fn softmax(x: &Tensor, axis: impl Dim + Copy) -> Result<Tensor> {
    let axis = axis.to_index(x.shape(), "softmax")?;
    if kernel::has_kernel(x) {
        tape::apply1(x, SoftmaxOp { axis, logarithm: false })
    } else {
        candle_nn::ops::softmax(x, axis)
    }
}

/// The logarithm of [`softmax()`], exact where a probability rounds to 0 (section 3.7).
///
/// # Errors
/// As [`softmax()`].
pub fn log_softmax(x: &Tensor, axis: impl Dim + Copy) -> Result<Tensor> {
    let axis = axis.to_index(x.shape(), "log_softmax")?;
    if kernel::has_kernel(x) {
        tape::apply1(x, SoftmaxOp { axis, logarithm: true })
    } else {
        candle_nn::ops::log_softmax(x, axis)
    }
}

/// Softmax over the last axis, in which each row counts only its first `valid_lens` elements (section 10.3).
///
/// `x` is `(batch, …, keys)`; `valid_lens`, of `u32` or `i64`, is `(batch)`, or has the shape of `x` without its last
/// axis. The other elements are exactly 0 and pass no gradient. A row with length 0 has the same weight everywhere,
/// as the book's fill by a large negative value gives; a length beyond the row counts all of it.
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::masked_softmax;
///
/// let scores = Tensor::zeros((1, 2, 4), candle_core::DType::F32, &Device::Cpu)?; // (batch, queries, keys)
/// let weights = masked_softmax(&scores, Some(&Tensor::new(&[2u32], &Device::Cpu)?))?;
/// assert_eq!(weights.to_vec3::<f32>()?, [[[0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where `valid_lens` has another shape or holds a negative length.
pub fn masked_softmax(x: &Tensor, valid_lens: Option<&Tensor>) -> Result<Tensor> {
    let Some(valid_lens) = valid_lens else { return softmax(x, D::Minus1) };
    let [rows @ .., keys] = x.dims() else { bail!("masked_softmax: x must have an axis, got a scalar") };
    let count: usize = rows.iter().product();
    let repeats = match (rows, valid_lens.dims()) {
        (rows, lens) if rows == lens => 1,
        ([batch, rows @ ..], &[len]) if len == *batch => rows.iter().product(),
        (_, lens) => bail!("masked_softmax: valid_lens must be (batch) or {rows:?} for x {:?}, got {lens:?}", x.dims()),
    };
    let lens = read_indices(("masked_softmax: length", "keys"), valid_lens, u32::MAX as usize, None)?;
    let lens = lens.into_iter().flatten().flat_map(|len| std::iter::repeat_n((len as usize).min(*keys), repeats));
    let lens: Vec<usize> = lens.collect(); // one a row
    if kernel::has_kernel(x) {
        return tape::apply1(x, MaskedSoftmaxOp { lens });
    }
    let valid: Vec<u8> = lens.iter().flat_map(|&len| (0..*keys).map(move |key| u8::from(key < len))).collect();
    let valid = Tensor::from_vec(valid, (count, *keys), x.device())?.reshape(x.dims())?;
    let lowest = if x.dtype() == DType::F16 { -6e4 } else { -1e30 };
    candle_nn::ops::softmax(&valid.where_cond(x, &(x.zeros_like()? + lowest)?)?, D::Minus1)
}

/// Softmax along the middle axis of `x`, seen as `(outer, axis, inner)` with `slab = axis · inner`, into `out`.
pub(crate) fn softmax_slabs<T: Elementary>(x: &[T], slab: usize, inner: usize, out: &mut [T]) {
    if inner == 1 {
        return softmax_rows(x, slab, out);
    }
    for (x, out) in x.chunks_exact(slab).zip(out.chunks_exact_mut(slab)) {
        let (_, sums) = exp_columns(x, inner, out);
        out.chunks_exact_mut(inner).for_each(|out| row::update(out, [&sums], |p, [sum]| p / sum));
    }
}

/// Softmax of each row of `width` elements.
fn softmax_rows<T: Elementary>(x: &[T], width: usize, out: &mut [T]) {
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        shift_row(x, out);
    }
    exp_and_scale(width, out);
}

/// `x − max x` into `out`; returns the maximum.
fn shift_row<T: Elementary>(x: &[T], out: &mut [T]) -> T {
    let max = row::max(x);
    row::map(out, [x], |[x]| x - max);
    max
}

/// The exponentials of shifted rows of `width` elements, divided by each row's sum.
fn exp_and_scale<T: Elementary>(width: usize, rows: &mut [T]) {
    exp(rows);
    for row in rows.chunks_exact_mut(width) {
        let scale = row::sum(row).recip();
        row::update(row, [], |p, []| p * scale);
    }
}

/// The exponentials of many rows in one loop, so that short ones are vectorized, too.
fn exp<T: Elementary>(rows: &mut [T]) {
    row::update(rows, [], |x, []| math::exp(x));
}

/// `exp(x − m)` of each column of `x`, `(axis, inner)`, into `out`; returns each column's `m = max x` and sum.
fn exp_columns<T: Elementary>(x: &[T], inner: usize, out: &mut [T]) -> (Vec<T>, Vec<T>) {
    let (mut max, mut sums) = (vec![T::neg_infinity(); inner], vec![T::zero(); inner]);
    x.chunks_exact(inner).for_each(|x| row::update(&mut max, [x], |max, [x]| row::larger(max, x)));
    for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
        row::map(out, [x, &max], |[x, max]| math::exp(x - max));
        row::update(&mut sums, [out], |sum, [e]| sum + e);
    }
    (max, sums)
}

/// `m` and `log Σ exp(x − m)` along the middle axis of `x`, seen as `(outer, axis, inner)` with `slab = axis · inner`;
/// their sum would round the second away where `x` is large.
pub(crate) fn log_sum_exp<T: Elementary>(x: &[T], slab: usize, inner: usize) -> Vec<(T, T)> {
    if slab == 0 {
        return Vec::new();
    }
    // Blocks of items by the work on `x`, not by the few results.
    let items = (parallel::BLOCK / slab).max(1);
    let blocks = parallel::collect(x.len().div_ceil(items * slab), items * slab, |block| {
        let x = &x[block * items * slab..];
        let x = &x[..x.len().min(items * slab)];
        let mut scratch = vec![T::zero(); x.len()];
        if inner == 1 {
            let rows = x.chunks_exact(slab).zip(scratch.chunks_exact_mut(slab));
            let max: Vec<T> = rows.map(|(x, out)| shift_row(x, out)).collect();
            exp(&mut scratch);
            return max.into_iter().zip(scratch.chunks_exact(slab).map(|exp| row::sum(exp).ln())).collect();
        }
        let mut results = Vec::with_capacity(items * inner);
        for (x, scratch) in x.chunks_exact(slab).zip(scratch.chunks_exact_mut(slab)) {
            let (max, sums) = exp_columns(x, inner, scratch);
            results.extend(max.into_iter().zip(sums.into_iter().map(T::ln)));
        }
        results
    });
    blocks.concat()
}

/// The size of a slab `(axis, inner)` and of `inner`.
fn slab(dims: &[usize], axis: usize) -> (usize, usize) {
    (dims[axis..].iter().product(), dims[axis + 1..].iter().product())
}

struct SoftmaxOp {
    axis: usize,
    logarithm: bool,
}

impl SoftmaxOp {
    fn forward<T: Elementary>(&self, x: &[T], (slab, inner): (usize, usize)) -> Vec<T> {
        if !self.logarithm {
            // SAFETY: `softmax_slabs` writes each element.
            return unsafe {
                parallel::rows(x.len(), slab, |first, out| {
                    softmax_slabs(&x[first * slab..][..out.len()], slab, inner, out);
                })
            };
        }
        let (max, log_sums): (Vec<T>, Vec<T>) = log_sum_exp(x, slab, inner).into_iter().unzip();
        // SAFETY: `row::map` writes each element.
        unsafe {
            parallel::rows(x.len(), slab, |first, out| {
                for (n, out) in (first..).zip(out.chunks_exact_mut(slab)) {
                    let x = &x[n * slab..][..slab];
                    if inner == 1 {
                        let (max, log_sum) = (max[n], log_sums[n]);
                        row::map(out, [x], |[x]| x - max - log_sum);
                        continue;
                    }
                    let (max, log_sums) = (&max[n * inner..][..inner], &log_sums[n * inner..][..inner]);
                    for (out, x) in out.chunks_exact_mut(inner).zip(x.chunks_exact(inner)) {
                        row::map(out, [x, max, log_sums], |[x, max, log_sum]| x - max - log_sum);
                    }
                }
            })
        }
    }

    fn backward<T: Elementary>(&self, y: &[T], g: &[T], (slab, inner): (usize, usize)) -> Vec<T> {
        if self.logarithm {
            slab_backward(y, g, (slab, inner), |_, g| g, |y, g, sum| g - math::exp(y) * sum)
        } else {
            slab_backward(y, g, (slab, inner), |y, g| y * g, |y, g, sum| y * (g - sum))
        }
    }
}

/// `result(y, g, Σ term(y, g))` with the sum along the axis.
fn slab_backward<T: Elementary>(
    y: &[T],
    g: &[T],
    (slab, inner): (usize, usize),
    term: impl Fn(T, T) -> T + Send + Sync,
    result: impl Fn(T, T, T) -> T + Send + Sync,
) -> Vec<T> {
    let body = |first: usize, out: &mut [T]| {
        let mut sums = vec![T::zero(); inner];
        for (n, out) in (first..).zip(out.chunks_exact_mut(slab)) {
            let (y, g) = (&y[n * slab..][..slab], &g[n * slab..][..slab]);
            if inner == 1 {
                let sum = row::sum_of([y, g], |[y, g]| term(y, g));
                row::map(out, [y, g], |[y, g]| result(y, g, sum));
                continue;
            }
            sums.fill(T::zero());
            for (y, g) in y.chunks_exact(inner).zip(g.chunks_exact(inner)) {
                row::update(&mut sums, [y, g], |sum, [y, g]| sum + term(y, g));
            }
            let rows = y.chunks_exact(inner).zip(g.chunks_exact(inner));
            for (out, (y, g)) in out.chunks_exact_mut(inner).zip(rows) {
                row::map(out, [y, g, &sums], |[y, g, sum]| result(y, g, sum));
            }
        }
    };
    // SAFETY: `row::map` writes each element.
    unsafe { parallel::rows(y.len(), slab, body) }
}

impl CustomOp1 for SoftmaxOp {
    fn name(&self) -> &'static str {
        if self.logarithm { "log_softmax" } else { "softmax" }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!(self.name(), x.dtype(), T => {
            let y = self.forward(&kernel::values::<T>(x, layout)?, slab(layout.dims(), self.axis));
            Ok((T::into_storage(y), layout.shape().clone()))
        })
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let slab = slab(y.dims(), self.axis);
        for_float!(self.name(), y.dtype(), T => {
            Ok(Some(kernel::from_two::<T>([y, grad], y.shape(), |y, g| self.backward(y, g, slab))?))
        })
    }
}

struct MaskedSoftmaxOp {
    /// The number of elements that count, for each row.
    lens: Vec<usize>,
}

impl MaskedSoftmaxOp {
    fn forward<T: Elementary>(&self, x: &[T], keys: usize) -> Vec<T> {
        let body = |first: usize, out: &mut [T]| {
            for (row, out) in (first..).zip(out.chunks_exact_mut(keys)) {
                let (valid, masked) = out.split_at_mut(self.lens[row]);
                // Where nothing counts, all are equal: exp 0.
                masked.fill(if valid.is_empty() { T::zero() } else { T::neg_infinity() });
                shift_row(&x[row * keys..][..valid.len()], valid);
            }
            exp_and_scale(keys, out);
        };
        // SAFETY: each row is written, first its end and then its beginning.
        unsafe { parallel::rows(x.len(), keys, body) }
    }

    fn backward<T: Elementary>(&self, y: &[T], g: &[T], keys: usize) -> Vec<T> {
        let body = |first: usize, out: &mut [T]| {
            for (row, out) in (first..).zip(out.chunks_exact_mut(keys)) {
                let (valid, masked) = out.split_at_mut(self.lens[row]);
                let (y, g) = (&y[row * keys..][..valid.len()], &g[row * keys..][..valid.len()]);
                let sum = row::sum_of([y, g], |[y, g]| y * g);
                row::map(valid, [y, g], |[y, g]| y * (g - sum));
                masked.fill(T::zero());
            }
        };
        // SAFETY: each row is written, first its beginning and then its end.
        unsafe { parallel::rows(y.len(), keys, body) }
    }
}

impl CustomOp1 for MaskedSoftmaxOp {
    fn name(&self) -> &'static str {
        "masked_softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (keys, _) = slab(layout.dims(), layout.dims().len() - 1);
        for_float!("masked_softmax", x.dtype(), T => {
            Ok((T::into_storage(self.forward(&kernel::values::<T>(x, layout)?, keys)), layout.shape().clone()))
        })
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let keys = y.dim(D::Minus1)?;
        for_float!("masked_softmax", y.dtype(), T => {
            Ok(Some(kernel::from_two::<T>([y, grad], y.shape(), |y, g| self.backward(y, g, keys))?))
        })
    }
}
