//! Whether operations record the graph that a backward pass needs.

use std::cell::Cell;

thread_local! {
    static RECORDS: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread record.
pub(crate) fn records() -> bool {
    RECORDS.get()
}

/// Calls `body`, in which the operations of this crate record no graph on this thread: they take variables for the numbers
/// that they hold, and nothing of a result is kept for a backward pass. For evaluation and prediction (section 12.1).
///
/// candle's own operations on a variable itself still record their one step.
///
/// ```
/// use candle_core::{DType, Device, Var};
/// use d2l_ops::{relu, unrecorded};
///
/// let x = Var::zeros(3, DType::F32, &Device::Cpu)?;
/// assert!(relu(&x)?.track_op());
/// assert!(!unrecorded(|| relu(&x))?.track_op());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[doc(alias = "no_grad")]
pub fn unrecorded<T>(body: impl FnOnce() -> T) -> T {
    /// Sets back what was before, also where the body panics.
    struct Restore(bool);

    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDS.set(self.0);
        }
    }

    let _restore = Restore(RECORDS.replace(false));
    body()
}

#[cfg(test)]
mod tests {
    use std::panic;

    use candle_core::{DType, Device, Result, Tensor, Var};

    use super::*;
    use crate::{backward, linear, relu, sum};

    #[test]
    fn scopes_nest_and_end_with_a_panic() {
        assert!(records());
        unrecorded(|| {
            unrecorded(|| assert!(!records()));
            assert!(!records());
        });
        let panicked = panic::catch_unwind(|| unrecorded(|| panic!("as a test may")));
        assert!(panicked.is_err() && records());
    }

    #[test]
    fn values_are_the_same_and_what_follows_needs_no_gradient() -> Result<()> {
        let (weight, bias) = (Var::ones((3, 2), DType::F32, &Device::Cpu)?, Var::ones(3, DType::F32, &Device::Cpu)?);
        let x = Tensor::new(&[[1f32, -4.0]], &Device::Cpu)?;
        let net = || relu(&linear(&x, &weight, Some(&bias))?);
        let (recorded, plain) = (net()?, unrecorded(net)?);
        assert_eq!(recorded.to_vec2::<f32>()?, plain.to_vec2::<f32>()?);
        assert!(recorded.track_op() && !plain.track_op());
        assert!(backward(&sum(&(&recorded + 3.0)?, (0, 1))?)?.find(&weight).is_some());
        assert!(backward(&sum(&plain, (0, 1))?)?.find(&weight).is_none());
        Ok(())
    }
}
