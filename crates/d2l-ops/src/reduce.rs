//! Sum, mean and maximum over any axes.
//!
//! Sum and mean forward: `y = s Σ x` over the axes, with `s = 1` or `1 / count`. Backward, for the gradient `g` of
//! `y`: `∂x = s g`, the same for each element of the sum.
//! Maximum forward: `y = max x` over one axis. Backward: `g` goes to the first element that equals the maximum.

use candle_core::backend::BackendStorage;
use candle_core::shape::{Dim, Dims};
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, WithDType, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::row;
use super::tape;

/// The sum over `axes`, which go away (section 2.3): for `x` of `(batch, steps, hidden)`, `sum(x, (0, 1))` is
/// `(hidden)`.
///
/// # Errors
/// Where an axis is out of range or given twice.
pub fn sum(x: &Tensor, axes: impl Dims) -> Result<Tensor> {
    squeeze(x, axes, |_| 1.0)
}

/// The sum over `axes`, which stay with size 1 (section 2.3).
///
/// # Errors
/// As [`sum`].
pub fn sum_keepdim(x: &Tensor, axes: impl Dims) -> Result<Tensor> {
    let axes = axes.to_indexes(x.shape(), "sum")?;
    reduce(x, &axes, 1.0)
}

/// The mean over `axes`, which go away (section 2.3).
///
/// # Errors
/// As [`sum`].
pub fn mean(x: &Tensor, axes: impl Dims) -> Result<Tensor> {
    squeeze(x, axes, |count| (count as f64).recip())
}

/// The mean over `axes`, which stay with size 1 (section 2.3).
///
/// # Errors
/// As [`sum`].
pub fn mean_keepdim(x: &Tensor, axes: impl Dims) -> Result<Tensor> {
    let axes = axes.to_indexes(x.shape(), "mean")?;
    reduce(x, &axes, (count(x, &axes) as f64).recip())
}

fn squeeze(x: &Tensor, axes: impl Dims, scale: impl Fn(usize) -> f64) -> Result<Tensor> {
    let axes = axes.to_indexes(x.shape(), "reduce")?;
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.dims()[axis]).collect();
    reduce(x, &axes, scale(count(x, &axes)))?.reshape(kept)
}

fn count(x: &Tensor, axes: &[usize]) -> usize {
    axes.iter().map(|&axis| x.dims()[axis]).product()
}

/// `scale Σ x` over `axes`, which stay with size 1.
fn reduce(x: &Tensor, axes: &[usize], scale: f64) -> Result<Tensor> {
    if !kernel::has_kernel(x) {
        return x.sum_keepdim(axes)? * scale;
    }
    let mut shape = x.dims().to_vec();
    for &axis in axes {
        shape[axis] = 1;
    }
    // One pass for each run of neighboring axes; the scale goes with the last of them.
    let mut y = x.clone();
    let mut runs = runs(axes);
    let last = runs.pop();
    for run in runs {
        y = SumOp::over(&y, run, 1.0)?;
    }
    match last {
        Some(run) => SumOp::over(&y, run, scale)?.reshape(shape),
        None => y.reshape(shape),
    }
}

/// Runs `(first, end)` of neighboring axes, from the last to the first.
fn runs(axes: &[usize]) -> Vec<(usize, usize)> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for axis in sorted {
        match runs.last_mut() {
            Some((first, _)) if *first == axis + 1 => *first = axis,
            _ => runs.push((axis, axis + 1)),
        }
    }
    runs
}

/// A tensor seen as `(outer, axis, inner)`, of which `axis` is reduced.
#[derive(Debug, Clone, Copy)]
struct View {
    outer: usize,
    axis: usize,
    inner: usize,
}

impl View {
    fn new(dims: &[usize], (first, end): (usize, usize)) -> Self {
        let product = |dims: &[usize]| dims.iter().product();
        Self { outer: product(&dims[..first]), axis: product(&dims[first..end]), inner: product(&dims[end..]) }
    }
}

/// Elements a task of a sum: the more, the fewer the parts to be added up.
const SUM_BLOCK: usize = 4 * parallel::BLOCK;

struct SumOp {
    view: View,
    scale: f64,
    shape: Vec<usize>,
}

impl SumOp {
    /// The sum over one run of axes, which stay with size 1.
    fn over(x: &Tensor, (first, end): (usize, usize), scale: f64) -> Result<Tensor> {
        let mut shape = x.dims().to_vec();
        shape[first..end].fill(1);
        tape::apply1(x, Self { view: View::new(x.dims(), (first, end)), scale, shape })
    }

    fn forward<T: Float>(&self, x: &[T]) -> Vec<T> {
        let View { outer, axis, inner } = self.view;
        let (scale, slab) = (T::of(self.scale), axis * inner);
        if slab <= SUM_BLOCK {
            // Several items a task.
            let items = SUM_BLOCK / slab.max(1);
            let sums = parallel::collect(outer.div_ceil(items), items * slab, |task| {
                let mut sums = vec![T::zero(); items.min(outer - task * items) * inner];
                let slabs = x[task * items * slab..].chunks(slab.max(1));
                slabs.zip(sums.chunks_mut(inner.max(1))).for_each(|(x, sums)| sum_rows(x, sums));
                row::update(&mut sums, [], |sum, []| sum * scale);
                sums
            });
            return sums.concat();
        }
        // Several tasks an item, whose sums are then added: quicker, and closer to the exact sum.
        let rows = (SUM_BLOCK / inner).max(1);
        let blocks = axis.div_ceil(rows);
        let partial = parallel::collect(outer * blocks, rows * inner, |task| {
            let (item, start) = (task / blocks, task % blocks * rows);
            let rows = rows.min(axis - start);
            let mut sums = vec![T::zero(); inner];
            sum_rows(&x[(item * axis + start) * inner..][..rows * inner], &mut sums);
            sums
        });
        let mut y = Vec::with_capacity(outer * inner);
        for parts in partial.chunks_exact(blocks) {
            let mut total = vec![0.0; inner];
            for part in parts {
                total.iter_mut().zip(part).for_each(|(total, &part)| *total += WithDType::to_f64(part));
            }
            y.extend(total.iter().map(|&total| T::of(total) * scale));
        }
        y
    }

    fn backward<T: Float>(&self, g: &[T]) -> Vec<T> {
        let View { outer, axis, inner } = self.view;
        let scale = T::of(self.scale);
        // SAFETY: each item, of `axis` equal rows, is written.
        unsafe {
            parallel::rows(outer * axis * inner, inner, |first, out| {
                // A block may start and end within an item.
                let (mut row, mut rest) = (first, out);
                while inner > 0 && !rest.is_empty() {
                    let rows = (axis - row % axis).min(rest.len() / inner);
                    let g = &g[row / axis * inner..][..inner];
                    let (item, after) = rest.split_at_mut(rows * inner);
                    if let [g] = *g {
                        item.fill(g * scale);
                    } else {
                        item.chunks_exact_mut(inner).for_each(|out| row::map(out, [g], |[g]| g * scale));
                    }
                    (row, rest) = (row + rows, after);
                }
            })
        }
    }
}

/// Adds the rows of a row-major `(rows, inner)` to `sums`, `(inner)`.
fn sum_rows<T: Float>(x: &[T], sums: &mut [T]) {
    let inner = sums.len();
    if let [sum] = sums {
        // Short pieces, whose sums round little.
        *sum += T::of(x.chunks(512).map(|x| WithDType::to_f64(row::sum(x))).sum());
        return;
    }
    // Several short rows side by side make an accumulator wide enough for vector instructions.
    let together = (128 / inner.max(1)).max(1);
    let mut rows = x;
    if together > 1 && x.len() > 2 * together * inner {
        let mut wide = vec![T::zero(); together * inner];
        let chunks = x.chunks_exact(wide.len());
        rows = chunks.remainder();
        chunks.for_each(|chunk| row::update(&mut wide, [chunk], |sum, [x]| sum + x));
        wide.chunks_exact(inner).for_each(|row| row::update(sums, [row], |sum, [x]| sum + x));
    }
    rows.chunks_exact(inner.max(1)).for_each(|row| row::update(sums, [row], |sum, [x]| sum + x));
}

impl CustomOp1 for SumOp {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("sum", x.dtype(), T => {
            let y = self.forward(&kernel::values::<T>(x, layout)?);
            Ok((T::into_storage(y), Shape::from(self.shape.as_slice())))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("sum", x.dtype(), T => {
            let out = kernel::read::<T, _>(grad, |g| Ok(self.backward(g)))?;
            Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
        })
    }
}

/// The maximum along `axis`, which goes away (section 2.3). Of equal maxima the first one gets the gradient.
///
/// # Errors
/// Where the axis is out of range or has no elements.
#[doc(alias = "amax")]
pub fn max(x: &Tensor, axis: impl Dim + Copy) -> Result<Tensor> {
    let axis = axis.to_index(x.shape(), "max")?;
    max_keepdim(x, axis)?.squeeze(axis)
}

/// The maximum along `axis`, which stays with size 1 (section 2.3).
///
/// # Errors
/// As [`max`].
pub fn max_keepdim(x: &Tensor, axis: impl Dim + Copy) -> Result<Tensor> {
    let axis = axis.to_index(x.shape(), "max")?;
    if x.dims()[axis] == 0 {
        bail!("max: axis {axis} of x {:?} has no elements", x.dims());
    }
    if kernel::has_kernel(x) {
        return tape::apply1(x, MaxOp { view: View::new(x.dims(), (axis, axis + 1)), axis });
    }
    // Gathering at the first maximum sends the gradient there alone; candle's own maximum sends it to each.
    let last = x.transpose(axis, D::Minus1)?.contiguous()?;
    last.gather(&last.argmax_keepdim(D::Minus1)?, D::Minus1)?.transpose(axis, D::Minus1)
}

struct MaxOp {
    view: View,
    axis: usize,
}

impl MaxOp {
    fn forward<T: Float>(&self, x: &[T]) -> Vec<T> {
        let View { outer, axis, inner } = self.view;
        let items = (parallel::BLOCK / (axis * inner).max(1)).max(1);
        let blocks = parallel::collect(outer.div_ceil(items), items * axis * inner, |task| {
            let mut y = vec![T::neg_infinity(); items.min(outer - task * items) * inner];
            let slabs = x[task * items * axis * inner..].chunks((axis * inner).max(1));
            for (x, y) in slabs.zip(y.chunks_mut(inner.max(1))) {
                if let [y] = y {
                    *y = row::max(x);
                } else {
                    x.chunks_exact(inner).for_each(|x| row::update(y, [x], |y, [x]| row::larger(y, x)));
                }
            }
            y
        });
        blocks.concat()
    }

    fn backward<T: Float>(&self, x: &[T], y: &[T], g: &[T]) -> Vec<T> {
        let View { axis, inner, .. } = self.view;
        // SAFETY: the rows are filled first.
        unsafe {
            parallel::rows(x.len(), axis * inner, |first, out| {
                out.fill(T::zero());
                for (item, out) in (first..).zip(out.chunks_exact_mut(axis * inner)) {
                    let x = &x[item * axis * inner..][..axis * inner];
                    for i in 0..inner {
                        let (y, g) = (y[item * inner + i], g[item * inner + i]);
                        let column = x[i..].iter().step_by(inner);
                        if let Some(at) = column.enumerate().find_map(|(at, &x)| (x == y || x.is_nan()).then_some(at)) {
                            out[at * inner + i] = g;
                        }
                    }
                }
            })
        }
    }
}

impl CustomOp1 for MaxOp {
    fn name(&self) -> &'static str {
        "max"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut shape = layout.dims().to_vec();
        shape[self.axis] = 1;
        for_float!("max", x.dtype(), T => {
            let y = self.forward(&kernel::values::<T>(x, layout)?);
            Ok((T::into_storage(y), Shape::from(shape)))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("max", x.dtype(), T => {
            Ok(Some(kernel::from_three::<T>([x, y, grad], x.shape(), |x, y, g| self.backward(x, y, g))?))
        })
    }
}
