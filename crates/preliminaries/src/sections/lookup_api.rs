//! 2.7 Documentation
//!
//! How to find what a library offers and what it promises, and how to try a promise.
//!
//! `cargo run --release -p preliminaries -- lookup-api`
//! At once: the functions of a module, then what candle's documentation claims beside what happens.

use std::any::type_name_of_val;
use std::panic::{AssertUnwindSafe, catch_unwind};

use d2l::prelude::*;

pub use super::ndarray::Config;
use super::ndarray::{refusal, share_storage};

/// The public functions at the top level of a source text, each with the first line of its documentation.
pub fn public_functions(source: &str) -> Vec<(&str, &str)> {
    let mut functions = Vec::new();
    let mut summary = None;
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            summary = summary.or(Some(text.trim()));
        } else if !line.starts_with("#[") {
            let name = line.strip_prefix("pub fn ").and_then(|rest| rest.split(['(', '<']).next());
            functions.extend(name.map(|name| (name, summary.unwrap_or_default())));
            summary = None;
        }
    }
    functions
}

/// What candle's documentation says of some functions, in short, and whether it was so when tried.
pub fn try_claims(device: &Device) -> Result<Vec<(&'static str, &'static str, bool)>> {
    let x = Tensor::arange(0f32, 6.0, device)?.reshape((2, 3))?; // (2, 3)
    let transposed = x.t()?; // (3, 2)
    let like = x.ones_like()?;
    Ok(vec![
        ("ones_like", "same shape and type", like.shape() == x.shape() && like.dtype() == x.dtype()),
        (
            "ones_like",
            "filled with ones",
            like.min_all()?.to_scalar::<f32>()? == 1.0 && like.max_all()?.to_scalar::<f32>()? == 1.0,
        ),
        ("reshape", "a view where the input is contiguous", share_storage(&x, &x.reshape((3, 2))?)),
        ("reshape", "otherwise a copy", !share_storage(&transposed, &transposed.reshape((2, 3))?)),
        ("contiguous", "the tensor itself where it is", share_storage(&x, &x.contiguous()?)),
        ("force_contiguous", "always a copy", !share_storage(&x, &x.force_contiguous()?)),
        ("to_scalar", "an error for several dimensions", x.to_scalar::<f32>().is_err()),
        ("mv", "panics where the argument is no vector", catch_unwind(AssertUnwindSafe(|| x.mv(&transposed))).is_err()),
    ])
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The functions of a module")?;
    for (name, summary) in public_functions(include_str!("probability.rs")) {
        nb.say(format!("{name}\n    {summary}"))?;
    }

    nb.cell("The type of a value")?;
    let x = Tensor::ones(4, DType::F32, nb.device())?;
    nb.show("x", type_name_of_val(&x))?;
    nb.show("x.dims()", type_name_of_val(x.dims()))?;
    nb.show("x.to_vec1::<f32>()", type_name_of_val(&x.to_vec1::<f32>()))?;

    nb.cell("The usage of a function")?;
    nb.show("Tensor::ones(4, DType::F32, device)", &x)?;

    nb.cell("Claims, and what happens")?;
    let mut table = Table::new(["function", "the documentation says", "so it is"]);
    for (function, claim, holds) in try_claims(nb.device())? {
        table.row([function.into(), claim.into(), if holds { "yes" } else { "no" }.into()]);
    }
    nb.say(table)?;

    nb.cell("Where the documentation is wrong")?;
    let matrix = Tensor::zeros((2, 3), DType::F32, nb.device())?;
    nb.say(format!("mv with a matrix: an error, {}", refusal(matrix.mv(&matrix))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_with_their_summaries() {
        let source = "/// One.\n/// More.\n#[inline]\npub fn a(x: f64) {\n    pub fn inner() {}\n}\n\nfn b() {}\n/// Lost.\n\npub fn c<T>() {}\n";
        assert_eq!(public_functions(source), [("a", "One."), ("c", "")]);
    }

    #[test]
    fn all_claims_hold_but_that_of_a_panic() -> Result<()> {
        let claims = try_claims(&Device::Cpu)?;
        let broken: Vec<_> = claims.iter().filter(|(_, _, holds)| !holds).map(|(function, ..)| *function).collect();
        assert_eq!(broken, ["mv"]);
        Ok(())
    }
}
