//! `ops::scatter_add` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::scatter_add;
use proptest::prelude::*;
use rand::Rng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in prop::collection::vec(1usize..4, 2..4), size in 0usize..5, axis in 0usize..2, seed: u64, turned: bool,
    ) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &shape);
        let x = if turned { non_contiguous(&x) } else { x };
        let mut source_shape = shape.clone();
        source_shape[axis] = size;
        let count: usize = source_shape.iter().product();
        let indices: Vec<u32> = (0..count).map(|_| rng.random_range(0..shape[axis] as u32)).collect();
        let indices = Tensor::from_vec(indices, source_shape.as_slice(), &Device::Cpu)?;
        let source = uniform(&mut rng, &source_shape);
        check_gradients(&[x, source], |t| scatter_add(&t[0], &indices, &t[1], axis));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("scatter_add");
    for axis in 0..3 {
        let case = format!("axis_{axis}");
        let indices = reference.get(&case, "indices");
        reference.check_all_types(&case, &["x", "source"], |t| scatter_add(&t[0], indices, &t[1], axis));
    }
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let message = |indices: Tensor, source: &[usize]| -> Result<String> {
        Ok(scatter_add(&zeros(&[2, 3])?, &indices, &zeros(source)?, 1).expect_err("bad").to_string())
    };
    let indices = Tensor::new(&[[0u32, 3], [1, 2]], &Device::Cpu)?;
    assert!(message(indices.clone(), &[2, 2])?.contains("index 3 at position 1 is out of range for 3 elements"));
    assert!(message(indices.clone(), &[2, 3])?.contains("indices must have the shape of source [2, 3], got [2, 2]"));
    assert!(message(indices, &[3, 2])?.contains("source may differ from x"));
    Ok(())
}
