//! Values and gradients of every net against PyTorch's, which `scripts/reference/convolutional_nets.py` wrote. Weights and
//! images are drawn by a formula that both sides have. The last pools leave two pixels a side, so that a mean is no maximum.

use std::collections::BTreeMap;

use cnn::sections::alexnet::alexnet_at;
use cnn::sections::batch_norm::{lenet_with, ready_made};
use cnn::sections::densenet::{Features, four_blocks};
use cnn::sections::googlenet::googlenet_at;
use cnn::sections::nin::nin_at;
use cnn::sections::resnet::{Shortcut, eighteen_layers};
use cnn::sections::vgg::vgg_at;
use cnn::{VGG_11, lenet, narrower};
use d2l::checkpoint;
use d2l::prelude::*;

const CPU: Device = Device::Cpu;
const BATCH: usize = 4;

/// Numbers from -1 to 1: the fractions of a sine that is stretched far.
fn drawn(count: usize, stream: usize) -> Vec<f64> {
    let stretched = |i: usize| (i as f64 * 12.9898 + stream as f64 * 78.233).sin() * 43758.5453;
    (0..count).map(|i| 2.0 * (stretched(i) - stretched(i).floor()) - 1.0).collect()
}

fn uneven(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(|i| (i as f64 * 0.7 + 0.3).sin() + 0.1)
}

/// He's uniform distribution for weights, small biases, scales around 1.
fn fill(parameters: &Parameters) -> Result<()> {
    for (stream, (name, variable)) in parameters.trained().into_iter().enumerate() {
        let dims = variable.dims();
        let bound = match dims {
            [_, inputs @ ..] if !inputs.is_empty() => (6.0 / inputs.iter().product::<usize>() as f64).sqrt(),
            _ => 0.2,
        };
        let middle = if dims.len() == 1 && name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = drawn(variable.elem_count(), stream).into_iter().map(|value| (middle + bound * value) as f32);
        variable.set(&Tensor::from_vec(values.collect::<Vec<_>>(), dims, &CPU)?)?;
    }
    Ok(())
}

fn values(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

/// Whether the logits are PyTorch's but for rounding in `f32`.
fn assert_near(what: &str, got: &Tensor, wanted: &Tensor) -> Result<()> {
    assert_eq!(got.dims(), wanted.dims(), "{what}");
    let (got, wanted) = (values(got)?, values(wanted)?);
    let largest = wanted.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    for (a, b) in got.iter().zip(&wanted) {
        assert!((a - b).abs() <= 1e-4 * largest, "{what}: {a}, PyTorch has {b}"); // NaN fails, too
    }
    Ok(())
}

/// Compares a net for images of this side with PyTorch's; one that normalizes batches is differentiated in training.
fn check(
    case: &str,
    side: usize,
    normalizes: bool,
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
) -> anyhow::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/convolutional_nets.safetensors");
    let known: BTreeMap<String, Tensor> = checkpoint::load_map(path, &CPU)?.into_iter().collect();
    let known = |name: &str| &known[&format!("{case}.{name}")];
    let parameters = Parameters::new(&Random::new(1), &CPU);
    let net = net(&parameters.builder())?;
    fill(&parameters)?;
    let pixels: Vec<f32> = drawn(BATCH * side * side, 1000).into_iter().map(|pixel| pixel as f32).collect();
    let x = Tensor::from_vec(pixels, (BATCH, 1, side, side), &CPU)?;

    let y = net.forward_t(&x, normalizes)?;
    assert_near(&format!("{case}: differentiated"), &y, known("y_differentiated"))?;
    let weights: Vec<f32> = uneven(y.elem_count()).map(|weight| weight as f32).collect();
    let grads = backward(&(&y * Tensor::from_vec(weights, y.shape(), &CPU)?)?.sum_all()?)?;
    let (norms, sums) = (values(known("norms"))?, values(known("sums"))?);
    let trained = parameters.trained();
    assert_eq!(trained.len(), norms.len(), "{case}: as many parameters as PyTorch has");
    let largest = norms.iter().fold(0.0f64, |largest, norm| largest.max(*norm));
    for (i, (name, variable)) in trained.iter().enumerate() {
        let grad = values(grads.get(variable)?)?;
        let norm = grad.iter().map(|g| g * g).sum::<f64>().sqrt();
        let sum: f64 = grad.iter().zip(uneven(grad.len())).map(|(g, weight)| g * weight).sum();
        // What normalization takes away again has a gradient of zero, which rounding leaves something of.
        let tolerance = 1e-3 * norms[i] + 1e-5 * largest;
        assert!((norm - norms[i]).abs() <= tolerance, "{case}: {name}: norm {norm}, PyTorch has {}", norms[i]);
        assert!((sum - sums[i]).abs() <= 3.0 * tolerance, "{case}: {name}: sum {sum}, PyTorch has {}", sums[i]);
    }
    assert_near(&format!("{case}: evaluated"), &net.forward_t(&x, false)?, known("y"))?;
    Ok(())
}

#[test]
fn lenet_is_pytorchs() -> anyhow::Result<()> {
    check("lenet", 28, false, lenet)
}

#[test]
fn alexnet_is_pytorchs() -> anyhow::Result<()> {
    check("alexnet", 97, false, |vb| alexnet_at(97, 16, vb))
}

#[test]
fn vgg_is_pytorchs() -> anyhow::Result<()> {
    check("vgg", 64, false, |vb| vgg_at(64, &narrower(VGG_11, 16), 64, vb))
}

#[test]
fn nin_is_pytorchs() -> anyhow::Result<()> {
    check("nin", 99, false, |vb| nin_at(8, vb))
}

#[test]
fn googlenet_is_pytorchs() -> anyhow::Result<()> {
    check("googlenet", 64, false, |vb| googlenet_at(8, vb))
}

#[test]
fn lenet_with_batch_normalization_is_pytorchs() -> anyhow::Result<()> {
    check("batch_norm", 28, true, |vb| lenet_with(ready_made, vb))
}

#[test]
fn resnet_is_pytorchs() -> anyhow::Result<()> {
    check("resnet", 64, true, |vb| eighteen_layers(8, Shortcut::Added, vb))
}

#[test]
fn densenet_is_pytorchs() -> anyhow::Result<()> {
    check("densenet", 64, true, |vb| four_blocks(8, Features::Appended, vb))
}
