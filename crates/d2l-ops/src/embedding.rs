//! Looking up rows of a table.
//!
//! Forward, for ids `i` of any shape: `yᵢ = w_i`. Backward, for the gradient `g` of `y`: `∂w_v = Σ g` over all positions
//! that hold the id `v`. Rows whose id is nowhere have none, so the tape is given the others alone.

use std::sync::Arc;

use candle_core::{CpuStorage, Result, Shape, Tensor, bail};

use super::indices::read_indices;
use super::kernel::{self, Float, for_float};
use super::parallel;
use super::row_gradient::Lookup;
use super::tape::{self, Gradient, Operation};

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
        let ids = positions.into_iter().flatten().collect();
        return tape::apply(vec![weight.clone()], EmbeddingOp { ids, shape });
    }
    weight.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
}

struct EmbeddingOp {
    ids: Arc<[u32]>,
    /// The result's.
    shape: Vec<usize>,
}

impl EmbeddingOp {
    fn rows<T: Float>(&self, weight: &[T], width: usize) -> Vec<T> {
        // SAFETY: each row of the result is copied from a row of the table.
        unsafe {
            parallel::rows(self.ids.len() * width, width, |first, out| {
                for (&id, out) in self.ids[first..].iter().zip(out.chunks_exact_mut(width.max(1))) {
                    out.copy_from_slice(&weight[id as usize * width..][..width]);
                }
            })
        }
    }
}

impl Operation for EmbeddingOp {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        let [weight] = arguments else { bail!("expected one argument") };
        let (_, width) = weight.dims2()?;
        for_float!("embedding", weight.dtype(), T => {
            let y = kernel::read::<T, _>(weight, |weight| Ok(self.rows(weight, width)))?;
            Ok((T::into_storage(y), Shape::from(self.shape.as_slice())))
        })
    }

    fn backward(&self, _: &[Tensor], _: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        Ok(vec![Gradient::Rows(Lookup { ids: Arc::clone(&self.ids), grad: grad.clone() })])
    }
}
