//! Two-dimensional transposed convolution: the map that [`super::conv2d()`]'s input gradient is.
//!
//! Forward, for `x` of `(n, in, h, w)`, `w` of `(in, out / groups, kh, kw)`, `b` of `(out)`: `y` is `b[o]` plus
//! `w[c, o, i, j] x[n, c, p, q]` added at `(p·s + i·d − pad, q·s + j·d − pad)`; its height is
//! `(h − 1)·s − 2 pad + d (kh − 1) + output padding + 1`.
//! Backward, for the gradient `g` of `y`: `∂x` is the convolution of `g` with `w`, `∂w` the weight's gradient of that
//! convolution with `g` as its input and `x` as its result's gradient, `∂b = Σ_{n, p, q} g`.

use candle_core::{Result, Tensor, bail};

use super::channel_map::{self, ChannelMap};
use super::convolution::Convolution;
use super::count;
use super::kernel::{self, Float};
use super::windows::{Axis, Windows};

/// Options of [`conv_transpose2d`], `(height, width)` each; the defaults are PyTorch's (section 13.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2dConfig {
    /// Rows and columns taken off both sides of the result; 0.
    pub padding: (usize, usize),
    /// Rows and columns added at the end of the result, fewer than the stride or the dilation; 0.
    pub output_padding: (usize, usize),
    /// Distance between windows; 1.
    pub stride: (usize, usize),
    /// Distance between the outputs of a window; 1.
    pub dilation: (usize, usize),
    /// Groups of channels that are convolved apart; 1.
    pub groups: usize,
}

impl Default for ConvTranspose2dConfig {
    fn default() -> Self {
        Self { padding: (0, 0), output_padding: (0, 0), stride: (1, 1), dilation: (1, 1), groups: 1 }
    }
}

/// The transposed convolution of `x` of `(batch, in, height, width)` with `weight` of `(in, out / groups, kernel
/// height, kernel width)`, plus `bias` of `(out)` (section 13.10): `(batch, out, height', width')`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
#[doc(alias = "trans_conv")]
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &ConvTranspose2dConfig,
) -> Result<Tensor> {
    let adjoint = adjoint(x, weight, bias, config)?;
    count::add(&[adjoint.batch, adjoint.windows.outputs(), weight.elem_count()]);
    if kernel::has_kernel(x) {
        channel_map::apply(Transposed(adjoint), x, weight, bias)
    } else {
        composed(&adjoint, x, weight, bias)
    }
}

/// The convolution from the result's side to that of `x`, after checking the arguments.
fn adjoint(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: &ConvTranspose2dConfig) -> Result<Convolution> {
    let &[batch, channels, height, width] = x.dims() else {
        bail!("conv_transpose2d: x must be (batch, in, height, width), got {:?}", x.dims());
    };
    let &[inputs, outputs, kernel_height, kernel_width] = weight.dims() else {
        bail!("conv_transpose2d: weight must be (in, out / groups, height, width), got {:?}", weight.dims());
    };
    let groups = config.groups;
    if groups == 0 || inputs % groups != 0 {
        bail!("conv_transpose2d: groups must divide the {inputs} input channels of weight, got {groups}");
    }
    if inputs != channels {
        bail!("conv_transpose2d: x must have {inputs} channels as weight {:?} does, got {channels}", weight.dims());
    }
    if let Some(bias) = bias
        && bias.dims() != [outputs * groups]
    {
        bail!("conv_transpose2d: bias must be ({}), got {:?}", outputs * groups, bias.dims());
    }
    let axis = |input: usize, kernel: usize, options: [usize; 4]| {
        let [stride, padding, output_padding, dilation] = options;
        if output_padding >= stride.max(dilation) {
            bail!(
                "conv_transpose2d: output_padding must be smaller than stride {stride} or dilation {dilation}, got \
                 {output_padding}"
            );
        }
        let reach = kernel.checked_sub(1).and_then(|k| k.checked_mul(dilation));
        let size = reach
            .zip(input.checked_sub(1).and_then(|i| i.checked_mul(stride)))
            .and_then(|(reach, last)| reach.checked_add(last)?.checked_add(output_padding + 1))
            .and_then(|full| full.checked_sub(padding.checked_mul(2)?))
            .filter(|&size| size > 0);
        let Some(size) = size else {
            bail!(
                "conv_transpose2d: padding {padding} leaves nothing of an input of {input} with a kernel of {kernel}"
            );
        };
        let axis = Axis::new("conv_transpose2d", size, kernel, stride, padding, dilation)?;
        // An output padding of the stride or more (allowed where the dilation is larger) adds windows nobody reads.
        Ok(Axis { output: input, ..axis })
    };
    let option = |pick: fn((usize, usize)) -> usize| {
        [pick(config.stride), pick(config.padding), pick(config.output_padding), pick(config.dilation)]
    };
    let rows = axis(height, kernel_height, option(|pair| pair.0))?;
    let columns = axis(width, kernel_width, option(|pair| pair.1))?;
    Ok(Convolution { batch, groups, inputs: outputs, outputs: inputs / groups, windows: Windows { rows, columns } })
}

/// The same from candle's operations, for devices and types without a kernel here.
fn composed(adjoint: &Convolution, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let &Convolution { batch, groups, inputs, outputs, windows } = adjoint;
    let taps = windows.taps();
    let weight = weight.reshape((1, groups, outputs, inputs * taps))?.transpose(2, 3)?;
    let columns = weight.broadcast_matmul(&x.reshape((batch, groups, outputs, windows.outputs()))?)?;
    let columns = columns.reshape((batch, groups * inputs, taps * windows.outputs()))?;
    // What the padding takes off is added to one element after the plane.
    let plane = windows.inputs();
    let indices = Tensor::new(windows.indices(plane), x.device())?;
    let y = Tensor::zeros((batch, groups * inputs, plane + 1), x.dtype(), x.device())?;
    let y = y.index_add(&indices, &columns, 2)?.narrow(2, 0, plane)?;
    let y = y.reshape((batch, groups * inputs, windows.rows.input, windows.columns.input))?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// [`conv_transpose2d`] over values that lie in order: holds the convolution from the result's side to that of `x`.
struct Transposed(Convolution);

impl ChannelMap for Transposed {
    const NAME: &'static str = "conv_transpose2d";

    fn output_shape(&self) -> (usize, usize, usize, usize) {
        let Convolution { batch, groups, inputs, windows, .. } = self.0;
        (batch, groups * inputs, windows.rows.input, windows.columns.input)
    }

    fn forward<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>) -> Result<Vec<T>> {
        self.0.input_gradient(x, w, bias)
    }

    fn input_gradient<T: Float>(&self, grad: &[T], w: &[T]) -> Result<Vec<T>> {
        self.0.forward(grad, w, None)
    }

    fn weight_gradient<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        self.0.weight_gradient(grad, x)
    }
}
