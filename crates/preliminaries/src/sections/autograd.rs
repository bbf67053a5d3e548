//! 2.5 Automatic Differentiation
//!
//! Gradients by candle's autograd: of scalars, of vectors, with parts held constant, through loops and branches.
//!
//! `cargo run --release -p preliminaries -- autograd`
//! At once: each gradient is what the formula says.

use anyhow::ensure;
use d2l::plot::plot;
use d2l::prelude::*;

pub use super::ndarray::Config;
use super::ndarray::{number, refusal};

/// Whether all elements are equal.
pub fn all_equal(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.eq(b)?.min_all()?.to_scalar::<u8>()? == 1)
}

/// The book's function with a loop and a branch: it doubles a tensor until its norm is large. In each piece it is a
/// constant times `a`.
///
/// # Errors
/// Where the norm is 0 or not finite, which no doubling makes large.
pub fn control_flow(a: &Tensor) -> anyhow::Result<Tensor> {
    let norm = |x: &Tensor| number(&x.sqr()?.sum_all()?.sqrt()?);
    let start = norm(a)?;
    ensure!(start != 0.0 && start.is_finite(), "the norm of a must be finite and not 0, not {start}");
    let mut b = (a * 2.0)?;
    while norm(&b)? < 1000.0 {
        b = (b * 2.0)?;
    }
    Ok(if number(&b.sum_all()?)? > 0.0 { b } else { (b * 100.0)? })
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A variable")?;
    let device = nb.device().clone();
    let x = Var::from_tensor(&Tensor::arange(0f32, 4.0, &device)?)?; // (4)
    nb.show("x", &x)?;
    let nothing_of_x = Tensor::new(1f32, &device)?;
    nb.say(format!("a gradient before there is a function of x: {}", refusal(backward(&nothing_of_x)?.get(&x))))?;

    nb.cell("A function of it")?;
    let y = (x.dot(&x)? * 2.0)?; // ()
    nb.say(format!("y = {}, tracked by autograd: {}", number(&y)?, y.track_op()))?;

    nb.cell("Its gradient")?;
    let grads = backward(&y)?;
    nb.show("gradient", grads.get(&x)?)?; // (4)
    nb.show("equals 4x", all_equal(grads.get(&x)?, &(x.as_tensor() * 4.0)?)?)?;

    nb.cell("Another function, and no zeroing between")?;
    nb.show("gradient of the sum", backward(&x.sum_all()?)?.get(&x)?)?;
    nb.show("the first gradient is still there", grads.get(&x)?)?;

    nb.cell("Backward for non-scalar variables")?;
    let y = (x.as_tensor() * x.as_tensor())?; // (4)
    nb.show("gradient of the summed y", backward(&y.sum_all()?)?.get(&x)?)?;
    nb.show("backward from y itself", backward(&y)?.get(&x)?)?;
    let weights = Tensor::new(&[1f32, 0.0, 0.5, -1.0], &device)?;
    nb.show("the elements of y weighted", backward(&(&y * weights)?.sum_all()?)?.get(&x)?)?;

    nb.cell("Detaching computation")?;
    let u = y.detach(); // the values of y, without where they came from
    let z = (&u * x.as_tensor())?;
    let grads = backward(&z.sum_all()?)?;
    nb.show("gradient of u * x", grads.get(&x)?)?;
    nb.show("equals u", all_equal(grads.get(&x)?, &u)?)?;

    nb.cell("What was detached still has its graph")?;
    let grads = backward(&y.sum_all()?)?;
    nb.show("gradient of y equals 2x", all_equal(grads.get(&x)?, &(x.as_tensor() * 2.0)?)?)?;

    nb.cell("The gradient of Rust control flow")?;
    let a = Var::from_tensor(&nb.normal(())?)?; // ()
    let d = control_flow(&a)?;
    let grads = backward(&d)?;
    nb.say(format!("a = {}, d = {}", number(&a)?, number(&d)?))?;
    nb.say(format!("gradient {}, d / a = {}", number(grads.get(&a)?)?, number(&(&d / a.as_tensor())?)?))?;
    if let Err(error) = control_flow(&Tensor::new(0f32, &device)?) {
        nb.say(format!("at 0: {error}"))?;
    }

    nb.cell("The same with a vector")?;
    let a = Var::from_tensor(&nb.normal(3)?)?; // (3)
    let d = control_flow(&a)?;
    nb.show("gradient", backward(&d.sum_all()?)?.get(&a)?)?;
    nb.show("d / a", (&d / a.as_tensor())?)?;

    nb.cell("A sine and its derivative")?;
    let points: Vec<f32> = (-60..=60).map(|i| i as f32 / 10.0).collect();
    let x = Var::new(points.as_slice(), &device)?; // (121)
    let y = x.sin()?;
    let grads = backward(&y.sum_all()?)?;
    let slope = grads.get(&x)?;
    let error = (slope - x.cos()?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    let (sine, slope) = (y.to_vec1::<f32>()?, slope.to_vec1::<f32>()?);
    let chart = plot(&points, [("sin(x)", &sine[..]), ("its derivative", &slope)]).x_label("x").y_range(-1.1..1.7);
    nb.figure("sine", "The sine and its derivative by autograd, which is the cosine", chart)?;

    nb.cell("No derivative of a derivative")?;
    let x = Var::new(2f32, &device)?;
    let first = backward(&x.sqr()?.sqr()?)?; // 4x³
    let second = backward(first.get(&x)?)?;
    nb.say(format!("first derivative of x⁴ at 2: {}", number(first.get(&x)?)?))?;
    nb.say(format!("backward from it: {}, but the second derivative is 48", number(second.get(&x)?)?))?;
    nb.metric("sine_error", f64::from(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_what_the_formulas_say() -> anyhow::Result<()> {
        let x = Var::new(&[1f64, -2.0, 3.0], &Device::Cpu)?;
        let y = (x.dot(&x)? * 2.0)?;
        assert_eq!(backward(&y)?.get(&x)?.to_vec1::<f64>()?, [4.0, -8.0, 12.0]);
        let other = Var::new(1f64, &Device::Cpu)?;
        assert!(refusal(backward(&y)?.get(&other)).contains("does not depend on this tensor"));
        Ok(())
    }

    #[test]
    fn control_flow_is_a_constant_times_its_input() -> anyhow::Result<()> {
        // 2 · 2⁹ is the first power of two above 1000; below zero it is taken a hundred times.
        for (a, factor) in [(1.0, 1024.0), (-1.0, 102_400.0), (600.0, 2.0), (-0.25, 4096.0 * 100.0)] {
            let a = Var::new(a, &Device::Cpu)?;
            let d = control_flow(&a)?;
            assert_eq!(backward(&d)?.get(&a)?.to_scalar::<f64>()?, factor);
            assert_eq!(d.to_scalar::<f64>()?, factor * a.to_scalar::<f64>()?);
        }
        Ok(())
    }

    #[test]
    fn control_flow_takes_vectors_by_their_norm() -> anyhow::Result<()> {
        // The norm 5 is doubled eight times; a sum below zero is taken a hundred times.
        for (a, factor) in [([3.0, 4.0], 256.0), ([3.0, -4.0], 25_600.0)] {
            let a = Var::new(&a, &Device::Cpu)?;
            let d = control_flow(&a)?;
            assert_eq!(backward(&d.sum_all()?)?.get(&a)?.to_vec1::<f64>()?, [factor; 2]);
        }
        Ok(())
    }

    #[test]
    fn control_flow_refuses_what_never_grows() -> anyhow::Result<()> {
        for a in [0f32, f32::NAN, f32::INFINITY] {
            let message = control_flow(&Tensor::new(a, &Device::Cpu)?).expect_err("no end").to_string();
            assert!(message.contains("must be finite and not 0"), "{message}");
        }
        Ok(())
    }
}
