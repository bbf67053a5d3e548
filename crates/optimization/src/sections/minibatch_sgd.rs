//! 11.5 Minibatch Stochastic Gradient Descent
//!
//! Why minibatches: what a processor does with whole matrices, and how soon each batch size brings the loss down.
//!
//! `cargo run --release -p optimization -- minibatch-sgd`
//! Half the mean squared error on the airfoil set ends between 0.242 and 0.255, whatever the batch size.

use std::time::Instant;

use d2l::notebook::within;
use d2l::prelude::*;
use d2l::train::Point;

use crate::airfoil_regression::{AirfoilSettings, Algorithm, show_loss, train_concise, train_scratch};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows and columns of the matrices that are multiplied
    #[arg(long, default_value_t = 256, value_parser = within::<1, 4096>)]
    pub side: usize,
    /// Columns of a block
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub block: usize,
    #[command(flatten)]
    #[serde(flatten)]
    pub airfoil: AirfoilSettings,
}

defaults! { Config: Smoke { side: 64, block: 16, num_examples: 300 } }

/// Minibatch gradient descent: `p ← p − η g`.
fn sgd(lr: f64) -> Algorithm {
    Algorithm::new(0, move |parameter, grad, _, _| parameter.set(&(parameter.as_detached_tensor() - (grad * lr)?)?))
}

/// The least of the seconds that four runs of `product` take; the first warms the caches for the others.
fn seconds(product: &dyn Fn() -> Result<Tensor>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let started = Instant::now();
        product()?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// A way to multiply: its name, that of its metric, the columns of a block (0 for single elements), and the product.
type Way<'a> = (&'static str, &'static str, usize, &'a dyn Fn() -> Result<Tensor>);

/// The sizes of the processor's caches, where the system tells them in files as Linux does.
fn caches() -> String {
    let read = |index: usize, what: &str| {
        std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}"))
            .map(|text| text.trim().to_string())
    };
    let describe = |index| {
        Some(format!("L{} {} {}", read(index, "level").ok()?, read(index, "type").ok()?, read(index, "size").ok()?))
    };
    let caches: Vec<String> = (0..8).map_while(describe).collect();
    if caches.is_empty() { "not told by this system".to_string() } else { caches.join(", ") }
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
    // The same as element by element without a call of the library for each.
    let (rows, lines) = (b.to_vec2::<f32>()?, columns.to_vec2::<f32>()?);
    let on_slices = || {
        let dot = |row: &[f32], column: &[f32]| row.iter().zip(column).map(|(x, y)| x * y).sum::<f32>();
        let elements = rows.iter().flat_map(|row| lines.iter().map(|column| dot(row, column)));
        Tensor::from_vec(elements.collect(), (n, n), b.device())
    };
    let mut error = 0f32;
    for product in [by_elements()?, on_slices()?, by_blocks(1)?, by_blocks(config.block)?] {
        error = error.max((product - whole()?)?.abs()?.max_all()?.to_scalar::<f32>()?);
    }
    nb.say(format!("largest difference from the product all at once: {error:.1e}"))?;
    nb.metric("product_difference", f64::from(error))?;

    nb.cell("Ways to multiply, timed")?;
    let ways: [Way; 5] = [
        ("element by element", "gflop_per_second_elements", 0, &by_elements),
        ("element by element, on slices", "gflop_per_second_slices", 0, &on_slices),
        ("column by column", "gflop_per_second_columns", 1, &|| by_blocks(1)),
        ("in blocks of columns", "gflop_per_second_blocks", config.block, &|| by_blocks(config.block)),
        ("all at once", "gflop_per_second_whole", n, &whole),
    ];
    let mut table = Table::new(["A = B C", "ms", "GFLOP/s", "operations for a number that is read"]);
    for (way, metric, width, product) in ways {
        let (time, operations) = (seconds(product)?, 2.0 * (n * n * n) as f64);
        // For an element a row and a column are read; for a block of columns all of B and the block.
        let read = if width == 0 { operations } else { (n.div_ceil(width) * n * n + n * n) as f64 };
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
    nb.say(format!("a matrix has {kilobytes} KiB; caches: {}", caches()))?;
    // More than a core's own caches hold; ones, since pages of zeros may not exist before they are written.
    let large = Tensor::ones(1 << 24, DType::F32, b.device())?;
    let copied = 2.0 * (1u64 << 26) as f64 / seconds(&|| large.copy())? / 1e9;
    nb.say(format!("a copy of 64 MiB: {copied:.1} GB/s read and written"))?;
    nb.metric("memory_gb_per_second", copied)?;

    nb.cell("Reading the dataset")?;
    let data = config.airfoil.load(nb)?;

    nb.cell("Implementation from scratch")?;
    let (all, epochs) = (data.features.dim(0)?, config.airfoil.num_epochs);
    let runs = [
        ("gd", all, 1.0, 10),
        ("sgd", 1, 0.005, epochs),
        ("batch-100", 100.min(all), 0.4, epochs),
        ("batch-10", 10.min(all), 0.05, epochs),
    ];
    let mut chart = Chart::new().x_label("time (s)").y_label("loss").log_x().y_range(0.23..0.35);
    let mut speeds = Table::new(["batch size", "rate", "epochs", "loss", "ms an epoch"]);
    for (name, batch_size, lr, num_epochs) in runs {
        let history = train_scratch(nb, name, &data.epochs(num_epochs), batch_size, &sgd(lr))?;
        let loss = |point: &Point| point.metrics.iter().find(|(name, _)| name == "loss").map(|&(_, loss)| loss);
        let points = history.points().iter().filter_map(|point| Some((point.seconds, loss(point)?)));
        let (times, losses): (Vec<f64>, Vec<f64>) = points.unzip();
        chart = chart.line(format!("batch size {batch_size}"), &times, &losses);
        let last = history.last("loss").unwrap_or(f64::NAN);
        let milliseconds = history.duration().as_secs_f64() * 1e3 / num_epochs as f64;
        let [size, rate, epochs] = [batch_size.to_string(), lr.to_string(), num_epochs.to_string()];
        speeds.row([size, rate, epochs, format!("{last:.3}"), format!("{milliseconds:.1}")]);
        nb.metric(&format!("loss_{}", name.replace('-', "_")), last)?;
    }
    nb.say(speeds)?;
    nb.figure("loss-over-time", "Loss against seconds of training on a logarithmic axis, by batch size", chart)?;

    nb.cell("Concise implementation")?;
    let history = train_concise(nb, "concise", &data, 10, |parameters| Sgd::new(parameters, 0.05))?;
    show_loss(nb, "concise", "batch size 10, rate 0.05", &history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_goes_against_the_gradient() -> Result<()> {
        let parameter = Var::new(&[1f32, 2.0], &Device::Cpu)?;
        (sgd(0.5).step)(&parameter, &Tensor::new(&[2f32, -2.0], &Device::Cpu)?, &[], 1)?;
        assert_eq!(parameter.to_vec1::<f32>()?, [0.0, 3.0]);
        Ok(())
    }
}
