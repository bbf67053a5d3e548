//! 18.3 Single Variable Calculus
//!
//! Curves that are straight when seen from near, the derivative that tells how steep they are there, and polynomials
//! that have a function's derivatives.
//!
//! `cargo run --release -p math -- single-variable-calculus`
//! At once: the quotients 25.11000, 8.00270, 8.00012 and 8.00001; at 3 the polynomial of degree 5 is 1.69 below eˣ.

use std::f64::consts::PI;

use d2l::plot::Panels;
use d2l::prelude::*;
use optimization::derivatives::slope;

use crate::grid::{arange, values};

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// The book's function with turns at every scale but the smallest: `sin(xˣ)`.
pub fn winding(x: f64) -> f64 {
    x.powf(x).sin()
}

/// How far the curve of `ys`, evenly spaced, is from its chord at most, as a share of its height.
pub fn bend(ys: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (ys.first(), ys.last()) else { return 0.0 };
    let chord = |i: usize| first + (last - first) * i as f64 / (ys.len() - 1).max(1) as f64;
    let furthest = ys.iter().enumerate().map(|(i, y)| (y - chord(i)).abs()).fold(0.0, f64::max);
    let (low, high) = ys.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &y| (low.min(y), high.max(y)));
    furthest / (high - low)
}

/// Shows [`winding`] from `low` up to `high`, and how much it bends there.
fn show_range(nb: &mut Notebook, name: &str, low: f64, high: f64, step: f64) -> anyhow::Result<()> {
    let xs = arange(low, high, step);
    let ys = values(winding, &xs);
    let chart = Chart::new().x_label("x").y_label("f(x)").unlabeled_line(&xs, &ys);
    nb.figure(name, &format!("The curve of sin(xˣ) for x from {low} to {high}"), chart)?;
    nb.say(format!("at most {:.1}% of its height from its chord", 100.0 * bend(&ys)))?;
    nb.metric(&format!("bend_{name}"), bend(&ys))
}

/// The book's example, `x² + 1701 (x - 4)³`, whose slope at 4 is 8.
#[doc(alias = "L")]
pub fn cubic(x: f64) -> f64 {
    x.powi(2) + 1701.0 * (x - 4.0).powi(3)
}

/// The change of `f` from `x` to `x + epsilon` over `epsilon`.
pub fn difference_quotient(f: impl Fn(f64) -> f64, x: f64, epsilon: f64) -> f64 {
    (f(x + epsilon) - f(x)) / epsilon
}

/// A rule with an example, the function and its derivative by the rule.
type Rule = (&'static str, fn(f64) -> f64, fn(f64) -> f64);

/// The book's rules, each with an example, and last its function that takes several of them.
pub const RULES: [Rule; 9] = [
    ("constants: 3", |_| 3.0, |_| 0.0),
    ("linear functions: 5x", |x| 5.0 * x, |_| 5.0),
    ("powers: x⁴", |x| x.powi(4), |x| 4.0 * x.powi(3)),
    ("exponentials: eˣ", f64::exp, f64::exp),
    ("logarithms: log x", f64::ln, |x| 1.0 / x),
    ("sums: x⁴ + log x", |x| x.powi(4) + x.ln(), |x| 4.0 * x.powi(3) + 1.0 / x),
    ("products: x⁴ log x", |x| x.powi(4) * x.ln(), |x| 4.0 * x.powi(3) * x.ln() + x.powi(4) / x),
    ("chains: exp(-x²)", |x| (-x * x).exp(), |x| (-x * x).exp() * -2.0 * x),
    (
        "all: log(1 + (x - 1)¹⁰)",
        |x| (1.0 + (x - 1.0).powi(10)).ln(),
        |x| 10.0 * (x - 1.0).powi(9) / (1.0 + (x - 1.0).powi(10)),
    ),
];

/// The Taylor polynomial, evaluated at `x`, of a function that has this value and these derivatives at `x0`.
pub fn taylor(derivatives: &[f64], x0: f64, x: f64) -> f64 {
    // From the highest derivative down, so that each is divided by its factorial on the way.
    let terms = derivatives.iter().enumerate().rev();
    terms.fold(0.0, |higher, (i, derivative)| derivative + (x - x0) / (i + 1) as f64 * higher)
}

/// The Taylor polynomial of the sine at `x0`, of degree 2 at most.
pub fn sine_polynomial(degree: usize, x0: f64, x: f64) -> f64 {
    taylor(&[x0.sin(), x0.cos(), -x0.sin()][..=degree.min(2)], x0, x)
}

/// The sine with its Taylor polynomials of a degree at three points.
fn sine_chart(degree: usize) -> Chart {
    let xs = arange(-PI, PI, 0.01);
    let chart = Chart::new().x_label("x").y_label("f(x)").y_range(-1.5..1.5);
    let chart = chart.line("sin x", &xs, &values(f64::sin, &xs));
    [-1.5, 0.0, 2.0].into_iter().fold(chart, |chart, x0| {
        chart.line(format!("degree {degree} at {x0}"), &xs, &values(|x| sine_polynomial(degree, x0, x), &xs))
    })
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Differential calculus")?;
    show_range(nb, "wide", 0.01, 3.01, 0.01)?;

    nb.cell("The same function in a smaller range")?;
    show_range(nb, "narrow", 1.75, 2.25, 0.001)?;

    nb.cell("The same function in a tiny range")?;
    show_range(nb, "tiny", 2.0, 2.01, 0.0001)?;

    nb.cell("The difference over epsilon")?;
    for epsilon in [0.1, 0.001, 0.0001, 1e-5] {
        nb.say(format!("epsilon = {epsilon:.5} -> {:.5}", difference_quotient(cubic, 4.0, epsilon)))?;
    }
    nb.metric("difference_quotient", difference_quotient(cubic, 4.0, 1e-5))?;

    nb.cell("Rules of calculus")?;
    let x = 1.5;
    let mut table = Table::new(["rule", "derivative at 1.5 by it", "slope from numbers"]);
    for (rule, f, derivative) in RULES {
        table.row([rule.to_string(), format!("{:.6}", derivative(x)), format!("{:.6}", slope(f, x))]);
    }
    nb.say(table)?;
    let errors = RULES.iter().map(|&(_, f, derivative)| (derivative(x) - slope(f, x)).abs());
    nb.metric("rule_error", errors.fold(0.0, f64::max))?;

    nb.cell("Linear approximation")?;
    nb.figure("linear", "The sine with its tangents at -1.5, 0 and 2", sine_chart(1))?;

    nb.cell("Higher-order derivatives")?;
    let xs = arange(-1.5, 1.55, 0.05);
    let charts =
        [("f'' above 0", 1.0, 0.0), ("f'' below 0", -1.0, 0.0), ("f'' is 0", 0.0, 1.0)].map(|(title, a, b)| {
            let chart = Chart::new().size(320, 260).title(title).x_label("x").y_range(-3.2..3.2);
            let chart = chart.line("f", &xs, &values(|x| a * x * x + b * x, &xs));
            chart.line("f'", &xs, &values(|x| 2.0 * a * x + b, &xs)).line("f''", &xs, &values(|_| 2.0 * a, &xs))
        });
    let alt =
        "Three functions with their first and second derivatives: one has a minimum, one a maximum, one is straight";
    nb.figure("second-derivatives", alt, Panels::new(3, charts))?;

    nb.cell("Quadratic approximation")?;
    nb.figure("quadratic", "The sine with the parabolas that touch it best at -1.5, 0 and 2", sine_chart(2))?;
    let mut table = Table::new(["from 2 to", "error of the tangent", "error of the parabola"]);
    let error =
        |degree: usize, epsilon: f64| ((2.0 + epsilon).sin() - sine_polynomial(degree, 2.0, 2.0 + epsilon)).abs();
    for epsilon in [1.0, 0.1, 0.01] {
        let errors = [1, 2].map(|degree| format!("{:.1e}", error(degree, epsilon)));
        table.row([format!("{}", 2.0 + epsilon)].into_iter().chain(errors));
    }
    nb.say(table)?;
    nb.metric("tangent_error", error(1, 0.1))?;
    nb.metric("parabola_error", error(2, 0.1))?;

    nb.cell("Taylor series")?;
    let xs = arange(0.0, 3.0, 0.01);
    let derivatives = [1.0; 21]; // each derivative of eˣ is eˣ, which is 1 at 0
    let mut chart = Chart::new().x_label("x").y_label("f(x)").line("exponential", &xs, &values(f64::exp, &xs));
    for degree in [1, 2, 5] {
        let ys = values(|x| taylor(&derivatives[..=degree], 0.0, x), &xs);
        chart = chart.line(format!("Taylor series to degree {degree}"), &xs, &ys);
    }
    nb.figure("taylor", "The exponential with three of its Taylor polynomials, each closer to it", chart)?;
    let mut table = Table::new(["degree", "error at 1", "error at 3"]);
    let error = |degree: usize, x: f64| x.exp() - taylor(&derivatives[..=degree], 0.0, x);
    for degree in [1, 2, 5, 10, 20] {
        table.row([degree.to_string(), format!("{:.1e}", error(degree, 1.0)), format!("{:.1e}", error(degree, 3.0))]);
    }
    nb.say(table)?;
    nb.metric("taylor_error", error(5, 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_the_book_s_to_the_last_digit() {
        let quotients = [0.1, 0.001, 0.0001, 1e-5].map(|h| format!("{:.5}", difference_quotient(cubic, 4.0, h)));
        assert_eq!(quotients, ["25.11000", "8.00270", "8.00012", "8.00001"]);
    }

    #[test]
    fn rules_give_the_slopes() {
        for (rule, f, derivative) in RULES {
            for x in [0.4, 1.0, 1.9] {
                let (expected, found) = (slope(f, x), derivative(x));
                assert!(
                    (expected - found).abs() < 1e-6 * (1.0 + found.abs()),
                    "{rule} at {x}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn curves_straighten_from_near() {
        assert!(bend(&values(|x| 3.0 - 2.0 * x, &arange(0.0, 1.0, 0.1))) < 1e-12);
        // A parabola over [0, 1] is a quarter from its chord in the middle.
        assert!((bend(&values(|x| x * x, &arange(0.0, 1.05, 0.1))) - 0.25).abs() < 1e-12);
        let [narrow, tiny] =
            [arange(1.75, 2.25, 0.001), arange(2.0, 2.01, 0.0001)].map(|xs| bend(&values(winding, &xs)));
        assert!(narrow > 0.5 && tiny < 0.01, "{narrow} {tiny}");
    }

    #[test]
    fn a_polynomial_is_its_own_taylor_series() {
        // 2 - x + 3x² - x³ at 2: the value 0, the derivatives -1, 0 - 6 and -6.
        let f = |x: f64| 2.0 - x + 3.0 * x.powi(2) - x.powi(3);
        let derivatives = [f(2.0), -1.0 + 12.0 - 12.0, 6.0 - 12.0, -6.0];
        for x in [-3.0, 0.5, 2.0, 4.0] {
            assert!((taylor(&derivatives, 2.0, x) - f(x)).abs() < 1e-12, "{x}");
        }
        assert_eq!(taylor(&[], 0.0, 1.0), 0.0);
        assert!((taylor(&[1.0; 6], 0.0, 3.0) - 18.4).abs() < 1e-12);
    }

    #[test]
    fn each_degree_divides_the_error_by_ten_more() {
        let error =
            |degree: usize, epsilon: f64| (sine_polynomial(degree, 2.0, 2.0 + epsilon) - (2.0 + epsilon).sin()).abs();
        for (degree, expected) in [(1, 100.0), (2, 1000.0)] {
            let ratio = error(degree, 0.01) / error(degree, 0.001);
            assert!((ratio / expected - 1.0).abs() < 0.05, "{degree}: {ratio}");
        }
    }
}
