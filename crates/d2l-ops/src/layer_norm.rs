//! Layer normalization (section 10.7).
//!
//! Forward, for each row `x` of `d` elements: `x̂ = (x − mean x) / √(var x + ε)` with the biased variance,
//! `y = γ x̂ + β`.
//! Backward, for the gradient `g` of `y`, with `h = g γ`: `∂x = (h − mean h − x̂ mean(h x̂)) / √(var x + ε)`, and summed
//! over the rows `∂γ = Σ g x̂`, `∂β = Σ g`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::row;
use super::tape;

/// `x` normalized over its last axes, those of `gamma`, then scaled by `gamma` and shifted by `beta`.
///
/// `gamma` and `beta` have the shape of the last axes of `x`, usually `(hidden)`; `eps` is added to the variance,
/// 1e-5 in PyTorch.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let normalized = gamma.dims();
    if gamma.elem_count() == 0 || normalized.is_empty() || !x.dims().ends_with(normalized) {
        bail!(
            "layer_norm: gamma must have the shape of the last axes of x {:?} and elements, got {normalized:?}",
            x.dims()
        );
    }
    if beta.dims() != normalized {
        bail!("layer_norm: beta must have the shape of gamma {normalized:?}, got {:?}", beta.dims());
    }
    if kernel::has_kernel(x) {
        return tape::apply3(x, gamma, beta, LayerNormOp { eps });
    }
    let rows = x.reshape(((), gamma.elem_count()))?;
    let centered = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
    let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
    let hat = centered.broadcast_div(&(variance + eps)?.sqrt()?)?;
    hat.broadcast_mul(&gamma.flatten_all()?)?.broadcast_add(&beta.flatten_all()?)?.reshape(x.dims())
}

struct LayerNormOp {
    eps: f64,
}

impl LayerNormOp {
    /// A row's mean and `1 / √(var + ε)`.
    fn statistics<T: Float>(&self, x: &[T]) -> (T, T) {
        let scale = T::of((x.len() as f64).recip());
        let mean = row::sum(x) * scale;
        let variance = row::sum_of([x], |[x]| (x - mean) * (x - mean)) * scale;
        (mean, (variance + T::of(self.eps)).sqrt().recip())
    }

    fn forward<T: Float>(&self, x: &[T], gamma: &[T], beta: &[T]) -> Vec<T> {
        let width = gamma.len();
        // SAFETY: `row::map` writes every element of each row.
        unsafe {
            parallel::rows(x.len(), width, |first, out| {
                for (x, out) in x[first * width..].chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    let (mean, scale) = self.statistics(x);
                    row::map(out, [x, gamma, beta], |[x, gamma, beta]| (x - mean) * scale * gamma + beta);
                }
            })
        }
    }

    fn by_x<T: Float>(&self, x: &[T], gamma: &[T], g: &[T]) -> Vec<T> {
        let width = gamma.len();
        let count = T::of((width as f64).recip());
        // SAFETY: `row::map` writes every element of each row.
        unsafe {
            parallel::rows(x.len(), width, |first, out| {
                let rows = x[first * width..].chunks_exact(width).zip(g[first * width..].chunks_exact(width));
                for ((x, g), out) in rows.zip(out.chunks_exact_mut(width)) {
                    let (mean, scale) = self.statistics(x);
                    let h_mean = row::sum_of([g, gamma], |[g, gamma]| g * gamma) * count;
                    let h_hat_mean = row::sum_of([g, gamma, x], |[g, gamma, x]| g * gamma * (x - mean) * scale) * count;
                    row::map(out, [g, gamma, x], |[g, gamma, x]| {
                        (g * gamma - h_mean - (x - mean) * scale * h_hat_mean) * scale
                    });
                }
            })
        }
    }

    /// The gradients of gamma and beta, `(2, width)`.
    fn by_parameters<T: Float>(&self, x: &[T], g: &[T], width: usize) -> Vec<T> {
        let rows = (parallel::BLOCK / width).max(1);
        let blocks = parallel::collect(x.len().div_ceil(rows * width), rows * width, |block| {
            let start = block * rows * width;
            let end = x.len().min(start + rows * width);
            let mut sums = vec![T::zero(); 2 * width];
            let (gamma, beta) = sums.split_at_mut(width);
            for (x, g) in x[start..end].chunks_exact(width).zip(g[start..end].chunks_exact(width)) {
                let (mean, scale) = self.statistics(x);
                row::update(gamma, [x, g], |sum, [x, g]| sum + g * (x - mean) * scale);
                row::update(beta, [g], |sum, [g]| sum + g);
            }
            sums
        });
        let mut total = vec![T::zero(); 2 * width];
        for block in &blocks {
            total.iter_mut().zip(block).for_each(|(total, &block)| *total += block);
        }
        total
    }
}

impl CustomOp3 for LayerNormOp {
    fn name(&self) -> &'static str {
        "layer_norm"
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
        for_float!("layer_norm", x.dtype(), T => {
            let (gamma, beta) = (kernel::values::<T>(gamma, gl)?, kernel::values::<T>(beta, bl)?);
            let y = self.forward(&kernel::values::<T>(x, xl)?, &gamma, &beta);
            Ok((T::into_storage(y), xl.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = gamma.elem_count();
        for_float!("layer_norm", x.dtype(), T => {
            let by_x = kernel::from_three::<T>([x, gamma, grad], x.shape(), |x, gamma, g| self.by_x(x, gamma, g))?;
            let both = Shape::from((2, width));
            let both = kernel::from_two::<T>([x, grad], &both, |x, g| self.by_parameters(x, g, width))?;
            let by = |index| both.get(index)?.reshape(gamma.shape());
            Ok((Some(by_x), Some(by(0)?), Some(by(1)?)))
        })
    }
}
