//! 11.2 Convexity
//!
//! Functions that lie below their chords, what follows from that, and minima under a constraint.
//!
//! `cargo run --release -p optimization -- convexity`
//! At once: of three functions two are convex, and Jensen's inequality holds for these.

use std::f64::consts::PI;

use d2l::optim::clip_gradients;
use d2l::plot::Panels;
use d2l::prelude::*;

use super::optimization_intro::hundredths;
use crate::derivatives::{curvature, eigenvalues, hessian};

/// Settings of the numbers beside the figures.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Draws for the means of Jensen's inequality
    #[arg(long, default_value_t = 100_000, value_parser = count)]
    pub num_draws: usize,
}

defaults! { Config }

/// A function with its formula.
type Named = (&'static str, fn(f64) -> f64);

/// A function of two variables with its formula.
type NamedSurface = (&'static str, fn(f64, f64) -> f64);

/// The book's three functions: convex, not convex, convex.
pub const FUNCTIONS: [Named; 3] =
    [("½x²", |x| 0.5 * x * x), ("cos(πx)", |x| (PI * x).cos()), ("exp(½x)", |x| (0.5 * x).exp())];

/// How far `f` is above the chord from `a` to `b` at most; nothing for a convex function.
pub fn above_chord(f: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    let chord = |t: f64| (1.0 - t) * f(a) + t * f(b);
    let above = |t: f64| f((1.0 - t) * a + t * b) - chord(t);
    (0..=100).map(|i| above(f64::from(i) / 100.0)).fold(0.0, f64::max)
}

/// The nearest point to `x` in the ball of this radius around the origin.
pub fn project_onto_ball<const N: usize>(x: [f64; N], radius: f64) -> [f64; N] {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.map(|x| x * (radius / norm).min(1.0))
}

/// Where `(x - 2)² + λ max(x - 1, 0)²` is least, by gradient descent: the constraint `x ≤ 1` as a penalty.
pub fn penalized_minimum(lambda: f64) -> f64 {
    (0..20_000).fold(0.0, |x: f64, _| {
        let slope = 2.0 * (x - 2.0) + 2.0 * lambda * (x - 1.0).max(0.0);
        x - slope / (2.0 + 2.0 * lambda)
    })
}

/// A function with the chord between -1.5 and 1.
fn with_chord(name: &str, f: fn(f64) -> f64) -> Chart {
    let xs = hundredths(-2.0, 2.0);
    let ys: Vec<f64> = xs.iter().map(|&x| f(x)).collect();
    let chart = Chart::new().size(320, 260).title(name).x_label("x").unlabeled_line(&xs, &ys);
    chart.unlabeled_line(&[-1.5, 1.0], &[f(-1.5), f(1.0)])
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Convex functions")?;
    let charts = FUNCTIONS.map(|(name, f)| with_chord(name, f));
    nb.figure("chords", "Three functions, each with a chord", Panels::new(3, charts))?;
    let mut table = Table::new(["f", "most above the chord", "least second derivative on [-2, 2]"]);
    let least =
        |f: fn(f64) -> f64| hundredths(-2.0, 2.0).iter().map(|&x| curvature(f, x)).fold(f64::INFINITY, f64::min);
    for (name, f) in FUNCTIONS {
        table.row([name.to_string(), format!("{:.3}", above_chord(f, -1.5, 1.0)), format!("{:.3}", least(f))]);
    }
    nb.say(table)?;

    nb.cell("Jensen's inequality")?;
    let draws = nb.normal(config.num_draws)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / draws.len() as f64;
    let middle = mean(&mut draws.iter().copied());
    let mut table = Table::new(["f", "f(mean of X)", "mean of f(X)"]);
    for ((name, f), metric) in FUNCTIONS.into_iter().zip(["jensen_square", "jensen_cosine", "jensen_exponential"]) {
        let (of_mean, of_values) = (f(middle), mean(&mut draws.iter().map(|&x| f(x))));
        table.row([name.to_string(), format!("{of_mean:.3}"), format!("{of_values:.3}")]);
        nb.metric(metric, of_values - of_mean)?;
    }
    nb.say(table)?;

    nb.cell("Local minima are global minima")?;
    let chart = with_chord("(x - 1)²", |x| (x - 1.0).powi(2));
    nb.figure("one-minimum", "(x - 1)² with a chord: its only minimum is the least of all", chart.size(480, 340))?;

    nb.cell("Convexity and second derivatives")?;
    let functions: [NamedSurface; 3] = [
        ("x² + xy + y²", |x, y| x * x + x * y + y * y),
        ("x² - y²", |x, y| x * x - y * y),
        ("log(exp(x) + exp(y))", |x, y| (x.exp() + y.exp()).ln()),
    ];
    let mut table = Table::new(["f", "least eigenvalue of the Hessian on [-2, 2]²"]);
    let axis = || (-8..=8).map(|i| f64::from(i) / 4.0);
    for ((name, f), metric) in
        functions.into_iter().zip(["eigenvalue_bowl", "eigenvalue_saddle", "eigenvalue_logsumexp"])
    {
        let points = axis().flat_map(|x| axis().map(move |y| (x, y)));
        let least = points.map(|point| eigenvalues(hessian(f, point))[0]).fold(f64::INFINITY, f64::min);
        table.row([name.to_string(), format!("{least:.4}")]);
        nb.metric(metric, least)?;
    }
    nb.say(table)?;

    nb.cell("Penalties")?;
    let mut table = Table::new(["λ", "minimum at", "by how much x ≤ 1 is broken"]);
    for lambda in [1.0, 10.0, 100.0, 1000.0] {
        let x = penalized_minimum(lambda);
        table.row([lambda.to_string(), format!("{x:.4}"), format!("{:.4}", x - 1.0)]);
    }
    nb.say(table)?;
    nb.metric("penalty_violation", penalized_minimum(1000.0) - 1.0)?;

    nb.cell("Projections")?;
    let (gradient, radius) = ([3.0, -4.0], 1.0);
    let projected = project_onto_ball(gradient, radius);
    nb.say(format!("{gradient:?} projected onto the ball of radius {radius}: {projected:.2?}"))?;
    let w = Var::new(&gradient, nb.device())?;
    let mut grads = backward(&(w.sqr()? * 0.5)?.sum_all()?)?; // the gradient of ½‖w‖² is w
    clip_gradients(&mut grads, std::slice::from_ref(&w), radius)?;
    let clipped = grads.get(&w)?.to_vec1::<f64>()?;
    nb.say(format!("the same gradient clipped to a norm of {radius}: {clipped:.2?}"))?;
    let apart = clipped.iter().zip(projected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    nb.metric("clipping_difference", apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convex_functions_stay_below_their_chords() {
        let above = FUNCTIONS.map(|(_, f)| above_chord(f, -1.5, 1.0));
        assert!(above[0] == 0.0 && above[2] == 0.0, "{above:?}");
        assert!(above[1] > 1.0, "{above:?}");
    }

    #[test]
    fn a_penalty_comes_near_its_constraint() {
        // (x - 2) + λ (x - 1) = 0 at x = (2 + λ) / (1 + λ).
        for lambda in [0.5, 3.0, 50.0] {
            assert!((penalized_minimum(lambda) - (2.0 + lambda) / (1.0 + lambda)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_projection_leaves_what_is_inside() {
        assert_eq!(project_onto_ball([0.3, 0.4], 1.0), [0.3, 0.4]);
        let [x, y] = project_onto_ball([3.0, 4.0], 1.0);
        assert!((x - 0.6f64).abs() < 1e-12 && (y - 0.8f64).abs() < 1e-12);
    }
}
