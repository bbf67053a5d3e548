//! Inverted dropout (section 4.6).
//!
//! Forward: each element is 0 with probability `p`, else it is `x / (1 − p)`. Backward, for the gradient `g`: 0 where
//! the element was dropped, else `g / (1 − p)`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::tape;

/// `x` with each element dropped with probability `p` in `[0, 1]`, and the others scaled so that the mean stays. With
/// `p = 1` all are dropped. One number is drawn from `rng` at each call: it seeds the elements' own stream.
///
/// # Errors
/// Where `p` is not in `[0, 1]`.
#[doc(alias = "dropout_layer")]
pub fn dropout(x: &Tensor, p: f64, rng: &mut impl Rng) -> Result<Tensor> {
    if !(0.0..=1.0).contains(&p) {
        bail!("dropout: p must be in [0, 1], got {p}");
    }
    let seed = rng.random();
    if p == 0.0 {
        return Ok(x.clone());
    }
    let kept = kept(x.elem_count(), p, seed);
    let scale = if p < 1.0 { (1.0 - p).recip() } else { 0.0 };
    if kernel::has_kernel(x) {
        return tape::apply1(x, DropoutOp { kept, scale });
    }
    let kept = Tensor::from_vec(kept, x.shape(), x.device())?;
    kept.where_cond(&(x * scale)?, &x.zeros_like()?)
}

/// 1 for each element that stays, else 0.
fn kept(count: usize, p: f64, seed: u64) -> Vec<u8> {
    // An element stays where its 32 random bits, as a number, reach p.
    let threshold = (p * 2f64.powi(32)) as u64;
    let blocks = parallel::collect(count.div_ceil(parallel::BLOCK), parallel::BLOCK, |block| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(block as u64);
        let len = parallel::BLOCK.min(count - block * parallel::BLOCK);
        (0..len).map(|_| u8::from(u64::from(rng.random::<u32>()) >= threshold)).collect::<Vec<u8>>()
    });
    blocks.concat()
}

struct DropoutOp {
    kept: Vec<u8>,
    scale: f64,
}

impl DropoutOp {
    /// Both directions.
    fn apply<T: Float>(&self, x: &[T]) -> Vec<T> {
        let scale = T::of(self.scale);
        // SAFETY: the loop writes each element.
        unsafe {
            parallel::rows(x.len(), 1, |first, out| {
                let (x, kept) = (&x[first..], &self.kept[first..]);
                kernel::vectorized(|| {
                    for ((out, &x), &kept) in out.iter_mut().zip(x).zip(kept) {
                        *out = if kept == 0 { T::zero() } else { x * scale };
                    }
                });
            })
        }
    }
}

impl CustomOp1 for DropoutOp {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("dropout", x.dtype(), T => {
            Ok((T::into_storage(self.apply(&kernel::values::<T>(x, layout)?)), layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!("dropout", x.dtype(), T => {
            let out = kernel::read::<T, _>(grad, |g| Ok(self.apply(g)))?;
            Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
        })
    }
}
