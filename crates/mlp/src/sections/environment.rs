//! 4.9 Environment and Distribution Shift
//!
//! Two shifts between training and use, each corrected by weights: of the inputs, with weights from a trained
//! discriminator, and of the labels, with weights from the confusion matrix.
//!
//! `cargo run --release -p mlp -- environment`
//! A few seconds: weighting lowers the error on shifted inputs to less than half, and raises the accuracy on shifted
//! labels by some five points.

use d2l::data::Repeat;
use d2l::nn::Linear;
use d2l::notebook::at_least;
use d2l::ops::{CrossEntropy, binary_cross_entropy_with_logits, cross_entropy_with, mse_loss};
use d2l::optim::Adam;
use d2l::plot::Panels;
use d2l::prelude::*;
use d2l::random::normal;
use d2l::train::count_correct;
use rand::Rng;

use crate::label_shift::{confusion, shares, solve};

/// Settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples of the source, and of the target
    #[arg(long, default_value_t = 1000, value_parser = at_least::<10>)]
    pub num_examples: usize,
    /// Steps of each training, on all examples at once
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_steps: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.05, value_parser = positive)]
    pub lr: f64,
    /// The largest weight that an example can get
    #[arg(long, default_value_t = 20.0, value_parser = positive)]
    pub max_weight: f64,
}

defaults! { Config }

/// The mean and standard deviation of the inputs where the model learns, and where it is used.
const SOURCE: (f64, f64) = (0.0, 1.0);
const TARGET: (f64, f64) = (1.5, 0.5);
/// The shares of the three classes where the model learns, and where it is used.
const SOURCE_SHARES: [f64; 3] = [0.34, 0.33, 0.33];
const TARGET_SHARES: [f64; 3] = [0.05, 0.15, 0.80];

/// Minimizes an objective of all examples, a step an epoch.
fn minimize(
    trainer: Trainer<'_>,
    lr: f64,
    parameters: &Parameters,
    objective: impl Fn() -> Result<Tensor>,
) -> anyhow::Result<()> {
    let mut optimizer = Adam::new(parameters, lr);
    trainer.with(parameters).with(&optimizer).run(&mut Repeat(1), |step, ()| {
        let loss = objective()?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, 1)
    })?;
    Ok(())
}

/// The features of the discriminator: `x` and its square, `(n, 1)` to `(n, 2)`. The log-ratio of two normal densities is
/// a linear function of them.
fn with_square(x: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[x, &x.sqr()?], 1)
}

/// Learns to tell the inputs of the target from those of the source, both `(n, 1)` and of one size.
pub fn discriminator(
    trainer: Trainer<'_>,
    lr: f64,
    source: &Tensor,
    target: &Tensor,
    parameters: &Parameters,
) -> anyhow::Result<Linear> {
    let net = Linear::new(2, 1, &parameters.builder().pp("discriminator"))?;
    let features = with_square(&Tensor::cat(&[source, target], 0)?)?; // (2n, 2)
    let is_target = Tensor::cat(&[source.zeros_like()?, target.ones_like()?], 0)?; // (2n, 1)
    minimize(trainer, lr, parameters, || {
        binary_cross_entropy_with_logits(&net.forward(&features)?, &is_target, Reduction::Mean)
    })?;
    Ok(net)
}

/// The weights of inputs `(n, 1)`: the odds that they come from the target, which are the ratio of the densities.
pub fn weights(discriminator: &Linear, x: &Tensor, max_weight: f64) -> Result<Tensor> {
    discriminator.forward(&with_square(x)?)?.detach().exp()?.clamp(0.0, max_weight)
}

/// Draws labels with the given shares, and for each a point around its class's corner of a triangle: `(n, 2)` and `(n)`.
fn three_classes(n: usize, shares: [f64; 3], stream: &mut Stream, device: &Device) -> Result<(Tensor, Tensor)> {
    let corners = Tensor::new(&[[0f32, 0.0], [2.0, 0.0], [1.0, 1.7]], device)?;
    let draw = |_| {
        let share: f64 = stream.random();
        u32::from(share >= shares[0]) + u32::from(share >= shares[0] + shares[1])
    };
    let labels = Tensor::from_iter((0..n).map(draw).collect::<Vec<u32>>(), device)?;
    let noise = normal(stream, 0.0, 1.0, (n, 2), device)?;
    Ok(((corners.index_select(&labels, 0)? + noise)?, labels))
}

/// Mean squared error of a line on examples `(n, 1)`.
fn error(line: &Linear, x: &Tensor, y: &Tensor) -> Result<f64> {
    Ok(f64::from(mse_loss(&line.forward(x)?, y, Reduction::Mean)?.to_scalar::<f32>()?))
}

/// The share of correct predictions for points `(n, 2)`.
fn accuracy(net: &Linear, x: &Tensor, y: &Tensor) -> Result<f64> {
    Ok(count_correct(&net.forward(x)?, y)? / y.elem_count() as f64)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Covariate shift")?;
    let n = config.num_examples;
    let device = nb.device().clone();
    let mut draw = |(mean, std): (f64, f64)| -> Result<(Tensor, Tensor)> {
        let x = normal(nb.sampling(), mean, std, (n, 1), &device)?;
        let noise = normal(nb.sampling(), 0.0, 0.1, (n, 1), &device)?;
        let y = (x.sin()? + noise)?; // the same relation on both sides
        Ok((x, y))
    };
    let (source, target) = (draw(SOURCE)?, draw(TARGET)?);
    let (lr, trainer) = (config.lr, |nb: &Notebook, name: &str| nb.trainer(config.num_steps).named(name));
    let discriminator = discriminator(trainer(nb, "discriminator"), lr, &source.0, &target.0, &nb.parameters())?;
    let ratio = weights(&discriminator, &source.0, config.max_weight)?; // (n, 1)
    let fit_line = |name: &str, weights: &Tensor| -> anyhow::Result<Linear> {
        let (parameters, (x, y)) = (nb.parameters(), &source);
        let line = Linear::new(1, 1, &parameters.builder().pp("line"))?;
        minimize(trainer(nb, name), lr, &parameters, || {
            (mse_loss(&line.forward(x)?, y, Reduction::None)? * weights)?.sum_all()? / weights.sum_all()?
        })?;
        Ok(line)
    };
    let (unweighted, weighted) = (fit_line("unweighted", &ratio.ones_like()?)?, fit_line("weighted", &ratio)?);
    let mut table = Table::new(["line fitted to the source", "error on the source", "error on the target"]);
    let errors =
        |line| Ok::<_, anyhow::Error>([error(line, &source.0, &source.1)?, error(line, &target.0, &target.1)?]);
    let (plain, corrected) = (errors(&unweighted)?, errors(&weighted)?);
    for (name, [on_source, on_target]) in [("unweighted", plain), ("weighted", corrected)] {
        table.row([name.into(), format!("{on_source:.4}"), format!("{on_target:.4}")]);
    }
    nb.say(table)?;
    nb.metric("target_error_unweighted", plain[1])?;
    nb.metric("target_error_weighted", corrected[1])?;
    nb.metric("covariate_gain", plain[1] / corrected[1])?;

    nb.cell("The weights and the lines")?;
    let points: Vec<f32> = (-75..=75).map(|i| i as f32 / 25.0).collect();
    let grid = Tensor::new(&points[..], &device)?.unsqueeze(1)?; // (151, 1)
    let list = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    let density = |x: f32, (mean, std): (f64, f64)| (-((f64::from(x) - mean) / std).powi(2) / 2.0).exp() / std;
    let truth: Vec<f64> = points.iter().map(|&x| density(x, TARGET) / density(x, SOURCE)).collect();
    let learned = list(&weights(&discriminator, &grid, config.max_weight)?)?;
    let ratios = Chart::new().x_label("x").y_label("weight").line("ratio of the densities", &points, &truth);
    let ratios = ratios.line("from the discriminator", &points, &learned);
    let lines = Chart::new().x_label("x").y_label("y").x_range(-3.0..3.0).y_range(-1.6..1.6);
    let lines = lines
        .scatter("source", &list(&source.0)?, &list(&source.1)?, 2.0)
        .scatter("target", &list(&target.0)?, &list(&target.1)?, 2.0)
        .line("unweighted", &points, &list(&unweighted.forward(&grid)?)?)
        .line("weighted", &points, &list(&weighted.forward(&grid)?)?);
    let panels = Panels::new(2, [ratios, lines].map(|chart| chart.size(420, 320)));
    nb.figure(
        "covariate-shift",
        "Weights by input beside the true ratio of the densities, and the lines fitted with and without weights",
        panels,
    )?;

    nb.cell("Label shift")?;
    let mut draw = |shares| three_classes(n, shares, nb.sampling(), &device);
    let (source, held_out, target) = (draw(SOURCE_SHARES)?, draw(SOURCE_SHARES)?, draw(TARGET_SHARES)?);
    let equal = Tensor::ones(3, DType::F32, &device)?;
    let classify = |nb: &Notebook, name: &str, class_weights: &Tensor| -> anyhow::Result<Linear> {
        let (parameters, (x, y)) = (nb.parameters(), &source);
        let net = Linear::new(2, 3, &parameters.builder().pp("output"))?;
        let options = CrossEntropy { class_weights: Some(class_weights), ..CrossEntropy::default() };
        minimize(trainer(nb, name), lr, &parameters, || cross_entropy_with(&net.forward(x)?, y, &options))?;
        Ok(net)
    };
    let net = classify(nb, "classes", &equal)?;
    let predict = |x: &Tensor| net.forward(x)?.argmax(1)?.to_vec1::<u32>();
    let matrix: [[f64; 3]; 3] = confusion(&predict(&held_out.0)?, &held_out.1.to_vec1::<u32>()?);
    let predicted: [f64; 3] = shares(&predict(&target.0)?);
    for row in matrix {
        nb.say(format!("confusion {row:.3?}"))?;
    }
    nb.say(format!("predicted on the target {predicted:.3?}"))?;

    nb.cell("Label shift correction")?;
    let solution = solve(matrix, predicted)?;
    let held: [f64; 3] = solution.map(|share| share.max(0.0)); // noise can make a rare class negative
    let truth: [f64; 3] = shares(&target.1.to_vec1::<u32>()?);
    let before: [f64; 3] = shares(&source.1.to_vec1::<u32>()?);
    let class_weights: [f32; 3] = std::array::from_fn(|class| (held[class] / before[class]) as f32);
    let corrected = classify(nb, "classes-corrected", &Tensor::new(&class_weights, &device)?)?;
    let mut table = Table::new(["class", "in the source", "predicted", "estimated", "in the target", "weight"]);
    for class in 0..3 {
        let shares = [before[class], predicted[class], held[class], truth[class], f64::from(class_weights[class])];
        let [a, b, c, d, e] = shares.map(|share| format!("{share:.3}"));
        table.row([class.to_string(), a, b, c, d, e]);
    }
    nb.say(table)?;
    let distance = held.iter().zip(truth).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let (plain, corrected) = (accuracy(&net, &target.0, &target.1)?, accuracy(&corrected, &target.0, &target.1)?);
    nb.say(format!("accuracy on the target: {plain:.3} before, {corrected:.3} with the weights"))?;
    nb.metric("share_error", distance)?;
    nb.metric("target_acc_unweighted", plain)?;
    nb.metric("target_acc_weighted", corrected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discriminator_finds_the_ratio_of_two_normal_densities() -> anyhow::Result<()> {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        let source = normal(&mut stream, 0.0, 1.0, (5000, 1), &Device::Cpu)?;
        let target = normal(&mut stream, 0.5, 1.0, (5000, 1), &Device::Cpu)?;
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let discriminator = discriminator(Trainer::new(300), 0.05, &source, &target, &parameters)?;
        let weights = weights(&discriminator, &source, 20.0)?.flatten_all()?.to_vec1::<f32>()?;
        let x = source.flatten_all()?.to_vec1::<f32>()?;
        for (weight, x) in weights.iter().zip(x).filter(|(_, x)| x.abs() < 1.0) {
            let ratio = (0.5 * x - 0.125).exp();
            assert!((weight / ratio - 1.0).abs() < 0.15, "{weight} for {ratio} at {x}");
        }
        Ok(())
    }
}
