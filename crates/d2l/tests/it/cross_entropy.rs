//! `ops::cross_entropy` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{CrossEntropy, Reduction, cross_entropy, cross_entropy_with};
use proptest::prelude::*;
use rand::Rng;

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gradients_agree_with_finite_differences(
        n in 1usize..5, classes in 1usize..6, inner in 1usize..4, seed: u64, turned: bool, ignored: bool, weighted: bool,
    ) {
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[n, classes, inner]);
        let x = if turned { non_contiguous(&x) } else { x };
        // The first label always counts, so that the mean is a number.
        let labels: Vec<i64> = (0..n * inner)
            .map(|i| if ignored && i > 0 && rng.random_bool(0.4) { -100 } else { rng.random_range(0..classes as i64) })
            .collect();
        let labels = Tensor::from_vec(labels, (n, inner), &Device::Cpu)?;
        let weights = (uniform(&mut rng, &[classes]) + 1.5)?;
        let class_weights = weighted.then_some(&weights);
        for reduction in REDUCTIONS {
            let options = CrossEntropy { class_weights, ignored_label: ignored.then_some(-100), reduction };
            check_gradients(std::slice::from_ref(&x), |t| cross_entropy_with(&t[0], &labels, &options));
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("cross_entropy");
    for (reduction, name) in REDUCTIONS.into_iter().zip(["none", "mean", "sum"]) {
        let labels = reference.get(name, "labels");
        reference.check_all_types(name, &["logits"], |t| cross_entropy(&t[0], labels, reduction));
        let (case, ignored_label) = (format!("options_{name}"), Some(2));
        let labels = reference.get(&case, "labels");
        let class_weights = Some(reference.get(&case, "weights"));
        let options = CrossEntropy { class_weights, ignored_label, reduction };
        reference.check_all_types(&case, &["logits"], |t| cross_entropy_with(&t[0], labels, &options));
    }
    let labels = reference.get("large", "labels");
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-6)] {
        reference.check_in(dtype, tolerance, "large", &["logits"], |t| cross_entropy(&t[0], labels, Reduction::Mean));
    }
}

#[test]
fn labels_of_every_integer_type_serve() -> Result<()> {
    let x = uniform(&mut rng(3), &[4, 3]);
    let labels = Tensor::new(&[2u32, 0, 1, 2], &Device::Cpu)?;
    let expected = cross_entropy(&x, &labels, Reduction::None)?;
    for dtype in [DType::U8, DType::I64] {
        assert_close(&cross_entropy(&x, &labels.to_dtype(dtype)?, Reduction::None)?, &expected, 0.0);
    }
    Ok(())
}

#[test]
fn an_ignored_row_has_no_gradient_even_where_it_is_not_finite() -> Result<()> {
    let x = candle_core::Var::new(&[[f32::INFINITY, f32::NAN], [0.0, 0.0]], &Device::Cpu)?;
    let labels = Tensor::new(&[-1i64, 1], &Device::Cpu)?;
    let options = CrossEntropy { ignored_label: Some(-1), ..CrossEntropy::default() };
    let loss = cross_entropy_with(&x, &labels, &options)?;
    assert!((loss.to_scalar::<f32>()? - 2f32.ln()).abs() < 1e-6);
    let grads = loss.backward()?;
    let grad = grads.get(&x).expect("a gradient").to_vec2::<f32>()?;
    assert_eq!(grad, [[0.0, 0.0], [0.5, -0.5]]);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
    let message = |labels: &Tensor| cross_entropy(&x, labels, Reduction::Mean).expect_err("bad").to_string();
    let labels = |labels: &[i64]| Tensor::new(labels, &Device::Cpu);
    assert!(message(&labels(&[0, 3])?).contains("label 3 at position 1 is out of range for 3 classes"));
    assert!(message(&labels(&[-1, 0])?).contains("label -1 at position 0"));
    assert!(message(&labels(&[0, 1, 2])?).contains("labels must be [2] for logits [2, 3], got [3]"));
    assert!(message(&Tensor::zeros(2, DType::F32, &Device::Cpu)?).contains("must be of u8, u32 or i64, got F32"));
    let flat = cross_entropy(&x.flatten_all()?, &labels(&[0])?, Reduction::Mean).expect_err("bad").to_string();
    assert!(flat.contains("logits must be (batch, classes)"));
    let weights = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
    let options = CrossEntropy { class_weights: Some(&weights), ..CrossEntropy::default() };
    let error = cross_entropy_with(&x, &labels(&[0, 1])?, &options).expect_err("bad").to_string();
    assert!(error.contains("class_weights must be (3), got [2]"));
    Ok(())
}
