//! `ops::broadcast_add` and its kin against finite differences and candle's own values.

use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{broadcast_add, broadcast_div, broadcast_mul, broadcast_sub};
use proptest::prelude::*;

type Operation = fn(&Tensor, &Tensor) -> Result<Tensor>;

const OPERATIONS: [(Operation, Operation); 4] = [
    (broadcast_add, Tensor::broadcast_add),
    (broadcast_sub, Tensor::broadcast_sub),
    (broadcast_mul, Tensor::broadcast_mul),
    (broadcast_div, Tensor::broadcast_div),
];

/// A tensor of `shape` and one value for each place along `axis`, none near zero.
fn operands(shape: &[usize], axis: usize, turned: bool, seed: u64) -> Result<(Tensor, Tensor)> {
    let mut rng = rng(seed);
    let x = uniform(&mut rng, shape);
    let mut channels = vec![1; shape.len()];
    channels[axis] = shape[axis];
    let c = (uniform(&mut rng, &channels) + 2.5)?;
    Ok((if turned { non_contiguous(&x) } else { x }, c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..4, 2..5), axis in 0usize..4, turned: bool, seed: u64,
    ) {
        let (x, c) = operands(&shape, axis % shape.len(), turned, seed)?;
        for (ours, _) in OPERATIONS {
            check_gradients(&[x.clone(), c.clone()], |t| ours(&t[0], &t[1]));
        }
    }
}

#[test]
fn values_are_those_of_candle_in_each_type_and_for_large_tensors() -> Result<()> {
    for (shape, axis) in [(vec![64, 6, 24, 24], 1), (vec![300, 120], 1), (vec![7, 5, 3], 0), (vec![5, 1, 70_000], 2)] {
        let (x, c) = operands(&shape, axis, false, 3)?;
        for dtype in [DType::F32, DType::F64] {
            let (x, c) = (x.to_dtype(dtype)?, c.to_dtype(dtype)?);
            for (ours, candle) in OPERATIONS {
                let difference = (ours(&x, &c)? - candle(&x, &c)?)?.abs()?.max_all()?.to_dtype(DType::F64)?;
                assert_eq!(difference.to_scalar::<f64>()?, 0.0, "{shape:?} {dtype:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_named() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    for channels in [&[3][..], &[2, 3, 1], &[1, 4, 1], &[2, 1, 5]] {
        let error = broadcast_mul(&zeros(&[2, 3, 5])?, &zeros(channels)?).expect_err("no channel").to_string();
        assert!(error.contains(&format!("{channels:?} for [2, 3, 5]")), "{error}");
    }
    let one = broadcast_add(&zeros(&[0, 3])?, &zeros(&[1, 3])?)?;
    assert_eq!(one.dims(), [0, 3], "no example is no fault");
    Ok(())
}
