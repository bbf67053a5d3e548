//! `ops::dropout`: its share, its gradient, its stream.

use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::dropout;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(shape in prop::collection::vec(1usize..6, 2..4), p in 0.0f64..1.0, seed: u64, turned: bool) {
        let x = uniform(&mut rng(seed), &shape);
        let x = if turned { non_contiguous(&x) } else { x };
        for p in [0.0, p, 1.0] {
            check_gradients(std::slice::from_ref(&x), |t| dropout(&t[0], p, &mut rng(9)));
        }
    }
}

#[test]
fn the_share_and_the_mean_are_right_and_the_gradient_is_the_mask() -> Result<()> {
    for dtype in [DType::F32, DType::F16] {
        let x = Var::from_tensor(&Tensor::ones(100_000, dtype, &Device::Cpu)?)?;
        for p in [0.1, 0.5, 0.8] {
            let y = dropout(&x, p, &mut rng(2))?;
            let values = y.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            let dropped = values.iter().filter(|&&y| y == 0.0).count() as f64 / 1e5;
            assert!((dropped - p).abs() < 6.0 * (p * (1.0 - p) / 1e5).sqrt(), "{dropped} dropped for {p}");
            let scale = (1.0 / (1.0 - p)) as f32;
            assert!(values.iter().all(|&y| y == 0.0 || (y - scale).abs() < 1e-2), "{scale}");
            let grads = y.sum_all()?.backward()?;
            assert_close(grads.get(&x).expect("a gradient"), &y, 0.0);
        }
    }
    Ok(())
}

#[test]
fn an_equal_stream_drops_equally_and_goes_on() -> Result<()> {
    let x = Tensor::ones(40_000, DType::F32, &Device::Cpu)?;
    let (mut a, mut b) = (rng(3), rng(3));
    let first = dropout(&x, 0.5, &mut a)?;
    assert_close(&dropout(&x, 0.5, &mut b)?, &first, 0.0);
    let again = dropout(&x, 0.5, &mut a)?;
    assert!((again - first)?.abs()?.sum_all()?.to_scalar::<f32>()? > 1000.0);
    Ok(())
}

#[test]
fn all_are_dropped_at_one_even_what_is_not_finite() -> Result<()> {
    for dtype in [DType::F32, DType::F16] {
        let x = Tensor::new(&[f32::INFINITY, f32::NAN, 1.0], &Device::Cpu)?.to_dtype(dtype)?;
        assert_eq!(dropout(&x, 1.0, &mut rng(4))?.to_dtype(DType::F32)?.to_vec1::<f32>()?, [0.0; 3]);
    }
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let x = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
    for p in [-0.1, 1.1, f64::NAN] {
        let error = dropout(&x, p, &mut rng(5)).expect_err("bad").to_string();
        assert!(error.contains("p must be in [0, 1]"), "{error}");
    }
    Ok(())
}
