//! 4.1 Multilayer Perceptrons
//!
//! Why a hidden layer needs an activation function, and four such functions with their gradients.
//!
//! `cargo run --release -p mlp -- mlp`
//! At once: two linear layers equal one to six digits; the sigmoid's slope is never above 0.25, the others' reach 1.

use d2l::notebook::finite;
use d2l::ops::{relu, sigmoid, tanh};
use d2l::plot::Panels;
use d2l::prelude::*;

/// Settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// The slope of pReLU below zero
    #[arg(long, default_value_t = 0.25, value_parser = finite)]
    pub alpha: f64,
}

defaults! { Config }

/// The parametrized ReLU, `max(0, x) + α min(0, x)`, whose slope `alpha` (a scalar) can be learned.
pub fn prelu(x: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    let positive = relu(x)?;
    let negative = (x - &positive)?; // min(0, x)
    positive + negative.broadcast_mul(alpha)?
}

/// The derivative of an elementwise function at each of `x`, by autograd.
pub fn derivative(function: impl Fn(&Tensor) -> Result<Tensor>, x: &Tensor) -> Result<Tensor> {
    let x = Var::from_tensor(x)?;
    // Each element depends on its own input alone, so the gradient of the sum holds the derivatives.
    let grads = backward(&function(&x)?.sum_all()?)?;
    grads.get(&x).cloned()
}

/// Draws a function and its derivative side by side, and gives the derivative's largest value.
fn draw(
    nb: &mut Notebook,
    name: &str,
    function: impl Fn(&Tensor) -> Result<Tensor>,
    x: &Tensor,
) -> anyhow::Result<f64> {
    let (y, slope) = (function(x)?.to_vec1::<f32>()?, derivative(function, x)?.to_vec1::<f32>()?);
    let x = x.to_vec1::<f32>()?;
    let chart = |label: &str, y: &[f32]| Chart::new().size(400, 270).x_label("x").y_label(label).unlabeled_line(&x, y);
    let panels = Panels::new(2, [chart(&format!("{name}(x)"), &y), chart(&format!("gradient of {name}"), &slope)]);
    nb.figure(&name.to_lowercase(), &format!("{name} on the left, its gradient on the right"), panels)?;
    Ok(f64::from(slope.iter().copied().fold(f32::NEG_INFINITY, f32::max)))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Two linear layers are one")?;
    let x = nb.normal((5, 4))?;
    let (w1, b1) = (nb.normal((4, 3))?, nb.normal(3)?);
    let (w2, b2) = (nb.normal((3, 2))?, nb.normal(2)?);
    let hidden = x.matmul(&w1)?.broadcast_add(&b1)?; // (5, 4) -> (5, 3)
    let two_layers = hidden.matmul(&w2)?.broadcast_add(&b2)?; // (5, 3) -> (5, 2)
    let (w, b) = (w1.matmul(&w2)?, (b1.unsqueeze(0)?.matmul(&w2)?.squeeze(0)? + &b2)?); // (4, 2), (2)
    let one_layer = x.matmul(&w)?.broadcast_add(&b)?; // (5, 4) -> (5, 2)
    let difference = (&two_layers - &one_layer)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.say(format!("two linear layers against one: largest difference {difference:.0e}"))?;
    nb.metric("linear_difference", f64::from(difference))?;
    let with_relu = relu(&hidden)?.matmul(&w2)?.broadcast_add(&b2)?;
    let difference = (with_relu - one_layer)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.say(format!("with ReLU between them: {difference:.2}"))?;

    nb.cell("ReLU")?;
    let points: Vec<f32> = (-80..=80).map(|i| i as f32 / 10.0).collect();
    let x = Tensor::new(points, nb.device())?;
    draw(nb, "ReLU", relu, &x)?;
    nb.show("gradient at 0", derivative(relu, &x.narrow(0, 80, 1)?)?)?;

    nb.cell("pReLU")?;
    let alpha = Var::new(config.alpha as f32, nb.device())?;
    draw(nb, "pReLU", |x| prelu(x, &alpha), &x)?;
    let grads = backward(&prelu(&x, &alpha)?.sum_all()?)?;
    nb.show("gradient for alpha, the sum of the negative x", grads.get(&alpha)?.to_scalar::<f32>()?)?;

    nb.cell("Sigmoid")?;
    let largest = draw(nb, "sigmoid", sigmoid, &x)?;
    nb.say(format!("largest gradient {largest:.4}, at 0"))?;
    nb.metric("sigmoid_gradient", largest)?;

    nb.cell("Tanh")?;
    let largest = draw(nb, "tanh", tanh, &x)?;
    nb.say(format!("largest gradient {largest:.4}, at 0"))?;
    nb.metric("tanh_gradient", largest)?;

    nb.cell("Tanh is a sigmoid")?;
    let from_sigmoid = ((sigmoid(&(&x * 2.0)?)? * 2.0)? - 1.0)?;
    let difference = (tanh(&x)? - from_sigmoid)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.say(format!("tanh(x) against 2 sigmoid(2x) - 1: largest difference {difference:.0e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prelu_scales_what_is_negative() -> Result<()> {
        let x = Tensor::new(&[-4f32, 0.0, 3.0], &Device::Cpu)?;
        let alpha = Tensor::new(0.25f32, &Device::Cpu)?;
        assert_eq!(prelu(&x, &alpha)?.to_vec1::<f32>()?, [-1.0, 0.0, 3.0]);
        Ok(())
    }

    #[test]
    fn derivatives_are_those_of_the_formulas() -> anyhow::Result<()> {
        let points = [-2f32, -0.5, 0.5, 3.0];
        let x = Tensor::new(&points, &Device::Cpu)?;
        let alpha = Tensor::new(0.1f32, &Device::Cpu)?;
        let close = |got: Tensor, wanted: fn(f32) -> f32| -> anyhow::Result<()> {
            for (got, x) in got.to_vec1::<f32>()?.into_iter().zip(points) {
                assert!((got - wanted(x)).abs() < 1e-6, "{got} at {x}, wanted {}", wanted(x));
            }
            Ok(())
        };
        close(derivative(relu, &x)?, |x| if x > 0.0 { 1.0 } else { 0.0 })?;
        close(derivative(|x| prelu(x, &alpha), &x)?, |x| if x > 0.0 { 1.0 } else { 0.1 })?;
        close(derivative(sigmoid, &x)?, |x| (-x).exp() / (1.0 + (-x).exp()).powi(2))?;
        close(derivative(tanh, &x)?, |x| 1.0 - x.tanh().powi(2))?;
        let at_zero = derivative(|x| prelu(x, &alpha), &Tensor::zeros(1, DType::F32, &Device::Cpu)?)?;
        assert_eq!(at_zero.to_vec1::<f32>()?, [0.1]);
        Ok(())
    }
}
