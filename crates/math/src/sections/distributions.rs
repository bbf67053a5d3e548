//! 18.8 Distributions
//!
//! Six distributions, each with its masses or its density, its distribution function and draws from it, and the limits that
//! lead from one to the next.
//!
//! `cargo run --release -p math -- distributions`
//! At once: shares of 10,000 draws within 0.02 of each distribution function; 1000 coins are 0.02 from the Gaussian, and
//! 10,000 rare ones 0.00004 from Poisson's masses.

use d2l::notebook::at_least;
use d2l::plot::Panels;
use d2l::prelude::*;
use optimization::derivatives::slope;
use rand::Rng;
use statrs::distribution::{
    Bernoulli, Binomial, Continuous, ContinuousCDF, Discrete, DiscreteCDF, DiscreteUniform, Laplace, Normal, Poisson,
    Uniform,
};
use statrs::function::gamma::ln_gamma;
use statrs::statistics::Distribution;

use super::statistics::{mean, normals, variance};
use crate::distribution_charts::{distance, mass_chart, step_chart, with_draws};
use crate::grid::{arange, values};

/// Settings of the draws.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Draws from each distribution, of which the first hundred are shown
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<100>)]
    pub num_samples: usize,
}

defaults! { Config: Smoke { num_samples: 1000 } }

/// Shows draws: a hundred of them, and the mean and the variance of all beside those of their distribution; `±` stands for
/// the standard deviation that the mean of so many draws has itself.
fn show_draws(nb: &mut Notebook, draws: &[f64], law: &impl Distribution<f64>) -> anyhow::Result<()> {
    let shown: Vec<f32> = draws[..100].iter().map(|&draw| draw as f32).collect();
    let table = Tensor::from_vec(shown, (10, 10), nb.device())?;
    if draws.iter().all(|draw| draw.fract() == 0.0) {
        nb.say(table.to_dtype(DType::U32)?)?;
    } else {
        nb.say(table)?;
    }
    let (of_draws, error) = (variance(draws), (variance(draws) / draws.len() as f64).sqrt());
    nb.say(format!("{} draws: mean {:.4} ± {error:.4}, variance {of_draws:.4}", draws.len(), mean(draws)))?;
    let (mean, variance) = (law.mean().unwrap_or(f64::NAN), law.variance().unwrap_or(f64::NAN));
    nb.say(format!("by formula: mean {mean:.4}, variance {variance:.4}"))
}

/// Keeps how far the shares of draws of counts are from their distribution function.
fn keep_distance(nb: &mut Notebook, name: &str, draws: &[f64], cumulative: impl Fn(u64) -> f64) -> anyhow::Result<()> {
    let counts: Vec<f64> = (0..=30).map(f64::from).collect();
    nb.metric(&format!("sample_distance_{name}"), distance(draws, &counts, |x| cumulative(x as u64)))
}

fn bernoulli(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Bernoulli")?;
    let p = 0.3;
    let law = Bernoulli::new(p)?;
    let chart = mass_chart(0..=1, |k| law.pmf(k)).x_range(-0.5..1.5);
    nb.figure("bernoulli-mass", "Masses of 0.7 at 0 and of 0.3 at 1", chart.clone())?;

    nb.cell("Bernoulli: distribution function")?;
    let alt = "A distribution function with steps at 0, to 0.7, and at 1";
    nb.figure("bernoulli-distribution", alt, step_chart(-1, 0..=1, |k| law.cdf(k)))?;

    nb.cell("Bernoulli: samples")?;
    let draws: Vec<f64> = (0..num_samples).map(|_| if nb.sampling().random_bool(p) { 1.0 } else { 0.0 }).collect();
    show_draws(nb, &draws, &law)?;
    let alt = "Shares of the draws, as bars, about as high as the masses";
    nb.figure("bernoulli-draws", alt, with_draws(chart, "draws", &draws, -0.5, 1.0, 2))?;
    keep_distance(nb, "bernoulli", &draws, |k| law.cdf(k))
}

fn discrete_uniform(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Discrete uniform")?;
    let n = 5;
    let law = DiscreteUniform::new(1, n)?;
    let chart = mass_chart(1..=5, |k| law.pmf(k as i64)).x_range(0.5..5.5).y_range(0.0..0.3);
    nb.figure("discrete-uniform-mass", "Five equal masses, from 1 to 5", chart.clone())?;

    nb.cell("Discrete uniform: distribution function")?;
    let alt = "A distribution function with five equal steps, from 1 to 5";
    nb.figure("discrete-uniform-distribution", alt, step_chart(-1, 1..=5, |k| law.cdf(k as i64)))?;

    nb.cell("Discrete uniform: samples")?;
    // The book draws below n, so that n never comes up.
    let draws: Vec<f64> = (0..num_samples).map(|_| nb.sampling().random_range(1..=n) as f64).collect();
    show_draws(nb, &draws, &law)?;
    let alt = "Shares of the draws, as bars, about as high as the masses";
    nb.figure("discrete-uniform-draws", alt, with_draws(chart, "draws", &draws, 0.5, 1.0, 5))?;
    keep_distance(nb, "discrete_uniform", &draws, |k| law.cdf(k as i64))
}

/// How far the distribution function of `n` equal masses, at equal distances up to the end of an interval, is from that of
/// the whole interval.
pub fn uniform_difference(n: i64) -> anyhow::Result<f64> {
    let (discrete, continuous) = (DiscreteUniform::new(1, n)?, Uniform::new(0.0, 1.0)?);
    let at = |k: i64| {
        let place = continuous.cdf(k as f64 / n as f64);
        (discrete.cdf(k) - place).abs().max((discrete.cdf(k - 1) - place).abs())
    };
    Ok((1..=n).map(at).fold(0.0, f64::max))
}

fn continuous_uniform(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("From discrete to continuous uniform")?;
    let (a, b) = (1.0, 3.0);
    let law = Uniform::new(a, b)?;
    let charts = [5, 20, 80].map(|n| {
        let places: Vec<f64> = (0..=n).map(|k| a + (b - a) * f64::from(k) / f64::from(n)).collect();
        let shares: Vec<f64> = (0..=n).map(|k| f64::from(k) / f64::from(n)).collect();
        let chart = Chart::new().size(320, 270).title(format!("n = {n}")).x_label("x");
        chart.steps("n masses", &places, &shares).line("interval", &[a, b], &[0.0, 1.0])
    });
    nb.figure(
        "uniform-limit",
        "Distribution functions of more and more masses approach a line",
        Panels::new(3, charts),
    )?;
    let mut table = Table::new(["n", "largest difference"]);
    for n in [5, 20, 80, 1000] {
        table.row([n.to_string(), format!("{:.5}", uniform_difference(n)?)]);
    }
    nb.say(table)?;
    nb.metric("uniform_difference_1000", uniform_difference(1000)?)?;

    nb.cell("Continuous uniform")?;
    let xs = arange(0.0, 4.0, 0.01);
    let chart = Chart::new().x_label("x").y_label("density").y_range(0.0..0.65);
    let chart = chart.unlabeled_line(&xs, &values(|x| law.pdf(x), &xs));
    nb.figure("uniform-density", "A density of one half from 1 to 3, and of 0 elsewhere", chart.clone())?;

    nb.cell("Continuous uniform: distribution function")?;
    let of_x = Chart::new().x_label("x").y_label("probability of at most x");
    let of_x = of_x.unlabeled_line(&xs, &values(|x| law.cdf(x), &xs));
    nb.figure("uniform-distribution", "A distribution function that rises straight from 1 to 3", of_x)?;

    nb.cell("Continuous uniform: samples")?;
    let draws: Vec<f64> = (0..num_samples).map(|_| (b - a) * nb.sampling().random::<f64>() + a).collect();
    show_draws(nb, &draws, &law)?;
    let alt = "Bars of the draws' density, about one half from 1 to 3";
    nb.figure("uniform-draws", alt, with_draws(chart, "draws", &draws, 0.0, 0.1, 40))?;
    nb.metric("sample_distance_uniform", distance(&draws, &xs, |x| law.cdf(x)))
}

fn binomial(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Binomial")?;
    let (n, p) = (10, 0.2);
    let law = Binomial::new(p, n)?;
    let chart = mass_chart(0..=n, |k| law.pmf(k));
    nb.figure("binomial-mass", "Masses from 0 to 10, highest at 2, next to nothing from 8 on", chart.clone())?;

    nb.cell("Binomial: distribution function")?;
    let alt = "A distribution function with steps from 0 to 10, the high ones near 2";
    nb.figure("binomial-distribution", alt, step_chart(-1, 0..=n, |k| law.cdf(k)))?;

    nb.cell("Binomial: samples")?;
    let binomial = rand_distr::Binomial::new(n, p)?;
    let draws: Vec<f64> = (0..num_samples).map(|_| nb.sampling().sample(binomial) as f64).collect();
    show_draws(nb, &draws, &law)?;
    let alt = "Shares of the draws, as bars, about as high as the masses";
    nb.figure("binomial-draws", alt, with_draws(chart, "draws", &draws, -0.5, 1.0, 11))?;
    keep_distance(nb, "binomial", &draws, |k| law.cdf(k))
}

/// By how much masses of `n` rare successes, `lambda` of them on average, differ from Poisson's at most.
pub fn poisson_difference(n: u64, lambda: f64) -> anyhow::Result<f64> {
    let (binomial, poisson) = (Binomial::new(lambda / n as f64, n)?, Poisson::new(lambda)?);
    Ok((0..=50).map(|k| (binomial.pmf(k) - poisson.pmf(k)).abs()).fold(0.0, f64::max))
}

fn poisson(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("From binomial to Poisson")?;
    let lambda = 5.0;
    let law = Poisson::new(lambda)?;
    let mut table = Table::new(["n", "p", "variance", "largest difference of masses"]);
    for n in [5, 10, 100, 1000, 10_000] {
        let p = lambda / n as f64;
        let difference = poisson_difference(n, lambda)?;
        table.row([n.to_string(), p.to_string(), format!("{:.4}", lambda * (1.0 - p)), format!("{difference:.6}")]);
    }
    nb.say(table)?;
    nb.metric("poisson_difference_10000", poisson_difference(10_000, lambda)?)?;

    nb.cell("Poisson")?;
    let chart = mass_chart(0..=19, |k| law.pmf(k));
    nb.figure("poisson-mass", "Masses from 0 to 19, highest at 4 and 5", chart.clone())?;

    nb.cell("Poisson: distribution function")?;
    // The book's plot jumps to 1 at the n of the binomial distribution above; this one has no end.
    let alt = "A distribution function with steps at all counts, the high ones around 5";
    nb.figure("poisson-distribution", alt, step_chart(-1, 0..=20, |k| law.cdf(k)))?;

    nb.cell("Poisson: samples")?;
    let poisson = rand_distr::Poisson::new(lambda)?;
    let draws: Vec<f64> = (0..num_samples).map(|_| nb.sampling().sample(poisson)).collect();
    show_draws(nb, &draws, &law)?;
    let alt = "Shares of the draws, as bars, about as high as the masses";
    nb.figure("poisson-draws", alt, with_draws(chart, "draws", &draws, -0.5, 1.0, 20))?;
    keep_distance(nb, "poisson", &draws, |k| law.cdf(k))
}

/// How far the distribution function of a standardized binomial variable is from the Gaussian's.
pub fn binomial_distance(n: u64, p: f64) -> anyhow::Result<f64> {
    let (law, normal) = (Binomial::new(p, n)?, Normal::standard());
    let (mu, sigma) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    let mut below = 0.0; // the probability of fewer than k
    let mut largest = 0f64;
    for k in 0..=n {
        let (up_to, gaussian) = (law.cdf(k), normal.cdf((k as f64 - mu) / sigma));
        largest = largest.max((up_to - gaussian).abs()).max((below - gaussian).abs());
        below = up_to;
    }
    Ok(largest)
}

/// The masses of a standardized binomial variable, and the Gaussian density times their distance.
fn standardized_chart(n: u64, p: f64) -> anyhow::Result<Chart> {
    let law = Binomial::new(p, n)?;
    let (mu, sigma) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    let points = (0..=n).map(|k| ((k as f64 - mu) / sigma, law.pmf(k))).filter(|(x, _)| x.abs() <= 4.0);
    let (places, masses): (Vec<f64>, Vec<f64>) = points.unzip();
    let xs = arange(-4.0, 4.0, 0.02);
    let bell = values(|x| Normal::standard().pdf(x) / sigma, &xs);
    let chart = Chart::new().size(380, 260).title(format!("n = {n}")).x_label("x").y_label("mass").x_range(-4.0..4.0);
    Ok(chart.stems("", &places, &masses).unlabeled_line(&xs, &bell))
}

fn gaussian(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("From binomial to Gaussian")?;
    let (p, ns) = (0.2, [1, 10, 100, 1000]);
    let charts = ns.into_iter().map(|n| standardized_chart(n, p)).collect::<anyhow::Result<Vec<_>>>()?;
    let alt = "Masses of standardized sums of 1, 10, 100 and 1000 coins, more and more like the Gaussian curve";
    nb.figure("binomial-limit", alt, Panels::new(2, charts))?;
    let mut table = Table::new(["n", "largest difference to the Gaussian's distribution function"]);
    for n in ns {
        table.row([n.to_string(), format!("{:.5}", binomial_distance(n, p)?)]);
    }
    nb.say(table)?;
    nb.metric("binomial_distance_1000", binomial_distance(1000, p)?)?;

    nb.cell("Gaussian")?;
    let (law, xs) = (Normal::standard(), arange(-3.0, 3.0, 0.01));
    let chart = Chart::new().x_label("x").y_label("density").y_range(0.0..0.45);
    let chart = chart.unlabeled_line(&xs, &values(|x| law.pdf(x), &xs));
    nb.figure("gaussian-density", "The bell of the standard Gaussian density", chart.clone())?;

    nb.cell("Gaussian: distribution function")?;
    let of_x = Chart::new().x_label("x").y_label("probability of at most x");
    let of_x = of_x.unlabeled_line(&xs, &values(|x| law.cdf(x), &xs));
    nb.figure("gaussian-distribution", "A distribution function that rises from 0 to 1, steepest at 0", of_x)?;

    show_sums(nb, num_samples)?;

    nb.cell("A distribution of maximum entropy")?;
    let (half, scale) = (3f64.sqrt(), 0.5f64.sqrt());
    let entropies = [
        ("uniform", Uniform::new(-half, half)?.entropy()),
        ("Laplace", Laplace::new(0.0, scale)?.entropy()),
        ("Gaussian", law.entropy()),
    ];
    for (name, entropy) in entropies {
        nb.say(format!("{name} of variance 1: entropy {:.6}", entropy.unwrap_or(f64::NAN)))?;
    }

    nb.cell("Gaussian: samples")?;
    let draws = normals(nb.sampling(), 0.0, 1.0, num_samples);
    show_draws(nb, &draws, &law)?;
    let alt = "Bars of the draws' density, about as high as the curve";
    nb.figure("gaussian-draws", alt, with_draws(chart, "draws", &draws, -3.0, 0.2, 30))?;
    nb.metric("sample_distance_gaussian", distance(&draws, &xs, |x| law.cdf(x)))
}

/// A variable to add up: its name, its mean, its standard deviation, and how it is drawn.
type Summand = (&'static str, f64, f64, fn(&mut Stream) -> f64);

/// Standardized sums of `count` draws.
fn sums(stream: &mut Stream, (_, mu, sigma, draw): Summand, count: u32, num_samples: usize) -> Vec<f64> {
    let n = f64::from(count);
    let sum = |_| ((0..count).map(|_| draw(stream)).sum::<f64>() - n * mu) / (n.sqrt() * sigma);
    (0..num_samples).map(sum).collect()
}

fn show_sums(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Sums of many variables")?;
    let summands: [Summand; 3] = [
        ("uniform", 0.5, (1.0 / 12f64).sqrt(), |stream| stream.random()),
        ("die", 3.5, (35.0 / 12f64).sqrt(), |stream| f64::from(stream.random_range(1..=6u8))),
        ("exponential", 1.0, 1.0, |stream| stream.sample(rand_distr::Exp1)),
    ];
    let (law, xs, counts) = (Normal::standard(), arange(-4.0, 4.0, 0.01), [1, 2, 10, 100]);
    let titles = counts.map(|count| format!("sums of {count}"));
    let mut table = Table::new(["summand"].map(String::from).into_iter().chain(titles.clone()));
    let mut charts = Vec::new();
    for summand in summands {
        let mut distances = Vec::new();
        for (count, title) in counts.into_iter().zip(&titles) {
            let draws = sums(nb.sampling(), summand, count, num_samples);
            distances.push(distance(&draws, &xs, |x| law.cdf(x)));
            let chart = Chart::new().size(380, 260).title(title).x_label("x").y_label("density").x_range(-4.0..4.0);
            let chart = chart.unlabeled_line(&xs, &values(|x| law.pdf(x), &xs));
            if summand.0 == "exponential" {
                charts.push(with_draws(chart, "", &draws, -4.0, 0.2, 40));
            }
        }
        table.row([summand.0.to_string()].into_iter().chain(distances.iter().map(|distance| format!("{distance:.4}"))));
        nb.metric(&format!("sum_distance_{}", summand.0), distances[counts.len() - 1])?;
    }
    let alt = "Densities of sums of exponential draws: of 1, 2, 10 and 100, the last as the Gaussian curve";
    nb.figure("sums", alt, Panels::new(2, charts).same_y())?;
    nb.say(table)
}

/// A distribution as a member of the exponential family: `h(x) exp(η · T(x) - A(η))`, of at most two parameters.
#[derive(Debug, Clone, Copy)]
pub struct FamilyMember {
    pub name: &'static str,
    /// The natural parameters η; the second is 0 where there is one.
    pub natural: [f64; 2],
    /// The underlying measure h.
    pub measure: fn(f64) -> f64,
    /// The sufficient statistics T.
    pub statistics: fn(f64) -> [f64; 2],
    /// The cumulant function A.
    pub cumulant: fn([f64; 2]) -> f64,
}

impl FamilyMember {
    /// The mass or the density at `x`.
    pub fn density(&self, x: f64) -> f64 {
        let ([a, b], [t, u]) = (self.natural, (self.statistics)(x));
        (self.measure)(x) * (a * t + b * u - (self.cumulant)(self.natural)).exp()
    }

    /// The means of the sufficient statistics: the derivatives of the cumulant function, from numbers.
    pub fn means(&self) -> [f64; 2] {
        let [a, b] = self.natural;
        [slope(|a| (self.cumulant)([a, b]), a), slope(|b| (self.cumulant)([a, b]), b)]
    }
}

/// The Gaussian, as the book writes it.
pub fn gaussian_member(mu: f64, sigma: f64) -> FamilyMember {
    FamilyMember {
        name: "Gaussian",
        natural: [mu / (sigma * sigma), 0.5 / (sigma * sigma)],
        measure: |_| 1.0 / std::f64::consts::TAU.sqrt(),
        statistics: |x| [x, -x * x],
        cumulant: |[a, b]| a * a / (4.0 * b) - 0.5 * (2.0 * b).ln(),
    }
}

/// One coin.
pub fn bernoulli_member(p: f64) -> FamilyMember {
    FamilyMember {
        name: "Bernoulli",
        natural: [(p / (1.0 - p)).ln(), 0.0],
        measure: |_| 1.0,
        statistics: |x| [x, 0.0],
        cumulant: |[a, _]| a.exp().ln_1p(),
    }
}

/// Rare events.
pub fn poisson_member(lambda: f64) -> FamilyMember {
    FamilyMember {
        name: "Poisson",
        natural: [lambda.ln(), 0.0],
        measure: |x| (-ln_gamma(x + 1.0)).exp(),
        statistics: |x| [x, 0.0],
        cumulant: |[a, _]| a.exp(),
    }
}

fn exponential_family(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Exponential family")?;
    let (mu, sigma, p, lambda) = (1.0, 2.0, 0.3, 5.0);
    let (coin, rare, normal) = (Bernoulli::new(p)?, Poisson::new(lambda)?, Normal::new(mu, sigma)?);
    let largest = |xs: &[f64], difference: &dyn Fn(f64) -> f64| {
        values(|x| difference(x).abs(), xs).into_iter().fold(0.0, f64::max)
    };
    let (of_coin, of_rare, of_normal) = (bernoulli_member(p), poisson_member(lambda), gaussian_member(mu, sigma));
    let counts: Vec<f64> = (0..=20).map(f64::from).collect();
    let rows = [
        (of_coin, p, largest(&[0.0, 1.0], &|x| of_coin.density(x) - coin.pmf(x as u64))),
        (of_rare, lambda, largest(&counts, &|x| of_rare.density(x) - rare.pmf(x as u64))),
        (of_normal, mu, largest(&arange(-7.0, 9.0, 0.1), &|x| of_normal.density(x) - normal.pdf(x))),
    ];
    let mut table = Table::new(["distribution", "largest difference", "slope of A", "mean"]);
    for (member, mean, difference) in rows {
        let slope = format!("{:.6}", member.means()[0]);
        table.row([member.name.to_string(), format!("{difference:.1e}"), slope, mean.to_string()]);
    }
    nb.say(table)?;
    let [_, of_square] = of_normal.means();
    nb.say(format!(
        "the Gaussian's mean square: {:.6} by the other slope, {} by formula",
        -of_square,
        mu * mu + sigma * sigma
    ))?;
    nb.metric("family_difference", rows[2].2)?;
    nb.metric("family_mean_error", (of_normal.means()[0] - mu).abs())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    bernoulli(nb, config.num_samples)?;
    discrete_uniform(nb, config.num_samples)?;
    continuous_uniform(nb, config.num_samples)?;
    binomial(nb, config.num_samples)?;
    poisson(nb, config.num_samples)?;
    gaussian(nb, config.num_samples)?;
    exponential_family(nb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_masses_come_as_near_to_an_interval_as_their_size() -> anyhow::Result<()> {
        for n in [1, 5, 80] {
            assert!((uniform_difference(n)? - 1.0 / n as f64).abs() < 1e-12);
        }
        Ok(())
    }

    /// SciPy: the largest difference of `binom.pmf(k, n, 5 / n)` and `poisson.pmf(k, 5)`.
    #[test]
    fn rare_events_come_near_to_poisson_s() -> anyhow::Result<()> {
        for (n, expected) in [(5, 0.824_532_630_232), (100, 0.004_550_457_503), (10_000, 0.000_043_882_568)] {
            assert!((poisson_difference(n, 5.0)? - expected).abs() < 1e-9, "{}", poisson_difference(n, 5.0)?);
        }
        Ok(())
    }

    /// SciPy: the largest difference of `binom.cdf` and `norm.cdf` on both sides of each step.
    #[test]
    fn many_coins_come_near_to_the_gaussian() -> anyhow::Result<()> {
        for (n, expected) in [(1, 0.491_462_461_274), (10, 0.177_799_526_400), (1000, 0.018_911_435_559)] {
            assert!((binomial_distance(n, 0.2)? - expected).abs() < 1e-9, "{}", binomial_distance(n, 0.2)?);
        }
        Ok(())
    }

    #[test]
    fn sums_are_standardized() {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        let draws = sums(&mut stream, ("uniform", 0.5, (1.0 / 12f64).sqrt(), |stream| stream.random()), 5, 20_000);
        assert!(mean(&draws).abs() < 0.03 && (variance(&draws) - 1.0).abs() < 0.04);
    }

    #[test]
    fn members_of_the_family_are_what_they_are_called() -> anyhow::Result<()> {
        let (coin, rare, normal) = (Bernoulli::new(0.3)?, Poisson::new(5.0)?, Normal::new(-1.0, 0.7)?);
        for k in 0..=1 {
            assert!((bernoulli_member(0.3).density(k as f64) - coin.pmf(k)).abs() < 1e-12);
        }
        for k in 0..=30 {
            assert!((poisson_member(5.0).density(k as f64) - rare.pmf(k)).abs() < 1e-12);
        }
        for x in arange(-5.0, 3.0, 0.1) {
            assert!((gaussian_member(-1.0, 0.7).density(x) - normal.pdf(x)).abs() < 1e-12);
        }
        let means =
            [bernoulli_member(0.3).means()[0], poisson_member(5.0).means()[0], gaussian_member(-1.0, 0.7).means()[0]];
        for (mean, expected) in means.into_iter().zip([0.3, 5.0, -1.0]) {
            assert!((mean - expected).abs() < 1e-6, "{mean}");
        }
        assert!((gaussian_member(-1.0, 0.7).means()[1] + 1.49).abs() < 1e-6);
        Ok(())
    }
}
