//! 4.7 Forward Propagation, Backward Propagation, and Computational Graphs
//!
//! A net with one hidden layer: each gradient by its formula, held against autograd's, and a training with both.
//!
//! `cargo run --release -p mlp -- backprop`
//! At once: gradients by hand, by autograd and by finite differences agree, and so do the losses of two trainings.

use d2l::data::Repeat;
use d2l::ops;
use d2l::plot::Graph;
use d2l::prelude::*;

/// Sizes and hyperparameters.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub num_inputs: usize,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 3, value_parser = count)]
    pub num_hiddens: usize,
    /// Outputs
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub num_outputs: usize,
    /// The factor λ of the penalty on the weights
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub weight_decay: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.05, value_parser = positive)]
    pub lr: f64,
    /// Steps of the training
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_steps: usize,
}

defaults! { Config }

/// What forward propagation computes, and what backpropagation needs of it.
pub struct Forward {
    /// The hidden layer before its activation, `(hiddens, 1)`.
    pub z: Tensor,
    /// The hidden layer, `(hiddens, 1)`.
    pub h: Tensor,
    /// The output, `(outputs, 1)`.
    pub o: Tensor,
    /// The objective: loss plus penalty, a scalar.
    pub objective: Tensor,
}

/// Computes the objective for one example `x` `(inputs, 1)` with target `y` `(outputs, 1)`, activation tanh and squared
/// loss, from the input to the objective.
pub fn forward(w1: &Tensor, w2: &Tensor, x: &Tensor, y: &Tensor, lambda: f64) -> Result<Forward> {
    let z = w1.matmul(x)?; // (hiddens, inputs) x (inputs, 1)
    let h = z.tanh()?;
    let o = w2.matmul(&h)?; // (outputs, hiddens) x (hiddens, 1)
    let loss = ((&o - y)?.sqr()?.sum_all()? / 2.0)?;
    let penalty = ((w1.sqr()?.sum_all()? + w2.sqr()?.sum_all()?)? * (lambda / 2.0))?;
    let objective = (loss + penalty)?;
    Ok(Forward { z, h, o, objective })
}

/// The objective's gradients for the weights of both layers, from the objective back to the input.
pub fn backward(
    w1: &Tensor,
    w2: &Tensor,
    x: &Tensor,
    y: &Tensor,
    lambda: f64,
    Forward { z, h, o, .. }: &Forward,
) -> Result<[Tensor; 2]> {
    let by_o = (o - y)?; // (outputs, 1)
    let by_w2 = (by_o.matmul(&h.t()?)? + (w2 * lambda)?)?; // (outputs, 1) x (1, hiddens)
    let by_h = w2.t()?.matmul(&by_o)?; // (hiddens, outputs) x (outputs, 1)
    let slope = (1.0 - z.tanh()?.sqr()?)?;
    let by_z = (by_h * slope)?; // (hiddens, 1)
    let by_w1 = (by_z.matmul(&x.t()?)? + (w1 * lambda)?)?; // (hiddens, 1) x (1, inputs)
    Ok([by_w1, by_w2])
}

/// The same gradients by autograd.
fn by_autograd(w: &[Var; 2], objective: &Tensor) -> Result<[Tensor; 2]> {
    let grads = ops::backward(objective)?;
    Ok([grads.get(&w[0])?.clone(), grads.get(&w[1])?.clone()])
}

/// The largest difference between two tensors of `f64`.
fn difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    (a - b)?.abs()?.max_all()?.to_scalar()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Forward propagation")?;
    let [inputs, hiddens, outputs] = [config.num_inputs, config.num_hiddens, config.num_outputs];
    let lambda = config.weight_decay;
    let mut normal = |shape| nb.normal(shape)?.to_dtype(DType::F64);
    let (x, y) = (normal((inputs, 1))?, normal((outputs, 1))?);
    let w = [Var::from_tensor(&normal((hiddens, inputs))?)?, Var::from_tensor(&normal((outputs, hiddens))?)?];
    let pass = forward(&w[0], &w[1], &x, &y, lambda)?;
    nb.show("z", &pass.z)?;
    nb.show("h", &pass.h)?;
    nb.show("o", &pass.o)?;
    nb.show("objective", &pass.objective)?;

    nb.cell("Computational graph of forward propagation")?;
    let graph = Graph::new()
        .value("x", (0, 1))
        .operation("product1", "×", (1, 1))
        .value("W⁽¹⁾", (1, 2))
        .value("z", (2, 1))
        .operation("tanh", "φ", (3, 1))
        .value("h", (4, 1))
        .operation("product2", "×", (5, 1))
        .value("W⁽²⁾", (5, 2))
        .value("o", (6, 1))
        .operation("loss", "ℓ", (7, 1))
        .value("y", (7, 0))
        .value("L", (8, 1))
        .operation("penalty", "‖·‖²", (3, 3))
        .value("s", (8, 3))
        .operation("sum", "+", (9, 2))
        .value("J", (10, 2))
        .path(["x", "product1", "z", "tanh", "h", "product2", "o", "loss", "L", "sum", "J"])
        .path(["W⁽¹⁾", "product1"])
        .path(["W⁽²⁾", "product2"])
        .path(["y", "loss"])
        .path(["W⁽¹⁾", "penalty", "s", "sum"])
        .path(["W⁽²⁾", "penalty"]);
    nb.figure("graph", "The computational graph: from the input and the weights to the objective", graph)?;

    nb.cell("Backpropagation")?;
    // On tensors without a graph: nothing here is autograd's work.
    let plain = [w[0].as_detached_tensor(), w[1].as_detached_tensor()];
    let plain_pass = forward(&plain[0], &plain[1], &x, &y, lambda)?;
    let by_hand = backward(&plain[0], &plain[1], &x, &y, lambda, &plain_pass)?;
    nb.show("gradient for W1 by hand", &by_hand[0])?;
    nb.show("gradient for W2 by hand", &by_hand[1])?;

    nb.cell("Against autograd")?;
    let by_graph = by_autograd(&w, &pass.objective)?;
    nb.show("gradient for W1 by autograd", &by_graph[0])?;
    nb.show("gradient for W2 by autograd", &by_graph[1])?;
    let largest = difference(&by_hand[0], &by_graph[0])?.max(difference(&by_hand[1], &by_graph[1])?);
    nb.say(format!("largest difference: {largest:.1e}"))?;
    nb.metric("gradient_difference", largest)?;

    nb.cell("Against finite differences")?;
    let step = 1e-6;
    let mut largest = 0f64;
    for (layer, gradient) in by_hand.iter().enumerate() {
        for (i, wanted) in gradient.flatten_all()?.to_vec1::<f64>()?.into_iter().enumerate() {
            let objective_at = |change: f64| -> Result<f64> {
                let mut values = plain[layer].flatten_all()?.to_vec1::<f64>()?;
                values[i] += change;
                let mut moved = plain.clone();
                moved[layer] = Tensor::from_vec(values, plain[layer].shape(), plain[layer].device())?;
                forward(&moved[0], &moved[1], &x, &y, lambda)?.objective.to_scalar()
            };
            let slope = (objective_at(step)? - objective_at(-step)?) / (2.0 * step);
            largest = largest.max((slope - wanted).abs());
        }
    }
    nb.say(format!("largest difference over all {} weights: {largest:.1e}", hiddens * (inputs + outputs)))?;
    nb.metric("finite_difference", largest)?;

    nb.cell("Training with both")?;
    let hand = [Var::from_tensor(&plain[0])?, Var::from_tensor(&plain[1])?];
    let trainer = nb.trainer(config.num_steps + 1).with(&hand[..]).with(&w[..]);
    let history = trainer.run(&mut Repeat(1), |step, ()| {
        let plain = hand.each_ref().map(Var::as_detached_tensor);
        let pass = forward(&plain[0], &plain[1], &x, &y, lambda)?;
        let by_hand = backward(&plain[0], &plain[1], &x, &y, lambda, &pass)?;
        let objective = forward(&w[0], &w[1], &x, &y, lambda)?.objective;
        let by_graph = by_autograd(&w, &objective)?;
        for layer in 0..2 {
            hand[layer].set(&(&plain[layer] - (&by_hand[layer] * config.lr)?)?)?;
            w[layer].set(&(w[layer].as_detached_tensor() - (&by_graph[layer] * config.lr)?)?)?;
        }
        step.metric("autograd", objective.to_scalar()?, 1.0)?;
        step.loss(&pass.objective, 1)
    })?;
    let mut table = Table::new(["step", "objective by hand", "objective by autograd"]);
    let (by_hand, by_graph) = (history.metric("train_loss"), history.metric("autograd"));
    for number in (0..=config.num_steps).step_by((config.num_steps / 5).max(1)) {
        table.row([number.to_string(), format!("{:.9}", by_hand[number]), format!("{:.9}", by_graph[number])]);
    }
    nb.say(table)?;
    nb.metric("train_loss", by_hand)?;
    let largest = difference(&hand[0], &w[0])?.max(difference(&hand[1], &w[1])?);
    nb.say(format!("largest difference between the weights after training: {largest:.1e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradients_of_a_net_that_fits_in_the_head() -> Result<()> {
        // z = 0, so h = 0 and the slope of tanh is 1; o = 0, so the gradient for the output is -y.
        let scalar = |value: f64| Tensor::new(&[[value]], &Device::Cpu);
        let (w1, w2, x, y) = (scalar(0.0)?, scalar(2.0)?, scalar(3.0)?, scalar(1.0)?);
        let pass = forward(&w1, &w2, &x, &y, 0.5)?;
        assert_eq!(pass.objective.to_scalar::<f64>()?, 0.5 + 0.25 * 4.0);
        let [by_w1, by_w2] = backward(&w1, &w2, &x, &y, 0.5, &pass)?;
        assert_eq!(by_w1.to_vec2::<f64>()?, [[-6.0]]); // -y w2 x
        assert_eq!(by_w2.to_vec2::<f64>()?, [[1.0]]); // -y h + 0.5 w2
        Ok(())
    }
}
