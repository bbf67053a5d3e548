//! One-dimensional convolution: [`conv2d`] over planes of height one.
//!
//! Forward, for `x` of `(n, in, l)`, `w` of `(out, in / groups, k)`, `b` of `(out)`:
//! `y[n, o, p] = b[o] + Σ_{c, i} w[o, c, i] x[n, c, p·s + i·d − pad]`; backward as in [`super::conv2d()`].

use candle_core::{Result, Tensor, bail};

use super::conv2d::{Conv2dConfig, conv2d};

/// Options of [`conv1d`]; the defaults are PyTorch's (section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv1dConfig {
    /// Zeros added on both sides; 0.
    pub padding: usize,
    /// Distance between windows; 1.
    pub stride: usize,
    /// Distance between the inputs of a window; 1.
    pub dilation: usize,
    /// Groups of channels that are convolved apart; 1.
    pub groups: usize,
}

impl Default for Conv1dConfig {
    fn default() -> Self {
        Self { padding: 0, stride: 1, dilation: 1, groups: 1 }
    }
}

/// The convolution of `x` of `(batch, in, length)` with `weight` of `(out, in / groups, kernel)`, plus `bias` of
/// `(out)` (section 15.3): `(batch, out, length')`.
///
/// # Errors
/// Where the sizes do not fit together; the message names the argument.
#[doc(alias = "corr1d")]
#[doc(alias = "corr1d_multi_in")]
pub fn conv1d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: &Conv1dConfig) -> Result<Tensor> {
    if x.rank() != 3 {
        bail!("conv1d: x must be (batch, in, length), got {:?}", x.dims());
    }
    if weight.rank() != 3 {
        bail!("conv1d: weight must be (out, in / groups, kernel), got {:?}", weight.dims());
    }
    let config = Conv2dConfig {
        padding: (0, config.padding),
        stride: (1, config.stride),
        dilation: (1, config.dilation),
        groups: config.groups,
    };
    conv2d(&x.unsqueeze(2)?, &weight.unsqueeze(2)?, bias, &config)?.squeeze(2)
}
