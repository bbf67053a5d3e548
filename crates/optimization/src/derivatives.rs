//! Slopes and curvatures by differences, for sections that look at the shape of a function.

/// The slope of `f` at `x` by a central difference.
pub fn slope(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-5; // near the cube root of the precision, where truncation and rounding balance
    (f(x + h) - f(x - h)) / (2.0 * h)
}

/// The second derivative of `f` at `x` by a central difference.
pub fn curvature(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-4; // near the fourth root, where they balance for a second derivative
    (f(x + h) - 2.0 * f(x) + f(x - h)) / (h * h)
}

/// The Hessian of `f` at `(x, y)` by central differences, as `[f_xx, f_xy, f_yy]`.
pub fn hessian(f: impl Fn(f64, f64) -> f64, (x, y): (f64, f64)) -> [f64; 3] {
    let h = 1e-4;
    let both = f(x + h, y + h) - f(x + h, y - h) - f(x - h, y + h) + f(x - h, y - h);
    [curvature(|x| f(x, y), x), both / (4.0 * h * h), curvature(|y| f(x, y), y)]
}

/// The eigenvalues of the symmetric matrix `[[a, b], [b, d]]`, the smaller first.
pub fn eigenvalues([a, b, d]: [f64; 3]) -> [f64; 2] {
    let (middle, apart) = (f64::midpoint(a, d), ((a - d) / 2.0).hypot(b));
    [middle - apart, middle + apart]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_the_derivatives() {
        assert!((slope(f64::sin, 0.3) - 0.3f64.cos()).abs() < 1e-9);
        assert!((curvature(f64::exp, 1.0) - 1f64.exp()).abs() < 1e-6);
        let [xx, xy, yy] = hessian(|x, y| x * x * y + 3.0 * y * y, (2.0, 5.0));
        assert!((xx - 10.0).abs() < 1e-5 && (xy - 4.0).abs() < 1e-5 && (yy - 6.0).abs() < 1e-5, "{xx} {xy} {yy}");
    }

    #[test]
    fn eigenvalues_have_the_matrix_s_trace_and_determinant() {
        let [low, high] = eigenvalues([1.0, 2.0, 4.0]);
        assert!((low + high - 5.0).abs() < 1e-12 && low.abs() < 1e-12, "{low} {high}");
        assert_eq!(eigenvalues([2.0, 0.0, -2.0]), [-2.0, 2.0]);
    }
}
