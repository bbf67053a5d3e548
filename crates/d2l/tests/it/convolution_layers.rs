//! The layers on the convolutions, pools and batch normalization: names, shapes, initial ranges, gradients.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::VarMap;
use d2l::nn::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, GlobalAvgPool2d, MaxPool2d, is_buffer,
};
use d2l::nn::{Module, ModuleT, VarBuilder};
use d2l::ops::{BatchNormConfig, Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig, Pool2dConfig};

/// Names and shapes of a store's variables, in order.
fn names(store: &VarMap) -> Vec<(String, Vec<usize>)> {
    let data = store.data().lock().expect("the store's lock");
    let mut names: Vec<_> = data.iter().map(|(name, var)| (name.clone(), var.dims().to_vec())).collect();
    names.sort();
    names
}

/// Checks that all values lie within `±1 / √fan_in` and fill that range.
fn assert_uniform(tensor: &Tensor, fan_in: usize) -> Result<()> {
    let bound = 1.0 / (fan_in as f32).sqrt();
    let largest = tensor.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(largest <= bound && largest > 0.5 * bound, "{largest} for a bound of {bound}");
    Ok(())
}

#[test]
fn parameters_have_pytorch_names_shapes_and_ranges() -> Result<()> {
    let store = VarMap::new();
    let vb = VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu);
    let conv = Conv2d::new(4, 6, (3, 5), Conv2dConfig { groups: 2, ..Conv2dConfig::default() }, &vb.pp("conv"))?;
    let line = Conv1d::new(4, 6, 3, Conv1dConfig::default(), &vb.pp("line"))?;
    let up = ConvTranspose2d::new(4, 8, (2, 2), ConvTranspose2dConfig::default(), &vb.pp("up"))?;
    BatchNorm::new(6, BatchNormConfig::default(), &vb.pp("norm"))?;
    let expected: [(&str, &[usize]); 10] = [
        ("conv.bias", &[6]),
        ("conv.weight", &[6, 2, 3, 5]),
        ("line.bias", &[6]),
        ("line.weight", &[6, 4, 3]),
        ("norm.bias", &[6]),
        ("norm.running_mean", &[6]),
        ("norm.running_var", &[6]),
        ("norm.weight", &[6]),
        ("up.bias", &[8]),
        ("up.weight", &[4, 8, 2, 2]),
    ];
    assert_eq!(names(&store), expected.map(|(name, shape)| (name.to_owned(), shape.to_vec())));
    assert_uniform(conv.weight(), 2 * 15)?;
    assert_uniform(line.weight(), 4 * 3)?;
    assert_uniform(up.weight(), 8 * 4)?;
    let bound = 1.0 / 30f32.sqrt();
    assert!(conv.bias().expect("a bias").abs()?.max_all()?.to_scalar::<f32>()? <= bound);
    assert!(Conv2d::without_bias(4, 6, (3, 3), Conv2dConfig::default(), &vb.pp("plain"))?.bias().is_none());
    Ok(())
}

#[test]
fn every_parameter_of_a_small_net_gets_a_gradient() -> Result<()> {
    let store = VarMap::new();
    let vb = VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu);
    let padded = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    let conv = Conv2d::new(3, 8, (3, 3), padded, &vb.pp("conv"))?;
    let norm = BatchNorm::new(8, BatchNormConfig { relu: true, ..BatchNormConfig::default() }, &vb.pp("norm"))?;
    let up = ConvTranspose2d::new(
        8,
        4,
        (2, 2),
        ConvTranspose2dConfig { stride: (2, 2), ..Default::default() },
        &vb.pp("up"),
    )?;
    let line = Conv1d::new(4, 5, 3, Conv1dConfig::default(), &vb.pp("line"))?;
    let x = Tensor::randn(0f32, 1.0, (2, 3, 12, 12), &Device::Cpu)?;
    let y = norm.forward_t(&conv.forward(&x)?, true)?; // (2, 8, 12, 12)
    let y = MaxPool2d(Pool2dConfig { stride: (2, 2), padding: (1, 1), kernel: (3, 3) }).forward(&y)?; // (2, 8, 6, 6)
    let y = AvgPool2d(Pool2dConfig::new((2, 2))).forward(&up.forward(&y)?)?; // (2, 4, 6, 6)
    let y = line.forward(&AdaptiveAvgPool2d((1, 6)).forward(&y)?.squeeze(2)?)?; // (2, 5, 4)
    let y = GlobalAvgPool2d.forward(&y.unsqueeze(2)?)?; // (2, 5, 1, 1)
    assert_eq!(y.dims(), [2, 5, 1, 1]);
    let grads = y.squeeze(D::Minus1)?.sqr()?.sum_all()?.backward()?;
    for (name, var) in store.data().lock().expect("the store's lock").iter() {
        let grad = grads.get(var);
        if is_buffer(name) {
            assert!(grad.is_none(), "{name} is not trained");
        } else {
            let size = grad.unwrap_or_else(|| panic!("no gradient for {name}")).abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "the gradient of {name} sums to {size}");
        }
    }
    Ok(())
}

#[test]
fn running_statistics_live_in_the_store() -> Result<()> {
    let store = VarMap::new();
    let vb = VarBuilder::from_varmap(&store, DType::F32, &Device::Cpu);
    let norm = BatchNorm::new(2, BatchNormConfig::default(), &vb.pp("norm"))?;
    let x = Tensor::new(&[[1f32, 10.0], [3.0, 30.0]], &Device::Cpu)?;
    norm.forward_t(&x, true)?;
    let stored = |name: &str| store.data().lock().expect("the store's lock")[name].to_vec1::<f32>();
    assert_eq!(stored("norm.running_mean")?, [0.2, 2.0]);
    assert_eq!(stored("norm.running_var")?, [0.9 + 0.1 * 2.0, 0.9 + 0.1 * 200.0]);
    let before = stored("norm.running_mean")?;
    norm.forward_t(&x, false)?;
    assert_eq!(stored("norm.running_mean")?, before, "inference changes nothing");
    assert!(is_buffer("norm.running_mean") && is_buffer("running_var") && !is_buffer("norm.weight"));
    Ok(())
}
