//! 2.1 Data Manipulation
//!
//! Tensors: making them, computing with them, reading and writing parts of them, and what of it copies memory.
//!
//! `cargo run --release -p preliminaries -- ndarray`
//! At once: sixteen cells of small tensors, the same as in the book but for the random ones.

use std::fmt::Debug;

use d2l::prelude::*;

/// This section has no settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// The address of a tensor's storage: equal for two tensors where they share the storage.
#[doc(alias = "id")]
pub fn storage_address(tensor: &Tensor) -> usize {
    let (storage, _) = tensor.storage_and_layout();
    std::ptr::from_ref(&*storage).addr()
}

/// Whether two tensors are views of one storage, so that a change of the storage shows in both.
pub fn share_storage(a: &Tensor, b: &Tensor) -> bool {
    storage_address(a) == storage_address(b)
}

/// What can be made from `x`, of shape `(3, 4)`: first what only reads it another way, then what copies it.
pub fn views_and_copies(x: &Tensor) -> Result<Vec<(&'static str, Tensor)>> {
    Ok(vec![
        ("x.clone()", x.clone()),
        ("x.reshape((4, 3))", x.reshape((4, 3))?),
        ("x.t()", x.t()?),
        ("x.i(1..3)", x.i(1..3)?),
        ("x.unsqueeze(0)", x.unsqueeze(0)?),
        ("x.broadcast_as((2, 3, 4))", x.broadcast_as((2, 3, 4))?),
        ("x.detach()", x.detach()),
        ("x.to_dtype(f32)", x.to_dtype(DType::F32)?),
        ("x.copy()", x.copy()?),
        ("x.t().contiguous()", x.t()?.contiguous()?),
        ("x.t().reshape((3, 4))", x.t()?.reshape((3, 4))?),
        ("x.i((.., [3, 0]))", x.i((.., vec![3, 0]))?),
        ("x.slice_assign(…)", x.slice_assign(&[1..2, 2..3], &x.i((0..1, 0..1))?)?),
        ("x + 0", (x + 0.0)?),
        ("x.to_dtype(u32)", x.to_dtype(DType::U32)?),
    ])
}

/// The number in a tensor of one element, whatever its shape and type.
#[doc(alias = "item")]
pub fn number(tensor: &Tensor) -> Result<f64> {
    // Not every GPU has 64-bit floats.
    tensor.to_device(&Device::Cpu)?.reshape(())?.to_dtype(DType::F64)?.to_scalar()
}

/// What an operation that must fail says, without the stack that `RUST_BACKTRACE` adds.
pub fn refusal<T: Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("no error, but {value:?}"),
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A vector of numbers in order")?;
    let device = nb.device().clone();
    let x = Tensor::arange(0f32, 12.0, &device)?; // (12)
    nb.show("x", &x)?;

    nb.cell("Shape and number of elements")?;
    nb.say(format!("shape {:?}, {} elements, type {}", x.shape(), x.elem_count(), x.dtype().as_str()))?;

    nb.cell("Another shape")?;
    let matrix = x.reshape((3, 4))?; // (3, 4)
    nb.show("matrix", &matrix)?;
    nb.say(format!(
        "one length left to candle: {:?} and {:?}",
        x.reshape(((), 4))?.dims(),
        x.reshape((3, ()))?.dims()
    ))?;
    nb.say(format!("a shape that does not fit: {}", refusal(x.reshape((5, 2)))))?;

    nb.cell("Zeros, ones, random numbers, given numbers")?;
    nb.show("zeros", Tensor::zeros((2, 3, 4), DType::F32, &device)?)?;
    nb.show("ones", Tensor::ones((2, 3, 4), DType::F32, &device)?)?;
    let random = nb.normal((3, 4))?;
    nb.show("from N(0, 1)", random)?;
    nb.show("given", Tensor::new(&[[2f32, 1.0, 4.0, 3.0], [1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], &device)?)?;

    nb.cell("Arithmetic, element by element")?;
    let x = Tensor::new(&[1f32, 2.0, 4.0, 8.0], &device)?;
    let y = Tensor::full(2f32, 4, &device)?;
    nb.show("x + y", (&x + &y)?)?;
    nb.show("x - y", (&x - &y)?)?;
    nb.show("x * y", (&x * &y)?)?;
    nb.show("x / y", (&x / &y)?)?;
    nb.show("x to the power of y", x.pow(&y)?)?;
    nb.show("exp(x)", x.exp()?)?;

    nb.cell("Types do not mix")?;
    let counts = Tensor::new(&[1u32, 2, 4, 8], &device)?;
    nb.say(format!("f32 + u32: {}", refusal(&x + &counts)))?;
    nb.show("x + counts as f32", (&x + counts.to_dtype(DType::F32)?)?)?;

    nb.cell("Concatenation")?;
    let x = Tensor::arange(0f32, 12.0, &device)?.reshape((3, 4))?;
    let y = Tensor::new(&[[2f32, 1.0, 4.0, 3.0], [1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], &device)?;
    nb.show("below each other", Tensor::cat(&[&x, &y], 0)?)?; // (6, 4)
    nb.show("side by side", Tensor::cat(&[&x, &y], 1)?)?; // (3, 8)

    nb.cell("Comparison and sum")?;
    nb.show("x equals y", x.eq(&y)?)?;
    nb.show("x less than 5", x.lt(5.0)?)?;
    nb.show("sum of x", x.sum_all()?)?;

    nb.cell("Broadcasting")?;
    let a = Tensor::arange(0f32, 3.0, &device)?.reshape((3, 1))?;
    let b = Tensor::arange(0f32, 2.0, &device)?.reshape((1, 2))?;
    nb.show("a", &a)?; // (3, 1)
    nb.show("b", &b)?; // (1, 2)
    nb.say(format!("a + b: {}", refusal(&a + &b)))?;
    nb.show("a.broadcast_add(b)", a.broadcast_add(&b)?)?; // (3, 2)

    nb.cell("Reading parts")?;
    nb.show("last row", x.i(x.dim(0)? - 1)?)?;
    nb.show("rows 1 and 2", x.i(1..3)?)?;
    nb.show("columns 0 and 1 of row 0", x.i((0, ..2))?)?;
    nb.show("row 1, column 2", x.i((1, 2))?)?;
    nb.show("columns 3 and 0", x.i((.., vec![3, 0]))?)?;
    nb.say(format!("row 3 of 3: {}", refusal(x.i(3))))?;

    nb.cell("Writing to parts")?;
    let nine = Tensor::full(9f32, (1, 1), &device)?;
    let changed = x.slice_assign(&[1..2, 2..3], &nine)?;
    nb.show("row 1, column 2 set to 9", &changed)?;
    let twelves = Tensor::full(12f32, (2, 4), &device)?;
    nb.show("rows 0 and 1 set to 12", changed.slice_assign(&[0..2, 0..4], &twelves)?)?;
    nb.show("x, as it was", &x)?;
    let written = x.copy()?;
    written.slice_set(&Tensor::full(9f32, (1, 4), &device)?, 0, 1)?; // in place, from row 1 on
    nb.show("a copy of it, written to", &written)?;

    nb.cell("What shares memory and what copies")?;
    let mut table = Table::new(["made from x", "storage"]);
    for (name, tensor) in views_and_copies(&x)? {
        table.row([name.into(), if share_storage(&x, &tensor) { "shared" } else { "its own" }.into()]);
    }
    nb.say(table)?;

    nb.cell("A new name for a new result")?;
    let mut sum = y.clone();
    let before = storage_address(&sum);
    sum = (&sum + &x)?;
    nb.show("the same storage after sum = sum + x", storage_address(&sum) == before)?;

    nb.cell("A variable keeps its storage")?;
    let z = Var::zeros((3, 4), DType::F32, &device)?;
    let before = storage_address(&z);
    let view = z.as_detached_tensor().flatten_all()?; // (12)
    z.set(&(&x + &y)?)?;
    nb.show("the same storage after z.set(x + y)", storage_address(&z) == before)?;
    nb.show("a view made before", view)?;
    z.set(&(z.as_tensor() + &y)?)?; // Python's z += y
    nb.show("the same storage after z.set(z + y)", storage_address(&z) == before)?;

    nb.cell("To vectors and slices, and back")?;
    let rows: Vec<Vec<f32>> = x.to_vec2()?;
    nb.say(format!("Vec of rows: {rows:?}"))?;
    let numbers: Vec<f32> = x.flatten_all()?.to_vec1()?;
    let squares: Vec<f32> = numbers[4..10].iter().map(|number| number * number).collect();
    nb.show("from a slice", Tensor::from_slice(&squares[..4], (2, 2), &device)?)?;
    nb.show("from a Vec", Tensor::from_vec(squares, (2, 3), &device)?)?;

    nb.cell("To a number")?;
    let a = Tensor::new(&[3.5f32], &device)?; // (1)
    nb.say(format!("with its axis: {}", refusal(a.to_scalar::<f32>())))?;
    nb.say(format!("of another type: {}", refusal(a.get(0)?.to_scalar::<f64>())))?;
    let value = a.get(0)?.to_scalar::<f32>()?;
    nb.say(format!("{value}, as an integer {}, with number(&a) {}", value as i64, number(&a)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_share_and_copies_do_not() -> Result<()> {
        let x = Tensor::arange(0f32, 6.0, &Device::Cpu)?;
        assert!(share_storage(&x, &x.reshape((2, 3))?));
        assert!(!share_storage(&x, &x.copy()?));
        Ok(())
    }

    #[test]
    fn writing_to_a_part_leaves_the_rest_and_the_original() -> Result<()> {
        let x = Tensor::zeros((2, 2), DType::F32, &Device::Cpu)?;
        let changed = x.slice_assign(&[1..2, 0..1], &Tensor::full(9f32, (1, 1), &Device::Cpu)?)?;
        assert_eq!(changed.to_vec2::<f32>()?, [[0.0, 0.0], [9.0, 0.0]]);
        assert_eq!(x.to_vec2::<f32>()?, [[0.0; 2]; 2]);
        Ok(())
    }

    #[test]
    fn one_element_is_a_number_and_two_are_not() -> Result<()> {
        assert_eq!(number(&Tensor::full(3.5f32, (1, 1, 1), &Device::Cpu)?)?, 3.5);
        assert_eq!(number(&Tensor::new(7u8, &Device::Cpu)?)?, 7.0);
        assert!(number(&Tensor::new(&[1f32, 2.0], &Device::Cpu)?).is_err());
        Ok(())
    }

    #[test]
    fn a_refusal_is_one_line_and_success_is_told() -> Result<()> {
        let x = Tensor::zeros((3, 4), DType::F32, &Device::Cpu)?;
        let message = refusal(x.reshape((5, 2)));
        assert!(message.starts_with("Shape mismatch") && !message.contains('\n'), "{message}");
        assert!(refusal(x.reshape(12)).starts_with("no error"));
        Ok(())
    }
}
