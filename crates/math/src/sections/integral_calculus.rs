//! 18.5 Integral Calculus
//!
//! Areas by thin slices, the function whose derivative the area is, other variables, and volumes by slices of slices.
//!
//! `cargo run --release -p math -- integral-calculus`
//! At once: slices of 0.05 give 0.7944855690002441 for 0.8047; the volume under exp(-x² - y²) over the plane is π.

use std::f64::consts::{PI, TAU};

use d2l::plot::Surface;
use d2l::prelude::*;
use optimization::derivatives::slope;
use statrs::function::erf::erf;

pub use super::single_variable_calculus::Config;
use crate::grid::{arange, values};

/// `exp(-x²)`, the bell.
pub fn bell(x: f64) -> f64 {
    (-x * x).exp()
}

/// The book's example, `x / (1 + x²)`.
pub fn ratio(x: f64) -> f64 {
    x / (1.0 + x * x)
}

/// The bell with the area under it filled between `a` and `b`.
fn filled(a: f64, b: f64) -> Chart {
    let (xs, inside) = (arange(-2.0, 2.005, 0.01), arange(a, b + 0.005, 0.01)); // with the right ends
    let chart = Chart::new().x_label("x").y_label("f(x)").y_range(0.0..1.05);
    chart.area("", &inside, &vec![0.0; inside.len()], &values(bell, &inside)).unlabeled_line(&xs, &values(bell, &xs))
}

/// The area under `f` from `a` to `b` by slices as high as `f` is at their left, as the book takes them.
pub fn left_sum(f: impl Fn(f64) -> f64, a: f64, b: f64, slices: u32) -> f64 {
    slice_sum(f, a, b, slices, 0.0)
}

/// The area under `f` from `a` to `b` by slices as high as `f` is in their middles. It is negative where `f` is, and
/// has the other sign where `b` is left of `a`.
pub fn integral(f: impl Fn(f64) -> f64, a: f64, b: f64, slices: u32) -> f64 {
    slice_sum(f, a, b, slices, 0.5)
}

/// The slices' areas, added; `at` tells where in a slice its height is taken.
fn slice_sum(f: impl Fn(f64) -> f64, a: f64, b: f64, slices: u32, at: f64) -> f64 {
    let width = (b - a) / f64::from(slices);
    (0..slices).map(|i| f(a + (f64::from(i) + at) * width) * width).sum()
}

/// The mound whose volume the book looks for, `exp(-x² - y²)`.
pub fn mound(x: f64, y: f64) -> f64 {
    (-x * x - y * y).exp()
}

/// The book's function whose integral depends on the order, `xy(x² - y²) / (x² + y²)³`.
pub fn order_matters(x: f64, y: f64) -> f64 {
    x * y * (x * x - y * y) / (x * x + y * y).powi(3)
}

/// How much the map from polar coordinates to `(r cos θ, r sin θ)` stretches areas: the determinant of its Jacobian,
/// from numbers.
pub fn polar_stretch(r: f64, theta: f64) -> f64 {
    let (x, y) = (|r: f64, theta: f64| r * theta.cos(), |r: f64, theta: f64| r * theta.sin());
    let by_r = [slope(|r| x(r, theta), r), slope(|r| y(r, theta), r)];
    let by_theta = [slope(|theta| x(r, theta), theta), slope(|theta| y(r, theta), theta)];
    by_r[0] * by_theta[1] - by_theta[0] * by_r[1]
}

/// The volume under the mound over the disc of a radius, by slices of r and θ.
pub fn over_disc(radius: f64) -> f64 {
    let ring = |r: f64| integral(|theta| mound(r * theta.cos(), r * theta.sin()) * r, 0.0, TAU, 50);
    integral(ring, 0.0, radius, 1000)
}

/// The volume under the mound over the square around 0 whose sides are twice as long, by slices of x and y.
pub fn over_square(half: f64) -> f64 {
    integral(|y| integral(|x| mound(x, y), -half, half, 200), -half, half, 200)
}

/// Shows the area under [`ratio`] as a function of where it ends, and that this function's slope is [`ratio`] again.
fn show_fundamental_theorem(nb: &mut Notebook) -> anyhow::Result<()> {
    let area = |x: f64| integral(ratio, 0.0, x, 1000);
    let xs = arange(0.0, 4.05, 0.05);
    let slopes = values(|x| slope(area, x), &xs);
    let chart = Chart::new().x_label("x").line("f(x) = x / (1 + x²)", &xs, &values(ratio, &xs));
    let chart = chart.line("F(x), the area from 0 to x", &xs, &values(area, &xs)).line("slope of F", &xs, &slopes);
    nb.figure(
        "fundamental-theorem",
        "A function, its area up to x, and that area's slope, which is the function",
        chart,
    )?;
    let error = slopes.iter().zip(values(ratio, &xs)).map(|(slope, f)| (slope - f).abs()).fold(0.0, f64::max);
    nb.say(format!("slope of F and f at most {error:.1e} apart"))?;
    nb.metric("area_slope_error", error)?;

    let rows = [
        ("x / (1 + x²) from 0 to 2", area(2.0), 5f64.ln() / 2.0),
        ("5x⁴ from 0 to 1.5", integral(|x| 5.0 * x.powi(4), 0.0, 1.5, 1000), 1.5f64.powi(5)),
        ("eˣ from 0 to 1", integral(f64::exp, 0.0, 1.0, 1000), 1f64.exp() - 1.0),
    ];
    let mut table = Table::new(["area", "by slices", "by what has this derivative"]);
    for (name, by_slices, by_derivative) in rows {
        table.row([name.to_string(), format!("{by_slices:.5}"), format!("{by_derivative:.5}")]);
    }
    nb.say(table)
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Geometric interpretation")?;
    nb.figure("area", "The area between the bell exp(-x²) and the x axis", filled(-2.0, 2.0))?;

    nb.cell("The area between two ends")?;
    nb.figure("ends", "The area under the bell exp(-x²) from -1.5 to 0.5", filled(-1.5, 0.5))?;

    nb.cell("Slices")?;
    let (epsilon, a, b) = (0.05, 0.0, 2.0);
    let xs = arange(a, b, epsilon);
    let approximation = left_sum(ratio, a, b, xs.len() as u32);
    let truth = 5f64.ln() / 2.0;
    let middles = values(|x| x + epsilon / 2.0, &xs);
    let chart = Chart::new().x_label("x").y_label("f(x)").y_range(0.0..1.0);
    let chart = chart.bars("slices", &middles, &values(ratio, &xs), epsilon);
    let chart = chart.line("x / (1 + x²)", &xs, &values(ratio, &xs));
    nb.figure("slices", "The curve of x / (1 + x²) from 0 to 2 and forty slices below it", chart)?;
    // The book adds the slices up in single precision.
    nb.say(format!("approximation: {}, truth: {truth:.4}", f64::from(approximation as f32)))?;
    nb.metric("slices_area", approximation)?;
    nb.metric("true_area", truth)?;
    let mut table = Table::new(["slices", "error, heights at the left", "heights in the middle"]);
    for slices in [40, 80, 160, 320] {
        let errors = [left_sum(ratio, a, b, slices), integral(ratio, a, b, slices)].map(|area| (area - truth).abs());
        table.row([slices.to_string()].into_iter().chain(errors.map(|error| format!("{error:.1e}"))));
    }
    nb.say(table)?;

    nb.cell("The fundamental theorem of calculus")?;
    show_fundamental_theorem(nb)?;

    nb.cell("Change of variables")?;
    let (u, du) = (bell, |y: f64| -2.0 * y * bell(y));
    let mut table = Table::new(["f", "f from u(0) to u(1)", "f(u) times du/dy from 0 to 1"]);
    let mut difference = 0f64;
    let functions: [fn(f64) -> f64; 3] = [|_| 1.0, f64::cos, f64::exp];
    for (name, f) in ["1", "cos", "exp"].into_iter().zip(functions) {
        let sides = [integral(f, u(0.0), u(1.0), 1000), integral(|y| f(u(y)) * du(y), 0.0, 1.0, 1000)];
        table.row([name.to_string()].into_iter().chain(sides.map(|side| format!("{side:.5}"))));
        difference = difference.max((sides[0] - sides[1]).abs());
    }
    nb.say(table)?;
    let area = integral(|y| y * bell(y), 0.0, 1.0, 1000);
    nb.say(format!("y exp(-y²) from 0 to 1: {area:.5}, (1 - 1/e) / 2 is {:.5}", (1.0 - (-1f64).exp()) / 2.0))?;
    nb.metric("substitution_difference", difference)?;
    nb.metric("substituted_area", area)?;

    nb.cell("A comment on sign conventions")?;
    for (f, end) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
        nb.say(format!("{f} from 0 to {end}: {:.3}", integral(|_| f, 0.0, end, 100)))?;
    }

    nb.cell("Multiple integrals")?;
    let axis = arange(-2.0, 2.05, 0.1);
    let surface = Surface::new(&axis, &axis, mound).x_label("x").y_label("y").z_label("f");
    nb.figure("mound", "The surface of exp(-x² - y²) over the square from -2 to 2", surface)?;
    let x_first = integral(|y| integral(|x| mound(x, y), -2.0, 2.0, 200), -2.0, 2.0, 200);
    let y_first = integral(|x| integral(|y| mound(x, y), -2.0, 2.0, 200), -2.0, 2.0, 200);
    let truth = PI * erf(2.0).powi(2);
    nb.say(format!("x first: {x_first:.5}, y first: {y_first:.5}, truth: {truth:.5}"))?;
    nb.metric("volume_error", (x_first - truth).abs())?;
    nb.metric("order_difference", (x_first - y_first).abs())?;

    nb.cell("Where the order matters")?;
    // Near (0, 0) the function has no bounds: the slices within must be far thinner than those without.
    let y_first = integral(|x| integral(|y| order_matters(x, y), 0.0, 1.0, 10_000), 0.0, 2.0, 100);
    let x_first = integral(|y| integral(|x| order_matters(x, y), 0.0, 2.0, 10_000), 0.0, 1.0, 100);
    nb.say(format!("y first: {y_first:.3}, x first: {x_first:.3}"))?;
    nb.metric("volume_y_first", y_first)?;
    nb.metric("volume_x_first", x_first)?;

    nb.cell("Change of variables in multiple integrals")?;
    let mut table = Table::new(["r", "θ", "how much areas are stretched"]);
    let mut error = 0f64;
    for (r, theta) in [(0.5, 0.0), (1.0, 1.0), (2.5, 4.0)] {
        let stretch = polar_stretch(r, theta);
        table.row([r.to_string(), theta.to_string(), format!("{stretch:.6}")]);
        error = error.max((stretch - r).abs());
    }
    nb.say(table)?;
    nb.metric("stretch_error", error)?;
    let mut table = Table::new(["R", "square from -R to R", "disc of radius R"]);
    for radius in [1.0, 2.0, 3.0, 4.0, 6.0] {
        let volumes = [over_square(radius), over_disc(radius)].map(|volume| format!("{volume:.4}"));
        table.row([radius.to_string()].into_iter().chain(volumes));
    }
    nb.say(table)?;
    nb.metric("volume_over_plane", over_disc(6.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_the_book_s_to_the_last_digit() {
        let approximation = left_sum(ratio, 0.0, 2.0, 40);
        assert_eq!(f64::from(approximation as f32).to_string(), "0.7944855690002441");
        assert_eq!(format!("{:.4}", 5f64.ln() / 2.0), "0.8047");
    }

    #[test]
    fn thinner_slices_are_closer() {
        let truth = 5f64.ln() / 2.0;
        let error = |sum: f64| (sum - truth).abs();
        let left = error(left_sum(ratio, 0.0, 2.0, 100)) / error(left_sum(ratio, 0.0, 2.0, 200));
        let middle = error(integral(ratio, 0.0, 2.0, 100)) / error(integral(ratio, 0.0, 2.0, 200));
        assert!((left - 2.0).abs() < 0.05 && (middle - 4.0).abs() < 0.05, "{left} {middle}");
    }

    #[test]
    fn areas_add_up_and_have_signs() {
        let whole = integral(bell, -1.0, 2.0, 3000);
        let parts = integral(bell, -1.0, 0.5, 1500) + integral(bell, 0.5, 2.0, 1500);
        assert!((whole - parts).abs() < 1e-12, "{whole} {parts}");
        assert!((integral(bell, 2.0, -1.0, 3000) + whole).abs() < 1e-12);
        assert!((integral(|_| -1.0, 0.0, -1.0, 10) - 1.0).abs() < 1e-12);
        assert_eq!(integral(bell, 0.7, 0.7, 10), 0.0);
    }

    #[test]
    fn the_slope_of_an_area_is_the_function() {
        for x in [0.2, 1.0, 3.0] {
            let slope = slope(|x| integral(ratio, 0.0, x, 1000), x);
            assert!((slope - ratio(x)).abs() < 1e-5, "{x}: {slope}");
        }
    }

    #[test]
    fn volumes_are_the_known_ones() {
        assert!((over_square(2.0) - PI * erf(2.0).powi(2)).abs() < 1e-4);
        // 2π ∫ r exp(-r²) dr from 0 to R.
        for radius in [0.5f64, 1.0, 2.0] {
            let expected = PI * (1.0 - (-radius * radius).exp());
            assert!((over_disc(radius) - expected).abs() < 1e-4, "{radius}");
        }
        assert!((over_disc(6.0) - PI).abs() < 1e-4 && (over_square(6.0) - PI).abs() < 1e-9);
    }

    #[test]
    fn the_map_of_polar_coordinates_stretches_by_the_radius() {
        for (r, theta) in [(0.1, 0.5), (1.0, 3.0), (7.0, -2.0)] {
            assert!((polar_stretch(r, theta) - r).abs() < 1e-6, "{r} {theta}");
        }
    }
}
