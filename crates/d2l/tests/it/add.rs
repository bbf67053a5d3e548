//! `ops::add` and `ops::add_relu` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{add, add_relu};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..4, 2..4), turned: (bool, bool), seed: u64,
    ) {
        let mut rng = rng(seed);
        let mut operand = |turned: bool| {
            let x = uniform(&mut rng, &shape);
            if turned { non_contiguous(&x) } else { x }
        };
        let (a, b) = (operand(turned.0), operand(turned.1));
        check_gradients(&[a.clone(), b.clone()], |t| add(&t[0], &t[1]));
        // Apart from the kink of the ReLU, where differences are wrong.
        let far = (a + 3.0)?;
        check_gradients(&[far.clone(), b.clone()], |t| add_relu(&t[0], &t[1]));
        check_gradients(&[far.neg()?, b], |t| add_relu(&t[0], &t[1]));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("add");
    reference.check_all_types("plain", &["a", "b"], |t| add(&t[0], &t[1]));
    reference.check_all_types("relu", &["a", "b"], |t| add_relu(&t[0], &t[1]));
}

#[test]
fn what_is_not_a_number_stays_so() -> Result<()> {
    let nan = Tensor::new(&[f32::NAN, -1.0], &Device::Cpu)?;
    let sums = add_relu(&nan, &nan)?.to_vec1::<f32>()?;
    assert!(sums[0].is_nan() && sums[1] == 0.0, "{sums:?}");
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let (a, b) = (Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?, Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    let error = add(&a, &b).expect_err("another shape").to_string();
    assert!(error.contains("same shape, got [2, 3] and [3]"), "{error}");
    Ok(())
}
