//! `ops::concat` and `ops::flatten_from` against finite differences, PyTorch and candle.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{concat, flatten_from};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..4, 2..5), axis in 0usize..4, sizes in prop::collection::vec(1usize..4, 1..6),
        turned: bool, seed: u64,
    ) {
        let (mut rng, axis) = (rng(seed), axis % shape.len());
        let mut operand = |size: usize| {
            let mut shape = shape.clone();
            shape[axis] = size;
            let x = uniform(&mut rng, &shape);
            if turned { non_contiguous(&x) } else { x }
        };
        let tensors: Vec<Tensor> = sizes.into_iter().map(&mut operand).collect();
        assert_close(&concat(&tensors, axis)?, &Tensor::cat(&tensors, axis)?, 0.0);
        check_gradients(&tensors, |t| concat(t, axis));
        check_gradients(&tensors[..1], |t| flatten_from(&t[0], axis));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("concat");
    for (case, axis, count) in [("channels", 1, 4), ("rows", 0, 2), ("columns", 2, 3)] {
        let names = &["x0", "x1", "x2", "x3"][..count];
        reference.check_all_types(case, names, |t| concat(t, axis));
    }
}

#[test]
fn flattening_keeps_the_order() -> Result<()> {
    let x = Tensor::arange(0f32, 24.0, &Device::Cpu)?.reshape((2, 3, 4))?.transpose(1, 2)?;
    assert_eq!(flatten_from(&x, 1)?.to_vec2::<f32>()?, x.contiguous()?.flatten_from(1)?.to_vec2::<f32>()?);
    assert_eq!(flatten_from(&x, 2)?.dims(), [2, 4, 3]);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let zeros = |shape: &[usize], dtype| Tensor::zeros(shape, dtype, &Device::Cpu);
    let message = |tensors: &[Tensor], axis| concat(tensors, axis).expect_err("bad arguments").to_string();
    let a = zeros(&[2, 3], DType::F32)?;
    assert!(message(&[], 0).contains("no tensors"));
    assert!(message(std::slice::from_ref(&a), 2).contains("axis 2 of tensors of rank 2"));
    assert!(message(&[a.clone(), zeros(&[3, 3], DType::F32)?], 1).contains("must agree"));
    assert!(message(&[a.clone(), zeros(&[2], DType::F32)?], 1).contains("must agree"));
    assert!(message(&[a.clone(), zeros(&[2, 3], DType::F64)?], 1).contains("of one type"));
    assert!(flatten_from(&a, 2).is_err());
    Ok(())
}
