//! 5.1 Layers and Blocks
//!
//! Nets from layers: a ready-made chain, a block of one's own, a chain of one's own, control flow in a forward pass,
//! and blocks inside blocks.
//!
//! `cargo run --release -p computation -- model-construction`
//! Less than a second. Each net turns two inputs of 20 features into two outputs; the last two return one number.

use d2l::nn::{Linear, Parameters, Sequential, VarBuilder};
use d2l::ops::{self, relu};
use d2l::prelude::*;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs in the batch
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
}

impl Hyperparameters for Config {}

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
        let net = vb.pp("net");
        let net = Sequential::new()
            .add(Linear::new(20, 64, &net.pp("0"))?)
            .add(relu)
            .add(Linear::new(64, 32, &net.pp("2"))?)
            .add(relu);
        Ok(Self { net, linear: Linear::new(32, 16, &vb.pp("linear"))? })
    }
}

impl ModuleT for Nested {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.linear.forward(&self.net.forward_t(x, train)?) // (batch, 20) -> (batch, 32) -> (batch, 16)
    }
}

/// The names and shapes of a net's parameters, one a line.
fn listed(parameters: &Parameters) -> String {
    let lines = parameters.named().into_iter().map(|(name, variable)| format!("{name} {:?}\n", variable.dims()));
    lines.collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A net from ready layers")?;
    let x = nb.uniform((config.batch_size as usize, 20))?; // (batch, 20)
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let net =
        Sequential::new().add(Linear::new(20, 256, &vb.pp("0"))?).add(relu).add(Linear::new(256, 10, &vb.pp("2"))?);
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (batch, 10)
    nb.say(net.summary(x.shape(), nb.device())?)?;

    nb.cell("A custom block")?;
    let parameters = nb.parameters();
    let net = Mlp::new(&parameters.builder())?;
    nb.show("net(x)", net.forward(&x)?)?; // (batch, 10)
    nb.say(listed(&parameters))?;

    nb.cell("The sequential block")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
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
    let gradients = y.backward()?;
    let (_, weight) = &parameters.named()[0];
    nb.show("weight gets a gradient", gradients.get(weight).is_some())?;
    nb.show("the constant gets one", gradients.get(&net.constant).is_some())?;

    nb.cell("Blocks inside blocks")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let constant = nb.uniform((20, 20))?;
    let chimera = Sequential::new()
        .add_named("nested", Nested::new(&vb.pp("nested"))?)
        .add_named("linear", Linear::new(16, 20, &vb.pp("linear"))?)
        .add_named("fixed", FixedHidden::new(constant, &vb.pp("fixed"))?);
    nb.show("chimera(x)", chimera.forward_t(&x, false)?)?; // ()
    nb.say(chimera.summary(x.shape(), nb.device())?)?;
    nb.say(listed(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use d2l::random::{Purpose, Random, uniform};

    fn setup() -> (Parameters, Tensor, Tensor) {
        let mut random = Random::new(3);
        let parameters = Parameters::new(random.fork(Purpose::Initialization), &Device::Cpu);
        let mut draw = |shape: (usize, usize)| uniform(random.sampling(), 0.0, 1.0, shape, &Device::Cpu);
        (parameters, draw((2, 20)).expect("an input"), draw((20, 20)).expect("a constant"))
    }

    /// Checks that each parameter gets a finite gradient that is not zero.
    fn assert_trained(parameters: &Parameters, y: &Tensor) -> Result<()> {
        let gradients = y.sqr()?.sum_all()?.backward()?;
        for (name, variable) in parameters.named() {
            let gradient = gradients.get(&variable).unwrap_or_else(|| panic!("{name} gets no gradient"));
            let size = gradient.abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{name}: {size}");
        }
        Ok(())
    }

    #[test]
    fn a_block_and_a_chain_of_the_same_layers_agree() -> Result<()> {
        let (parameters, x, _) = setup();
        let vb = parameters.builder();
        let mlp = Mlp::new(&vb)?;
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
        let (parameters, x, constant) = setup();
        let net = FixedHidden::new(constant, &parameters.builder())?;
        let y = net.forward(&(&x * 100.0)?)?;
        assert!(y.to_scalar::<f32>()?.abs() <= 1.0);
        assert_eq!(parameters.count(), 20 * 20 + 20, "one layer's parameters, used twice");
        assert_trained(&parameters, &y)?;
        assert!(y.backward()?.get(&net.constant).is_none());
        Ok(())
    }

    #[test]
    fn blocks_nest() -> Result<()> {
        let (parameters, x, _) = setup();
        let net = Nested::new(&parameters.builder())?;
        let y = net.forward_t(&x, true)?;
        assert_eq!(y.dims(), [2, 16]);
        assert_trained(&parameters, &y)?;
        assert!(net.forward_t(&x.t()?, true).is_err());
        Ok(())
    }
}
