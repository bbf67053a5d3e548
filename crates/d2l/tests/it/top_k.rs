//! `ops::top_k` against finite differences, PyTorch and a full sort.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, distinct, non_contiguous, rng, uniform};
use candle_core::{D, DType, Device, Result, Tensor};
use d2l::ops::{End, top_k};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..5, 2..4), axis in 0usize..2, share in 0.0f64..=1.0, seed: u64, turned: bool,
    ) {
        let x = distinct(&mut rng(seed), &shape);
        let x = if turned { non_contiguous(&x) } else { x };
        let k = (share * shape[axis] as f64).round() as usize;
        for end in [End::Largest, End::Smallest] {
            check_gradients(std::slice::from_ref(&x), |t| Ok(top_k(&t[0], k, axis, end)?.0));
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("top_k");
    for axis in 0..3 {
        for (name, end) in [("largest", End::Largest), ("smallest", End::Smallest)] {
            let case = format!("{name}_{axis}");
            reference.check_all_types(&case, &["x"], |t| {
                let (values, indices) = top_k(&t[0], 3, axis, end)?;
                assert_close(&indices, reference.get(&case, "indices"), 0.0);
                Ok(values)
            });
        }
    }
}

#[test]
fn agrees_with_a_full_sort() -> Result<()> {
    let x = uniform(&mut rng(8), &[20, 1003]);
    let (sorted, order) = x.sort_last_dim(false)?;
    let (values, indices) = top_k(&x, 50, D::Minus1, End::Largest)?;
    assert_close(&values, &sorted.narrow(1, 0, 50)?, 0.0);
    assert_close(&indices, &order.narrow(1, 0, 50)?, 0.0);
    Ok(())
}

#[test]
fn ties_keep_their_order_and_nan_counts_as_largest() -> Result<()> {
    let x = Tensor::new(&[2f32, f32::NAN, 1., 2., 1.], &Device::Cpu)?;
    assert_eq!(top_k(&x, 4, 0, End::Largest)?.1.to_vec1::<u32>()?, [1, 0, 3, 2]);
    assert_eq!(top_k(&x, 3, 0, End::Smallest)?.1.to_vec1::<u32>()?, [2, 4, 0]);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
    let error = top_k(&x, 4, 1, End::Largest).expect_err("bad").to_string();
    assert!(error.contains("k must be at most 3, the size of axis 1 of x [2, 3], got 4"), "{error}");
    assert!(top_k(&x, 1, 2, End::Largest).is_err());
    Ok(())
}
