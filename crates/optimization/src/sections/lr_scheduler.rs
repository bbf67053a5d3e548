//! 11.11 Learning Rate Scheduling
//!
//! One convolutional net trained with a constant learning rate and with four that follow a schedule.
//!
//! `cargo run --release -p optimization -- lr-scheduler` trains on a fifth of the images; `--scale book` on all of them.
//! Falling rates end with smoother curves; the constant one has the least training loss and no better test accuracy.

use d2l::data::fashion_mnist::{FashionMnist, ImageLoader};
use d2l::nn::{Conv2d, Flatten, Linear, MaxPool2d};
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, Pool2dConfig, relu};
use d2l::optim::schedule::{self, Cosine};
use d2l::prelude::*;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// The constant learning rate
    #[arg(long, default_value_t = 0.3, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 30, value_parser = count)]
    pub num_epochs: usize,
    /// Training images; with fewer than all, a third as many test images
    #[arg(long, default_value_t = 60_000, value_parser = within::<1, 60_000>)]
    pub examples: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { examples: 12000 }
    Smoke { examples: 512, num_epochs: 3 }
}

/// LeNet with ReLU and max pooling in the place of the sigmoid and average pooling.
pub fn net(vb: &VarBuilder) -> Result<Sequential> {
    let padded = Conv2dConfig { padding: (2, 2), ..Conv2dConfig::default() };
    let halve = MaxPool2d(Pool2dConfig::new((2, 2)));
    Sequential::with_parameters(vb)
        .layer("conv1", |vb| Conv2d::new(1, 6, (5, 5), padded, vb))? // (batch, 6, 28, 28)
        .add(relu)
        .add(halve) // (batch, 6, 14, 14)
        .layer("conv2", |vb| Conv2d::new(6, 16, (5, 5), Conv2dConfig::default(), vb))? // (batch, 16, 10, 10)
        .add(relu)
        .add(halve) // (batch, 16, 5, 5)
        .add(Flatten) // (batch, 400)
        .layer("linear1", |vb| Linear::new(400, 120, vb))?
        .add(relu)
        .layer("linear2", |vb| Linear::new(120, 84, vb))?
        .add(relu)
        .layer("output", |vb| Linear::new(84, 10, vb)) // (batch, 10)
}

/// The loaders of the images that are trained on and tested with.
fn loaders(config: &Config, nb: &mut Notebook) -> anyhow::Result<(ImageLoader, ImageLoader)> {
    let shuffle = nb.stream(Purpose::Shuffling, "training images");
    let mut set = nb.load::<FashionMnist>()?;
    if config.examples < set.train.len() {
        let tests = config.examples.div_ceil(3).min(set.test.len());
        (set.train, set.test) = (set.train.first(config.examples)?, set.test.first(tests)?);
    }
    Ok(set.loaders(config.batch_size, None, shuffle, nb.device())?)
}

/// The losses and accuracies that trainings end with.
struct Comparison(Table);

impl Comparison {
    fn add(&mut self, name: &str, history: &History) {
        let last = |metric| history.last(metric).unwrap_or(f64::NAN);
        let [loss, train, test] = ["train_loss", "train_acc", "test_acc"].map(last);
        self.0.row([name.into(), format!("{loss:.3}"), format!("{train:.3}"), format!("{test:.3}")]);
    }
}

/// Trains the net, at the learning rate that `rate` gives each epoch, and shows the training.
fn train(
    nb: &mut Notebook,
    name: &str,
    config: &Config,
    rate: impl Fn(usize) -> f64,
    comparison: &mut Comparison,
) -> anyhow::Result<()> {
    let (mut images, mut test) = loaders(config, nb)?;
    let parameters = nb.parameters();
    let net = net(&parameters.builder())?;
    let mut optimizer = Sgd::new(&parameters, rate(0));
    let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters).schedule(rate);
    let history = trainer.fit_classifier(&net, &mut images, &mut test, &mut optimizer)?;
    comparison.add(name, &history);
    nb.training_of(name, &history)
}

/// Draws the learning rate of the first epochs.
fn show_schedule(nb: &mut Notebook, name: &str, epochs: usize, rate: impl Fn(usize) -> f64) -> anyhow::Result<()> {
    let epochs: Vec<usize> = (0..epochs).collect();
    let rates: Vec<f64> = epochs.iter().map(|&epoch| rate(epoch)).collect();
    let chart = Chart::new().x_label("epoch").y_label("learning rate").unlabeled_line(&epochs, &rates);
    nb.figure(&format!("rate-{name}"), "The learning rate by epoch", chart)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Toy problem")?;
    let mut comparison = Comparison(Table::new(["schedule", "train loss", "train acc", "test acc"]));
    train(nb, "constant", config, |_| config.lr, &mut comparison)?;

    nb.cell("Schedulers")?;
    let mut optimizer = Sgd::new([&Var::new(1f32, nb.device())?], config.lr);
    optimizer.set_learning_rate(0.1);
    nb.say(format!("learning rate is now {:.2}", optimizer.learning_rate()))?;

    nb.cell("Square root")?;
    let square_root = |epoch| schedule::square_root(0.1, epoch);
    show_schedule(nb, "square-root", config.num_epochs, square_root)?;
    train(nb, "square-root", config, square_root, &mut comparison)?;

    nb.cell("Factor scheduler")?;
    // The book's scheduler multiplies before its first answer, hence the 1.
    show_schedule(nb, "factor", 60, |epoch| schedule::factor(2.0, epoch + 1, 0.9, 1e-2))?;

    nb.cell("Multi-factor scheduler")?;
    let multi_factor = |epoch| schedule::multi_step(0.5, epoch, &[15, 30], 0.5);
    show_schedule(nb, "multi-factor", config.num_epochs, multi_factor)?;
    train(nb, "multi-factor", config, multi_factor, &mut comparison)?;

    nb.cell("Cosine scheduler")?;
    let cosine = Cosine { initial: 0.3, last: 0.01, steps: 20, ..Cosine::default() };
    show_schedule(nb, "cosine", config.num_epochs, |epoch| cosine.at(epoch))?;
    train(nb, "cosine", config, |epoch| cosine.at(epoch), &mut comparison)?;

    nb.cell("Warmup")?;
    let warmup = Cosine { warmup_steps: 5, ..cosine };
    show_schedule(nb, "warmup", config.num_epochs, |epoch| warmup.at(epoch))?;
    train(nb, "warmup", config, |epoch| warmup.at(epoch), &mut comparison)?;

    nb.cell("Side by side")?;
    nb.say(comparison.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let random = Random::new(1);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = net(&parameters.builder())?;
        let images = d2l::random::normal(
            &mut random.stream(Purpose::Sampling, "images"),
            0.0,
            1.0,
            (4, 1, 28, 28),
            &Device::Cpu,
        )?;
        let loss = cross_entropy(
            &net.forward_t(&images, true)?,
            &Tensor::new(&[0u32, 3, 5, 9], &Device::Cpu)?,
            Reduction::Mean,
        )?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }
}
