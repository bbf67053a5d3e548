//! 18.7 Maximum Likelihood
//!
//! The parameters that make what was seen most probable: of a coin and of a Gaussian, found by formulas and by gradient
//! descent, and why one works with logarithms.
//!
//! `cargo run --release -p math -- maximum-likelihood`
//! At once: nine heads of thirteen are likeliest at 9/13; the book's ten steps reach 0.5017 on their way to
//! 0.9970550284664874, and six hundred that are ten times as long arrive.

use d2l::notebook::at_least;
use d2l::prelude::*;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::statistics::{mean, normals, variance};
use crate::grid::{arange, values};

/// Settings of the searches; the first two are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Learning rate of the coin's search
    #[arg(long, default_value_t = 1e-11, value_parser = positive)]
    pub lr: f64,
    /// Steps of the coin's search
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_steps: usize,
    /// Learning rate of the search that arrives
    #[arg(long, default_value_t = 1e-10, value_parser = positive)]
    pub longer_lr: f64,
    /// Steps of the search that arrives
    #[arg(long, default_value_t = 600, value_parser = count)]
    pub longer_num_steps: usize,
    /// Draws to find a Gaussian's parameters from
    #[arg(long, default_value_t = 1000, value_parser = at_least::<2>)]
    pub num_samples: usize,
}

defaults! { Config: Smoke { num_samples: 100 } }

/// How often the coin of the search came up heads, and tails.
const HEADS: f64 = 8_675_309.0;
const TAILS: f64 = 25_624.0;
/// The book's thirteen flips.
const FLIPS: &str = "HHHTHTTHHHHHT";

/// How probable one sequence with so many heads and tails is where heads come up with probability `theta`.
pub fn likelihood(theta: f64, heads: i32, tails: i32) -> f64 {
    theta.powi(heads) * (1.0 - theta).powi(tails)
}

/// Minus the logarithm of the [`likelihood`], for a scalar `theta`.
pub fn negative_log_likelihood(theta: &Tensor, heads: f64, tails: f64) -> Result<Tensor> {
    ((theta.log()? * heads)? + ((1.0 - theta)?.log()? * tails)?)?.neg()
}

/// Gradient descent on the negative log-likelihood of the heads and tails from 0.5, in numbers of type `dtype`: the values
/// on the way.
///
/// # Errors
/// Where a step leaves what can be a probability.
pub fn descend(lr: f64, num_steps: usize, dtype: DType, device: &Device) -> anyhow::Result<Vec<f64>> {
    let theta = Var::from_tensor(&Tensor::full(0.5, (), device)?.to_dtype(dtype)?)?;
    let mut on_the_way = vec![0.5];
    for step in 1..=num_steps {
        let loss = negative_log_likelihood(&theta, HEADS, TAILS)?;
        let grads = backward(&loss)?;
        theta.set(&(theta.as_tensor() - (grads.get(&theta)? * lr)?)?)?;
        let value: f64 = theta.to_dtype(DType::F64)?.to_scalar()?;
        anyhow::ensure!(
            0.0 < value && value < 1.0,
            "theta is {value} after step {step} at rate {lr:e}: give a lower rate"
        );
        on_the_way.push(value);
    }
    Ok(on_the_way)
}

/// Each flip's probability where heads come up with probability `theta`, and that one's derivative.
fn with_derivatives(flips: &[bool], theta: f64) -> Vec<(f64, f64)> {
    flips.iter().map(|&heads| if heads { (theta, 1.0) } else { (1.0 - theta, -1.0) }).collect()
}

/// The derivative of the flips' likelihood by the product rule, each product anew, divided by the likelihood; and the
/// number of multiplications that it took.
pub fn derivative_of_product(flips: &[bool], theta: f64) -> (f64, usize) {
    let factors = with_derivatives(flips, theta);
    let others = |i: usize| factors.iter().enumerate().filter(move |&(j, _)| j != i).map(|(_, &(p, _))| p);
    let derivative: f64 = factors.iter().enumerate().map(|(i, &(_, dp))| others(i).fold(dp, |term, p| term * p)).sum();
    let product: f64 = factors.iter().map(|&(p, _)| p).product();
    (derivative / product, flips.len() * flips.len().saturating_sub(1))
}

/// The same from the sum of the logarithms, with the number of its divisions.
pub fn derivative_of_sum(flips: &[bool], theta: f64) -> (f64, usize) {
    (with_derivatives(flips, theta).iter().map(|&(p, dp)| dp / p).sum(), flips.len())
}

/// The mean negative log-likelihood of a Gaussian, for values of any shape and a scalar mean and logarithm of the
/// standard deviation; without ½ log 2π, which no parameter changes.
pub fn gaussian_loss(x: &Tensor, mu: &Tensor, log_sigma: &Tensor) -> Result<Tensor> {
    let z = x.broadcast_sub(mu)?.broadcast_div(&log_sigma.exp()?)?;
    (z.sqr()?.mean_all()? * 0.5)? + log_sigma
}

/// The coin of few flips, and what becomes of its likelihood where there are many.
fn show_coin(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A concrete example")?;
    let theta = arange(0.0, 1.0, 0.001);
    let p = values(|theta| likelihood(theta, 9, 4), &theta);
    let best = theta.iter().zip(&p).max_by(|a, b| a.1.total_cmp(b.1)).map_or(f64::NAN, |(&theta, _)| theta);
    let chart = Chart::new().x_label("theta").y_label("likelihood").unlabeled_line(&theta, &p).vertical(9.0 / 13.0);
    nb.figure("likelihood", "The likelihood of nine heads and four tails, highest at the dashed line, 9/13", chart)?;
    nb.say(format!("of a thousand values {best:.3} has the highest likelihood; 9/13 is {:.6}", 9.0 / 13.0))?;
    nb.metric("likeliest_theta", best)?;

    nb.cell("Products vanish, sums of logarithms do not")?;
    let mut table = Table::new(["flips", "likelihood, 32 bits", "64 bits", "its logarithm, 32 bits", "to the base 10"]);
    for flips in [10, 100, 1000, 1_000_000_000] {
        let (single, double) = (0.5f32.powi(flips), 0.5f64.powi(flips));
        let (log, log10) = (flips as f32 * 0.5f32.ln(), f64::from(flips) * 0.5f64.log10());
        let row = [format!("{single:.3e}"), format!("{double:.3e}"), log.to_string(), format!("{log10:.1}")];
        table.row([flips.to_string()].into_iter().chain(row));
    }
    nb.say(table)?;
    nb.metric("log10_billion_flips", 1e9 * 0.5f64.log10())
}

/// The coin of many flips by gradient descent, and two more reasons for logarithms.
fn minimize_coin(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Numerical optimization and the negative log-likelihood")?;
    let truth = HEADS / (HEADS + TAILS);
    let device = nb.device().clone();
    let book = descend(config.lr, config.num_steps, DType::F32, &device)?;
    let theta = book.last().copied().unwrap_or(f64::NAN);
    nb.say(format!("theta {theta:.4}, share of heads {truth}"))?;
    nb.metric("theta_book", theta)?;

    nb.cell("Until the search arrives")?;
    let longer = descend(config.longer_lr, config.longer_num_steps, DType::F64, &device)?;
    let slow = descend(config.lr, config.longer_num_steps, DType::F64, &device)?;
    let steps: Vec<usize> = (0..longer.len()).collect();
    let chart = Chart::new().x_label("step").y_label("theta").y_range(0.48..1.18).horizontal(truth);
    let chart = chart.line(format!("rate {:e}", config.longer_lr), &steps, &longer);
    let chart = chart.line(format!("rate {:e}", config.lr), &steps, &slow);
    let alt =
        "Two searches from 0.5: the one with the higher rate comes to rest at the dashed line, the share of heads";
    nb.figure("search", alt, chart)?;
    let theta = longer.last().copied().unwrap_or(f64::NAN);
    nb.say(format!("theta {theta:.12} after {} steps at rate {:e}", config.longer_num_steps, config.longer_lr))?;
    nb.metric("theta_error", (theta - truth).abs())?;

    nb.cell("Derivatives of products and of sums")?;
    let mut table = Table::new(["flips", "by the product rule", "multiplications", "by logarithms", "divisions"]);
    for times in [1, 10, 100] {
        let flips: Vec<bool> = FLIPS.repeat(times).chars().map(|flip| flip == 'H').collect();
        let ((product, multiplications), (sum, divisions)) =
            (derivative_of_product(&flips, 0.6), derivative_of_sum(&flips, 0.6));
        let row = [format!("{product:.4}"), multiplications.to_string(), format!("{sum:.4}"), divisions.to_string()];
        table.row([flips.len().to_string()].into_iter().chain(row));
    }
    nb.say(table)?;

    nb.cell("The loss of a flip and the entropy of the coin")?;
    let loss = |theta: f64| -likelihood(theta, 9, 4).ln() / 13.0;
    for theta in [0.5, 0.6, 9.0 / 13.0, 0.8] {
        nb.say(format!("theta {theta:.4}: {:.6} a flip", loss(theta)))?;
    }
    let p = 9.0 / 13.0f64;
    let entropy = -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
    nb.say(format!("entropy of a coin with 9/13: {entropy:.6}"))?;
    nb.metric("entropy_difference", (loss(p) - entropy).abs())
}

/// A Gaussian's mean and standard deviation from draws.
fn minimize_gaussian(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Maximum likelihood for continuous variables")?;
    let law = Normal::new(3.0, 2.0)?;
    let xs = normals(nb.sampling(), 3.0, 2.0, config.num_samples);
    let of_densities = -mean(&values(|x| law.ln_pdf(x), &xs));
    let mut table = Table::new(["epsilon", "-log P of intervals, a draw", "+ log epsilon", "-log p of densities"]);
    for epsilon in [1.0, 0.1, 0.01, 0.001] {
        let of_intervals = -mean(&values(|x| (law.cdf(x + epsilon) - law.cdf(x)).ln(), &xs));
        let numbers = [of_intervals, of_intervals + f64::ln(epsilon), of_densities].map(|loss| format!("{loss:.5}"));
        table.row([epsilon.to_string()].into_iter().chain(numbers));
    }
    nb.say(table)?;

    nb.cell("A Gaussian's mean and variance")?;
    let (mu_hat, sigma_hat) = (mean(&xs), variance(&xs).sqrt());
    let x = Tensor::new(&xs[..], nb.device())?; // (samples)
    let (mu, log_sigma) = (Var::new(0f64, nb.device())?, Var::new(4f64.ln(), nb.device())?);
    let mut optimizer = Sgd::new([&mu, &log_sigma], 0.1);
    let mut points = Vec::new();
    for _ in 0..1000 {
        points.push((mu.to_scalar::<f64>()?, log_sigma.to_scalar::<f64>()?.exp()));
        optimizer.minimize(&gaussian_loss(&x, &mu, &log_sigma)?)?;
    }
    let (mu, sigma) = (mu.to_scalar::<f64>()?, log_sigma.to_scalar::<f64>()?.exp());
    nb.say(format!("formula:          mean {mu_hat:.8}, standard deviation {sigma_hat:.8}"))?;
    nb.say(format!("gradient descent: mean {mu:.8}, standard deviation {sigma:.8}"))?;
    let loss = |mu: f64, sigma: f64| sigma.ln() + (sigma_hat.powi(2) + (mu_hat - mu).powi(2)) / (2.0 * sigma * sigma);
    let above = |mu: f64, sigma: f64| (loss(mu, sigma) - loss(mu_hat, sigma_hat)).max(0.0).sqrt();
    let (mus, sigmas) = (arange(-1.0, 5.0, 0.05), arange(1.4, 4.6, 0.05));
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().step_by(10).unzip();
    let chart = Chart::new().x_label("mean").y_label("standard deviation");
    let chart = chart.contours(&mus, &sigmas, above).trace("", &xs, &ys);
    nb.figure(
        "gaussian-search",
        "A search from (0, 4), a dot at every tenth step, over contours of the root of the loss above its least",
        chart,
    )?;
    nb.metric("gaussian_mean_difference", (mu - mu_hat).abs())?;
    nb.metric("gaussian_std_difference", (sigma - sigma_hat).abs())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    show_coin(nb)?;
    minimize_coin(config, nb)?;
    minimize_gaussian(config, nb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_has_the_book_s_result() -> anyhow::Result<()> {
        let book = descend(1e-11, 10, DType::F32, &Device::Cpu)?;
        // PyTorch's in single precision: 0.5017270445823669, which it prints as 0.5017.
        assert!((book[10] - 0.501_727_04).abs() < 2e-7, "{}", book[10]);
        assert_eq!(format!("{:.4}", book[10]), "0.5017");
        assert_eq!(HEADS / (HEADS + TAILS), 0.997_055_028_466_487_4);
        let astray = descend(1.0, 10, DType::F64, &Device::Cpu).expect_err("a rate far too high").to_string();
        assert!(astray.contains("after step 1 ") && astray.contains("give a lower rate"), "{astray}");
        Ok(())
    }

    #[test]
    fn a_longer_search_arrives() -> anyhow::Result<()> {
        let longer = descend(1e-10, 600, DType::F64, &Device::Cpu)?;
        assert!((longer[600] - HEADS / (HEADS + TAILS)).abs() < 1e-12, "{}", longer[600]);
        assert!(longer.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "it went back");
        Ok(())
    }

    #[test]
    fn the_likelihood_is_highest_at_the_share_of_heads() -> Result<()> {
        for theta in [0.3, 0.69, 0.7, 0.9] {
            assert!(likelihood(theta, 9, 4) < likelihood(9.0 / 13.0, 9, 4));
            let loss = negative_log_likelihood(&Tensor::new(theta, &Device::Cpu)?, 9.0, 4.0)?.to_scalar::<f64>()?;
            assert!((loss + likelihood(theta, 9, 4).ln()).abs() < 1e-12);
        }
        Ok(())
    }

    #[test]
    fn both_derivatives_agree_until_the_product_is_zero() {
        let flips = |times: usize| FLIPS.repeat(times).chars().map(|flip| flip == 'H').collect::<Vec<_>>();
        for times in [1, 20] {
            let ((product, multiplications), (sum, divisions)) =
                (derivative_of_product(&flips(times), 0.6), derivative_of_sum(&flips(times), 0.6));
            // 9/θ - 4/(1 - θ) for each thirteen flips.
            assert!((product - 5.0 * times as f64).abs() < 1e-9 && (sum - product).abs() < 1e-9, "{product} {sum}");
            assert_eq!((multiplications, divisions), (13 * times * (13 * times - 1), 13 * times));
        }
        assert!(derivative_of_product(&flips(100), 0.6).0.is_nan());
        assert!((derivative_of_product(&flips(1), 9.0 / 13.0).0).abs() < 1e-12);
    }

    #[test]
    fn a_gaussian_s_loss_has_its_minimum_at_mean_and_variance() -> Result<()> {
        let x = Tensor::new(&[1.0, 2.0, 6.0], &Device::Cpu)?;
        let (mu, log_sigma) = (Var::new(3f64, &Device::Cpu)?, Var::new((14f64 / 3.0).sqrt().ln(), &Device::Cpu)?);
        let grads = backward(&gaussian_loss(&x, &mu, &log_sigma)?)?;
        for parameter in [&mu, &log_sigma] {
            assert!(grads.get(parameter)?.to_scalar::<f64>()?.abs() < 1e-12);
        }
        let loss = gaussian_loss(&x, &mu, &log_sigma)?.to_scalar::<f64>()?;
        assert!((loss - 0.5 - log_sigma.to_scalar::<f64>()?).abs() < 1e-12);
        Ok(())
    }
}
