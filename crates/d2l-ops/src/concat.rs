//! Tensors side by side along an axis.
//!
//! Forward: `y` holds the elements of `a`, then those of `b`, … along the axis. Backward: each gets its part of the
//! gradient.

use candle_core::{CpuStorage, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::kernel::{self, Float, for_float};
use super::memory::uninitialized;
use super::parallel;
use super::tape::{self, Gradient, Operation};

/// The tensors side by side along `axis`; their other axes agree (sections 2.1 and 7.4).
///
/// # Errors
/// Where there is no tensor, no such axis, or the other axes differ.
#[doc(alias = "cat")]
pub fn concat(tensors: &[Tensor], axis: usize) -> Result<Tensor> {
    let Some(first) = tensors.first() else { bail!("concat: no tensors") };
    if axis >= first.rank() {
        bail!("concat: axis {axis} of tensors of rank {}", first.rank());
    }
    for tensor in tensors {
        let fits = tensor.rank() == first.rank()
            && (0..first.rank()).all(|at| at == axis || tensor.dims()[at] == first.dims()[at]);
        if !fits {
            bail!("concat: the axes other than {axis} must agree, got {:?} and {:?}", first.dims(), tensor.dims());
        }
        if tensor.dtype() != first.dtype() {
            bail!("concat: the tensors must be of one type, got {:?} and {:?}", first.dtype(), tensor.dtype());
        }
    }
    if tensors.iter().all(kernel::has_kernel) {
        return tape::apply(tensors.to_vec(), ConcatOp { axis });
    }
    Tensor::cat(tensors, axis)
}

struct ConcatOp {
    axis: usize,
}

impl ConcatOp {
    /// The number of blocks, and the elements of each tensor in a block.
    fn blocks(&self, tensors: &[Tensor]) -> (usize, Vec<usize>) {
        let outer = tensors.first().map_or(0, |first| first.dims()[..self.axis].iter().product());
        (outer, tensors.iter().map(|tensor| tensor.dims()[self.axis..].iter().product()).collect())
    }

    fn join<T: Float>(&self, tensors: &[Tensor]) -> Result<Vec<T>> {
        let (outer, widths) = self.blocks(tensors);
        let width: usize = widths.iter().sum();
        // SAFETY: the tensors' widths fill each block.
        let mut out = unsafe { uninitialized::<T>(outer * width) };
        let mut start = 0;
        for (tensor, &own) in tensors.iter().zip(&widths).filter(|(_, own)| **own > 0) {
            kernel::read::<T, _>(tensor, |values| {
                let blocks = out.par_chunks_mut(width).with_min_len((parallel::BLOCK / own).max(1));
                let parts = blocks.zip(values.par_chunks(own));
                parts.for_each(|(block, part)| block[start..start + own].copy_from_slice(part));
                Ok(())
            })?;
            start += own;
        }
        Ok(out)
    }

    fn part<T: Float>(grad: &[T], width: usize, start: usize, own: usize) -> Vec<T> {
        // SAFETY: each block's part is copied.
        unsafe {
            parallel::rows(grad.len() / width.max(1) * own, own, |first, out| {
                for (block, out) in grad.chunks_exact(width).skip(first).zip(out.chunks_exact_mut(own)) {
                    out.copy_from_slice(&block[start..start + own]);
                }
            })
        }
    }
}

impl Operation for ConcatOp {
    fn forward(&self, tensors: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        let mut shape = tensors.first().map_or_else(Vec::new, |first| first.dims().to_vec());
        shape[self.axis] = tensors.iter().map(|tensor| tensor.dims()[self.axis]).sum();
        let Some(first) = tensors.first() else { bail!("concat: no tensors") };
        for_float!("concat", first.dtype(), T => Ok((T::into_storage(self.join::<T>(tensors)?), shape.into())))
    }

    fn backward(&self, tensors: &[Tensor], _y: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let (_, widths) = self.blocks(tensors);
        let width: usize = widths.iter().sum();
        let mut start = 0;
        let parts = tensors.iter().zip(widths).map(|(tensor, own)| {
            start += own;
            if !tensor.track_op() {
                return Ok(Gradient::Unused);
            }
            for_float!("concat", grad.dtype(), T => kernel::read::<T, _>(grad, |grad| {
                let part = Self::part(grad, width, start - own, own);
                Ok(Gradient::Whole(Tensor::from_vec(part, tensor.shape(), tensor.device())?))
            }))
        });
        parts.collect()
    }
}
