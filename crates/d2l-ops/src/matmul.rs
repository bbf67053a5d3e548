//! Matrix products over leading batch axes, of operands in any memory layout.
//!
//! Forward, for `a` of `(…, m, k)` and `b` of `(…, k, n)`: `y = a b` for each pair of matrices; leading axes of size 1, or
//! missing ones, repeat. Backward, for the gradient `g` of `y`: `∂a = g bᵀ`, `∂b = aᵀ g`, summed over what was repeated.

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

use super::count;
use super::kernel::{self, Float, Matrix, for_float};
use super::parallel;
use super::tape::{self, Gradient, Operation};

/// The product of the matrices in the last two axes (section 2.3): `(…, m, k)` by `(…, k, n)` is `(…, m, n)`. The
/// leading axes follow the rules of broadcasting. A transposed operand is read where it lies, without a copy.
///
/// # Errors
/// Where the sizes do not fit together.
#[doc(alias = "bmm")]
#[doc(alias = "batch_matmul")]
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let misfit = || format!("matmul: cannot multiply a {:?} by b {:?}: ", a.dims(), b.dims());
    let ([a_batch @ .., m, a_k], [b_batch @ .., k, n]) = (a.dims(), b.dims()) else {
        bail!("{}both must be (…, rows, columns)", misfit());
    };
    if a_k != k {
        bail!("{}a has {a_k} columns and b has {k} rows", misfit());
    }
    if b_batch.is_empty() && a.is_contiguous() {
        // One tall matrix.
        let rows = a.reshape(((), *k))?;
        count::add(&[a.elem_count(), *n]);
        return product(&rows, b, &[])?.reshape([a_batch, &[*m, *n]].concat());
    }
    let Some(batch) = broadcast(a_batch, b_batch) else { bail!("{}their leading axes differ", misfit()) };
    count::add(&[&batch[..], &[*m, *k, *n]].concat());
    product(a, b, &batch)
}

fn product(a: &Tensor, b: &Tensor, batch: &[usize]) -> Result<Tensor> {
    if kernel::has_kernel(a) {
        tape::apply(vec![a.clone(), b.clone()], MatmulOp { batch: batch.to_vec() })
    } else {
        a.contiguous()?.broadcast_matmul(&b.contiguous()?)
    }
}

/// The shape that two shapes broadcast to.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (a, b) if a == b || b == 1 => Some(a),
            (1, b) => Some(b),
            _ => None,
        })
        .collect()
}

struct MatmulOp {
    /// The leading axes of the product.
    batch: Vec<usize>,
}

/// Matrices of one operand: where each item of the batch starts, and their strides.
struct Operand<'a, T> {
    values: &'a [T],
    starts: Vec<usize>,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T: Float> Operand<'a, T> {
    fn new(values: &'a [T], layout: &Layout, batch: &[usize]) -> Self {
        let (dims, strides) = (layout.dims(), layout.stride());
        let leading = dims.len() - 2;
        let mut starts = vec![layout.start_offset()];
        for (axis, &size) in batch.iter().enumerate() {
            let stride = match (axis + leading).checked_sub(batch.len()) {
                Some(own) if dims[own] > 1 => strides[own],
                _ => 0,
            };
            starts = starts.iter().flat_map(|start| (0..size).map(move |i| start + i * stride)).collect();
        }
        Self { values, starts, row_stride: strides[leading], column_stride: strides[leading + 1] }
    }

    fn matrix(&self, item: usize) -> Matrix<'_, T> {
        let values = &self.values[self.starts[item]..];
        Matrix { values, row_stride: self.row_stride, column_stride: self.column_stride }
    }

    fn transposed(self) -> Self {
        Self { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }
}

/// The products of the batch's items, added up for each result `r` over `results[r]`.
fn products<T: Float>(
    (m, k, n): (usize, usize, usize),
    a: &Operand<T>,
    b: &Operand<T>,
    results: &[Vec<usize>],
) -> Result<Vec<T>> {
    let mut out = vec![T::zero(); results.len() * m * n];
    if out.is_empty() || k == 0 {
        return Ok(out);
    }
    let one = |out: &mut [T], items: &[usize], threads: usize| -> Result<()> {
        items.iter().enumerate().try_for_each(|(at, &item)| {
            let keep = if at == 0 { T::zero() } else { T::one() };
            kernel::matmul((m, k, n), a.matrix(item), b.matrix(item), keep, out, threads)
        })
    };
    // Threads share out either the results or, where those are few and large, each product.
    let work = m * k * n * results.first().map_or(0, Vec::len);
    let threads = kernel::threads_for(m * k * n);
    if threads > 1 && results.len() < 4 * threads {
        out.chunks_exact_mut(m * n).zip(results).try_for_each(|(out, items)| one(out, items, threads))?;
        return Ok(out);
    }
    let together = (parallel::BLOCK * 4 / work.max(1)).max(1);
    let tasks: Vec<_> = out.chunks_mut(m * n * together).zip(results.chunks(together)).collect();
    parallel::try_run(tasks, |(out, results)| {
        out.chunks_exact_mut(m * n).zip(results).try_for_each(|(out, items)| one(out, items, 1))
    })?;
    Ok(out)
}

/// For each matrix of an operand with leading axes `dims`, the items of the batch that use it.
fn users(dims: &[usize], batch: &[usize]) -> Vec<Vec<usize>> {
    let mut users = vec![Vec::new(); dims.iter().product()];
    for item in 0..batch.iter().product() {
        let (mut rest, mut own, mut stride) = (item, 0, 1);
        for (axis, &size) in batch.iter().enumerate().rev() {
            let index = rest % size;
            rest /= size;
            if let Some(axis) = (axis + dims.len()).checked_sub(batch.len()) {
                own += if dims[axis] > 1 { index * stride } else { 0 };
                stride *= dims[axis];
            }
        }
        users[own].push(item);
    }
    users
}

/// Calls `body` with a tensor's matrices.
fn operand<T: Float, R>(tensor: &Tensor, batch: &[usize], body: impl FnOnce(Operand<T>) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => body(Operand::new(T::cpu_storage_as_slice(storage)?, layout, batch)),
        _ => bail!("matmul: expected a tensor on the CPU, got one on {:?}", tensor.device()),
    }
}

impl Operation for MatmulOp {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        let [a, b] = arguments else { bail!("matmul: expected two tensors") };
        let ([.., m, k], [.., n]) = (a.dims(), b.dims()) else { bail!("matmul: expected matrices") };
        let batch = self.batch.as_slice();
        for_float!("matmul", a.dtype(), T => {
            let y = operand::<T, _>(a, batch, |a| operand::<T, _>(b, batch, |b| {
                products((*m, *k, *n), &a, &b, &users(batch, batch))
            }))?;
            Ok((T::into_storage(y), Shape::from([batch, &[*m, *n]].concat())))
        })
    }

    fn backward(&self, arguments: &[Tensor], _y: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let [a, b] = arguments else { bail!("matmul: expected two tensors") };
        let ([a_batch @ .., m, k], [b_batch @ .., n]) = (a.dims(), b.dims()) else {
            bail!("matmul: expected matrices")
        };
        let batch = self.batch.as_slice();
        for_float!("matmul", a.dtype(), T => {
            let by_a = || {
                let out = operand::<T, _>(grad, batch, |g| operand::<T, _>(b, batch, |b| {
                    products((*m, *n, *k), &g, &b.transposed(), &users(a_batch, batch))
                }))?;
                Tensor::from_vec(out, a.shape(), a.device())
            };
            let by_b = || {
                let out = operand::<T, _>(grad, batch, |g| operand::<T, _>(a, batch, |a| {
                    products((*k, *m, *n), &a.transposed(), &g, &users(&b_batch[..b_batch.len() - 1], batch))
                }))?;
                Tensor::from_vec(out, b.shape(), b.device())
            };
            let by_a = a.track_op().then(by_a).transpose()?.into();
            let by_b = if batch.is_empty() && b.track_op() {
                Gradient::Product(a.detach().contiguous()?, grad.contiguous()?)
            } else {
                b.track_op().then(by_b).transpose()?.into()
            };
            Ok(vec![by_a, by_b])
        })
    }
}

/// `Σ aᵀ b` over pairs of contiguous `(n, rows)` and `(n, columns)`, each with its own `n`: one product over all of them.
pub(super) fn stacked_products<T: Float>(pairs: &[(Tensor, Tensor)]) -> Result<Vec<T>> {
    let [(first_a, first_b), others @ ..] = pairs else { return Ok(Vec::new()) };
    let ((_, rows), (_, columns)) = (first_a.dims2()?, first_b.dims2()?);
    let multiply = |a: &[T], b: &[T]| {
        let n = a.len() / rows.max(1);
        let (a, b) = (Matrix::rows(a, rows).transposed(), Matrix::rows(b, columns));
        kernel::product((rows, n, columns), a, b, kernel::threads_for(rows * n * columns))
    };
    if others.is_empty() {
        return kernel::read::<T, _>(first_a, |a| kernel::read::<T, _>(first_b, |b| multiply(a, b)));
    }
    let stacked = |tensors: &mut dyn Iterator<Item = &Tensor>| {
        let parts = tensors.map(|tensor| kernel::read::<T, _>(tensor, |values| Ok(values.to_vec())));
        parts.collect::<Result<Vec<_>>>().map(|parts| parts.concat())
    };
    multiply(&stacked(&mut pairs.iter().map(|(a, _)| a))?, &stacked(&mut pairs.iter().map(|(_, b)| b))?)
}
