//! Points on a line and the values of functions there, for curves that are drawn.

/// The numbers from `start`, `step` apart, up to `end` without it.
///
/// Each is a multiple of the step from the start, so that no rounding adds up.
///
/// ```
/// assert_eq!(math::grid::arange(-1.0, 1.0, 0.5), [-1.0, -0.5, 0.0, 0.5]);
/// ```
#[doc(alias = "torch.arange")]
pub fn arange(start: f64, end: f64, step: f64) -> Vec<f64> {
    // A length that is a whole number of steps up to rounding is that number.
    let count = ((end - start) / step - 1e-9).ceil().max(0.0) as usize;
    (0..count).map(|i| start + i as f64 * step).collect()
}

/// The values of `f` at all `xs`.
pub fn values(f: impl Fn(f64) -> f64, xs: &[f64]) -> Vec<f64> {
    xs.iter().map(|&x| f(x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_left_out() {
        // The lengths that PyTorch's arange has.
        let lengths =
            [((0.01, 3.01, 0.01), 300), ((2.0, 2.01, 0.0001), 100), ((0.0, 2.0, 0.05), 40), ((0.0, 1.0, 0.3), 4)];
        for ((start, end, step), length) in lengths {
            let xs = arange(start, end, step);
            assert_eq!(xs.len(), length);
            assert!(xs[length - 1] < end - 1e-9 && xs[length - 1] + step > end - 1e-9, "{xs:?}");
        }
        assert!(arange(1.0, 1.0, 0.1).is_empty() && arange(1.0, 0.0, 0.1).is_empty());
    }

    #[test]
    fn each_point_has_its_value() {
        assert_eq!(values(|x| x * x, &[-1.0, 0.5]), [1.0, 0.25]);
    }
}
