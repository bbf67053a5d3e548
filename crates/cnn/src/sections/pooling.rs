//! 6.5 Pooling
//!
//! The largest or the mean value of each window, from scratch and with the layers, with padding, stride and channels.
//!
//! `cargo run --release -p cnn -- pooling`
//! Less than a second. From scratch and the operations give the same values.

use candle_core::bail;
use d2l::nn::MaxPool2d;
use d2l::notebook::within;
use d2l::ops::{Pool2dConfig, avg_pool2d, max_pool2d};
use d2l::prelude::*;

/// The window of the comparison.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Height and width of the window
    #[arg(long, default_value_t = 2, value_parser = within::<1, 4>)]
    pub window: usize,
}

defaults! { Config }

/// What a pool keeps of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest value.
    Max,
    /// The mean.
    Average,
}

/// Slides a window of `(ph, pw)` over `x` `(h, w)` by single steps: `(h − ph + 1, w − pw + 1)`.
///
/// # Errors
/// Where the window is empty or larger than the image.
#[doc(alias = "pool2d")]
pub fn pool(x: &Tensor, (ph, pw): (usize, usize), pooling: Pooling) -> Result<Tensor> {
    let (h, w) = x.dims2()?;
    if ph == 0 || pw == 0 || ph > h || pw > w {
        bail!("a window of {ph} x {pw} does not fit into an image of {h} x {w}");
    }
    let (rows, columns) = (h - ph + 1, w - pw + 1);
    let mut kept = Vec::with_capacity(rows * columns);
    for i in 0..rows {
        for j in 0..columns {
            let window = x.narrow(0, i, ph)?.narrow(1, j, pw)?; // (ph, pw)
            kept.push(match pooling {
                Pooling::Max => window.max_all()?,
                Pooling::Average => window.mean_all()?,
            });
        }
    }
    Tensor::stack(&kept, 0)?.reshape((rows, columns))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Maximum pooling and average pooling")?;
    let x = Tensor::new(&[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], nb.device())?;
    nb.show("maximum", pool(&x, (2, 2), Pooling::Max)?)?; // (2, 2)
    nb.show("mean", pool(&x, (2, 2), Pooling::Average)?)?;

    nb.cell("A shift by one pixel")?;
    let halve = Pool2dConfig::new((2, 2)); // windows side by side
    let lines = [2, 3].map(|column| Tensor::eye(6, DType::F32, nb.device())?.narrow(0, column, 1)); // (1, 6) each
    for line in lines {
        let image = line?.broadcast_as((4, 6))?; // a vertical line
        nb.show("image", &image)?;
        nb.show(
            "maximum over 2 x 2, every second place",
            max_pool2d(&image.reshape((1, 1, 4, 6))?, &halve)?.i((0, 0))?,
        )?;
    }

    nb.cell("Against the operations")?;
    let side = config.window;
    let x = nb.normal((6, 8))?;
    let by_single_steps = Pool2dConfig { stride: (1, 1), ..Pool2dConfig::new((side, side)) };
    let image = x.reshape((1, 1, 6, 8))?;
    for (name, pooling, known) in [
        ("max", Pooling::Max, max_pool2d(&image, &by_single_steps)?),
        ("average", Pooling::Average, avg_pool2d(&image, &by_single_steps)?),
    ] {
        let known = known.squeeze(0)?.squeeze(0)?; // (6 − side + 1, 8 − side + 1)
        let difference = (pool(&x, (side, side), pooling)? - known)?.abs()?.max_all()?.to_scalar::<f32>()?;
        nb.show(&format!("largest difference, {name}"), format!("{difference:.1e}"))?;
        nb.metric(&format!("difference_{name}"), f64::from(difference))?;
    }

    nb.cell("Padding and stride")?;
    let x = Tensor::arange(0f32, 16.0, nb.device())?.reshape((1, 1, 4, 4))?;
    nb.show("x", &x)?;
    let pool = MaxPool2d(Pool2dConfig::new((3, 3)));
    nb.show("3 x 3, side by side", pool.forward(&x)?)?; // (1, 1, 1, 1)
    let pool = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) });
    nb.show("3 x 3, stride 2, padding 1", pool.forward(&x)?)?; // (1, 1, 2, 2)
    let pool = MaxPool2d(Pool2dConfig { kernel: (2, 3), stride: (2, 3), padding: (0, 1) });
    nb.show("2 x 3, strides 2 and 3, padding 0 and 1", pool.forward(&x)?)?; // (1, 1, 2, 2)

    nb.cell("Multiple channels")?;
    let x = Tensor::cat(&[&x, &(&x + 1.0)?], 1)?; // (1, 2, 4, 4)
    nb.show("x", &x)?;
    let pool = MaxPool2d(Pool2dConfig { kernel: (3, 3), stride: (2, 2), padding: (1, 1) });
    nb.show("each channel by itself", pool.forward(&x)?)?; // (1, 2, 2, 2)
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_their_largest_or_mean_value() -> Result<()> {
        let x = Tensor::new(&[[1f32, 5.0, -2.0], [3.0, 0.0, 4.0]], &Device::Cpu)?;
        assert_eq!(pool(&x, (2, 2), Pooling::Max)?.to_vec2::<f32>()?, [[5.0, 5.0]]);
        assert_eq!(pool(&x, (2, 1), Pooling::Average)?.to_vec2::<f32>()?, [[2.0, 2.5, 1.0]]);
        let error = pool(&x, (3, 1), Pooling::Max).expect_err("too large").to_string();
        assert!(error.contains("3 x 1"), "{error}");
        assert!(pool(&x, (0, 1), Pooling::Max).is_err());
        Ok(())
    }

    #[test]
    fn a_shift_within_the_windows_changes_nothing_and_one_beyond_moves_the_output() -> Result<()> {
        let pooled = |column: usize| -> Result<Vec<f32>> {
            let line = Tensor::eye(6, DType::F32, &Device::Cpu)?.narrow(0, column, 1)?; // (1, 6)
            let image = line.broadcast_as((2, 6))?.contiguous()?.reshape((1, 1, 2, 6))?;
            max_pool2d(&image, &Pool2dConfig::new((2, 2)))?.flatten_all()?.to_vec1()
        };
        assert_eq!(pooled(2)?, [0.0, 1.0, 0.0]);
        assert_eq!(pooled(3)?, pooled(2)?);
        assert_eq!(pooled(4)?, [0.0, 0.0, 1.0]);
        Ok(())
    }

    #[test]
    fn the_gradient_of_candles_maximum_is_too_small_or_missing() -> Result<()> {
        let x = Var::from_tensor(&Tensor::arange(0f32, 16.0, &Device::Cpu)?.reshape((1, 1, 4, 4))?)?;
        let own = backward(&max_pool2d(&x, &Pool2dConfig::new((2, 2)))?.sum_all()?)?;
        let largest = |grad: &Tensor| grad.max_all()?.to_scalar::<f32>();
        assert_eq!(largest(own.get(&x)?)?, 1.0);
        let candles = x.max_pool2d(2)?.sum_all()?.backward()?;
        assert_eq!(largest(candles.get(&x).expect("a gradient"))?, 0.25);
        let error = x.max_pool2d_with_stride(3, 1)?.sum_all()?.backward().map(drop).expect_err("windows that overlap");
        assert!(error.to_string().contains("not supported"), "{error}");
        Ok(())
    }
}
