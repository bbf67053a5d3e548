//! 5.3 Deferred Initialization
//!
//! A layer that finds its number of inputs at its first call.
//!
//! `cargo run --release -p computation -- deferred-init`
//! Less than a second. The net has no parameters before its first input, and four after it.

use std::cell::OnceCell;

use d2l::nn::{Linear, Parameters, Sequential, VarBuilder};
use d2l::ops::relu;
use d2l::prelude::*;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Features of the first input
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub inputs: u32,
}

impl Hyperparameters for Config {}

/// A linear layer that is made at its first call, for as many inputs as that call has features.
#[doc(alias = "LazyLinear")]
pub struct DeferredLinear {
    outputs: usize,
    vb: VarBuilder<'static>,
    layer: OnceCell<Linear>,
}

impl DeferredLinear {
    /// A layer that knows its outputs and where its parameters will come from.
    pub fn new(outputs: usize, vb: VarBuilder<'static>) -> Self {
        Self { outputs, vb, layer: OnceCell::new() }
    }
}

impl Module for DeferredLinear {
    /// From `(…, inputs)` to `(…, outputs)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let layer = if let Some(layer) = self.layer.get() {
            layer
        } else {
            let made = Linear::new(x.dim(D::Minus1)?, self.outputs, &self.vb)?;
            self.layer.get_or_init(|| made)
        };
        layer.forward(x)
    }
}

/// A perceptron with 256 hidden units and 10 outputs, for inputs of any size.
pub fn deferred_mlp(parameters: &Parameters) -> Sequential {
    let vb = parameters.builder();
    Sequential::new().add(DeferredLinear::new(256, vb.pp("0"))).add(relu).add(DeferredLinear::new(10, vb.pp("2")))
}

/// The names and shapes of the parameters that exist.
fn listed(parameters: &Parameters) -> String {
    let lines: Vec<_> = parameters.named().iter().map(|(name, var)| format!("{name} {:?}", var.dims())).collect();
    if lines.is_empty() { "no parameters yet".into() } else { lines.join("\n") }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Instantiating a network")?;
    let parameters = nb.parameters();
    let net = deferred_mlp(&parameters);
    nb.say(listed(&parameters))?;

    nb.cell("The first input")?;
    let inputs = config.inputs as usize;
    let x = nb.uniform((2, inputs))?; // (2, inputs)
    let y = net.forward_t(&x, false)?; // (2, 10)
    nb.say(listed(&parameters))?;
    nb.show("net(x)", y)?;

    nb.cell("Another size of input")?;
    let wider = nb.uniform((2, inputs + 1))?; // (2, inputs + 1)
    match net.forward_t(&wider, false) {
        Ok(_) => nb.say("no complaint")?,
        // Its first lines: the layer, then the reason.
        Err(error) => nb.say(error.to_string().lines().take(2).collect::<Vec<_>>().join("\n"))?,
    }
    let others = nb.parameters();
    deferred_mlp(&others).forward_t(&wider, false)?;
    nb.say(listed(&others))?;

    nb.cell("What an initialiser needs")?;
    let untouched = nb.parameters();
    let net = deferred_mlp(&untouched);
    nb.show("numbers before", untouched.count())?;
    nb.say(net.summary((1, inputs), nb.device())?)?; // passes an input of zeros through the net
    nb.show("numbers after", untouched.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use d2l::random::{Purpose, Random};

    fn parameters() -> Parameters {
        Parameters::new(Random::new(1).fork(Purpose::Initialization), &Device::Cpu)
    }

    #[test]
    fn the_first_call_decides_on_the_inputs() -> Result<()> {
        let parameters = parameters();
        let net = deferred_mlp(&parameters);
        assert_eq!(parameters.named().len(), 0);
        let x = Tensor::ones((3, 7), DType::F32, &Device::Cpu)?;
        let y = net.forward_t(&x, true)?;
        assert_eq!((y.dims(), parameters.count()), (&[3, 10][..], 7 * 256 + 256 + 2560 + 10));
        assert_eq!(
            y.to_vec2::<f32>()?,
            net.forward_t(&x, true)?.to_vec2::<f32>()?,
            "the second call makes no new layer"
        );
        assert!(net.forward_t(&x.narrow(1, 0, 6)?, true).is_err());
        let gradients = y.sqr()?.sum_all()?.backward()?;
        for (name, variable) in parameters.named() {
            let gradient = gradients.get(&variable).unwrap_or_else(|| panic!("{name} gets no gradient"));
            let size = gradient.abs()?.sum_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0.0, "{name}: {size}");
        }
        Ok(())
    }

    #[test]
    fn a_first_input_that_does_not_fit_leaves_the_layer_open() -> Result<()> {
        let parameters = parameters();
        let layer = DeferredLinear::new(4, parameters.builder());
        assert!(layer.forward(&Tensor::new(1f32, &Device::Cpu)?).is_err(), "a scalar has no features");
        assert_eq!(parameters.named().len(), 0);
        assert_eq!(layer.forward(&Tensor::ones((2, 3), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
        Ok(())
    }
}
