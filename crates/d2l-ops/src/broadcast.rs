//! Arithmetic of a tensor with one value for each of its channels, which candle broadcasts element by element.
//!
//! Forward: `y = x ∘ c`, where `c` has the size of `x` along one axis, or none, and 1 along the others. Backward, for the gradient
//! `g` of `y`: `∂x` is `g` (sum and difference), `g c` (product) or `g / c` (quotient); `∂c` is the sum over a channel of
//! `g`, `−g`, `g x` or `−g x / c²`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::row;
use super::tape;

/// `x + c` for `x` of `(batch, channels, …)` and `c` of `(1, channels, 1, …)`; so for any one axis (section 2.1).
///
/// # Errors
/// Where `c` does not have the size of `x` along one axis and 1 along the others.
pub fn broadcast_add(x: &Tensor, c: &Tensor) -> Result<Tensor> {
    combine(Kind::Add, x, c)
}

/// `x − c`, as [`broadcast_add`] (section 2.1).
///
/// # Errors
/// As [`broadcast_add`].
pub fn broadcast_sub(x: &Tensor, c: &Tensor) -> Result<Tensor> {
    combine(Kind::Sub, x, c)
}

/// `x · c`, as [`broadcast_add`] (section 2.1).
///
/// # Errors
/// As [`broadcast_add`].
pub fn broadcast_mul(x: &Tensor, c: &Tensor) -> Result<Tensor> {
    combine(Kind::Mul, x, c)
}

/// `x / c`, as [`broadcast_add`] (section 2.1).
///
/// # Errors
/// As [`broadcast_add`].
pub fn broadcast_div(x: &Tensor, c: &Tensor) -> Result<Tensor> {
    combine(Kind::Div, x, c)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Add,
    Sub,
    Mul,
    Div,
}

fn combine(kind: Kind, x: &Tensor, c: &Tensor) -> Result<Tensor> {
    let Some(view) = View::new(x.dims(), c.dims()) else {
        bail!(
            "broadcast: expected the size of x in one axis and 1 in the others, got {:?} for {:?}",
            c.dims(),
            x.dims()
        );
    };
    if kernel::has_kernel(x) {
        return tape::apply2(x, c, BroadcastOp { kind, view });
    }
    match kind {
        Kind::Add => x.broadcast_add(c),
        Kind::Sub => x.broadcast_sub(c),
        Kind::Mul => x.broadcast_mul(c),
        Kind::Div => x.broadcast_div(c),
    }
}

/// `x` seen as `(outer, channels, inner)`.
#[derive(Debug, Clone, Copy)]
struct View {
    outer: usize,
    channels: usize,
    inner: usize,
}

impl View {
    fn new(x: &[usize], c: &[usize]) -> Option<Self> {
        if x.len() != c.len() || x.is_empty() {
            return None;
        }
        let product = |dims: &[usize]| dims.iter().product();
        let Some(axis) = c.iter().position(|&size| size != 1) else {
            return Some(Self { outer: 1, channels: 1, inner: product(x) });
        };
        let fits = (0..x.len()).all(|i| c[i] == if i == axis { x[i] } else { 1 });
        fits.then(|| Self { outer: product(&x[..axis]), channels: x[axis], inner: product(&x[axis + 1..]) })
    }

    /// `f(x, c)` for each element and its channel's value.
    fn map<T: Float>(self, x: &[T], c: &[T], f: impl Fn(T, T) -> T + Send + Sync) -> Vec<T> {
        let Self { channels, inner, .. } = self;
        if inner == 1 {
            // SAFETY: each row is written, a value for each channel.
            return unsafe {
                parallel::rows(x.len(), channels, |first, out| {
                    let x = &x[first * channels..][..out.len()];
                    for (out, x) in out.chunks_exact_mut(channels.max(1)).zip(x.chunks_exact(channels.max(1))) {
                        row::map(out, [x, c], |[x, c]| f(x, c));
                    }
                })
            };
        }
        // SAFETY: each row is written, the elements of one example's channel.
        unsafe {
            parallel::rows(x.len(), inner, |first, out| {
                let x = &x[first * inner..][..out.len()];
                let rows = out.chunks_exact_mut(inner.max(1)).zip(x.chunks_exact(inner.max(1)));
                for (i, (out, x)) in rows.enumerate() {
                    let c = c[(first + i) % channels];
                    row::map(out, [x], |[x]| f(x, c));
                }
            })
        }
    }

    /// For each channel the sum of `f(a, b)` over its elements.
    fn sums<T: Float>(self, a: &[T], b: &[T], f: impl Fn(T, T) -> T + Send + Sync) -> Vec<f64> {
        let Self { outer, channels, inner } = self;
        if inner == 1 {
            let mut sums = vec![0.0; channels];
            for (a, b) in a.chunks_exact(channels.max(1)).zip(b.chunks_exact(channels.max(1))) {
                sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += WithDType::to_f64(f(a, b)));
            }
            return sums;
        }
        parallel::collect(channels, outer * inner, |channel| {
            (0..outer)
                .map(|i| {
                    let start = (i * channels + channel) * inner;
                    let (a, b) = (&a[start..][..inner], &b[start..][..inner]);
                    // Short pieces, whose sums round little.
                    let pieces = a.chunks(512).zip(b.chunks(512));
                    pieces.map(|(a, b)| WithDType::to_f64(row::sum_of([a, b], |[a, b]| f(a, b)))).sum::<f64>()
                })
                .sum()
        })
    }
}

struct BroadcastOp {
    kind: Kind,
    view: View,
}

impl CustomOp2 for BroadcastOp {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, c: &CpuStorage, cl: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!("broadcast", x.dtype(), T => {
            let (x, c) = (kernel::values::<T>(x, xl)?, kernel::values::<T>(c, cl)?);
            let y = match self.kind {
                Kind::Add => self.view.map(&x, &c, |x, c| x + c),
                Kind::Sub => self.view.map(&x, &c, |x, c| x - c),
                Kind::Mul => self.view.map(&x, &c, |x, c| x * c),
                Kind::Div => self.view.map(&x, &c, |x, c| x / c),
            };
            Ok((T::into_storage(y), xl.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, c: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let view = self.view;
        for_float!("broadcast", x.dtype(), T => {
            let dx = match self.kind {
                Kind::Add | Kind::Sub => grad.clone(),
                Kind::Mul => kernel::from_two::<T>([grad, c], x.shape(), |g, c| view.map(g, c, |g, c| g * c))?,
                Kind::Div => kernel::from_two::<T>([grad, c], x.shape(), |g, c| view.map(g, c, |g, c| g / c))?,
            };
            let scaled = |sums: Vec<f64>, scale: f64| sums.into_iter().map(|sum| T::of(scale * sum)).collect::<Vec<T>>();
            let dc = match self.kind {
                Kind::Add => kernel::from_two::<T>([grad, grad], c.shape(), |g, _| scaled(view.sums(g, g, |g, _| g), 1.0))?,
                Kind::Sub => kernel::from_two::<T>([grad, grad], c.shape(), |g, _| scaled(view.sums(g, g, |g, _| g), -1.0))?,
                Kind::Mul => kernel::from_two::<T>([grad, x], c.shape(), |g, x| scaled(view.sums(g, x, |g, x| g * x), 1.0))?,
                Kind::Div => kernel::from_three::<T>([grad, x, c], c.shape(), |g, x, c| {
                    let sums = view.sums(g, x, |g, x| g * x);
                    sums.iter().zip(c).map(|(sum, &c)| T::of(-sum / WithDType::to_f64(c * c))).collect()
                })?,
            };
            Ok((Some(dx), Some(dc)))
        })
    }
}
