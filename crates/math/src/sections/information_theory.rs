//! 18.11 Information Theory
//!
//! Surprise in bits: of an event, of one variable and of two, and of a model that takes one distribution for another.
//!
//! `cargo run --release -p math -- information-theory`
//! At once: the book's numbers, such as an entropy of 1.6855 bits and a cross-entropy of 0.9486.

use std::f64::consts::LN_2;

use d2l::prelude::*;
use statrs::distribution::{Continuous, Normal};
use statrs::statistics::Distribution;

/// Settings of the example of the Kullback–Leibler divergence.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Draws from each of its three distributions
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub num_samples: usize,
}

defaults! { Config: Smoke { num_samples: 1000 } }

/// The sum of the elements that are numbers: of `0 log 0`, which is none, nothing is added.
pub fn nansum(x: &Tensor) -> Result<f64> {
    let numbers = x.eq(x)?.where_cond(x, &x.zeros_like()?)?; // what is not a number differs from itself
    Ok(f64::from(numbers.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?))
}

/// The logarithm to the base 2, in which information is counted in bits.
fn log2(x: &Tensor) -> Result<Tensor> {
    x.log()? / LN_2
}

/// The information of an event of probability `p`, in bits.
pub fn self_information(p: f64) -> f64 {
    -p.log2()
}

/// The mean information of what has the probabilities `p`, of any shape, in bits.
pub fn entropy(p: &Tensor) -> Result<f64> {
    nansum(&(p.neg()? * log2(p)?)?)
}

/// The entropy of two variables together, from the probabilities of their pairs.
pub fn joint_entropy(p_xy: &Tensor) -> Result<f64> {
    entropy(p_xy)
}

/// The entropy that is left of `y` where `x` is known: `p_xy` is `(values of y, values of x)`, `p_x` `(values of x)`.
pub fn conditional_entropy(p_xy: &Tensor, p_x: &Tensor) -> Result<f64> {
    let p_y_given_x = p_xy.broadcast_div(p_x)?;
    nansum(&(p_xy.neg()? * log2(&p_y_given_x)?)?)
}

/// By how many bits pairs are more probable than those of independent variables, as a tensor of `p_xy`'s shape.
pub fn pointwise_mutual_information(p_xy: &Tensor, p_x: &Tensor, p_y: &Tensor) -> Result<Tensor> {
    log2(&p_xy.broadcast_div(&p_x.broadcast_mul(p_y)?)?)
}

/// The information that two variables share; `p_y` is `(values of y, 1)`.
pub fn mutual_information(p_xy: &Tensor, p_x: &Tensor, p_y: &Tensor) -> Result<f64> {
    nansum(&(p_xy * pointwise_mutual_information(p_xy, p_x, p_y)?)?)
}

/// The probabilities of the values of `x` `(values of x)` and of `y` `(values of y, 1)`.
pub fn marginals(p_xy: &Tensor) -> Result<(Tensor, Tensor)> {
    Ok((p_xy.sum(0)?, p_xy.sum_keepdim(1)?))
}

/// The bits that are lost where `q` is taken for `p`: the Kullback–Leibler divergence.
pub fn kl_divergence(p: &Tensor, q: &Tensor) -> Result<f64> {
    Ok(nansum(&(p * log2(&(p / q)?)?)?)?.abs())
}

/// The same for normal distributions, each by its mean and standard deviation, from the formula.
pub fn kl_of_normals((mean_p, std_p): (f64, f64), (mean_q, std_q): (f64, f64)) -> f64 {
    let squares = (std_p.powi(2) + (mean_p - mean_q).powi(2)) / (2.0 * std_q.powi(2));
    ((std_q / std_p).ln() + squares - 0.5) / LN_2
}

/// The same from draws from `p`: the mean of `log2 p(x) / q(x)`.
pub fn kl_from_draws(draws: &[f64], p: &Normal, q: &Normal) -> f64 {
    draws.iter().map(|&x| p.ln_pdf(x) - q.ln_pdf(x)).sum::<f64>() / LN_2 / draws.len() as f64
}

/// The mean negative logarithm, to the base e, of the probabilities that the labels `(batch)` have in `y_hat`
/// `(batch, classes)`.
pub fn cross_entropy(y_hat: &Tensor, y: &Tensor) -> Result<Tensor> {
    y_hat.gather(&y.unsqueeze(1)?, 1)?.log()?.neg()?.mean_all() // (batch, classes) -> (batch, 1) -> ()
}

/// Draws from `N(mean, 1)`, the least first.
fn sorted_draws(nb: &mut Notebook, mean: f64, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut draws: Vec<f64> = nb.normal(count)?.to_vec1::<f32>()?.into_iter().map(|z| mean + f64::from(z)).collect();
    draws.sort_by(f64::total_cmp);
    Ok(draws)
}

/// By how many percent of their mean two numbers differ.
fn percent_apart(a: f64, b: f64) -> f64 {
    (a - b).abs() / f64::midpoint(a, b) * 100.0
}

/// One event and one variable.
fn one_variable(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Information")?;
    let deck = (1..=52).map(|cards| f64::from(cards).log2()).sum::<f64>();
    let told =
        [("a card", 0.0), ("a heart", 4f64.log2()), ("the three of spades", 52f64.log2()), ("a whole deck", deck)];
    let mut table = Table::new(["seen", "bits"]);
    for (what, bits) in told {
        table.row([what.to_string(), format!("{bits:.1}")]);
    }
    nb.say(table)?;
    nb.metric("deck_bits", deck)?;

    nb.cell("Self-information")?;
    nb.show("self_information(1 / 64)", format!("{:.1}", self_information(1.0 / 64.0)))?;
    nb.metric("self_information", self_information(1.0 / 64.0))?;

    nb.cell("Definition of entropy")?;
    let p = Tensor::new(&[0.1f32, 0.5, 0.1, 0.3], nb.device())?;
    nb.show("entropy", format!("{:.4}", entropy(&p)?))?;
    nb.metric("entropy", entropy(&p)?)?;

    nb.cell("Properties of entropy")?;
    let coin =
        |p: f64| if p > 0.0 && p < 1.0 { p * self_information(p) + (1.0 - p) * self_information(1.0 - p) } else { 0.0 };
    let xs: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    let chart = Chart::new().x_label("probability of heads").y_label("entropy in bits");
    let chart = chart.unlabeled_line(&xs, &xs.iter().map(|&p| coin(p)).collect::<Vec<_>>());
    nb.figure("coin", "The entropy of a coin: nothing where it always falls alike, one bit where it is fair", chart)?;
    let even = Tensor::full(0.25f32, 4, nb.device())?;
    nb.say(format!("four values, uneven as above: {:.4}, even: {:.4}", entropy(&p)?, entropy(&even)?))?;
    for std in [1.0, 0.1] {
        let bits = Normal::new(0.0, std)?.entropy().unwrap_or(f64::NAN) / LN_2;
        nb.say(format!("normal with standard deviation {std}: {bits:.4}"))?;
    }
    Ok(())
}

/// Two variables.
fn two_variables(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Joint entropy")?;
    let p_xy = Tensor::new(&[[0.1f32, 0.5], [0.1, 0.3]], nb.device())?; // (values of y, values of x)
    nb.show("joint entropy", format!("{:.4}", joint_entropy(&p_xy)?))?;
    nb.metric("joint_entropy", joint_entropy(&p_xy)?)?;

    nb.cell("Conditional entropy")?;
    // The book's table sums to 1.1 and has not the margin that it is divided by.
    let (off, margin) =
        (Tensor::new(&[[0.1f32, 0.5], [0.2, 0.3]], nb.device())?, Tensor::new(&[0.2f32, 0.8], nb.device())?);
    nb.show("of the book's numbers", format!("{:.4}", conditional_entropy(&off, &margin)?))?;
    nb.metric("conditional_entropy_book", conditional_entropy(&off, &margin)?)?;
    let (p_x, p_y) = marginals(&p_xy)?; // (values of x), (values of y, 1)
    let (left, whole) = (conditional_entropy(&p_xy, &p_x)?, joint_entropy(&p_xy)?);
    nb.say(format!("H(Y | X) = {left:.4}, H(X, Y) - H(X) = {:.4}", whole - entropy(&p_x)?))?;
    nb.metric("conditional_entropy", left)?;

    nb.cell("Mutual information")?;
    // The book's second margin is not that of the pairs' table, nor is it laid along the table's rows.
    let other = Tensor::new(&[[0.75f32, 0.25]], nb.device())?;
    nb.show("of the book's numbers", format!("{:.4}", mutual_information(&p_xy, &margin, &other)?))?;
    nb.metric("mutual_information_book", mutual_information(&p_xy, &margin, &other)?)?;
    let shared = mutual_information(&p_xy, &p_x, &p_y)?;
    nb.say(format!("I(X, Y) = {shared:.4}, H(Y) - H(Y | X) = {:.4}", entropy(&p_y)? - left))?;
    nb.metric("mutual_information", shared)?;

    nb.cell("Properties of mutual information")?;
    let equal = Tensor::new(&[[0.2f32, 0.0], [0.0, 0.8]], nb.device())?;
    let tables = [("as above", p_xy.clone()), ("independent", p_x.broadcast_mul(&p_y)?), ("X = Y", equal)];
    let mut table = Table::new(["pairs", "H(X)", "H(Y)", "H(X, Y)", "I(X, Y)", "I(Y, X)"]);
    for (name, p) in tables {
        let ((p_x, p_y), turned) = (marginals(&p)?, p.t()?);
        let (turned_x, turned_y) = marginals(&turned)?;
        let shared = [mutual_information(&p, &p_x, &p_y)?, mutual_information(&turned, &turned_x, &turned_y)?];
        let bits = [entropy(&p_x)?, entropy(&p_y)?, joint_entropy(&p)?].into_iter().chain(shared);
        // A negative zero of rounding is shown as zero.
        table.row(
            [name.to_string()].into_iter().chain(bits.map(|bits| format!("{:.4}", (bits * 1e6).round() / 1e6 + 0.0))),
        );
    }
    nb.say(table)?;

    nb.cell("Pointwise mutual information")?;
    let mut table = Table::new(["x", "y", "p(x, y)", "p(x) p(y)", "bits"]);
    let alone = p_x.broadcast_mul(&p_y)?.to_vec2::<f32>()?;
    let bits = pointwise_mutual_information(&p_xy, &p_x, &p_y)?.to_vec2::<f32>()?;
    for (y, pairs) in p_xy.to_vec2::<f32>()?.into_iter().enumerate() {
        for (x, p) in pairs.into_iter().enumerate() {
            let numbers = [format!("{p:.2}"), format!("{:.2}", alone[y][x]), format!("{:.4}", bits[y][x])];
            table.row([x.to_string(), y.to_string()].into_iter().chain(numbers));
        }
    }
    nb.say(table)
}

/// Two distributions of one variable.
fn divergences(nb: &mut Notebook, num_samples: usize) -> anyhow::Result<()> {
    nb.cell("Properties of the KL divergence")?;
    let distributions = [[0.5f32, 0.5], [0.9, 0.1], [1.0, 0.0]];
    let mut table = Table::new(["p", "q", "D(p, q)", "D(q, p)"]);
    for (p, q) in [(0, 0), (0, 1), (0, 2)] {
        let (p, q) = (distributions[p], distributions[q]);
        let tensors = (Tensor::new(&p, nb.device())?, Tensor::new(&q, nb.device())?);
        let bits = [kl_divergence(&tensors.0, &tensors.1)?, kl_divergence(&tensors.1, &tensors.0)?];
        table.row([format!("{p:?}"), format!("{q:?}")].into_iter().chain(bits.map(|bits| format!("{bits:.4}"))));
    }
    nb.say(table)?;

    nb.cell("Three samples")?;
    let draws = [0.0, -1.0, 1.0]
        .into_iter()
        .map(|mean| sorted_draws(nb, mean, num_samples))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let tensor = |draws: &[f64]| Tensor::new(draws, &Device::Cpu)?.to_dtype(DType::F32)?.to_device(nb.device());
    let (p, q1, q2) = (tensor(&draws[0])?, tensor(&draws[1])?, tensor(&draws[2])?);
    let least = draws.iter().map(|draws| format!("{:.2}", draws[0])).collect::<Vec<_>>();
    nb.say(format!("{num_samples} draws each, sorted; the least: {}", least.join(", ")))?;

    nb.cell("Two divergences that are alike")?;
    let (kl_pq1, kl_pq2) = (kl_divergence(&p, &q1)?, kl_divergence(&p, &q2)?);
    let similar = percent_apart(kl_pq1, kl_pq2);
    nb.say(format!("{kl_pq1:.1} and {kl_pq2:.1}, {similar:.2} percent apart"))?;
    nb.metric("kl_similar_percent", similar)?;

    nb.cell("Two divergences that differ")?;
    let kl_q2p = kl_divergence(&q2, &p)?;
    let differ = percent_apart(kl_q2p, kl_pq2);
    nb.say(format!("{kl_q2p:.1} and {kl_pq2:.1}, {differ:.2} percent apart"))?;
    nb.metric("kl_differ_percent", differ)?;

    nb.cell("The divergence of the densities")?;
    // Above, the draws themselves stand in the place of probabilities; a third of the terms are not numbers.
    let mut table = Table::new(["p", "q", "D(p, q), from draws", "by the formula", "D(q, p), by the formula"]);
    for (mean, std) in [(-1.0, 1.0), (1.0, 1.0), (0.0, 2.0)] {
        let drawn = kl_from_draws(&draws[0], &Normal::standard(), &Normal::new(mean, std)?);
        let (exact, reverse) = (kl_of_normals((0.0, 1.0), (mean, std)), kl_of_normals((mean, std), (0.0, 1.0)));
        let numbers = [drawn, exact, reverse].map(|bits| format!("{bits:.4}"));
        table.row(["N(0, 1²)".to_string(), format!("N({mean}, {std}²)")].into_iter().chain(numbers));
        if std == 2.0 {
            nb.metric("kl_error", (drawn - exact).abs())?;
            nb.metric("kl_normals", exact)?;
            nb.metric("kl_normals_reverse", reverse)?;
        }
    }
    nb.say(table)
}

/// The loss of a classifier.
fn cross_entropies(nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Cross-entropy")?;
    let labels = Tensor::new(&[0u32, 2], nb.device())?; // (batch)
    let preds = Tensor::new(&[[0.3f32, 0.6, 0.1], [0.2, 0.3, 0.5]], nb.device())?; // (batch, classes)
    let loss = f64::from(cross_entropy(&preds, &labels)?.to_scalar::<f32>()?);
    nb.show("cross-entropy", format!("{loss:.4}"))?;
    nb.metric("cross_entropy", loss)?;

    nb.cell("Properties of cross-entropy")?;
    let p = 0.3;
    let qs: Vec<f64> = (2..=98).map(|i| f64::from(i) / 100.0).collect();
    let crossed: Vec<f64> =
        qs.iter().map(|&q| p * self_information(q) + (1.0 - p) * self_information(1.0 - q)).collect();
    let own = p * self_information(p) + (1.0 - p) * self_information(1.0 - p);
    let divergence: Vec<f64> = crossed.iter().map(|bits| bits - own).collect();
    let chart =
        Chart::new().x_label("probability of heads that is assumed").y_label("bits").horizontal(own).vertical(p);
    let chart = chart.line("cross-entropy", &qs, &crossed).line("KL divergence", &qs, &divergence);
    nb.figure("assumed", "Both are least where the assumption is right, at 0.3, the one at the entropy", chart)?;

    nb.cell("Cross-entropy as an objective function of multi-class classification")?;
    let likelihood = 0.3 * 0.5;
    nb.say(format!("-log of the likelihood {likelihood}, over 2 examples: {:.4}", -f64::ln(likelihood) / 2.0))?;
    // The softmax of logarithms of probabilities is these probabilities.
    let built_in = d2l::ops::cross_entropy(&preds.log()?, &labels, Reduction::Mean)?.to_scalar::<f32>()?;
    nb.say(format!("d2l's cross_entropy of the logarithms: {built_in:.4}"))?;
    nb.metric("cross_entropy_difference", (f64::from(built_in) - loss).abs())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    one_variable(nb)?;
    two_variables(nb)?;
    divergences(nb, config.num_samples)?;
    cross_entropies(nb)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers that the book prints, to the last digit.
    #[test]
    fn the_book_s_numbers() -> anyhow::Result<()> {
        let table = |rows: [[f32; 2]; 2]| Tensor::new(&rows, &Device::Cpu);
        let p_xy = table([[0.1, 0.5], [0.1, 0.3]])?;
        let (p_x, p_y) = (Tensor::new(&[0.2f32, 0.8], &Device::Cpu)?, Tensor::new(&[[0.75f32, 0.25]], &Device::Cpu)?);
        let digits = |value: f64| format!("{value:.4}");
        assert_eq!(self_information(1.0 / 64.0), 6.0);
        assert_eq!(digits(entropy(&Tensor::new(&[0.1f32, 0.5, 0.1, 0.3], &Device::Cpu)?)?), "1.6855");
        assert_eq!(digits(joint_entropy(&p_xy)?), "1.6855");
        assert_eq!(digits(conditional_entropy(&table([[0.1, 0.5], [0.2, 0.3]])?, &p_x)?), "0.8635");
        assert_eq!(digits(mutual_information(&p_xy, &p_x, &p_y)?), "0.7195");
        let preds = Tensor::new(&[[0.3f32, 0.6, 0.1], [0.2, 0.3, 0.5]], &Device::Cpu)?;
        let loss = cross_entropy(&preds, &Tensor::new(&[0u32, 2], &Device::Cpu)?)?.to_scalar::<f32>()?;
        assert_eq!(digits(f64::from(loss)), "0.9486");
        Ok(())
    }

    /// With the table's own margins, in NumPy: `-sum(p * log2(p / p.sum(0)))` and the like.
    #[test]
    fn the_mended_numbers() -> Result<()> {
        let p_xy = Tensor::new(&[[0.1f32, 0.5], [0.1, 0.3]], &Device::Cpu)?;
        let (p_x, p_y) = marginals(&p_xy)?;
        assert!((conditional_entropy(&p_xy, &p_x)? - 0.963_547_202).abs() < 1e-6);
        assert!((mutual_information(&p_xy, &p_x, &p_y)? - 0.007_403_392).abs() < 1e-6);
        let pointwise = pointwise_mutual_information(&p_xy, &p_x, &p_y)?.flatten_all()?.to_vec1::<f32>()?;
        for (bits, expected) in pointwise.into_iter().zip([-0.263_034_4, 0.058_893_69, 0.321_928_1, -0.093_109_4]) {
            assert!((f64::from(bits) - expected).abs() < 1e-5, "{bits} {expected}");
        }
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_left_out() -> Result<()> {
        assert_eq!(nansum(&Tensor::new(&[1.5f32, f32::NAN, -0.25], &Device::Cpu)?)?, 1.25);
        assert_eq!(entropy(&Tensor::new(&[0.0f32, 1.0], &Device::Cpu)?)?, 0.0);
        let (p, q) = (Tensor::new(&[0.5f32, 0.5], &Device::Cpu)?, Tensor::new(&[1.0f32, 0.0], &Device::Cpu)?);
        assert_eq!((kl_divergence(&p, &q)?, kl_divergence(&q, &p)?), (f64::INFINITY, 1.0));
        Ok(())
    }

    /// SciPy: `quad(lambda x: norm.pdf(x) * log2(norm.pdf(x) / norm.pdf(x, m, s)), -20, 20)`.
    #[test]
    fn normals_diverge_as_their_densities() -> anyhow::Result<()> {
        let standard = (0.0, 1.0);
        for (q, expected) in [((1.0, 1.0), 0.721_347_52), ((0.0, 2.0), 0.458_989_36)] {
            assert!((kl_of_normals(standard, q) - expected).abs() < 1e-8, "{}", kl_of_normals(standard, q));
        }
        assert!((kl_of_normals((0.0, 2.0), standard) - 1.164_042_561).abs() < 1e-8);
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        let draws = d2l::random::normal(&mut stream, 0.0, 1.0, 20_000, &Device::Cpu)?.to_vec1::<f32>()?;
        let draws: Vec<f64> = draws.into_iter().map(f64::from).collect();
        let drawn = kl_from_draws(&draws, &Normal::standard(), &Normal::new(1.0, 1.0)?);
        assert!((drawn - 0.7213).abs() < 0.05, "{drawn}");
        Ok(())
    }

    fn distribution(weights: &[f32], shape: (usize, usize)) -> Result<Tensor> {
        let sum: f32 = weights.iter().sum();
        Tensor::from_vec(weights.iter().map(|weight| weight / sum).collect::<Vec<_>>(), shape, &Device::Cpu)
    }

    proptest! {
        #[test]
        fn identities_of_information(
            weights in prop::collection::vec(0.01f32..1.0, 6),
            others in prop::collection::vec(0.01f32..1.0, 6),
        ) {
            let (p, q) = (distribution(&weights, (2, 3)).unwrap(), distribution(&others, (2, 3)).unwrap());
            let (p_x, p_y) = marginals(&p).unwrap();
            let (h_x, h_y, h_xy) = (entropy(&p_x).unwrap(), entropy(&p_y).unwrap(), joint_entropy(&p).unwrap());
            let shared = mutual_information(&p, &p_x, &p_y).unwrap();
            prop_assert!((shared - (h_x + h_y - h_xy)).abs() < 1e-5);
            prop_assert!((conditional_entropy(&p, &p_x).unwrap() - (h_xy - h_x)).abs() < 1e-5);
            prop_assert!((kl_divergence(&p, &p_x.broadcast_mul(&p_y).unwrap()).unwrap() - shared.abs()).abs() < 1e-5);
            // Taking q for p costs the entropy and the divergence.
            let crossed = nansum(&(p.neg().unwrap() * log2(&q).unwrap()).unwrap()).unwrap();
            prop_assert!((crossed - h_xy - kl_divergence(&p, &q).unwrap()).abs() < 1e-5);
            prop_assert!(h_xy <= 6f64.log2() + 1e-5);
        }
    }
}
