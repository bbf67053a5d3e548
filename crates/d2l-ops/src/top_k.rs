//! The largest or smallest elements along an axis.
//!
//! Forward: the `k` first elements of each sorted row, and where they were. Backward: the gradient of each goes back to
//! where it was; all others get 0.

use std::cmp::Ordering;

use candle_core::backend::BackendStorage;
use candle_core::shape::Dim;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::tape;

/// Which end of the order [`top_k`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// The largest first.
    #[default]
    Largest,
    /// The smallest first.
    Smallest,
}

/// The `k` largest or smallest elements along `axis`, in order, and their indices of `u32` (section 9.8): both have the
/// shape of `x` with `k` in the place of the axis's size. Of equal elements the earlier comes first; what is not a
/// number counts as largest.
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{End, top_k};
///
/// let x = Tensor::new(&[3f32, 9.0, 5.0], &Device::Cpu)?;
/// let (values, indices) = top_k(&x, 2, 0, End::Largest)?;
/// assert_eq!((values.to_vec1::<f32>()?, indices.to_vec1::<u32>()?), (vec![9.0, 5.0], vec![1, 2]));
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where `k` is larger than the axis.
#[doc(alias = "topk")]
pub fn top_k(x: &Tensor, k: usize, axis: impl Dim + Copy, end: End) -> Result<(Tensor, Tensor)> {
    let axis = axis.to_index(x.shape(), "top_k")?;
    if k > x.dims()[axis] {
        bail!("top_k: k must be at most {}, the size of axis {axis} of x {:?}, got {k}", x.dims()[axis], x.dims());
    }
    let rows = x.transpose(axis, D::Minus1)?.contiguous()?;
    let (values, places) = if kernel::has_kernel(x) {
        let indices = for_float!("top_k", x.dtype(), T => {
            kernel::read::<T, _>(&rows, |rows_values| Ok(indices(rows_values, rows.dim(D::Minus1)?, k, end)))?
        });
        let mut shape = rows.dims().to_vec();
        shape[x.rank() - 1] = k;
        let places = Tensor::from_slice(&indices, shape.as_slice(), x.device())?;
        (tape::apply1(&rows, TakeOp { indices, shape })?, places)
    } else {
        let order = rows.detach().arg_sort_last_dim(end == End::Smallest)?;
        let places = order.narrow(D::Minus1, 0, k)?.contiguous()?;
        (rows.gather(&places, D::Minus1)?, places)
    };
    let back = |tensor: Tensor| tensor.transpose(axis, D::Minus1)?.contiguous();
    Ok((back(values)?, back(places)?))
}

/// The indices of each row's `k` first elements.
fn indices<T: Float>(x: &[T], width: usize, k: usize, end: End) -> Vec<u32> {
    if k == 0 {
        return Vec::new();
    }
    let rows = parallel::collect(x.len() / width, width, |row| {
        let mut order: Vec<(T, u32)> = x[row * width..][..width].iter().copied().zip(0..).collect();
        let compare = |a: &(T, u32), b: &(T, u32)| {
            let order = compare(a.0, b.0);
            (if end == End::Largest { order.reverse() } else { order }).then(a.1.cmp(&b.1))
        };
        if k < width {
            order.select_nth_unstable_by(k - 1, compare);
            order.truncate(k);
        }
        order.sort_unstable_by(compare);
        order.into_iter().map(|(_, index)| index).collect::<Vec<_>>()
    });
    rows.concat()
}

/// The order of two floats, with what is not a number above all.
fn compare<T: Float>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Takes elements of each row of the last axis, each at most once.
struct TakeOp {
    indices: Vec<u32>,
    /// The result's.
    shape: Vec<usize>,
}

impl TakeOp {
    /// The positions in memory that the elements come from.
    fn places(&self, width: usize) -> impl Iterator<Item = usize> {
        let k = self.shape.last().copied().unwrap_or(1);
        self.indices.iter().enumerate().map(move |(at, &index)| at / k * width + index as usize)
    }
}

impl CustomOp1 for TakeOp {
    fn name(&self) -> &'static str {
        "top_k"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.dims()[self.shape.len() - 1];
        for_float!("top_k", x.dtype(), T => {
            let x = kernel::values::<T>(x, layout)?;
            let y = self.places(width).map(|at| x[at]).collect();
            Ok((T::into_storage(y), Shape::from(self.shape.as_slice())))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("top_k", x.dtype(), T => {
            let mut out = vec![T::of(0.0); x.elem_count()];
            let width = x.dim(D::Minus1)?;
            kernel::read::<T, _>(grad, |g| {
                self.places(width).zip(g).for_each(|(at, &g)| out[at] = g);
                Ok(())
            })?;
            Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
        })
    }
}
