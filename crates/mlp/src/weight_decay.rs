//! 4.5 Weight Decay
//!
//! Linear regression with 200 inputs and 20 examples, with and without a penalty on the size of the weights.
//!
//! `cargo run --release -p mlp -- weight-decay`
//! With λ = 3 the norm of the weights ends below 0.5, without it above 10; the test loss falls with it.

use d2l::data::{ArrayLoader, synthetic_data};
use d2l::nn::{Init, Linear};
use d2l::notebook::positive;
use d2l::ops::{Reduction, mse_loss};
use d2l::optim::{Optimizer, ParameterGroup, Sgd};
use d2l::plot::{Chart, Panels};
use d2l::prelude::*;
use d2l::random::{self, Purpose};
use d2l::train::{Animator, Diverged, evaluate_loss};
use linear_nets::linear_regression_scratch::{linear_model, sgd, squared_loss};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs of the linear model
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_inputs: u32,
    /// Training examples
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_train: u32,
    /// Test examples
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_test: u32,
    /// Examples a minibatch
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// The weight decay λ of the second training
    #[arg(long, default_value_t = 3.0, value_parser = positive)]
    pub weight_decay: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.003, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
}

impl Hyperparameters for Config {}

/// Half the squared L2 norm of the weights, a scalar.
pub fn l2_penalty(w: &Tensor) -> Result<Tensor> {
    w.sqr()?.sum_all()? / 2.0
}

/// The L2 norm of the weights.
pub fn l2_norm(w: &Tensor) -> Result<f64> {
    Ok(f64::from(w.detach().sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
}

/// What a training came to.
pub struct Outcome {
    /// The norm of the weights.
    pub norm: f64,
    /// Training and test loss.
    pub losses: [f64; 2],
    /// Both losses by epoch.
    pub curves: Chart,
}

/// Trains with `step` on each minibatch, and measures `net` with the squared loss each five epochs.
fn train(
    config: &Config,
    [train, test]: [&mut ArrayLoader; 2],
    net: &impl ModuleT,
    w: &Tensor,
    mut step: impl FnMut(&Tensor, &Tensor) -> Result<()>,
) -> anyhow::Result<Outcome> {
    let chart = Chart::new().size(420, 300).x_label("epochs").y_label("loss").log_y();
    let mut curves = Animator::new(chart.x_range(1.0..f64::from(config.num_epochs.max(2))), ["train", "test"]);
    let mut losses = [f64::NAN; 2];
    for epoch in 1..=config.num_epochs {
        for batch in train.epoch() {
            let (x, y) = batch?;
            step(&x, &y)?;
        }
        if epoch % 5 == 0 || epoch == config.num_epochs {
            let train_loss = evaluate_loss(net, train, squared_loss)?;
            Diverged::check(train_loss, epoch as usize, train.batches())?;
            losses = [train_loss, evaluate_loss(net, test, squared_loss)?];
            curves.add(f64::from(epoch), losses.map(Some));
        }
    }
    Ok(Outcome { norm: l2_norm(w)?, losses, curves: curves.chart() })
}

/// Shows two trainings, the first without decay, side by side.
fn compare(nb: &mut Notebook, kind: &str, decay: f64, [without, with]: [&Outcome; 2]) -> anyhow::Result<()> {
    let mut table = Table::new(["λ", "train loss", "test loss", "norm of w"]);
    for (decay, Outcome { norm, losses: [train, test], .. }) in [(0.0, without), (decay, with)] {
        table.row([decay.to_string(), format!("{train:.2e}"), format!("{test:.3}"), format!("{norm:.3}")]);
    }
    nb.say(table)?;
    let titled = |outcome: &Outcome, decay: f64| outcome.curves.clone().title(format!("λ = {decay}"));
    let panels = Panels::new(2, [titled(without, 0.0), titled(with, decay)]);
    nb.figure(kind, "Training and test loss by epoch, without weight decay on the left, with it on the right", panels)?;
    nb.metric(&format!("w_norm_{kind}"), with.norm)?;
    nb.metric(&format!("norm_ratio_{kind}"), without.norm / with.norm)?;
    nb.metric(&format!("test_loss_{kind}"), with.losses[1])?;
    nb.metric(&format!("test_loss_without_decay_{kind}"), without.losses[1])
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("High-dimensional linear regression")?;
    let (inputs, batch_size) = (config.num_inputs as usize, config.batch_size as usize);
    let true_w = Tensor::full(0.01f32, inputs, nb.device())?;
    let (x, y) = synthetic_data(&true_w, 0.05, config.num_train as usize, nb.sampling())?;
    let mut train_set = ArrayLoader::from_tensors(&x, &y, batch_size)?.shuffled(nb.fork(Purpose::Shuffling));
    let (x, y) = synthetic_data(&true_w, 0.05, config.num_test as usize, nb.sampling())?;
    let mut test_set = ArrayLoader::from_tensors(&x, &y, batch_size)?;
    nb.say(format!("{} training examples for {inputs} weights", train_set.examples()))?;

    nb.cell("Implementation from scratch")?;
    let device = nb.device().clone();
    let mut from_scratch = |decay: f64, nb: &mut Notebook| {
        let initial = random::normal(&mut nb.fork(Purpose::Initialization), 0.0, 1.0, (inputs, 1), &device)?;
        let (w, b) = (Var::from_tensor(&initial)?, Var::zeros(1, DType::F32, &device)?);
        let net = |x: &Tensor| linear_model(x, &w, &b);
        train(config, [&mut train_set, &mut test_set], &net, &w, |x, y| {
            let penalty = (l2_penalty(&w)? * decay)?;
            let losses = squared_loss(&net(x)?, y)?.broadcast_add(&penalty)?; // (batch, 1)
            sgd(&[&w, &b], &losses, config.lr, losses.elem_count())
        })
    };
    let without = from_scratch(0.0, nb)?;
    let with = from_scratch(config.weight_decay, nb)?;
    compare(nb, "scratch", config.weight_decay, [&without, &with])?;

    nb.cell("Concise implementation")?;
    let mut concise = |decay: f64, nb: &mut Notebook| {
        let parameters = nb.parameters();
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        let net = Linear::with_init(inputs, 1, &parameters.builder().pp("output"), normal, normal)?;
        // The decay is for the weight alone: the bias is its own group.
        let mut variables = parameters.variables();
        let bias = ParameterGroup::from(variables.split_off(1));
        let weight = ParameterGroup { weight_decay: Some(decay), ..variables.into() };
        let mut optimizer = Sgd::new(vec![weight, bias], config.lr);
        train(config, [&mut train_set, &mut test_set], &net, net.weight(), |x, y| {
            optimizer.step(&mse_loss(&net.forward(x)?, y, Reduction::Mean)?.backward()?)
        })
    };
    let without = concise(0.0, nb)?;
    let with = concise(config.weight_decay, nb)?;
    compare(nb, "concise", config.weight_decay, [&without, &with])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalty_and_norm_are_those_of_pythagoras() -> Result<()> {
        let w = Tensor::new(&[[3f32], [-4.0]], &Device::Cpu)?;
        assert_eq!(l2_penalty(&w)?.to_scalar::<f32>()?, 12.5);
        assert_eq!(l2_norm(&w)?, 5.0);
        Ok(())
    }

    #[test]
    fn a_step_with_the_penalty_shrinks_the_weights_as_decay_does() -> Result<()> {
        // The data ask for nothing (x = 0), so a step multiplies the weights by 1 - rate * decay.
        let (x, y) =
            (Tensor::zeros((2, 2), DType::F32, &Device::Cpu)?, Tensor::zeros((2, 1), DType::F32, &Device::Cpu)?);
        let (w, b) = (Var::new(&[[1f32], [-2.0]], &Device::Cpu)?, Var::zeros(1, DType::F32, &Device::Cpu)?);
        let penalty = (l2_penalty(&w)? * 3.0)?;
        let losses = squared_loss(&linear_model(&x, &w, &b)?, &y)?.broadcast_add(&penalty)?;
        sgd(&[&w, &b], &losses, 0.1, 2)?;
        let by_penalty = w.flatten_all()?.to_vec1::<f32>()?;
        let decayed = Var::new(&[[1f32], [-2.0]], &Device::Cpu)?;
        let loss = mse_loss(&x.matmul(&decayed)?, &y, Reduction::Mean)?;
        Sgd::new(vec![decayed.clone()], 0.1).weight_decay(3.0).step(&loss.backward()?)?;
        for (a, b) in by_penalty.iter().zip(decayed.flatten_all()?.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-6, "{a} and {b}");
        }
        assert!((by_penalty[0] - 0.7).abs() < 1e-6, "{by_penalty:?}");
        Ok(())
    }
}
