//! What the CPU kernels share: element types, contiguous views, splitting of work, matrix products.
//!
//! Work is split into chunks of a fixed size, never by the number of threads, so results do not depend on it.

use std::borrow::Cow;
use std::cell::Cell;
use std::marker::PhantomData;

use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor, WithDType, bail};
use gemm::Parallelism;

use super::memory;
use super::skinny::{self, Skinny};

/// The float types that the kernels compute in. Public because the optimizers' bounds show it; it cannot be named
/// outside of the crate.
pub trait Float:
    WithDType
    + num_traits::Float
    + std::ops::AddAssign
    + std::ops::DivAssign
    + std::ops::SubAssign
    + std::iter::Sum
    + Send
    + Sync
    + 'static
{
    /// Wraps a computed buffer for candle.
    fn into_storage(values: Vec<Self>) -> CpuStorage;
    /// The elements of a candle storage of this type.
    fn slice_mut(storage: &mut CpuStorage) -> Result<&mut [Self]>;
    /// Converts a constant of a formula.
    fn of(value: f64) -> Self;
    /// `skinny::product` in this type.
    fn skinny_product(product: Skinny<'_, Self>);
}

impl Float for f32 {
    fn into_storage(values: Vec<Self>) -> CpuStorage {
        CpuStorage::F32(values)
    }
    fn slice_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F32(values) => Ok(values),
            _ => bail!("expected a tensor of f32"),
        }
    }
    fn of(value: f64) -> Self {
        value as f32
    }
    fn skinny_product(product: Skinny<'_, Self>) {
        skinny::run(product);
    }
}

impl Float for f64 {
    fn into_storage(values: Vec<Self>) -> CpuStorage {
        CpuStorage::F64(values)
    }
    fn slice_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(values) => Ok(values),
            _ => bail!("expected a tensor of f64"),
        }
    }
    fn of(value: f64) -> Self {
        value
    }
    fn skinny_product(product: Skinny<'_, Self>) {
        skinny::run(product);
    }
}

/// Calls a generic kernel with the storage's element type: `for_float!("conv2d", storage, T => kernel::<T>(…))`.
/// Any other type than `f32` and `f64` is an error that names the operation.
#[doc(hidden)]
#[macro_export]
macro_rules! for_float {
    ($name:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => candle_core::bail!("{}: expected f32 or f64, got {other:?}", $name),
        }
    };
}
pub use crate::for_float;

/// The elements of a tensor's storage in row-major order: borrowed where the layout is contiguous, copied otherwise.
pub fn values<'a, T: Float>(storage: &'a CpuStorage, layout: &Layout) -> Result<Cow<'a, [T]>> {
    let slice = T::cpu_storage_as_slice(storage)?;
    if let Some((start, end)) = layout.contiguous_offsets() {
        return Ok(Cow::Borrowed(&slice[start..end]));
    }
    let mut copy = Vec::with_capacity(layout.shape().elem_count());
    gather(slice, layout.dims(), layout.stride(), layout.start_offset(), &mut copy);
    Ok(Cow::Owned(copy))
}

/// Appends a strided tensor's elements in row-major order, an innermost row at a time.
fn gather<T: Copy>(slice: &[T], dims: &[usize], strides: &[usize], start: usize, copy: &mut Vec<T>) {
    match (dims, strides) {
        (&[len], &[1]) => copy.extend_from_slice(&slice[start..start + len]),
        (&[len], &[stride]) => copy.extend((0..len).map(|i| slice[start + i * stride])),
        (&[len, ref dims @ ..], &[stride, ref strides @ ..]) => {
            (0..len).for_each(|i| gather(slice, dims, strides, start + i * stride, copy));
        }
        _ => copy.push(slice[start]),
    }
}

/// Whether an operation's own kernels serve this tensor: on the CPU, in `f32` or `f64`.
pub fn has_kernel(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && matches!(tensor.dtype(), DType::F32 | DType::F64)
}

/// Runs a closure compiled for the widest vector instructions that this processor has. What the closure calls is
/// vectorized with it only where it is inlined.
#[inline(always)]
pub fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(body)
}

/// A strided matrix over a slice, for [`matmul`].
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    pub values: &'a [T],
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix with `columns` columns.
    pub fn rows(values: &'a [T], columns: usize) -> Self {
        Self { values, row_stride: columns, column_stride: 1 }
    }

    /// The same elements read as the transposed matrix.
    pub fn transposed(self) -> Self {
        Self { values: self.values, row_stride: self.column_stride, column_stride: self.row_stride }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// `out = keep · out + a b` for `a` of `(m, k)`, `b` of `(k, n)` and a row-major `out` of `(m, n)`; `threads` is 1
/// where the caller already runs in parallel. `keep` of zero does not read `out`.
pub fn matmul<T: Float>(
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    keep: T,
    out: &mut [T],
    threads: usize,
) -> Result<()> {
    matmul_strided((m, k, n), a, b, keep, out, n, threads)
}

/// [`matmul`] into an `out` whose rows start `out_stride` elements apart.
pub fn matmul_strided<T: Float>(
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    keep: T,
    out: &mut [T],
    out_stride: usize,
    threads: usize,
) -> Result<()> {
    let holds_out = out_stride >= n && (m == 0 || out.len() >= (m - 1) * out_stride + n);
    if !a.holds(m, k) || !b.holds(k, n) || !holds_out {
        bail!("matmul: a buffer is too short for ({m}, {k}) x ({k}, {n})");
    }
    let (by_rows, by_columns) = (b.row_stride == 1 && k > 1, b.column_stride == 1);
    if m <= skinny::MOST_ROWS && k * n >= skinny::LEAST_ELEMENTS && a.column_stride == 1 && (by_rows || by_columns) {
        let sizes = (m, k, n);
        T::skinny_product(Skinny { sizes, a, b, transposed: !by_columns, keep, out, out_stride, threads });
        return Ok(());
    }
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: the three buffers hold every element that the strides reach (checked above), and `out` is borrowed
    // mutably, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            keep != T::zero(),
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            keep,
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
    Ok(())
}

/// The product of `a` of `(m, k)` and `b` of `(k, n)`, `(m, n)` row-major; arguments as [`matmul`]'s.
pub fn product<T: Float>(
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    threads: usize,
) -> Result<Vec<T>> {
    if k == 0 {
        return Ok(vec![T::zero(); m * n]);
    }
    // SAFETY: a product with nothing kept writes each element and reads none.
    let mut out = unsafe { memory::uninitialized(m * n) };
    matmul((m, k, n), a, b, T::zero(), &mut out, threads)?;
    Ok(out)
}

/// The number of threads for a product of so many multiply-adds: to wake another costs as much as some millions.
pub fn threads_for(multiply_adds: usize) -> usize {
    if multiply_adds < 4 << 20 { 1 } else { rayon::current_num_threads() }
}

/// Calls `body` with a CPU tensor's elements in row-major order.
pub fn read<T: Float, R>(tensor: &Tensor, body: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => body(&values::<T>(storage, layout)?),
        _ => bail!("expected a tensor on the CPU, got one on {:?}", tensor.device()),
    }
}

/// A tensor of `shape` computed from the elements of two tensors on the CPU.
pub fn from_two<T: Float>(
    [a, b]: [&Tensor; 2],
    shape: &Shape,
    body: impl FnOnce(&[T], &[T]) -> Vec<T>,
) -> Result<Tensor> {
    let values = read::<T, _>(a, |a| read::<T, _>(b, |b| Ok(body(a, b))))?;
    Tensor::from_vec(values, shape, a.device())
}

/// A tensor of `shape` computed from the elements of three tensors on the CPU.
pub fn from_three<T: Float>(
    [a, b, c]: [&Tensor; 3],
    shape: &Shape,
    body: impl FnOnce(&[T], &[T], &[T]) -> Vec<T>,
) -> Result<Tensor> {
    let values = read::<T, _>(a, |a| read::<T, _>(b, |b| read::<T, _>(c, |c| Ok(body(a, b, c)))))?;
    Tensor::from_vec(values, shape, a.device())
}

/// Calls `body` with a CPU tensor's own buffer, to change it in place. The tensor must be contiguous.
pub fn write<T: Float>(tensor: &Tensor, body: impl FnOnce(&mut [T]) -> Result<()>) -> Result<()> {
    tensor.inplace_op1(&InPlace { body: Cell::new(Some(body)), element: PhantomData })
}

/// [`write()`] with the elements of another tensor, which lies elsewhere in memory.
pub fn write_with<T: Float>(
    tensor: &Tensor,
    other: &Tensor,
    body: impl FnOnce(&mut [T], &[T]) -> Result<()>,
) -> Result<()> {
    tensor.inplace_op2(other, &InPlace { body: Cell::new(Some(body)), element: PhantomData })
}

/// Carries a closure into candle's operations in place, which call it once.
struct InPlace<F, T> {
    body: Cell<Option<F>>,
    element: PhantomData<T>,
}

impl<F, T: Float> InPlace<F, T> {
    fn buffer<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [T]> {
        match layout.contiguous_offsets() {
            Some((start, end)) => Ok(&mut T::slice_mut(storage)?[start..end]),
            None => bail!("a tensor that is changed in place must be contiguous"),
        }
    }
}

impl<T: Float, F: FnOnce(&mut [T]) -> Result<()>> InplaceOp1 for InPlace<F, T> {
    fn name(&self) -> &'static str {
        "write"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let values = Self::buffer(storage, layout)?;
        self.body.take().map_or(Ok(()), |body| body(values))
    }
}

impl<T: Float, F: FnOnce(&mut [T], &[T]) -> Result<()>> InplaceOp2 for InPlace<F, T> {
    fn name(&self) -> &'static str {
        "write_with"
    }

    fn cpu_fwd(
        &self,
        storage: &mut CpuStorage,
        layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<()> {
        let (buffer, other) = (Self::buffer(storage, layout)?, values::<T>(other, other_layout)?);
        self.body.take().map_or(Ok(()), |body| body(buffer, &other))
    }
}
