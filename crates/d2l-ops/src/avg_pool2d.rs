//! Average pooling.
//!
//! Forward, for `x` of `(n, c, h, w)` and a window `S(p, q)` of each output with `k` places, padding included:
//! `y[n, c, p, q] = Σ over S(p, q) of x / k`.
//! Backward, for the gradient `g` of `y`: `∂x` adds `g[n, c, p, q] / k` over `S(p, q)`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};

use super::kernel::{self, Float, for_float};
use super::pool::{self, Pool1dConfig, Pool2dConfig, Spans};
use super::tape;

/// The mean of each window of `x` of `(batch, channels, height, width)`: `(batch, channels, height', width')`. Padding
/// counts as zeros, as it does by default in PyTorch (section 6.5).
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{Pool2dConfig, avg_pool2d};
///
/// let x = Tensor::arange(0f32, 9.0, &Device::Cpu)?.reshape((1, 1, 3, 3))?;
/// let config = Pool2dConfig { stride: (1, 1), ..Pool2dConfig::new((2, 2)) };
/// let y = avg_pool2d(&x, &config)?; // (1, 1, 2, 2)
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [2.0, 3.0, 5.0, 6.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the window does not fit or the padding is more than half of it; the message names the argument.
#[doc(alias = "pool2d")]
#[doc(alias = "AvgPool2D")]
pub fn avg_pool2d(x: &Tensor, config: &Pool2dConfig) -> Result<Tensor> {
    mean_of_spans(x, Spans::of_windows("avg_pool2d", x, config)?)
}

/// [`avg_pool2d`] over `x` of `(batch, channels, length)` (section 6.5): `(batch, channels, length')`.
///
/// # Errors
/// As [`avg_pool2d`].
pub fn avg_pool1d(x: &Tensor, config: &Pool1dConfig) -> Result<Tensor> {
    pool::along_length("avg_pool1d", x, config, avg_pool2d)
}

/// The mean of each of `size` parts of `x` of `(batch, channels, height, width)` (section 7.3):
/// `(batch, channels, size)`. Parts overlap by an element where the size does not divide the plane's, as in PyTorch.
///
/// # Errors
/// Where `x` is not of rank 4 or a size is 0.
#[doc(alias = "AdaptiveAvgPool2d")]
pub fn adaptive_avg_pool2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    mean_of_spans(x, Spans::of_size("adaptive_avg_pool2d", x, size)?)
}

/// The mean of each plane of `x` of `(batch, channels, height, width)` (section 7.3): `(batch, channels, 1, 1)`.
///
/// # Errors
/// Where `x` is not of rank 4.
#[doc(alias = "GlobalAvgPool2D")]
pub fn global_avg_pool2d(x: &Tensor) -> Result<Tensor> {
    adaptive_avg_pool2d(x, (1, 1))
}

fn mean_of_spans(x: &Tensor, spans: Spans) -> Result<Tensor> {
    if kernel::has_kernel(x) {
        return tape::apply1(x, AvgPoolOp(spans));
    }
    let sums = spans.patches(x, 0.0)?.sum(D::Minus1)?; // (batch, channels, outputs)
    let weights = spans.rows.iter().flat_map(|row| spans.columns.iter().map(move |column| row.size * column.size));
    let weights: Vec<f64> = weights.map(|places| 1.0 / places as f64).collect();
    let weights = Tensor::new(weights, x.device())?.to_dtype(x.dtype())?;
    sums.broadcast_mul(&weights)?.reshape(spans.output_dims(x.dims()))
}

struct AvgPoolOp(Spans);

impl AvgPoolOp {
    /// The means of one plane: sums over the rows of a span first, then over its columns.
    #[inline(always)]
    fn forward_plane<T: Float>(&self, x: &[T], y: &mut [T], sums: &mut [T]) {
        for (row, y) in self.0.rows.iter().zip(y.chunks_exact_mut(self.0.columns.len())) {
            let mut lines =
                x[row.inputs.start * self.0.width..row.inputs.end * self.0.width].chunks_exact(self.0.width);
            sums.copy_from_slice(lines.next().unwrap_or_default());
            for line in lines {
                sums.iter_mut().zip(line).for_each(|(sum, &value)| *sum += value);
            }
            for (y, column) in y.iter_mut().zip(&self.0.columns) {
                let sum: T = sums[column.inputs.clone()].iter().copied().sum();
                *y = sum / places(row.size, column.size);
            }
        }
    }

    /// Adds each output's share to its span: one row first, which then goes to all rows of the span.
    #[inline(always)]
    fn backward_plane<T: Float>(&self, grad: &[T], grad_x: &mut [T], shares: &mut [T]) {
        grad_x.fill(T::zero());
        for (row, grad) in self.0.rows.iter().zip(grad.chunks_exact(self.0.columns.len())) {
            shares.fill(T::zero());
            for (&grad, column) in grad.iter().zip(&self.0.columns) {
                let share = grad / places(row.size, column.size);
                shares[column.inputs.clone()].iter_mut().for_each(|sum| *sum += share);
            }
            let lines = &mut grad_x[row.inputs.start * self.0.width..row.inputs.end * self.0.width];
            for line in lines.chunks_exact_mut(self.0.width) {
                line.iter_mut().zip(&*shares).for_each(|(grad, &share)| *grad += share);
            }
        }
    }
}

#[inline(always)]
fn places<T: Float>(rows: usize, columns: usize) -> T {
    T::of((rows * columns) as f64)
}

impl CustomOp1 for AvgPoolOp {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("avg_pool2d", x.dtype(), T => {
            let x = kernel::values::<T>(x, layout)?;
            let y = self.0.map_planes(&x, #[inline(always)] |x, y, line| self.forward_plane(x, y, line));
            Ok((T::into_storage(y), self.0.output_dims(layout.dims()).into()))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("avg_pool2d", x.dtype(), T => {
            let values = kernel::read::<T, _>(grad, |grad| {
                Ok(self.0.map_gradients(grad, |_, grad, grad_x, line| self.backward_plane(grad, grad_x, line)))
            })?;
            Ok(Some(Tensor::from_vec(values, x.dims(), x.device())?))
        })
    }
}
