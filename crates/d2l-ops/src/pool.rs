//! What the pools share: each output's span of inputs along both axes, whether from windows or from a wanted size.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::kernel::{self, Float};
use super::memory;
use super::windows::{Axis, Windows};

/// Options of the two-dimensional pools, `(height, width)` each (section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2dConfig {
    /// Size of a window.
    pub kernel: (usize, usize),
    /// Distance between windows.
    pub stride: (usize, usize),
    /// Added on both sides: zeros to average, nothing to take the maximum of; at most half the kernel.
    pub padding: (usize, usize),
}

impl Pool2dConfig {
    /// Windows side by side without padding, as PyTorch's defaults have it.
    pub fn new(kernel: (usize, usize)) -> Self {
        Self { kernel, stride: kernel, padding: (0, 0) }
    }
}

/// Options of the one-dimensional pools (section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool1dConfig {
    /// Size of a window.
    pub kernel: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Added on both sides: zeros to average, nothing to take the maximum of; at most half the kernel.
    pub padding: usize,
}

impl Pool1dConfig {
    /// Windows side by side without padding, as PyTorch's defaults have it.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: kernel, padding: 0 }
    }

    /// The same over planes of height one.
    fn in_two_dimensions(&self) -> Pool2dConfig {
        Pool2dConfig { kernel: (1, self.kernel), stride: (1, self.stride), padding: (0, self.padding) }
    }
}

/// Applies a two-dimensional pool to `(batch, channels, length)`.
pub(crate) fn along_length(
    operation: &str,
    x: &Tensor,
    config: &Pool1dConfig,
    pool: impl Fn(&Tensor, &Pool2dConfig) -> Result<Tensor>,
) -> Result<Tensor> {
    if x.rank() != 3 {
        bail!("{operation}: x must be (batch, channels, length), got {:?}", x.dims());
    }
    pool(&x.unsqueeze(2)?, &config.in_two_dimensions())?.squeeze(2)
}

/// The inputs of one output along an axis, and the number that an average divides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub inputs: Range<usize>,
    pub size: usize,
}

/// The spans of all outputs of a plane.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    pub rows: Vec<Span>,
    pub columns: Vec<Span>,
    pub height: usize,
    pub width: usize,
}

impl Spans {
    /// The spans of windows; an average counts the padding.
    pub fn of_windows(operation: &str, x: &Tensor, config: &Pool2dConfig) -> Result<Self> {
        let (height, width) = plane_of(operation, x)?;
        let axis = |input: usize, kernel: usize, stride: usize, padding: usize| -> Result<Vec<Span>> {
            if padding > kernel / 2 {
                bail!("{operation}: padding must be at most half of kernel {kernel}, got {padding}");
            }
            let axis = Axis::new(operation, input, kernel, stride, padding, 1)?;
            let span = |output: usize| {
                let start = output * stride;
                let inputs = start.saturating_sub(padding)..(start + kernel).saturating_sub(padding).min(input);
                Span { inputs, size: kernel }
            };
            Ok((0..axis.output).map(span).collect())
        };
        let rows = axis(height, config.kernel.0, config.stride.0, config.padding.0)?;
        let columns = axis(width, config.kernel.1, config.stride.1, config.padding.1)?;
        Ok(Self { rows, columns, height, width })
    }

    /// The spans that cut a plane into a wanted number of rows and columns: `⌊i in / out⌋ … ⌈(i + 1) in / out⌉`.
    pub fn of_size(operation: &str, x: &Tensor, size: (usize, usize)) -> Result<Self> {
        let (height, width) = plane_of(operation, x)?;
        if size.0 == 0 || size.1 == 0 || height == 0 || width == 0 {
            bail!("{operation}: size and the planes of x must not be empty, got {size:?} of ({height}, {width})");
        }
        let axis = |input: usize, output: usize| {
            let span = |i: usize| {
                let inputs = i * input / output..((i + 1) * input).div_ceil(output);
                Span { size: inputs.len(), inputs }
            };
            (0..output).map(span).collect()
        };
        Ok(Self { rows: axis(height, size.0), columns: axis(width, size.1), height, width })
    }

    /// Elements of an input plane.
    pub fn inputs(&self) -> usize {
        self.height * self.width
    }

    /// Elements of an output plane.
    pub fn outputs(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// The shape of the result for `x`.
    pub fn output_dims(&self, x: &[usize]) -> (usize, usize, usize, usize) {
        (x[0], x[1], self.rows.len(), self.columns.len())
    }

    /// Builds a result from each plane of `x`: `plane` gets the inputs, the outputs, all of which it writes, and a line
    /// of `width` elements to work in.
    pub fn map_planes<T: Float>(&self, x: &[T], plane: impl Fn(&[T], &mut [T], &mut [T]) + Sync) -> Vec<T> {
        // SAFETY: `plane` writes all outputs of its plane.
        let mut y = unsafe { memory::uninitialized(x.len() / self.inputs().max(1) * self.outputs()) };
        let planes = y.par_chunks_mut(self.outputs().max(1)).with_min_len(planes_a_task(self.inputs()));
        planes.zip(x.par_chunks(self.inputs().max(1))).for_each_init(
            || vec![T::zero(); self.width],
            |line, (y, x)| {
                kernel::vectorized(
                    #[inline(always)]
                    || plane(x, y, line),
                );
            },
        );
        y
    }

    /// Builds the gradient of `x` from each plane of the result's: `plane` gets the plane's index, the result's
    /// gradient, that of the inputs, all of which it writes, and a line of `width` elements to work in.
    pub fn map_gradients<T: Float>(
        &self,
        grad: &[T],
        plane: impl Fn(usize, &[T], &mut [T], &mut [T]) + Sync,
    ) -> Vec<T> {
        // SAFETY: `plane` writes all inputs of its plane.
        let mut grad_x = unsafe { memory::uninitialized(grad.len() / self.outputs().max(1) * self.inputs()) };
        let planes = grad_x.par_chunks_mut(self.inputs().max(1)).with_min_len(planes_a_task(self.inputs()));
        planes.zip(grad.par_chunks(self.outputs().max(1))).enumerate().for_each_init(
            || vec![T::zero(); self.width],
            |line, (index, (grad_x, grad))| {
                kernel::vectorized(
                    #[inline(always)]
                    || plane(index, grad, grad_x, line),
                );
            },
        );
        grad_x
    }

    /// The spans' inputs as `(batch, channels, outputs, largest span)` from candle's own operations, those beyond a span
    /// holding `padding_value`: what devices without kernels here compose pools from.
    pub fn patches(&self, x: &Tensor, padding_value: f64) -> Result<Tensor> {
        let (batch, channels, _, _) = x.dims4()?;
        let longest = |spans: &[Span]| spans.iter().map(|span| span.inputs.len()).max().unwrap_or(0);
        let (down, across) = (longest(&self.rows), longest(&self.columns));
        let mut indices = Vec::with_capacity(self.outputs() * down * across);
        for row in &self.rows {
            for column in &self.columns {
                for i in 0..down {
                    for j in 0..across {
                        let inside = i < row.inputs.len() && j < column.inputs.len();
                        let read = (row.inputs.start + i) * self.width + column.inputs.start + j;
                        indices.push(if inside { read } else { self.inputs() } as u32);
                    }
                }
            }
        }
        Windows::select(x, &indices, padding_value)?.reshape((batch, channels, self.outputs(), down * across))
    }
}

/// Planes that one task takes at least, so that it has some work.
pub(crate) fn planes_a_task(elements: usize) -> usize {
    (16 * 1024 / elements.max(1)).max(1)
}

fn plane_of(operation: &str, x: &Tensor) -> Result<(usize, usize)> {
    match x.dims() {
        &[_, _, height, width] => Ok((height, width)),
        other => bail!("{operation}: x must be (batch, channels, height, width), got {other:?}"),
    }
}
