//! Values and gradients that another framework computed, kept as safetensors in `tests/reference`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::support::assert_close;

/// The tensors of one file, named `case.tensor`.
pub struct Reference(HashMap<String, Tensor>);

impl Reference {
    /// Reads `tests/reference/<name>.safetensors`.
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reference/{name}.safetensors"));
        Self(candle_core::safetensors::load(path, &Device::Cpu).expect("the reference file"))
    }

    /// One tensor of a case.
    pub fn get(&self, case: &str, name: &str) -> &Tensor {
        let name = format!("{case}.{name}");
        self.0.get(&name).unwrap_or_else(|| panic!("no {name} in the reference file"))
    }

    /// Holds the result of `f` on a case's inputs and the gradients of `sum(y · seed)` against the recorded ones.
    pub fn check(&self, case: &str, inputs: &[&str], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
        self.check_in(DType::F64, 1e-10, case, inputs, f);
    }

    /// [`Reference::check`] in `f64`, in `f32`, and in `f16`, which no kernel serves, so that it is composed of candle's
    /// operations as on other devices.
    pub fn check_all_types(&self, case: &str, inputs: &[&str], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 2e-5), (DType::F16, 0.03)] {
            self.check_in(dtype, tolerance, case, inputs, &f);
        }
    }

    /// [`Reference::check`] with the inputs in `dtype` and another tolerance.
    pub fn check_in(
        &self,
        dtype: DType,
        tolerance: f64,
        case: &str,
        inputs: &[&str],
        f: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) {
        println!("case {case} in {dtype:?}");
        let var = |name: &&str| Var::from_tensor(&self.get(case, name).to_dtype(dtype)?);
        let vars: Vec<Var> = inputs.iter().map(var).collect::<Result<_>>().expect("float tensors");
        let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let y = f(&tensors).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_close(&y, self.get(case, "y"), tolerance);
        let seed = self.get(case, "seed").to_dtype(dtype);
        let grads = seed.and_then(|seed| (y * seed)?.sum_all()?.backward()).expect("the backward pass");
        for (name, var) in inputs.iter().zip(&vars) {
            let grad = grads.get(var).unwrap_or_else(|| panic!("{case}: {name} got no gradient"));
            assert_close(grad, self.get(case, &format!("grad_{name}")), tolerance);
        }
    }
}

/// Holds the result and the gradients of `f` in half precision, which no kernel serves, so that it is composed of
/// candle's operations as on other devices, against those of the kernels in double precision.
pub fn check_composition(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let run = |dtype| -> Result<Vec<Tensor>> {
        let half = inputs.iter().map(|t| t.to_dtype(candle_core::DType::F16)?.to_dtype(dtype));
        let vars = half.map(|t| Var::from_tensor(&t?)).collect::<Result<Vec<_>>>()?;
        let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let y = f(&tensors)?;
        let grads = y.backward()?;
        let grads = vars.iter().map(|var| grads.get(var).expect("a gradient for each input").clone());
        Ok(std::iter::once(y.detach()).chain(grads).collect())
    };
    let composed = run(candle_core::DType::F16).expect("the composition");
    let kernels = run(candle_core::DType::F64).expect("the kernels");
    for (composed, kernel) in composed.iter().zip(&kernels) {
        assert_eq!(composed.dtype(), candle_core::DType::F16);
        assert_close(composed, kernel, 0.03);
    }
}
