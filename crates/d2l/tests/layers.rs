//! The layers of `nn` that hold an operation's parameters or stream.

mod support;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Module, ModuleT, VarBuilder, VarMap};
use d2l::nn::{Dropout, Embedding, LayerNorm};
use support::{assert_close, rng, uniform};

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
    let layer = Dropout::new(0.5, rng(2))?;
    let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
    assert_close(&layer.forward_t(&x, false)?, &x, 0.0);
    let (first, second) = (layer.forward_t(&x, true)?, layer.forward_t(&x, true)?);
    assert!((first.mean_all()?.to_scalar::<f32>()? - 1.0).abs() < 0.2);
    assert!((first - second)?.abs()?.sum_all()?.to_scalar::<f32>()? > 100.0);
    let again = Dropout::new(0.5, rng(2))?;
    assert_close(&again.forward_t(&x, true)?, &Dropout::new(0.5, rng(2))?.forward_t(&x, true)?, 0.0);
    assert!(Dropout::new(1.5, rng(2)).expect_err("bad").to_string().contains("p must be in [0, 1], got 1.5"));
    Ok(())
}
