//! Enlarging (or shrinking) planes by interpolation.
//!
//! Forward, for `x` of `(n, c, h, w)`: `y[n, c, p, q] = Σ_{i, j} u_i v_j x[n, c, p_i, q_j]`, where output row `p` reads
//! the rows `p_0, p_1` with weights `u_0, u_1 = 1 − u_0` and columns likewise. Nearest: one row, `⌊p h / h'⌋`.
//! Bilinear: the rows around `(p + ½) h / h' − ½`, not below 0, or, with corners aligned, around
//! `p (h − 1) / (h' − 1)`.
//! Backward, for the gradient `g` of `y`: `∂x` adds `u_i v_j g[n, c, p, q]` where the forward pass read `x`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::kernel::{self, Float, for_float};
use super::pool::planes_a_task;
use super::tape;

/// `x` of `(batch, channels, height, width)` resized to `(batch, channels, size)`, each output the nearest input
/// (section 13.11).
///
/// # Errors
/// Where `x` is not of rank 4 or a size is 0.
pub fn upsample_nearest2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let nearest = |input: usize, output: usize| {
        (0..output).map(|o| Source { indices: [o * input / output; 2], weights: [1.0, 0.0] }).collect()
    };
    upsample("upsample_nearest2d", x, size, nearest)
}

/// `x` of `(batch, channels, height, width)` resized to `(batch, channels, size)` by bilinear interpolation (section
/// 13.11). With `align_corners` the corners' centers stay where they are; without, the corners' edges do.
///
/// # Errors
/// Where `x` is not of rank 4 or a size is 0.
pub fn upsample_bilinear2d(x: &Tensor, size: (usize, usize), align_corners: bool) -> Result<Tensor> {
    let bilinear = |input: usize, output: usize| {
        let source = |o: usize| {
            let position = if !align_corners {
                ((o as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0)
            } else if output > 1 {
                (o * (input - 1)) as f64 / (output - 1) as f64
            } else {
                0.0
            };
            let first = (position as usize).min(input - 1);
            let weight = position - first as f64;
            Source { indices: [first, (first + 1).min(input - 1)], weights: [1.0 - weight, weight] }
        };
        (0..output).map(source).collect()
    };
    upsample("upsample_bilinear2d", x, size, bilinear)
}

/// The two inputs of an output along an axis and their weights.
#[derive(Debug, Clone, Copy)]
struct Source {
    indices: [usize; 2],
    weights: [f64; 2],
}

fn upsample(
    operation: &'static str,
    x: &Tensor,
    size: (usize, usize),
    sources: impl Fn(usize, usize) -> Vec<Source>,
) -> Result<Tensor> {
    let &[_, _, height, width] = x.dims() else {
        bail!("{operation}: x must be (batch, channels, height, width), got {:?}", x.dims());
    };
    if size.0 == 0 || size.1 == 0 || height == 0 || width == 0 {
        bail!("{operation}: size and the planes of x must not be empty, got {size:?} of ({height}, {width})");
    }
    let resize = Upsample { operation, rows: sources(height, size.0), columns: sources(width, size.1), height, width };
    if kernel::has_kernel(x) { tape::apply1(x, resize) } else { resize.composed(x) }
}

struct Upsample {
    operation: &'static str,
    rows: Vec<Source>,
    columns: Vec<Source>,
    height: usize,
    width: usize,
}

impl Upsample {
    fn outputs(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// The same from candle's operations, for devices and types without a kernel here: an axis after the other.
    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let along = |x: &Tensor, sources: &[Source], axis: usize| -> Result<Tensor> {
            let mut shape = [1; 4];
            shape[axis] = sources.len();
            let part = |n: usize| -> Result<Tensor> {
                let indices: Vec<u32> = sources.iter().map(|source| source.indices[n] as u32).collect();
                let weights: Vec<f64> = sources.iter().map(|source| source.weights[n]).collect();
                let weights = Tensor::from_vec(weights, &shape, x.device())?.to_dtype(x.dtype())?;
                x.contiguous()?.index_select(&Tensor::new(indices, x.device())?, axis)?.broadcast_mul(&weights)
            };
            part(0)? + part(1)?
        };
        along(&along(x, &self.rows, 2)?, &self.columns, 3)
    }

    fn forward_plane<T: Float>(&self, x: &[T], y: &mut [T], line: &mut [T]) {
        for (row, y) in self.rows.iter().zip(y.chunks_exact_mut(self.columns.len())) {
            let [first, second] = row.indices.map(|i| &x[i * self.width..(i + 1) * self.width]);
            let [u, v] = row.weights.map(T::of);
            line.iter_mut().zip(first).zip(second).for_each(|((line, &a), &b)| *line = u * a + v * b);
            for (y, column) in y.iter_mut().zip(&self.columns) {
                let ([i, j], [u, v]) = (column.indices, column.weights.map(T::of));
                *y = u * line[i] + v * line[j];
            }
        }
    }

    fn backward_plane<T: Float>(&self, grad: &[T], grad_x: &mut [T], line: &mut [T]) {
        for (row, grad) in self.rows.iter().zip(grad.chunks_exact(self.columns.len())) {
            line.fill(T::zero());
            for (&grad, column) in grad.iter().zip(&self.columns) {
                for (index, weight) in column.indices.into_iter().zip(column.weights) {
                    line[index] += T::of(weight) * grad;
                }
            }
            for (index, weight) in row.indices.into_iter().zip(row.weights.map(T::of)) {
                let target = &mut grad_x[index * self.width..(index + 1) * self.width];
                target.iter_mut().zip(&*line).for_each(|(grad, &value)| *grad += weight * value);
            }
        }
    }

    /// Builds planes of `to` elements from planes of `from` elements, starting from zeros.
    fn map_planes<T: Float>(
        &self,
        values: &[T],
        (from, to): (usize, usize),
        plane: impl Fn(&[T], &mut [T], &mut [T]) + Sync,
    ) -> Vec<T> {
        let mut mapped = vec![T::zero(); values.len() / from * to];
        let planes = mapped.par_chunks_mut(to).with_min_len(planes_a_task(from.max(to)));
        planes
            .zip(values.par_chunks(from))
            .for_each_init(|| vec![T::zero(); self.width], |line, (mapped, values)| plane(values, mapped, line));
        mapped
    }
}

impl CustomOp1 for Upsample {
    fn name(&self) -> &'static str {
        self.operation
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!(self.operation, x.dtype(), T => {
            let x = kernel::values::<T>(x, layout)?;
            let sizes = (self.height * self.width, self.outputs());
            let y = self.map_planes(&x, sizes, |x, y, line| self.forward_plane(x, y, line));
            let (batch, channels) = (layout.dims()[0], layout.dims()[1]);
            Ok((T::into_storage(y), (batch, channels, self.rows.len(), self.columns.len()).into()))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!(self.operation, x.dtype(), T => {
            let sizes = (self.outputs(), self.height * self.width);
            let values = kernel::read::<T, _>(grad, |grad| {
                Ok(self.map_planes(grad, sizes, |grad, grad_x, line| self.backward_plane(grad, grad_x, line)))
            })?;
            Ok(Some(Tensor::from_vec(values, x.dims(), x.device())?))
        })
    }
}
