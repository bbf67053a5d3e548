//! `ops::layer_norm` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::layer_norm;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(n in 1usize..4, m in 1usize..4, width in 2usize..20, seed: u64, turned: bool, both: bool) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[n, m, width]);
        let x = if turned { non_contiguous(&x) } else { x };
        let shape = if both { vec![m, width] } else { vec![width] };
        let (gamma, beta) = (uniform(&mut rng, &shape), uniform(&mut rng, &shape));
        // Two close elements have a small variance and a sharp curve: keep it flat by a large ε.
        check_gradients(&[x, gamma, beta], |t| layer_norm(&t[0], &t[1], &t[2], 0.1));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("layer_norm");
    for case in ["last", "last_two"] {
        reference.check_all_types(case, &["x", "gamma", "beta"], |t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
    }
}

#[test]
fn many_rows_agree_with_a_composition() -> Result<()> {
    let mut rng = rng(4);
    let (x, gamma, beta) = (uniform(&mut rng, &[700, 65]), uniform(&mut rng, &[65]), uniform(&mut rng, &[65]));
    let x = candle_core::Var::from_tensor(&(x + 100.0)?)?; // a large mean costs no precision
    let gamma = candle_core::Var::from_tensor(&gamma)?;
    let composed = candle_nn::ops::layer_norm_slow(&x, &gamma, &beta, 1e-5)?;
    let y = layer_norm(&x, &gamma, &beta, 1e-5)?;
    assert_close(&y, &composed, 1e-9);
    let (grads, expected) = (y.sqr()?.sum_all()?.backward()?, composed.sqr()?.sum_all()?.backward()?);
    for var in [&x, &gamma] {
        assert_close(grads.get(var).expect("a gradient"), expected.get(var).expect("a gradient"), 1e-8);
    }
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let message = |gamma: &[usize], beta: &[usize]| -> Result<String> {
        Ok(layer_norm(&zeros(&[2, 3])?, &zeros(gamma)?, &zeros(beta)?, 1e-5).expect_err("bad").to_string())
    };
    assert!(
        message(&[2], &[2])?.contains("gamma must have the shape of the last axes of x [2, 3] and elements, got [2]")
    );
    assert!(message(&[], &[])?.contains("gamma"));
    assert!(message(&[0], &[0])?.contains("gamma"));
    assert!(message(&[3], &[2])?.contains("beta must have the shape of gamma [3], got [2]"));
    Ok(())
}
