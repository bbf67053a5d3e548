//! Looking up rows of a table.
//!
//! Forward, for ids `i` of any shape: `yᵢ = w_i`. Backward, for the gradient `g` of `y`: `∂w_v = Σ g` over all positions
//! that hold the id `v`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::indices::read_indices;
use super::kernel::{self, Float, for_float};
use super::parallel;
use super::tape;

/// The rows of `weight`, `(vocabulary, dimension)`, at `ids` of any shape, of `u32` or `i64`: `(…, dimension)`
/// (sections 9.7 and 14.1).
///
/// # Errors
/// Where an id is not below the number of rows.
pub fn embedding(ids: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (rows, width) = match weight.dims() {
        &[rows, width] => (rows, width),
        other => bail!("embedding: weight must be (vocabulary, dimension), got {other:?}"),
    };
    let positions = read_indices(("embedding: id", "rows"), ids, rows, None)?;
    let shape = [ids.dims(), &[width]].concat();
    if kernel::has_kernel(weight) {
        let ids = positions.into_iter().flatten().map(|id| id as usize).collect();
        return tape::apply1(weight, EmbeddingOp { ids, shape });
    }
    weight.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
}

struct EmbeddingOp {
    ids: Vec<usize>,
    /// The result's.
    shape: Vec<usize>,
}

impl EmbeddingOp {
    fn forward<T: Float>(&self, weight: &[T], width: usize) -> Vec<T> {
        // SAFETY: each row of the result is copied from a row of the table.
        unsafe {
            parallel::rows(self.ids.len() * width, width, |first, out| {
                for (&id, out) in self.ids[first..].iter().zip(out.chunks_exact_mut(width.max(1))) {
                    out.copy_from_slice(&weight[id * width..][..width]);
                }
            })
        }
    }

    fn backward<T: Float>(&self, g: &[T], (rows, width): (usize, usize)) -> Vec<T> {
        let mut out = vec![T::zero(); rows * width];
        for (&id, g) in self.ids.iter().zip(g.chunks_exact(width.max(1))) {
            out[id * width..][..width].iter_mut().zip(g).for_each(|(out, &g)| *out += g);
        }
        out
    }
}

impl CustomOp1 for EmbeddingOp {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        for_float!("embedding", weight.dtype(), T => {
            let y = self.forward(&kernel::values::<T>(weight, layout)?, width);
            Ok((T::into_storage(y), Shape::from(self.shape.as_slice())))
        })
    }

    fn bwd(&self, weight: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let size = weight.dims2()?;
        for_float!("embedding", weight.dtype(), T => {
            let out = kernel::read::<T, _>(grad, |g| Ok(self.backward(g, size)))?;
            Ok(Some(Tensor::from_vec(out, size, weight.device())?))
        })
    }
}
