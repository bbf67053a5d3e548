//! 4.5 Weight Decay
//!
//! Linear regression with 200 inputs and 20 examples, with and without a penalty on the size of the weights.
//!
//! `cargo run --release -p mlp -- weight-decay`
//! With λ = 3 the norm of the weights ends below 0.5, without it above 10; the test loss falls with it.

use d2l::data::ArrayLoader;
use d2l::nn::{Init, Linear};
use d2l::ops::mse_loss;
use d2l::optim::ParameterGroup;
use d2l::plot::Panels;
use d2l::prelude::*;
use d2l::random::normal;
use d2l::train::evaluate_loss;
use linear_nets::{linear_model, sgd, squared_loss, synthetic_data};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Inputs of the linear model
    #[arg(long, default_value_t = 200, value_parser = count)]
    pub num_inputs: usize,
    /// Training examples
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_train: usize,
    /// Test examples
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_test: usize,
    /// Examples a minibatch
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub batch_size: usize,
    /// The weight decay λ of the second training
    #[arg(long, default_value_t = 3.0, value_parser = positive)]
    pub weight_decay: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.003, value_parser = positive)]
    pub lr: f64,
    /// Passes over the examples
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config }

/// Half the squared L2 norm of the weights, a scalar.
pub fn l2_penalty(w: &Tensor) -> Result<Tensor> {
    w.sqr()?.sum_all()? / 2.0
}

/// The L2 norm of the weights.
pub fn l2_norm(w: &Tensor) -> Result<f64> {
    Ok(f64::from(w.detach().sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
}

/// Tells the trainer to measure the losses of `net` on both sets each five epochs: `train` and `test` of the history.
fn measured<'a>(
    trainer: Trainer<'a>,
    net: &'a impl ModuleT,
    train: &'a mut ArrayLoader,
    test: &'a mut ArrayLoader,
) -> Trainer<'a> {
    trainer.each_epoch(move |epoch| {
        if epoch.every(5) {
            epoch.metric("train", evaluate_loss(net, train, squared_loss)?)?;
            epoch.metric("test", evaluate_loss(net, test, squared_loss)?)?;
        }
        Ok(())
    })
}

/// A training's history and the norm of the weights that it ended with.
type Outcome = (History, f64);

/// Shows two trainings, the first without decay, side by side.
fn show_both(nb: &mut Notebook, kind: &str, decay: f64, without: &Outcome, with: &Outcome) -> anyhow::Result<()> {
    let mut table = Table::new(["λ", "train loss", "test loss", "norm of w"]);
    let last = |history: &History, set| history.last(set).unwrap_or(f64::NAN);
    let mut charts = Vec::new();
    for (decay, (history, norm)) in [(0.0, without), (decay, with)] {
        let (train, test) = (last(history, "train"), last(history, "test"));
        table.row([decay.to_string(), format!("{train:.2e}"), format!("{test:.3}"), format!("{norm:.3}")]);
        let chart = Chart::new().size(420, 300).x_label("epoch").y_label("loss").log_y();
        charts.push(["train", "test"].iter().fold(chart.title(format!("λ = {decay}")), |chart, set| {
            let (epochs, losses) = history.curve(set);
            chart.line(*set, &epochs, &losses)
        }));
    }
    nb.say(table)?;
    let alt = "Training and test loss by epoch, without weight decay on the left, with it on the right";
    nb.figure(kind, alt, Panels::new(2, charts).same_y())?;
    nb.metric(&format!("w_norm_{kind}"), with.1)?;
    nb.metric(&format!("norm_ratio_{kind}"), without.1 / with.1)?;
    nb.metric(&format!("test_loss_{kind}"), last(&with.0, "test"))?;
    nb.metric(&format!("test_loss_without_decay_{kind}"), last(&without.0, "test"))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("High-dimensional linear regression")?;
    let (inputs, device) = (config.num_inputs, nb.device().clone());
    let true_w = Tensor::full(0.01f32, (inputs, 1), &device)?;
    let (x, y) = synthetic_data(&true_w, 0.05, config.num_train, nb)?;
    let mut train_set = ArrayLoader::from_tensors(&x, &y, config.batch_size)?;
    let shuffle = nb.stream(Purpose::Shuffling, "training examples");
    let mut minibatches = ArrayLoader::from_tensors(&x, &y, config.batch_size)?.shuffled(shuffle);
    let (x, y) = synthetic_data(&true_w, 0.05, config.num_test, nb)?;
    let mut test_set = ArrayLoader::from_tensors(&x, &y, config.batch_size)?;
    nb.say(format!("{} training examples for {inputs} weights", train_set.examples()))?;

    nb.cell("Implementation from scratch")?;
    let mut from_scratch = |nb: &Notebook, name, decay: f64| -> anyhow::Result<Outcome> {
        let mut stream = nb.stream(Purpose::Initialization, "w");
        let w = Var::from_tensor(&normal(&mut stream, 0.0, 1.0, (inputs, 1), &device)?)?;
        let b = Var::zeros(1, DType::F32, &device)?;
        let net = |x: &Tensor| linear_model(x, &w, &b);
        let trainer = nb.trainer(config.num_epochs).named(name).with(&[&w, &b]);
        let trainer = measured(trainer, &net, &mut train_set, &mut test_set);
        let history = trainer.run(&mut minibatches, |step, (x, y)| {
            let penalty = (l2_penalty(&w)? * decay)?;
            let losses = squared_loss(&net(&x)?, &y)?.broadcast_add(&penalty)?; // (batch, 1)
            sgd(&[&w, &b], &losses, config.lr, losses.elem_count())?;
            step.losses(&losses)
        })?;
        Ok((history, l2_norm(&w)?))
    };
    let without = from_scratch(nb, "scratch-without-decay", 0.0)?;
    let with = from_scratch(nb, "scratch-with-decay", config.weight_decay)?;
    show_both(nb, "scratch", config.weight_decay, &without, &with)?;

    nb.cell("Concise implementation")?;
    let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
    let mut concise = |nb: &Notebook, name, decay: f64, bias: Init| -> anyhow::Result<Outcome> {
        let parameters = nb.parameters();
        let net = Linear::with_init(inputs, 1, &parameters.builder().pp("output"), normal, bias)?;
        // The decay is for the weight alone: the bias is its own group.
        let mut weight = parameters.trained();
        let bias = weight.split_off(1);
        let groups = [ParameterGroup::new(weight).weight_decay(decay), ParameterGroup::new(bias)];
        let mut optimizer = Sgd::new(groups, config.lr);
        let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters).with(&optimizer);
        let trainer = measured(trainer, &net, &mut train_set, &mut test_set);
        let history = trainer.run(&mut minibatches, |step, (x, y)| {
            let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.loss(&loss, y.elem_count())
        })?;
        Ok((history, l2_norm(net.weight())?))
    };
    let without = concise(nb, "concise-without-decay", 0.0, normal)?;
    let with = concise(nb, "concise-with-decay", config.weight_decay, normal)?;
    show_both(nb, "concise", config.weight_decay, &without, &with)?;

    nb.cell("With the bias from zero")?;
    let (history, norm) = concise(nb, "concise-bias-from-zero", config.weight_decay, Init::Const(0.0))?;
    let test_loss = history.last("test").unwrap_or(f64::NAN);
    nb.say(format!("λ = {}: test loss {test_loss:.3}, norm of w {norm:.3}", config.weight_decay))?;
    nb.metric("test_loss_bias_from_zero", test_loss)
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
        Sgd::new([&decayed], 0.1).weight_decay(3.0).minimize(&loss)?;
        for (a, b) in by_penalty.iter().zip(decayed.flatten_all()?.to_vec1::<f32>()?) {
            assert!((a - b).abs() < 1e-6, "{a} and {b}");
        }
        assert!((by_penalty[0] - 0.7).abs() < 1e-6, "{by_penalty:?}");
        Ok(())
    }
}
