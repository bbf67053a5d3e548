//! Buffers for kernels that write every element, and writes by several threads into parts of one buffer.

use std::marker::PhantomData;
use std::ops::Range;

use super::kernel::Float;

/// A buffer of unspecified contents, for a kernel that writes every element: no pass over memory for zeros first.
///
/// # Safety
/// The caller writes each element before it is read.
#[allow(clippy::uninit_vec)] // the contract above; candle allocates the results of its own kernels so, too
pub(crate) unsafe fn uninitialized<T: Float>(len: usize) -> Vec<T> {
    let mut buffer = Vec::with_capacity(len);
    // SAFETY: the capacity is there, `T` is `f32` or `f64`, for which all bits are values and nothing is dropped,
    // and the caller promises to write before reading.
    unsafe { buffer.set_len(len) };
    buffer
}

/// A mutable slice that threads share, each writing ranges that no other one touches, such as one channel of every
/// image.
pub(crate) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: the only access is `range`, whose contract keeps the threads apart.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: as a `&mut [T]` is.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// The elements of a range. Panics where the range leaves the slice.
    ///
    /// # Safety
    /// No other range in use at the same time overlaps this one.
    #[allow(clippy::mut_from_ref)] // the purpose of this type
    #[inline(always)]
    pub unsafe fn range(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a range outside its slice");
        // SAFETY: inside the borrowed slice (checked above), and exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
