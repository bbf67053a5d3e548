//! Maximum pooling.
//!
//! Forward, for `x` of `(n, c, h, w)` and a window `S(p, q)` of each output: `y[n, c, p, q] = max over S(p, q) of x`.
//! Backward, for the gradient `g` of `y`: `∂x` adds `g[n, c, p, q]` at the first maximum of `S(p, q)` in row-major
//! order.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};

use super::kernel::{self, Float, for_float};
use super::pool::{self, Pool1dConfig, Pool2dConfig, Spans};
use super::tape;

/// The maximum of each window of `x` of `(batch, channels, height, width)`: `(batch, channels, height', width')`. Where
/// several elements are the maximum, the gradient goes to the first, as in PyTorch (section 6.5).
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{Pool2dConfig, max_pool2d};
///
/// let x = Tensor::arange(0f32, 9.0, &Device::Cpu)?.reshape((1, 1, 3, 3))?;
/// let config = Pool2dConfig { stride: (1, 1), ..Pool2dConfig::new((2, 2)) };
/// let y = max_pool2d(&x, &config)?; // (1, 1, 2, 2)
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [4.0, 5.0, 7.0, 8.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the window does not fit or the padding is more than half of it; the message names the argument.
#[doc(alias = "pool2d")]
#[doc(alias = "MaxPool2D")]
pub fn max_pool2d(x: &Tensor, config: &Pool2dConfig) -> Result<Tensor> {
    max_of_spans(x, Spans::of_windows("max_pool2d", x, config)?)
}

/// [`max_pool2d`] over `x` of `(batch, channels, length)` (section 6.5): `(batch, channels, length')`.
///
/// # Errors
/// As [`max_pool2d`].
pub fn max_pool1d(x: &Tensor, config: &Pool1dConfig) -> Result<Tensor> {
    pool::along_length("max_pool1d", x, config, max_pool2d)
}

/// The maximum of each of `size` parts of `x` of `(batch, channels, height, width)` (section 6.5):
/// `(batch, channels, size)`. Parts overlap by an element where the size does not divide the plane's, as in PyTorch.
///
/// # Errors
/// Where `x` is not of rank 4 or a size is 0.
pub fn adaptive_max_pool2d(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    max_of_spans(x, Spans::of_size("adaptive_max_pool2d", x, size)?)
}

fn max_of_spans(x: &Tensor, spans: Spans) -> Result<Tensor> {
    if kernel::has_kernel(x) {
        return tape::apply1(x, MaxPoolOp(spans));
    }
    let patches = spans.patches(x, f64::NEG_INFINITY)?; // (batch, channels, outputs, window)
    let first = patches.detach().argmax_keepdim(D::Minus1)?;
    patches.contiguous()?.gather(&first, D::Minus1)?.reshape(spans.output_dims(x.dims()))
}

struct MaxPoolOp(Spans);

impl MaxPoolOp {
    /// The maxima of one plane: of the rows of a span first, then of its columns.
    #[inline(always)]
    fn forward_plane<T: Float>(&self, x: &[T], y: &mut [T], tallest: &mut [T]) {
        for (row, y) in self.0.rows.iter().zip(y.chunks_exact_mut(self.0.columns.len())) {
            let mut lines =
                x[row.inputs.start * self.0.width..row.inputs.end * self.0.width].chunks_exact(self.0.width);
            tallest.copy_from_slice(lines.next().unwrap_or_default());
            for line in lines {
                tallest.iter_mut().zip(line).for_each(|(max, &value)| *max = larger(*max, value));
            }
            for (y, column) in y.iter_mut().zip(&self.0.columns) {
                *y = tallest[column.inputs.clone()].iter().copied().fold(T::neg_infinity(), larger);
            }
        }
    }

    /// Adds each output's gradient at the first element that equals the output.
    #[inline(always)]
    fn backward_plane<T: Float>(&self, x: &[T], y: &[T], grad: &[T], grad_x: &mut [T]) {
        grad_x.fill(T::zero());
        let mut outputs = y.iter().zip(grad);
        for row in &self.0.rows {
            for (column, (&max, &grad)) in self.0.columns.iter().zip(&mut outputs) {
                let mut first = row.inputs.start * self.0.width + column.inputs.start;
                // From the last to the first without leaving early: a branch here is unpredictable.
                for i in row.inputs.clone().rev() {
                    for j in column.inputs.clone().rev() {
                        let index = i * self.0.width + j;
                        let value = x[index];
                        let is_max = value == max || (value.is_nan() && max.is_nan());
                        first = if is_max { index } else { first };
                    }
                }
                grad_x[first] += grad;
            }
        }
    }
}

/// The larger of two values; a value that is not a number wins.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if b > a || b.is_nan() { b } else { a }
}

impl CustomOp1 for MaxPoolOp {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("max_pool2d", x.dtype(), T => {
            let x = kernel::values::<T>(x, layout)?;
            let y = self.0.map_planes(&x, #[inline(always)] |x, y, line| self.forward_plane(x, y, line));
            Ok((T::into_storage(y), self.0.output_dims(layout.dims()).into()))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("max_pool2d", x.dtype(), T => {
            let values = kernel::read::<T, _>(x, |x| kernel::read::<T, _>(y, |y| kernel::read::<T, _>(grad, |grad| {
                let outputs = self.0.outputs();
                Ok(self.0.map_gradients(grad, |plane, grad, grad_x, _| {
                    let x = &x[plane * self.0.inputs()..][..self.0.inputs()];
                    self.backward_plane(x, &y[plane * outputs..][..outputs], grad, grad_x);
                }))
            })))?;
            Ok(Some(Tensor::from_vec(values, x.dims(), x.device())?))
        })
    }
}
