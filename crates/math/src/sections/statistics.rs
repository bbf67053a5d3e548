//! 18.10 Statistics
//!
//! What an estimate is worth, whether a difference is one, and how sure an interval is: in theory, and tried often.
//!
//! `cargo run --release -p math -- statistics`
//! At once: of 10,000 tests without an effect 5 in 100 reject, with the effect that they are planned for 81 in 100; of
//! 10,000 intervals from five draws 95 in 100 hold the mean by Student's quantile, 88 by the normal one.

use d2l::prelude::*;
use rand::Rng;
use rand_distr::StandardNormal;
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

use crate::grid::{arange, values};

/// Settings of the experiments.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Draws to estimate one mean from
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub num_samples: usize,
    /// How often each experiment is repeated
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub num_repetitions: usize,
    /// Members of each of the two groups of a test
    #[arg(long, default_value_t = 16, value_parser = count)]
    pub group_size: usize,
}

defaults! { Config: Smoke { num_samples: 1000, num_repetitions: 400 } }

/// The significance level: how often a test may reject what is true, and an interval miss the mean.
const ALPHA: f64 = 0.05;
/// The mean that the estimators are to find, and the standard deviation of the draws that they see.
const THETA: f64 = 1.0;
const SIGMA: f64 = 4.0;

/// Draws from `N(mean, std²)`.
pub fn normals(stream: &mut Stream, mean: f64, std: f64, count: usize) -> Vec<f64> {
    (0..count).map(|_| mean + std * stream.sample::<f64, _>(StandardNormal)).collect()
}

/// The mean: the usual estimator of the mean of what the values were drawn from.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The middle one of the values in their order; the mean of the middle two of an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// By how much estimates are off on average.
#[doc(alias = "stat_bias")]
pub fn statistical_bias(true_theta: f64, estimates: &[f64]) -> f64 {
    mean(estimates) - true_theta
}

/// The mean of the squared errors.
pub fn mse(estimates: &[f64], true_theta: f64) -> f64 {
    estimates.iter().map(|estimate| (estimate - true_theta).powi(2)).sum::<f64>() / estimates.len() as f64
}

/// The mean of the squared distances from the values' own mean: the variance that divides by their number.
pub fn variance(values: &[f64]) -> f64 {
    mse(values, mean(values))
}

/// The test statistic of two groups whose members have the standard deviation 1: by how many of its own standard
/// deviations the difference of their means is above 0.
pub fn z_statistic(treated: &[f64], control: &[f64]) -> f64 {
    let variance = 1.0 / treated.len() as f64 + 1.0 / control.len() as f64;
    (mean(treated) - mean(control)) / variance.sqrt()
}

/// How probable a statistic at least as high is where there is no effect.
pub fn p_one_sided(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// How probable a statistic at least as far from 0, up or down, is where there is no effect.
pub fn p_two_sided(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z.abs())
}

/// The probability of the two-sided test of two groups to reject where the effect is so many standard deviations.
pub fn power(effect: f64, group_size: usize) -> f64 {
    let (normal, shift) = (Normal::standard(), effect * (group_size as f64 / 2.0).sqrt());
    let bound = normal.inverse_cdf(1.0 - ALPHA / 2.0);
    normal.sf(bound - shift) + normal.cdf(-bound - shift)
}

/// How many draws a two-sided test of their mean needs to find, with a power, that it is off by so many standard
/// deviations.
pub fn samples_needed(effect: f64, power: f64) -> f64 {
    let quantile = |p| Normal::standard().inverse_cdf(p);
    ((quantile(1.0 - ALPHA / 2.0) + quantile(power)) / effect).powi(2).ceil()
}

/// The interval around the samples' mean that reaches `t_star` of its standard errors up and down.
pub fn confidence_interval(samples: &[f64], t_star: f64) -> (f64, f64) {
    let n = samples.len() as f64;
    let (mu_hat, sigma_hat) = (mean(samples), (variance(samples) * n / (n - 1.0)).sqrt());
    (mu_hat - t_star * sigma_hat / n.sqrt(), mu_hat + t_star * sigma_hat / n.sqrt())
}

/// The quantile of Student's distribution for an interval from `n` draws that holds the mean with probability
/// `1 - alpha`.
pub fn t_star(n: usize, alpha: f64) -> anyhow::Result<f64> {
    Ok(StudentsT::new(0.0, 1.0, n as f64 - 1.0)?.inverse_cdf(1.0 - alpha / 2.0))
}

/// The share of the values for which something holds.
fn share_of<T>(values: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| holds(value)).count() as f64 / values.len() as f64
}

/// An estimator with its name.
type Estimator = (&'static str, fn(&[f64]) -> f64);

/// Estimators of a mean and of a variance, each on many samples of ten draws.
fn compare_estimators(nb: &mut Notebook, repetitions: usize) -> anyhow::Result<()> {
    nb.cell("Mean squared error, statistical bias and standard deviation")?;
    let n = 10;
    let samples: Vec<Vec<f64>> = (0..repetitions).map(|_| normals(nb.sampling(), THETA, SIGMA, n)).collect();
    let estimators: [Estimator; 4] =
        [("mean", mean), ("median", median), ("first draw", |x| x[0]), ("half the mean", |x| mean(x) / 2.0)];
    let mut table = Table::new(["estimator of the mean", "MSE", "bias", "standard deviation"]);
    for (name, estimator) in estimators {
        let estimates: Vec<f64> = samples.iter().map(|sample| estimator(sample)).collect();
        let (bias, std) = (statistical_bias(THETA, &estimates), variance(&estimates).sqrt());
        table.row([name.into(), format!("{:.3}", mse(&estimates, THETA)), format!("{bias:.3}"), format!("{std:.3}")]);
    }
    nb.say(table)?;

    nb.cell("Unbiased and biased variance")?;
    let mut table = Table::new(["squares divided by", "MSE", "bias", "standard deviation"]);
    for divisor in [n - 1, n, n + 1] {
        let estimates = samples.iter().map(|sample| variance(sample) * n as f64 / divisor as f64).collect::<Vec<_>>();
        let (bias, std) = (statistical_bias(SIGMA.powi(2), &estimates), variance(&estimates).sqrt());
        let error = mse(&estimates, SIGMA.powi(2));
        table.row([divisor.to_string(), format!("{error:.2}"), format!("{bias:.3}"), format!("{std:.3}")]);
        nb.metric(&format!("variance_bias_{divisor}"), bias)?;
    }
    nb.say(table)?;

    nb.cell("The bias-variance trade-off")?;
    let factors = arange(0.0, 1.21, 0.05);
    let means: Vec<f64> = samples.iter().map(|sample| mean(sample)).collect();
    let errors: Vec<f64> =
        factors.iter().map(|c| mse(&means.iter().map(|m| c * m).collect::<Vec<_>>(), THETA)).collect();
    let of_mean = SIGMA.powi(2) / n as f64;
    let bias: Vec<f64> = factors.iter().map(|c| ((c - 1.0) * THETA).powi(2)).collect();
    let spread: Vec<f64> = factors.iter().map(|c| c * c * of_mean).collect();
    let sum: Vec<f64> = bias.iter().zip(&spread).map(|(bias, variance)| bias + variance).collect();
    let chart = Chart::new().x_label("c, the share of the mean that is kept").y_label("squared error");
    let chart = chart.line("squared bias", &factors, &bias).line("variance", &factors, &spread);
    let chart = chart.line("their sum", &factors, &sum).scatter("MSE of the estimates", &factors, &errors, 5.0);
    nb.figure("trade-off", "Shrinking a mean adds bias and takes variance: the sum is least in between", chart)?;
    let apart = sum.iter().zip(&errors).map(|(sum, error)| (sum - error).abs()).fold(0.0, f64::max);
    let best = THETA.powi(2) / (THETA.powi(2) + of_mean);
    nb.say(format!("least at c = {best:.3}: {:.3} against {of_mean:.3} at c = 1", best * of_mean))?;
    nb.metric("trade_off_error", apart)
}

/// The book's own experiment with one sample.
fn evaluate_one(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Evaluating estimators in code")?;
    let samples = normals(nb.sampling(), THETA, SIGMA, num_samples);
    let theta_est = mean(&samples);
    nb.show("theta_est", format!("{theta_est:.4}"))?;

    nb.cell("The mean squared error of the samples")?;
    let error = mse(&samples, THETA);
    nb.show("mse", format!("{error:.4}"))?;

    nb.cell("Variance and squared bias")?;
    let sum = variance(&samples) + statistical_bias(THETA, &samples).powi(2);
    nb.show("sum", format!("{sum:.4}"))?;
    nb.metric("mse_difference", (error - sum).abs())
}

/// The statistics of many tests with an effect of so many standard deviations.
fn repeat_test(stream: &mut Stream, effect: f64, config: &Config) -> Vec<f64> {
    let test = |_| {
        let (treated, control) =
            (normals(stream, effect, 1.0, config.group_size), normals(stream, 0.0, 1.0, config.group_size));
        z_statistic(&treated, &control)
    };
    (0..config.num_repetitions).map(test).collect()
}

/// Tests of two groups, without an effect and with effects.
fn test_hypotheses(nb: &mut Notebook, config: &Config) -> anyhow::Result<()> {
    nb.cell("Statistical significance")?;
    let (normal, bound) = (Normal::standard(), Normal::standard().inverse_cdf(1.0 - ALPHA / 2.0));
    let without = repeat_test(nb.sampling(), 0.0, config);
    let chart = Chart::new().x_label("test statistic where there is no effect").y_label("density");
    let xs = arange(-4.0, 4.01, 0.02);
    let ys = values(|x| normal.pdf(x), &xs);
    // What is not a number is a gap between the tails.
    let tails: Vec<f64> = xs.iter().zip(&ys).map(|(x, &y)| if x.abs() >= bound { y } else { f64::NAN }).collect();
    let chart = chart.unlabeled_line(&xs, &ys).area("rejected, 5% in all", &xs, &vec![0.0; xs.len()], &tails);
    let chart = chart.vertical(-bound).vertical(bound);
    nb.figure("significance", "The normal density; both tails, beyond 1.96, are filled", chart)?;
    let rejected = share_of(&without, |&z| p_two_sided(z) <= ALPHA);
    nb.say(format!("{} tests without an effect: {rejected:.4} reject", without.len()))?;
    nb.metric("false_positives", rejected)?;

    nb.cell("Statistical power")?;
    let effects = arange(0.0, 2.01, 0.25);
    let tests: Vec<Vec<f64>> = effects.iter().map(|&effect| repeat_test(nb.sampling(), effect, config)).collect();
    let found: Vec<f64> = tests.iter().map(|z| share_of(z, |&z| p_two_sided(z) <= ALPHA)).collect();
    let fine = arange(0.0, 2.01, 0.02);
    let theory = values(|effect| power(effect, config.group_size), &fine);
    let chart = Chart::new().x_label("effect, in standard deviations").y_label("power").horizontal(0.8);
    let chart = chart.line("theory", &fine, &theory).scatter("share of tests that reject", &effects, &found, 6.0);
    nb.figure("power", "The power grows with the effect, from 0.05 to nearly 1; the dots lie on the curve", chart)?;
    let apart = effects.iter().zip(&found).map(|(&effect, found)| (found - power(effect, config.group_size)).abs());
    nb.metric("power_error", apart.fold(0.0, f64::max))?;
    nb.metric("power", found[4])?;
    for (effect, metric) in [(1.0, "samples_for_1"), (0.01, "samples_for_0.01")] {
        let needed = samples_needed(effect, 0.8);
        nb.say(format!("a mean that is off by {effect} is found with a power of 0.8 from {needed} draws"))?;
        nb.metric(metric, needed)?;
    }

    nb.cell("Test statistic")?;
    let with = &tests[4];
    let chart = Chart::new().x_label("test statistic").y_label("tests").vertical(-bound).vertical(bound);
    let chart = chart.histogram([("no effect", &without[..]), ("effect of 1", &with[..])], 30);
    nb.figure("statistic", "Statistics without an effect around 0, with one around 2.8; lines at ±1.96", chart)?;
    nb.say(format!("with an effect of 1: mean {:.3}, variance {:.3}", mean(with), variance(with)))?;

    nb.cell("p-value")?;
    let p_values = |z: &[f64]| z.iter().map(|&z| p_two_sided(z)).collect::<Vec<_>>();
    let (mut without, with) = (p_values(&without), p_values(with));
    let chart = Chart::new().x_label("p-value").y_label("tests");
    let chart = chart.histogram([("no effect", &without[..]), ("effect of 1", &with[..])], 20);
    nb.figure("p-values", "Without an effect all p-values are equally frequent; with one, most are small", chart)?;
    without.sort_by(f64::total_cmp);
    let count = without.len() as f64;
    let off =
        without.iter().enumerate().map(|(i, p)| (p - i as f64 / count).abs().max((p - (i + 1) as f64 / count).abs()));
    nb.metric("p_value_distance", off.fold(0.0, f64::max))?;

    nb.cell("One-sided and two-sided tests")?;
    let mut table = Table::new(["effect", "one-sided tests that reject", "two-sided tests that reject"]);
    for effect in [-1.0, 0.0, 0.5, 1.0] {
        let z = repeat_test(nb.sampling(), effect, config);
        let (one, two) = (share_of(&z, |&z| p_one_sided(z) <= ALPHA), share_of(&z, |&z| p_two_sided(z) <= ALPHA));
        table.row([effect.to_string(), format!("{one:.4}"), format!("{two:.4}")]);
    }
    nb.say(table)?;

    nb.cell("General steps of hypothesis testing")?;
    nb.say("1. the hypothesis: both groups have the same mean")?;
    nb.say(format!("2. the level: {ALPHA}; the power: 0.8 where the means are one standard deviation apart"))?;
    let size = samples_needed(1.0 / 2f64.sqrt(), 0.8) as usize; // the difference of two means has twice the variance
    let (treated, control) = (normals(nb.sampling(), 1.0, 1.0, size), normals(nb.sampling(), 0.0, 1.0, size));
    nb.say(format!(
        "3. the samples: {size} in each group, with the means {:.3} and {:.3}",
        mean(&treated),
        mean(&control)
    ))?;
    let z = z_statistic(&treated, &control);
    nb.say(format!("4. the statistic: {z:.3}; its p-value: {:.4}", p_two_sided(z)))?;
    nb.say(format!("5. the decision: the hypothesis is {}", if p_two_sided(z) <= ALPHA { "rejected" } else { "kept" }))
}

/// Intervals for the mean 0 of draws from the standard normal distribution.
fn construct_intervals(nb: &mut Notebook, repetitions: usize) -> anyhow::Result<()> {
    nb.cell("Definition of a confidence interval")?;
    let holds = |&(low, high): &(f64, f64)| (low..=high).contains(&0.0);
    let normal = Normal::standard().inverse_cdf(1.0 - ALPHA / 2.0);
    let mut table = Table::new(["draws", "holds, normal quantile", "in theory", "Student's quantile", "holds"]);
    let mut of_five = Vec::new();
    for n in [2, 5, 10, 30, 100] {
        let samples: Vec<Vec<f64>> = (0..repetitions).map(|_| normals(nb.sampling(), 0.0, 1.0, n)).collect();
        let intervals = |t: f64| samples.iter().map(|sample| confidence_interval(sample, t)).collect::<Vec<_>>();
        let (student, t) = (StudentsT::new(0.0, 1.0, n as f64 - 1.0)?, t_star(n, ALPHA)?);
        let (by_normal, by_student) = (share_of(&intervals(normal), holds), share_of(&intervals(t), holds));
        let theory = 1.0 - 2.0 * student.sf(normal);
        let numbers = [by_normal, theory, t, by_student].map(|number| format!("{number:.4}"));
        table.row([n.to_string()].into_iter().chain(numbers));
        if n == 5 {
            nb.metric("coverage_normal", by_normal)?;
            nb.metric("coverage_student", by_student)?;
            of_five = intervals(t);
        }
    }
    nb.say(table)?;

    nb.cell("Interpretation of a confidence interval")?;
    let lines = |wanted: bool| -> (Vec<f64>, Vec<f64>) {
        let shown = of_five.iter().take(100).enumerate().filter(|&(_, interval)| holds(interval) == wanted);
        // What is not a number is a gap in a line.
        shown.flat_map(|(i, &(low, high))| [(low, i as f64), (high, i as f64), (f64::NAN, f64::NAN)]).unzip()
    };
    let ((holding, places), (missing, others)) = (lines(true), lines(false));
    let chart = Chart::new().size(480, 560).x_label("interval from five draws").y_label("repetition").vertical(0.0);
    let chart = chart.line("holds the mean", &holding, &places).line("misses it", &missing, &others);
    nb.figure("intervals", "A hundred intervals of very different widths; some miss the mean, 0", chart)?;
    nb.say(format!("{} of {} intervals miss the mean", missing.len() / 3, (holding.len() + missing.len()) / 3))?;
    of_five.sort_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    let narrowest = share_of(&of_five[..of_five.len().div_ceil(10)], holds);
    nb.say(format!("of the narrowest tenth of all {} hold it: {narrowest:.3}", of_five.len()))?;
    nb.metric("coverage_narrowest", narrowest)?;

    nb.cell("A Gaussian example")?;
    let samples = normals(nb.sampling(), 0.0, 1.0, 1000);
    let (low, high) = confidence_interval(&samples, 1.96);
    nb.say(format!("({low:.4}, {high:.4})"))?;
    nb.say(format!("1.96 stands for {:.4}", t_star(samples.len(), ALPHA)?))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Evaluating and comparing estimators")?;
    let xs = normals(nb.sampling(), 0.0, 1.0, 300);
    // A point is as high as the density of the points before it.
    let (near, count) = (Normal::new(0.0, 0.1)?, xs.len() as f64);
    let heights = (0..xs.len()).map(|i| xs[..i].iter().map(|x| near.pdf(x - xs[i])).sum::<f64>() / count);
    let ys: Vec<f64> = heights.collect();
    let (low, high) = xs.iter().fold((0f64, 0f64), |(low, high), &x| (low.min(x), high.max(x)));
    let curve = arange(low, high, 0.01);
    let density = values(|x| Normal::standard().pdf(x), &curve);
    let theta = mean(&xs);
    let chart = Chart::new().title(format!("sample mean: {theta:.2}")).x_label("x").y_label("density").vertical(0.0);
    let chart = chart.line("density", &curve, &density).line("sample mean", &[theta, theta], &[0.0, 0.5]);
    let chart = chart.scatter("draws", &xs, &ys, 3.5);
    nb.figure(
        "draws",
        "300 draws under the normal density they come from, and their mean beside the true one, 0",
        chart,
    )?;

    compare_estimators(nb, config.num_repetitions)?;
    evaluate_one(nb, config.num_samples)?;
    test_hypotheses(nb, config)?;
    construct_intervals(nb, config.num_repetitions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> Stream {
        Random::new(1).stream(Purpose::Sampling, "test")
    }

    proptest! {
        #[test]
        fn the_mean_squared_error_is_variance_and_squared_bias(
            estimates in prop::collection::vec(-10.0..10.0f64, 1..40),
            theta in -5.0..5.0f64,
        ) {
            let sum = variance(&estimates) + statistical_bias(theta, &estimates).powi(2);
            prop_assert!((mse(&estimates, theta) - sum).abs() < 1e-9);
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, -1.0, 7.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), 3.0);
        assert_eq!(median(&[5.0]), 5.0);
    }

    #[test]
    fn one_draw_less_makes_the_variance_unbiased() {
        let mut stream = stream();
        let estimates: Vec<f64> = (0..20_000).map(|_| variance(&normals(&mut stream, 3.0, 2.0, 5))).collect();
        assert!((mean(&estimates) - 4.0 * 0.8).abs() < 0.05, "{}", mean(&estimates));
    }

    /// SciPy: `norm.sf(z - s) + norm.cdf(-z - s)` for `z = norm.ppf(0.975)` and `s = effect * sqrt(16 / 2)`.
    #[test]
    fn the_power_is_scipy_s() {
        for (effect, expected) in [(0.0, 0.05), (0.5, 0.292_988_936_447_987), (1.5, 0.988_775_290_727_791)] {
            assert!((power(effect, 16) - expected).abs() < 1e-9, "{}", power(effect, 16));
        }
    }

    /// The book: 8 draws, and nearly 80,000.
    #[test]
    fn small_effects_need_many_samples() {
        assert_eq!(samples_needed(1.0, 0.8), 8.0);
        assert_eq!(samples_needed(0.01, 0.8), 78_489.0);
    }

    #[test]
    fn statistics_and_p_values_are_scipy_s() {
        assert!((z_statistic(&[2.0, 0.0, 1.0, 3.0], &[0.0, 1.0, -1.0, 1.0]) - 1.25 * 2f64.sqrt()).abs() < 1e-12);
        assert!((p_two_sided(-1.96) - 0.049_995_790_296_440_9).abs() < 1e-9); // 2 * norm.sf(1.96)
        assert!((p_one_sided(1.5) - 0.066_807_201_268_858_1).abs() < 1e-9); // norm.sf(1.5)
        assert!(p_one_sided(-1.5) > 0.9);
    }

    /// SciPy: `t.ppf`, and `t.interval(0.95, 4, loc=3, scale=std([1, 2, 3, 4, 5], ddof=1) / sqrt(5))`.
    #[test]
    fn intervals_are_scipy_s() -> anyhow::Result<()> {
        for (n, alpha, expected) in [(2, 0.5, 1.0), (5, 0.05, 2.776_445_105_2), (1000, 0.05, 1.962_341_461_1)] {
            assert!((t_star(n, alpha)? - expected).abs() < 1e-6, "{n}: {}", t_star(n, alpha)?);
        }
        let (low, high) = confidence_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], t_star(5, 0.05)?);
        assert!((low - 1.036_756_838_5).abs() < 1e-6 && (high - 4.963_243_161_5).abs() < 1e-6, "{low} {high}");
        Ok(())
    }

    #[test]
    fn tests_and_intervals_keep_their_promises() -> anyhow::Result<()> {
        let mut stream = stream();
        let config = Config { num_samples: 1, num_repetitions: 4000, group_size: 16 };
        let rejected = |z: Vec<f64>| share_of(&z, |&z| p_two_sided(z) <= ALPHA);
        assert!((rejected(repeat_test(&mut stream, 0.0, &config)) - 0.05).abs() < 0.015);
        assert!((rejected(repeat_test(&mut stream, 1.0, &config)) - power(1.0, 16)).abs() < 0.03);
        let t = t_star(3, ALPHA)?;
        let intervals: Vec<(f64, f64)> =
            (0..4000).map(|_| confidence_interval(&normals(&mut stream, 7.0, 0.1, 3), t)).collect();
        assert!((share_of(&intervals, |&(low, high)| (low..=high).contains(&7.0)) - 0.95).abs() < 0.015);
        Ok(())
    }
}
