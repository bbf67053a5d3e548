//! Two-dimensional convolution (cross-correlation, as in deep learning).
//!
//! Forward, for `x` of `(n, in, h, w)`, `w` of `(out, in / groups, kh, kw)`, `b` of `(out)`:
//! `y[n, o, p, q] = b[o] + Σ_{c, i, j} w[o, c, i, j] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`.
//! Backward, for the gradient `g` of `y`: `∂x` adds `w[o, c, i, j] g[n, o, p, q]` where the forward pass read `x`,
//! `∂w[o, c, i, j] = Σ_{n, p, q} g[n, o, p, q] x[n, c, p·s + i·d − pad, q·s + j·d − pad]`, `∂b = Σ_{n, p, q} g`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::channels;
use super::convolution::Convolution;
use super::kernel::{self, Float, for_float};
use super::tape;
use super::windows::{Axis, Windows};

/// Options of [`conv2d`], `(height, width)` each; the defaults are PyTorch's.
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
/// use d2l::ops::{Conv2dConfig, conv2d};
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
    match bias {
        _ if !kernel::has_kernel(x) => composed(&convolution, x, weight, bias),
        Some(bias) => tape::apply3(x, weight, bias, Conv2dOp(convolution)),
        None => tape::apply2(x, weight, Conv2dOp(convolution)),
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

struct Conv2dOp(Convolution);

impl Conv2dOp {
    fn output_shape(&self) -> Shape {
        let Convolution { batch, groups, outputs, windows, .. } = self.0;
        (batch, groups * outputs, windows.rows.output, windows.columns.output).into()
    }

    fn backward<T: Float>(&self, x: &Tensor, w: &Tensor, bias: bool, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        kernel::read::<T, _>(grad, |g| {
            let grad_x = if x.track_op() {
                let values = kernel::read::<T, _>(w, |w| self.0.input_gradient(g, w, None))?;
                Some(Tensor::from_vec(values, x.dims(), x.device())?)
            } else {
                None
            };
            let grad_w = if w.track_op() {
                let values = kernel::read::<T, _>(x, |x| self.0.weight_gradient(x, g))?;
                Some(Tensor::from_vec(values, w.dims(), x.device())?)
            } else {
                None
            };
            let grad_b = bias
                .then(|| Tensor::new(channels::sums(g, w.dims()[0], self.0.windows.outputs()), x.device()))
                .transpose()?;
            Ok([grad_x, grad_w, grad_b])
        })
    }
}

impl CustomOp2 for Conv2dOp {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("conv2d", x.dtype(), T => {
            let (x, w) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(w, wl)?);
            Ok((T::into_storage(self.0.forward(&x, &w, None)?), self.output_shape()))
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [x, w, _] = for_float!("conv2d", x.dtype(), T => self.backward::<T>(x, w, false, grad)?);
        Ok((x, w))
    }
}

impl CustomOp3 for Conv2dOp {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        for_float!("conv2d", x.dtype(), T => {
            let (x, w, b) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(w, wl)?, kernel::values::<T>(b, bl)?);
            Ok((T::into_storage(self.0.forward(&x, &w, Some(&b))?), self.output_shape()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [x, w, b] = for_float!("conv2d", x.dtype(), T => self.backward::<T>(x, w, b.track_op(), grad)?);
        Ok((x, w, b))
    }
}
