//! Initializers: bounds, moments, and that they go where they are asked to.

use candle_core::{Device, Result, Tensor};
use d2l::nn::{BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Embedding, Init, Linear, Parameters, init};
use d2l::ops::{BatchNormConfig, Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig};
use d2l::random::Random;

fn parameters(seed: u64) -> Parameters {
    Parameters::new(&Random::new(seed), &Device::Cpu)
}

/// Mean, standard deviation and largest absolute value.
fn moments(tensor: &Tensor) -> Result<(f64, f64, f64)> {
    let values: Vec<f64> = tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    Ok((mean, variance.sqrt(), values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()))))
}

#[test]
fn xavier_has_the_bound_and_the_variance_of_its_fans() -> Result<()> {
    // PyTorch: fan_in = inputs · kernel, fan_out = outputs · kernel.
    for (shape, fan_in, fan_out) in [(vec![200, 300], 300.0, 200.0), (vec![30, 20, 5, 7], 700.0, 1050.0)] {
        let parameters = parameters(1);
        let draw = |name: &str, init| parameters.builder().get_with_hints(shape.clone(), name, init);
        let std = (2.0f64 / (fan_in + fan_out)).sqrt();
        let (mean, spread, largest) = moments(&draw("uniform", init::xavier_uniform(shape.clone())?)?)?;
        let bound = (6.0f64 / (fan_in + fan_out)).sqrt();
        assert!(largest <= bound && largest > 0.99 * bound, "{largest} for a bound of {bound}");
        assert!(mean.abs() < 0.03 * std && (spread / std - 1.0).abs() < 0.02, "{mean}, {spread} for {std}");
        let (mean, spread, largest) = moments(&draw("normal", init::xavier_normal(shape.clone())?)?)?;
        assert!(mean.abs() < 0.03 * std && (spread / std - 1.0).abs() < 0.02, "{mean}, {spread} for {std}");
        assert!(largest > 3.0 * std, "normal draws reach further than uniform ones");
    }
    Ok(())
}

#[test]
fn xavier_needs_two_axes() {
    for shape in [vec![], vec![5], vec![0, 5]] {
        for result in [init::xavier_uniform(shape.clone()), init::xavier_normal(shape.clone())] {
            let error = result.expect_err("no fans").to_string();
            assert!(error.contains("shape must be (outputs, inputs, …)"), "{error}");
        }
    }
}

#[test]
fn initialize_changes_what_it_is_asked_to_and_nothing_else() -> Result<()> {
    let build = |seed| -> Result<(Parameters, Linear)> {
        let parameters = parameters(seed);
        let layer = Linear::new(100, 50, &parameters.builder().pp("hidden"))?;
        BatchNorm::new(50, BatchNormConfig::default(), &parameters.builder().pp("norm"))?;
        Linear::new(50, 10, &parameters.builder().pp("output"))?;
        Ok((parameters, layer))
    };
    let apply = |parameters: &Parameters| {
        parameters.initialize(|name, shape| {
            Ok(match name {
                "hidden.weight" => Some(init::normal(0.01)),
                "hidden.bias" => Some(init::constant(1.5)),
                name if name.starts_with("output") && shape.rank() == 2 => Some(init::xavier_uniform(shape)?),
                _ => None,
            })
        })
    };
    let (parameters, layer) = build(1)?;
    let untouched = parameters.get("output.bias").expect("a bias").to_vec1::<f32>()?;
    apply(&parameters)?;
    let (_, spread, _) = moments(layer.weight())?;
    assert!((spread - 0.01).abs() < 5e-4, "the layer sees the new values, of spread {spread}");
    assert_eq!(layer.bias().expect("a bias").to_vec1::<f32>()?, [1.5; 50]);
    assert_eq!(parameters.get("output.bias").expect("a bias").to_vec1::<f32>()?, untouched);
    assert_eq!(parameters.get("norm.running_var").expect("a buffer").to_vec1::<f32>()?, [1.0; 50]);
    assert!(moments(&parameters.get("output.weight").expect("a weight"))?.2 <= 0.1f64.sqrt());

    // The same seed gives the same values, another seed others.
    let weight = |seed| -> Result<Vec<Vec<f32>>> {
        let (parameters, layer) = build(seed)?;
        apply(&parameters)?;
        layer.weight().to_vec2()
    };
    assert_eq!(weight(1)?, layer.weight().to_vec2::<f32>()?);
    assert_ne!(weight(2)?, weight(1)?);
    Ok(())
}

#[test]
fn an_initialiser_that_fails_changes_nothing() -> Result<()> {
    let parameters = parameters(1);
    let layer = Linear::new(4, 3, &parameters.builder())?;
    let before = layer.weight().to_vec2::<f32>()?;
    let error =
        parameters.initialize(|_, shape| Ok(Some(init::xavier_uniform(shape)?))).expect_err("a bias has no fans");
    assert!(error.to_string().contains("[3]"), "{error}");
    assert_eq!(layer.weight().to_vec2::<f32>()?, before);
    Ok(())
}

#[test]
fn every_layer_takes_initial_values() -> Result<()> {
    let parameters = parameters(1);
    let vb = parameters.builder();
    let (weight, bias): (Init, Init) = (init::uniform(2.0, 3.0), init::constant(-1.0));
    let line = Conv1d::with_init(4, 6, 3, Conv1dConfig { groups: 2, ..Default::default() }, &vb.pp("a"), weight, bias)?;
    let conv = Conv2d::with_init(4, 6, (3, 5), Conv2dConfig::default(), &vb.pp("b"), weight, bias)?;
    let up = ConvTranspose2d::with_init(4, 6, (2, 2), ConvTranspose2dConfig::default(), &vb.pp("c"), weight, bias)?;
    let linear = Linear::with_init(4, 6, &vb.pp("d"), weight, bias)?;
    let table = Embedding::with_init(4, 6, &vb.pp("e"), weight)?;
    assert_eq!(line.weight().dims(), [6, 2, 3]);
    assert_eq!(conv.weight().dims(), [6, 4, 3, 5]);
    assert_eq!(up.weight().dims(), [4, 6, 2, 2]);
    for tensor in [line.weight(), conv.weight(), up.weight(), linear.weight(), table.weight()] {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        assert!(values.iter().all(|v| (2.0..3.0).contains(v)) && values[0] != values[1], "{values:?}");
    }
    for tensor in [line.bias(), conv.bias(), up.bias(), linear.bias()] {
        assert_eq!(tensor.expect("a bias").to_vec1::<f32>()?, [-1.0; 6]);
    }
    Ok(())
}
