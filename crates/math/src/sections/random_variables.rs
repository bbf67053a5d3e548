//! 18.6 Random Variables
//!
//! Densities, whose areas are probabilities; means, variances and what they bound; a variable that has neither; and two
//! variables together.
//!
//! `cargo run --release -p math -- random-variables`
//! At once: the area of 0.773617 from -2 to 3, Chebyshev's bound reached at p = 1/8, and means of Cauchy's variable that
//! never settle: half of them are beyond 1, of however many draws.

use std::f64::consts::TAU;

use d2l::notebook::at_least;
use d2l::plot::Panels;
use d2l::prelude::*;
use rand::Rng;
use statrs::distribution::{Cauchy, Continuous, ContinuousCDF, Normal};

use super::integral_calculus::integral;
use super::statistics::{mean, normals, variance};
use crate::grid::{arange, values};

/// Settings of the draws.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Points in each panel of covariances and correlations
    #[arg(long, default_value_t = 500, value_parser = at_least::<2>)]
    pub num_points: usize,
    /// Draws for means and covariances in numbers
    #[arg(long, default_value_t = 100_000, value_parser = at_least::<100>)]
    pub num_draws: usize,
}

defaults! { Config: Smoke { num_draws: 10000 } }

/// The book's density: two bells, around -1 and 3, the first four times as heavy.
pub fn density(x: f64) -> f64 {
    let normal = Normal::standard();
    0.2 * normal.pdf(x - 3.0) + 0.8 * normal.pdf(x + 1.0)
}

/// How probable its variable is to be at most `x`.
pub fn cumulative(x: f64) -> f64 {
    let normal = Normal::standard();
    0.2 * normal.cdf(x - 3.0) + 0.8 * normal.cdf(x + 1.0)
}

/// A value with its probability.
pub type Outcome = (f64, f64);

/// The book's running example: `a - 2` and `a + 2` with probability `p` each, and else `a`.
pub fn three_values(a: f64, p: f64) -> [Outcome; 3] {
    [(a - 2.0, p), (a, 1.0 - 2.0 * p), (a + 2.0, p)]
}

/// The mean of `f` of a variable with these outcomes.
pub fn expectation(outcomes: &[Outcome], f: impl Fn(f64) -> f64) -> f64 {
    outcomes.iter().map(|&(x, p)| f(x) * p).sum()
}

/// The mean and the variance of a variable with these outcomes.
pub fn moments(outcomes: &[Outcome]) -> (f64, f64) {
    let mean = expectation(outcomes, |x| x);
    (mean, expectation(outcomes, |x| (x - mean).powi(2)))
}

/// How probable the variable is to be more than `alpha` standard deviations from its mean, which by Chebyshev's
/// inequality is at most `1 / alpha²`.
pub fn outside(outcomes: &[Outcome], alpha: f64) -> f64 {
    let (mean, variance) = moments(outcomes);
    // A value that the interval just reaches stays inside whatever was rounded.
    expectation(outcomes, |x| if (x - mean).abs() > alpha * variance.sqrt() + 1e-12 { 1.0 } else { 0.0 })
}

/// The three values around `a` as stems, and the interval of two standard deviations around their mean.
#[doc(alias = "plot_chebyshev")]
pub fn chebyshev_chart(a: f64, p: f64) -> Chart {
    let outcomes = three_values(a, p);
    let (xs, masses): (Vec<f64>, Vec<f64>) = outcomes.into_iter().unzip();
    let (mean, variance) = moments(&outcomes);
    let (low, high) = (mean - 2.0 * variance.sqrt(), mean + 2.0 * variance.sqrt());
    let chart = Chart::new().title(format!("p = {p:.3}")).x_label("x").y_label("mass").x_range(-4.0..4.0);
    let ends = ([low, low, low, high, high, high], [0.47, 0.53, 0.5, 0.5, 0.53, 0.47]);
    chart.y_range(0.0..1.25).line("mean ± 2 standard deviations", &ends.0, &ends.1).stems("", &xs, &masses)
}

/// The density of two normal variables with correlation `rho`.
pub fn correlated_density(x: f64, y: f64, rho: f64) -> f64 {
    let rest = 1.0 - rho * rho;
    (-(x * x - 2.0 * rho * x * y + y * y) / (2.0 * rest)).exp() / (TAU * rest.sqrt())
}

/// A density of two variables: hills around (-1, 0) and (3, 2), so that the first variable alone has [`density`].
pub fn joint_density(x: f64, y: f64) -> f64 {
    0.8 * correlated_density(x + 1.0, y, 0.6) + 0.2 * correlated_density(x - 3.0, y - 2.0, -0.6)
}

/// The sum of `f` over slices of one twentieth, from where it is nothing to where it is nothing again.
fn sum_out(f: impl Fn(f64) -> f64) -> f64 {
    integral(f, -9.0, 11.0, 400)
}

/// The covariance of pairs, dividing by their number.
pub fn covariance(xs: &[f64], ys: &[f64]) -> f64 {
    let (x_mean, y_mean) = (mean(xs), mean(ys));
    xs.iter().zip(ys).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / xs.len() as f64
}

/// The covariance in units of both standard deviations: from -1 to 1.
pub fn correlation(xs: &[f64], ys: &[f64]) -> f64 {
    covariance(xs, ys) / (variance(xs) * variance(ys)).sqrt()
}

/// Draws of a normal variable, and `slope` times each plus noise of a standard deviation.
fn pairs(stream: &mut Stream, slope: f64, noise: f64, count: usize) -> (Vec<f64>, Vec<f64>) {
    let (xs, noises) = (normals(stream, 0.0, 1.0, count), normals(stream, 0.0, noise, count));
    let ys = xs.iter().zip(noises).map(|(x, noise)| slope * x + noise).collect();
    (xs, ys)
}

fn show_densities(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("From discrete to continuous")?;
    let xs = arange(-5.0, 5.0, 0.01);
    let ps = values(density, &xs);
    let chart = Chart::new().x_label("x").y_label("density").y_range(0.0..0.35).unlabeled_line(&xs, &ps);
    nb.figure("density", "A density with a high hill around -1 and a low one around 3", chart.clone())?;
    let mut table = Table::new(["width around 2", "probability", "divided by the width"]);
    for digits in 0..=5 {
        let width = 10f64.powi(-digits);
        let probability = cumulative(2.0 + width / 2.0) - cumulative(2.0 - width / 2.0);
        table.row([width.to_string(), format!("{probability:.9}"), format!("{:.6}", probability / width)]);
    }
    nb.say(table)?;
    nb.say(format!("density at 2: {:.6}", density(2.0)))?;

    nb.cell("Probability density functions")?;
    let epsilon = 0.01;
    let (inside, heights) = (&xs[300..800], &ps[300..800]); // from -2 up to 3
    let chart = chart.area("", inside, &vec![0.0; inside.len()], heights);
    nb.figure("area", "The density with the area from -2 to 3 filled", chart)?;
    let area = heights.iter().map(|p| epsilon * p).sum::<f64>();
    nb.say(format!("approximate probability: {area:.6}, truth {:.6}", cumulative(3.0) - cumulative(-2.0)))?;
    nb.say(format!("area under the whole density: {:.9}", sum_out(density)))?;
    nb.metric("area_probability", area)?;

    nb.cell("Cumulative distribution functions")?;
    let chart = || Chart::new().size(320, 270).x_label("x").whole_x().y_range(-0.05..1.05);
    let coin = chart().title("a coin").steps("", &[-1, 0, 1, 2], &[0.0, 0.5, 1.0, 1.0]);
    // Heads: what a die shows. Tails: how far from the middle a dart hits.
    let both = |x: f64| 0.5 * (x.floor() / 6.0).clamp(0.0, 1.0) + 0.5 * (1.0 - (-x.max(0.0).powi(2) / 8.0).exp());
    let of_both = arange(-1.0, 8.0, 0.01);
    let charts = [
        chart()
            .title("the density above")
            .y_label("probability of at most x")
            .unlabeled_line(&xs, &values(cumulative, &xs)),
        coin,
        chart().title("a die or a dart").unlabeled_line(&of_both, &values(both, &of_both)),
    ];
    let alt = "Distribution functions: a smooth one, one with two steps, and one that rises and has steps";
    nb.figure("cumulative", alt, Panels::new(3, charts))?;
    for x in [-10.0, -1.0, 1.0, 3.0, 10.0] {
        nb.say(format!("F({x}) = {:.6}, by slices {:.6}", cumulative(x), integral(density, -12.0, x, 2000)))?;
    }
    Ok(())
}

fn show_moments(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Means")?;
    let mut table = Table::new(["a", "p", "mean of X", "of 3X + 1"]);
    for (a, p) in [(0.0, 0.2), (5.0, 0.2), (5.0, 0.05)] {
        let outcomes = three_values(a, p);
        let means = [expectation(&outcomes, |x| x), expectation(&outcomes, |x| 3.0 * x + 1.0)];
        table.row([a.to_string(), p.to_string()].into_iter().chain(means.map(|mean| format!("{mean:.3}"))));
    }
    nb.say(table)?;

    nb.cell("Variances")?;
    let mut table = Table::new(["a", "p", "variance of X", "8p", "of 3X + 1", "of X + Y, independent"]);
    for (a, p) in [(0.0, 0.2), (5.0, 0.2), (5.0, 0.05), (5.0, 0.5)] {
        let outcomes = three_values(a, p);
        let scaled = outcomes.map(|(x, p)| (3.0 * x + 1.0, p));
        let sums: Vec<Outcome> =
            outcomes.iter().flat_map(|(x, p)| outcomes.iter().map(move |(y, q)| (x + y, p * q))).collect();
        let numbers = [moments(&outcomes).1, 8.0 * p, moments(&scaled).1, moments(&sums).1];
        table.row([a.to_string(), p.to_string()].into_iter().chain(numbers.map(|number| format!("{number:.3}"))));
    }
    nb.say(table)?;

    nb.cell("Standard deviations")?;
    let alt = |what: &str| format!("Stems at three values; the interval of two standard deviations {what}");
    nb.figure("p-0.2", &alt("holds all of them"), chebyshev_chart(0.0, 0.2))?;

    nb.cell("An interval that just reaches")?;
    nb.figure("p-0.125", &alt("ends on the outer two"), chebyshev_chart(0.0, 0.125))?;

    nb.cell("An interval that does not reach")?;
    nb.figure("p-0.05", &alt("holds only the middle one"), chebyshev_chart(0.0, 0.05))?;

    nb.cell("Chebyshev's inequality")?;
    let mut table = Table::new(["p", "standard deviation", "more than 2 away", "more than 3", "more than 10"]);
    for p in [0.2, 0.125, 0.1249, 0.05, 0.001] {
        let outcomes = three_values(0.0, p);
        let shares = [2.0, 3.0, 10.0].map(|alpha| format!("{:.4}", outside(&outcomes, alpha)));
        table.row([p.to_string(), format!("{:.4}", moments(&outcomes).1.sqrt())].into_iter().chain(shares));
    }
    let bounds = [2.0f64, 3.0, 10.0].map(|alpha| format!("{:.4}", 1.0 / alpha.powi(2)));
    table.row(["the bound".to_string(), String::new()].into_iter().chain(bounds));
    nb.say(table)?;
    nb.metric("chebyshev_share", outside(&three_values(0.0, 0.1249), 2.0))
}

/// The share of the means of so many draws each that are beyond 1.
fn means_beyond_1(draws: &[f64], size: usize) -> f64 {
    let means: Vec<f64> = draws.chunks_exact(size).map(|draws| mean(draws).abs()).collect();
    means.iter().filter(|&&mean| mean > 1.0).count() as f64 / means.len().max(1) as f64
}

fn show_continuum(nb: &mut Notebook, num_draws: usize) -> anyhow::Result<()> {
    nb.cell("Means and variances in the continuum")?;
    let (first, second) = (integral(|x| x, 0.0, 1.0, 1000), integral(|x| x * x, 0.0, 1.0, 1000));
    nb.say(format!("density 1 from 0 to 1: mean {first:.6}, variance {:.6}", second - first * first))?;
    nb.metric("uniform_variance", second - first * first)?;
    // The book leaves out the factor 1/π, without which the area is π.
    let (law, xs) = (Cauchy::new(0.0, 1.0)?, arange(-5.0, 5.0, 0.01));
    let chart = Chart::new().x_label("x").y_label("density").unlabeled_line(&xs, &values(|x| law.pdf(x), &xs));
    nb.figure("cauchy", "Cauchy's density, a hill around 0 that falls slowly", chart)?;

    nb.cell("No variance, no mean")?;
    let xs = arange(-20.0, 20.0, 0.01);
    let ys = values(|x| x * x * law.pdf(x), &xs);
    let chart = Chart::new().x_label("x").y_label("x² times the density").unlabeled_line(&xs, &ys);
    nb.figure("integrand", "What the variance is the area of: it does not fall toward the sides", chart)?;
    let mut table = Table::new(["up to", "area", "of x times the density, right of 0", "of x² times it"]);
    for end in [10.0, 100.0, 1000.0, 10_000.0f64] {
        let slices = 20 * end as u32;
        let areas = [
            integral(|x| law.pdf(x), -end, end, slices),
            integral(|x| x * law.pdf(x), 0.0, end, slices),
            integral(|x| x * x * law.pdf(x), -end, end, slices),
        ];
        table.row([end.to_string()].into_iter().chain(areas.map(|area| format!("{area:.4}"))));
    }
    nb.say(table)?;

    nb.cell("Means that do not settle")?;
    let cauchy: Vec<f64> = nb.sampling().sample_iter(rand_distr::Cauchy::new(0.0, 1.0)?).take(num_draws).collect();
    let normal = normals(nb.sampling(), 0.0, 1.0, num_draws);
    let counts: Vec<usize> = (0..=400).map(|i| (num_draws as f64).powf(f64::from(i) / 400.0) as usize).collect();
    let running = |draws: &[f64]| {
        let sums: Vec<f64> = draws
            .iter()
            .scan(0.0, |sum, draw| {
                *sum += draw;
                Some(*sum)
            })
            .collect();
        counts.iter().map(|&count| sums[count.clamp(1, sums.len()) - 1] / count.max(1) as f64).collect::<Vec<_>>()
    };
    let chart = Chart::new().x_label("draws").y_label("mean so far").log_x();
    let chart = chart.line("Cauchy", &counts, &running(&cauchy)).line("normal", &counts, &running(&normal));
    nb.figure(
        "means",
        "Means of more and more draws: the normal one settles at 0, Cauchy's jumps again and again",
        chart,
    )?;
    let mut table = Table::new(["draws of a mean", "normal: means beyond 1", "Cauchy: means beyond 1"]);
    for size in [1, 10, 100] {
        let shares = [&normal, &cauchy].map(|draws| format!("{:.3}", means_beyond_1(draws, size)));
        table.row([size.to_string()].into_iter().chain(shares));
    }
    nb.say(table)?;
    nb.metric("cauchy_means_beyond_1", means_beyond_1(&cauchy, 10))?;
    nb.metric("normal_means_beyond_1", means_beyond_1(&normal, 10))
}

fn show_joint(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Joint density functions")?;
    let (xs, ys) = (arange(-5.0, 6.1, 0.1), arange(-4.0, 5.1, 0.1));
    let chart =
        Chart::new().x_label("x").y_label("y").same_scale().contours(&xs, &ys, |x, y| joint_density(x, y).sqrt());
    nb.figure(
        "joint",
        "Contours of the root of a density of two variables: two hills that lean to different sides",
        chart,
    )?;
    nb.say(format!("volume below it: {:.9}", sum_out(|x| sum_out(|y| joint_density(x, y)))))?;
    let right = integral(|x| integral(|y| joint_density(x, y), 1.0, 11.0, 200), 1.0, 11.0, 200);
    nb.say(format!("probability that x and y are both above 1: {right:.6}"))?;

    nb.cell("Marginal distributions")?;
    let (xs, some, normal) = (arange(-5.0, 6.1, 0.1), arange(-5.0, 6.1, 0.5), Normal::standard());
    let of_x = values(|x| sum_out(|y| joint_density(x, y)), &some);
    let of_y = values(|y| sum_out(|x| joint_density(x, y)), &some);
    let y_density = |y: f64| 0.8 * normal.pdf(y) + 0.2 * normal.pdf(y - 2.0);
    let chart = |title: &str, sums: &[f64], exact: Vec<f64>| {
        let chart = Chart::new().size(420, 300).title(title).y_label("density").y_range(0.0..0.4);
        chart.line("alone", &xs, &exact).scatter("summed out", &some, sums, 6.0)
    };
    let charts = [
        chart("y summed out", &of_x, values(density, &xs)).x_label("x"),
        chart("x summed out", &of_y, values(y_density, &xs)).x_label("y"),
    ];
    nb.figure(
        "marginals",
        "Each variable alone: the sums over the other lie on its own density",
        Panels::new(2, charts),
    )?;
    let apart = some.iter().zip(&of_x).map(|(&x, sum)| (sum - density(x)).abs()).fold(0.0, f64::max);
    nb.metric("marginal_error", apart)
}

/// Panels of points whose second coordinate is a slope times the first plus noise, each with what `measure` finds.
fn scatter_panels(
    nb: &mut Notebook,
    count: usize,
    (name, reach): (&str, f64),
    settings: [(f64, f64); 3],
    measure: fn(&[f64], &[f64]) -> f64,
) -> Panels {
    let charts = settings.map(|(slope, noise)| {
        let (xs, ys) = pairs(nb.sampling(), slope, noise, count);
        let title = format!("{name} {slope:.1}, of the points {:.2}", measure(&xs, &ys));
        let chart = Chart::new().size(340, 290).title(title).x_label("X").y_label("Y");
        chart.x_range(-4.0..4.0).y_range(-reach..reach).scatter("", &xs, &ys, 3.5)
    });
    Panels::new(3, charts)
}

fn show_pairs(nb: &mut Notebook, config: &Config) -> anyhow::Result<()> {
    nb.cell("Covariance")?;
    let slopes = [-0.9, 0.0, 1.2].map(|slope| (slope, 1.0));
    let panels = scatter_panels(nb, config.num_points, ("cov", 6.0), slopes, covariance);
    nb.figure("covariances", "Points that fall, that do neither, and that rise, with their covariances", panels)?;
    let mut error = 0f64;
    for (slope, noise) in slopes {
        let (xs, ys) = pairs(nb.sampling(), slope, noise, config.num_draws);
        let sums: Vec<f64> = xs.iter().zip(&ys).map(|(x, y)| x + y).collect();
        let of_draws = covariance(&xs, &ys);
        nb.say(format!("{} draws: covariance {of_draws:.4}, truth {slope}", config.num_draws))?;
        let parts = variance(&xs) + variance(&ys) + 2.0 * of_draws;
        nb.say(format!("  Var(X + Y) {:.6}, Var(X) + Var(Y) + 2 Cov(X, Y) {parts:.6}", variance(&sums)))?;
        error = error.max((of_draws - slope).abs());
    }
    nb.metric("sample_covariance_error", error)?;

    nb.cell("Covariances by hand")?;
    for p in [0.0, 0.25, 0.5, 1.0] {
        let (cov, cor) = two_by_two(p);
        nb.say(format!("p = {p}: covariance {cov}, correlation {cor}"))?;
    }
    let ys = [-2.0, -1.0, 0.0, 1.0, 2.0f64];
    nb.say(format!("Y from -2 to 2 and its square: covariance {}", covariance(&ys.map(|y| y * y), &ys)))?;

    nb.cell("Correlation")?;
    let settings = [-0.9, 0.0, 1.0].map(|cor: f64| (cor, (1.0 - cor * cor).sqrt()));
    let panels = scatter_panels(nb, config.num_points, ("cor", 4.0), settings, correlation);
    nb.figure("correlations", "Points that nearly fall on a line, a round cloud, and points on a line", panels)?;
    let (xs, ys) = pairs(nb.sampling(), 0.6, 0.8, config.num_draws);
    let cents: Vec<f64> = ys.iter().map(|y| 100.0 * y + 3.0).collect();
    nb.say(format!("in other units: covariance {:.4} and {:.4}", covariance(&xs, &ys), covariance(&xs, &cents)))?;
    nb.say(format!("correlation {:.4} and {:.4}", correlation(&xs, &ys), correlation(&xs, &cents)))?;
    nb.metric("sample_correlation", correlation(&xs, &ys))
}

/// The covariance and the correlation of the book's pairs: X is 1 or 3, Y is -1 or 3, and with probability `p` both are
/// low or both are high.
pub fn two_by_two(p: f64) -> (f64, f64) {
    let pairs = [(1.0, -1.0, p / 2.0), (1.0, 3.0, (1.0 - p) / 2.0), (3.0, -1.0, (1.0 - p) / 2.0), (3.0, 3.0, p / 2.0)];
    let mean = |f: fn(f64, f64) -> f64| pairs.iter().map(|&(x, y, p)| f(x, y) * p).sum::<f64>();
    let (x_mean, y_mean) = (mean(|x, _| x), mean(|_, y| y));
    let covariance = mean(|x, y| x * y) - x_mean * y_mean;
    let variances = (mean(|x, _| x * x) - x_mean.powi(2)) * (mean(|_, y| y * y) - y_mean.powi(2));
    (covariance, covariance / variances.sqrt())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    show_densities(nb)?;
    show_moments(nb)?;
    show_continuum(nb, config.num_draws)?;
    show_joint(nb)?;
    show_pairs(nb, config)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng;

    use super::*;

    fn stream() -> Stream {
        Random::new(1).stream(Purpose::Sampling, "test")
    }

    /// The book: 0.773617148399353 in single precision, whose last digits are those of an order of additions.
    #[test]
    fn the_area_is_the_book_s() {
        let area: f64 = arange(-5.0, 5.0, 0.01)[300..800].iter().map(|&x| 0.01 * density(x)).sum();
        assert_eq!(format!("{area:.6}"), "0.773617");
        assert!((area - 0.773_617_192_589_902_1).abs() < 1e-12, "{area}"); // NumPy
        assert!((sum_out(density) - 1.0).abs() < 1e-12);
        assert!((integral(density, -12.0, 3.0, 2000) - cumulative(3.0)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn three_values_have_the_moments_of_the_formulas(a in -5.0..5.0f64, p in 0.0..0.5f64, alpha in 0.1..20.0f64) {
            let outcomes = three_values(a, p);
            let (mean, variance) = moments(&outcomes);
            prop_assert!((mean - a).abs() < 1e-12 && (variance - 8.0 * p).abs() < 1e-12);
            prop_assert!(outside(&outcomes, alpha) <= 1.0 / (alpha * alpha) + 1e-12);
        }
    }

    #[test]
    fn chebyshev_s_bound_is_reached_at_an_eighth() {
        assert_eq!(outside(&three_values(0.7, 0.125), 2.0), 0.0);
        assert!((outside(&three_values(0.7, 0.125 - 1e-9), 2.0) - 0.25).abs() < 1e-8);
        assert_eq!(outside(&three_values(0.7, 0.2), 2.0), 0.0);
    }

    #[test]
    fn one_variable_of_the_joint_density_is_the_first_one() {
        for x in [-3.0, -1.0, 0.4, 3.0] {
            assert!((sum_out(|y| joint_density(x, y)) - density(x)).abs() < 1e-9, "{x}");
        }
        // E[XY] - E[X] E[Y]: within the hills 0.8 · 0.6 - 0.2 · 0.6, between them 0.8 · 0.2 · 4 · 2.
        let mean = |f: fn(f64, f64) -> f64| sum_out(|x| sum_out(|y| f(x, y) * joint_density(x, y)));
        assert!((mean(|x, y| x * y) - mean(|x, _| x) * mean(|_, y| y) - 1.64).abs() < 1e-6);
    }

    #[test]
    fn pairs_have_the_book_s_covariance() {
        for p in [0.0, 0.3, 0.5, 1.0] {
            let (covariance, correlation) = two_by_two(p);
            assert!((covariance - (4.0 * p - 2.0)).abs() < 1e-12 && (correlation - (2.0 * p - 1.0)).abs() < 1e-12);
        }
        let (xs, ys) = pairs(&mut stream(), 1.2, 1.0, 50_000);
        assert!((covariance(&xs, &ys) - 1.2).abs() < 0.04, "{}", covariance(&xs, &ys));
        let negative: Vec<f64> = xs.iter().map(|x| 5.0 - 3.0 * x).collect();
        assert!((correlation(&xs, &negative) + 1.0).abs() < 1e-12);
    }

    #[test]
    fn means_of_cauchy_s_variable_are_as_wide_as_itself() -> anyhow::Result<()> {
        let draws: Vec<f64> = stream().sample_iter(rand_distr::Cauchy::new(0.0, 1.0)?).take(40_000).collect();
        for size in [1, 20] {
            assert!((means_beyond_1(&draws, size) - 0.5).abs() < 0.05, "{size}");
        }
        assert_eq!(means_beyond_1(&normals(&mut stream(), 0.0, 1.0, 40_000), 100), 0.0);
        Ok(())
    }
}
