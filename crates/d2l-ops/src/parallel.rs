//! Splitting of element-wise and row-wise work over rayon's threads, in blocks of a fixed size.

use rayon::prelude::*;

use super::kernel::Float;
use super::memory::uninitialized;
use super::row;

/// Elements a task: enough that handing it to another thread costs little beside the work.
pub const BLOCK: usize = 16 * 1024;

/// A new buffer of whole rows, `width` elements each, of which `body(first, rows)` writes each element for a block of
/// rows; `first` is the index of the block's first row. What fits into one block runs on the calling thread.
///
/// # Safety
/// `body` writes every element before it reads it.
pub unsafe fn rows<T: Float>(len: usize, width: usize, body: impl Fn(usize, &mut [T]) + Send + Sync) -> Vec<T> {
    // SAFETY: the blocks below cover the buffer, and the caller promises that each is written.
    let mut out = unsafe { uninitialized(len) };
    let rows = (BLOCK / width.max(1)).max(1);
    if len > rows * width {
        out.par_chunks_mut(rows * width).enumerate().for_each(|(block, chunk)| body(block * rows, chunk));
    } else if len > 0 {
        body(0, &mut out);
    }
    out
}

/// A new buffer of `f([inputs[0][i], …])` for each `i`, over inputs of the same length.
pub fn map<T: Float, const N: usize>(inputs: [&[T]; N], f: impl Fn([T; N]) -> T + Send + Sync) -> Vec<T> {
    let len = inputs.first().map_or(0, |input| input.len());
    // SAFETY: `row::map` writes every element of its output.
    unsafe { rows(len, 1, |first, out| row::map(out, inputs.map(|input| &input[first..]), &f)) }
}

/// Computes the items `0..count` in order, each of about `work` elements; little work stays on the calling thread.
pub fn collect<R: Send>(count: usize, work: usize, body: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    if count * work <= BLOCK {
        return (0..count).map(body).collect();
    }
    (0..count).into_par_iter().with_min_len((BLOCK / work.max(1)).max(1)).map(body).collect()
}

/// Calls `body` with each task; a single one runs on the calling thread.
pub fn run<K: Send>(tasks: Vec<K>, body: impl Fn(K) + Send + Sync) {
    if tasks.len() > 1 { tasks.into_par_iter().for_each(body) } else { tasks.into_iter().for_each(body) }
}

/// [`run`] for tasks that can fail: the error of one of them.
pub fn try_run<K: Send>(
    tasks: Vec<K>,
    body: impl Fn(K) -> candle_core::Result<()> + Send + Sync,
) -> candle_core::Result<()> {
    if tasks.len() > 1 { tasks.into_par_iter().try_for_each(body) } else { tasks.into_iter().try_for_each(body) }
}
