//! 5.1 Layers and Blocks
//!
//! Nets from layers: a ready-made chain, a block of one's own, a chain of one's own, control flow in a forward pass,
//! and blocks inside blocks.
//!
//! `cargo run --release -p computation -- model-construction`
//! Less than a second. Each net turns two inputs of 20 features into two outputs; the last two return one number.

use d2l::nn::Linear;
use d2l::ops::{self, relu};
use d2l::prelude::*;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs in the batch
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub batch_size: usize,
}

defaults! { Config }

/// A multilayer perceptron from 20 features over 256 hidden units to 10 outputs.
#[doc(alias = "MLP")]
#[derive(Debug, Clone)]
pub struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Mlp {
    /// The layers, with their parameters under `hidden` and `output`.
    pub fn new(vb: &VarBuilder) -> Result<Self> {
        Ok(Self { hidden: Linear::new(20, 256, &vb.pp("hidden"))?, output: Linear::new(256, 10, &vb.pp("output"))? })
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = relu(&self.hidden.forward(x)?)?; // (batch, 20) -> (batch, 256)
        self.output.forward(&hidden) // (batch, 10)
    }
}

/// Layers that are applied in the order in which they were added: what `Sequential` does at its core.
#[doc(alias = "MySequential")]
#[derive(Default)]
pub struct Chain {
    layers: Vec<Box<dyn ModuleT>>,
}

impl Chain {
    /// Appends a layer.
    pub fn with(mut self, layer: impl ModuleT + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }
}

impl ModuleT for Chain {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward_t(&x, train)?;
        }
        Ok(x)
    }
}

/// A net with a constant matrix, one layer applied twice, and a loop over its own result.
#[doc(alias = "FixedHiddenMLP")]
#[derive(Debug, Clone)]
pub struct FixedHidden {
    constant: Tensor,
    linear: Linear,
}

impl FixedHidden {
    /// `constant` of `(20, 20)` is no parameter: it comes from no builder, so no optimizer finds it.
    pub fn new(constant: Tensor, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { constant, linear: Linear::new(20, 20, &vb.pp("linear"))? })
    }
}

impl Module for FixedHidden {
    /// From `(batch, 20)` to one number.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.linear.forward(x)?; // (batch, 20)
        let x = relu(&(ops::matmul(&x, &self.constant)? + 1.0)?)?; // (batch, 20)
        let mut x = self.linear.forward(&x)?; // (batch, 20), by the same parameters as above
        while x.abs()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? > 1.0 {
            x = (x / 2.0)?;
        }
        x.sum_all() // ()
    }
}

/// A chain in a block.
#[doc(alias = "NestMLP")]
pub struct Nested {
    net: Sequential,
    linear: Linear,
}

impl Nested {
    /// The layers, with their parameters under `net.0`, `net.2` and `linear`.
    pub fn new(vb: &VarBuilder) -> Result<Self> {
        let net = Sequential::with_parameters(&vb.pp("net"))
            .layer("0", |vb| Linear::new(20, 64, vb))?
            .add(relu)
            .layer("2", |vb| Linear::new(64, 32, vb))?
            .add(relu);
        Ok(Self { net, linear: Linear::new(32, 16, &vb.pp("linear"))? })
    }
}

impl ModuleT for Nested {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.linear.forward(&self.net.forward_t(x, train)?) // (batch, 20) -> (batch, 32) -> (batch, 16)
    }
}

/// The names and shapes of the parameters that there are, one a line.
pub fn listed(parameters: &Parameters) -> String {
    let lines: Vec<_> = parameters.named().iter().map(|(name, var)| format!("{name} {:?}", var.dims())).collect();
    if lines.is_empty() { "no parameters yet".into() } else { lines.join("\n") }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A net from ready layers")?;
    let x = nb.uniform((config.batch_size, 20))?; // (batch, 20)
    let net = Sequential::with_parameters(&nb.parameters().builder())
        .layer("0", |vb| Linear::new(20, 256, vb))?
        .add(relu)
        .layer("2", |vb| Linear::new(256, 10, vb))?;
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (batch, 10)
    nb.say(net.summary(x.shape(), nb.device())?)?;

    nb.cell("A custom block")?;
    let parameters = nb.parameters();
    let net = Mlp::new(&parameters.builder())?;
    nb.show("net(x)", net.forward(&x)?)?; // (batch, 10)
    nb.say(listed(&parameters))?;

    nb.cell("The sequential block")?;
    let vb = nb.parameters().builder();
    let net =
        Chain::default().with(Linear::new(20, 256, &vb.pp("0"))?).with(relu).with(Linear::new(256, 10, &vb.pp("2"))?);
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (batch, 10)

    nb.cell("Code in the forward pass")?;
    let parameters = nb.parameters();
    let constant = nb.uniform((20, 20))?;
    let net = FixedHidden::new(constant, &parameters.builder())?;
    let y = net.forward(&x)?;
    nb.show("net(x)", &y)?;
    nb.say(listed(&parameters))?;
    let grads = backward(&y)?;
    nb.show("weight gets a gradient", grads.find(net.linear.weight()).is_some())?;
    nb.show("the constant gets one", grads.find(&net.constant).is_some())?;

    nb.cell("Blocks inside blocks")?;
    let parameters = nb.parameters();
    let constant = nb.uniform((20, 20))?;
    let chimera = Sequential::with_parameters(&parameters.builder())
        .layer("nested", Nested::new)?
        .layer("linear", |vb| Linear::new(16, 20, vb))?
        .layer("fixed", |vb| FixedHidden::new(constant, vb))?;
    nb.show("chimera(x)", chimera.forward_t(&x, false)?)?; // ()
    nb.say(chimera.summary(x.shape(), nb.device())?)?;
    nb.say(listed(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trained, normal, parameters};

    #[test]
    fn a_block_and_a_chain_of_the_same_layers_agree() -> Result<()> {
        let (parameters, x) = (parameters(3), normal((2, 20))?);
        let mlp = Mlp::new(&parameters.builder())?;
        let chain = Chain::default().with(mlp.hidden.clone()).with(relu).with(mlp.output.clone());
        let sequential = Sequential::new().add(mlp.hidden.clone()).add(relu).add(mlp.output.clone());
        let y = mlp.forward(&x)?;
        assert_eq!(y.dims(), [2, 10]);
        assert_eq!(y.to_vec2::<f32>()?, chain.forward_t(&x, true)?.to_vec2::<f32>()?);
        assert_eq!(y.to_vec2::<f32>()?, sequential.forward_t(&x, true)?.to_vec2::<f32>()?);
        assert_trained(&parameters, &y)
    }

    #[test]
    fn the_loop_brings_the_result_below_one_and_gradients_pass_through_it() -> Result<()> {
        let parameters = parameters(3);
        let net = FixedHidden::new(normal((20, 20))?.abs()?, &parameters.builder())?;
        let y = net.forward(&(normal((2, 20))? * 100.0)?)?;
        assert!(y.to_scalar::<f32>()?.abs() <= 1.0);
        assert_eq!(parameters.count(), 20 * 20 + 20, "one layer's parameters, used twice");
        assert_trained(&parameters, &y)?;
        assert!(backward(&y)?.get(&net.constant).is_err());
        Ok(())
    }

    #[test]
    fn blocks_nest() -> Result<()> {
        let (parameters, x) = (parameters(3), normal((2, 20))?);
        let net = Nested::new(&parameters.builder())?;
        let y = net.forward_t(&x, true)?;
        assert_eq!(y.dims(), [2, 16]);
        assert_trained(&parameters, &y)?;
        assert!(net.forward_t(&x.t()?, true).is_err());
        Ok(())
    }
}
