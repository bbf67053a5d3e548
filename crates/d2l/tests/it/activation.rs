//! The activation functions against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::nn::{LeakyRelu, Module};
use d2l::ops::{gelu, gelu_tanh, leaky_relu, relu, sigmoid, tanh};
use proptest::prelude::*;

type Function = fn(&Tensor) -> Result<Tensor>;
const FUNCTIONS: [(&str, Function); 6] = [
    ("relu", relu),
    ("sigmoid", sigmoid),
    ("tanh", tanh),
    ("gelu", gelu),
    ("gelu_tanh", gelu_tanh),
    ("leaky_relu", |x| leaky_relu(x, 0.2)),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(n in 1usize..5, m in 1usize..20, seed: u64, turned: bool) {
        let x = (uniform(&mut rng(seed), &[n, m]) * 3.0)?;
        let x = if turned { non_contiguous(&x) } else { x };
        for (_, function) in FUNCTIONS {
            check_gradients(std::slice::from_ref(&x), |t| function(&t[0]));
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("activation");
    for (name, function) in FUNCTIONS {
        reference.check_all_types(name, &["x"], |t| function(&t[0]));
    }
}

#[test]
fn slopes_lead_from_a_relu_to_the_identity() -> Result<()> {
    let x = Tensor::new(&[-2f32, -0.5, 0.0, 3.0], &Device::Cpu)?;
    for (slope, wanted) in [(0.0, [0.0, 0.0, 0.0, 3.0]), (0.5, [-1.0, -0.25, 0.0, 3.0]), (1.0, [-2.0, -0.5, 0.0, 3.0])]
    {
        assert_eq!(leaky_relu(&x, slope)?.to_vec1::<f32>()?, wanted);
        assert_eq!(LeakyRelu(slope).forward(&x)?.to_vec1::<f32>()?, wanted);
    }
    assert!(leaky_relu(&x, f64::NAN).is_err_and(|error| error.to_string().contains("slope")));
    Ok(())
}

#[test]
fn large_inputs_of_several_blocks_keep_their_order() -> Result<()> {
    let x: Vec<f32> = (0..50_001).map(|i| i as f32 - 25_000.0).collect();
    let y = relu(&Tensor::new(x.as_slice(), &Device::Cpu)?)?.to_vec1::<f32>()?;
    assert_eq!(y, x.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn not_a_number_stays_so() -> Result<()> {
    let x = Tensor::new(&[f32::NAN], &Device::Cpu)?;
    for (name, function) in FUNCTIONS {
        assert!(function(&x)?.to_vec1::<f32>()?[0].is_nan(), "{name}");
    }
    let infinities = Tensor::new(&[f32::NEG_INFINITY, f32::INFINITY], &Device::Cpu)?;
    for dtype in [DType::F32, DType::F16] {
        let y = relu(&infinities.to_dtype(dtype)?)?.to_dtype(DType::F32)?;
        assert_eq!(y.to_vec1::<f32>()?, [0.0, f32::INFINITY]);
    }
    Ok(())
}
