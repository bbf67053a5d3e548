//! 18.4 Multivariable Calculus
//!
//! Gradients and what they point at, the chain rule along the paths of a net, backpropagation by hand and by autograd,
//! Hessians, and derivatives for vectors and matrices.
//!
//! `cargo run --release -p math -- multivariable-calculus`
//! At once: 1.0819 for 1.0821; the net gives 1024, and its derivatives are -4096 by hand both ways and by autograd.
//!
//! Three things are not as in the book: its quadratic at (-1, 0) has twice the second-order terms, its derivative of
//! ‖X - UV‖² the other sign, and its autograd prints the gradients of other inputs than it names.

use std::f64::consts::{LN_2, TAU};

use d2l::plot::{Graph, Surface};
use d2l::prelude::*;
use optimization::derivatives::{curvature, hessian, slope};

pub use super::single_variable_calculus::Config;
use crate::grid::{arange, values};

/// `log(eˣ + eʸ)`.
pub fn log_sum_exp(x: f64, y: f64) -> f64 {
    (x.exp() + y.exp()).ln()
}

/// The gradient of [`log_sum_exp`]: the softmax of `x` and `y`.
#[doc(alias = "grad_f")]
pub fn log_sum_exp_gradient(x: f64, y: f64) -> [f64; 2] {
    [x, y].map(|input| input.exp() / (x.exp() + y.exp()))
}

/// The directions from 0 to 359 degrees, and how fast `f` rises from (x, y) in each.
fn rises_by_direction(f: impl Fn(f64, f64) -> f64, (x, y): (f64, f64)) -> (Vec<f64>, Vec<f64>) {
    let step = 1e-3;
    let rise = |degrees: f64| {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        (f(x + step * cosine, y + step * sine) - f(x, y)) / step
    };
    let degrees = arange(0.0, 360.0, 1.0);
    let rises = values(rise, &degrees);
    (degrees, rises)
}

/// Where the book evaluates its net: w, x, y and z.
pub const POINT: [f64; 4] = [-1.0, 0.0, -2.0, 1.0];

/// The book's net at a point: the squares a and b of sums and differences of w, x, y and z, such squares u and v of a
/// and b, and the square f of u + v; then the derivatives of single steps, each node's for those right before it.
#[derive(Debug, Clone, Copy)]
pub struct SquareNet {
    pub a: f64,
    pub b: f64,
    pub f: f64,
    /// Of f for u and v.
    pub df: [f64; 2],
    /// Of u for a and b.
    pub du: [f64; 2],
    /// Of v for a and b.
    pub dv: [f64; 2],
    /// Of a for w, x, y and z.
    pub da: [f64; 4],
    /// Of b for w, x, y and z.
    pub db: [f64; 4],
}

impl SquareNet {
    /// The forward pass: the values, and the derivatives of single steps.
    pub fn forward([w, x, y, z]: [f64; 4]) -> Self {
        let (sum, difference) = (w + x + y + z, w + x - y - z);
        let (a, b) = (sum.powi(2), difference.powi(2));
        let (u, v) = ((a + b).powi(2), (a - b).powi(2));
        Self {
            a,
            b,
            f: (u + v).powi(2),
            df: [2.0 * (u + v); 2],
            du: [2.0 * (a + b); 2],
            dv: [2.0 * (a - b), -2.0 * (a - b)],
            da: [2.0 * sum; 4],
            db: [1.0, 1.0, -1.0, -1.0].map(|sign| sign * 2.0 * difference),
        }
    }

    /// The derivative of f for one of the inputs, by the chain rule from there on: for a and b, then u and v, then f.
    pub fn derivative_by(&self, input: usize) -> f64 {
        let (da, db) = (self.da[input], self.db[input]);
        let du = self.du[0] * da + self.du[1] * db;
        let dv = self.dv[0] * da + self.dv[1] * db;
        self.df[0] * du + self.df[1] * dv
    }

    /// The derivatives of f for a and b by the chain rule: the path through u and the path through v.
    pub fn by_a_and_b(&self) -> [f64; 2] {
        [0, 1].map(|node| self.df[0] * self.du[node] + self.df[1] * self.dv[node])
    }

    /// The backward pass: the derivatives of f for all inputs, by the chain rule from f back.
    pub fn backward(&self) -> [f64; 4] {
        let [df_da, df_db] = self.by_a_and_b();
        [0, 1, 2, 3].map(|input| df_da * self.da[input] + df_db * self.db[input])
    }
}

/// The net with its inputs at the left and an arrow from each node to those that it changes.
fn graph() -> Graph {
    let inputs = ["w", "x", "y", "z"];
    let graph =
        inputs.into_iter().zip([0, 2, 4, 6]).fold(Graph::new(), |graph, (name, row)| graph.value(name, (0, row)));
    let graph = graph.value("a", (2, 2)).value("b", (2, 4)).value("u", (4, 2)).value("v", (4, 4)).value("f", (6, 3));
    let graph = inputs.into_iter().fold(graph, |graph, name| graph.path([name, "a"]).path([name, "b"]));
    graph.path(["a", "u", "f"]).path(["b", "v", "f"]).path(["a", "v"]).path(["b", "u"])
}

/// The function whose surface the book draws, `x exp(-x² - y²)`.
pub fn hill(x: f64, y: f64) -> f64 {
    x * (-x * x - y * y).exp()
}

/// The gradient of [`hill`].
pub fn hill_gradient(x: f64, y: f64) -> [f64; 2] {
    [1.0 - 2.0 * x * x, -2.0 * x * y].map(|factor| factor * (-x * x - y * y).exp())
}

/// The Hessian of [`hill`], as `[f_xx, f_xy, f_yy]`.
pub fn hill_hessian(x: f64, y: f64) -> [f64; 3] {
    let factors = [4.0 * x.powi(3) - 6.0 * x, 4.0 * x * x * y - 2.0 * y, 4.0 * x * y * y - 2.0 * x];
    factors.map(|factor| factor * (-x * x - y * y).exp())
}

/// The quadratic with the value, the gradient and the Hessian of [`hill`] at (x0, y0), evaluated at (x, y).
pub fn quadratic((x0, y0): (f64, f64), (x, y): (f64, f64)) -> f64 {
    let (dx, dy) = (x - x0, y - y0);
    let ([by_x, by_y], [xx, xy, yy]) = (hill_gradient(x0, y0), hill_hessian(x0, y0));
    hill(x0, y0) + by_x * dx + by_y * dy + 0.5 * (xx * dx * dx + 2.0 * xy * dx * dy + yy * dy * dy)
}

/// What the book writes for that quadratic at (-1, 0): without the half that the second-order terms have.
pub fn quadratic_as_printed(x: f64, y: f64) -> f64 {
    (-1f64).exp() * (-1.0 - (x + 1.0) + 2.0 * (x + 1.0).powi(2) + 2.0 * y.powi(2))
}

/// How far `g` is from [`hill`] at most on a circle around (-1, 0).
pub fn furthest(g: impl Fn(f64, f64) -> f64, radius: f64) -> f64 {
    let on_circle = |i: i32| {
        let (sine, cosine) = (TAU * f64::from(i) / 64.0).sin_cos();
        (-1.0 + radius * cosine, radius * sine)
    };
    (0..64).map(on_circle).map(|(x, y)| (g(x, y) - hill(x, y)).abs()).fold(0.0, f64::max)
}

/// The largest difference between elements of two tensors of one shape.
fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(f64::from((a - b)?.abs()?.max_all()?.to_scalar::<f32>()?))
}

/// Derivatives for vectors and matrices, each with how far autograd's is from the formula.
fn matrix_derivatives(nb: &mut Notebook) -> anyhow::Result<[(&'static str, f64); 4]> {
    let x = Var::from_tensor(&nb.normal(4)?)?; // (4)
    let (beta, a) = (nb.normal(4)?, nb.normal((4, 4))?);
    let by_dot = backward(&beta.dot(&x)?)?;
    let by_form = backward(&x.dot(&a.mv(&x)?)?)?;
    let of_form = (&a + a.t()?)?.mv(&x)?; // (4, 4) (4) -> (4)

    let v = Var::from_tensor(&nb.normal((2, 4))?)?; // (2, 4)
    let (target, u) = (nb.normal((5, 4))?, nb.normal((5, 2))?);
    let residual = (&target - u.matmul(&v)?)?; // (5, 4) - (5, 2) x (2, 4)
    let by_square = backward(&residual.sqr()?.sum_all()?)?;
    let product = u.t()?.matmul(&residual)?; // (2, 5) x (5, 4) -> (2, 4)
    let by_square = by_square.get(&v)?;
    Ok([
        ("d(βx)/dx = βᵀ", apart(by_dot.get(&x)?, &beta)?),
        ("d(xᵀAx)/dx = (A + Aᵀ)x", apart(by_form.get(&x)?, &of_form)?),
        ("d‖X - UV‖²/dV = -2Uᵀ(X - UV)", apart(by_square, &(&product * -2.0)?)?),
        ("the same with the book's sign", apart(by_square, &(&product * 2.0)?)?),
    ])
}

/// Shows [`hill`] with its quadratic at (-1, 0), and how far from it that is at several distances.
fn show_hessians(nb: &mut Notebook) -> anyhow::Result<()> {
    let at = (-1.0, 0.0);
    let (by_formula, from_numbers) = (hill_hessian(at.0, at.1), hessian(hill, at));
    nb.say(format!("Hessian at (-1, 0): {by_formula:.4?} by the formula, {from_numbers:.4?} from numbers"))?;
    let axis = arange(-2.0, 2.1, 0.2);
    // The quadratic leaves the book's box, which ends at 1.
    let within = |x: f64, y: f64| Some(quadratic(at, (x, y))).filter(|&z| z <= 1.0).unwrap_or(f64::NAN);
    let surface = Surface::new(&axis, &axis, hill).beside(within).mark((at.0, at.1, hill(at.0, at.1)));
    let surface = surface.x_label("x").y_label("y").z_label("f");
    nb.figure(
        "quadratic",
        "x exp(-x² - y²) and the quadratic that fits it best at (-1, 0), where both touch",
        surface,
    )?;
    let mut table = Table::new(["distance from (-1, 0)", "error of the quadratic", "as the book prints it"]);
    for radius in [0.4, 0.2, 0.1, 0.05] {
        let errors = [furthest(|x, y| quadratic(at, (x, y)), radius), furthest(quadratic_as_printed, radius)];
        table.row([radius.to_string()].into_iter().chain(errors.map(|error| format!("{error:.1e}"))));
    }
    nb.say(table)?;
    let errors = by_formula.iter().zip(from_numbers).map(|(a, b)| (a - b).abs());
    nb.metric("hessian_error", errors.fold(0.0, f64::max))?;
    nb.metric("quadratic_error", furthest(|x, y| quadratic(at, (x, y)), 0.1))?;
    nb.metric("quadratic_error_as_printed", furthest(quadratic_as_printed, 0.1))
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Higher-dimensional differentiation")?;
    let (x, y) = (0.0, LN_2);
    let ([by_x, by_y], [along_x, along_y]) = (log_sum_exp_gradient(x, y), [0.01, -0.03]);
    let approximation = log_sum_exp(x, y) + along_x * by_x + along_y * by_y;
    let value = log_sum_exp(x + along_x, y + along_y);
    nb.say(format!("approximation: {approximation:.4}, true value: {value:.4}"))?;
    nb.metric("linear_approximation", approximation)?;
    nb.metric("approximated_value", value)?;

    nb.cell("Geometry of gradients and gradient descent")?;
    let (norm, angle) = (by_x.hypot(by_y), by_y.atan2(by_x).to_degrees());
    let (degrees, rises) = rises_by_direction(log_sum_exp, (x, y));
    let by_cosine = values(|degrees| norm * (degrees - angle).to_radians().cos(), &degrees);
    let chart = Chart::new().x_label("direction in degrees").y_label("rise of f by length").vertical(angle);
    let chart = chart.line("measured", &degrees, &rises).line("‖∇f‖ cos θ", &degrees, &by_cosine);
    let alt = "How fast f rises in each direction: the most along the gradient, which the first dashed line marks";
    nb.figure("directions", alt, chart.vertical(angle + 180.0))?;
    let order = |&a: &usize, &b: &usize| rises[a].total_cmp(&rises[b]);
    let [up, down] = [(0..360).max_by(order), (0..360).min_by(order)].map(Option::unwrap_or_default);
    nb.say(format!("the gradient points to {angle:.2} degrees, and its norm is {norm:.4}"))?;
    nb.say(format!("of 360 directions f rises most in {up}, by {:.4}, and falls most in {down}", rises[up]))?;
    nb.metric("steepest_angle_error", (up as f64 - angle).abs())?;

    nb.cell("A note on mathematical optimization")?;
    let f = |x: f64| 3.0 * x.powi(4) - 4.0 * x.powi(3) - 12.0 * x.powi(2);
    let (xs, candidates) = (arange(-2.0, 3.0, 0.01), [-1.0, 0.0, 2.0]);
    let chart = Chart::new().x_label("x").y_label("f(x)").unlabeled_line(&xs, &values(f, &xs));
    let chart = chart.scatter("slope 0", &candidates, &values(f, &candidates), 8.0);
    nb.figure("candidates", "3x⁴ - 4x³ - 12x² with the three points where its slope is 0", chart)?;
    let mut table = Table::new(["x", "f(x)", "|slope|", "second derivative"]);
    for x in candidates {
        let derivatives = [slope(f, x).abs(), curvature(f, x)].map(|value| format!("{value:.3}"));
        table.row([x.to_string(), f(x).to_string()].into_iter().chain(derivatives));
    }
    nb.say(table)?;
    nb.metric("least_value", values(f, &xs).into_iter().fold(f64::INFINITY, f64::min))?;

    nb.cell("Multivariate chain rule")?;
    nb.figure("net", "The net's inputs, its nodes and its output f, with what depends on what", graph())?;
    let net = SquareNet::forward(POINT);
    let [through_u, through_v] = [net.df[0] * net.du[0], net.df[1] * net.dv[0]];
    nb.say(format!("df/da: {through_u} through u and {through_v} through v, {} in all", net.by_a_and_b()[0]))?;
    let above = |a: f64| ((a + net.b).powi(2) + (a - net.b).powi(2)).powi(2);
    nb.say(format!("slope of f along a from numbers: {:.3}", slope(above, net.a)))?;

    nb.cell("From an input to the output")?;
    let [w, x, y, z] = POINT;
    nb.say(format!("f at {w}, {x}, {y}, {z} is {}", net.f))?;
    nb.say(format!("df/dw at {w}, {x}, {y}, {z} is {}", net.derivative_by(0)))?;

    nb.cell("The backpropagation algorithm")?;
    for (name, derivative) in ["w", "x", "y", "z"].into_iter().zip(net.backward()) {
        nb.say(format!("df/d{name} at {w}, {x}, {y}, {z} is {derivative}"))?;
    }
    nb.metric("net_output", net.f)?;
    nb.metric("derivative_by_w", net.derivative_by(0))?;

    nb.cell("Backpropagation by autograd")?;
    let device = nb.device().clone();
    let [w, x, y, z] = POINT.map(|value| Var::new(value as f32, &device));
    let (w, x, y, z) = (w?, x?, y?, z?); // () each
    let (front, back) = ((w.as_tensor() + x.as_tensor())?, (y.as_tensor() + z.as_tensor())?);
    let (a, b) = ((&front + &back)?.sqr()?, (&front - &back)?.sqr()?);
    let (u, v) = ((&a + &b)?.sqr()?, (&a - &b)?.sqr()?);
    let grads = backward(&(u + v)?.sqr()?)?;
    let mut difference = 0f64;
    for ((name, input), by_hand) in [("w", &w), ("x", &x), ("y", &y), ("z", &z)].into_iter().zip(net.backward()) {
        let derivative = f64::from(grads.get(input)?.to_scalar::<f32>()?);
        nb.say(format!("df/d{name} is {derivative}"))?;
        difference = difference.max((derivative - by_hand).abs());
    }
    nb.metric("backpropagation_difference", difference)?;

    nb.cell("Hessians")?;
    show_hessians(nb)?;

    nb.cell("A little matrix calculus")?;
    let mut table = Table::new(["derivative", "furthest from autograd's"]);
    let derivatives = matrix_derivatives(nb)?;
    for (formula, error) in derivatives {
        table.row([formula.to_string(), format!("{error:.1e}")]);
    }
    nb.say(table)?;
    nb.metric("matrix_derivative_error", derivatives[..3].iter().map(|row| row.1).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_approximates_as_in_the_book() {
        let [by_x, by_y] = log_sum_exp_gradient(0.0, LN_2);
        assert!((by_x - 1.0 / 3.0).abs() < 1e-12 && (by_y - 2.0 / 3.0).abs() < 1e-12);
        let approximation = log_sum_exp(0.0, LN_2) + 0.01 * by_x - 0.03 * by_y;
        assert_eq!(format!("{approximation:.4}"), "1.0819");
        assert_eq!(format!("{:.4}", log_sum_exp(0.01, LN_2 - 0.03)), "1.0821");
    }

    #[test]
    fn a_function_rises_most_along_its_gradient() {
        for point in [(0.0, LN_2), (1.5, -1.0), (-0.3, 0.2)] {
            let [by_x, by_y] = log_sum_exp_gradient(point.0, point.1);
            let (degrees, rises) = rises_by_direction(log_sum_exp, point);
            let along = degrees.iter().zip(&rises).max_by(|a, b| a.1.total_cmp(b.1)).expect("360 directions");
            assert!((along.0 - by_y.atan2(by_x).to_degrees()).abs() < 0.6, "{along:?}");
            assert!((along.1 - by_x.hypot(by_y)).abs() < 1e-3, "{along:?}");
        }
    }

    #[test]
    fn the_net_is_the_book_s() {
        let net = SquareNet::forward(POINT);
        assert_eq!(net.f, 1024.0);
        assert_eq!(net.derivative_by(0), -4096.0);
        assert_eq!(net.backward(), [-4096.0; 4]);
    }

    #[test]
    fn both_directions_and_differences_agree() {
        // A point where no two derivatives are alike.
        let point = [0.3, -0.5, 0.2, 0.7];
        let net = SquareNet::forward(point);
        for (input, derivative) in net.backward().into_iter().enumerate() {
            let moved =
                |value: f64| SquareNet::forward(std::array::from_fn(|i| if i == input { value } else { point[i] })).f;
            let expected = slope(moved, point[input]);
            assert!((derivative - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{input}: {derivative} {expected}");
            assert!((net.derivative_by(input) - derivative).abs() < 1e-12 * (1.0 + derivative.abs()));
        }
        let [by_w, _, by_y, _] = net.backward();
        assert!((by_w - by_y).abs() > 0.1, "{by_w} {by_y}");
    }

    #[test]
    fn formulas_are_the_hill_s_derivatives() {
        for point in [(-1.0, 0.0), (0.4, 0.9), (1.3, -0.2)] {
            let [by_x, by_y] = hill_gradient(point.0, point.1);
            assert!((by_x - slope(|x| hill(x, point.1), point.0)).abs() < 1e-8);
            assert!((by_y - slope(|y| hill(point.0, y), point.1)).abs() < 1e-8);
            for (found, expected) in hill_hessian(point.0, point.1).into_iter().zip(hessian(hill, point)) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_quadratic_s_error_falls_with_the_cube() {
        let ratio = |g: &dyn Fn(f64, f64) -> f64| furthest(g, 0.02) / furthest(g, 0.01);
        assert!((ratio(&|x, y| quadratic((-1.0, 0.0), (x, y))) - 8.0).abs() < 0.3);
        // Twice the second-order terms leave an error that falls with the square.
        assert!((ratio(&quadratic_as_printed) - 4.0).abs() < 0.3);
    }
}
