//! Pools and upsampling against finite differences, PyTorch and candle's composition.

use crate::support::reference::{Reference, check_composition};
use crate::support::{assert_close, check_gradients, distinct, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor};
use d2l::ops::{
    Pool1dConfig, Pool2dConfig, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool1d, avg_pool2d, global_avg_pool2d,
    max_pool1d, max_pool2d, upsample_bilinear2d, upsample_nearest2d,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pool_gradients(size in (3usize..9, 3usize..9), kernel in (1usize..4, 1usize..4), stride in (1usize..4, 1usize..4), padding in (0usize..2, 0usize..2), seed: u64, turned: bool) {
        let config = Pool2dConfig { kernel, stride, padding: (padding.0.min(kernel.0 / 2), padding.1.min(kernel.1 / 2)) };
        let x = distinct(&mut rng(seed), &[2, 2, size.0, size.1]);
        let x = if turned { non_contiguous(&x) } else { x };
        check_gradients(std::slice::from_ref(&x), |t| max_pool2d(&t[0], &config));
        check_gradients(&[x], |t| avg_pool2d(&t[0], &config));
    }

    #[test]
    fn pool_gradients_on_a_line(length in 3usize..12, kernel in 1usize..4, stride in 1usize..4, padding in 0usize..2, seed: u64, turned: bool) {
        let config = Pool1dConfig { kernel, stride, padding: padding.min(kernel / 2) };
        let x = distinct(&mut rng(seed), &[2, 3, length]);
        let x = if turned { non_contiguous(&x) } else { x };
        check_gradients(std::slice::from_ref(&x), |t| max_pool1d(&t[0], &config));
        check_gradients(std::slice::from_ref(&x), |t| avg_pool1d(&t[0], &config));
        let planes = x.unsqueeze(1)?;
        check_gradients(&[planes], |t| global_avg_pool2d(&t[0]));
    }

    #[test]
    fn resizing_gradients(size in (1usize..6, 1usize..6), target in (1usize..8, 1usize..8), seed: u64, turned: bool) {
        let x = distinct(&mut rng(seed), &[2, 2, size.0, size.1]);
        let x = if turned { non_contiguous(&x) } else { x };
        let inputs = [x];
        check_gradients(&inputs, |t| adaptive_avg_pool2d(&t[0], target));
        check_gradients(&inputs, |t| adaptive_max_pool2d(&t[0], target));
        check_gradients(&inputs, |t| upsample_nearest2d(&t[0], target));
        check_gradients(&inputs, |t| upsample_bilinear2d(&t[0], target, false));
        check_gradients(&inputs, |t| upsample_bilinear2d(&t[0], target, true));
    }
}

#[test]
fn pytorch_agrees() {
    let reference = Reference::load("convolution");
    let windows = Pool2dConfig { kernel: (3, 2), stride: (2, 1), padding: (1, 1) };
    let square = Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) };
    let line = Pool1dConfig { kernel: 3, stride: 2, padding: 1 };
    reference.check("max_pool2d", &["x"], |t| max_pool2d(&t[0], &windows));
    reference.check("max_pool2d_ties", &["x"], |t| max_pool2d(&t[0], &square));
    reference.check("max_pool1d", &["x"], |t| max_pool1d(&t[0], &line));
    reference.check("avg_pool2d", &["x"], |t| avg_pool2d(&t[0], &windows));
    reference.check("avg_pool1d", &["x"], |t| avg_pool1d(&t[0], &line));
    reference.check("adaptive_avg_pool2d", &["x"], |t| adaptive_avg_pool2d(&t[0], (4, 3)));
    reference.check("adaptive_max_pool2d", &["x"], |t| adaptive_max_pool2d(&t[0], (4, 3)));
    reference.check("upsample_nearest2d", &["x"], |t| upsample_nearest2d(&t[0], (20, 5)));
    reference.check("upsample_bilinear2d", &["x"], |t| upsample_bilinear2d(&t[0], (20, 5), false));
    reference.check("upsample_bilinear2d_corners", &["x"], |t| upsample_bilinear2d(&t[0], (20, 5), true));
}

#[test]
fn global_average_is_the_mean_of_each_plane() -> Result<()> {
    let x = uniform(&mut rng(1), &[3, 4, 5, 6]);
    assert_close(&global_avg_pool2d(&x)?, &x.mean_keepdim((2, 3))?, 1e-12);
    Ok(())
}

#[test]
fn compositions_agree_with_the_kernels() {
    let x = [uniform(&mut rng(2), &[2, 3, 7, 5])];
    let config = Pool2dConfig { kernel: (3, 2), stride: (2, 1), padding: (1, 1) };
    check_composition(&x, |t| max_pool2d(&t[0], &config));
    check_composition(&x, |t| avg_pool2d(&t[0], &config));
    check_composition(&x, |t| adaptive_avg_pool2d(&t[0], (4, 3)));
    check_composition(&x, |t| adaptive_max_pool2d(&t[0], (4, 3)));
    check_composition(&x, |t| upsample_nearest2d(&t[0], (9, 3)));
    check_composition(&x, |t| upsample_bilinear2d(&t[0], (9, 3), false));
    check_composition(&x, |t| global_avg_pool2d(&t[0]));
    let line = Pool1dConfig { kernel: 3, stride: 2, padding: 1 };
    check_composition(&x, |t| max_pool1d(&t[0].flatten_to(1)?, &line));
    check_composition(&x, |t| avg_pool1d(&t[0].flatten_to(1)?, &line));
}

#[test]
fn not_a_number_is_passed_on() -> Result<()> {
    let x = Tensor::new(&[[[[1.0f32, f32::NAN], [2.0, 0.5]]]], &Device::Cpu)?;
    let y = max_pool2d(&x, &Pool2dConfig::new((2, 2)))?;
    assert!(y.flatten_all()?.to_vec1::<f32>()?[0].is_nan());
    Ok(())
}

#[test]
fn bad_arguments_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let message = |result: Result<Tensor>| result.expect_err("bad arguments").to_string();
    let config = Pool2dConfig::new((3, 3));
    assert!(message(max_pool2d(&zeros(&[3, 3]), &config)).contains("max_pool2d: x must be"));
    assert!(message(avg_pool2d(&zeros(&[1, 1, 2, 3]), &config)).contains("does not fit"));
    let padded = Pool2dConfig { padding: (2, 0), ..config };
    assert!(message(max_pool2d(&zeros(&[1, 1, 5, 5]), &padded)).contains("padding must be at most half of kernel 3"));
    let still = Pool2dConfig { stride: (1, 0), ..config };
    assert!(message(avg_pool2d(&zeros(&[1, 1, 5, 5]), &still)).contains("stride must be at least 1"));
    assert!(message(max_pool1d(&zeros(&[1, 5]), &Pool1dConfig::new(2))).contains("max_pool1d: x must be"));
    assert!(message(adaptive_avg_pool2d(&zeros(&[1, 1, 5, 5]), (0, 1))).contains("size"));
    assert!(message(upsample_nearest2d(&zeros(&[1, 1, 5, 5]), (3, 0))).contains("size"));
}
