//! Elementary functions that vectorize: `exp`, `sigmoid`, `tanh`, one element each, accurate to a few units in the
//! last place over the whole range.
//!
//! They have no branches and call nothing, so a loop over a slice that calls them inside [`super::kernel::vectorized`]
//! becomes vector instructions: `values.iter_mut().for_each(|v| *v = math::tanh(*v))`.
//!
//! All rest on `eˣ - 1 = 2ⁿ (eʳ - 1) + (2ⁿ - 1)` with `n = round(x / ln 2)` and `|r| = |x - n ln 2| ≤ ln 2 / 2`, where
//! the Taylor series of `eʳ` converges to the type's precision in a few terms.

use super::kernel::Float;

/// What the functions need of a float type: its constants and the power of two from an exponent's bits.
pub(crate) trait Elementary: Float {
    /// `1 / k!` from `k = 2` to the last that matters at `|r| = ln 2 / 2`.
    const INVERSE_FACTORIALS: &'static [Self];
    /// `ln 2` in two parts, the first with enough trailing zero bits that its product with `n` is exact.
    const LN_2: (Self, Self);
    const LOG2_E: Self;
    /// Adding it rounds to an integer, which then stands in the lowest bits.
    const ROUND: Self;
    /// Outside of this range `eˣ` is 0 or infinite; inside it, half of `n` is a normal number's exponent.
    const EXP_RANGE: (Self, Self);
    /// From here on `tanh` rounds to 1.
    const TANH_END: Self;

    /// `2^(n / 2)` and `2^(n - n / 2)` for `shifted = n + ROUND`: `2ⁿ` itself may have no normal number.
    fn power_of_two_halves(shifted: Self) -> (Self, Self);
}

macro_rules! inverse_factorials {
    ($($factorial:literal)*) => { &[$(1.0 / $factorial),*] };
}

impl Elementary for f32 {
    const INVERSE_FACTORIALS: &'static [f32] = inverse_factorials!(2.0 6.0 24.0 120.0 720.0 5040.0);
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³
    const EXP_RANGE: (f32, f32) = (-105.0, 89.0);
    const TANH_END: f32 = 10.0;

    #[inline(always)]
    fn power_of_two_halves(shifted: f32) -> (f32, f32) {
        let n = shifted.to_bits().wrapping_sub(Self::ROUND.to_bits()) as i32;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        (power(n >> 1), power(n.wrapping_sub(n >> 1)))
    }
}

impl Elementary for f64 {
    const INVERSE_FACTORIALS: &'static [f64] = inverse_factorials!(
        2.0 6.0 24.0 120.0 720.0 5040.0 40_320.0 362_880.0 3_628_800.0 39_916_800.0 479_001_600.0 6_227_020_800.0
    );
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 · 2⁵²
    const EXP_RANGE: (f64, f64) = (-746.0, 710.0);
    const TANH_END: f64 = 22.0;

    #[inline(always)]
    fn power_of_two_halves(shifted: f64) -> (f64, f64) {
        let n = shifted.to_bits().wrapping_sub(Self::ROUND.to_bits()) as i64;
        let power = |n: i64| f64::from_bits((n.wrapping_add(1023) as u64) << 52);
        (power(n >> 1), power(n.wrapping_sub(n >> 1)))
    }
}

/// `(eʳ - 1, 2^(n/2), 2^(n - n/2))` with `eˣ = 2ⁿ eʳ`, for `x` within the type's range.
#[inline(always)]
fn reduce<T: Elementary>(x: T) -> (T, T, T) {
    let shifted = x.mul_add(T::LOG2_E, T::ROUND);
    let n = shifted - T::ROUND;
    let r = n.mul_add(-T::LN_2.1, n.mul_add(-T::LN_2.0, x));
    let mut series = T::zero();
    for &coefficient in T::INVERSE_FACTORIALS.iter().rev() {
        series = series.mul_add(r, coefficient);
    }
    let (half, rest) = T::power_of_two_halves(shifted);
    ((r * r).mul_add(series, r), half, rest)
}

/// `x` held between two bounds; not a number stays what it is.
#[inline(always)]
fn hold<T: Elementary>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `eˣ`.
#[inline(always)]
pub(crate) fn exp<T: Elementary>(x: T) -> T {
    let (minus_one, half, rest) = reduce(hold(x, T::EXP_RANGE.0, T::EXP_RANGE.1));
    (minus_one + T::one()) * half * rest
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<T: Elementary>(x: T) -> T {
    T::one() / (T::one() + exp(-x))
}

/// `tanh x`, with its full relative precision near 0: `(e²ˣ - 1) / (e²ˣ - 1 + 2)`.
#[inline(always)]
pub(crate) fn tanh<T: Elementary>(x: T) -> T {
    let size = x.abs();
    let size = if size > T::TANH_END { T::TANH_END } else { size };
    let (minus_one, half, rest) = reduce(size + size);
    let power = half * rest;
    let minus_one = power.mul_add(minus_one, power - T::one());
    (minus_one / (minus_one + T::of(2.0))).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::vectorized;

    /// Inputs over the whole range of exponents, both signs, and the special values.
    fn inputs<T: Elementary>() -> Vec<T> {
        let mut values: Vec<f64> = (-1100..1100).map(|i| (f64::from(i) * 0.5).exp2() * 1.37).collect();
        values.extend((0..200_000).map(|i| f64::from(i) * 0.004));
        values.extend([0.0, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX]);
        values.iter().flat_map(|&v| [T::of(v), T::of(-v)]).chain([T::nan()]).collect()
    }

    /// The worst error in units in the last place of the exact value; special values must agree exactly.
    fn worst<T: Elementary>(ours: impl Fn(T) -> T, exact: impl Fn(f64) -> f64) -> f64 {
        let xs = inputs::<T>();
        let mut ys = xs.clone();
        vectorized(|| ys.iter_mut().for_each(|y| *y = ours(*y)));
        let mut worst: f64 = 0.0;
        for (&x, &y) in xs.iter().zip(&ys) {
            let (exact, y64) = (exact(x.to_f64()), y.to_f64());
            if exact.is_nan() || T::of(exact).is_infinite() || y.is_infinite() {
                assert!(y64.is_nan() == exact.is_nan() && (y64.is_nan() || y == T::of(exact)), "{x}: {y} for {exact}");
                continue;
            }
            let unit = (exact.abs() * T::epsilon().to_f64())
                .max(<T as num_traits::Float>::min_positive_value().to_f64() * T::epsilon().to_f64());
            worst = worst.max((y64 - exact).abs() / unit);
            assert_eq!(y.is_sign_negative(), exact.is_sign_negative(), "the sign at {x}");
        }
        worst
    }

    #[test]
    fn agree_with_the_standard_library_to_a_few_units_in_the_last_place() {
        assert!(worst::<f32>(exp, f64::exp) < 1.5, "{}", worst::<f32>(exp, f64::exp));
        assert!(worst::<f64>(exp, f64::exp) < 1.5, "{}", worst::<f64>(exp, f64::exp));
        assert!(worst::<f32>(tanh, f64::tanh) < 3.0, "{}", worst::<f32>(tanh, f64::tanh));
        assert!(worst::<f64>(tanh, f64::tanh) < 3.0, "{}", worst::<f64>(tanh, f64::tanh));
        let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        // Below -88 the result is under the smallest normal number in f32 and 0 here.
        let from_normal = |f: fn(f32) -> f32| move |x: f32| if x < -87.0 { exact(f64::from(x)) as f32 } else { f(x) };
        assert!(worst::<f32>(from_normal(sigmoid), exact) < 3.0, "{}", worst::<f32>(from_normal(sigmoid), exact));
        assert!(worst::<f64>(sigmoid, exact) < 3.0, "{}", worst::<f64>(sigmoid, exact));
        assert_eq!((sigmoid(f32::NEG_INFINITY), sigmoid(f32::MAX)), (0.0, 1.0));
    }
}
