//! The element-wise losses against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{Reduction, binary_cross_entropy_with_logits, huber_loss, l1_loss, mse_loss, squared_loss};
use proptest::prelude::*;

type Loss = fn(&Tensor, &Tensor, Reduction) -> Result<Tensor>;
const LOSSES: [(&str, Loss); 5] = [
    ("mse", mse_loss),
    ("l1", l1_loss),
    ("huber", |x, t, reduction| huber_loss(x, t, 0.7, reduction)),
    ("bce", binary_cross_entropy_with_logits),
    ("squared", squared_loss),
];
const REDUCTIONS: [(&str, Reduction); 3] =
    [("none", Reduction::None), ("mean", Reduction::Mean), ("sum", Reduction::Sum)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(n in 1usize..4, m in 1usize..7, seed: u64, turned: bool) {
        let mut rng = rng(seed);
        // Far enough apart that no difference steps over a corner.
        let (x, t) = (uniform(&mut rng, &[n, m]), ((uniform(&mut rng, &[n, m]) * 0.1)? + 1.2)?);
        let x = if turned { non_contiguous(&x) } else { x };
        for (_, loss) in LOSSES {
            for (_, reduction) in REDUCTIONS {
                check_gradients(&[x.clone(), t.clone()], |tensors| loss(&tensors[0], &tensors[1], reduction));
            }
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("loss");
    for (name, loss) in LOSSES {
        for (reduction_name, reduction) in REDUCTIONS {
            let case = format!("{name}_{reduction_name}");
            reference.check_all_types(&case, &["x", "t"], |tensors| loss(&tensors[0], &tensors[1], reduction));
        }
    }
    reference.check_all_types("bce_large", &["x", "t"], |tensors| {
        binary_cross_entropy_with_logits(&tensors[0], &tensors[1], Reduction::None)
    });
}

#[test]
fn squared_loss_is_half_the_squared_error() -> Result<()> {
    let mut rng = rng(2);
    let (x, t) = (uniform(&mut rng, &[200, 301]), uniform(&mut rng, &[200, 301]));
    for (_, reduction) in REDUCTIONS {
        let expected = (mse_loss(&x, &t, reduction)? * 0.5)?;
        assert_close(&squared_loss(&x, &t, reduction)?, &expected, 1e-12);
    }
    assert_close(&mse_loss(&x, &t, Reduction::Mean)?, &(x - t)?.sqr()?.mean_all()?, 1e-12);
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let error = mse_loss(&zeros(&[2, 1])?, &zeros(&[2])?, Reduction::Mean).expect_err("bad").to_string();
    assert!(error.contains("mse_loss: prediction and target must have the same shape"), "{error}");
    let error = huber_loss(&zeros(&[2])?, &zeros(&[2])?, 0.0, Reduction::Mean).expect_err("bad").to_string();
    assert!(error.contains("delta must be positive, got 0"), "{error}");
    Ok(())
}
