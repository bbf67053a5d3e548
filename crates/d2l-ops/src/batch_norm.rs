//! Batch normalization over every axis but that of the channels (Ioffe and Szegedy, 2015), with an optional ReLU after
//! it in the same pass.
//!
//! Forward, for `x` of `(n, c, …)` and the `m` elements of each channel: in training `μ = Σ x / m` and
//! `σ² = Σ (x − μ)² / m`, in inference the running statistics; `x̂ = (x − μ) / √(σ² + ε)`, `y = γ x̂ + β`.
//! Backward, for the gradient `g` of `y`, zero where a ReLU cut off: `∂β = Σ g`, `∂γ = Σ g x̂`, and
//! `∂x = γ (g − ∂β / m − x̂ ∂γ / m) / √(σ² + ε)` in training, `∂x = γ g / √(σ² + ε)` in inference.
//! The running statistics move by `momentum` towards `μ` and `σ² m / (m − 1)`.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor, Var, WithDType, bail};
use rayon::prelude::*;

use super::channels;
use super::kernel::{self, Float, for_float};
use super::memory::{self, Disjoint};
use super::tape;

/// Options of [`batch_norm`]; the defaults are PyTorch's (section 7.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormConfig {
    /// Added to the variance; 1e-5.
    pub eps: f64,
    /// How far the running statistics move towards each batch's; 0.1.
    pub momentum: f64,
    /// Whether `max(0, ·)` follows in the same pass; no.
    pub relu: bool,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1, relu: false }
    }
}

/// The mean and variance that inference uses and training updates, `(channels)` each (section 7.5).
#[derive(Debug, Clone)]
pub struct RunningStatistics {
    /// Starts at 0.
    pub mean: Var,
    /// Starts at 1; without bias (divided by `m − 1`).
    pub var: Var,
}

/// Normalizes each channel of `x` of `(batch, channels, …)`, then scales it by `gamma` and shifts it by `beta` of
/// `(channels)` (section 7.5).
///
/// In training with the batch's statistics, towards which the running ones move in place, outside the graph; otherwise
/// with the running ones.
///
/// # Errors
/// Where the sizes do not fit together, or in training with a single element a channel; the message names the argument.
#[doc(alias = "BatchNorm")]
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    running: &RunningStatistics,
    config: &BatchNormConfig,
    train: bool,
) -> Result<Tensor> {
    let channels = match x.dims() {
        &[_, channels, ..] => channels,
        other => bail!("batch_norm: x must be (batch, channels, …), got {other:?}"),
    };
    for (name, tensor) in
        [("gamma", gamma), ("beta", beta), ("running.mean", &running.mean), ("running.var", &running.var)]
    {
        if tensor.dims() != [channels] {
            bail!("batch_norm: {name} must be ({channels}) as the channels of x, got {:?}", tensor.dims());
        }
    }
    let count = x.elem_count() / channels.max(1);
    if train && count < 2 {
        bail!("batch_norm: training needs more than one element a channel, got x {:?}", x.dims());
    }
    let numbers = |tensor: &Tensor| tensor.detach().to_dtype(DType::F64)?.to_vec1::<f64>();
    if !kernel::has_kernel(x) {
        return composed(x, gamma, beta, running, config, train);
    }
    let statistics = Arc::new(OnceLock::new());
    if !train {
        let stored = numbers(&running.mean)?.into_iter().zip(numbers(&running.var)?);
        let stored = stored.map(|(mean, var)| Statistics::new(mean, var, config.eps)).collect::<Vec<_>>();
        statistics.get_or_init(|| stored);
    }
    let op = BatchNormOp { train, eps: config.eps, relu: config.relu, statistics: Arc::clone(&statistics) };
    let y = tape::apply3(x, gamma, beta, op)?;
    if train && let Some(statistics) = statistics.get() {
        let unbiased = count as f64 / (count as f64 - 1.0);
        let mean: Vec<f64> = statistics.iter().map(|channel| channel.mean).collect();
        let var: Vec<f64> = statistics.iter().map(|channel| channel.var * unbiased).collect();
        running.update(&Tensor::new(mean, x.device())?, &Tensor::new(var, x.device())?, config.momentum)?;
    }
    Ok(y)
}

impl RunningStatistics {
    /// Moves the statistics towards a batch's, in place.
    fn update(&self, mean: &Tensor, var: &Tensor, momentum: f64) -> Result<()> {
        for (running, batch) in [(&self.mean, mean), (&self.var, var)] {
            let kept = (running.as_detached_tensor() * (1.0 - momentum))?;
            running.set(&(kept + (batch.to_dtype(running.dtype())? * momentum)?)?)?;
        }
        Ok(())
    }
}

/// The same from candle's operations, for devices and types without a kernel here.
fn composed(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    running: &RunningStatistics,
    config: &BatchNormConfig,
    train: bool,
) -> Result<Tensor> {
    let (batch, channels) = (x.dims()[0], x.dims()[1]);
    let positions = x.elem_count() / (batch * channels).max(1);
    let by_channel = x.reshape((batch, channels, positions))?;
    let column = |tensor: &Tensor| tensor.reshape((1, channels, 1));
    let (mean, var) = if train {
        let mean = by_channel.mean_keepdim(D::Minus1)?.mean_keepdim(0)?;
        let var = by_channel.broadcast_sub(&mean)?.sqr()?.mean_keepdim(D::Minus1)?.mean_keepdim(0)?;
        let count = (batch * positions) as f64;
        let unbiased = (var.detach() * (count / (count - 1.0)))?;
        running.update(&mean.detach().flatten_all()?, &unbiased.flatten_all()?, config.momentum)?;
        (mean, var)
    } else {
        (column(running.mean.as_detached_tensor().as_ref())?, column(running.var.as_detached_tensor().as_ref())?)
    };
    let scale = column(gamma)?.broadcast_div(&(var + config.eps)?.sqrt()?)?;
    let y = by_channel.broadcast_sub(&mean)?.broadcast_mul(&scale)?.broadcast_add(&column(beta)?)?;
    let y = y.reshape(x.dims())?;
    if config.relu { y.maximum(&y.zeros_like()?) } else { Ok(y) }
}

/// What normalizes one channel.
#[derive(Debug, Clone, Copy)]
struct Statistics {
    mean: f64,
    var: f64,
    /// `1 / √(var + ε)`.
    inverse_deviation: f64,
}

impl Statistics {
    fn new(mean: f64, var: f64, eps: f64) -> Self {
        Self { mean, var, inverse_deviation: 1.0 / (var + eps).sqrt() }
    }
}

struct BatchNormOp {
    train: bool,
    eps: f64,
    relu: bool,
    /// Of each channel: computed by the forward pass in training, given in inference.
    statistics: Arc<OnceLock<Vec<Statistics>>>,
}

/// Batch, channels, and positions of a channel in an image.
fn sizes(dims: &[usize]) -> (usize, usize, usize) {
    (dims[0], dims[1], dims[2..].iter().product())
}

impl BatchNormOp {
    /// The statistics of a channel: sums of the distance to its first element, whose square loses no digits where the
    /// mean is large.
    #[inline(always)]
    fn measure<T: Float>(&self, x: &[T], (channels, positions): (usize, usize), channel: usize) -> Statistics {
        let origin = WithDType::to_f64(x[channel * positions]);
        let (mut sums, mut count) = ([0.0; 2], 0);
        for plane in channels::planes(x, channels, positions, channel) {
            let plane_sums = channels::accumulate(plane.len(), |i| {
                let distance = WithDType::to_f64(plane[i]) - origin;
                [distance, distance * distance]
            });
            (0..2).for_each(|n| sums[n] += plane_sums[n]);
            count += plane.len();
        }
        let [distance, square] = sums.map(|sum| sum / count as f64);
        Statistics::new(origin + distance, (square - distance * distance).max(0.0), self.eps)
    }

    fn forward<T: Float>(&self, x: &[T], gamma: &[T], beta: &[T], dims: &[usize]) -> Vec<T> {
        let (batch, channels, positions) = sizes(dims);
        // SAFETY: each channel's task writes its run of positions of every image.
        let mut y = unsafe { memory::uninitialized(x.len()) };
        let target = Disjoint::new(&mut y);
        let given = self.statistics.get();
        let tasks = (0..channels).into_par_iter().with_min_len(channels::channels_a_task(batch, positions));
        let statistics = tasks.map(|channel| {
            kernel::vectorized(
                #[inline(always)]
                || {
                    let of_channel =
                        given.map_or_else(|| self.measure(x, (channels, positions), channel), |given| given[channel]);
                    let scale = WithDType::to_f64(gamma[channel]) * of_channel.inverse_deviation;
                    let (scale, mean, shift) = (T::of(scale), T::of(of_channel.mean), beta[channel]);
                    let floor = if self.relu { T::zero() } else { T::neg_infinity() };
                    for (image, x) in channels::planes(x, channels, positions, channel).enumerate() {
                        let start = (image * channels + channel) * positions;
                        // SAFETY: this channel's run of this image, which no other task touches.
                        let y = unsafe { target.range(start..start + positions) };
                        for (y, &x) in y.iter_mut().zip(x) {
                            let value = (x - mean) * scale + shift;
                            *y = if value < floor { floor } else { value };
                        }
                    }
                    of_channel
                },
            )
        });
        let statistics: Vec<Statistics> = statistics.collect();
        self.statistics.get_or_init(|| statistics);
        y
    }

    /// The gradients of `x`, `gamma` and `beta`.
    fn backward<T: Float>(
        &self,
        statistics: &[Statistics],
        [x, gamma, y, grad]: [&[T]; 4],
        dims: &[usize],
    ) -> (Vec<T>, Vec<T>, Vec<T>) {
        let (batch, channels, positions) = sizes(dims);
        // SAFETY: each channel's task writes its run of positions of every image.
        let mut grad_x = unsafe { memory::uninitialized(x.len()) };
        let target = Disjoint::new(&mut grad_x);
        let count = (batch * positions) as f64;
        let tasks = (0..channels).into_par_iter().with_min_len(channels::channels_a_task(batch, positions));
        let sums = tasks.map(|channel| {
            kernel::vectorized(
                #[inline(always)]
                || {
                    let Statistics { mean, inverse_deviation, .. } = statistics[channel];
                    let floor = if self.relu { T::zero() } else { T::neg_infinity() };
                    let (centre, deviation) = (T::of(mean), T::of(inverse_deviation));
                    let planes = |values| channels::planes(values, channels, positions, channel);
                    let mut sums = [0.0; 2];
                    for ((x, y), grad) in planes(x).zip(planes(y)).zip(planes(grad)) {
                        let (y, grad) = (&y[..x.len()], &grad[..x.len()]);
                        let plane_sums = channels::accumulate(x.len(), |i| {
                            let grad = if y[i] <= floor { T::zero() } else { grad[i] };
                            let normalized = (x[i] - centre) * deviation;
                            [WithDType::to_f64(grad), WithDType::to_f64(grad * normalized)]
                        });
                        (0..2).for_each(|n| sums[n] += plane_sums[n]);
                    }
                    let [grad_beta, grad_gamma] = sums;
                    let scale = T::of(WithDType::to_f64(gamma[channel]) * inverse_deviation);
                    let (shift, slope) = if self.train { (grad_beta / count, grad_gamma / count) } else { (0.0, 0.0) };
                    let (shift, slope) = (T::of(shift), T::of(slope));
                    for (image, ((x, y), grad)) in planes(x).zip(planes(y)).zip(planes(grad)).enumerate() {
                        let start = (image * channels + channel) * positions;
                        // SAFETY: this channel's run of this image, which no other task touches.
                        let target = unsafe { target.range(start..start + positions) };
                        for (((target, &x), &y), &grad) in target.iter_mut().zip(x).zip(y).zip(grad) {
                            let grad = if y <= floor { T::zero() } else { grad };
                            *target = (grad - shift - (x - centre) * deviation * slope) * scale;
                        }
                    }
                    (T::of(grad_gamma), T::of(grad_beta))
                },
            )
        });
        let (grad_gamma, grad_beta) = sums.unzip();
        (grad_x, grad_gamma, grad_beta)
    }
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        gamma: &CpuStorage,
        gl: &Layout,
        beta: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        for_float!("batch_norm", x.dtype(), T => {
            let (gamma, beta) = (kernel::values::<T>(gamma, gl)?, kernel::values::<T>(beta, bl)?);
            let y = self.forward(&kernel::values::<T>(x, xl)?, &gamma, &beta, xl.dims());
            Ok((T::into_storage(y), xl.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(statistics) = self.statistics.get() else {
            bail!("batch_norm: the backward pass came before the forward pass");
        };
        for_float!("batch_norm", x.dtype(), T => {
            let (grad_x, grad_gamma, grad_beta) = kernel::read::<T, _>(x, |x_values| {
                kernel::read::<T, _>(gamma, |gamma| kernel::read::<T, _>(y, |y| kernel::read::<T, _>(grad, |grad| {
                    // Without a ReLU nothing is cut off: `x` stands in, which is in the cache already.
                    let y = if self.relu { y } else { x_values };
                    Ok(self.backward(statistics, [x_values, gamma, y, grad], x.dims()))
                })))
            })?;
            let device = x.device();
            let grad_x = Tensor::from_vec(grad_x, x.dims(), device)?;
            Ok((Some(grad_x), Some(Tensor::new(grad_gamma, device)?), Some(Tensor::new(grad_beta, device)?)))
        })
    }
}
