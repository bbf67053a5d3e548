//! 2.6 Probability
//!
//! Dice: draws, and how their frequencies settle. Then what a positive test tells, by Bayes' theorem.
//!
//! `cargo run --release -p preliminaries -- probability`
//! At once: estimates near 1/6 after 5,000 draws; the tests raise a probability of 0.0015 to 0.1306, then to 0.8307.

use anyhow::Context;
use d2l::prelude::*;
use rand::Rng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;

/// Settings; the defaults are the book's, which has no simulation of people.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rolls of the die to estimate its probabilities from
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_rolls: usize,
    /// Groups of rolls in the figure
    #[arg(long, default_value_t = 500, value_parser = count)]
    pub num_groups: usize,
    /// Rolls in a group
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub group_size: usize,
    /// People to test in the simulation
    #[arg(long, default_value_t = 1_000_000, value_parser = count)]
    pub num_people: usize,
}

defaults! { Config: Smoke { num_people: 200000 } }

/// Draws `count` outcomes and counts how often each came up.
///
/// `weights` are the outcomes' probabilities up to a factor.
pub fn multinomial(stream: &mut Stream, count: usize, weights: &[f64]) -> anyhow::Result<Vec<u32>> {
    let outcomes = WeightedIndex::new(weights).with_context(|| format!("{weights:?} are no probabilities"))?;
    let mut counts = vec![0; weights.len()];
    for _ in 0..count {
        counts[outcomes.sample(stream)] += 1;
    }
    Ok(counts)
}

/// The probability of a hypothesis after an observation, by Bayes' theorem.
///
/// It takes what that probability was before, and how probable the observation is where the hypothesis is true and
/// where it is false.
///
/// ```
/// // A coin is either fair or has two heads, and it has just come up heads.
/// assert_eq!(preliminaries::sections::probability::bayes(0.5, 1.0, 0.5), 1.0 / 1.5);
/// ```
pub fn bayes(prior: f64, if_true: f64, if_false: f64) -> f64 {
    prior * if_true / marginal(prior, if_true, if_false)
}

/// The probability of an observation, whether the hypothesis is true or false.
pub fn marginal(prior: f64, if_true: f64, if_false: f64) -> f64 {
    prior * if_true + (1.0 - prior) * if_false
}

/// A test's probabilities of a positive result.
#[derive(Debug, Clone, Copy)]
pub struct DiagnosticTest {
    pub if_infected: f64,
    pub if_healthy: f64,
}

/// The share of the infected.
pub const INFECTED: f64 = 0.0015;
pub const FIRST_TEST: DiagnosticTest = DiagnosticTest { if_infected: 1.0, if_healthy: 0.01 };
pub const SECOND_TEST: DiagnosticTest = DiagnosticTest { if_infected: 0.98, if_healthy: 0.03 };

/// Tests so many people, those with a positive result once more; returns how many had two positive results, and how many
/// of those are infected.
pub fn test_people(stream: &mut Stream, people: usize) -> (u32, u32) {
    let (mut positive, mut infected) = (0, 0);
    for _ in 0..people {
        let is_infected = stream.random_bool(INFECTED);
        let mut is_positive =
            |test: DiagnosticTest| stream.random_bool(if is_infected { test.if_infected } else { test.if_healthy });
        if is_positive(FIRST_TEST) && is_positive(SECOND_TEST) {
            positive += 1;
            infected += u32::from(is_infected);
        }
    }
    (positive, infected)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Rolling a die")?;
    let device = nb.device().clone();
    let fair = [1.0 / 6.0; 6];
    let one = multinomial(nb.sampling(), 1, &fair)?;
    let ten = multinomial(nb.sampling(), 10, &fair)?;
    nb.say(format!("one roll {one:?}, ten rolls {ten:?}"))?;

    nb.cell("Several groups of rolls")?;
    for group in 1..=3 {
        let counts = multinomial(nb.sampling(), 10, &fair)?;
        nb.say(format!("group {group}: {counts:?}"))?;
    }

    nb.cell("Estimated probabilities")?;
    let counts = multinomial(nb.sampling(), config.num_rolls, &fair)?;
    let counts = Tensor::new(counts, &device)?.to_dtype(DType::F32)?; // (6)
    nb.show("counts over rolls", (counts / config.num_rolls as f64)?)?;

    nb.cell("How the estimates converge")?;
    let groups = (0..config.num_groups).map(|_| multinomial(nb.sampling(), config.group_size, &fair));
    let counts = Tensor::new(groups.collect::<anyhow::Result<Vec<_>>>()?, &device)?.to_dtype(DType::F32)?; // (groups, 6)
    let so_far = counts.cumsum(0)?; // (groups, 6)
    let estimates = so_far.broadcast_div(&so_far.sum_keepdim(1)?)?; // (groups, 6) / (groups, 1)
    let group: Vec<usize> = (1..=config.num_groups).collect();
    let mut chart = Chart::new().size(600, 400).x_label("groups of rolls").y_label("estimated probability");
    for face in 0..6 {
        let estimate = estimates.i((.., face))?.to_vec1::<f32>()?;
        chart = chart.line(format!("P(die = {})", face + 1), &group, &estimate);
    }
    let alt = "Estimates for the six faces, far apart after a few rolls, close to 1/6 after some thousand";
    nb.figure("convergence", alt, chart.horizontal(1.0 / 6.0))?;
    let error = (estimates.i(config.num_groups - 1)? - 1.0 / 6.0)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("estimate_error", f64::from(error))?;

    nb.cell("The first test is positive")?;
    let DiagnosticTest { if_infected, if_healthy } = FIRST_TEST;
    nb.say(format!("P(D1 = 1)         = {:.6}", marginal(INFECTED, if_infected, if_healthy)))?;
    let after_first = bayes(INFECTED, if_infected, if_healthy);
    nb.say(format!("P(H = 1 | D1 = 1) = {after_first:.4}"))?;
    nb.metric("infected_after_first_test", after_first)?;

    nb.cell("The second test is positive too")?;
    let both_if_infected = FIRST_TEST.if_infected * SECOND_TEST.if_infected;
    let both_if_healthy = FIRST_TEST.if_healthy * SECOND_TEST.if_healthy;
    nb.say(format!("P(D1 = 1, D2 = 1)         = {:.8}", marginal(INFECTED, both_if_infected, both_if_healthy)))?;
    let after_both = bayes(INFECTED, both_if_infected, both_if_healthy);
    nb.say(format!("P(H = 1 | D1 = 1, D2 = 1) = {after_both:.4}"))?;
    nb.metric("infected_after_both_tests", after_both)?;

    nb.cell("One test after the other")?;
    let step_by_step = bayes(after_first, SECOND_TEST.if_infected, SECOND_TEST.if_healthy);
    nb.say(format!("P(H = 1 | D1 = 1), then the second test: {step_by_step:.4}"))?;

    nb.cell("Testing people")?;
    let (positive, infected) = test_people(nb.sampling(), config.num_people);
    let share = f64::from(infected) / f64::from(positive.max(1));
    nb.say(format!("{positive} of {} people test positive twice, {infected} of them infected", config.num_people))?;
    nb.show("share", format!("{share:.4}"))?;
    nb.metric("infected_share_of_people", share)?;

    nb.cell("Expectation and variance")?;
    let faces: Vec<f64> = (1..=6).map(f64::from).collect();
    let mean: f64 = faces.iter().zip(fair).map(|(face, p)| p * face).sum();
    let variance: f64 = faces.iter().zip(fair).map(|(face, p)| p * (face - mean).powi(2)).sum();
    nb.say(format!("a fair die: E[X] = {mean:.4}, Var[X] = {variance:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Random::new(1).stream(Purpose::Sampling, "test")
    }

    #[test]
    fn counts_add_up_and_follow_the_weights() -> anyhow::Result<()> {
        let counts = multinomial(&mut stream(), 10_000, &[0.0, 1.0, 3.0])?;
        assert_eq!(counts.iter().sum::<u32>(), 10_000);
        assert_eq!(counts[0], 0);
        assert!((f64::from(counts[2]) / 1e4 - 0.75).abs() < 0.02, "{counts:?}");
        Ok(())
    }

    #[test]
    fn weights_that_are_no_probabilities_are_an_error() {
        for weights in [&[][..], &[0.0, 0.0], &[1.0, -0.5], &[f64::NAN, 1.0]] {
            let message = format!("{:#}", multinomial(&mut stream(), 1, weights).expect_err("no probabilities"));
            assert!(message.contains("are no probabilities"), "{message}");
        }
    }

    #[test]
    fn two_updates_are_one_with_both_observations() {
        let both = bayes(0.2, 0.9 * 0.7, 0.3 * 0.4);
        assert!((bayes(bayes(0.2, 0.9, 0.3), 0.7, 0.4) - both).abs() < 1e-12);
        assert!((marginal(0.2, 0.9, 0.3) - 0.42).abs() < 1e-12);
        assert_eq!(bayes(0.3, 0.5, 0.5), 0.3);
    }

    #[test]
    fn people_agree_with_bayes() {
        let (positive, infected) = test_people(&mut stream(), 500_000);
        let share = f64::from(infected) / f64::from(positive);
        assert!((share - 0.8307).abs() < 0.04, "{infected} of {positive}");
    }
}
