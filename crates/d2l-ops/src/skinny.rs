//! Matrix products in which one factor has few rows, such as a minibatch times a weight.
//!
//! A general product first packs both factors, which pays where each packed value is used often. With 32 rows it takes
//! longer than the arithmetic. Here the large factor is read where it lies: once, in pieces that fit the cache.
//!
//! Each element is summed by fused multiply-adds in the order of the inner dimension, in parts of a fixed size, whatever
//! the number of threads; with very few rows in lanes, an order that depends on the inner dimension alone.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::kernel::Matrix;
use super::memory::Disjoint;
use super::packed::{Lanes, lanes, tile_rows};
use super::row;

/// Rows of the small factor at most: with more the large one is read too often.
pub(super) const MOST_ROWS: usize = 64;
/// Elements of the large factor at least: smaller ones are packed quickly.
pub(super) const LEAST_ELEMENTS: usize = 32 * 1024;

/// Inner dimension of a piece.
const DEPTH: usize = 128;
/// Columns of the result in a task.
const COLUMNS: usize = 256;
/// Rows that would fill little of a vector: an element is then the dot product of a row and a column, vectors lying along the
/// inner dimension.
const FEW_ROWS: usize = 4;

/// `out = keep · out + a b` for row-major `a` of `(m, k)` and a `b` of `(k, n)` that is row-major, or column-major where
/// `transposed`, each with any distance between rows (columns); `out` is row-major, its rows `out_stride` apart. The
/// buffers hold every element that the strides reach.
pub struct Skinny<'a, T> {
    pub(super) sizes: (usize, usize, usize),
    pub(super) a: Matrix<'a, T>,
    pub(super) b: Matrix<'a, T>,
    pub(super) transposed: bool,
    pub(super) keep: T,
    pub(super) out: &'a mut [T],
    pub(super) out_stride: usize,
    pub(super) threads: usize,
}

/// Computes a product.
pub(super) fn run<T: Lanes>(product: Skinny<'_, T>) {
    let Skinny { sizes: (m, k, n), a, b, transposed, keep, out, out_stride, threads } = product;
    let target = Disjoint::new(out);
    let few = transposed && m <= FEW_ROWS;
    let panels = if transposed && !few { transpose(a, m, k) } else { Vec::new() };
    let task = |first: usize| {
        let columns = first..(first + COLUMNS).min(n);
        let part = Part { sizes: (m, k), a, b, panels: &panels, columns, keep, out: &target, out_stride };
        if few {
            part.dot_products();
        } else if transposed {
            pulp::Arch::new().dispatch(ByRows(part));
        } else {
            pulp::Arch::new().dispatch(ByColumns(part));
        }
    };
    if threads == 1 {
        (0..n).step_by(COLUMNS).for_each(task);
    } else {
        (0..n).into_par_iter().step_by(COLUMNS).for_each(task);
    }
}

/// `a` of `(m, k)` as `(k, m filled up to MOST_ROWS' vectors)`, so that its rows lie side by side in vectors.
fn transpose<T: Lanes>(a: Matrix<'_, T>, m: usize, k: usize) -> Vec<T> {
    let width = m.next_multiple_of(PANEL);
    let mut panels = vec![T::zero(); k * width];
    for i in 0..m {
        let row = &a.values[i * a.row_stride..][..k];
        panels[i..].iter_mut().step_by(width).zip(row).for_each(|(panel, &value)| *panel = value);
    }
    panels
}

/// Rows of `a` in a panel: two of the widest vectors in `f32`.
const PANEL: usize = 32;

/// Some columns of the result.
struct Part<'a, T> {
    sizes: (usize, usize),
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    /// What [`transpose`] made of `a`.
    panels: &'a [T],
    columns: std::ops::Range<usize>,
    keep: T,
    out: &'a Disjoint<'a, T>,
    out_stride: usize,
}

/// Where the rows of `b` are contiguous: a tile of rows of `a`, whose values are spread, times vectors of columns of `b`.
struct ByColumns<'a, T>(Part<'a, T>);

impl<T: Lanes> WithSimd for ByColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let part = self.0;
        let ((m, k), wide) = (part.sizes, 2 * lanes::<T, S>());
        // A piece of two vectors of columns, side by side: in `b` its rows often lie a power of two apart, where they push
        // each other out of the nearest cache before the next tile of rows needs them.
        let mut piece = vec![T::zero(); DEPTH.min(k) * wide];
        for depth in (0..k).step_by(DEPTH) {
            let depth = depth..(depth + DEPTH).min(k);
            let piece = &mut piece[..depth.len() * wide];
            for column in part.columns.clone().step_by(wide) {
                let columns = column..(column + wide).min(part.columns.end);
                let width = columns.len();
                for (to, k) in piece.chunks_exact_mut(wide).zip(depth.clone()) {
                    let from = &part.b.values[k * part.b.row_stride + column..];
                    if width == wide {
                        to.copy_from_slice(&from[..wide]); // the compiler knows this length
                    } else {
                        to[..width].copy_from_slice(&from[..width]);
                    }
                }
                let piece = T::as_vectors::<S>(piece);
                let mut row = 0;
                while row < m {
                    row += match tile_rows::<S>(m - row) {
                        8 => part.add_rows::<S, 8>(simd, piece, &depth, row, &columns),
                        6 => part.add_rows::<S, 6>(simd, piece, &depth, row, &columns),
                        4 => part.add_rows::<S, 4>(simd, piece, &depth, row, &columns),
                        2 => part.add_rows::<S, 2>(simd, piece, &depth, row, &columns),
                        _ => part.add_rows::<S, 1>(simd, piece, &depth, row, &columns),
                    };
                }
            }
        }
    }
}

/// Where the columns of `b` are contiguous: a tile of them, whose values are spread, times vectors of rows of `a`.
struct ByRows<'a, T>(Part<'a, T>);

impl<T: Lanes> WithSimd for ByRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let part = self.0;
        let (m, k) = part.sizes;
        let width = m.next_multiple_of(PANEL);
        let mut sums = vec![T::zero(); part.columns.len() * width]; // (columns, rows)
        for depth in (0..k).step_by(DEPTH) {
            let depth = depth..(depth + DEPTH).min(k);
            let panels = &part.panels[depth.start * width..depth.end * width];
            let mut done = 0;
            while done < part.columns.len() {
                let column = part.columns.start + done;
                let sums = &mut sums[done * width..];
                done += match tile_rows::<S>(part.columns.len() - done) {
                    8 => part.add_columns::<S, 8>(simd, &depth, column, panels, width, sums),
                    6 => part.add_columns::<S, 6>(simd, &depth, column, panels, width, sums),
                    4 => part.add_columns::<S, 4>(simd, &depth, column, panels, width, sums),
                    2 => part.add_columns::<S, 2>(simd, &depth, column, panels, width, sums),
                    _ => part.add_columns::<S, 1>(simd, &depth, column, panels, width, sums),
                };
            }
        }
        for row in 0..m {
            let start = row * part.out_stride + part.columns.start;
            // SAFETY: these columns of each row are this task's.
            let out = unsafe { part.out.range(start..start + part.columns.len()) };
            for (out, sums) in out.iter_mut().zip(sums.chunks_exact(width)) {
                *out = if part.keep == T::zero() { sums[row] } else { part.keep * *out + sums[row] };
            }
        }
    }
}

impl<T: Lanes> Part<'_, T> {
    /// Each element by itself, from contiguous rows of `a` and columns of `b`.
    fn dot_products(&self) {
        let (m, k) = self.sizes;
        for row in 0..m {
            let a = &self.a.values[row * self.a.row_stride..][..k];
            let start = row * self.out_stride;
            // SAFETY: these columns of each row are this task's.
            let out = unsafe { self.out.range(start + self.columns.start..start + self.columns.end) };
            for (column, out) in self.columns.clone().zip(out) {
                let b = &self.b.values[column * self.b.column_stride..][..k];
                let sum = row::sum_of([a, b], |[a, b]| a * b);
                *out = if self.keep == T::zero() { sum } else { self.keep * *out + sum };
            }
        }
    }

    /// Adds the products of a piece of the inner dimension to `R` rows and two vectors of columns; returns `R`.
    #[inline(always)]
    fn add_rows<S: Simd, const R: usize>(
        &self,
        simd: S,
        piece: &[T::Vector<S>],
        depth: &std::ops::Range<usize>,
        row: usize,
        columns: &std::ops::Range<usize>,
    ) -> usize {
        let lanes = lanes::<T, S>();
        let rows: [&[T]; R] = std::array::from_fn(|r| &self.a.values[(row + r) * self.a.row_stride..][depth.clone()]);
        let mut sums = [[T::splat(simd, T::zero()); 2]; R];
        for (k, b) in piece.chunks_exact(2).enumerate() {
            for r in 0..R {
                let value = T::splat(simd, rows[r][k]);
                sums[r][0] = T::multiply_add(simd, value, b[0], sums[r][0]);
                sums[r][1] = T::multiply_add(simd, value, b[1], sums[r][1]);
            }
        }
        let keep = T::splat(simd, if depth.start == 0 { self.keep } else { T::one() });
        let read = depth.start > 0 || self.keep != T::zero();
        for (r, sums) in sums.iter().enumerate() {
            let start = (row + r) * self.out_stride;
            // SAFETY: these columns of each row are this task's.
            let out = unsafe { self.out.range(start + columns.start..start + columns.end) };
            for (&sum, out) in sums.iter().zip(out.chunks_mut(lanes)) {
                let sum = if read { T::multiply_add(simd, keep, T::load(simd, out), sum) } else { sum };
                T::store(simd, out, sum);
            }
        }
        R
    }

    /// Adds the products of a piece of the inner dimension to `R` columns, for all rows of `a`; returns `R`.
    #[inline(always)]
    fn add_columns<S: Simd, const R: usize>(
        &self,
        simd: S,
        depth: &std::ops::Range<usize>,
        column: usize,
        panels: &[T],
        width: usize,
        out: &mut [T],
    ) -> usize {
        let lanes = lanes::<T, S>();
        let columns: [&[T]; R] =
            std::array::from_fn(|r| &self.b.values[(column + r) * self.b.column_stride..][depth.clone()]);
        for offset in (0..self.sizes.0).step_by(2 * lanes) {
            let mut sums = [[T::splat(simd, T::zero()); 2]; R];
            for (k, panel) in panels.chunks_exact(width).enumerate() {
                let panel = &T::as_vectors::<S>(&panel[offset..])[..2];
                for r in 0..R {
                    let value = T::splat(simd, columns[r][k]);
                    sums[r][0] = T::multiply_add(simd, value, panel[0], sums[r][0]);
                    sums[r][1] = T::multiply_add(simd, value, panel[1], sums[r][1]);
                }
            }
            let one = T::splat(simd, T::one());
            for (r, sums) in sums.iter().enumerate() {
                let out = &mut out[r * width + offset..][..2 * lanes];
                for (&sum, out) in sums.iter().zip(out.chunks_exact_mut(lanes)) {
                    T::store(simd, out, T::multiply_add(simd, one, T::load(simd, out), sum));
                }
            }
        }
        R
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers this small have exact products and sums, so every order of summation agrees.
    fn agrees<T: Lanes>((m, k, n): (usize, usize, usize), transposed: bool, keep: f64, gap: usize) {
        let numbers =
            |len: usize, scale: usize| -> Vec<T> { (0..len).map(|i| T::of(((i * scale) % 11) as f64 - 5.0)).collect() };
        let stride = if transposed { k + gap } else { n + gap };
        let (a, b) = (numbers(m * (k + gap), 3), numbers(if transposed { n } else { k } * stride, 7));
        let start = numbers(m * (n + gap), 5);
        let a = Matrix { values: &a, row_stride: k + gap, column_stride: 1 };
        let b = Matrix::rows(&b, stride);
        let b = if transposed { b.transposed() } else { b };
        let mut expected = start.clone();
        for i in 0..m {
            for j in 0..n {
                let term = |l: usize| a.values[i * a.row_stride + l] * b.values[l * b.row_stride + j * b.column_stride];
                let out = &mut expected[i * (n + gap) + j];
                *out = T::of(keep) * *out + (0..k).map(term).sum::<T>();
            }
        }
        for threads in [1, 2] {
            let mut out = start.clone();
            let (keep, out_stride) = (T::of(keep), n + gap);
            run(Skinny { sizes: (m, k, n), a, b, transposed, keep, out: &mut out, out_stride, threads });
            assert!(out == expected, "({m}, {k}) x ({k}, {n}), transposed: {transposed}, keep {keep}, gap {gap}");
        }
    }

    #[test]
    fn products_are_exact_for_small_whole_numbers() {
        for m in [1, 2, 3, 4, 5, 7, 8, 13, 32, 33, 64] {
            for (k, n) in [(1, 1), (2, 31), (128, 32), (129, 33), (300, 257), (40, 600)] {
                for transposed in [false, true] {
                    for (keep, gap) in [(0.0, 0), (1.0, 3), (2.0, 0)] {
                        agrees::<f32>((m, k, n), transposed, keep, gap);
                        agrees::<f64>((m, k, n), transposed, keep, gap);
                    }
                }
            }
        }
    }
}
