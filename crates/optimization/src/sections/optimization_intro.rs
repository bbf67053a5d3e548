//! 11.1 Optimization and Deep Learning
//!
//! What optimization looks for and what learning wants, and what stands in the way: local minima, saddle points, slopes
//! that vanish.
//!
//! `cargo run --release -p optimization -- optimization-intro`
//! At once: the empirical risk is least at 1.02, the risk at 1.09; tanh has the slope 0.0013 at 4.

use std::f64::consts::PI;

use d2l::plot::Surface;
use d2l::prelude::*;

use crate::derivatives::{eigenvalues, hessian, slope};

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// The risk: `x cos(πx)`.
pub fn risk(x: f64) -> f64 {
    x * (PI * x).cos()
}

/// The empirical risk, which a finite set of examples makes rougher.
pub fn empirical_risk(x: f64) -> f64 {
    risk(x) + 0.2 * (5.0 * PI * x).cos()
}

/// Numbers from `low` up to `high`, a hundredth apart.
pub fn hundredths(low: f64, high: f64) -> Vec<f64> {
    let steps = ((high - low) * 100.0).round() as i32;
    (0..=steps).map(|i| low + f64::from(i) * 0.01).collect()
}

/// Where `f` is least among `xs`.
fn least(f: impl Fn(f64) -> f64, xs: &[f64]) -> f64 {
    xs.iter().copied().min_by(|&a, &b| f(a).total_cmp(&f(b))).unwrap_or(f64::NAN)
}

/// The points of `xs` where `f` is lower than at both neighbors.
fn local_minima(f: impl Fn(f64) -> f64, xs: &[f64]) -> Vec<f64> {
    xs.windows(3).filter(|x| f(x[1]) < f(x[0]) && f(x[1]) < f(x[2])).map(|x| x[1]).collect()
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Goal of optimization")?;
    let xs = hundredths(0.5, 1.5);
    let values = |f: fn(f64) -> f64| xs.iter().map(|&x| f(x)).collect::<Vec<_>>();
    let (best_empirical, best) = (least(empirical_risk, &xs), least(risk, &xs));
    let chart = Chart::new().x_label("x").y_label("risk").y_range(-1.35..0.45);
    let chart = chart.line("risk", &xs, &values(risk)).line("empirical risk", &xs, &values(empirical_risk));
    let chart =
        chart.annotation("min of empirical risk", (best_empirical, empirical_risk(best_empirical)), (0.72, -1.2));
    let chart = chart.annotation("min of risk", (best, risk(best)), (1.25, -0.45));
    nb.figure("risks", "The risk and the rougher empirical risk, whose minima lie apart", chart)?;
    nb.say(format!("least empirical risk at {best_empirical:.2}, where the risk is {:.3}", risk(best_empirical)))?;
    nb.say(format!("least risk at {best:.2}, where it is {:.3}", risk(best)))?;
    nb.metric("risk_gap", risk(best_empirical) - risk(best))?;

    nb.cell("Local minima")?;
    let xs = hundredths(-1.0, 2.0);
    let minima = local_minima(risk, &xs);
    let global = least(risk, &xs);
    let ys: Vec<f64> = xs.iter().map(|&x| risk(x)).collect();
    let mut chart = Chart::new().x_label("x").y_label("f(x)").unlabeled_line(&xs, &ys);
    for &x in &minima {
        let name = if x == global { "global minimum" } else { "local minimum" };
        nb.say(format!("{name} at {x:.2}: {:.3}", risk(x)))?;
        let text_at = if x == global { (0.3, -1.0) } else { (-0.45, -0.8) };
        chart = chart.annotation(name, (x, risk(x)), text_at);
    }
    nb.figure("local-minima", "x cos(πx), which has two minima between -1 and 2", chart)?;
    nb.metric("minima", minima.len() as f64)?;

    nb.cell("A saddle point")?;
    let xs = hundredths(-2.0, 2.0);
    let ys: Vec<f64> = xs.iter().map(|&x| x.powi(3)).collect();
    let chart = Chart::new().x_label("x").y_label("f(x)").unlabeled_line(&xs, &ys);
    let chart = chart.annotation("saddle point", (0.0, 0.0), (-0.3, -4.2));
    nb.figure("saddle", "x³, whose slope vanishes at 0, where there is no minimum", chart)?;
    nb.say(format!("slope of x³ at 0: {:.1e}", slope(|x| x.powi(3), 0.0)))?;

    nb.cell("A saddle point in two dimensions")?;
    let f = |x: f64, y: f64| x * x - y * y;
    let axis: Vec<f64> = (-10..=10).map(|i| f64::from(i) / 10.0).collect();
    let surface = Surface::new(&axis, &axis, f).mark((0.0, 0.0, 0.0)).x_label("x").y_label("y").z_label("f");
    nb.figure("saddle-surface", "The surface x² - y², a saddle with its point marked", surface)?;
    let [low, high] = eigenvalues(hessian(f, (0.0, 0.0)));
    nb.say(format!("eigenvalues of the Hessian at the saddle point: {low:.3} and {high:.3}"))?;
    nb.metric("smallest_eigenvalue", low)?;
    let mut table = Table::new(["y at the start", "steps until f is below -1"]);
    for start in [0.0, 1e-12, 1e-6, 1e-3] {
        let (mut x, mut y) = (1.0, start);
        let steps = (0..1000).find(|_| {
            (x, y) = (x - 0.1 * 2.0 * x, y + 0.1 * 2.0 * y);
            f(x, y) < -1.0
        });
        let steps = steps.map_or("never in 1000".into(), |steps| (steps + 1).to_string());
        table.row([format!("{start:.0e}"), steps]);
    }
    nb.say(table)?;

    nb.cell("Vanishing gradients")?;
    let xs = hundredths(-2.0, 5.0);
    let ys: Vec<f64> = xs.iter().map(|&x| x.tanh()).collect();
    let chart = Chart::new().x_label("x").y_label("f(x)").unlabeled_line(&xs, &ys);
    let chart = chart.annotation("vanishing gradient", (4.0, 4f64.tanh()), (3.2, 0.2));
    nb.figure("tanh", "tanh, which is nearly flat at 4", chart)?;
    let flat = slope(f64::tanh, 4.0);
    nb.say(format!("slope of tanh at 0: {:.4}, at 4: {flat:.4}", slope(f64::tanh, 0.0)))?;
    nb.metric("tanh_slope", flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_are_found_among_the_points() {
        let xs = hundredths(-1.0, 2.0);
        assert_eq!(xs.len(), 301);
        let minima = local_minima(risk, &xs);
        assert_eq!(minima.len(), 2, "{minima:?}");
        // Where the derivative cos(πx) - πx sin(πx) vanishes.
        assert!((minima[0] + 0.27).abs() < 0.011 && (minima[1] - 1.09).abs() < 0.011, "{minima:?}");
        assert_eq!(least(risk, &xs), minima[1]);
    }
}
