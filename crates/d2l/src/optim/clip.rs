//! Gradient clipping (section 8.5).
//!
//! `g ← g · min(1, θ / ‖g‖)`, with the norm taken over all parameters' gradients together.

use candle_core::{Result, Tensor, Var, WithDType, bail};

use crate::ops::kernel::{self, Float, for_float};
use crate::ops::{Gradients, parallel, row};

/// Scales the gradients of `parameters` so that their norm is at most `max_norm`; returns the norm before
/// (section 8.5).
///
/// ```
/// # use candle_core::{Device, Var};
/// use d2l::ops::backward;
/// use d2l::optim::clip_gradients;
///
/// let x = Var::new(&[3f32, 4.0], &Device::Cpu)?;
/// let mut grads = backward(&(x.sqr()? / 2.0)?.sum_all()?)?; // the gradient is x itself, of norm 5
/// assert_eq!(clip_gradients(&mut grads, &[x.clone()], 1.0)?, 5.0);
/// let clipped = grads.get(&x)?.to_vec1::<f32>()?;
/// assert!((clipped[0] - 0.6).abs() < 1e-6 && (clipped[1] - 0.8).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where `max_norm` is not positive, or a parameter has no gradient.
#[doc(alias = "grad_clipping")]
#[doc(alias = "clip_grad_norm_")]
pub fn clip_gradients(grads: &mut Gradients, parameters: &[Var], max_norm: f64) -> Result<f64> {
    if max_norm.is_nan() || max_norm <= 0.0 {
        bail!("clip_gradients: max_norm must be positive, got {max_norm}");
    }
    let mut sum = 0.0;
    for parameter in parameters {
        sum += match grads.rows(parameter) {
            Some(rows) => sum_of_squares(rows.values())?,
            None => sum_of_squares(grads.get(parameter)?)?,
        };
    }
    let norm = sum.sqrt();
    if norm > max_norm {
        for parameter in parameters {
            let factor = max_norm / norm;
            match grads.rows(parameter) {
                Some(rows) => grads.set_rows(parameter, rows.with_values(scaled(rows.values(), factor)?)?),
                None => grads.set(parameter, scaled(grads.get(parameter)?, factor)?),
            }
        }
    }
    Ok(norm)
}

fn scaled(grad: &Tensor, factor: f64) -> Result<Tensor> {
    if !kernel::has_kernel(grad) {
        return grad * factor;
    }
    for_float!("clip_gradients", grad.dtype(), T => {
        let scaled = kernel::read::<T, _>(grad, |g| Ok(parallel::map([g], |[g]| g * T::of(factor))))?;
        Tensor::from_vec(scaled, grad.shape(), grad.device())
    })
}

fn sum_of_squares(grad: &Tensor) -> Result<f64> {
    if !kernel::has_kernel(grad) {
        return grad.to_dtype(candle_core::DType::F32)?.sqr()?.sum_all()?.to_scalar::<f32>().map(f64::from);
    }
    for_float!("clip_gradients", grad.dtype(), T => kernel::read::<T, _>(grad, |g| {
        let sum = |g: &[T]| row::sum_of([g], |[g]| g * g);
        Ok(g.chunks(parallel::BLOCK).map(|g| WithDType::to_f64(sum(g))).sum())
    }))
}
