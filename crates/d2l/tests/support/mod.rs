//! Checks that the operations' tests share.

pub mod reference;

use candle_core::{Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A seeded generator for test inputs.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform values in `[-1, 1)` of a shape, in `f64` on the CPU.
pub fn uniform(rng: &mut ChaCha8Rng, shape: &[usize]) -> Tensor {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a shape that fits its values")
}

/// Values in `[-1, 1)` of a shape, in any order, no two of them closer than a difference quotient reaches: for what takes
/// the largest, whose gradient has a kink where two are equal.
pub fn distinct(rng: &mut ChaCha8Rng, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let mut values: Vec<f64> = (0..count).map(|i| i as f64 * 2.0 / count as f64 - 1.0).collect();
    for last in (1..count).rev() {
        values.swap(last, rng.random_range(0..=last));
    }
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a shape that fits its values")
}

/// The same tensor with its last two axes laid out the other way round in memory: same values, not contiguous.
pub fn non_contiguous(tensor: &Tensor) -> Tensor {
    let turned = tensor.t().and_then(|t| t.contiguous()).and_then(|t| t.t()).expect("a tensor of rank two or more");
    assert!(turned.elem_count() <= 1 || tensor.dims().iter().any(|&d| d <= 1) || !turned.is_contiguous());
    turned
}

/// Holds the gradient of `f` against central differences in `f64`, for every input and every element.
///
/// The result of `f` is weighted with fixed uneven weights, so that an error that cancels in a plain sum shows.
/// Panics with the input, element and both values where they differ by more than `1e-6` relative to `1 + |value|`.
pub fn check_gradients(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    check_gradients_within(1e-6, inputs, f);
}

/// [`check_gradients`] with another tolerance, for functions whose curvature costs the differences digits.
pub fn check_gradients_within(tolerance: f64, inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let weighted = |out: &Tensor| -> Result<Tensor> {
        let weights: Vec<f64> = (0..out.elem_count()).map(|i| ((i as f64) * 0.7 + 0.3).sin() + 0.1).collect();
        (out * Tensor::from_vec(weights, out.shape(), out.device())?)?.sum_all()
    };
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).expect("a float tensor")).collect();
    // A variable is contiguous; restore the input's own strides inside the graph, where gradients pass through.
    let graph: Vec<Tensor> = vars
        .iter()
        .zip(inputs)
        .map(|(var, input)| {
            if input.is_contiguous() {
                var.as_tensor().clone()
            } else {
                var.t().and_then(|t| t.contiguous()).and_then(|t| t.t()).expect("a tensor of rank two or more")
            }
        })
        .collect();
    let out = f(&graph).and_then(|out| weighted(&out)).expect("the forward pass");
    let grads = out.backward().expect("the backward pass");

    for (k, var) in vars.iter().enumerate() {
        let grad = grads.get(var.as_tensor()).unwrap_or_else(|| panic!("input {k} got no gradient"));
        assert_eq!(grad.dims(), var.dims(), "the gradient of input {k} has another shape");
        let grad = grad.flatten_all().and_then(|g| g.to_vec1::<f64>()).expect("an f64 gradient");
        let values = inputs[k].flatten_all().and_then(|t| t.to_vec1::<f64>()).expect("an f64 input");
        for (i, &analytic) in grad.iter().enumerate() {
            let at = |shift: f64| -> f64 {
                let mut moved = values.clone();
                moved[i] += shift;
                let mut shifted: Vec<Tensor> = inputs.to_vec();
                let plain = Tensor::from_vec(moved, inputs[k].shape(), &Device::Cpu).expect("the same shape");
                shifted[k] = if inputs[k].is_contiguous() { plain } else { non_contiguous(&plain) };
                let out = f(&shifted).and_then(|out| weighted(&out)).expect("the shifted forward pass");
                out.to_scalar::<f64>().expect("a scalar")
            };
            let step = 1e-5;
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (numeric - analytic).abs() <= tolerance * (1.0 + numeric.abs()),
                "input {k}, element {i}: numeric {numeric}, analytic {analytic}"
            );
        }
    }
}

/// Panics with the worst element where two tensors differ by more than `tolerance` relative to `1 + |expected|`.
#[allow(clippy::float_cmp)] // equal infinities have no difference
pub fn assert_close(actual: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(actual.dims(), expected.dims(), "shapes differ");
    let flat = |t: &Tensor| -> Vec<f64> {
        t.to_dtype(candle_core::DType::F64)
            .and_then(|t| t.flatten_all())
            .and_then(|t| t.to_vec1())
            .expect("a numeric tensor")
    };
    let worst = flat(actual)
        .into_iter()
        .zip(flat(expected))
        .enumerate()
        .map(|(i, (a, e))| (i, a, e, if a == e { 0.0 } else { (a - e).abs() / (1.0 + e.abs()) }))
        .fold((0, 0.0, 0.0, 0.0), |w, c| if c.3 > w.3 || c.3.is_nan() { c } else { w });
    assert!(worst.3 <= tolerance, "element {}: {} instead of {} (off by {:.2e})", worst.0, worst.1, worst.2, worst.3);
}
