//! The layers of `nn` together against PyTorch's, and what each does on its own.

use std::collections::HashMap;

use crate::support::{assert_close, rng, uniform};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::VarMap;
use d2l::nn::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Dropout, Embedding, Flatten, LayerNorm,
    Linear, MaxPool2d, Sequential, is_buffer,
};
use d2l::nn::{Module, ModuleT, VarBuilder};
use d2l::ops::{self, BatchNormConfig, Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig, Pool2dConfig};

/// The net of images of `scripts/reference/layers.py`.
fn image_net(vb: &VarBuilder) -> Result<Sequential> {
    let conv = Conv2dConfig { padding: (1, 0), stride: (1, 2), ..Conv2dConfig::default() };
    let up = ConvTranspose2dConfig { stride: (2, 2), ..ConvTranspose2dConfig::default() };
    Ok(Sequential::new()
        .add(Conv2d::new(2, 4, (3, 2), conv, &vb.pp("conv"))?)
        .add(BatchNorm::new(4, BatchNormConfig { relu: true, ..BatchNormConfig::default() }, &vb.pp("norm"))?)
        .add(MaxPool2d(Pool2dConfig { kernel: (3, 2), stride: (2, 2), padding: (1, 1) }))
        .add(ConvTranspose2d::new(4, 3, (2, 2), up, &vb.pp("up"))?)
        .add(AvgPool2d(Pool2dConfig::new((2, 2))))
        .add(AdaptiveAvgPool2d((2, 3)))
        .add(Flatten)
        .add(Linear::new(18, 6, &vb.pp("hidden"))?)
        .add(LayerNorm::new(6, &vb.pp("layer_norm"))?)
        .add(ops::tanh)
        .add(Linear::without_bias(6, 3, &vb.pp("output"))?))
}

/// The net of token ids of `scripts/reference/layers.py`.
fn sequence_net(vb: &VarBuilder) -> Result<Sequential> {
    let conv = Conv1dConfig { padding: 1, ..Conv1dConfig::default() };
    Ok(Sequential::new()
        .add(Embedding::new(9, 5, &vb.pp("embedding"))?) // (batch, steps, 5)
        .add(|x: &Tensor| x.transpose(1, 2)) // (batch, 5, steps)
        .add(Conv1d::new(5, 4, 3, conv, &vb.pp("conv"))?)
        .add(ops::sigmoid)
        .add(|x: &Tensor| ops::mean(x, 2)) // (batch, 4)
        .add(Linear::new(4, 2, &vb.pp("output"))?))
}

type Net = fn(&VarBuilder) -> Result<Sequential>;

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/layers.safetensors");
    let reference = candle_core::safetensors::load(path, &Device::Cpu)?;
    let nets: [(&str, Net); 2] = [("image", image_net), ("sequence", sequence_net)];
    for (case, build) in nets {
        let of = |name: &str| &reference[&format!("{case}.{name}")];
        let under = |part: &str| {
            let prefix = format!("{case}.{part}.");
            reference.keys().filter_map(move |name| name.strip_prefix(&prefix).map(str::to_owned)).collect::<Vec<_>>()
        };
        let vars: HashMap<String, Var> = under("before")
            .into_iter()
            .map(|name| Ok((name.clone(), Var::from_tensor(of(&format!("before.{name}")))?)))
            .collect::<Result<_>>()?;
        let tensors = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        let net = build(&VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu))?;
        let y = net.forward_t(of("x"), true)?;
        assert_close(&y, of("y"), 1e-12);
        let grads = (y * of("seed"))?.sum_all()?.backward()?;
        let names = under("gradient");
        assert_eq!(names.len(), vars.keys().filter(|name| !is_buffer(name)).count());
        for name in names {
            let grad = grads.get(&vars[&name]).unwrap_or_else(|| panic!("{case}: {name} got no gradient"));
            assert_close(grad, of(&format!("gradient.{name}")), 1e-10);
        }
        for name in under("after") {
            assert_close(&vars[&name], of(&format!("after.{name}")), 1e-12);
        }
        assert_close(&net.forward_t(of("x"), false)?, of("inference"), 1e-12);
    }
    Ok(())
}

#[test]
fn layer_norm_normalises_and_trains_both_parameters() -> Result<()> {
    let variables = VarMap::new();
    let layer = LayerNorm::new(8, &VarBuilder::from_varmap(&variables, DType::F64, &Device::Cpu))?;
    let x = ((uniform(&mut rng(1), &[3, 4, 8]) * 5.0)? + 2.0)?;
    let y = layer.forward(&x)?;
    let zeros = Tensor::zeros((3, 4), DType::F64, &Device::Cpu)?;
    assert_close(&y.mean(D::Minus1)?, &zeros, 1e-12);
    assert_close(&y.sqr()?.mean(D::Minus1)?, &(zeros + 1.0)?, 1e-4);
    let grads = (y * x)?.sum_all()?.backward()?;
    let vars = variables.all_vars();
    assert_eq!(vars.len(), 2);
    for var in vars {
        assert!(grads.get(&var).expect("a gradient").sqr()?.sum_all()?.to_scalar::<f64>()? > 0.0);
    }
    Ok(())
}

#[test]
fn embedding_starts_standard_normal_and_trains_the_rows_it_used() -> Result<()> {
    let variables = VarMap::new();
    let layer = Embedding::new(100, 50, &VarBuilder::from_varmap(&variables, DType::F64, &Device::Cpu))?;
    let mean_square = layer.weight().sqr()?.mean_all()?.to_scalar::<f64>()?;
    assert!((mean_square - 1.0).abs() < 0.15, "{mean_square}");
    let y = layer.forward(&Tensor::new(&[[3u32, 7], [3, 3]], &Device::Cpu)?)?;
    assert_eq!(y.dims(), [2, 2, 50]);
    assert_close(&y.get(1)?.get(0)?, &layer.weight().get(3)?, 0.0);
    let grads = y.sum_all()?.backward()?;
    let counts = grads.get(layer.weight()).expect("a gradient").mean(1)?.to_vec1::<f64>()?;
    for (row, count) in counts.into_iter().enumerate() {
        let expected = if row == 3 { 3.0 } else { f64::from(u8::from(row == 7)) };
        assert!((count - expected).abs() < 1e-12, "row {row}");
    }
    Ok(())
}

#[test]
fn dropout_drops_while_training_only() -> Result<()> {
    let layer = Dropout::from_stream(0.5, rng(2))?;
    let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
    assert_close(&layer.forward_t(&x, false)?, &x, 0.0);
    let (first, second) = (layer.forward_t(&x, true)?, layer.forward_t(&x, true)?);
    assert!((first.mean_all()?.to_scalar::<f32>()? - 1.0).abs() < 0.2);
    assert!((first - second)?.abs()?.sum_all()?.to_scalar::<f32>()? > 100.0);
    let again = Dropout::from_stream(0.5, rng(2))?;
    assert_close(&again.forward_t(&x, true)?, &Dropout::from_stream(0.5, rng(2))?.forward_t(&x, true)?, 0.0);
    assert!(Dropout::from_stream(1.5, rng(2)).expect_err("bad").to_string().contains("p must be in [0, 1], got 1.5"));
    Ok(())
}
