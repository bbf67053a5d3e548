//! Convolutions against finite differences, PyTorch, the definition, and themselves on other routes.

use crate::support::reference::{Reference, check_composition};
use crate::support::{assert_close, check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv1d, conv2d};
use proptest::prelude::*;

/// Options that fit a kernel into an input of at least the kernel's reach.
fn conv_config() -> impl Strategy<Value = Conv2dConfig> {
    let pair = |range: std::ops::Range<usize>| (range.clone(), range);
    (pair(0..3), pair(1..4), pair(1..3), 1usize..3).prop_map(|(padding, stride, dilation, groups)| Conv2dConfig {
        padding,
        stride,
        dilation,
        groups,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn conv2d_gradients(config in conv_config(), kernel in (1usize..4, 1usize..4), extra in (0usize..4, 0usize..4), batch in 1usize..3, seed: u64, turned: bool) {
        let mut rng = rng(seed);
        let height = (config.dilation.0 * (kernel.0 - 1) + 1 + extra.0).saturating_sub(2 * config.padding.0).max(1);
        let width = (config.dilation.1 * (kernel.1 - 1) + 1 + extra.1).saturating_sub(2 * config.padding.1).max(1);
        let x = uniform(&mut rng, &[batch, 2 * config.groups, height, width]);
        let w = uniform(&mut rng, &[3 * config.groups, 2, kernel.0, kernel.1]);
        let b = uniform(&mut rng, &[3 * config.groups]);
        let (x, w) = if turned { (non_contiguous(&x), non_contiguous(&w)) } else { (x, w) };
        check_gradients(&[x.clone(), w.clone(), b], |t| conv2d(&t[0], &t[1], Some(&t[2]), &config));
        check_gradients(&[x, w], |t| conv2d(&t[0], &t[1], None, &config));
    }

    #[test]
    fn conv_transpose2d_gradients(config in conv_config(), kernel in (1usize..4, 1usize..4), size in (2usize..4, 2usize..4), more in (0usize..3, 0usize..3), seed: u64, turned: bool) {
        let config = ConvTranspose2dConfig {
            padding: (config.padding.0.min((kernel.0 - 1) / 2), config.padding.1.min((kernel.1 - 1) / 2)),
            output_padding: (more.0.min(config.stride.0.max(config.dilation.0) - 1), more.1.min(config.stride.1.max(config.dilation.1) - 1)),
            stride: config.stride,
            dilation: config.dilation,
            groups: config.groups,
        };
        let mut rng = rng(seed);
        let x = uniform(&mut rng, &[2, 2 * config.groups, size.0, size.1]);
        let w = uniform(&mut rng, &[2 * config.groups, 3, kernel.0, kernel.1]);
        let b = uniform(&mut rng, &[3 * config.groups]);
        let (x, w) = if turned { (non_contiguous(&x), non_contiguous(&w)) } else { (x, w) };
        check_gradients(&[x.clone(), w.clone(), b], |t| conv_transpose2d(&t[0], &t[1], Some(&t[2]), &config));
        check_gradients(&[x, w], |t| conv_transpose2d(&t[0], &t[1], None, &config));
    }

    #[test]
    fn conv1d_gradients(stride in 1usize..4, padding in 0usize..3, dilation in 1usize..3, groups in 1usize..3, kernel in 1usize..4, extra in 0usize..5, seed: u64, turned: bool) {
        let config = Conv1dConfig { padding, stride, dilation, groups };
        let mut rng = rng(seed);
        let length = dilation * (kernel - 1) + 1 + extra;
        let (x, w) = (uniform(&mut rng, &[2, 3 * groups, length]), uniform(&mut rng, &[2 * groups, 3, kernel]));
        let b = uniform(&mut rng, &[2 * groups]);
        let (x, w) = if turned { (non_contiguous(&x), non_contiguous(&w)) } else { (x, w) };
        check_gradients(&[x.clone(), w.clone(), b], |t| conv1d(&t[0], &t[1], Some(&t[2]), &config));
        check_gradients(&[x, w], |t| conv1d(&t[0], &t[1], None, &config));
    }
}

/// The definition, term by term.
fn by_definition(x: &Tensor, w: &Tensor, config: &Conv2dConfig) -> Result<Tensor> {
    let ((batch, _, height, width), (outputs, inputs, kernel_height, kernel_width)) = (x.dims4()?, w.dims4()?);
    let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f64>();
    let (xs, ws) = (flat(x)?, flat(w)?);
    let size = |input: usize, kernel: usize, padding: usize, stride: usize, dilation: usize| {
        (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
    };
    let (padding, stride, dilation) = (config.padding, config.stride, config.dilation);
    let rows = size(height, kernel_height, padding.0, stride.0, dilation.0);
    let columns = size(width, kernel_width, padding.1, stride.1, dilation.1);
    let mut y = Vec::new();
    for n in 0..batch {
        for o in 0..outputs {
            let first = o / (outputs / config.groups) * inputs;
            for p in 0..rows {
                for q in 0..columns {
                    let mut sum = 0.0;
                    for c in 0..inputs {
                        for i in 0..kernel_height {
                            for j in 0..kernel_width {
                                let row = (p * stride.0 + i * dilation.0).wrapping_sub(padding.0);
                                let column = (q * stride.1 + j * dilation.1).wrapping_sub(padding.1);
                                if row < height && column < width {
                                    let x =
                                        xs[((n * inputs * config.groups + first + c) * height + row) * width + column];
                                    sum += x * ws[((o * inputs + c) * kernel_height + i) * kernel_width + j];
                                }
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    Tensor::from_vec(y, (batch, outputs, rows, columns), &Device::Cpu)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Sizes around the sixteen channels and the tiles of Winograd's filtering.
    #[test]
    fn values_are_those_of_the_definition(channels in (1usize..35, 1usize..35), size in (5usize..15, 5usize..15), kernel in 1usize..6, padding in (0usize..3, 0usize..3), batch in 1usize..4, seed: u64) {
        let mut rng = rng(seed);
        let config = Conv2dConfig { padding, ..Conv2dConfig::default() };
        let x = uniform(&mut rng, &[batch, channels.0, size.0, size.1]);
        let w = uniform(&mut rng, &[channels.1, channels.0, kernel, kernel]);
        assert_close(&conv2d(&x, &w, None, &config)?, &by_definition(&x, &w, &config)?, 1e-10);
    }

    #[test]
    fn gradients_are_adjoint(channels in (14usize..40, 14usize..40), size in (5usize..15, 5usize..15), kernel in prop::sample::select(vec![3usize, 5]), padding in (0usize..3, 0usize..3), batch in 1usize..4, seed: u64) {
        let config = Conv2dConfig { padding, ..Conv2dConfig::default() };
        check_adjoint(&[batch, channels.0, size.0, size.1], &[channels.1, channels.0, kernel, kernel], &config, seed)?;
    }
}

/// `⟨conv(x, w), g⟩` is linear in `x` and in `w`, so moving either in any direction changes it by that direction's
/// product with the gradient. With random directions that fixes the gradients of shapes too large for finite
/// differences, given the definition's values.
fn check_adjoint(x: &[usize], w: &[usize], config: &Conv2dConfig, seed: u64) -> Result<()> {
    let mut rng = rng(seed);
    let (x, w) = (Var::from_tensor(&uniform(&mut rng, x))?, Var::from_tensor(&uniform(&mut rng, w))?);
    let y = conv2d(&x, &w, None, config)?;
    let seed = uniform(&mut rng, y.dims());
    let grads = (&y * &seed)?.sum_all()?.backward()?;
    let (other_x, other_w) = (uniform(&mut rng, x.dims()), uniform(&mut rng, w.dims()));
    let product = |a: &Tensor, b: &Tensor| (a * b)?.sum_all()?.to_scalar::<f64>();
    let moved_x = product(&by_definition(&other_x, &w, config)?, &seed)?;
    let moved_w = product(&by_definition(&x, &other_w, config)?, &seed)?;
    let along_x = product(grads.get(&x).expect("a gradient"), &other_x)?;
    let along_w = product(grads.get(&w).expect("a gradient"), &other_w)?;
    for (moved, along) in [(moved_x, along_x), (moved_w, along_w)] {
        assert!(
            (moved - along).abs() < 1e-8 * (1.0 + moved.abs()),
            "{moved} by the definition, {along} by the gradient"
        );
    }
    Ok(())
}

/// Weights too large for the cache, and images so small that several share a product, take ways of their own.
#[test]
fn deep_layers_are_right() -> Result<()> {
    let mut rng = rng(6);
    for (inputs, outputs, kernel, padding, stride, side) in
        [(260, 257, 3, 1, 1, 6), (257, 256, 5, 2, 1, 4), (40, 50, 3, 1, 2, 6), (70, 30, 1, 0, 1, 3)]
    {
        let config = Conv2dConfig { padding: (padding, padding), stride: (stride, stride), ..Conv2dConfig::default() };
        let (x, w) = ([5, inputs, side, side], [outputs, inputs, kernel, kernel]);
        check_adjoint(&x, &w, &config, 7)?;
        let (x, w) = (uniform(&mut rng, &x), uniform(&mut rng, &w));
        let bias = uniform(&mut rng, &[outputs]);
        let expected = by_definition(&x, &w, &config)?.broadcast_add(&bias.reshape((1, outputs, 1, 1))?)?;
        assert_close(&conv2d(&x, &w, Some(&bias), &config)?, &expected, 1e-9);
    }
    Ok(())
}

#[test]
fn pytorch_agrees() {
    let reference = Reference::load("convolution");
    let plain = Conv2dConfig::default();
    let cases = [
        ("conv2d_plain", plain),
        ("conv2d_strided", Conv2dConfig { stride: (2, 3), padding: (1, 0), dilation: (1, 2), groups: 1 }),
        ("conv2d_grouped", Conv2dConfig { groups: 2, padding: (2, 2), stride: (2, 2), ..plain }),
        ("conv2d_winograd3", Conv2dConfig { padding: (1, 1), ..plain }),
        ("conv2d_winograd5", Conv2dConfig { padding: (2, 1), ..plain }),
    ];
    for (case, config) in cases {
        reference.check(case, &["x", "w", "b"], |t| conv2d(&t[0], &t[1], Some(&t[2]), &config));
    }
    let plain = ConvTranspose2dConfig::default();
    let strided =
        ConvTranspose2dConfig { stride: (2, 3), padding: (1, 0), output_padding: (1, 2), dilation: (1, 2), groups: 1 };
    let cases = [
        ("conv_transpose2d_plain", plain),
        ("conv_transpose2d_strided", strided),
        ("conv_transpose2d_grouped", ConvTranspose2dConfig { groups: 2, stride: (2, 2), padding: (1, 1), ..plain }),
    ];
    for (case, config) in cases {
        reference.check(case, &["x", "w", "b"], |t| conv_transpose2d(&t[0], &t[1], Some(&t[2]), &config));
    }
    let config = Conv1dConfig { stride: 2, padding: 2, dilation: 2, groups: 1 };
    reference.check("conv1d", &["x", "w", "b"], |t| conv1d(&t[0], &t[1], Some(&t[2]), &config));
    let config = Conv1dConfig { padding: 1, groups: 2, ..Conv1dConfig::default() };
    reference.check("conv1d_grouped", &["x", "w", "b"], |t| conv1d(&t[0], &t[1], Some(&t[2]), &config));
}

#[test]
fn compositions_agree_with_the_kernels() {
    let mut rng = rng(3);
    let (x, w, b) = (uniform(&mut rng, &[2, 4, 7, 5]), uniform(&mut rng, &[6, 2, 3, 2]), uniform(&mut rng, &[6]));
    let config = Conv2dConfig { padding: (1, 1), stride: (2, 1), dilation: (1, 2), groups: 2 };
    check_composition(&[x.clone(), w, b.clone()], |t| conv2d(&t[0], &t[1], Some(&t[2]), &config));
    let w = uniform(&mut rng, &[4, 3, 3, 2]);
    let config =
        ConvTranspose2dConfig { padding: (1, 0), output_padding: (1, 0), stride: (2, 1), dilation: (1, 2), groups: 2 };
    check_composition(&[x, w, b.clone()], |t| conv_transpose2d(&t[0], &t[1], Some(&t[2]), &config));
    let (x, w) = (uniform(&mut rng, &[2, 4, 9]), uniform(&mut rng, &[6, 2, 3]));
    let config = Conv1dConfig { padding: 1, stride: 2, dilation: 2, groups: 2 };
    check_composition(&[x, w, b], |t| conv1d(&t[0], &t[1], Some(&t[2]), &config));
}

/// Winograd's transforms cost a digit or so: `f32` stays within 8e-6 of the largest output.
#[test]
fn single_precision_is_accurate() -> Result<()> {
    let mut rng = rng(4);
    for (channels, kernel, padding) in [(64, 3, 1), (64, 5, 2), (8, 3, 1)] {
        let config = Conv2dConfig { padding: (padding, padding), ..Conv2dConfig::default() };
        let x = uniform(&mut rng, &[4, channels, 24, 24]);
        let w = uniform(&mut rng, &[channels, channels, kernel, kernel]);
        let seed = uniform(&mut rng, &[4, channels, 24, 24]);
        let run = |dtype: DType| -> Result<[Tensor; 3]> {
            let (x, w) = (Var::from_tensor(&x.to_dtype(dtype)?)?, Var::from_tensor(&w.to_dtype(dtype)?)?);
            let y = conv2d(&x, &w, None, &config)?;
            let grads = (&y * seed.to_dtype(dtype)?)?.sum_all()?.backward()?;
            let grad = |v: &Var| grads.get(v).expect("a gradient").clone();
            Ok([y.detach(), grad(&x), grad(&w)])
        };
        for (single, double) in run(DType::F32)?.iter().zip(&run(DType::F64)?) {
            let error = (single.to_dtype(DType::F64)? - double)?.abs()?.max_all()?.to_scalar::<f64>()?;
            let largest = double.abs()?.max_all()?.to_scalar::<f64>()?;

            assert!(error < 8e-6 * largest, "kernel {kernel}: off by {error:.2e} of {largest}");
        }
    }
    Ok(())
}

#[test]
fn threads_do_not_change_a_bit() -> Result<()> {
    let mut rng = rng(5);
    for (channels, batch) in [(24, 9), (3, 9)] {
        let x = uniform(&mut rng, &[batch, channels, 13, 11]).to_dtype(DType::F32)?;
        let w = uniform(&mut rng, &[20, channels, 3, 3]).to_dtype(DType::F32)?;
        let run = || -> Result<Vec<Vec<f32>>> {
            let (x, w) = (Var::from_tensor(&x)?, Var::from_tensor(&w)?);
            let y = conv2d(&x, &w, None, &Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() })?;
            let grads = y.sqr()?.sum_all()?.backward()?;
            let all = [y.clone(), grads.get(&x).expect("∂x").clone(), grads.get(&w).expect("∂w").clone()];
            all.iter().map(|t| t.flatten_all()?.to_vec1::<f32>()).collect()
        };
        let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(run);
        assert_eq!(on(1)?, on(3)?);
    }
    Ok(())
}

#[test]
fn bad_arguments_are_named() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let plain = Conv2dConfig::default();
    let message = |result: Result<Tensor>| result.expect_err("bad arguments").to_string();
    let conv = |x: &[usize], w: &[usize], b: Option<&[usize]>, config: &Conv2dConfig| {
        message(conv2d(&zeros(x), &zeros(w), b.map(zeros).as_ref(), config))
    };
    assert!(conv(&[1, 2, 3], &[1, 2, 1, 1], None, &plain).contains("x must be (batch, in, height, width)"));
    assert!(conv(&[1, 2, 3, 3], &[1, 2, 1], None, &plain).contains("weight must be"));
    assert!(conv(&[1, 2, 3, 3], &[1, 3, 1, 1], None, &plain).contains("x must have 3 channels"));
    assert!(conv(&[1, 2, 3, 3], &[4, 2, 1, 1], Some(&[3]), &plain).contains("bias must be (4)"));
    assert!(conv(&[1, 2, 3, 3], &[4, 2, 4, 1], None, &plain).contains("does not fit"));
    assert!(conv(&[1, 2, 3, 3], &[3, 1, 1, 1], None, &Conv2dConfig { groups: 2, ..plain }).contains("groups"));
    assert!(conv(&[1, 2, 3, 3], &[3, 2, 1, 1], None, &Conv2dConfig { groups: 0, ..plain }).contains("groups"));
    assert!(conv(&[1, 2, 3, 3], &[3, 2, 1, 1], None, &Conv2dConfig { stride: (0, 1), ..plain }).contains("stride"));
    assert!(conv(&[1, 2, 3, 3], &[3, 2, 0, 1], None, &plain).contains("kernel"));
    let plain = ConvTranspose2dConfig::default();
    let transposed = |x: &[usize], w: &[usize], config| message(conv_transpose2d(&zeros(x), &zeros(w), None, &config));
    assert!(transposed(&[1, 2, 3, 3], &[3, 2, 1, 1], plain).contains("x must have 3 channels"));
    let wide = ConvTranspose2dConfig { padding: (3, 3), ..plain };
    assert!(transposed(&[1, 2, 3, 3], &[2, 2, 1, 1], wide).contains("padding 3 leaves nothing"));
    let more = ConvTranspose2dConfig { output_padding: (1, 0), ..plain };
    assert!(transposed(&[1, 2, 3, 3], &[2, 2, 1, 1], more).contains("output_padding must be smaller"));
    let plain = Conv1dConfig::default();
    let line = |x: &[usize], w: &[usize], config| message(conv1d(&zeros(x), &zeros(w), None, &config));
    assert!(line(&[1, 2], &[1, 2, 1], plain).contains("conv1d: x"));
    assert!(line(&[1, 2, 3], &[1, 2], plain).contains("conv1d: weight"));
    assert!(line(&[1, 2, 3], &[1, 3, 1], plain).contains("channels"));
    assert!(line(&[1, 2, 3], &[1, 2, 4], plain).contains("does not fit"));
    assert!(line(&[1, 2, 3], &[1, 2, 1], Conv1dConfig { stride: 0, ..plain }).contains("stride"));
    assert!(line(&[1, 2, 3], &[1, 2, 1], Conv1dConfig { dilation: 0, ..plain }).contains("dilation"));
    assert!(line(&[1, 2, 3], &[3, 1, 1], Conv1dConfig { groups: 2, ..plain }).contains("groups"));
}
