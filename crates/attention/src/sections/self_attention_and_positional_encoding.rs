//! 10.6 Self-Attention and Positional Encoding
//!
//! A sequence that attends to itself; three kinds of layer by their time and their longest path; positions as waves,
//! `p[i, 2j] = sin(i / 10000^(2j / d))`, `p[i, 2j + 1] = cos(i / 10000^(2j / d))`.
//!
//! `cargo run --release -p attention -- self-attention-and-positional-encoding`
//! The longest path: 1 by self-attention, as many layers or steps as the sequence is long by convolutions and by a recurrent layer.

use std::time::Instant;

use candle_core::bail;
use d2l::nn::{Conv1d, Dropout, RecurrentConfig, Rnn};
use d2l::notebook::within;
use d2l::ops::{self, Conv1dConfig, RnnActivation};
use d2l::plot::{HeatMaps, Panels};
use d2l::prelude::*;

use super::multihead_attention::MultiHeadAttention;

/// Sizes.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Features of a position's encoding
    #[arg(long, default_value_t = 32, value_parser = within::<8, 512>)]
    pub encoding_dim: usize,
    /// Positions in the figures
    #[arg(long, default_value_t = 60, value_parser = within::<2, 900>)]
    pub num_steps: usize,
    /// The longest sequence of the comparison
    #[arg(long, default_value_t = 1024, value_parser = within::<16, 8192>)]
    pub max_length: usize,
    /// How often each layer is timed; the table shows the median
    #[arg(long, default_value_t = 7, value_parser = count)]
    pub repeats: usize,
}

defaults! { Config: Smoke { max_length: 64, repeats: 1 } }

/// Adds to each step a vector that tells its position.
pub struct PositionalEncoding {
    /// `(max_len, hidden)`
    table: Tensor,
    dropout: Dropout,
}

impl PositionalEncoding {
    /// Encodings of `hidden` features for the first `max_len` positions.
    pub fn new(hidden: usize, max_len: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        let angle = |i: usize, j: usize| i as f64 / 10_000f64.powf((j - j % 2) as f64 / hidden as f64);
        let value = |i, j| if j % 2 == 0 { angle(i, j).sin() } else { angle(i, j).cos() };
        let values: Vec<f32> = (0..max_len).flat_map(|i| (0..hidden).map(move |j| value(i, j) as f32)).collect();
        let table = Tensor::from_vec(values, (max_len, hidden), vb.device())?;
        Ok(Self { table, dropout: Dropout::new(dropout, &vb.pp("dropout"))? })
    }

    /// From `(batch, steps, hidden)`, the first step at position `first`, to the same shape.
    pub fn forward_t(&self, x: &Tensor, first: usize, train: bool) -> Result<Tensor> {
        let (steps, known) = (x.dim(1)?, self.table.dim(0)?);
        if first + steps > known {
            bail!("position {} of a sequence, and only {known} positions have an encoding", first + steps);
        }
        let positions = self.table.narrow(0, first, steps)?; // (steps, hidden)
        self.dropout.forward_t(&x.broadcast_add(&positions)?, train)
    }

    /// The encodings, `(max_len, hidden)`.
    pub fn table(&self) -> &Tensor {
        &self.table
    }
}

/// Through how many layers of windows of three the first of `length` steps reaches the last: counted by convolving a
/// mark with a kernel of ones until the mark is there.
fn convolutions_apart(length: usize, device: &Device) -> Result<usize> {
    let ones = Tensor::ones((1, 1, 3), DType::F32, device)?;
    let same = Conv1dConfig { padding: 1, ..Conv1dConfig::default() };
    let mark = Tensor::ones((1, 1, 1), DType::F32, device)?;
    let mut reached = mark.pad_with_zeros(2, 0, length - 1)?; // (1, 1, length)
    let mut layers = 0;
    while reached.i((0, 0, length - 1))?.to_scalar::<f32>()? == 0.0 {
        reached = ops::conv1d(&reached, &ones, None, &same)?.gt(0f32)?.to_dtype(DType::F32)?;
        layers += 1;
    }
    Ok(layers)
}

/// The median of the milliseconds that `layer` takes forward and backward, after a first run that is not counted.
fn milliseconds(repeats: usize, layer: impl Fn() -> Result<Tensor>) -> Result<f64> {
    let mut times = Vec::with_capacity(repeats + 1);
    for _ in 0..=repeats {
        let started = Instant::now();
        backward(&ops::sum(&layer()?.flatten_all()?, 0)?)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(1);
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Self-attention")?;
    let (device, parameters) = (nb.device().clone(), nb.parameters());
    let vb = parameters.builder();
    let attention = MultiHeadAttention::new(100, 5, 0.5, &vb.pp("example"))?;
    let x = Tensor::ones((2, 4, 100), DType::F32, &device)?; // (batch, steps, hidden)
    let (y, weights) = attention.forward_t(&x, &x, &x, Some(&Tensor::new(&[3u32, 2], &device)?), false)?;
    nb.say(format!("{:?} → {:?}, weights {:?}", x.dims(), y.dims(), weights.dims()))?;

    nb.cell("Comparing CNNs, RNNs and self-attention")?;
    let d = 32; // features of a step, in and out
    let same = Conv1dConfig { padding: 1, ..Conv1dConfig::default() };
    let convolution = Conv1d::new(d, d, 3, same, &vb.pp("convolution"))?;
    let recurrent = Rnn::new(d, d, RnnActivation::Tanh, RecurrentConfig::default(), &vb.pp("recurrent"))?;
    let attention = MultiHeadAttention::new(d, 1, 0.0, &vb.pp("attention"))?;
    let lengths: Vec<usize> =
        std::iter::successors(Some(16), |&n| Some(2 * n)).take_while(|&n| n <= config.max_length).collect();
    let (mut times, mut paths): ([Vec<f64>; 3], [Vec<f64>; 3]) = Default::default();
    let repeats = config.repeats;
    let titles = ["length", "CNN ms", "RNN ms", "attention ms", "CNN path", "RNN path", "attention path"];
    let mut table = Table::new(titles);
    for &n in &lengths {
        let x = nb.normal((1, n, d))?; // (batch, steps, features)
        let (channels, by_step) = (x.transpose(1, 2)?.contiguous()?, x.transpose(0, 1)?.contiguous()?);
        times[0].push(milliseconds(repeats, || convolution.forward(&channels))?); // (1, features, steps)
        times[1].push(milliseconds(repeats, || Ok(recurrent.forward_t(&by_step, None, None, false)?.0))?); // (steps, 1, …)
        times[2].push(milliseconds(repeats, || Ok(attention.forward_t(&x, &x, &x, None, false)?.0))?);
        for (path, steps) in paths.iter_mut().zip([convolutions_apart(n, &device)?, n, 1]) {
            path.push(steps as f64);
        }
        let last = |columns: &[Vec<f64>; 3], i: usize| columns[i].last().copied().unwrap_or(f64::NAN);
        let [a, b, c] = [0, 1, 2].map(|i| format!("{:.3}", last(&times, i)));
        let [e, f, g] = [0, 1, 2].map(|i| format!("{:.0}", last(&paths, i)));
        table.row([n.to_string(), a, b, c, e, f, g]);
    }
    nb.say(table)?;
    let names = ["CNN", "RNN", "self-attention"];
    let panel = |label: &str, columns: &[Vec<f64>; 3]| {
        let chart = Chart::new().size(340, 280).x_label("steps of the sequence").y_label(label).log_x().log_y();
        chart.lines(&lengths, names.into_iter().zip(columns.iter().map(Vec::as_slice)))
    };
    let panels = Panels::new(2, [panel("ms, forward and backward", &times), panel("longest path", &paths)]);
    nb.figure("comparison", "Time and longest path of three kinds of layer by the sequence's length", panels)?;
    let path = |kind: usize| paths[kind][lengths.len() - 1] / lengths[lengths.len() - 1] as f64;
    nb.metric("cnn_path_per_step", path(0))?;
    nb.metric("attention_path_per_step", path(2))?;

    nb.cell("Positional encoding")?;
    let (steps, dim) = (config.num_steps, config.encoding_dim);
    let encoding = PositionalEncoding::new(dim, 1000, 0.0, &vb)?;
    let p = encoding.forward_t(&Tensor::zeros((1, steps, dim), DType::F32, &device)?, 0, false)?.get(0)?; // (steps, dim)
    let rows: Vec<u32> = (0..steps as u32).collect();
    let columns = (dim / 5).min(6)..(dim / 5).min(6) + 4;
    let waves = columns.map(|j| Ok((format!("column {j}"), p.i((.., j))?.to_vec1::<f32>()?)));
    let waves = waves.collect::<Result<Vec<_>>>()?;
    let chart = Chart::new().size(540, 260).x_label("position").y_label("encoding");
    let chart = chart.lines(&rows, waves.iter().map(|(label, wave)| (label.clone(), wave.as_slice())));
    nb.figure("waves", "Two pairs of sine and cosine, the second pair slower", chart)?;

    nb.cell("Absolute positional information")?;
    for i in 0..8 {
        nb.say(format!("{i} in binary is {i:03b}"))?;
    }
    let map = HeatMaps::new(&p)?.diverging().x_label("column").y_label("position");
    nb.figure("encodings", "The encodings: fast waves at the left, slow ones at the right", map)?;

    nb.cell("Relative positional information")?;
    let shift = 5; // the encoding this many positions on, by rotating each pair of columns
    let mut largest = 0f64;
    let table = encoding.table().to_dtype(DType::F64)?.to_vec2::<f64>()?;
    for j in 0..dim / 2 {
        let (sin, cos) = (shift as f64 / 10_000f64.powf(2.0 * j as f64 / dim as f64)).sin_cos();
        for (now, later) in table.iter().zip(&table[shift..]).take(steps) {
            let (s, c) = (now[2 * j], now[2 * j + 1]);
            let (turned_s, turned_c) = (s * cos + c * sin, c * cos - s * sin);
            largest = largest.max((turned_s - later[2 * j]).abs()).max((turned_c - later[2 * j + 1]).abs());
        }
    }
    nb.show("largest error of the rotation", format!("{largest:.1e}"))?;
    nb.metric("rotation_error", largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_waves_and_end() -> Result<()> {
        let positions = PositionalEncoding::new(4, 10, 0.0, &VarBuilder::zeros(DType::F32, &Device::Cpu))?;
        let at =
            |first, steps| positions.forward_t(&Tensor::zeros((1, steps, 4), DType::F32, &Device::Cpu)?, first, false);
        assert_eq!(at(0, 1)?.flatten_all()?.to_vec1::<f32>()?, [0.0, 1.0, 0.0, 1.0]);
        let third = at(2, 1)?.flatten_all()?.to_vec1::<f32>()?;
        for (value, wanted) in third.iter().zip([2f32.sin(), 2f32.cos(), 0.02f32.sin(), 0.02f32.cos()]) {
            assert!((value - wanted).abs() < 1e-6, "{third:?}");
        }
        let error = at(8, 3).expect_err("position 11 of 10").to_string();
        assert!(error.contains("position 11"), "{error}");
        Ok(())
    }

    #[test]
    fn windows_of_three_reach_one_step_a_layer() -> Result<()> {
        assert_eq!(convolutions_apart(1, &Device::Cpu)?, 0);
        assert_eq!(convolutions_apart(9, &Device::Cpu)?, 8);
        Ok(())
    }
}
