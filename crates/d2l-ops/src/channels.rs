//! Sums over everything but the channel of `(batch, channels, positions)`, in `f64`.

use candle_core::WithDType;
use rayon::prelude::*;

use super::kernel::{self, Float};

/// Accumulators side by side: as many as vector instructions take at once, so sums need no reordering by the compiler.
const LANES: usize = 16;

/// One channel's run of positions in every image.
#[inline(always)]
pub(crate) fn planes<T>(values: &[T], channels: usize, positions: usize, channel: usize) -> impl Iterator<Item = &[T]> {
    values.chunks_exact((channels * positions).max(1)).map(move |image| &image[channel * positions..][..positions])
}

/// Sums `N` numbers computed from each index of a run of `len`.
#[inline(always)]
pub(crate) fn accumulate<const N: usize>(len: usize, terms: impl Fn(usize) -> [f64; N]) -> [f64; N] {
    let mut lanes = [[0.0; LANES]; N];
    let whole = len - len % LANES;
    for start in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            let terms = terms(start + lane);
            lanes.iter_mut().zip(terms).for_each(|(lanes, term)| lanes[lane] += term);
        }
    }
    let mut sums = lanes.map(|lanes| lanes.iter().sum::<f64>());
    for index in whole..len {
        let terms = terms(index);
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
    }
    sums
}

/// The channels that one task takes at least, so that it has some work.
pub(crate) fn channels_a_task(batch: usize, positions: usize) -> usize {
    (16 * 1024 / (batch * positions).max(1)).max(1)
}

/// The sum of each channel.
pub(crate) fn sums<T: Float>(values: &[T], channels: usize, positions: usize) -> Vec<T> {
    let batch = values.len() / (channels * positions).max(1);
    let sum_of = |channel| {
        kernel::vectorized(
            #[inline(always)]
            || {
                let planes = planes(values, channels, positions, channel);
                planes.map(|plane| accumulate(plane.len(), |i| [WithDType::to_f64(plane[i])])[0]).sum::<f64>()
            },
        )
    };
    let channels = (0..channels).into_par_iter().with_min_len(channels_a_task(batch, positions));
    channels.map(|channel| T::of(sum_of(channel))).collect()
}
