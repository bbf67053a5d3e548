//! The affine map of a fully connected layer.
//!
//! Forward, for `x` of `(n, in)`, `w` of `(out, in)`, `b` of `(out)`: `y = x wᵀ + b`.
//! Backward, for the gradient `g` of `y`: `∂x = g w`, `∂w = gᵀ x`, `∂b = Σₙ g`.

use candle_core::{CpuStorage, Result, Shape, Tensor, bail};

use super::count;
use super::kernel::{self, Float, Matrix, for_float};
use super::row;
use super::tape::{self, Gradient, Operation};

/// `x wᵀ + b` (section 3.1): a linear layer's forward pass with its own backward.
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
    count::add(&[x.elem_count(), outputs]);
    if kernel::has_kernel(x) {
        return tape::apply([Some(x), Some(weight), bias].into_iter().flatten().cloned().collect(), LinearOp);
    }
    let mut shape = x.dims().to_vec();
    shape[x.rank() - 1] = outputs;
    let product = x.reshape(((), inputs))?.matmul(&weight.t()?)?; // (n, out)
    let y = match bias {
        Some(bias) => product.broadcast_add(bias)?,
        None => product,
    };
    y.reshape(shape)
}

struct LinearOp;

/// Rows, inputs and outputs, and the threads for a product of these sizes.
fn sizes(x: &Tensor, w: &Tensor) -> Result<((usize, usize, usize), usize)> {
    let (outputs, inputs) = w.dims2()?;
    let n = x.elem_count() / inputs.max(1);
    Ok(((n, inputs, outputs), kernel::threads_for(n * inputs * outputs)))
}

fn forward<T: Float>(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Vec<T>> {
    let (sizes, threads) = sizes(x, w)?;
    let (n, inputs, _) = sizes;
    kernel::read::<T, _>(x, |x| {
        kernel::read::<T, _>(w, |w| {
            let (x, w) = (Matrix::rows(x, inputs), Matrix::rows(w, inputs).transposed());
            let Some(b) = b else { return kernel::product(sizes, x, w, threads) };
            let mut y = kernel::read::<T, _>(b, |b| Ok(b.repeat(n)))?;
            kernel::matmul(sizes, x, w, T::one(), &mut y, threads)?;
            Ok(y)
        })
    })
}

fn input_gradient<T: Float>(x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<Vec<T>> {
    let ((n, inputs, outputs), threads) = sizes(x, w)?;
    kernel::read::<T, _>(grad, |g| {
        kernel::read::<T, _>(w, |w| {
            kernel::product((n, outputs, inputs), Matrix::rows(g, outputs), Matrix::rows(w, inputs), threads)
        })
    })
}

impl Operation for LinearOp {
    fn forward(&self, arguments: &[Tensor]) -> Result<(CpuStorage, Shape)> {
        let [x, w, b @ ..] = arguments else { bail!("linear: expected x and weight") };
        let mut shape = x.dims().to_vec();
        shape[x.rank() - 1] = w.dims()[0];
        for_float!("linear", x.dtype(), T => Ok((T::into_storage(forward::<T>(x, w, b.first())?), shape.into())))
    }

    fn backward(&self, arguments: &[Tensor], _y: &Tensor, grad: &Tensor) -> Result<Vec<Gradient>> {
        let [x, w, b @ ..] = arguments else { bail!("linear: expected x and weight") };
        let ((n, inputs, outputs), _) = sizes(x, w)?;
        for_float!("linear", x.dtype(), T => {
            let by_x = x.track_op().then(|| Tensor::from_vec(input_gradient::<T>(x, w, grad)?, x.shape(), x.device()));
            let rows = |tensor: &Tensor, width: usize| tensor.detach().contiguous()?.reshape((n, width));
            let by_w = if w.track_op() {
                Gradient::Product(rows(grad, outputs)?, rows(x, inputs)?)
            } else {
                Gradient::Unused
            };
            let mut grads = vec![by_x.transpose()?.into(), by_w];
            if let [b] = b {
                let sums = b.track_op().then(|| kernel::read::<T, _>(grad, |g| Ok(sums(g, outputs)))).transpose()?;
                grads.push(sums.map(|sums| Tensor::from_vec(sums, outputs, b.device())).transpose()?.into());
            }
            Ok(grads)
        })
    }
}

/// The sum of each column.
fn sums<T: Float>(values: &[T], columns: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); columns];
    values.chunks_exact(columns.max(1)).for_each(|row| row::update(&mut sums, [row], |sum, [value]| sum + value));
    sums
}
