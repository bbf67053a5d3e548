//! `ops::matmul` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::matmul;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        (m, k, n) in (1usize..4, 1usize..4, 1usize..4), batch in prop::collection::vec(1usize..3, 0..3),
        repeated in prop::collection::vec(any::<bool>(), 4), (a_missing, b_missing) in (0usize..3, 0usize..3),
        turned: (bool, bool), seed: u64,
    ) {
        let mut rng = rng(seed);
        let mut operand = |missing: usize, repeated: &[bool], matrix: [usize; 2], turned: bool| {
            let axes = batch.iter().zip(repeated).map(|(&size, &repeated)| if repeated { 1 } else { size });
            let shape: Vec<usize> = axes.skip(missing.min(batch.len())).chain(matrix).collect();
            let x = uniform(&mut rng, &shape);
            if turned { non_contiguous(&x) } else { x }
        };
        let a = operand(a_missing, &repeated[..2], [m, k], turned.0);
        let b = operand(b_missing, &repeated[2..], [k, n], turned.1);
        check_gradients(&[a, b], |t| matmul(&t[0], &t[1]));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("matmul");
    for case in ["plain", "batch", "shared_right", "shared_left", "crossed"] {
        reference.check_all_types(case, &["a", "b"], |t| matmul(&t[0], &t[1]));
    }
}

#[test]
fn heads_in_any_layout_agree_with_candle() -> Result<()> {
    let mut rng = rng(6);
    // (batch, steps, heads, size) with the heads moved forward, as attention does.
    let (q, k) = (uniform(&mut rng, &[8, 33, 4, 17]), uniform(&mut rng, &[8, 29, 4, 17]));
    let (q, k) = (q.transpose(1, 2)?, k.transpose(1, 2)?);
    let expected = q.contiguous()?.matmul(&k.t()?.contiguous()?)?;
    assert_close(&matmul(&q, &k.t()?)?, &expected, 1e-12);
    let narrow = q.narrow(2, 5, 20)?.narrow(3, 2, 11)?;
    let other = k.narrow(3, 2, 11)?.t()?;
    let expected = narrow.contiguous()?.matmul(&other.contiguous()?)?;
    assert_close(&matmul(&narrow, &other)?, &expected, 1e-12);
    // Large enough that the threads share a single product.
    let (a, b) = (uniform(&mut rng, &[2, 129, 65]), uniform(&mut rng, &[65, 130]));
    assert_close(&matmul(&a, &b)?, &a.broadcast_matmul(&b)?, 1e-12);
    let right = uniform(&mut rng, &[2, 129, 65]);
    assert_close(&matmul(&a.t()?, &right)?, &a.t()?.contiguous()?.matmul(&right)?, 1e-12);
    Ok(())
}

#[test]
fn an_empty_batch_or_sum_gives_no_elements_or_zeros() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu);
    assert_eq!(matmul(&zeros(&[0, 2, 3])?, &zeros(&[0, 3, 4])?)?.dims(), [0, 2, 4]);
    assert_eq!(matmul(&zeros(&[2, 2, 0])?, &zeros(&[2, 0, 1])?)?.flatten_all()?.to_vec1::<f32>()?, [0.0; 4]);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let message = |a: &[usize], b: &[usize]| -> Result<String> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
        Ok(matmul(&zeros(a)?, &zeros(b)?).expect_err("bad").to_string())
    };
    assert!(message(&[2, 3], &[4, 5])?.contains("a [2, 3] by b [4, 5]: a has 3 columns and b has 4 rows"));
    assert!(message(&[3], &[3, 5])?.contains("both must be (…, rows, columns)"));
    assert!(message(&[2, 2, 3], &[3, 3, 5])?.contains("leading axes differ"));
    Ok(())
}
