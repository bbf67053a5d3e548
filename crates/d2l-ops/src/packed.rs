//! Products with a matrix that is packed once: a recurrent net's weights stay the same over the steps, and a general
//! product would pack them again at each.
//!
//! Each element is summed by fused multiply-adds in the order of the inner dimension (in parts of a fixed size where it
//! is long), whatever the number of rows, so results depend neither on how rows are split over threads nor on the
//! vectors' width.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::kernel::Matrix;
use super::math::Elementary;

/// Columns a panel: two vectors of the widest kind in `f32`.
const WIDTH: usize = 32;

/// Rows that a tile of accumulators holds at most: with two vectors each they fill 16 registers of 32.
pub(super) const TILE_ROWS: usize = 8;

/// The same where a processor has 16 registers in all, of which the vectors of weights and of a row's value take three.
const TILE_ROWS_OF_16: usize = 6;

/// Multiply-adds below which a second thread costs more than it saves.
pub(super) const SERIAL_PRODUCT: usize = 1 << 23;

/// Values to write below which a second thread costs more than it saves.
const SERIAL_VALUES: usize = 1 << 16;

/// Rows of a transposed product that one task computes: whole tiles of both kinds.
const BLOCK_ROWS: usize = 48;

/// How much of a transposed product's depth is taken at a time, so that the panels stay in the nearest cache.
const BLOCK_DEPTH: usize = 128;

/// A buffer of zeros, written by all threads: a large one costs as much time as some of the arithmetic.
pub(super) fn zeros<T: Lanes>(len: usize) -> Vec<T> {
    rayon::iter::repeat_n(T::zero(), len).with_min_len(SERIAL_VALUES).collect()
}

/// What the product needs of a type: its vectors under an instruction set.
pub(super) trait Lanes: Elementary {
    type Vector<S: Simd>: Copy;
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    fn multiply_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
    fn as_vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];
    /// Loads up to a vector's number of values; zeros stand in for those missing.
    fn load<S: Simd>(simd: S, values: &[Self]) -> Self::Vector<S>;
    /// Stores as many of the first values as there is room for.
    fn store<S: Simd>(simd: S, out: &mut [Self], vector: Self::Vector<S>);
}

macro_rules! lanes {
    ($T:ty, $vector:ident, $splat:ident, $mul_add:ident, $as_simd:ident, $load:ident, $store:ident) => {
        impl Lanes for $T {
            type Vector<S: Simd> = S::$vector;
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn as_vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$as_simd(values).0
            }
            #[inline(always)]
            fn load<S: Simd>(simd: S, values: &[Self]) -> S::$vector {
                match S::$as_simd(values).0 {
                    [vector, ..] => *vector,
                    [] => simd.$load(values),
                }
            }
            #[inline(always)]
            fn store<S: Simd>(simd: S, out: &mut [Self], vector: S::$vector) {
                if out.len() * size_of::<Self>() < size_of::<S::$vector>() {
                    simd.$store(out, vector);
                } else {
                    out[..size_of::<S::$vector>() / size_of::<Self>()]
                        .copy_from_slice(pulp::bytemuck::cast_slice(&[vector]));
                }
            }
        }
    };
}
lanes!(f32, f32s, splat_f32s, mul_add_f32s, as_simd_f32s, partial_load_f32s, partial_store_f32s);
lanes!(f64, f64s, splat_f64s, mul_add_f64s, as_simd_f64s, partial_load_f64s, partial_store_f64s);

/// A matrix of `(depth, columns)` in panels of [`WIDTH`] columns, each row-major, the last padded with zeros.
pub(super) struct Packed<T> {
    panels: Vec<T>,
    depth: usize,
    columns: usize,
}

impl<T: Lanes> Packed<T> {
    /// Packs a matrix of `(depth, columns)`, which must not be empty.
    pub fn new(matrix: Matrix<'_, T>, (depth, columns): (usize, usize)) -> Self {
        let mut panels = vec![T::zero(); columns.div_ceil(WIDTH) * WIDTH * depth];
        let alone = (SERIAL_VALUES / (WIDTH * depth)).max(1);
        panels.par_chunks_mut(WIDTH * depth).enumerate().with_min_len(alone).for_each(|(p, panel)| {
            let first = p * WIDTH;
            let count = WIDTH.min(columns - first);
            if matrix.column_stride == 1 {
                for (k, row) in panel.chunks_exact_mut(WIDTH).enumerate() {
                    row[..count].copy_from_slice(&matrix.values[k * matrix.row_stride + first..][..count]);
                }
                return;
            }
            for c in 0..count {
                for k in 0..depth {
                    let place = k * matrix.row_stride + (first + c) * matrix.column_stride;
                    panel[k * WIDTH + c] = matrix.values[place];
                }
            }
        });
        Self { panels, depth, columns }
    }

    /// `out = out + rows · matrix`, for row-major `rows` of `(n, depth)` and `out` of `(n, columns)`, on this thread.
    pub fn accumulate(&self, rows: &[T], out: &mut [T]) {
        pulp::Arch::new().dispatch(Accumulate { packed: self, rows, out });
    }
}

struct Accumulate<'a, T> {
    packed: &'a Packed<T>,
    rows: &'a [T],
    out: &'a mut [T],
}

impl<T: Lanes> WithSimd for Accumulate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Packed { ref panels, depth, columns } = *self.packed;
        for (p, panel) in panels.chunks_exact(WIDTH * depth).enumerate() {
            for offset in (0..WIDTH.min(columns - p * WIDTH)).step_by(2 * lanes::<T, S>()) {
                let place = Place { panel: T::as_vectors::<S>(panel), offset, column: p * WIDTH + offset, columns };
                let (mut rows, mut out) = (self.rows, &mut *self.out);
                while !rows.is_empty() {
                    let count = match tile_rows::<S>(rows.len() / depth) {
                        8 => place.add_rows::<8>(simd, rows, out),
                        6 => place.add_rows::<6>(simd, rows, out),
                        4 => place.add_rows::<4>(simd, rows, out),
                        2 => place.add_rows::<2>(simd, rows, out),
                        _ => place.add_rows::<1>(simd, rows, out),
                    };
                    rows = &rows[count * depth..];
                    out = &mut out[count * columns..];
                }
            }
        }
    }
}

/// Products `aᵀ · matrix` of one `a` of `(depth, m)` with matrices of `(depth, n)`, in parallel: for each product the
/// packed matrix and its row-major result of `(m, n)`, to which it is added. The rows of `a` are added to `sums`.
pub(super) fn transposed_products<T: Lanes>(a: &[T], sums: &mut [T], products: Vec<(&Packed<T>, &mut [T])>) {
    let m = sums.len();
    let blocks = sums.chunks_mut(BLOCK_ROWS).enumerate();
    let mut blocks: Vec<Block<'_, T>> =
        blocks.map(|(i, sums)| Block { a, m, first: i * BLOCK_ROWS, sums, products: Vec::new() }).collect();
    let width: usize = products.iter().map(|(packed, _)| packed.columns).sum();
    let alone = (SERIAL_PRODUCT / (BLOCK_ROWS * (a.len() / m) * width)).max(1);
    for (packed, out) in products {
        for (block, out) in blocks.iter_mut().zip(out.chunks_mut(BLOCK_ROWS * packed.columns)) {
            block.products.push((packed, out));
        }
    }
    blocks.into_par_iter().with_min_len(alone).for_each(|block| pulp::Arch::new().dispatch(block));
}

/// Rows of the results of [`transposed_products`] from `first`.
struct Block<'a, T> {
    a: &'a [T],
    m: usize,
    first: usize,
    sums: &'a mut [T],
    products: Vec<(&'a Packed<T>, &'a mut [T])>,
}

impl<T: Lanes> WithSimd for Block<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if has_32_registers::<S>() {
            self.in_tiles::<S, TILE_ROWS>(simd);
        } else {
            self.in_tiles::<S, TILE_ROWS_OF_16>(simd);
        }
    }
}

impl<T: Lanes> Block<'_, T> {
    #[inline(always)]
    fn in_tiles<S: Simd, const R: usize>(self, simd: S) {
        let Self { a, m, first, sums, mut products } = self;
        // `R` columns of `a` side by side, the last padded with zeros, for a part of the depth.
        let mut tiles = vec![[T::zero(); R]; sums.len().div_ceil(R) * BLOCK_DEPTH];
        for (part, a) in a.chunks(BLOCK_DEPTH * m).enumerate() {
            let depth = a.len() / m;
            for (k, row) in a.chunks_exact(m).enumerate() {
                let row = &row[first..first + sums.len()];
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
                let (whole, rest) = row.as_chunks::<R>();
                for (tile, values) in whole.iter().enumerate() {
                    tiles[tile * depth + k] = *values;
                }
                if !rest.is_empty() {
                    tiles[whole.len() * depth + k][..rest.len()].copy_from_slice(rest);
                }
            }
            for (packed, out) in &mut products {
                let columns = packed.columns;
                for (p, panel) in packed.panels.chunks_exact(WIDTH * packed.depth).enumerate() {
                    let panel = T::as_vectors::<S>(&panel[part * BLOCK_DEPTH * WIDTH..][..depth * WIDTH]);
                    for offset in (0..WIDTH.min(columns - p * WIDTH)).step_by(2 * lanes::<T, S>()) {
                        let place = Place { panel, offset, column: p * WIDTH + offset, columns };
                        for (tile, out) in tiles.chunks_exact(depth).zip(out.chunks_mut(R * columns)) {
                            place.add::<R, _>(simd, tile.iter().map(|values| |r: usize| values[r]), out);
                        }
                    }
                }
            }
        }
    }
}

/// Two vectors of columns: their panel, how many columns into it they begin, and their first column in the results of
/// `columns` columns.
struct Place<'a, T: Lanes, S: Simd> {
    panel: &'a [T::Vector<S>],
    offset: usize,
    column: usize,
    columns: usize,
}

/// Whether the vectors of an instruction set have 32 registers, as in AVX-512 and NEON.
#[inline(always)]
fn has_32_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// How many of the rows that are left the next tile takes: 8, 6, 4, 2 or 1.
#[inline(always)]
pub(super) fn tile_rows<S: Simd>(left: usize) -> usize {
    match left {
        TILE_ROWS.. if has_32_registers::<S>() => TILE_ROWS,
        // Eight are two times four rather than six and two.
        TILE_ROWS_OF_16 | 10.. if !has_32_registers::<S>() => TILE_ROWS_OF_16,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Values a vector.
#[inline(always)]
pub(super) fn lanes<T: Lanes, S: Simd>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

impl<T: Lanes, S: Simd> Place<'_, T, S> {
    /// Adds to the first `R` rows of `out` for as many row-major rows; returns `R`.
    #[inline(always)]
    fn add_rows<const R: usize>(&self, simd: S, rows: &[T], out: &mut [T]) -> usize {
        let depth = self.panel.len() / (WIDTH / lanes::<T, S>());
        let rows: [&[T]; R] = std::array::from_fn(|r| &rows[r * depth..(r + 1) * depth]);
        self.add::<R, _>(simd, (0..depth).map(|k| move |r: usize| rows[r][k]), out);
        R
    }

    /// Adds `Σₖ values[k] · panel[k]` to the rows of `out`, `R` at most. A `k`'s values come as a function of the row,
    /// read one by one: of an array of them the compiler makes vectors, only to take them apart again.
    #[inline(always)]
    fn add<const R: usize, V: Fn(usize) -> T>(&self, simd: S, values: impl Iterator<Item = V>, out: &mut [T]) {
        let (lanes, stride) = (lanes::<T, S>(), WIDTH / lanes::<T, S>());
        let first = self.offset / lanes;
        assert!(first + 2 <= stride, "two vectors lie within a row of the panel");
        let mut sums = [[T::splat(simd, T::zero()); 2]; R];
        for (value, weights) in values.zip(self.panel.chunks_exact(stride)) {
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = T::splat(simd, value(r));
                sums[0] = T::multiply_add(simd, value, weights[first], sums[0]);
                sums[1] = T::multiply_add(simd, value, weights[first + 1], sums[1]);
            }
        }
        let one = T::splat(simd, T::one());
        let end = self.columns.min(self.column + 2 * lanes);
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(self.columns)) {
            for (&sum, out) in sums.iter().zip(out[self.column..end].chunks_mut(lanes)) {
                T::store(simd, out, T::multiply_add(simd, sum, one, T::load(simd, out)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<T: Lanes>((n, depth, columns): (usize, usize, usize)) {
        let matrix = |rows: usize, columns: usize, scale: usize| -> Vec<T> {
            (0..rows * columns).map(|i| T::of(((i * scale) % 11) as f64 - 5.0)).collect()
        };
        let (rows, weights, start) = (matrix(n, depth, 3), matrix(depth, columns, 7), matrix(n, columns, 5));
        let mut expected = start.clone();
        for r in 0..n {
            for c in 0..columns {
                expected[r * columns + c] +=
                    (0..depth).map(|k| rows[r * depth + k] * weights[k * columns + c]).sum::<T>();
            }
        }
        let packed = Packed::new(Matrix::rows(&weights, columns), (depth, columns));
        for scalar in [false, true] {
            let mut out = start.clone();
            let product = Accumulate { packed: &packed, rows: &rows, out: &mut out };
            if scalar {
                product.with_simd(pulp::Scalar);
            } else {
                pulp::Arch::new().dispatch(product);
            }
            assert!(out == expected, "({n}, {depth}) x ({depth}, {columns}), scalar: {scalar}");
        }
        let columns_first: Vec<T> = (0..depth * n).map(|i| rows[i % n * depth + i / n]).collect();
        let (mut left, mut right) = (start.clone(), start);
        let mut sums = vec![T::one(); n];
        transposed_products(&columns_first, &mut sums, vec![(&packed, &mut left), (&packed, &mut right)]);
        assert!(
            sums.iter().zip(rows.chunks(depth)).all(|(&sum, row)| sum == row.iter().copied().sum::<T>() + T::one())
        );
        assert!(left == expected && right == expected, "({depth}, {n})ᵀ x ({depth}, {columns})");
    }

    /// Whole numbers this small have exact products and sums, so every order of summation agrees.
    #[test]
    fn products_are_exact_for_small_whole_numbers() {
        for n in [1, 2, 3, 5, 7, 8, 9, 16, 21, 65, 140] {
            for (depth, columns) in [(1, 1), (3, 31), (7, 32), (5, 33), (140, 47), (16, 48), (9, 97), (256, 128)] {
                agrees::<f32>((n, depth, columns));
                agrees::<f64>((n, depth, columns));
            }
        }
    }
}
