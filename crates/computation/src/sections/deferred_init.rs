//! 5.3 Deferred Initialization
//!
//! A layer that finds its number of inputs at its first call.
//!
//! `cargo run --release -p computation -- deferred-init`
//! Less than a second. The net has no parameters before its first input, and four after it.

use std::cell::OnceCell;

use d2l::nn::Linear;
use d2l::ops::relu;
use d2l::prelude::*;

use super::model_construction::listed;

/// Sizes; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Features of the first input
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub inputs: usize,
}

defaults! { Config }

/// A linear layer that is made at its first call, for as many inputs as that call has features.
#[doc(alias = "LazyLinear")]
pub struct DeferredLinear {
    outputs: usize,
    vb: VarBuilder,
    layer: OnceCell<Linear>,
}

impl DeferredLinear {
    /// A layer that knows its outputs and where its parameters will come from.
    pub fn new(outputs: usize, vb: &VarBuilder) -> Self {
        Self { outputs, vb: vb.clone(), layer: OnceCell::new() }
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
pub fn deferred_mlp(vb: &VarBuilder) -> Result<Sequential> {
    let net = Sequential::with_parameters(vb).layer("0", |vb| Ok(DeferredLinear::new(256, vb)))?.add(relu);
    net.layer("2", |vb| Ok(DeferredLinear::new(10, vb)))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Instantiating a network")?;
    let parameters = nb.parameters();
    let net = deferred_mlp(&parameters.builder())?;
    nb.say(listed(&parameters))?;

    nb.cell("The first input")?;
    let inputs = config.inputs;
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
    deferred_mlp(&others.builder())?.forward_t(&wider, false)?;
    nb.say(listed(&others))?;

    nb.cell("What an initializer needs")?;
    let untouched = nb.parameters();
    let net = deferred_mlp(&untouched.builder())?;
    nb.show("numbers before", untouched.count())?;
    nb.say(net.summary((1, inputs), nb.device())?)?; // passes an input of zeros through the net
    nb.show("numbers after", untouched.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trained, parameters};

    #[test]
    fn the_first_call_decides_on_the_inputs() -> Result<()> {
        let parameters = parameters(1);
        let net = deferred_mlp(&parameters.builder())?;
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
        assert_trained(&parameters, &y)
    }

    #[test]
    fn a_first_input_that_does_not_fit_leaves_the_layer_open() -> Result<()> {
        let parameters = parameters(1);
        let layer = DeferredLinear::new(4, &parameters.builder());
        assert!(layer.forward(&Tensor::new(1f32, &Device::Cpu)?).is_err(), "a scalar has no features");
        assert_eq!(parameters.named().len(), 0);
        assert_eq!(layer.forward(&Tensor::ones((2, 3), DType::F32, &Device::Cpu)?)?.dims(), [2, 4]);
        Ok(())
    }
}
