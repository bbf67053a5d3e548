//! `ops::{sum, mean, max}` against finite differences, PyTorch and candle.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, distinct, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{max, max_keepdim, mean, mean_keepdim, sum, sum_keepdim};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..4, 2..5), chosen in prop::collection::vec(any::<bool>(), 4), seed: u64, turned: bool,
    ) {
        let x = distinct(&mut rng(seed), &shape);
        let x = if turned { non_contiguous(&x) } else { x };
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| chosen[axis]).collect();
        check_gradients(std::slice::from_ref(&x), |t| sum(&t[0], axes.clone()));
        check_gradients(std::slice::from_ref(&x), |t| mean_keepdim(&t[0], axes.clone()));
        check_gradients(std::slice::from_ref(&x), |t| max(&t[0], shape.len() - 1));
        check_gradients(std::slice::from_ref(&x), |t| max_keepdim(&t[0], 0));
    }

    #[test]
    fn values_are_those_of_candle(
        shape in prop::collection::vec(1usize..40, 2..4), chosen in prop::collection::vec(any::<bool>(), 3), seed: u64,
    ) {
        let x = uniform(&mut rng(seed), &shape);
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| chosen[axis]).collect();
        let expected = x.sum_keepdim(axes.clone())?;
        assert_close(&sum_keepdim(&x, axes.clone())?, &expected, 1e-12);
        assert_close(&sum(&x, axes.clone())?, &x.sum(axes.clone())?, 1e-12);
        let count = (x.elem_count() / expected.elem_count()) as f64;
        assert_close(&mean(&x, axes.clone())?, &(x.sum(axes)? / count)?, 1e-12);
        for axis in 0..shape.len() {
            assert_close(&max(&x, axis)?, &x.max(axis)?, 0.0);
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("reduce");
    let axes: [(&str, &[usize]); 5] =
        [("first", &[0]), ("middle", &[1]), ("last", &[2]), ("outer", &[0, 2]), ("all", &[0, 1, 2])];
    for (name, axes) in axes {
        reference.check_all_types(&format!("sum_{name}"), &["x"], |t| sum(&t[0], axes.to_vec()));
        reference.check_all_types(&format!("mean_{name}"), &["x"], |t| mean_keepdim(&t[0], axes.to_vec()));
    }
    for axis in 0..3 {
        reference.check_all_types(&format!("max_{axis}"), &["x"], |t| max(&t[0], axis));
    }
}

#[test]
fn long_axes_are_summed_exactly_enough() -> Result<()> {
    // A running f32 sum of these would be off by more than a hundred.
    let x = Tensor::full(0.1f32, (3_000_000,), &Device::Cpu)?;
    assert!((sum(&x, 0)?.to_scalar::<f32>()? - 300_000.0).abs() < 1.0);
    let x = x.reshape((1_000_000, 3))?;
    for total in sum(&x, 0)?.to_vec1::<f32>()? {
        assert!((total - 100_000.0).abs() < 0.5, "{total}");
    }
    Ok(())
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16] {
        let x = Var::from_tensor(&Tensor::new(&[[1f32, 3., 3.], [2., 2., 1.]], &Device::Cpu)?.to_dtype(dtype)?)?;
        let grads = max(&x, 1)?.sum_all()?.backward()?;
        let grad = grads.get(&x).expect("a gradient").to_dtype(DType::F32)?;
        assert_eq!(grad.to_vec2::<f32>()?, [[0., 1., 0.], [1., 0., 0.]], "{dtype:?}");
    }
    Ok(())
}

#[test]
fn a_maximum_over_nan_is_nan() -> Result<()> {
    let x = Tensor::new(&[[1f32, f32::NAN, 2.], [5., 4., f32::INFINITY]], &Device::Cpu)?;
    let y = max(&x, 1)?.to_vec1::<f32>()?;
    assert!(y[0].is_nan() && y[1] == f32::INFINITY);
    Ok(())
}

#[test]
fn bad_arguments_are_errors() -> Result<()> {
    let x = Tensor::zeros((2, 0), DType::F32, &Device::Cpu)?;
    assert!(max(&x, 1).expect_err("bad").to_string().contains("axis 1 of x [2, 0] has no elements"));
    assert!(sum(&x, 2).is_err() && sum(&x, (0, 0)).is_err() && max(&x, 3).is_err());
    assert_eq!(sum(&x, 1)?.to_vec1::<f32>()?, [0.0, 0.0]);
    Ok(())
}
