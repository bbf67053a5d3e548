//! Two-dimensional convolution (cross-correlation, as in deep learning).
//!
//! Forward, for `x` of `(n, in, h, w)`, `w` of `(out, in / groups, kh, kw)`, `b` of `(out)`:
//! `y[n, o, p, q] = b[o] + Σ_{c, i, j} w[o, c, i, j] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`.
//! Backward, for the gradient `g` of `y`: `∂x` adds `w[o, c, i, j] g[n, o, p, q]` where the forward pass read `x`,
//! `∂w[o, c, i, j] = Σ_{n, p, q} g[n, o, p, q] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, `∂b = Σ_{n, p, q} g`.

use candle_core::{Result, Tensor, bail};

use super::channel_map::{self, ChannelMap};
use super::convolution::Convolution;
use super::count;
use super::kernel::{self, Float};
use super::windows::{Axis, Windows};

/// Options of [`conv2d`], `(height, width)` each; the defaults are PyTorch's (section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Zeros added on both sides; 0.
    pub padding: (usize, usize),
    /// Distance between windows; 1.
    pub stride: (usize, usize),
    /// Distance between the inputs of a window; 1.
    pub dilation: (usize, usize),
    /// Groups of channels that are convolved apart; 1.
    pub groups: usize,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self { padding: (0, 0), stride: (1, 1), dilation: (1, 1), groups: 1 }
    }
}

/// The convolution of `x` of `(batch, in, height, width)` with `weight` of `(out, in / groups, kernel height, kernel
/// width)`, plus `bias` of `(out)`: `(batch, out, height', width')` (section 6.2; with channels 6.4).
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{Conv2dConfig, conv2d};
///
/// let x = Tensor::arange(0f32, 9.0, &Device::Cpu)?.reshape((1, 1, 3, 3))?;
/// let kernel = Tensor::arange(0f32, 4.0, &Device::Cpu)?.reshape((1, 1, 2, 2))?;
/// let y = conv2d(&x, &kernel, None, &Conv2dConfig::default())?; // (1, 1, 2, 2)
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [19.0, 25.0, 37.0, 43.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
#[doc(alias = "corr2d")]
#[doc(alias = "corr2d_multi_in_out")]
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: &Conv2dConfig) -> Result<Tensor> {
    let convolution = convolution(x, weight, bias, config)?;
    count::add(&[convolution.batch, convolution.windows.outputs(), weight.elem_count()]);
    if kernel::has_kernel(x) {
        channel_map::apply(Direct(convolution), x, weight, bias)
    } else {
        composed(&convolution, x, weight, bias)
    }
}

/// Checks the arguments.
fn convolution(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: &Conv2dConfig) -> Result<Convolution> {
    let &[batch, channels, height, width] = x.dims() else {
        bail!("conv2d: x must be (batch, in, height, width), got {:?}", x.dims());
    };
    let &[outputs, inputs, kernel_height, kernel_width] = weight.dims() else {
        bail!("conv2d: weight must be (out, in / groups, height, width), got {:?}", weight.dims());
    };
    let groups = config.groups;
    if groups == 0 || outputs % groups != 0 {
        bail!("conv2d: groups must divide the {outputs} output channels of weight, got {groups}");
    }
    if inputs * groups != channels {
        bail!("conv2d: x must have {} channels as weight {:?} does, got {channels}", inputs * groups, weight.dims());
    }
    if let Some(bias) = bias
        && bias.dims() != [outputs]
    {
        bail!("conv2d: bias must be ({outputs}), got {:?}", bias.dims());
    }
    let (padding, stride, dilation) = (config.padding, config.stride, config.dilation);
    let rows = Axis::new("conv2d", height, kernel_height, stride.0, padding.0, dilation.0)?;
    let columns = Axis::new("conv2d", width, kernel_width, stride.1, padding.1, dilation.1)?;
    Ok(Convolution { batch, groups, inputs, outputs: outputs / groups, windows: Windows { rows, columns } })
}

/// The same from candle's operations, for devices and types without a kernel here.
fn composed(convolution: &Convolution, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let &Convolution { batch, groups, inputs, outputs, windows } = convolution;
    let depth = inputs * windows.taps();
    let patches = windows.patches(x, 0.0)?.reshape((batch, groups, depth, windows.outputs()))?;
    let y = weight.reshape((1, groups, outputs, depth))?.broadcast_matmul(&patches)?;
    let y = y.reshape((batch, groups * outputs, windows.rows.output, windows.columns.output))?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// [`conv2d`] over values that lie in order.
struct Direct(Convolution);

impl ChannelMap for Direct {
    const NAME: &'static str = "conv2d";

    fn output_shape(&self) -> (usize, usize, usize, usize) {
        let Convolution { batch, groups, outputs, windows, .. } = self.0;
        (batch, groups * outputs, windows.rows.output, windows.columns.output)
    }

    fn forward<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>) -> Result<Vec<T>> {
        self.0.forward(x, w, bias)
    }

    fn input_gradient<T: Float>(&self, grad: &[T], w: &[T]) -> Result<Vec<T>> {
        self.0.input_gradient(grad, w, None)
    }

    fn weight_gradient<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        self.0.weight_gradient(x, grad)
    }
}
