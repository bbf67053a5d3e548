//! Adding elements at given places along an axis, and taking them from there.
//!
//! Forward: `y = x`, then `y[…, i[…, j, …], …] += s[…, j, …]` for each element of `s`.
//! Backward, for the gradient `g` of `y`: `∂x = g`, and `∂s` is `g` taken at the places `i`.

use candle_core::backend::BackendStorage;
use candle_core::shape::Dim;
use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor, bail};

use super::indices::read_indices;
use super::kernel::{self, Float, for_float};
use super::tape;

/// `x` with each element of `source` added at its index along `axis`; elements with the same index add up.
///
/// `indices`, of `u32` or `i64`, has the shape of `source`, which differs from that of `x` in `axis` at most.
///
/// # Errors
/// Where the shapes do not fit together or an index is not below the size of `axis`.
pub fn scatter_add(x: &Tensor, indices: &Tensor, source: &Tensor, axis: impl Dim + Copy) -> Result<Tensor> {
    let axis = axis.to_index(x.shape(), "scatter_add")?;
    let fits = source.rank() == x.rank() && (0..x.rank()).all(|d| d == axis || source.dims()[d] == x.dims()[d]);
    if !fits || source.dtype() != x.dtype() {
        let (x, source) = ((x.dims(), x.dtype()), (source.dims(), source.dtype()));
        bail!("scatter_add: source may differ from x {x:?} in the size of axis {axis} only, got {source:?}");
    }
    if indices.dims() != source.dims() {
        bail!("scatter_add: indices must have the shape of source {:?}, got {:?}", source.dims(), indices.dims());
    }
    let size = x.dims()[axis];
    let places = read_indices(("scatter_add: index", "elements"), indices, size, None)?;
    if kernel::has_kernel(x) {
        let places = places.into_iter().flatten().map(|place| place as usize).collect();
        return tape::apply2(x, source, ScatterAddOp { places, axis });
    }
    // A product with the places as rows of 0 and 1: candle's own operation has a wrong gradient.
    let arange = Tensor::arange(0, size as u32, x.device())?;
    let places = indices.to_dtype(DType::U32)?.transpose(axis, D::Minus1)?.contiguous()?.unsqueeze(D::Minus1)?;
    let places = places.broadcast_eq(&arange)?.to_dtype(x.dtype())?; // (…, source axis, x axis)
    let source = source.transpose(axis, D::Minus1)?.contiguous()?.unsqueeze(D::Minus1)?;
    x + places.broadcast_mul(&source)?.sum(D::Minus2)?.transpose(axis, D::Minus1)?
}

struct ScatterAddOp {
    places: Vec<usize>,
    axis: usize,
}

impl ScatterAddOp {
    /// Calls `body` with each place in `x` and the element of `source` that belongs there, as positions in memory.
    fn pairs(&self, x: &[usize], source: &[usize], mut body: impl FnMut(usize, usize)) {
        let inner: usize = x[self.axis + 1..].iter().product();
        let (slab, source_slab) = (x[self.axis] * inner, source[self.axis] * inner);
        for (at, &place) in self.places.iter().enumerate() {
            body(at / source_slab * slab + place * inner + at % inner, at);
        }
    }
}

impl CustomOp2 for ScatterAddOp {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, source: &CpuStorage, sl: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("scatter_add", x.dtype(), T => {
            let mut y = kernel::values::<T>(x, xl)?.into_owned();
            let source = kernel::values::<T>(source, sl)?;
            self.pairs(xl.dims(), sl.dims(), |to, from| y[to] += source[from]);
            Ok((T::into_storage(y), xl.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, source: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        for_float!("scatter_add", x.dtype(), T => {
            let mut out = vec![T::of(0.0); source.elem_count()];
            kernel::read::<T, _>(grad, |g| {
                self.pairs(x.dims(), source.dims(), |to, from| out[from] = g[to]);
                Ok(())
            })?;
            Ok((Some(grad.clone()), Some(Tensor::from_vec(out, source.shape(), x.device())?)))
        })
    }
}
