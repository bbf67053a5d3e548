//! 4.8 Numerical Stability and Initialization
//!
//! The vanishing slope of the sigmoid, a product of a hundred matrices, hidden units that never part, Xavier's remedy.
//!
//! `cargo run --release -p mlp -- numerical-stability-and-init`
//! A few seconds: the product reaches some 1e20 or more; from equal weights the loss stays near 0.6, from random ones it
//! falls below 0.2; with Xavier's initialization thirty layers keep the size of values and gradients.

use d2l::data::Repeat;
use d2l::nn::{Dropout, Init, Linear};
use d2l::ops::{binary_cross_entropy_with_logits, sigmoid, tanh};
use d2l::plot::Panels;
use d2l::prelude::*;

use super::mlp::derivative;

/// Settings; the first is the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Matrices in the product
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_matrices: usize,
    /// Layers of the deep linear net
    #[arg(long, default_value_t = 30, value_parser = count)]
    pub num_layers: usize,
    /// Units of each of its layers
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub num_hiddens: usize,
    /// Steps of each training that shows the symmetry
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config: Smoke { num_hiddens: 64 } }

/// Xavier's normal initialization (Glorot and Bengio, 2010): variance `2 / (inputs + outputs)`.
#[doc(alias = "xavier_normal_")]
pub fn xavier_normal(inputs: usize, outputs: usize) -> Init {
    Init::Randn { mean: 0.0, stdev: (2.0 / (inputs + outputs) as f64).sqrt() }
}

/// The same variance from a uniform distribution: within `±a` it is `a² / 3`.
#[doc(alias = "xavier_uniform_")]
pub fn xavier_uniform(inputs: usize, outputs: usize) -> Init {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// The standard deviation of a tensor's elements around zero.
fn spread(t: &Tensor) -> Result<f64> {
    t.to_dtype(DType::F64)?.sqr()?.mean_all()?.sqrt()?.to_scalar()
}

/// For each layer of a deep linear net without biases, the spread of its outputs and of the gradient for its outputs. `x` is
/// what goes into the first layer, `gradient` what comes back into the last one, both `(batch, width)`.
pub fn spreads(
    num_layers: usize,
    init: Init,
    x: &Tensor,
    gradient: &Tensor,
    parameters: &VarBuilder,
) -> Result<[Vec<f64>; 2]> {
    let width = x.dim(1)?;
    let weight = |layer: usize| parameters.get_with_hints((width, width), &format!("layer{layer}.weight"), init);
    let weights = (0..num_layers).map(|layer| Ok(weight(layer)?.detach())).collect::<Result<Vec<_>>>()?;
    let (mut outputs, mut gradients) = (Vec::new(), Vec::new());
    let (mut x, mut gradient) = (x.clone(), gradient.clone());
    for weight in &weights {
        x = x.matmul(&weight.t()?)?; // (batch, width)
        outputs.push(spread(&x)?);
    }
    for weight in weights.iter().rev() {
        gradients.push(spread(&gradient)?);
        gradient = gradient.matmul(weight)?; // (batch, width), by the rule of section 4.7
    }
    gradients.reverse();
    Ok([outputs, gradients])
}

/// A net with eight hidden units for the sign of a product of two numbers, whose hidden units drop out with probability
/// `p` in training.
fn small_net(init: Init, p: f64, vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .layer("hidden", |vb| Linear::with_init(2, 8, vb, init, Init::Const(0.0)))? // (batch, 2) -> (batch, 8)
        .add(tanh)
        .layer("dropout", |vb| Dropout::new(p, vb))?
        .layer("output", |vb| Linear::with_init(8, 1, vb, init, Init::Const(0.0))) // (batch, 1)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Vanishing gradients")?;
    let points: Vec<f32> = (-80..=80).map(|i| i as f32 / 10.0).collect();
    let x = Tensor::new(&points[..], nb.device())?;
    let (y, slope) = (sigmoid(&x)?.to_vec1::<f32>()?, derivative(sigmoid, &x)?.to_vec1::<f32>()?);
    let chart = Chart::new().x_label("x").line("sigmoid", &points, &y).line("gradient", &points, &slope);
    nb.figure("sigmoid", "The sigmoid and its gradient, which is nearly zero away from the middle", chart)?;
    nb.say(format!("gradient at 0: {:.4}, at 8: {:.6}", slope[80], slope[160]))?;
    nb.say(format!("ten sigmoids in a row scale a gradient by 0.25^10 = {:.0e} at most", 0.25f64.powi(10)))?;

    nb.cell("Exploding gradients")?;
    let mut product = nb.normal((4, 4))?;
    nb.show("a single matrix", &product)?;
    for _ in 0..config.num_matrices {
        product = product.matmul(&nb.normal((4, 4))?)?; // (4, 4) x (4, 4)
    }
    nb.show(&format!("after multiplying by {} matrices", config.num_matrices), &product)?;
    let largest = f64::from(product.abs()?.max_all()?.to_scalar::<f32>()?);
    nb.metric("log10_product", largest.log10())?;

    nb.cell("Symmetry")?;
    let x = nb.normal((200, 2))?;
    let y = (x.narrow(1, 0, 1)? * x.narrow(1, 1, 1)?)?.gt(0.0)?.to_dtype(DType::F32)?; // (200, 1)
    let mut table = Table::new(["initial weights", "loss", "spread among hidden units"]);
    let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
    let cases = [("equal", Init::Const(0.5), 0.0), ("random", normal, 0.0), ("equal_dropout", Init::Const(0.5), 0.5)];
    for (name, init, p) in cases {
        let parameters = nb.parameters();
        let net = small_net(init, p, &parameters.builder())?;
        let mut optimizer = Sgd::new(&parameters, 0.5);
        let trainer = nb.trainer(config.num_steps).named(name).with(&parameters).with(&optimizer);
        trainer.run(&mut Repeat(1), |step, ()| {
            let loss = binary_cross_entropy_with_logits(&net.forward_t(&x, true)?, &y, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.loss(&loss, y.elem_count())
        })?;
        let loss = binary_cross_entropy_with_logits(&net.forward_t(&x, false)?, &y, Reduction::Mean)?;
        let loss = f64::from(loss.to_scalar::<f32>()?);
        let weights = parameters.variables()[0].as_detached_tensor(); // (8, 2)
        let apart = spread(&weights.broadcast_sub(&weights.mean_keepdim(0)?)?)?;
        table.row([name.replace('_', ", with "), format!("{loss:.4}"), format!("{apart:.4}")]);
        nb.metric(&format!("train_loss_{name}"), loss)?;
        nb.metric(&format!("spread_{name}"), apart)?;
    }
    nb.say(table)?;

    nb.cell("Xavier initialization")?;
    let (layers, width) = (config.num_layers, config.num_hiddens);
    let (x, gradient) = (nb.normal((64, width))?, nb.normal((64, width))?);
    let bound = 1.0 / (width as f64).sqrt();
    let inits = [
        ("N(0, 0.01²)", "small", Init::Randn { mean: 0.0, stdev: 0.01 }),
        ("N(0, 0.1²)", "large", Init::Randn { mean: 0.0, stdev: 0.1 }),
        ("uniform ±1/√n", "default", Init::Uniform { lo: -bound, up: bound }),
        ("Xavier, normal", "xavier_normal", xavier_normal(width, width)),
        ("Xavier, uniform", "xavier_uniform", xavier_uniform(width, width)),
    ];
    let numbers: Vec<usize> = (1..=layers).collect();
    let panel = |label: &str| Chart::new().size(420, 320).x_label("layer").y_label(label).log_y();
    let mut panels = [panel("spread of the outputs"), panel("spread of the gradient")];
    let mut table = Table::new(["weights", "last layer's outputs", "first layer's gradient"]);
    for (label, name, init) in inits {
        let parameters = nb.parameters().builder();
        let [outputs, gradients] = spreads(layers, init, &x, &gradient, &parameters)?;
        let (last, first) = (outputs[layers - 1], gradients[0]);
        table.row([label.into(), format!("{last:.1e}"), format!("{first:.1e}")]);
        nb.metric(&format!("outputs_{name}"), last)?;
        nb.metric(&format!("gradient_{name}"), first)?;
        let [left, right] = panels;
        panels = [left.line(label, &numbers, &outputs), right.line(label, &numbers, &gradients)];
    }
    nb.say(table)?;
    let alt =
        "Spread of each layer's outputs on the left and of the gradients for them on the right, by initialization";
    nb.figure("initializations", alt, Panels::new(2, panels))
}

#[cfg(test)]
mod tests {
    use d2l::random;

    use super::*;

    #[test]
    fn both_forms_have_the_variance_of_the_formula() -> anyhow::Result<()> {
        for init in [xavier_normal(300, 100), xavier_uniform(300, 100)] {
            let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
            let weight = parameters.builder().get_with_hints((100, 300), "weight", init)?;
            let variance = spread(&weight)?.powi(2);
            assert!((variance - 2.0 / 400.0).abs() < 2e-4, "{variance}");
        }
        Ok(())
    }

    #[test]
    fn xavier_keeps_outputs_and_gradients_in_size() -> anyhow::Result<()> {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        let mut normal = || random::normal(&mut stream, 0.0, 1.0, (64, 128), &Device::Cpu);
        let (x, gradient) = (normal()?, normal()?);
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu).builder();
        let spreads = spreads(10, xavier_normal(128, 128), &x, &gradient, &parameters)?;
        assert!(spreads.iter().all(|spreads| spreads.len() == 10));
        assert!(spreads.concat().iter().all(|&spread| (0.5..2.0).contains(&spread)), "{spreads:?}");
        Ok(())
    }

    #[test]
    fn the_gradient_is_that_of_autograd() -> anyhow::Result<()> {
        let mut stream = Random::new(2).stream(Purpose::Sampling, "test");
        let x = Var::from_tensor(&random::normal(&mut stream, 0.0, 1.0, (3, 4), &Device::Cpu)?)?;
        let gradient = random::normal(&mut stream, 0.0, 1.0, (3, 4), &Device::Cpu)?;
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let [_, by_hand] = spreads(2, xavier_normal(4, 4), &x, &gradient, &parameters.builder())?;
        // The gradient for the first layer's output is that for the input of a net of the second layer alone.
        let second = parameters.variables()[1].t()?;
        let grads = backward(&(x.matmul(&second)? * &gradient)?.sum_all()?)?;
        let by_autograd = spread(grads.get(&x)?)?;
        assert!((by_hand[0] - by_autograd).abs() < 1e-6, "{} and {by_autograd}", by_hand[0]);
        Ok(())
    }
}
