//! 5.4 Custom Layers
//!
//! Layers of one's own, without parameters and with them.
//!
//! `cargo run --release -p computation -- custom-layer`
//! Less than a second. The mean of what the centering layer returns is zero, to rounding.

use d2l::nn::{Linear, init};
use d2l::ops::{self, relu};
use d2l::prelude::*;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs in the batch of the centered net
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub batch_size: usize,
}

defaults! { Config }

/// Subtracts the mean of all elements.
#[doc(alias = "CenteredLayer")]
#[derive(Debug, Clone, Copy)]
pub struct Centered;

impl Module for Centered {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.broadcast_sub(&x.mean_all()?)
    }
}

/// A linear layer with a relu, its weight laid out as `(inputs, outputs)` as in the book's formula.
#[doc(alias = "MyLinear")]
#[doc(alias = "MyDense")]
#[derive(Debug, Clone)]
pub struct ReluLinear {
    weight: Tensor,
    bias: Tensor,
}

impl ReluLinear {
    /// A layer with `weight` of `(inputs, outputs)` and `bias` of `(outputs)`, both from the standard normal
    /// distribution.
    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints((inputs, outputs), "weight", init::normal(1.0))?;
        let bias = vb.get_with_hints(outputs, "bias", init::normal(1.0))?;
        Ok(Self { weight, bias })
    }

    /// The weight, `(inputs, outputs)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

impl Module for ReluLinear {
    /// From `(batch, inputs)` to `(batch, outputs)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let scores = ops::matmul(x, &self.weight)?.broadcast_add(&self.bias)?; // (batch, outputs)
        relu(&scores)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A layer without parameters")?;
    let x = Tensor::new(&[1f32, 2.0, 3.0, 4.0, 5.0], nb.device())?;
    nb.show("centered", Centered.forward(&x)?)?;

    nb.cell("As part of a net")?;
    let vb = nb.parameters().builder();
    let net = Sequential::with_parameters(&vb).layer("0", |vb| Linear::new(8, 128, vb))?.add(Centered);
    let x = nb.uniform((config.batch_size, 8))?; // (batch, 8)
    let mean = net.forward_t(&x, false)?.mean_all()?; // (batch, 128) -> ()
    nb.show("mean of net(x)", &mean)?;
    nb.metric("mean_after_centering", f64::from(mean.abs()?.to_scalar::<f32>()?))?;

    nb.cell("A layer with parameters")?;
    let layer = ReluLinear::new(5, 3, &nb.parameters().builder())?;
    nb.show("weight", layer.weight())?; // (5, 3)

    nb.cell("Its forward pass")?;
    let x = nb.normal((2, 5))?; // (2, 5)
    nb.show("layer(x)", layer.forward(&x)?)?; // (2, 3)

    nb.cell("A net of such layers")?;
    let net = Sequential::with_parameters(&nb.parameters().builder())
        .layer("0", |vb| ReluLinear::new(64, 8, vb))?
        .layer("1", |vb| ReluLinear::new(8, 1, vb))?;
    let x = nb.normal((2, 64))?; // (2, 64)
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (2, 1)
    nb.say(net.summary((2, 64), nb.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trained, normal, parameters};

    #[test]
    fn centering_leaves_differences_and_takes_the_mean() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.0], [3.0, 6.0]], &Device::Cpu)?;
        assert_eq!(Centered.forward(&x)?.to_vec2::<f32>()?, [[-2.0, -1.0], [0.0, 3.0]]);
        // A shift of all elements changes nothing, so the gradient of any output sums to zero.
        let x = Var::from_tensor(&x)?;
        let grads = backward(&Centered.forward(&x)?.get(0)?.get(1)?)?;
        assert_eq!(grads.get(&x)?.to_vec2::<f32>()?, [[-0.25, 0.75], [-0.25, -0.25]]);
        Ok(())
    }

    #[test]
    fn the_layer_with_parameters_is_a_linear_layer_and_a_relu() -> Result<()> {
        let parameters = parameters(2);
        let layer = ReluLinear::new(5, 3, &parameters.builder())?;
        let x = normal((40, 5))?;
        let y = layer.forward(&x)?;
        let expected = relu(&ops::linear(&x, &layer.weight().t()?.contiguous()?, Some(&layer.bias))?)?;
        let difference = (&y - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-5, "{difference}");
        assert_trained(&parameters, &y)?;
        assert!(layer.forward(&x.narrow(1, 0, 4)?).is_err());
        Ok(())
    }
}
