//! Loops over contiguous slices that are sure to become vector instructions.
//!
//! A closure handed to [`super::kernel::vectorized`] has them only where the compiler chooses to inline it. Here the
//! loop is always inlined into code for the widest instructions; the function it calls on each element should be small
//! and, where named, marked `#[inline(always)]`.

use pulp::{Arch, Simd, WithSimd};

use super::kernel::Float;

/// Independent partial results of a fold: one of the widest vectors in `f32`.
const LANES: usize = 16;

/// `out[i] = f([inputs[0][i], …])`. Each input is at least as long as `out`.
pub fn map<T: Float, const N: usize>(out: &mut [T], inputs: [&[T]; N], f: impl Fn([T; N]) -> T) {
    Arch::new().dispatch(Map { out, inputs, f });
}

/// `out[i] = f(out[i], [inputs[0][i], …])`. Each input is at least as long as `out`.
pub fn update<T: Float, const N: usize>(out: &mut [T], inputs: [&[T]; N], f: impl Fn(T, [T; N]) -> T) {
    Arch::new().dispatch(Update { out, inputs, f });
}

/// `Σᵢ f([inputs[0][i], …])` over inputs of the same length, in an order that depends on the length only.
pub fn sum_of<T: Float, const N: usize>(inputs: [&[T]; N], f: impl Fn([T; N]) -> T) -> T {
    Arch::new().dispatch(Fold { inputs, start: T::zero(), f: |sum: T, x| sum + f(x) }).into_iter().sum()
}

/// The sum of the elements.
pub fn sum<T: Float>(x: &[T]) -> T {
    sum_of([x], |[x]| x)
}

/// The largest element, or not a number where there is one; minus infinity where there are no elements.
pub fn max<T: Float>(x: &[T]) -> T {
    if x.len() < 2 * LANES {
        // Lanes of a short row cost more than they save.
        return x.iter().copied().fold(T::neg_infinity(), larger);
    }
    let lanes =
        Arch::new().dispatch(Fold { inputs: [x], start: T::neg_infinity(), f: |max, [x]: [T; 1]| larger(max, x) });
    lanes.into_iter().fold(T::neg_infinity(), larger)
}

/// The larger of two values, or the one that is not a number.
#[inline(always)]
pub fn larger<T: Float>(a: T, b: T) -> T {
    // What is not a number is never the smaller one.
    if b <= a || a.is_nan() { a } else { b }
}

struct Map<'a, T, F, const N: usize> {
    out: &'a mut [T],
    inputs: [&'a [T]; N],
    f: F,
}

impl<T: Float, F: Fn([T; N]) -> T, const N: usize> WithSimd for Map<'_, T, F, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let inputs = self.inputs.map(|input| &input[..self.out.len()]);
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = (self.f)(inputs.map(|input| input[i]));
        }
    }
}

struct Update<'a, T, F, const N: usize> {
    out: &'a mut [T],
    inputs: [&'a [T]; N],
    f: F,
}

impl<T: Float, F: Fn(T, [T; N]) -> T, const N: usize> WithSimd for Update<'_, T, F, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let inputs = self.inputs.map(|input| &input[..self.out.len()]);
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = (self.f)(*out, inputs.map(|input| input[i]));
        }
    }
}

struct Fold<'a, T, F, const N: usize> {
    inputs: [&'a [T]; N],
    start: T,
    f: F,
}

impl<T: Float, F: Fn(T, [T; N]) -> T, const N: usize> WithSimd for Fold<'_, T, F, N> {
    type Output = [T; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> [T; LANES] {
        let mut lanes = [self.start; LANES];
        let parts = self.inputs.map(|input| input.as_chunks::<LANES>());
        let len = parts.first().map_or(0, |(chunks, _)| chunks.len());
        let chunks = parts.map(|(chunks, _)| &chunks[..len]);
        for at in 0..len {
            let chunk = chunks.map(|chunks| &chunks[at]);
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane = (self.f)(*lane, chunk.map(|chunk| chunk[i]));
            }
        }
        let len = parts.first().map_or(0, |(_, rest)| rest.len());
        let rest = parts.map(|(_, rest)| &rest[..len]);
        for (i, lane) in lanes[..len].iter_mut().enumerate() {
            *lane = (self.f)(*lane, rest.map(|rest| rest[i]));
        }
        lanes
    }
}
