//! The leaky ReLU, an activation function with a slope below zero.
//!
//! Forward: `y = x` where `x > 0`, else `α x`. Backward, for the gradient `g` of `y`: `∂x = g` where `x > 0`, else `α g`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::tape;

/// `x` where it is above 0, else `slope · x` (section 17.2): [`relu`](super::relu()) for a slope of 0. The gradient at 0 is
/// the slope.
///
/// ```
/// # use candle_core::{Device, Tensor};
/// let x = Tensor::new(&[-1.5f32, 0.0, 2.0], &Device::Cpu)?;
/// assert_eq!(d2l_ops::leaky_relu(&x, 0.5)?.to_vec1::<f32>()?, [-0.75, 0.0, 2.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the slope is not finite, or candle cannot compute it, such as on integers.
#[doc(alias = "LeakyReLU")]
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    if !slope.is_finite() {
        bail!("leaky_relu: the slope must be finite, got {slope}");
    }
    if kernel::has_kernel(x) {
        return tape::apply1(x, LeakyReluOp { slope });
    }
    x.gt(0.0)?.where_cond(x, &(x * slope)?)
}

struct LeakyReluOp {
    slope: f64,
}

impl CustomOp1 for LeakyReluOp {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("leaky_relu", x.dtype(), T => {
            let (zero, slope) = (T::of(0.0), T::of(self.slope));
            let y = parallel::map([&kernel::values::<T>(x, layout)?], |[x]| if x > zero { x } else { slope * x });
            Ok((T::into_storage(y), layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("leaky_relu", x.dtype(), T => {
            let (zero, slope) = (T::of(0.0), T::of(self.slope));
            Ok(Some(kernel::from_two::<T>([x, grad], x.shape(), |x, g| {
                parallel::map([x, g], |[x, g]| if x > zero { g } else { slope * g })
            })?))
        })
    }
}
