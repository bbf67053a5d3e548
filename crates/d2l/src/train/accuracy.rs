//! How many predictions are right.

use candle_core::{D, Tensor};
use candle_nn::ModuleT;

use super::Accumulator;
use crate::Result;
use crate::data::Batches;
use crate::ops::unrecorded;

/// Counts the rows of `scores` `(batch, classes)` whose largest entry stands at the label, `labels` being `(batch)` of
/// `u32` (section 3.6).
///
/// # Errors
/// Where the shapes do not fit.
#[doc(alias = "accuracy")]
pub fn count_correct(scores: &Tensor, labels: &Tensor) -> Result<f64> {
    let predictions = scores.argmax(D::Minus1)?; // (batch)
    let correct = predictions.eq(labels)?.to_dtype(candle_core::DType::F32)?;
    Ok(f64::from(correct.sum_all()?.to_scalar::<f32>()?))
}

/// The share of a dataset's examples that a net classifies correctly, in evaluation mode (section 3.6). The loader puts
/// each batch on its device, so this is also what the book writes anew for GPUs in section 6.6.
///
/// # Errors
/// What the net or the batches give.
#[doc(alias = "evaluate_accuracy_gpu")]
pub fn evaluate_accuracy(net: &impl ModuleT, batches: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<f64> {
    let mut sums = Accumulator::<2>::new(); // correct predictions, predictions
    for batch in batches.epoch() {
        let (x, y) = batch?;
        sums.add([count_correct(&unrecorded(|| net.forward_t(&x, false))?, &y)?, y.elem_count() as f64]);
    }
    Ok(sums[0] / sums[1])
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::data::ArrayLoader;

    #[test]
    fn rows_with_the_largest_score_at_the_label_count() -> Result<(), Box<dyn std::error::Error>> {
        let scores = Tensor::new(&[[0.1f32, 0.3, 0.6], [0.3, 0.2, 0.5]], &Device::Cpu)?;
        let labels = Tensor::new(&[0u32, 2], &Device::Cpu)?;
        assert_eq!(count_correct(&scores, &labels)?, 1.0);
        let mut loader = ArrayLoader::from_tensors(&scores, &labels, 1)?;
        assert_eq!(evaluate_accuracy(&|x: &Tensor| Ok(x.clone()), &mut loader)?, 0.5);
        Ok(())
    }
}
