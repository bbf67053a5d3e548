//! `nn::Rnn`, `nn::Gru`, `nn::Lstm` against `PyTorch`: values, final states and all gradients
//! (`scripts/reference/recurrent.py`), and their options.

use std::collections::HashMap;

use crate::support::{assert_close, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarMap;
use d2l::nn::{Gru, Lstm, Parameters, RecurrentConfig, Rnn, VarBuilder};
use d2l::ops::RnnActivation;
use d2l::random::Random;

/// Any of the layers, with its states as a list.
enum Net {
    Rnn(Rnn),
    Gru(Gru),
    Lstm(Lstm),
}

impl Net {
    fn new(kind: &str, (inputs, hidden): (usize, usize), config: RecurrentConfig, vb: &VarBuilder) -> Result<Self> {
        Ok(match kind {
            "rnn_tanh" => Self::Rnn(Rnn::new(inputs, hidden, RnnActivation::Tanh, config, vb)?),
            "rnn_relu" => Self::Rnn(Rnn::new(inputs, hidden, RnnActivation::Relu, config, vb)?),
            "gru" => Self::Gru(Gru::new(inputs, hidden, config, vb)?),
            _ => Self::Lstm(Lstm::new(inputs, hidden, config, vb)?),
        })
    }

    fn forward(&self, x: &Tensor, states: &[Tensor], lengths: Option<&Tensor>) -> Result<(Tensor, Vec<Tensor>)> {
        match self {
            Self::Rnn(net) => net.forward_t(x, states.first(), lengths, false).map(|(y, h)| (y, vec![h])),
            Self::Gru(net) => net.forward_t(x, states.first(), lengths, false).map(|(y, h)| (y, vec![h])),
            Self::Lstm(net) => {
                let state = if let [h, c] = states { Some((h, c)) } else { None };
                net.forward_t(x, state, lengths, false).map(|(y, (h, c))| (y, vec![h, c]))
            }
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/recurrent.safetensors");
    let reference = candle_core::safetensors::load(path, &Device::Cpu)?;
    for kind in ["rnn_tanh", "rnn_relu", "gru", "lstm"] {
        for deep in [false, true] {
            let prefix = format!("{kind}.{}.", if deep { "deep" } else { "plain" });
            let of = |name: &str| &reference[&format!("{prefix}{name}")];
            // Every leaf that PyTorch has a gradient for becomes a variable here.
            let leaf_names = reference.keys().filter_map(|name| name.strip_prefix(&format!("{prefix}gradient.")));
            let leaves: HashMap<&str, Var> =
                leaf_names.map(|name| Ok((name, Var::from_tensor(of(name))?))).collect::<Result<_>>()?;
            let parameters = leaves.iter().filter_map(|(name, var)| {
                Some((name.strip_prefix("parameter.")?.to_string(), var.as_tensor().clone()))
            });
            let vb = VarBuilder::from_tensors(parameters.collect(), DType::F64, &Device::Cpu);
            let config = RecurrentConfig {
                layers: 1 + usize::from(deep),
                bidirectional: deep,
                batch_first: deep,
                ..RecurrentConfig::default()
            };
            let net = Net::new(kind, (3, 6), config, &vb)?;
            let states: Vec<Tensor> =
                ["state0", "state1"].iter().filter_map(|&name| Some(leaves.get(name)?.as_tensor().clone())).collect();
            let lengths = deep.then(|| &reference["lengths"]);
            let (output, last) = net.forward(&leaves["x"], &states, lengths)?;

            assert_close(&output, of("output"), 1e-12);
            let mut loss = (&output * of("weight.output"))?.sum_all()?;
            for (k, last) in last.iter().enumerate() {
                assert_close(last, of(&format!("last{k}")), 1e-12);
                loss = (loss + (last * of(&format!("weight.last{k}")))?.sum_all()?)?;
            }
            let grads = loss.backward()?;
            for (name, var) in &leaves {
                let grad = grads.get(var.as_tensor()).unwrap_or_else(|| panic!("{prefix}{name} got no gradient"));
                assert_close(grad, of(&format!("gradient.{name}")), 1e-11);
            }
        }
    }
    Ok(())
}

#[test]
fn states_are_zero_by_default_and_new_parameters_lie_in_their_bounds() -> Result<()> {
    for kind in ["rnn_tanh", "gru", "lstm"] {
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F64, &Device::Cpu);
        let config = RecurrentConfig { layers: 2, bidirectional: true, ..RecurrentConfig::default() };
        let net = Net::new(kind, (3, 16), config, &vb)?;
        let x = uniform(&mut rng(1), &[5, 2, 3]);
        let zeros = Tensor::zeros((4, 2, 16), DType::F64, &Device::Cpu)?;
        let (output, last) = net.forward(&x, &[], None)?;
        let (same, _) = net.forward(&x, &vec![zeros.clone(); last.len()], None)?;
        assert_eq!((output.dims(), last[0].dims()), (&[5, 2, 32][..], &[4, 2, 16][..]));
        assert_close(&output, &same, 0.0);
        let variables = map.data().lock().expect("no other thread").clone();
        assert_eq!(variables.len(), 16);
        for (name, var) in variables {
            let largest = var.abs()?.max_all()?.to_scalar::<f64>()?;
            assert!(0.1 < largest && largest <= 0.25, "{name}: {largest}");
        }
    }
    Ok(())
}

#[test]
fn dropout_applies_between_layers_in_training_only_and_repeats_with_its_seed() -> Result<()> {
    let config = RecurrentConfig { layers: 2, dropout: 0.5, ..RecurrentConfig::default() };
    let x = uniform(&mut rng(1), &[6, 4, 3]).to_dtype(DType::F32)?;
    let net = || Gru::new(3, 8, config, &Parameters::new(&Random::new(7), &Device::Cpu).builder());
    let values =
        |net: &Gru, train: bool| -> Result<Vec<Vec<Vec<f32>>>> { net.forward_t(&x, None, None, train)?.1.to_vec3() };
    let (one, other) = (net()?, net()?);
    let thinned = values(&one, true)?;
    assert_eq!(values(&other, true)?, thinned);
    assert_ne!(values(&one, true)?[1], thinned[1], "another mask at each step");
    let whole = values(&one, false)?;
    assert_ne!(whole[1], thinned[1]);
    assert_eq!(whole[0], thinned[0], "the first layer's outputs are not thinned before it");
    assert_eq!(values(&one, false)?, whole);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let make = |inputs, config| Gru::new(inputs, 4, config, &vb);
    let message = |result: Result<Gru>| result.expect_err("a bad option").to_string();
    let default = RecurrentConfig::default();
    assert!(message(make(0, default)).contains("Gru: inputs (0)"));
    assert!(message(make(3, RecurrentConfig { layers: 0, ..default })).contains("layers (0)"));
    assert!(message(make(3, RecurrentConfig { dropout: 1.0, ..default })).contains("dropout must be in [0, 1), got 1"));
    let net = make(3, RecurrentConfig { batch_first: true, ..default })?;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let run = |x: &[usize], h0: &[usize]| -> Result<String> {
        Ok(net.forward_t(&zeros(x)?, Some(&zeros(h0)?), None, false).expect_err("bad sizes").to_string())
    };
    assert!(run(&[2, 3], &[1, 2, 4])?.contains("Gru: x must be (batch, steps, inputs), got [2, 3]"));
    assert!(run(&[2, 5, 3], &[1, 5, 4])?.contains("Gru: an initial state must be [1, 2, 4], got [1, 5, 4]"));
    assert!(run(&[2, 5, 7], &[1, 2, 4])?.contains("gru: w_ih must be [12, 7], got [12, 3]"));
    Ok(())
}
