//! The loss on a whole dataset.

use candle_core::{DType, Tensor};
use candle_nn::ModuleT;

use super::Accumulator;
use crate::Result;
use crate::data::Batches;

/// The mean of a net's losses over a dataset, in evaluation mode (section 4.4): `loss` gives the losses of a minibatch,
/// unreduced and of any shape, from `(predictions, labels)`.
///
/// # Errors
/// What the net, the loss or the loader gives.
pub fn evaluate_loss(
    net: &impl ModuleT,
    batches: &mut impl Batches<Batch = (Tensor, Tensor)>,
    loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<f64> {
    let mut sums = Accumulator::<2>::new(); // losses, how many
    for batch in batches.epoch() {
        let (x, y) = batch?;
        let losses = loss(&net.forward_t(&x, false)?.detach(), &y)?.to_dtype(DType::F64)?;
        sums.add([losses.sum_all()?.to_scalar()?, losses.elem_count() as f64]);
    }
    Ok(sums[0] / sums[1])
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::data::ArrayLoader;
    use crate::ops::{Reduction, mse_loss};

    #[test]
    fn a_smaller_last_minibatch_weighs_less() -> Result<(), Box<dyn std::error::Error>> {
        let x = Tensor::new(&[[1f32], [2.0], [6.0]], &Device::Cpu)?;
        let mut loader = ArrayLoader::from_tensors(&x, &x.zeros_like()?, 2)?;
        let loss = |y_hat: &Tensor, y: &Tensor| mse_loss(y_hat, y, Reduction::None);
        let mean = evaluate_loss(&|x: &Tensor| Ok(x.clone()), &mut loader, loss)?;
        assert!((mean - 41.0 / 3.0).abs() < 1e-6, "{mean}");
        Ok(())
    }
}
