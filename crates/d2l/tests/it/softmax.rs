//! `ops::{softmax, log_softmax, masked_softmax}` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use d2l::ops::{log_softmax, masked_softmax, softmax};
use proptest::prelude::*;
use rand::Rng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..5, 2..4), axis in 0usize..2, seed: u64, turned: bool,
    ) {
        let x = (uniform(&mut rng(seed), &shape) * 3.0)?;
        let x = if turned { non_contiguous(&x) } else { x };
        for axis in [axis, shape.len() - 1] {
            check_gradients(std::slice::from_ref(&x), |t| softmax(&t[0], axis));
            check_gradients(std::slice::from_ref(&x), |t| log_softmax(&t[0], axis));
        }
    }

    #[test]
    fn masked_gradients_agree_with_finite_differences(
        batch in 1usize..4, queries in 1usize..4, keys in 1usize..20, seed: u64, turned: bool, by_row: bool,
    ) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[batch, queries, keys]);
        let x = if turned { non_contiguous(&x) } else { x };
        let shape = if by_row { vec![batch, queries] } else { vec![batch] };
        let lens: Vec<u32> = (0..shape.iter().product()).map(|_| rng.random_range(0..=keys as u32 + 1)).collect();
        let lens = Tensor::from_vec(lens, shape, &Device::Cpu)?;
        check_gradients(std::slice::from_ref(&x), |t| masked_softmax(&t[0], Some(&lens)));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("softmax");
    for axis in 0..3 {
        reference.check_all_types(&format!("softmax_{axis}"), &["x"], |t| softmax(&t[0], axis));
        reference.check_all_types(&format!("log_softmax_{axis}"), &["x"], |t| log_softmax(&t[0], axis));
    }
    for case in ["masked_batch", "masked_rows"] {
        let lens = reference.get(case, "lens");
        reference.check_all_types(case, &["x"], |t| masked_softmax(&t[0], Some(lens)));
    }
}

#[test]
fn masked_positions_are_exactly_zero_and_pass_no_gradient() -> Result<()> {
    for dtype in [DType::F32, DType::F16] {
        let x = Var::from_tensor(&Tensor::new(&[[[1f32, 2., 300.], [4., 5., 6.]]], &Device::Cpu)?.to_dtype(dtype)?)?;
        let y = masked_softmax(&x, Some(&Tensor::new(&[2u32], &Device::Cpu)?))?;
        let weights = Tensor::new(&[1f32, 2., 4.], &Device::Cpu)?.to_dtype(dtype)?;
        let grads = y.broadcast_mul(&weights)?.sum_all()?.backward()?;
        let grad = grads.get(&x).expect("a gradient");
        for tensor in [&y, grad] {
            assert_eq!(
                tensor.narrow(D::Minus1, 2, 1)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?,
                [0., 0.]
            );
        }
    }
    Ok(())
}

#[test]
fn long_rows_of_large_values_sum_to_one() -> Result<()> {
    let x = ((uniform(&mut rng(5), &[70, 1001]) * 1e4)? + 1e6)?.to_dtype(DType::F32)?;
    for (x, axis) in [(x.clone(), 1), (x.t()?, 0), (x.t()?.contiguous()?, 0)] {
        let ones = Tensor::ones(70, DType::F32, &Device::Cpu)?;
        assert_close(&softmax(&x, axis)?.sum(axis)?, &ones, 1e-5);
        assert_close(&log_softmax(&x, axis)?.exp()?.sum(axis)?, &ones, 1e-5);
    }
    assert_close(&masked_softmax(&x, None)?, &softmax(&x, 1)?, 0.0);
    Ok(())
}

#[test]
fn tensors_without_elements_pass_through() -> Result<()> {
    for shape in [[2, 0], [0, 3]] {
        let x = Var::zeros(&shape, DType::F32, &Device::Cpu)?;
        for axis in 0..2 {
            let y = (softmax(&x, axis)? + log_softmax(&x, axis)?)?;
            assert_eq!(y.backward()?.get(&x).expect("a gradient").dims(), shape);
        }
        let lens = Tensor::zeros(shape[0], DType::U32, &Device::Cpu)?;
        assert_eq!(masked_softmax(&x, Some(&lens))?.backward()?.get(&x).expect("a gradient").dims(), shape);
    }
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let x = Tensor::zeros((2, 3, 4), DType::F32, &Device::Cpu)?;
    assert!(softmax(&x, 3).is_err() && log_softmax(&x, 3).is_err());
    let message = |lens: Tensor| masked_softmax(&x, Some(&lens)).expect_err("bad").to_string();
    assert!(message(Tensor::zeros(3, DType::U32, &Device::Cpu)?).contains("valid_lens must be (batch) or [2, 3]"));
    assert!(message(Tensor::new(&[1i64, -1], &Device::Cpu)?).contains("length -1 at position 1"));
    assert!(message(Tensor::zeros(2, DType::F32, &Device::Cpu)?).contains("must be of u8, u32 or i64"));
    Ok(())
}
