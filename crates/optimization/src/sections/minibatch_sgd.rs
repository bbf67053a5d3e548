//! 11.5 Minibatch Stochastic Gradient Descent
//!
//! Why minibatches: what a processor does with whole matrices, and how soon each batch size brings the loss down.
//!
//! `cargo run --release -p optimization -- minibatch-sgd`
//! Half the squared error on the airfoil set ends between 0.242 and 0.255, whatever the batch size.

use std::time::Instant;

use d2l::data::ArrayLoader;
use d2l::nn::{Init, Linear};
use d2l::ops::mse_loss;
use d2l::prelude::*;
use d2l::random::normal;
use linear_nets::{linear_model, squared_loss};

use crate::Airfoil;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows and columns of the matrices that are multiplied
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub side: usize,
    /// Columns of a block
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub block: usize,
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
}

/// How the airfoil set is read, in all sections that compare algorithms on it.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Reading {
    /// Measurements to train on
    #[arg(long, default_value_t = 1500, value_parser = count)]
    pub num_examples: usize,
    /// Passes over them from scratch; the concise form makes twice as many, as in the book
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { side: 64, block: 16, num_examples: 300 } }

/// Measurements, on which all algorithms of the chapter are compared.
pub struct Data {
    /// `(n, 5)`
    features: Tensor,
    /// `(n, 1)`
    labels: Tensor,
    num_epochs: usize,
}

impl Reading {
    /// Loads the set and standardizes its columns.
    ///
    /// # Errors
    /// Where the set is damaged.
    pub fn load(&self, nb: &mut Notebook) -> anyhow::Result<Data> {
        let set = nb.load::<Airfoil>()?;
        let (features, labels) = set.standardized(self.num_examples, nb.device())?;
        let (n, columns) = features.dims2()?;
        nb.say(format!("{n} of {} measurements with {columns} features", set.len()))?;
        Ok(Data { features, labels, num_epochs: self.num_epochs })
    }
}

impl Data {
    /// For other than the usual number of epochs.
    fn epochs(&self, num_epochs: usize) -> Self {
        Self { features: self.features.clone(), labels: self.labels.clone(), num_epochs }
    }

    fn loader(&self, batch_size: usize, nb: &Notebook) -> anyhow::Result<ArrayLoader> {
        let shuffle = nb.stream(Purpose::Shuffling, "measurements");
        Ok(ArrayLoader::from_tensors(&self.features, &self.labels, batch_size)?.shuffled(shuffle))
    }

    /// Half the squared error over all measurements; half of it is what the book plots of both forms.
    fn loss(&self, net: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
        let losses = squared_loss(&net(&self.features)?, &self.labels)?.detach();
        Ok(f64::from(losses.mean_all()?.to_scalar::<f32>()?))
    }
}

/// The examples between two points of a curve.
const POINT_EVERY: usize = 200;

/// What an algorithm from scratch is handed for each parameter at a step: the parameter, its gradient, its own states,
/// and the number of the step from 1.
pub type Update<'a> = &'a dyn Fn(&Var, &Tensor, &[Var], usize) -> Result<()>;

/// Trains linear regression from scratch: `update` changes each parameter by its gradient and `states` tensors of its
/// shape, zero at first. Gives the history, whose `loss` is marked every 200 examples.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_ch11")]
pub fn train_scratch(
    nb: &Notebook,
    name: &str,
    data: &Data,
    batch_size: usize,
    states: usize,
    update: Update,
) -> anyhow::Result<History> {
    let mut stream = nb.stream(Purpose::Initialization, "w");
    let w = Var::from_tensor(&normal(&mut stream, 0.0, 0.01, (data.features.dim(1)?, 1), nb.device())?)?; // (5, 1)
    let b = Var::zeros(1, DType::F32, nb.device())?;
    let net = |x: &Tensor| linear_model(x, &w, &b);
    let zeros = |like: &Var| (0..states).map(|_| Var::from_tensor(&like.zeros_like()?)).collect::<Result<Vec<_>>>();
    let (w_states, b_states) = (zeros(&w)?, zeros(&b)?);

    let mut minibatches = data.loader(batch_size, nb)?;
    let steps = minibatches.batches();
    let trainer = nb.trainer(data.num_epochs).named(name).with(&[&w, &b]).with(&w_states).with(&b_states);
    let history =
        trainer.each_epoch(|epoch| epoch.metric("loss", data.loss(net)?)).run(&mut minibatches, |step, (x, y)| {
            let loss = squared_loss(&net(&x)?, &y)?.mean_all()?;
            let grads = backward(&loss)?;
            let number = (step.epoch() - 1) * steps + step.number();
            for (parameter, states) in [(&w, &w_states), (&b, &b_states)] {
                update(parameter, grads.get(parameter)?, states, number)?;
            }
            mark(step, batch_size, || data.loss(net))?;
            step.loss(&loss, y.elem_count())
        })?;
    Ok(history)
}

/// Puts a point on the curve of the loss every 200 examples.
fn mark(step: &mut Step, batch_size: usize, loss: impl FnOnce() -> Result<f64>) -> Result<()> {
    let seen = step.number() * batch_size;
    if seen / POINT_EVERY > (seen - batch_size) / POINT_EVERY {
        step.mark("loss", loss()?);
    }
    Ok(())
}

/// Trains linear regression with an optimizer of the library, made by `optimizer` from the net's parameters.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_concise_ch11")]
pub fn train_concise<O: Optimizer + Trained>(
    nb: &Notebook,
    name: &str,
    data: &Data,
    batch_size: usize,
    optimizer: impl FnOnce(&Parameters) -> O,
) -> anyhow::Result<History> {
    let parameters = nb.parameters();
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let inputs = data.features.dim(1)?;
    let net = Linear::with_init(inputs, 1, &parameters.builder().pp("linear"), weights, Init::Const(0.0))?;
    let mut optimizer = optimizer(&parameters);
    let mut minibatches = data.loader(batch_size, nb)?;
    let trainer = nb.trainer(2 * data.num_epochs).named(name).with(&parameters).with(&optimizer);
    let trainer = trainer.each_epoch(|epoch| epoch.metric("loss", data.loss(|x| net.forward(x))?));
    let history = trainer.run(&mut minibatches, |step, (x, y)| {
        let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?; // without the half
        optimizer.minimize(&loss)?;
        mark(step, batch_size, || data.loss(|x| net.forward(x)))?;
        step.loss(&loss, y.elem_count())
    })?;
    Ok(history)
}

/// Shows a training's loss over its epochs, its last value and the time of an epoch.
///
/// # Errors
/// Where an output cannot be written.
pub fn show_loss(nb: &mut Notebook, name: &str, history: &History) -> anyhow::Result<()> {
    let (epochs, losses) = history.fine_curve("loss");
    let chart = Chart::new().x_label("epoch").y_label("loss").y_range(0.22..0.35).unlabeled_line(&epochs, &losses);
    nb.figure(name, "Half the squared error by epoch", chart)?;
    let last = history.last("loss").unwrap_or(f64::NAN);
    let milliseconds = history.duration().as_secs_f64() * 1e3 / history.epochs().len() as f64;
    nb.say(format!("loss: {last:.3}, {milliseconds:.1} ms an epoch"))?;
    nb.metric(&format!("loss_{}", name.replace('-', "_")), last)
}

/// Minibatch gradient descent: `p ← p − η g`.
fn sgd(lr: f64) -> impl Fn(&Var, &Tensor, &[Var], usize) -> Result<()> {
    move |parameter, grad, _, _| parameter.set(&(parameter.as_detached_tensor() - (grad * lr)?)?)
}

/// The best of several times that `product` takes, in seconds, after a first run that is not counted.
fn seconds(product: &dyn Fn() -> Result<Tensor>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let started = Instant::now();
        product()?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The sizes of the processor's caches, as Linux tells them.
fn caches() -> Vec<String> {
    let read = |index: usize, what: &str| {
        std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}"))
            .map(|text| text.trim().to_string())
    };
    let describe = |index| {
        Some(format!("L{} {} {}", read(index, "level").ok()?, read(index, "type").ok()?, read(index, "size").ok()?))
    };
    (0..8).map_while(describe).collect()
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Vectorization and caches")?;
    let n = config.side;
    let (b, c) = (nb.normal((n, n))?, nb.normal((n, n))?);
    let columns = c.t()?.contiguous()?; // column j of C is row j here
    let by_elements = || -> Result<Tensor> {
        let mut a = Vec::with_capacity(n * n);
        for i in 0..n {
            let row = b.get(i)?;
            for j in 0..n {
                a.push((&row * columns.get(j)?)?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        Tensor::from_vec(a, (n, n), b.device())
    };
    let by_blocks = |width: usize| -> Result<Tensor> {
        let block = |j: usize| b.matmul(&c.narrow(1, j, width.min(n - j))?.contiguous()?);
        Tensor::cat(&(0..n).step_by(width).map(block).collect::<Result<Vec<_>>>()?, 1)
    };
    let whole = || b.matmul(&c);
    let error = (by_elements()? - whole()?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.say(format!("largest difference between element by element and all at once: {error:.1e}"))?;

    nb.cell("Four ways to multiply")?;
    // The same as element by element without a call of the library for each.
    let (rows, lines) = (b.to_vec2::<f32>()?, columns.to_vec2::<f32>()?);
    let on_slices = || {
        let dot = |row: &[f32], column: &[f32]| row.iter().zip(column).map(|(x, y)| x * y).sum::<f32>();
        let elements = rows.iter().flat_map(|row| lines.iter().map(|column| dot(row, column)));
        Tensor::from_vec(elements.collect(), (n, n), b.device())
    };
    let ways: [(&str, &str, usize, &dyn Fn() -> Result<Tensor>); 5] = [
        ("element by element, on slices", "gflops_slices", 0, &on_slices),
        ("element by element", "gflops_elements", 0, &by_elements),
        ("column by column", "gflops_columns", 1, &|| by_blocks(1)),
        ("in blocks of columns", "gflops_blocks", config.block, &|| by_blocks(config.block)),
        ("all at once", "gflops_whole", n, &whole),
    ];
    let mut table = Table::new(["A = B C", "ms", "GFLOP/s", "operations for a number that is read"]);
    for (way, metric, width, product) in ways {
        let (time, operations) = (seconds(product)?, 2.0 * (n * n * n) as f64);
        // For an element a row and a column are read; for a block of columns all of B and the block.
        let read = if width == 0 { 2.0 * (n * n * n) as f64 } else { ((n / width.min(n)) * n * (n + width)) as f64 };
        let gflops = operations / time / 1e9;
        table.row([
            way.into(),
            format!("{:.2}", time * 1e3),
            format!("{gflops:.2}"),
            format!("{:.1}", operations / read),
        ]);
        nb.metric(metric, gflops)?;
    }
    nb.say(table)?;
    let kilobytes = n * n * size_of::<f32>() / 1024;
    nb.say(format!("a matrix has {kilobytes} KiB; caches: {}", caches().join(", ")))?;
    let large = Tensor::zeros(1 << 24, DType::F32, b.device())?; // 64 MiB, more than a core's caches hold
    let copied = 2.0 * (1u64 << 26) as f64 / seconds(&|| large.copy())? / 1e9;
    nb.say(format!("memory: {copied:.1} GB/s read and written in a copy"))?;
    nb.metric("memory_gb_per_second", copied)?;

    nb.cell("Reading the dataset")?;
    let data = config.reading.load(nb)?;

    nb.cell("Implementation from scratch")?;
    let runs = [("gd", 1500, 1.0, 10), ("sgd", 1, 0.005, 2), ("batch-100", 100, 0.4, 2), ("batch-10", 10, 0.05, 2)];
    let mut chart = Chart::new().x_label("time (s)").y_label("loss").log_x().y_range(0.23..0.35);
    let mut speeds = Table::new(["batch size", "epochs", "loss", "ms an epoch"]);
    for (name, batch_size, lr, num_epochs) in runs {
        let batch_size = batch_size.min(data.features.dim(0)?);
        let num_epochs = if num_epochs == 2 { config.reading.num_epochs } else { num_epochs };
        let history = train_scratch(nb, name, &data.epochs(num_epochs), batch_size, 0, &sgd(lr))?;
        let times = history.points().iter().map(|point| point.seconds);
        let losses = history.points().iter().map(|point| point.metrics.iter().find(|(name, _)| name == "loss"));
        let (times, losses): (Vec<f64>, Vec<f64>) =
            times.zip(losses).filter_map(|(time, loss)| Some((time, loss?.1))).unzip();
        chart = chart.line(name, &times, &losses);
        let last = history.last("loss").unwrap_or(f64::NAN);
        let milliseconds = history.duration().as_secs_f64() * 1e3 / num_epochs as f64;
        speeds.row([
            batch_size.to_string(),
            num_epochs.to_string(),
            format!("{last:.3}"),
            format!("{milliseconds:.1}"),
        ]);
        nb.metric(&format!("loss_{}", name.replace('-', "_")), last)?;
    }
    nb.say(speeds)?;
    nb.figure("loss-over-time", "Loss against seconds of training on a logarithmic axis, by batch size", chart)?;

    nb.cell("Concise implementation")?;
    let history = train_concise(nb, "concise", &data, 10, |parameters| Sgd::new(parameters, 0.05))?;
    show_loss(nb, "concise", &history)
}

#[cfg(test)]
mod tests {
    use d2l::train::evaluate_loss;

    use super::*;

    #[test]
    fn the_loss_is_half_the_squared_error_over_all() -> anyhow::Result<()> {
        let features = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
        let labels = Tensor::new(&[[3f32], [2.0]], &Device::Cpu)?;
        let data = Data { features, labels, num_epochs: 1 };
        assert_eq!(data.loss(|x| Ok(x.clone()))?, 1.0);
        let mut all = ArrayLoader::from_tensors(&data.features, &data.labels, 1)?;
        assert_eq!(evaluate_loss(&|x: &Tensor| Ok(x.clone()), &mut all, squared_loss)?, 1.0);
        Ok(())
    }

    #[test]
    fn a_step_goes_against_the_gradient() -> Result<()> {
        let parameter = Var::new(&[1f32, 2.0], &Device::Cpu)?;
        sgd(0.5)(&parameter, &Tensor::new(&[2f32, -2.0], &Device::Cpu)?, &[], 1)?;
        assert_eq!(parameter.to_vec1::<f32>()?, [0.0, 3.0]);
        Ok(())
    }
}
