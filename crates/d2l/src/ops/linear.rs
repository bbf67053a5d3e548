//! The affine map of a fully connected layer.
//!
//! Forward, for `x` of `(n, in)`, `w` of `(out, in)`, `b` of `(out)`: `y = x wᵀ + b`.
//! Backward, for the gradient `g` of `y`: `∂x = g w`, `∂w = gᵀ x`, `∂b = Σₙ g`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::kernel::{self, Float, Matrix, for_float};

/// `x wᵀ + b`: a linear layer's forward pass with its own backward.
///
/// `x` is `(…, in)`, `weight` is `(out, in)`, `bias` is `(out)`; the result is `(…, out)`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = match weight.dims() {
        &[outputs, inputs] => (outputs, inputs),
        other => bail!("linear: weight must be (out, in), got {other:?}"),
    };
    if x.dims().last() != Some(&inputs) {
        bail!("linear: x must end in {inputs} as weight {:?} does, got {:?}", weight.dims(), x.dims());
    }
    if let Some(bias) = bias
        && bias.dims() != [outputs]
    {
        bail!("linear: bias must be ({outputs}), got {:?}", bias.dims());
    }
    let mut shape = x.dims().to_vec();
    shape[x.rank() - 1] = outputs;
    let rows = x.reshape(((), inputs))?; // (n, in)
    let y = match bias {
        _ if !kernel::has_kernel(x) => {
            let product = rows.matmul(&weight.t()?)?;
            match bias {
                Some(bias) => product.broadcast_add(bias)?,
                None => product,
            }
        }
        Some(bias) => rows.apply_op3(weight, bias, LinearOp)?,
        None => rows.apply_op2(weight, LinearOp)?,
    };
    y.reshape(shape)
}

struct LinearOp;

impl LinearOp {
    fn forward<T: Float>(
        x: &[T],
        w: &[T],
        b: Option<&[T]>,
        (n, inputs, outputs): (usize, usize, usize),
    ) -> Result<Vec<T>> {
        let mut y = Vec::with_capacity(n * outputs);
        match b {
            Some(b) => (0..n).for_each(|_| y.extend_from_slice(b)),
            None => y.resize(n * outputs, T::zero()),
        }
        let keep = if b.is_some() { T::one() } else { T::zero() };
        let threads = kernel::threads_for(n * inputs * outputs);
        let (x, w) = (Matrix::rows(x, inputs), Matrix::rows(w, inputs).transposed());
        kernel::matmul((n, inputs, outputs), x, w, keep, &mut y, threads)?;
        Ok(y)
    }

    fn backward<T: Float>(x: &Tensor, w: &Tensor, bias: bool, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let ((n, inputs), (outputs, _)) = (x.dims2()?, w.dims2()?);
        let threads = kernel::threads_for(n * inputs * outputs);
        kernel::read::<T, _>(grad, |g| {
            let grads = Matrix::rows(g, outputs);
            let grad_x = if x.track_op() {
                let mut out = vec![T::zero(); n * inputs];
                kernel::read::<T, _>(w, |w| {
                    kernel::matmul((n, outputs, inputs), grads, Matrix::rows(w, inputs), T::zero(), &mut out, threads)
                })?;
                Some(Tensor::from_vec(out, (n, inputs), x.device())?)
            } else {
                None
            };
            let grad_w = if w.track_op() {
                let mut out = vec![T::zero(); outputs * inputs];
                kernel::read::<T, _>(x, |x| {
                    let (m, x) = ((outputs, n, inputs), Matrix::rows(x, inputs));
                    kernel::matmul(m, grads.transposed(), x, T::zero(), &mut out, threads)
                })?;
                Some(Tensor::from_vec(out, (outputs, inputs), x.device())?)
            } else {
                None
            };
            let grad_b = bias.then(|| {
                let mut sums = vec![T::zero(); outputs];
                kernel::vectorized(|| {
                    for row in g.chunks_exact(outputs) {
                        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
                    }
                });
                sums
            });
            let grad_b = grad_b.map(|b| Tensor::from_vec(b, outputs, x.device())).transpose()?;
            Ok([grad_x, grad_w, grad_b])
        })
    }
}

impl CustomOp2 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((n, inputs), (outputs, _)) = (xl.shape().dims2()?, wl.shape().dims2()?);
        for_float!("linear", x.dtype(), T => {
            let (x, w) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(w, wl)?);
            let y = Self::forward(&x, &w, None, (n, inputs, outputs))?;
            Ok((T::into_storage(y), (n, outputs).into()))
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [x, w, _] = for_float!("linear", x.dtype(), T => Self::backward::<T>(x, w, false, grad)?);
        Ok((x, w))
    }
}

impl CustomOp3 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, inputs), (outputs, _)) = (xl.shape().dims2()?, wl.shape().dims2()?);
        for_float!("linear", x.dtype(), T => {
            let (x, w, b) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(w, wl)?, kernel::values::<T>(b, bl)?);
            let y = Self::forward(&x, &w, Some(&b), (n, inputs, outputs))?;
            Ok((T::into_storage(y), (n, outputs).into()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [x, w, b] = for_float!("linear", x.dtype(), T => Self::backward::<T>(x, w, true, grad)?);
        Ok((x, w, b))
    }
}
