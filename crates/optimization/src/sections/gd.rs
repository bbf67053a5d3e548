//! 11.3 Gradient Descent
//!
//! One step size for one and for two dimensions, too small and too large, and what knows the curvature.
//!
//! `cargo run --release -p optimization -- gd`
//! At once: x = 0.060466 after ten steps at rate 0.2; in two dimensions (-0.057646, -0.000073) after twenty.

use d2l::prelude::*;

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// Ten steps of gradient descent from 10, all points on the way.
pub fn gd(eta: f64, gradient: impl Fn(f64) -> f64) -> Vec<f64> {
    descent(10, |x| x - eta * gradient(x))
}

/// The points on the way from 10 by a rule for the next of them.
fn descent(steps: usize, next: impl Fn(f64) -> f64) -> Vec<f64> {
    std::iter::successors(Some(10.0), |&x| Some(next(x))).take(steps + 1).collect()
}

/// Shows the points of a search on the curve of `f`, under a title.
fn show_trace(
    nb: &mut Notebook,
    name: &str,
    title: &str,
    f: impl Fn(f64) -> f64,
    results: &[f64],
) -> anyhow::Result<()> {
    let furthest = results.iter().fold(0f64, |furthest, x| furthest.max(x.abs()));
    let xs: Vec<f64> = (-500..=500).map(|i| furthest * f64::from(i) / 500.0).collect();
    let values = |xs: &[f64]| xs.iter().map(|&x| f(x)).collect::<Vec<_>>();
    let chart = Chart::new().title(title).x_label("x").y_label("f(x)").unlabeled_line(&xs, &values(&xs));
    let chart = chart.trace("", results, &values(results));
    nb.figure(name, &format!("The points of a search on the curve of the function: {title}"), chart)?;
    let last = results.last().copied().unwrap_or(f64::NAN);
    nb.say(format!("epoch {}, x: {last:.6}", results.len() - 1))?;
    nb.metric(&format!("x_{}", name.replace('-', "_")), last)
}

/// Follows a rule for the next point of the plane from (-5, -2): the points on the way.
pub fn train_2d(steps: usize, mut next: impl FnMut(f64, f64) -> (f64, f64)) -> Vec<(f64, f64)> {
    std::iter::successors(Some((-5.0, -2.0)), |&(x1, x2)| Some(next(x1, x2))).take(steps + 1).collect()
}

/// Shows the points of a search over the contours of `f` under a title, and keeps where it ended.
///
/// # Errors
/// Where an output cannot be written.
pub fn show_trace_2d(
    nb: &mut Notebook,
    name: &str,
    title: &str,
    f: impl Fn(f64, f64) -> f64,
    points: &[(f64, f64)],
) -> anyhow::Result<()> {
    let (x1, x2): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    // The contours reach as far as the book's, and as the points.
    let axis = |low: f64, high: f64, points: &[f64]| -> Vec<f64> {
        let (low, high) = points.iter().fold((low, high), |(low, high), &x| (low.min(x), high.max(x)));
        (0..=80).map(|i| low + (high - low) * f64::from(i) / 80.0).collect()
    };
    let (grid1, grid2) = (axis(-5.5, 1.0, &x1), axis(-3.0, 1.0, &x2));
    let chart = Chart::new().title(title).x_label("x1").y_label("x2").contours(&grid1, &grid2, f).trace("", &x1, &x2);
    nb.figure(name, &format!("The points of a search over the contours of the function: {title}"), chart)?;
    let &(last1, last2) = points.last().unwrap_or(&(f64::NAN, f64::NAN));
    nb.say(format!("epoch {}, x1: {last1:.6}, x2: {last2:.6}", points.len() - 1))?;
    let metric = name.replace('-', "_");
    nb.metric(&format!("x1_{metric}"), last1)?;
    nb.metric(&format!("x2_{metric}"), last2)
}

/// Newton's method from 10, with a rate that damps its steps.
pub fn newton(eta: f64, gradient: impl Fn(f64) -> f64, curvature: impl Fn(f64) -> f64) -> Vec<f64> {
    descent(10, |x| x - eta * gradient(x) / curvature(x))
}

/// An ellipse a hundred times as steep along one axis as along the other.
fn steep(x1: f64, x2: f64) -> f64 {
    0.5 * x1 * x1 + 50.0 * x2 * x2
}

/// The gradient of [`steep`].
fn steep_gradient(x1: f64, x2: f64) -> (f64, f64) {
    (x1, 100.0 * x2)
}

/// How many steps `next` takes from (-5, -2) until the gradient of [`steep`] is below a millionth.
fn steps_needed(mut next: impl FnMut(f64, f64) -> (f64, f64)) -> usize {
    let (mut x1, mut x2) = (-5.0, -2.0);
    let small = |(g1, g2): (f64, f64)| g1.hypot(g2) < 1e-6;
    (0..100_000)
        .find(|_| {
            let done = small(steep_gradient(x1, x2));
            (x1, x2) = next(x1, x2);
            done
        })
        .unwrap_or(100_000)
}

/// A step against the gradient of [`steep`], of a length that is halved until the function falls by a tenth of what the
/// slope promises. Adds to `evaluations` how often it asked for the function.
fn line_search(x1: f64, x2: f64, evaluations: &mut usize) -> (f64, f64) {
    let (g1, g2) = steep_gradient(x1, x2);
    let at = |eta: f64| (x1 - eta * g1, x2 - eta * g2);
    *evaluations += 1; // at the point itself
    let mut falls = |eta: f64| {
        let (y1, y2) = at(eta);
        *evaluations += 1;
        steep(y1, y2) <= steep(x1, x2) - 0.1 * eta * (g1 * g1 + g2 * g2)
    };
    let mut etas = std::iter::successors(Some(1.0), |eta| Some(eta / 2.0)).take(60);
    etas.find(|&eta| falls(eta)).map_or((x1, x2), at)
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("One-dimensional gradient descent")?;
    let (f, gradient) = (|x: f64| x * x, |x: f64| 2.0 * x);
    show_trace(nb, "rate-0.2", "rate 0.2", f, &gd(0.2, gradient))?;

    nb.cell("Learning rate")?;
    show_trace(nb, "rate-0.05", "rate 0.05", f, &gd(0.05, gradient))?;
    show_trace(nb, "rate-1.1", "rate 1.1", f, &gd(1.1, gradient))?;

    nb.cell("Local minima")?;
    let c = 0.15 * std::f64::consts::PI;
    let wave = |x: f64| x * (c * x).cos();
    let wave_gradient = |x: f64| (c * x).cos() - c * x * (c * x).sin();
    show_trace(nb, "local-minimum", "rate 2", wave, &gd(2.0, wave_gradient))?;

    nb.cell("Multivariate gradient descent")?;
    let (bowl, eta) = (|x1: f64, x2: f64| x1 * x1 + 2.0 * x2 * x2, 0.1);
    let points = train_2d(20, |x1, x2| (x1 - eta * 2.0 * x1, x2 - eta * 4.0 * x2));
    show_trace_2d(nb, "plane", "rate 0.1", bowl, &points)?;

    nb.cell("Newton's method")?;
    let (cosh, cosh_gradient) = (|x: f64| (0.5 * x).cosh(), |x: f64| 0.5 * (0.5 * x).sinh());
    show_trace(nb, "newton", "the hyperbolic cosine", cosh, &newton(1.0, cosh_gradient, |x| 0.25 * (0.5 * x).cosh()))?;
    let wave_curvature = |x: f64| -2.0 * c * (c * x).sin() - x * c * c * (c * x).cos();
    show_trace(nb, "newton-astray", "whole steps", wave, &newton(1.0, wave_gradient, wave_curvature))?;
    show_trace(nb, "newton-damped", "half steps", wave, &newton(0.5, wave_gradient, wave_curvature))?;
    let mut table = Table::new(["whole step", "x", "f(x)", "second derivative"]);
    for (step, x) in newton(1.0, wave_gradient, wave_curvature).into_iter().enumerate().take(4) {
        let numbers = [x, wave(x), wave_curvature(x)].map(|number| format!("{number:.3}"));
        table.row([step.to_string()].into_iter().chain(numbers));
    }
    nb.say(table)?;

    nb.cell("Preconditioning and line search")?;
    let mut table = Table::new(["method", "steps to a gradient below 1e-6", "evaluations of f"]);
    let plain = |eta: f64| {
        move |x1: f64, x2: f64| {
            let (g1, g2) = steep_gradient(x1, x2);
            (x1 - eta * g1, x2 - eta * g2)
        }
    };
    // The Hessian is diagonal here, so this is Newton's method.
    let preconditioned = |x1: f64, x2: f64| {
        let (g1, g2) = steep_gradient(x1, x2);
        (x1 - g1, x2 - g2 / 100.0)
    };
    let mut evaluations = 0;
    let searched = steps_needed(|x1, x2| line_search(x1, x2, &mut evaluations));
    let methods = [
        ("gradient descent, rate 0.01", "steps_slow", steps_needed(plain(0.01)), 0),
        ("gradient descent, rate 2/101", "steps_plain", steps_needed(plain(2.0 / 101.0)), 0),
        ("gradient descent with line search", "steps_line_search", searched, evaluations),
        ("divided by the diagonal of the Hessian", "steps_preconditioned", steps_needed(preconditioned), 0),
    ];
    for (method, metric, steps, evaluations) in methods {
        table.row([method.to_string(), steps.to_string(), evaluations.to_string()]);
        nb.metric(metric, steps as f64)?;
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(points: &[f64]) -> f64 {
        points[points.len() - 1]
    }

    #[test]
    fn ten_steps_end_where_they_must() {
        // Each step multiplies x by 1 - 2η.
        for eta in [0.05f64, 0.2, 1.1] {
            let expected = 10.0 * (1.0f64 - 2.0 * eta).powi(10);
            assert!((last(&gd(eta, |x| 2.0 * x)) - expected).abs() < 1e-9 * expected.abs());
        }
        assert_eq!(gd(0.2, |x| 2.0 * x).len(), 11);
    }

    #[test]
    fn newton_solves_a_quadratic_in_one_step() {
        let points = newton(1.0, |x| 6.0 * (x - 2.0), |_| 6.0);
        assert_eq!(points[1], 2.0);
    }

    #[test]
    fn a_line_search_never_climbs() {
        let points = train_2d(50, |x1, x2| line_search(x1, x2, &mut 0));
        assert!(points.windows(2).all(|pair| steep(pair[1].0, pair[1].1) <= steep(pair[0].0, pair[0].1)));
    }
}
