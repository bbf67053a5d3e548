//! Values and gradients of BERT, whole and in parts, against PyTorch's, which `scripts/reference/bert.py` wrote. Of the
//! inputs one has no padding, and one a single valid token.

use std::collections::BTreeMap;

use d2l::checkpoint;
use d2l::ops::{concat, sum};
use d2l::prelude::*;
use nlp_pretraining::sections::bert::{Bert, BertEncoder, BertSizes, MaskedLanguageModel, NextSentencePrediction};

const CPU: Device = Device::Cpu;
const VOCABULARY: usize = 13;
const SIZES: BertSizes = BertSizes { hidden: 8, feed_forward: 6, heads: 2, layers: 2, dropout: 0.0, max_len: 12 };

/// The inputs of one case by name; those of floating point are variables, so that they get gradients.
struct Inputs(BTreeMap<String, Tensor>);

impl Inputs {
    fn get(&self, name: &str) -> &Tensor {
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

/// Gives the model PyTorch's parameters, then compares its output and all gradients.
fn check<L>(
    case: &str,
    model: impl FnOnce(&VarBuilder) -> Result<L>,
    forward: impl FnOnce(&L, &Inputs) -> Result<Tensor>,
) -> anyhow::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/bert.safetensors");
    let prefix = format!("{case}.");
    let tensors: BTreeMap<String, Tensor> = checkpoint::load_map(path, &CPU)?
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?.to_string(), tensor)))
        .collect();
    let parameters = Parameters::new(&Random::new(1), &CPU);
    let model = model(&parameters.builder())?;
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
    let y = forward(&model, &inputs)?;
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

#[test]
fn the_encoder() -> anyhow::Result<()> {
    check(
        "encoder",
        |vb| BertEncoder::new(VOCABULARY, &SIZES, vb),
        |net, x| net.forward_t(x.get("tokens"), x.get("segments"), Some(x.get("lens")), false),
    )
}

#[test]
fn the_nets_of_both_tasks() -> anyhow::Result<()> {
    check(
        "mlm",
        |vb| MaskedLanguageModel::new(VOCABULARY, SIZES.hidden, vb),
        |net, x| net.forward(x.get("x"), x.get("positions")),
    )?;
    check("nsp", |vb| NextSentencePrediction::new(SIZES.hidden, vb), |net, x| net.forward(x.get("x")))
}

#[test]
fn the_whole_model() -> anyhow::Result<()> {
    check(
        "bert",
        |vb| Bert::new(VOCABULARY, &SIZES, vb),
        |net, x| {
            let (lens, positions) = (Some(x.get("lens")), Some(x.get("positions")));
            let (encoded, mlm, nsp) = net.forward_t(x.get("tokens"), x.get("segments"), lens, positions, false)?;
            let parts = [Some(encoded), mlm, Some(nsp)].into_iter().flatten().map(|part| part.flatten_all());
            concat(&parts.collect::<Result<Vec<_>>>()?, 0)
        },
    )
}
