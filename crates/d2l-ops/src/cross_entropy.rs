//! Softmax and negative log-likelihood in one.
//!
//! Forward, for the logits `x` of an example with label `y` and that label's weight `w`:
//! `l = w (log Σⱼ exp xⱼ − x_y)`; the mean divides by the sum of the weights.
//! Backward, for the gradient `g` of `l`: `∂xⱼ = g w (softmax(x)ⱼ − [j = y])`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

use super::Reduction;
use super::indices::read_indices;
use super::kernel::{self, Float, for_float};
use super::math::Elementary;
use super::parallel;
use super::row;
use super::softmax::{log_sum_exp, softmax_slabs};
use super::tape;

/// What [`cross_entropy_with`] takes beyond logits and labels (section 3.4).
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropy<'a> {
    /// A weight a class, `(classes)`; all one by default. No gradient flows to them.
    pub class_weights: Option<&'a Tensor>,
    /// Examples with this label have no loss and no gradient; none by default.
    pub ignored_label: Option<i64>,
    /// The mean by default.
    pub reduction: Reduction,
}

/// The cross-entropy between the softmax of `logits` and `labels`, each a class index.
///
/// `logits` is `(batch, classes)` or `(batch, classes, d…)`, `labels` is `(batch)` or `(batch, d…)` of `u32`, `i64` or
/// `u8`. The result is a scalar, or of the labels' shape for [`Reduction::None`]. Introduced in section 3.4; 3.7 says
/// why it takes logits and not probabilities.
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{Reduction, cross_entropy};
///
/// let logits = Tensor::zeros((2, 10), candle_core::DType::F32, &Device::Cpu)?; // ten classes, all alike
/// let labels = Tensor::new(&[3u32, 7], &Device::Cpu)?;
/// let loss = cross_entropy(&logits, &labels, Reduction::Mean)?.to_scalar::<f32>()?;
/// assert!((loss - 10f32.ln()).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where the sizes do not fit together, or a label is not below the number of classes.
#[doc(alias = "CrossEntropyLoss")]
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, reduction: Reduction) -> Result<Tensor> {
    cross_entropy_with(logits, labels, &CrossEntropy { reduction, ..CrossEntropy::default() })
}

/// [`cross_entropy`] with class weights and a label to ignore (section 3.4).
///
/// With [`Reduction::Mean`] the sum is divided by the sum of the weights of the labels that count; where none counts
/// the result is not a number, as in PyTorch.
///
/// # Errors
/// As [`cross_entropy`], and where there is not one weight a class.
pub fn cross_entropy_with(logits: &Tensor, labels: &Tensor, options: &CrossEntropy) -> Result<Tensor> {
    let (batch, classes) = match logits.dims() {
        &[batch, classes, ..] => (batch, classes),
        other => bail!("cross_entropy: logits must be (batch, classes) or (batch, classes, d…), got {other:?}"),
    };
    let mut examples = logits.dims().to_vec();
    examples.remove(1);
    if labels.dims() != examples {
        bail!("cross_entropy: labels must be {examples:?} for logits {:?}, got {:?}", logits.dims(), labels.dims());
    }
    let labels = read_indices(("cross_entropy: label", "classes"), labels, classes, options.ignored_label)?;
    let weights = match options.class_weights {
        Some(weights) if weights.dims() != [classes] => {
            bail!("cross_entropy: class_weights must be ({classes}), got {:?}", weights.dims())
        }
        Some(weights) => weights.to_dtype(DType::F64)?.to_vec1::<f64>()?,
        None => vec![1.0; classes],
    };
    let weights: Vec<f64> = labels.iter().map(|label| label.map_or(0.0, |label| weights[label as usize])).collect();
    let inner = examples[1..].iter().product();
    let op = CrossEntropyOp { labels, weights, inner, reduction: options.reduction };
    let loss = if kernel::has_kernel(logits) {
        tape::apply1(logits, op)?
    } else {
        op.composed(&logits.reshape((batch, classes, inner))?)?
    };
    if options.reduction == Reduction::None { loss.reshape(examples) } else { Ok(loss) }
}

struct CrossEntropyOp {
    /// `(batch, inner)`; `None` where ignored.
    labels: Vec<Option<u32>>,
    /// The weight of each label, 0 where it is ignored.
    weights: Vec<f64>,
    inner: usize,
    reduction: Reduction,
}

impl CrossEntropyOp {
    /// What a sum of the losses is multiplied by.
    fn scale(&self) -> f64 {
        if self.reduction == Reduction::Mean { self.weights.iter().sum::<f64>().recip() } else { 1.0 }
    }

    /// The loss of each example.
    fn losses<T: Elementary>(&self, x: &[T], slab: usize) -> Vec<T> {
        let loss = |(at, (max, log_sum)): (usize, (T, T))| {
            let (n, i) = (at / self.inner, at % self.inner);
            self.labels[at].map_or(T::zero(), |label| {
                T::of(self.weights[at]) * (max - x[n * slab + label as usize * self.inner + i] + log_sum)
            })
        };
        log_sum_exp(x, slab, self.inner).into_iter().enumerate().map(loss).collect()
    }

    /// The gradient for gradients `g` of the losses, or for one of their sum or mean.
    fn gradient<T: Elementary>(&self, x: &[T], slab: usize, g: &[T]) -> Vec<T> {
        let (inner, scale) = (self.inner, T::of(self.scale()));
        // SAFETY: `softmax_slabs` writes each element.
        unsafe {
            parallel::rows(x.len(), slab, |first, out| {
                softmax_slabs(&x[first * slab..][..out.len()], slab, inner, out);
                let mut factors = vec![T::zero(); inner];
                for (n, out) in (first..).zip(out.chunks_exact_mut(slab)) {
                    for (i, factor) in factors.iter_mut().enumerate() {
                        let at = n * inner + i;
                        let g = if self.reduction == Reduction::None { g[at] } else { g[0] };
                        *factor = g * scale * T::of(self.weights[at]);
                    }
                    // An example that does not count has no gradient even where its logits are not finite.
                    let scaled = |p, factor: T| if factor == T::zero() { factor } else { p * factor };
                    if let [factor] = factors[..] {
                        row::update(out, [], |p, []| scaled(p, factor));
                    } else {
                        let rows = out.chunks_exact_mut(inner);
                        rows.for_each(|out| row::update(out, [&factors], |p, [factor]| scaled(p, factor)));
                    }
                    for (i, &factor) in factors.iter().enumerate() {
                        if let Some(label) = self.labels[n * inner + i] {
                            out[label as usize * inner + i] -= factor;
                        }
                    }
                }
            })
        }
    }

    /// The same from candle's operations, for `logits` of `(batch, classes, inner)`.
    fn composed(&self, logits: &Tensor) -> Result<Tensor> {
        let log_probabilities = candle_nn::ops::log_softmax(logits, 1)?.transpose(1, 2)?.contiguous()?;
        let (batch, inner, _) = log_probabilities.dims3()?;
        let labels: Vec<u32> = self.labels.iter().map(|label| label.unwrap_or(0)).collect();
        let labels = Tensor::from_vec(labels, (batch, inner, 1), logits.device())?;
        let weights = Tensor::from_slice(&self.weights, (batch, inner), logits.device())?.to_dtype(logits.dtype())?;
        let losses = (log_probabilities.gather(&labels, 2)?.squeeze(2)? * weights)?.neg()?;
        if self.reduction == Reduction::None { Ok(losses) } else { losses.sum_all()? * self.scale() }
    }
}

impl CustomOp1 for CrossEntropyOp {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let slab = layout.dims()[1] * self.inner;
        for_float!("cross_entropy", x.dtype(), T => {
            let losses = self.losses(&kernel::values::<T>(x, layout)?, slab);
            if self.reduction == Reduction::None {
                let shape = Shape::from(losses.len());
                return Ok((T::into_storage(losses), shape));
            }
            let sum: f64 = losses.iter().map(|&loss| loss.to_f64()).sum();
            Ok((T::into_storage(vec![T::of(sum * self.scale())]), Shape::from(())))
        })
    }

    fn bwd(&self, x: &Tensor, _loss: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let slab = x.dims()[1] * self.inner;
        for_float!("cross_entropy", x.dtype(), T => {
            Ok(Some(kernel::from_two::<T>([x, grad], x.shape(), |x, g| self.gradient(x, slab, g))?))
        })
    }
}
