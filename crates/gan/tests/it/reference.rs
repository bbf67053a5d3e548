//! Values, gradients and updates of the nets against PyTorch's, which `scripts/reference/adversarial.py` wrote.
//!
//! All of it is in `f64`: in `f32`, rounding moves some number across the kink of a ReLU, and gradients with it.

use std::collections::BTreeMap;

use d2l::checkpoint;
use d2l::nn::is_buffer;
use d2l::prelude::*;
use gan::adversarial::{Both, update_discriminator, update_generator};
use gan::sections::dcgan;
use gan::sections::gan as gaussian;

const CPU: Device = Device::Cpu;
/// Of pictures, one in so many numbers is known.
const EVERY: usize = 61;

/// What PyTorch knows of one case.
struct Known {
    case: &'static str,
    tensors: BTreeMap<String, Tensor>,
}

impl Known {
    fn read(case: &'static str) -> anyhow::Result<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/adversarial.safetensors");
        let prefix = format!("{case}.");
        let tensors = checkpoint::load_map(path, &CPU)?.into_iter();
        let tensors = tensors.filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_string(), tensor)));
        Ok(Self { case, tensors: tensors.collect() })
    }

    fn get(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("PyTorch wrote no {}.{name}", self.case))
    }

    /// Variables with the numbers that the tensors below `part` have.
    fn variables(&self, part: &str) -> Result<BTreeMap<String, Var>> {
        let below = self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(part)?, tensor)));
        below.map(|(name, tensor)| Ok((name.to_string(), Var::from_tensor(tensor)?))).collect()
    }

    /// Whether numbers are PyTorch's but for rounding.
    fn assert_near(&self, name: &str, got: &Tensor) -> Result<()> {
        let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f64>();
        let (mut got, wanted) = (values(got)?, values(self.get(name))?);
        if got.len() > wanted.len() {
            got = got.into_iter().step_by(EVERY).collect();
        }
        assert_eq!(got.len(), wanted.len(), "{}: {name}", self.case);
        let largest = wanted.iter().fold(0f64, |largest, x| largest.max(x.abs()));
        for (a, b) in got.iter().zip(&wanted) {
            assert!((a - b).abs() <= 1e-7 * largest, "{}: {name}: {a}, PyTorch has {b}", self.case); // NaN fails, too
        }
        Ok(())
    }
}

fn builder(variables: &BTreeMap<String, Var>) -> VarBuilder {
    let tensors = variables.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone()));
    VarBuilder::from_tensors(tensors.collect(), DType::F64, &CPU)
}

/// Pictures `(count, 3, 64, 64)` from -1 to 1: the fractions of a sine that is stretched far.
fn pictures(count: usize) -> Result<Tensor> {
    let stretched = |i: usize| (i as f64 * 12.9898 + 1000.0 * 78.233).sin() * 43758.5453;
    let values = (0..count * 3 * 64 * 64).map(|i| 2.0 * (stretched(i) - stretched(i).floor()) - 1.0);
    Tensor::from_vec(values.collect::<Vec<f64>>(), (count, 3, 64, 64), &CPU)
}

/// Compares a net's output while training, all gradients, the statistics that are left, and its output in evaluation.
fn check(
    case: &'static str,
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
    x: impl FnOnce(&Known) -> Result<Tensor>,
) -> anyhow::Result<()> {
    let known = Known::read(case)?;
    let variables = known.variables("before.")?;
    let (net, x) = (net(&builder(&variables))?, x(&known)?);
    let y = net.forward_t(&x, true)?;
    known.assert_near("y", &y)?;
    let uneven: Vec<f64> = (0..y.elem_count()).map(|i| (i as f64 * 0.7 + 0.3).sin() + 0.1).collect();
    let grads = backward(&(&y * Tensor::from_vec(uneven, y.shape(), &CPU)?)?.sum_all()?)?;
    for (name, variable) in &variables {
        if is_buffer(name) {
            known.assert_near(&format!("after.{name}"), variable)?;
        } else {
            known.assert_near(&format!("gradient.{name}"), grads.get(variable)?)?;
        }
    }
    let gradients = known.tensors.keys().filter(|name| name.starts_with("gradient.")).count();
    assert_eq!(variables.keys().filter(|name| !is_buffer(name)).count(), gradients, "{case}");
    known.assert_near("inference", &net.forward_t(&x, false)?)?;
    Ok(())
}

/// Compares both nets after two rounds of updates, and the losses on the way.
fn play(
    case: &'static str,
    discriminator: impl FnOnce(&VarBuilder) -> Result<Sequential>,
    generator: impl FnOnce(&VarBuilder) -> Result<Sequential>,
    x: impl FnOnce(&Known) -> Result<Tensor>,
    rate: f64,
) -> anyhow::Result<()> {
    let known = Known::read(case)?;
    let variables = Both {
        discriminator: known.variables("before.discriminator.")?,
        generator: known.variables("before.generator.")?,
    };
    let nets = Both {
        discriminator: discriminator(&builder(&variables.discriminator))?,
        generator: generator(&builder(&variables.generator))?,
    };
    let mut optimizers = variables.map(|variables| {
        let trained = variables.iter().filter(|(name, _)| !is_buffer(name)).map(|(_, variable)| variable.clone());
        Sgd::new(trained.collect::<Vec<Var>>(), rate)
    });
    let (x, mut losses) = (x(&known)?, Vec::new());
    for round in 0..2 {
        let z = known.get("z").get(round)?;
        losses.push(update_discriminator(&x, &z, &nets, &mut optimizers.discriminator)?.loss);
        losses.push(update_generator(&z, &nets, &mut optimizers.generator)?);
    }
    known.assert_near("losses", &Tensor::stack(&losses, 0)?)?;
    for (part, variables) in [("discriminator", &variables.discriminator), ("generator", &variables.generator)] {
        for (name, variable) in variables {
            known.assert_near(&format!("after.{part}.{name}"), variable)?;
        }
    }
    Ok(())
}

#[test]
fn a_linear_generator() -> anyhow::Result<()> {
    check("gaussian_generator", |vb| gaussian::generator(2, vb), |known| Ok(known.get("z").clone()))
}

#[test]
fn a_discriminator_of_points() -> anyhow::Result<()> {
    check("gaussian_discriminator", gaussian::discriminator, |known| Ok(known.get("z").clone()))
}

#[test]
fn a_generator_of_pictures() -> anyhow::Result<()> {
    check("picture_generator", |vb| dcgan::generator(3, 2, vb), |known| Ok(known.get("z").clone()))
}

#[test]
fn a_discriminator_of_pictures() -> anyhow::Result<()> {
    check("picture_discriminator", |vb| dcgan::discriminator(2, 0.2, vb), |_| pictures(2))
}

#[test]
fn two_rounds_on_points() -> anyhow::Result<()> {
    let x = |known: &Known| Ok(known.get("x").clone());
    play("gaussian_game", gaussian::discriminator, |vb| gaussian::generator(2, vb), x, 0.5)
}

#[test]
fn two_rounds_on_pictures() -> anyhow::Result<()> {
    let discriminator = |vb: &VarBuilder| dcgan::discriminator(1, 0.2, vb);
    play("picture_game", discriminator, |vb| dcgan::generator(2, 1, vb), |_| pictures(2), 0.05)
}
