//! Values and gradients of a layer against PyTorch's.

use std::collections::BTreeMap;

use d2l::checkpoint;
use d2l::ops::sum;
use d2l::prelude::*;

const CPU: Device = Device::Cpu;

/// The inputs of one case by name; those of floating point are variables, so that they get gradients.
pub struct Inputs(BTreeMap<String, Tensor>);

impl Inputs {
    /// An input by its name.
    pub fn get(&self, name: &str) -> &Tensor {
        &self.0[name]
    }
}

/// Whether `got` is `wanted` but for rounding in `f32`.
fn assert_near(what: &str, got: &Tensor, wanted: &Tensor) -> Result<()> {
    assert_eq!(got.dims(), wanted.dims(), "{what}");
    let values = |x: &Tensor| x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    let (got, wanted) = (values(got)?, values(wanted)?);
    let largest = wanted.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
    for (a, b) in got.iter().zip(&wanted) {
        assert!((a - b).abs() <= 2e-5 * largest, "{what}: {a}, PyTorch has {b}"); // NaN fails, too
    }
    Ok(())
}

/// Gives a layer PyTorch's parameters, then compares its output and all gradients with PyTorch's.
///
/// `path` is a safetensors file with, for each case, `case.parameter.…`, the inputs, the output `y`, the gradient `seed` that
/// goes in there, and `case.gradient.…` for the parameters and for the inputs of floating point.
///
/// # Errors
/// Where the file cannot be read, or an operation fails.
pub fn check<L>(
    path: &str,
    case: &str,
    layer: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    let prefix = format!("{case}.");
    let tensors: BTreeMap<String, Tensor> = checkpoint::load_map(path, &CPU)?
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_string(), tensor)))
        .collect();
    let parameters = Parameters::new(&Random::new(1), &CPU);
    let layer = layer(&parameters.builder())?;
    let mut compared = Vec::new();
    for (name, variable) in parameters.named() {
        variable.set(&tensors[&format!("parameter.{name}")])?;
        compared.push((format!("gradient.parameter.{name}"), variable));
    }
    let mut inputs = Inputs(BTreeMap::new());
    for (name, tensor) in &tensors {
        if tensor.dtype() == DType::I64 {
            inputs.0.insert(name.clone(), tensor.to_dtype(DType::U32)?);
        } else if !name.contains('.') && name != "y" && name != "seed" {
            let variable = Var::from_tensor(tensor)?;
            inputs.0.insert(name.clone(), variable.as_tensor().clone());
            compared.push((format!("gradient.{name}"), variable));
        }
    }
    let y = forward(&layer, &inputs)?;
    assert_near(&format!("{case}: output"), &y, &tensors["y"])?;
    let loss = sum(&(y * &tensors["seed"])?.flatten_all()?, 0)?;
    let grads = backward(&loss)?;
    let known = tensors.keys().filter(|name| name.starts_with("gradient.")).count();
    assert_eq!(compared.len(), known, "{case}: as many gradients as PyTorch has");
    for (name, variable) in compared {
        let grad = grads.get(&variable).unwrap_or_else(|error| panic!("{case}: {name}: {error}"));
        assert_near(&format!("{case}: {name}"), grad, &tensors[&name])?;
    }
    Ok(())
}
