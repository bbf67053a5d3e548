//! `ops::embedding` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::embedding;
use proptest::prelude::*;
use rand::Rng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(rows in 1usize..6, width in 1usize..5, n in 1usize..4, m in 0usize..4, seed: u64, turned: bool) {
        let mut rng = rng(seed);
        let weight = uniform(&mut rng, &[rows, width]);
        let weight = if turned { non_contiguous(&weight) } else { weight };
        let ids: Vec<u32> = (0..n * m).map(|_| rng.random_range(0..rows as u32)).collect();
        let ids = Tensor::from_vec(ids, (n, m), &Device::Cpu)?.t()?;
        check_gradients(&[weight], |t| embedding(&ids, &t[0]));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("embedding");
    for case in ["sequence", "batch", "single", "pages"] {
        let ids = reference.get(case, "ids");
        reference.check_all_types(case, &["weight"], |t| embedding(ids, &t[0]));
        let ids = ids.to_dtype(DType::U32).expect("ids");
        reference.check_all_types(case, &["weight"], |t| embedding(&ids, &t[0]));
    }
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let weight = Tensor::zeros((3, 2), DType::F32, &Device::Cpu)?;
    let ids = Tensor::new(&[[0u32, 1], [3, 2]], &Device::Cpu)?;
    let error = embedding(&ids, &weight).expect_err("bad").to_string();
    assert!(error.contains("id 3 at position 2 is out of range for 3 rows"), "{error}");
    let error = embedding(&ids, &weight.flatten_all()?).expect_err("bad").to_string();
    assert!(error.contains("weight must be (vocabulary, dimension), got [6]"), "{error}");
    Ok(())
}
