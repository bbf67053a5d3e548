//! `ops::batch_norm` against finite differences, PyTorch and candle's composition.

use crate::support::reference::{Reference, check_composition};
use crate::support::{assert_close, check_gradients, check_gradients_within, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{BatchNormConfig, RunningStatistics, batch_norm};
use proptest::prelude::*;

fn running(mean: &Tensor, var: &Tensor) -> RunningStatistics {
    // A copy: a variable made of a tensor shares nothing with it only when it has its own storage.
    let own = |t: &Tensor| Var::from_tensor(&t.copy().expect("a copy")).expect("a variable");
    RunningStatistics { mean: own(mean), var: own(var) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(batch in 2usize..5, channels in 1usize..4, plane in prop::option::of((1usize..4, 1usize..5)), relu: bool, turned: bool, seed: u64) {
        let mut rng = rng(seed);
        let shape = plane.map_or(vec![batch, channels], |(h, w)| vec![batch, channels, h, w]);
        let x = uniform(&mut rng, &shape);
        let x = if turned { non_contiguous(&x) } else { x };
        // Positive and apart from the kink of a ReLU, whose differences are wrong there.
        let gamma = (uniform(&mut rng, &[channels]) * 0.1)?.affine(1.0, 0.5)?;
        let beta = uniform(&mut rng, &[channels]).affine(0.1, 4.0)?;
        let config = BatchNormConfig { relu, eps: 1e-2, ..BatchNormConfig::default() };
        let (mean, var) = (uniform(&mut rng, &[channels]), uniform(&mut rng, &[channels]).affine(0.4, 1.0)?);
        let inputs = [x, gamma, beta];
        check_gradients_within(1e-5, &inputs, |t| batch_norm(&t[0], &t[1], &t[2], &running(&mean, &var), &config, true));
        check_gradients(&inputs, |t| batch_norm(&t[0], &t[1], &t[2], &running(&mean, &var), &config, false));
    }
}

#[test]
fn pytorch_agrees() {
    let reference = Reference::load("convolution");
    for (case, train) in [("batch_norm", true), ("batch_norm_rows", true), ("batch_norm_inference", false)] {
        let stats = running(reference.get(case, "mean_before"), reference.get(case, "var_before"));
        let config = BatchNormConfig::default();
        reference.check(case, &["x", "gamma", "beta"], |t| batch_norm(&t[0], &t[1], &t[2], &stats, &config, train));
        assert_close(&stats.mean, reference.get(case, "mean_after"), 1e-12);
        assert_close(&stats.var, reference.get(case, "var_after"), 1e-12);
    }
}

/// With half the outputs cut off, the fused ReLU gives what a separate one gives.
#[test]
fn fused_relu_is_relu() -> Result<()> {
    let mut rng = rng(1);
    let x = Var::from_tensor(&uniform(&mut rng, &[3, 4, 5, 6]))?;
    let (gamma, beta) = (uniform(&mut rng, &[4]), uniform(&mut rng, &[4]));
    let seed = uniform(&mut rng, &[3, 4, 5, 6]);
    let run = |relu: bool, train: bool| -> Result<(Tensor, Tensor)> {
        let stats = running(&Tensor::zeros(4, DType::F64, &Device::Cpu)?, &Tensor::ones(4, DType::F64, &Device::Cpu)?);
        let config = BatchNormConfig { relu, ..BatchNormConfig::default() };
        let y = batch_norm(&x, &gamma, &beta, &stats, &config, train)?;
        let y = if relu { y } else { (&y * y.gt(0.0)?.to_dtype(DType::F64)?)? };
        let grads = (&y * &seed)?.sum_all()?.backward()?;
        Ok((y, grads.get(&x).expect("a gradient").clone()))
    };
    for train in [true, false] {
        let ((fused, fused_grad), (apart, apart_grad)) = (run(true, train)?, run(false, train)?);
        assert_close(&fused, &apart, 1e-12);
        assert_close(&fused_grad, &apart_grad, 1e-12);
    }
    Ok(())
}

#[test]
fn compositions_agree_with_the_kernels() {
    let mut rng = rng(2);
    let inputs = [uniform(&mut rng, &[3, 2, 4, 3]), uniform(&mut rng, &[2]), uniform(&mut rng, &[2])];
    for (train, relu) in [(true, false), (false, false), (true, true)] {
        let config = BatchNormConfig { relu, ..BatchNormConfig::default() };
        check_composition(&inputs, |t| {
            let dtype = t[0].dtype();
            let stats = running(
                &Tensor::zeros(2, dtype, &Device::Cpu)?,
                &Tensor::new(&[1.0f64, 2.0], &Device::Cpu)?.to_dtype(dtype)?,
            );
            batch_norm(&t[0], &t[1], &t[2], &stats, &config, train)
        });
    }
}

/// In single precision a mean a thousand times the deviation costs the variance no digits of its own.
#[test]
fn a_large_mean_does_not_hurt() -> Result<()> {
    let x = uniform(&mut rng(3), &[8, 2, 16, 16]);
    let ones = Tensor::ones(2, DType::F32, &Device::Cpu)?;
    let zeros = ones.zeros_like()?;
    let config = BatchNormConfig { eps: 0.0, ..BatchNormConfig::default() };
    let single = x.affine(1.0, 1000.0)?.to_dtype(DType::F32)?;
    let y = batch_norm(&single, &ones, &zeros, &running(&zeros, &ones), &config, true)?;
    let variance = y.to_dtype(DType::F64)?.sqr()?.mean_all()?.to_scalar::<f64>()?;
    assert!((variance - 1.0).abs() < 1e-4, "variance {variance}");
    Ok(())
}

#[test]
fn bad_arguments_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let message = |x: &[usize], gamma: usize, train: bool| {
        let stats = running(&zeros(&[2]), &zeros(&[2]));
        let config = BatchNormConfig::default();
        let y = batch_norm(&zeros(x), &zeros(&[gamma]), &zeros(&[2]), &stats, &config, train);
        y.expect_err("bad arguments").to_string()
    };
    assert!(message(&[4], 2, true).contains("x must be (batch, channels"));
    assert!(message(&[4, 2], 3, true).contains("gamma must be (2)"));
    assert!(message(&[4, 3], 3, true).contains("beta must be (3)"));
    assert!(message(&[1, 2], 2, true).contains("more than one element"));
}
