//! 10.1 Attention Cues
//!
//! Attention weights as heat maps: queries down, keys across.
//!
//! `cargo run --release -p attention -- attention-cues`
//! One map of an identity, then eight on one color scale.

use d2l::notebook::within;
use d2l::ops::softmax;
use d2l::plot::HeatMaps;
use d2l::prelude::*;

/// Sizes.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Queries, and as many keys
    #[arg(long, default_value_t = 10, value_parser = within::<1, 100>)]
    pub num_queries: usize,
}

defaults! { Config }

/// Attention weights `(rows of maps, columns of maps, queries, keys)` as heat maps on one color scale.
#[doc(alias = "show_heatmaps")]
pub fn heat_maps(weights: &Tensor) -> anyhow::Result<HeatMaps> {
    Ok(HeatMaps::new(weights)?.x_label("keys").y_label("queries"))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Visualization of attention")?;
    let n = config.num_queries;
    let weights = Tensor::eye(n, DType::F32, nb.device())?.reshape((1, 1, n, n))?; // (rows, columns, queries, keys)
    nb.figure("identity", "Each query takes the key of its own number only", heat_maps(&weights)?)?;

    nb.cell("Several maps on one scale")?;
    let scores = nb.normal((2, n, n))?; // (heads, queries, keys)
    let sharpness = [0.0, 1.0, 3.0, 9.0];
    let weights = sharpness.iter().map(|&factor| softmax(&(&scores * factor)?, D::Minus1));
    let weights = Tensor::stack(&weights.collect::<Result<Vec<_>>>()?, 1)?; // (heads, sharpness, queries, keys)
    let titles = (0..2).flat_map(|_| sharpness.iter().map(|factor| format!("scores × {factor}")));
    let maps = heat_maps(&weights)?.titles(titles);
    nb.figure("sharpness", "The larger the scores, the fewer keys a query takes", maps)?;
    let largest = weights.max(3)?.mean(2)?.mean(0)?.to_vec1::<f32>()?; // (sharpness)
    nb.say(format!("mean of each query's largest weight: {largest:.3?}"))?;
    let error = (weights.sum(3)? - 1.0)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("row_sum_error", f64::from(error))
}
