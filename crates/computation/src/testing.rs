//! What the sections' tests share.

use d2l::prelude::*;

/// An empty set of parameters on the CPU.
pub fn parameters(seed: u64) -> Parameters {
    Parameters::new(&Random::new(seed), &Device::Cpu)
}

/// Draws an input from the standard normal distribution.
pub fn normal(shape: (usize, usize)) -> Result<Tensor> {
    d2l::random::normal(&mut Random::new(3).stream(Purpose::Sampling, "test"), 0.0, 1.0, shape, &Device::Cpu)
}

/// Checks that each parameter gets a finite gradient that is not zero from the sum of the squares of `y`.
pub fn assert_trained(parameters: &Parameters, y: &Tensor) -> Result<()> {
    let grads = backward(&y.sqr()?.sum_all()?)?;
    for (name, variable) in parameters.named() {
        let size = grads.get(&variable)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(size.is_finite() && size > 0.0, "{name}: {size}");
    }
    Ok(())
}
