//! `ops::linear` against finite differences, PyTorch and a plain composition.

use crate::support::reference::{Reference, check_composition};
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{Device, Tensor};
use d2l::ops::linear;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(n in 1usize..5, inputs in 1usize..6, outputs in 1usize..5, seed: u64, turned: bool) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[n, inputs]);
        let x = if turned { non_contiguous(&x) } else { x };
        let (w, b) = (uniform(&mut rng, &[outputs, inputs]), uniform(&mut rng, &[outputs]));
        check_gradients(&[x.clone(), w.clone(), b], |t| linear(&t[0], &t[1], Some(&t[2])));
        check_gradients(&[x, w], |t| linear(&t[0], &t[1], None));
    }

    #[test]
    fn any_leading_axes_serve(leading in prop::collection::vec(1usize..4, 0..4), inputs in 1usize..4, seed: u64) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[leading.as_slice(), &[inputs]].concat());
        let (w, b) = (non_contiguous(&uniform(&mut rng, &[3, inputs])), uniform(&mut rng, &[3]));
        check_gradients(&[x, w, b], |t| linear(&t[0], &t[1], Some(&t[2])));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("linear");
    for case in ["row", "batch", "steps"] {
        reference.check_all_types(case, &["x", "weight", "bias"], |t| linear(&t[0], &t[1], Some(&t[2])));
        let case = format!("{case}_without_bias");
        reference.check_all_types(&case, &["x", "weight"], |t| linear(&t[0], &t[1], None));
    }
}

#[test]
fn compositions_agree_with_the_kernels() {
    let mut rng = rng(2);
    let inputs = [uniform(&mut rng, &[3, 4, 5]), uniform(&mut rng, &[6, 5]), uniform(&mut rng, &[6])];
    check_composition(&inputs, |t| linear(&t[0], &t[1], Some(&t[2])));
}

#[test]
fn values_are_those_of_the_composition() -> candle_core::Result<()> {
    let mut rng = rng(1);
    let (x, w, b) = (uniform(&mut rng, &[2, 3, 7]), uniform(&mut rng, &[5, 7]), uniform(&mut rng, &[5]));
    let expected = x.broadcast_matmul(&w.t()?)?.broadcast_add(&b)?;
    assert_close(&linear(&x, &w, Some(&b))?, &expected, 1e-12);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> candle_core::Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu);
    let message = |r: candle_core::Result<Tensor>| r.expect_err("bad sizes").to_string();
    assert!(message(linear(&zeros(&[2, 3])?, &zeros(&[4, 5])?, None)).contains("x must end in 5"));
    assert!(message(linear(&zeros(&[2, 3])?, &zeros(&[4])?, None)).contains("weight must be (out, in)"));
    assert!(message(linear(&zeros(&[2, 3])?, &zeros(&[4, 3])?, Some(&zeros(&[3])?))).contains("bias must be (4)"));
    Ok(())
}
