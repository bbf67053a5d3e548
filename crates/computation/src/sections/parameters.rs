//! 5.2 Parameter Management
//!
//! Parameters by layer and by name, initialized in several ways, and shared between layers.
//!
//! `cargo run --release -p computation -- parameters`
//! Less than a second. The gradient of a shared parameter is the sum of those of its two uses, to rounding.

use anyhow::Context;
use d2l::nn::{Linear, init};
use d2l::ops::relu;
use d2l::plot::Panels;
use d2l::prelude::*;

pub use super::model_construction::Config;
use super::model_construction::listed;

/// Two linear layers, 4 to 8 to 1, with a relu between them.
pub fn mlp(vb: &VarBuilder) -> Result<Sequential> {
    let net = Sequential::with_parameters(vb).layer("0", |vb| Linear::new(4, 8, vb))?.add(relu);
    net.layer("2", |vb| Linear::new(8, 1, vb))
}

/// 4 to 8 to 4 features, each layer with a relu.
#[doc(alias = "block1")]
pub fn small_block(vb: &VarBuilder) -> Result<Sequential> {
    let there = Sequential::with_parameters(vb).layer("0", |vb| Linear::new(4, 8, vb))?.add(relu);
    Ok(there.layer("2", |vb| Linear::new(8, 4, vb))?.add(relu))
}

/// Four small blocks in a row.
#[doc(alias = "block2")]
pub fn large_block(vb: &VarBuilder) -> Result<Sequential> {
    (0..4).try_fold(Sequential::with_parameters(vb), |net, i| net.layer(format!("block {i}"), small_block))
}

/// Draws from `[-10, 10)` and sets to zero what is closer to zero than 5: about half of the values.
#[doc(alias = "my_init")]
pub fn far_or_zero(weight: &Var, nb: &mut Notebook) -> Result<()> {
    let drawn = ((nb.uniform(weight.shape())? * 20.0)? - 10.0)?;
    let far = drawn.abs()?.ge(5.0)?.to_dtype(drawn.dtype())?; // 1 or 0
    weight.set(&(drawn * far)?)
}

/// Layers from 4 to 8 to 8 to 8 to 1 features. `middle` names the two from 8 to 8: one name makes them one layer.
pub fn with_middle(middle: [&str; 2], vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .layer("hidden", |vb| Linear::new(4, 8, vb))?
        .add(relu)
        .layer(middle[0], |vb| Linear::new(8, 8, vb))?
        .add(relu)
        .layer(middle[1], |vb| Linear::new(8, 8, vb))?
        .add(relu)
        .layer("output", |vb| Linear::new(8, 1, vb))
}

/// The gradient of the weight of the layer at `place` when the sum of the net's outputs is differentiated.
pub fn weight_gradient(net: &Sequential, place: usize, x: &Tensor) -> Result<Tensor> {
    let grads = backward(&net.forward_t(x, true)?.sum_all()?)?;
    grads.get(net.get::<Linear>(place)?.weight()).cloned()
}

/// Copies the values of a net whose middle layers are the one `shared` to a net where they are `first` and `second`.
pub fn untie(tied: &Parameters, untied: &Parameters) -> anyhow::Result<()> {
    for (name, variable) in untied.named() {
        let source = name.replace("first", "shared").replace("second", "shared");
        let original = tied.get(&source).with_context(|| format!("no parameter {source}"))?;
        variable.set(&original)?;
    }
    Ok(())
}

/// Writes one element of a weight, the first of its first row.
pub fn set_one(weight: &Var, value: f32) -> Result<()> {
    let value = Tensor::full(value, (1, 1), weight.device())?;
    weight.set(&weight.as_detached_tensor().slice_assign(&[0..1, 0..1], &value)?)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A small net")?;
    let x = nb.uniform((config.batch_size, 4))?; // (batch, 4)
    let parameters = nb.parameters();
    let net = mlp(&parameters.builder())?;
    nb.show("net(x)", net.forward_t(&x, false)?)?; // (batch, 1)

    nb.cell("Parameters of a layer")?;
    let output: &Linear = net.get(2)?;
    nb.show("weight", output.weight())?; // (1, 8)
    nb.show("bias", output.bias().context("the layer has a bias")?)?; // (1)

    nb.cell("A parameter's value and gradient")?;
    let bias = parameters.get("2.bias").context("the net has a bias in layer 2")?;
    nb.show("value", bias.to_vec1::<f32>()?[0])?;
    let grads = backward(&net.forward_t(&x, true)?.sum_all()?)?;
    nb.show("gradient", grads.get(&bias)?)?;

    nb.cell("All parameters at once")?;
    nb.say(listed(&parameters))?;
    nb.show("numbers in all", parameters.count())?;

    nb.cell("Parameters of nested blocks")?;
    let nested = nb.parameters();
    let regression = Sequential::with_parameters(&nested.builder())
        .layer("0", large_block)?
        .layer("1", |vb| Linear::new(4, 1, vb))?;
    nb.say(regression.summary(x.shape(), nb.device())?)?;
    let second: &Sequential = regression.get::<Sequential>(0)?.get("block 1")?;
    nb.show("bias of its first layer", second.get::<Linear>(0)?.bias().context("the layer has a bias")?)?;
    nb.show("the same by name", nested.get("0.block 1.0.bias").context("the parameter has a name")?.as_tensor())?;

    nb.cell("Built-in initializers")?;
    parameters.initialize(|name, _| {
        Ok(Some(if name.ends_with("weight") { init::normal(0.01) } else { init::constant(0.0) }))
    })?;
    let hidden: &Linear = net.get(0)?;
    nb.show("weights from N(0, 0.01²)", hidden.weight().get(0)?)?; // (4)
    parameters.initialize(|name, _| Ok(name.ends_with("weight").then(|| init::constant(1.0))))?;
    nb.show("constant weights", hidden.weight().get(0)?)?;
    parameters.initialize(|name, shape| {
        Ok(match name {
            "0.weight" => Some(init::xavier_uniform(shape)?),
            "2.weight" => Some(init::constant(42.0)),
            _ => None, // stays as it is
        })
    })?;
    nb.show("Xavier's", hidden.weight().get(0)?)?;
    nb.show("all 42", net.get::<Linear>(2)?.weight())?;

    nb.cell("A custom initializer")?;
    let weight = parameters.get("0.weight").context("the net has a layer 0")?; // (8, 4)
    far_or_zero(&weight, nb)?;
    nb.show("first rows", weight.narrow(0, 0, 2)?)?;
    weight.set(&(weight.as_detached_tensor() + 1.0)?)?;
    nb.show("each one larger", weight.narrow(0, 0, 2)?)?;
    set_one(&weight, 42.0)?;
    nb.show("the first set to 42", weight.get(0)?)?;

    nb.cell("What the initializers draw")?;
    let wide = nb.parameters();
    Linear::without_bias(100, 100, &wide.builder())?;
    let weight = wide.get("weight").context("the layer has a weight")?; // (100, 100)
    let mut panels = Vec::new();
    for title in ["N(0, 0.01²)", "Xavier's", "far or zero"] {
        match title {
            "N(0, 0.01²)" => wide.initialize(|_, _| Ok(Some(init::normal(0.01))))?,
            "Xavier's" => wide.initialize(|_, shape| Ok(Some(init::xavier_uniform(shape)?)))?,
            _ => far_or_zero(&weight, nb)?,
        }
        let values = weight.flatten_all()?.to_vec1::<f32>()?; // (10000)
        let chart = Chart::new().size(320, 240).title(title).x_label("value").y_label("count");
        panels.push(chart.histogram([("", values.as_slice())], 40));
    }
    let alt = "Histograms of 10,000 weights: a bell, a level block, and two blocks with a spike at zero between them";
    nb.figure("initializers", alt, Panels::new(3, panels))?;

    nb.cell("Tied parameters")?;
    let tied = nb.parameters();
    let net = with_middle(["shared", "shared"], &tied.builder())?;
    nb.say(net.summary(x.shape(), nb.device())?)?;
    let (first, second) = (net.get::<Linear>(2)?.weight(), net.get::<Linear>(4)?.weight());
    let shared = tied.get("shared.weight").context("the layers share a weight")?;
    set_one(&shared, 100.0)?;
    nb.show("first row of the second layer", second.get(0)?)?;
    nb.show("equal after a change of one", first.to_vec2::<f32>()? == second.to_vec2::<f32>()?)?;

    nb.cell("Gradients of tied parameters")?;
    let untied = nb.parameters();
    let copy = with_middle(["first", "second"], &untied.builder())?;
    untie(&tied, &untied)?;
    let sum = (weight_gradient(&copy, 2, &x)? + weight_gradient(&copy, 4, &x)?)?; // (8, 8)
    let shared_gradient = weight_gradient(&net, 2, &x)?;
    nb.show("shares of the first row, first place", weight_gradient(&copy, 2, &x)?.get(0)?)?;
    nb.show("second place", weight_gradient(&copy, 4, &x)?.get(0)?)?;
    nb.show("their sum", sum.get(0)?)?;
    nb.show("the shared weight's gradient", shared_gradient.get(0)?)?;
    let difference = (shared_gradient - sum)?.abs()?.max_all()?;
    nb.metric("tied_gradient_difference", f64::from(difference.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_trained, normal, parameters};

    #[test]
    fn every_parameter_of_each_net_gets_a_gradient() -> Result<()> {
        for build in [mlp, large_block, |vb: &VarBuilder| with_middle(["a", "b"], vb)] {
            let parameters = parameters(5);
            let net = build(&parameters.builder())?;
            // Biases keep the relus of eight layers in a row open.
            parameters.initialize(|name, _| Ok(name.ends_with("bias").then(|| init::constant(0.5))))?;
            assert_trained(&parameters, &net.forward_t(&normal((16, 4))?, true)?)?;
        }
        Ok(())
    }

    #[test]
    fn one_name_is_one_layer_and_its_gradients_add_up() -> anyhow::Result<()> {
        let (tied, untied, x) = (parameters(5), parameters(5), normal((16, 4))?);
        let net = with_middle(["shared", "shared"], &tied.builder())?;
        let copy = with_middle(["first", "second"], &untied.builder())?;
        assert_eq!(untied.count() - tied.count(), 8 * 8 + 8);
        untie(&tied, &untied)?;
        assert_eq!(net.forward_t(&x, true)?.to_vec2::<f32>()?, copy.forward_t(&x, true)?.to_vec2::<f32>()?);
        let (first, second) = (weight_gradient(&copy, 2, &x)?, weight_gradient(&copy, 4, &x)?);
        let both = weight_gradient(&net, 2, &x)?;
        let size = |t: Tensor| t.abs()?.max_all()?.to_scalar::<f32>();
        assert!(size((&both - (first + &second)?)?)? < 1e-5);
        assert!(size((both - second)?)? > 1e-3, "one use alone is not the whole gradient");
        Ok(())
    }
}
