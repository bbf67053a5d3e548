//! Whether a loss reaches all that is trained.

use d2l::prelude::*;

/// Holds that every parameter that is trained gets a finite gradient of `loss`, and one that is not 0 but where `may_be_zero`
/// says so of its name.
///
/// # Errors
/// Where a parameter gets no gradient at all.
pub fn reach_all(parameters: &Parameters, loss: &Tensor, may_be_zero: impl Fn(&str) -> bool) -> Result<()> {
    let grads = backward(loss)?;
    for (name, parameter) in parameters.trained() {
        let largest = grads.get(&parameter)?.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        assert!(largest.is_finite() && (largest > 0.0 || may_be_zero(&name)), "{name}: {largest}");
    }
    Ok(())
}
