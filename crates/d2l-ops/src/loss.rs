//! Losses that compare two tensors element by element, each one node with its reduction.
//!
//! Forward, for a prediction `x` and a target `t`; backward, the derivatives by `x` and by `t`, times the gradient:
//!
//! | loss | forward | by `x` | by `t` |
//! | --- | --- | --- | --- |
//! | mean squared error | `(x − t)²` | `2 (x − t)` | `−2 (x − t)` |
//! | squared loss | `(x − t)² / 2` | `x − t` | `t − x` |
//! | absolute | `\|x − t\|` | `sign(x − t)` | `−sign(x − t)` |
//! | Huber, `d = x − t` | `d² / 2` where `\|d\| ≤ δ`, else `δ (\|d\| − δ / 2)` | `d` held to `[−δ, δ]` | its negative |
//! | binary cross-entropy on logits | `max(x, 0) − x t + log(1 + e^(−\|x\|))` | `σ(x) − t` | `−x` |

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};

use super::Reduction;
use super::kernel::{self, Float, for_float};
use super::math::{self, Elementary};
use super::parallel;
use super::row;
use super::tape;

/// The squared error `(x − t)²` (section 3.3). The book's own squared loss is half of it: [`squared_loss`].
///
/// `prediction` and `target` have the same shape, as has the result for [`Reduction::None`]; else it is a scalar.
///
/// # Errors
/// Where the shapes differ.
#[doc(alias = "MSELoss")]
pub fn mse_loss(prediction: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    apply("mse_loss", Square { factor: 1.0 }, prediction, target, reduction)
}

/// Half the squared error, `(x − t)² / 2` (section 3.1). Shapes as in [`mse_loss`].
///
/// ```
/// # use candle_core::{Device, Tensor};
/// use d2l_ops::{Reduction, squared_loss};
///
/// let (prediction, target) = (Tensor::new(&[1f32, 5.0], &Device::Cpu)?, Tensor::new(&[3f32, 4.0], &Device::Cpu)?);
/// assert_eq!(squared_loss(&prediction, &target, Reduction::None)?.to_vec1::<f32>()?, [2.0, 0.5]);
/// assert_eq!(squared_loss(&prediction, &target, Reduction::Mean)?.to_scalar::<f32>()?, 1.25);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// As [`mse_loss`].
#[doc(alias = "L2Loss")]
pub fn squared_loss(prediction: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    apply("squared_loss", Square { factor: 0.5 }, prediction, target, reduction)
}

/// The absolute error `|x − t|`; its gradient at 0 is 0 (section 13.7). Shapes as in [`mse_loss`].
///
/// # Errors
/// As [`mse_loss`].
#[doc(alias = "L1Loss")]
pub fn l1_loss(prediction: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    apply("l1_loss", Absolute, prediction, target, reduction)
}

/// Half the squared error up to an error of `delta`, beyond it linear with slope `delta` (Huber, 1964; an exercise of
/// section 3.3). Shapes as in [`mse_loss`].
///
/// # Errors
/// As [`mse_loss`], and where `delta` is not positive.
#[doc(alias = "HuberLoss")]
pub fn huber_loss(prediction: &Tensor, target: &Tensor, delta: f64, reduction: Reduction) -> Result<Tensor> {
    if delta.is_nan() || delta <= 0.0 {
        bail!("huber_loss: delta must be positive, got {delta}");
    }
    apply("huber_loss", Huber { delta }, prediction, target, reduction)
}

/// The cross-entropy between the sigmoid of `logits` and `targets`, probabilities of the positive class (section 14.4).
/// Shapes as in [`mse_loss`]. Exact for large logits of either sign.
///
/// # Errors
/// As [`mse_loss`].
#[doc(alias = "BCEWithLogitsLoss")]
#[doc(alias = "SigmoidBCELoss")]
pub fn binary_cross_entropy_with_logits(logits: &Tensor, targets: &Tensor, reduction: Reduction) -> Result<Tensor> {
    apply("binary_cross_entropy_with_logits", BinaryCrossEntropy, logits, targets, reduction)
}

fn apply<L: Loss>(name: &'static str, loss: L, x: &Tensor, t: &Tensor, reduction: Reduction) -> Result<Tensor> {
    if x.dims() != t.dims() || x.dtype() != t.dtype() {
        let (x, t) = ((x.dims(), x.dtype()), (t.dims(), t.dtype()));
        bail!("{name}: prediction and target must have the same shape and type, got {x:?} and {t:?}");
    }
    if kernel::has_kernel(x) {
        return tape::apply2(x, t, LossOp { name, loss, reduction });
    }
    let losses = loss.composed(x, t)?;
    match reduction {
        Reduction::None => Ok(losses),
        Reduction::Mean => losses.mean_all(),
        Reduction::Sum => losses.sum_all(),
    }
}

trait Loss: Send + Sync + 'static {
    fn value<T: Elementary>(&self, x: T, t: T) -> T;
    fn slope<T: Elementary>(&self, x: T, t: T) -> T;
    /// The derivative by the target.
    #[inline(always)]
    fn target_slope<T: Elementary>(&self, x: T, t: T) -> T {
        -self.slope(x, t)
    }
    /// The same from candle's operations, unreduced.
    fn composed(&self, x: &Tensor, t: &Tensor) -> Result<Tensor>;
}

struct Square {
    factor: f64,
}

impl Loss for Square {
    #[inline(always)]
    fn value<T: Elementary>(&self, x: T, t: T) -> T {
        T::of(self.factor) * (x - t) * (x - t)
    }
    #[inline(always)]
    fn slope<T: Elementary>(&self, x: T, t: T) -> T {
        T::of(2.0 * self.factor) * (x - t)
    }
    fn composed(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        (x - t)?.sqr()? * self.factor
    }
}

struct Absolute;

impl Loss for Absolute {
    #[inline(always)]
    fn value<T: Elementary>(&self, x: T, t: T) -> T {
        (x - t).abs()
    }
    #[inline(always)]
    fn slope<T: Elementary>(&self, x: T, t: T) -> T {
        if x == t { T::zero() } else { (x - t).signum() }
    }
    fn composed(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        // Not `abs`, whose gradient at 0 is not 0.
        let difference = (x - t)?;
        &difference * difference.sign()?.detach()
    }
}

struct Huber {
    delta: f64,
}

impl Loss for Huber {
    #[inline(always)]
    fn value<T: Elementary>(&self, x: T, t: T) -> T {
        let (d, delta, half) = ((x - t).abs(), T::of(self.delta), T::of(0.5));
        if d <= delta { half * d * d } else { delta * (d - half * delta) }
    }
    #[inline(always)]
    fn slope<T: Elementary>(&self, x: T, t: T) -> T {
        let (d, delta) = (x - t, T::of(self.delta));
        if d > delta {
            delta
        } else if d < -delta {
            -delta
        } else {
            d
        }
    }
    fn composed(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        let d = (x - t)?.abs()?;
        let near = d.le(self.delta)?;
        let far = (&d - 0.5 * self.delta)? * self.delta;
        near.where_cond(&(d.sqr()? * 0.5)?, &far?)
    }
}

struct BinaryCrossEntropy;

impl Loss for BinaryCrossEntropy {
    #[inline(always)]
    fn value<T: Elementary>(&self, x: T, t: T) -> T {
        let positive = if x > T::zero() { x } else { T::zero() };
        positive - x * t + math::exp(-x.abs()).ln_1p()
    }
    #[inline(always)]
    fn slope<T: Elementary>(&self, x: T, t: T) -> T {
        math::sigmoid(x) - t
    }
    #[inline(always)]
    fn target_slope<T: Elementary>(&self, x: T, _t: T) -> T {
        -x
    }
    fn composed(&self, x: &Tensor, t: &Tensor) -> Result<Tensor> {
        let decayed = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
        (x.relu()? - (x * t)?)? + decayed
    }
}

struct LossOp<L> {
    name: &'static str,
    loss: L,
    reduction: Reduction,
}

impl<L: Loss> LossOp<L> {
    fn scale(&self, elements: usize) -> f64 {
        if self.reduction == Reduction::Mean { (elements as f64).recip() } else { 1.0 }
    }

    fn forward<T: Elementary>(&self, x: &[T], t: &[T]) -> Vec<T> {
        if self.reduction == Reduction::None {
            return parallel::map([x, t], |[x, t]| self.loss.value(x, t));
        }
        let blocks = parallel::collect(x.len().div_ceil(parallel::BLOCK), parallel::BLOCK, |block| {
            let start = block * parallel::BLOCK;
            let end = x.len().min(start + parallel::BLOCK);
            let sum = row::sum_of([&x[start..end], &t[start..end]], |[x, t]| self.loss.value(x, t));
            WithDType::to_f64(sum)
        });
        vec![T::of(blocks.iter().sum::<f64>() * self.scale(x.len()))]
    }

    /// The gradient by one of the inputs, whose derivative is `slope`.
    fn backward<T: Elementary>(&self, x: &[T], t: &[T], g: &[T], slope: impl Fn(T, T) -> T + Send + Sync) -> Vec<T> {
        if self.reduction == Reduction::None {
            return parallel::map([x, t, g], |[x, t, g]| g * slope(x, t));
        }
        let g = g[0] * T::of(self.scale(x.len()));
        parallel::map([x, t], |[x, t]| g * slope(x, t))
    }
}

impl<L: Loss> CustomOp2 for LossOp<L> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, t: &CpuStorage, tl: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = if self.reduction == Reduction::None { xl.shape().clone() } else { Shape::from(()) };
        for_float!(self.name, x.dtype(), T => {
            let losses = self.forward(&kernel::values::<T>(x, xl)?, &kernel::values::<T>(t, tl)?);
            Ok((T::into_storage(losses), shape))
        })
    }

    fn bwd(&self, x: &Tensor, t: &Tensor, _loss: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        for_float!(self.name, x.dtype(), T => {
            let by_x = kernel::from_three::<T>([x, t, grad], x.shape(), |x, t, g| {
                self.backward(x, t, g, |x, t| self.loss.slope(x, t))
            })?;
            if !t.track_op() {
                return Ok((Some(by_x), None));
            }
            let by_t = kernel::from_three::<T>([x, t, grad], x.shape(), |x, t, g| {
                self.backward(x, t, g, |x, t| self.loss.target_slope(x, t))
            })?;
            Ok((Some(by_x), Some(by_t)))
        })
    }
}
