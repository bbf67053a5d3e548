//! The sum of two tensors, with an optional ReLU after it in the same pass.
//!
//! Forward: `y = a + b`, or `y = max(a + b, 0)`. Backward, for the gradient `g` of `y`, zero where a ReLU cut off:
//! `∂a = ∂b = g`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::activation::relu;
use super::kernel::{self, Float, for_float};
use super::parallel;
use super::tape;

/// `a + b` for tensors of one shape, such as the two ways through a residual block (section 7.6).
///
/// # Errors
/// Where the shapes differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    sum(a, b, false)
}

/// `max(a + b, 0)`, as [`add`] and [`relu`] in one pass (section 7.6).
///
/// # Errors
/// Where the shapes differ.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    sum(a, b, true)
}

fn sum(a: &Tensor, b: &Tensor, relu: bool) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("add: a and b must have the same shape, got {:?} and {:?}", a.dims(), b.dims());
    }
    if kernel::has_kernel(a) {
        return tape::apply2(a, b, AddOp { relu });
    }
    let sum = (a + b)?;
    if relu { self::relu(&sum) } else { Ok(sum) }
}

struct AddOp {
    relu: bool,
}

impl CustomOp2 for AddOp {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, a: &CpuStorage, al: &Layout, b: &CpuStorage, bl: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("add", a.dtype(), T => {
            let (a, b) = (kernel::values::<T>(a, al)?, kernel::values::<T>(b, bl)?);
            // Written so that what is not a number stays so.
            let floor = |sum: T| if sum <= T::of(0.0) { T::of(0.0) } else { sum };
            let y = if self.relu {
                parallel::map([&a, &b], |[a, b]| floor(a + b))
            } else {
                parallel::map([&a, &b], |[a, b]| a + b)
            };
            Ok((T::into_storage(y), al.shape().clone()))
        })
    }

    fn bwd(&self, a: &Tensor, _b: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if !self.relu {
            return Ok((Some(grad.clone()), Some(grad.clone())));
        }
        let cut = for_float!("add", a.dtype(), T => kernel::from_two::<T>([y, grad], y.shape(), |y, g| {
            parallel::map([y, g], |[y, g]| if y > T::of(0.0) { g } else { T::of(0.0) })
        })?);
        Ok((Some(cut.clone()), Some(cut)))
    }
}
