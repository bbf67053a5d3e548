//! 2.4 Calculus
//!
//! A derivative as the limit of a difference quotient, and a curve with its tangent.
//!
//! `cargo run --release -p preliminaries -- calculus`
//! At once: the quotient goes to 2, and astray where h is too small; two figures with tangents.

use d2l::plot::plot;
use d2l::prelude::*;

pub use super::ndarray::Config;

/// The book's example, `3x² - 4x`; its derivative is `6x - 4`.
pub fn f(x: f64) -> f64 {
    3.0 * x.powi(2) - 4.0 * x
}

/// The function of the exercise, `x³ - 1/x`; its derivative is `3x² + 1/x²`.
pub fn g(x: f64) -> f64 {
    x.powi(3) - 1.0 / x
}

/// The same function in single precision.
pub fn g_single(x: f32) -> f32 {
    x.powi(3) - 1.0 / x
}

/// The difference quotient `(f(x + h) - f(x)) / h`, which goes to the derivative as `h` goes to 0.
#[doc(alias = "numerical_lim")]
pub fn numerical_limit(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    (f(x + h) - f(x)) / h
}

/// The central difference `(f(x + h) - f(x - h)) / 2h`, whose error falls with `h²`.
pub fn central_difference(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    (f(x + h) - f(x - h)) / (2.0 * h)
}

/// The tangent of `f` at `at`, evaluated at `x`; `slope` is the derivative there.
pub fn tangent(f: impl Fn(f64) -> f64, slope: f64, at: f64, x: f64) -> f64 {
    f(at) + slope * (x - at)
}

/// The partial derivatives of a function of several variables by central differences: the other variables stay.
pub fn numerical_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], h: f64) -> Vec<f64> {
    let along = |i: usize| {
        let moved = |value| {
            let mut x = x.to_vec();
            x[i] = value;
            f(&x)
        };
        central_difference(moved, x[i], h)
    };
    (0..x.len()).map(along).collect()
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The difference quotient")?;
    for step in 1..=5 {
        let h = 10f64.powi(-step);
        nb.say(format!("h = {h:.5}, numerical limit = {:.5}", numerical_limit(f, 1.0, h)))?;
    }

    nb.cell("Smaller is not always better")?;
    let mut table = Table::new(["h", "quotient, 32 bits", "quotient, 64 bits", "central difference, 64 bits"]);
    for step in (1..=15).step_by(2) {
        let h = 10f64.powi(-step);
        let single = (g_single(1.0 + h as f32) - g_single(1.0)) / h as f32;
        let (quotient, central) = (numerical_limit(g, 1.0, h), central_difference(g, 1.0, h));
        table.row([format!("1e-{step}"), format!("{single:.8}"), format!("{quotient:.8}"), format!("{central:.8}")]);
    }
    nb.say(table)?;

    nb.cell("A curve and its tangent")?;
    let x: Vec<f64> = (0..30).map(|i| f64::from(i) / 10.0).collect();
    let y: Vec<f64> = x.iter().map(|&x| f(x)).collect();
    let line: Vec<f64> = x.iter().map(|x| 2.0 * x - 3.0).collect();
    let chart = plot(&x, [("f(x)", &y[..]), ("Tangent line (x=1)", &line)]).x_label("x").y_label("f(x)");
    nb.figure("tangent", "The curve 3x² - 4x and its tangent 2x - 3, which touch at x = 1", chart)?;

    nb.cell("Another curve, with the slope from numbers")?;
    let slope = central_difference(g, 1.0, 1e-5);
    nb.say(format!("slope at 1: {slope:.6}"))?;
    let x: Vec<f64> = (50..=200).map(|i| f64::from(i) / 100.0).collect();
    let y: Vec<f64> = x.iter().map(|&x| g(x)).collect();
    let line: Vec<f64> = x.iter().map(|&x| tangent(g, slope, 1.0, x)).collect();
    let chart = plot(&x, [("g(x)", &y[..]), ("Tangent line (x=1)", &line)]).x_label("x").y_label("g(x)");
    nb.figure("tangent-cubic", "The curve x³ - 1/x and its tangent 4x - 4, which touch at x = 1", chart)?;

    nb.cell("Partial derivatives and the gradient")?;
    let h = |x: &[f64]| 3.0 * x[0].powi(2) + 5.0 * x[1].exp();
    let x = [2.0, 0.5f64];
    let by_formula = [6.0 * x[0], 5.0 * x[1].exp()];
    nb.say(format!("by formula {by_formula:.6?}"))?;
    nb.say(format!("from numbers {:.6?}", numerical_gradient(h, &x, 1e-5)))?;

    nb.cell("The chain rule")?;
    let (inner, outer) = (f64::sin, |u: f64| u.powi(2));
    let x = 0.7;
    let product = central_difference(outer, inner(x), 1e-5) * central_difference(inner, x, 1e-5);
    let whole = central_difference(|x| outer(inner(x)), x, 1e-5);
    nb.say(format!("product of the two derivatives {product:.8}, derivative of the whole {whole:.8}"))?;
    nb.metric("limit_error", (numerical_limit(f, 1.0, 1e-5) - 2.0).abs())?;
    nb.metric("slope_error", (slope - 4.0).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quotient_goes_to_the_derivative() {
        for x in [-2.0, 0.0, 1.0, 3.5] {
            assert!((numerical_limit(f, x, 1e-6) - (6.0 * x - 4.0)).abs() < 1e-5);
            assert!((central_difference(f, x, 1e-4) - (6.0 * x - 4.0)).abs() < 1e-8);
        }
    }

    #[test]
    fn errors_fall_with_the_step_and_with_its_square() {
        let error = |slope: f64| (slope - 4.0).abs();
        for step in [1e-1, 1e-2, 1e-3] {
            let quotient = error(numerical_limit(g, 1.0, step)) / error(numerical_limit(g, 1.0, step / 10.0));
            let central = error(central_difference(g, 1.0, step)) / error(central_difference(g, 1.0, step / 10.0));
            assert!((9.0..12.0).contains(&quotient), "{quotient}");
            assert!((90.0..110.0).contains(&central), "{central}");
        }
    }

    #[test]
    fn a_tangent_touches_the_curve() {
        assert_eq!(tangent(f, 2.0, 1.0, 1.0), f(1.0));
        assert_eq!(tangent(f, 2.0, 1.0, 0.0), -3.0);
    }

    #[test]
    fn a_gradient_has_a_derivative_for_each_variable() {
        let gradient = numerical_gradient(|x| x[0] * x[1] + x[2], &[2.0, 5.0, 7.0], 1e-4);
        for (value, expected) in gradient.iter().zip([5.0, 2.0, 1.0]) {
            assert!((value - expected).abs() < 1e-8, "{gradient:?}");
        }
    }
}
