//! How many multiplications a computation takes, each with its addition: what the cost of a net is told in.

use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// What `f` gives, with the multiply-adds of its convolutions, linear layers and matrix products on this thread, forward
/// passes alone: those of the sums that define them, however they are computed. Recurrent layers are not counted.
///
/// ```
/// # use candle_core::{DType, Device, Tensor};
/// use d2l_ops::{count_multiply_adds, linear};
///
/// let (x, weight) = (Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?, Tensor::zeros((5, 3), DType::F32, &Device::Cpu)?);
/// let (y, multiply_adds) = count_multiply_adds(|| linear(&x, &weight, None));
/// assert_eq!((y?.dims(), multiply_adds), (&[2, 5][..], 30));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn count_multiply_adds<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let before = COUNT.get();
    let value = f();
    (value, COUNT.get() - before)
}

/// Adds the product of these sizes to the count.
pub(super) fn add(sizes: &[usize]) {
    COUNT.set(COUNT.get() + sizes.iter().map(|&size| size as u64).product::<u64>());
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Result, Tensor};

    use super::count_multiply_adds;
    use crate::{Conv2dConfig, backward, conv2d, matmul};

    fn zeros(shape: &[usize]) -> Result<Tensor> {
        Tensor::zeros(shape, DType::F32, &Device::Cpu)
    }

    #[test]
    fn each_output_takes_as_many_as_its_window_has_weights() -> Result<()> {
        let (x, weight) = (zeros(&[2, 4, 9, 9])?, zeros(&[6, 2, 3, 3])?);
        let config = Conv2dConfig { stride: (2, 2), padding: (1, 1), groups: 2, ..Conv2dConfig::default() };
        let (y, count) = count_multiply_adds(|| conv2d(&x, &weight, None, &config));
        assert_eq!((y?.dims(), count), (&[2, 6, 5, 5][..], 2 * 6 * 5 * 5 * 2 * 9));
        Ok(())
    }

    #[test]
    fn products_are_counted_with_their_leading_axes_and_backward_passes_are_not() -> Result<()> {
        let (a, b) = (candle_core::Var::from_tensor(&zeros(&[3, 1, 4, 5])?)?, zeros(&[2, 5, 7])?);
        let (result, count) = count_multiply_adds(|| -> Result<()> {
            backward(&matmul(&a, &b)?.sum_all()?)?;
            matmul(&zeros(&[3, 4, 5])?, &zeros(&[5, 7])?)?;
            Ok(())
        });
        result?;
        assert_eq!(count, 3 * 2 * 4 * 5 * 7 + 3 * 4 * 5 * 7);
        Ok(())
    }
}
