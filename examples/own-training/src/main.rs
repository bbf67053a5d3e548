//! A classifier of two spirals, trained with `d2l` in a crate of its own: layers, optimizer, loader and trainer, and
//! nothing of the notebook.
//!
//! `cargo run --release` trains it; `cargo test` holds that it learns.

use std::error::Error;
use std::f64::consts::TAU;

use candle_core::{Device, Result, Tensor};
use d2l::data::ArrayLoader;
use d2l::nn::{Linear, ModuleT, Parameters, Sequential};
use d2l::ops::{Reduction, cross_entropy, tanh};
use d2l::optim::{Adam, Optimizer};
use d2l::random::{Purpose, Random};
use d2l::train::{EpochRecord, History, Monitor, Trainer, evaluate_accuracy};

/// Points of two spirals `(2n, 2)` and the spiral of each `(2n)`.
fn spirals(n: usize) -> Result<(Tensor, Tensor)> {
    let point = |i: usize| {
        let (arm, along) = ((i % 2) as f64, (i / 2) as f64 / n as f64);
        let angle = along * TAU + arm * TAU / 2.0;
        [(along * angle.cos()) as f32, (along * angle.sin()) as f32]
    };
    let points: Vec<f32> = (0..2 * n).flat_map(point).collect();
    let labels: Vec<u32> = (0..2 * n as u32).map(|i| i % 2).collect();
    Ok((Tensor::from_vec(points, (2 * n, 2), &Device::Cpu)?, Tensor::new(labels, &Device::Cpu)?))
}

/// Prints every fiftieth epoch.
struct Printer;

impl Monitor for Printer {
    fn epoch(&mut self, epoch: &EpochRecord) {
        if epoch.epoch.is_multiple_of(50) {
            println!("epoch {}: {:?}", epoch.epoch, epoch.metrics);
        }
    }
}

fn train(num_epochs: usize) -> std::result::Result<History, Box<dyn Error + Send + Sync>> {
    let random = Random::new(42);
    let (x, y) = spirals(100)?;
    let mut train = ArrayLoader::from_tensors(&x, &y, 20)?.shuffled(random.stream(Purpose::Shuffling, "points"));
    let mut test = ArrayLoader::from_tensors(&x, &y, 200)?;
    let parameters = Parameters::new(&random, &Device::Cpu);
    let net = Sequential::with_parameters(&parameters.builder())
        .layer("hidden1", |vb| Linear::new(2, 32, vb))?
        .add(tanh)
        .layer("hidden2", |vb| Linear::new(32, 32, vb))?
        .add(tanh)
        .layer("output", |vb| Linear::new(32, 2, vb))?;
    let mut optimizer = Adam::new(&parameters, 0.01);
    let trainer = Trainer::new(num_epochs).random(&random).monitor(Printer).with(&parameters).with(&optimizer);
    let trainer = trainer.each_epoch(|epoch| epoch.metric("test_acc", evaluate_accuracy(&net, &mut test)?));
    Ok(trainer.run(&mut train, |step, (x, y)| {
        let logits = net.forward_t(&x, true)?;
        let loss = cross_entropy(&logits, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.accuracy(&logits, &y)?;
        step.loss(&loss, y.elem_count())
    })?)
}

fn main() -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    let history = train(200)?;
    println!("{:.0} examples a second", history.per_second());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_spirals_are_told_apart() {
        let history = super::train(200).expect("a training");
        assert!(history.last("test_acc") > Some(0.98), "{:?}", history.last("test_acc"));
    }
}
