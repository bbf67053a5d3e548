//! The same elements in another shape.
//!
//! Forward: `y` holds the elements of `x` in the same order. Backward: `∂x` holds those of the gradient.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::kernel::{self, Float, for_float};
use super::tape;

/// Flattens all axes from `axis` on (section 2.1): `(batch, channels, height, width)` from 1 on is
/// `(batch, channels · height · width)`.
///
/// Where a gradient is wanted this copies, which costs less than candle's own way back through a view.
///
/// # Errors
/// Where `x` has no such axis.
pub fn flatten_from(x: &Tensor, axis: usize) -> Result<Tensor> {
    let flat = x.detach().flatten_from(axis)?;
    if !x.track_op() || flat.dims() == x.dims() {
        return if flat.dims() == x.dims() { Ok(x.clone()) } else { Ok(flat) };
    }
    if kernel::has_kernel(x) { tape::apply1(x, ReshapeOp(flat.shape().clone())) } else { x.flatten_from(axis) }
}

struct ReshapeOp(Shape);

impl CustomOp1 for ReshapeOp {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("reshape", x.dtype(), T => {
            Ok((T::into_storage(kernel::values::<T>(x, layout)?.into_owned()), self.0.clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        grad.reshape(x.shape()).map(Some)
    }
}
