//! The distributions that the sections take from statrs have `SciPy`'s values, also far out in the tails.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use statrs::distribution::{
    Bernoulli, Binomial, Cauchy, Continuous, ContinuousCDF, Discrete, DiscreteCDF, DiscreteUniform, Laplace, Normal,
    Poisson, StudentsT, Uniform,
};
use statrs::function::erf::erf;
use statrs::statistics::Distribution;

/// The values of `scripts/reference/mathematics.py`.
fn golden() -> Result<Value> {
    serde_json::from_str(include_str!("../golden/distributions.json")).context("tests/golden/distributions.json")
}

fn entries<'a>(golden: &'a Value, kind: &str) -> Result<&'a Vec<Value>> {
    golden[kind].as_array().with_context(|| format!("there is no list {kind}"))
}

fn numbers(entry: &Value, key: &str) -> Result<Vec<f64>> {
    let list = entry[key].as_array().with_context(|| format!("there are no numbers {key} in {entry}"))?;
    list.iter().map(|number| number.as_f64().with_context(|| format!("{number} in {key} is no number"))).collect()
}

/// The name and the parameters of an entry's distribution.
fn law(entry: &Value) -> Result<(&str, Vec<f64>)> {
    Ok((entry["name"].as_str().context("an entry has no name")?, numbers(entry, "parameters")?))
}

/// By how much of itself a value may differ: a little more than what was measured.
fn tolerance(function: &str, name: &str, parameters: &[f64]) -> f64 {
    match (function, name, parameters) {
        // statrs has ten digits of the error function.
        ("cumulative" | "survival", "normal", _) | ("erf", ..) => 2e-10,
        // It adds the arc's share to a half, which leaves a tail sixteen digits of 1, not of its own.
        ("cumulative" | "survival", "cauchy", _) => 1e-10,
        // Logarithms of factorials grow with n, and their last digits with them.
        (_, "binomial", &[n, _]) => (1e-14 * n).max(1e-12),
        _ => 1e-12,
    }
}

/// Holds a value of a function of a distribution at `x` against the expected one.
fn check(value: f64, expected: f64, function: &str, (name, parameters): (&str, &[f64]), x: f64) {
    let allowed = tolerance(function, name, parameters) * expected.abs();
    let case = format!("{function} of {name} {parameters:?} at {x}");
    assert!((value - expected).abs() <= allowed, "{case}: {value:e}, not {expected:e}");
}

/// Holds three functions of a distribution at all points of an entry against the lists of these names.
fn compare(entry: &Value, names: [&str; 3], functions: impl Fn(&str, &[f64], f64) -> Result<[f64; 3]>) -> Result<()> {
    let (name, parameters) = law(entry)?;
    for (i, &x) in numbers(entry, "x")?.iter().enumerate() {
        for (value, function) in functions(name, &parameters, x)?.into_iter().zip(names) {
            check(value, numbers(entry, function)?[i], function, (name, &parameters), x);
        }
    }
    Ok(())
}

/// Mass, distribution function and its complement at `x`.
fn discrete(name: &str, parameters: &[f64], x: f64) -> Result<[f64; 3]> {
    let k = x as u64;
    Ok(match (name, parameters) {
        ("bernoulli", &[p]) => {
            let law = Bernoulli::new(p)?;
            [law.pmf(k), law.cdf(k), law.sf(k)]
        }
        ("binomial", &[n, p]) => {
            let law = Binomial::new(p, n as u64)?;
            [law.pmf(k), law.cdf(k), law.sf(k)]
        }
        ("poisson", &[rate]) => {
            let law = Poisson::new(rate)?;
            [law.pmf(k), law.cdf(k), law.sf(k)]
        }
        ("discrete_uniform", &[low, high]) => {
            let (law, k) = (DiscreteUniform::new(low as i64, high as i64)?, x as i64);
            [law.pmf(k), law.cdf(k), law.sf(k)]
        }
        _ => bail!("the discrete distribution {name} {parameters:?} is not known"),
    })
}

/// A continuous distribution's density, its function and that one's complement at `x`.
fn at<L: Continuous<f64, f64> + ContinuousCDF<f64, f64>>(law: &L, x: f64) -> [f64; 3] {
    [law.pdf(x), law.cdf(x), law.sf(x)]
}

fn continuous(name: &str, parameters: &[f64], x: f64) -> Result<[f64; 3]> {
    Ok(match (name, parameters) {
        ("uniform", &[low, high]) => at(&Uniform::new(low, high)?, x),
        ("normal", &[mean, std]) => at(&Normal::new(mean, std)?, x),
        ("cauchy", &[location, scale]) => at(&Cauchy::new(location, scale)?, x),
        ("laplace", &[location, scale]) => at(&Laplace::new(location, scale)?, x),
        ("students_t", &[location, scale, freedom]) => at(&StudentsT::new(location, scale, freedom)?, x),
        _ => bail!("the continuous distribution {name} {parameters:?} is not known"),
    })
}

#[test]
fn masses_and_distribution_functions_of_counts() -> Result<()> {
    for entry in entries(&golden()?, "discrete")? {
        compare(entry, ["mass", "cumulative", "survival"], discrete)?;
    }
    Ok(())
}

#[test]
fn densities_and_their_distribution_functions() -> Result<()> {
    for entry in entries(&golden()?, "continuous")? {
        compare(entry, ["density", "cumulative", "survival"], continuous)?;
    }
    Ok(())
}

#[test]
fn quantiles_undo_distribution_functions() -> Result<()> {
    for entry in entries(&golden()?, "quantiles")? {
        let (name, parameters) = law(entry)?;
        for (p, expected) in numbers(entry, "p")?.into_iter().zip(numbers(entry, "x")?) {
            let value = match (name, &parameters[..]) {
                ("normal", &[mean, std]) => Normal::new(mean, std)?.inverse_cdf(p),
                ("students_t", &[location, scale, freedom]) => StudentsT::new(location, scale, freedom)?.inverse_cdf(p),
                _ => bail!("the quantiles of {name} {parameters:?} are not known"),
            };
            check(value, expected, "quantile", (name, &parameters), p);
        }
    }
    Ok(())
}

#[test]
fn moments_and_entropies() -> Result<()> {
    let all = |law: &dyn Distribution<f64>| [law.mean(), law.variance(), law.entropy()];
    for entry in entries(&golden()?, "entropies")? {
        let (name, parameters) = law(entry)?;
        let values = match (name, &parameters[..]) {
            ("bernoulli", &[p]) => all(&Bernoulli::new(p)?),
            ("uniform", &[low, high]) => all(&Uniform::new(low, high)?),
            ("normal", &[mean, std]) => all(&Normal::new(mean, std)?),
            ("laplace", &[location, scale]) => all(&Laplace::new(location, scale)?),
            _ => bail!("the moments of {name} {parameters:?} are not known"),
        };
        for (value, quantity) in values.into_iter().zip(["mean", "variance", "entropy"]) {
            let (value, expected) = (value.context("no value")?, entry[quantity].as_f64().context("no number")?);
            check(value, expected, quantity, (name, &parameters), f64::NAN);
        }
    }
    Ok(())
}

#[test]
fn the_error_function() -> Result<()> {
    let values = &golden()?["erf"];
    for (x, expected) in numbers(values, "x")?.into_iter().zip(numbers(values, "y")?) {
        check(erf(x), expected, "erf", ("", &[]), x);
    }
    Ok(())
}
