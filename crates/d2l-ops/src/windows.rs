//! The geometry of sliding windows, which convolutions and pools share.
//!
//! Output `o` and tap `t` of a window read input `o · stride + t · dilation − padding`; outside the input they read
//! the padding's value. Outputs: `⌊(input + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1`.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};

/// Windows along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub input: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    pub output: usize,
}

impl Axis {
    /// Checks the sizes and counts the outputs; errors name the operation and the argument.
    pub fn new(
        operation: &str,
        input: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
    ) -> Result<Self> {
        for (name, value) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if value == 0 {
                bail!("{operation}: {name} must be at least 1");
            }
        }
        let window = dilation.saturating_mul(kernel - 1).saturating_add(1);
        let Some(room) = padding.checked_mul(2).and_then(|p| p.checked_add(input)).and_then(|r| r.checked_sub(window))
        else {
            bail!("{operation}: a window of {window} does not fit an input of {input} with padding {padding}");
        };
        Ok(Self { input, kernel, stride, padding, dilation, output: room / stride + 1 })
    }

    /// The outputs whose window has this tap inside the input.
    #[inline]
    pub fn inside(&self, tap: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let end = (self.input + self.padding).saturating_sub(offset).div_ceil(self.stride).min(self.output);
        let start = self.padding.saturating_sub(offset).div_ceil(self.stride).min(end);
        start..end
    }

    /// The input that an output's tap reads; the output must be one of `inside(tap)`.
    #[inline]
    pub fn position(&self, output: usize, tap: usize) -> usize {
        output * self.stride + tap * self.dilation - self.padding
    }

    /// The input that an output's tap reads, if there is one.
    fn read(&self, output: usize, tap: usize) -> Option<usize> {
        self.inside(tap).contains(&output).then(|| self.position(output, tap))
    }
}

/// Windows over the last two axes of `(batch, channels, height, width)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    pub rows: Axis,
    pub columns: Axis,
}

impl Windows {
    /// Elements of an input plane.
    pub fn inputs(&self) -> usize {
        self.rows.input * self.columns.input
    }

    /// Elements of an output plane.
    pub fn outputs(&self) -> usize {
        self.rows.output * self.columns.output
    }

    /// Taps of a window.
    pub fn taps(&self) -> usize {
        self.rows.kernel * self.columns.kernel
    }

    /// For each tap and output, in row-major order, the index in the flattened input plane that it reads, or `outside`.
    pub fn indices(&self, outside: usize) -> Vec<u32> {
        let mut indices = Vec::with_capacity(self.taps() * self.outputs());
        for i in 0..self.rows.kernel {
            for j in 0..self.columns.kernel {
                for y in 0..self.rows.output {
                    for x in 0..self.columns.output {
                        let read = self.rows.read(y, i).zip(self.columns.read(x, j));
                        indices.push(read.map_or(outside, |(row, column)| row * self.columns.input + column) as u32);
                    }
                }
            }
        }
        indices
    }

    /// The windows of `(batch, channels, height, width)` as `(batch, channels, taps, outputs)`, from candle's own
    /// operations: what devices without kernels here compose convolutions from.
    pub fn patches(&self, x: &Tensor, padding_value: f64) -> Result<Tensor> {
        let (batch, channels, _, _) = x.dims4()?;
        let patches = Self::select(x, &self.indices(self.inputs()), padding_value)?;
        patches.reshape((batch, channels, self.taps(), self.outputs()))
    }

    /// Elements of the flattened planes of `(batch, channels, height, width)` by index; one past the end is padding.
    pub fn select(x: &Tensor, indices: &[u32], padding_value: f64) -> Result<Tensor> {
        let (batch, channels, _, _) = x.dims4()?;
        let outside = Tensor::full(padding_value, (batch, channels, 1), x.device())?.to_dtype(x.dtype())?;
        let padded = Tensor::cat(&[&x.flatten_from(2)?, &outside], 2)?; // (batch, channels, inputs + 1)
        padded.index_select(&Tensor::new(indices, x.device())?, 2)
    }
}
