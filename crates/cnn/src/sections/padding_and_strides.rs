//! 6.3 Padding and Stride
//!
//! What zeros around the image and larger steps of the window do to the size of the output, from scratch and with the
//! layer.
//!
//! `cargo run --release -p cnn -- padding-and-strides`
//! Less than a second. From scratch and the operation differ by rounding only.

use candle_core::bail;
use d2l::nn::Conv2d;
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, conv2d};
use d2l::prelude::*;

use super::conv_layer::cross_correlation;

/// The image; its size is the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Height and width of the image
    #[arg(long, default_value_t = 8, value_parser = within::<5, 512>)]
    pub side: usize,
}

defaults! { Config }

/// How many places a window of `kernel` has along an axis of `size`, with `padding` zeros on each side and steps of
/// `stride`: `⌊(size + 2 padding − kernel) / stride⌋ + 1`.
///
/// # Errors
/// Where the window does not fit or the stride is zero.
pub fn output_size(size: usize, kernel: usize, padding: usize, stride: usize) -> Result<usize> {
    match (size + 2 * padding).checked_sub(kernel) {
        Some(room) if stride > 0 && kernel > 0 => Ok(room / stride + 1),
        _ => {
            bail!("a window of {kernel} with stride {stride} does not fit into {size} and {padding} zeros on each side")
        }
    }
}

/// Cross-correlation of `x` `(h, w)` with `kernel` `(kh, kw)`, with zeros around `x` and steps of the window, `(height,
/// width)` each: every possible place is computed, and those that the steps reach are kept.
pub fn strided_cross_correlation(
    x: &Tensor,
    kernel: &Tensor,
    padding: (usize, usize),
    stride: (usize, usize),
) -> Result<Tensor> {
    let ((h, w), (kh, kw)) = (x.dims2()?, kernel.dims2()?);
    let rows = output_size(h, kh, padding.0, stride.0)?;
    let columns = output_size(w, kw, padding.1, stride.1)?;
    let padded = x.pad_with_zeros(0, padding.0, padding.0)?.pad_with_zeros(1, padding.1, padding.1)?;
    let all = cross_correlation(&padded, kernel)?; // as with stride 1
    let every = |count: usize, step: usize| {
        let places: Vec<u32> = (0..count).map(|i| (i * step) as u32).collect();
        Tensor::new(places, x.device())
    };
    all.index_select(&every(rows, stride.0)?, 0)?.index_select(&every(columns, stride.1)?, 1) // (rows, columns)
}

/// What a layer makes of `x` `(h, w)`, the axes of examples and channels added before and taken away after.
#[doc(alias = "comp_conv2d")]
pub fn apply(layer: &Conv2d, x: &Tensor) -> Result<Tensor> {
    layer.forward(&x.unsqueeze(0)?.unsqueeze(0)?)?.squeeze(0)?.squeeze(0) // (1, 1, h, w) -> (h', w')
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let parameters = nb.parameters();

    nb.cell("Padding")?;
    let side = config.side;
    let x = nb.uniform((side, side))?;
    let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    let layer = Conv2d::new(1, 1, (3, 3), same, &parameters.builder().pp("square"))?;
    nb.show("3 x 3, a zero on each side", format!("{:?}", apply(&layer, &x)?.dims()))?;
    let tall = Conv2dConfig { padding: (2, 1), ..Conv2dConfig::default() };
    let layer = Conv2d::new(1, 1, (5, 3), tall, &parameters.builder().pp("tall"))?;
    nb.show("5 x 3, two zeros above and below, one left and right", format!("{:?}", apply(&layer, &x)?.dims()))?;

    nb.cell("Stride")?;
    let halving = Conv2dConfig { padding: (1, 1), stride: (2, 2), ..Conv2dConfig::default() };
    let layer = Conv2d::new(1, 1, (3, 3), halving, &parameters.builder().pp("halving"))?;
    nb.show("3 x 3, a zero on each side, stride 2", format!("{:?}", apply(&layer, &x)?.dims()))?;
    let uneven = Conv2dConfig { padding: (0, 1), stride: (3, 4), ..Conv2dConfig::default() };
    let layer = Conv2d::new(1, 1, (3, 5), uneven, &parameters.builder().pp("uneven"))?;
    nb.show("3 x 5, a zero left and right, strides 3 and 4", format!("{:?}", apply(&layer, &x)?.dims()))?;

    nb.cell("From scratch")?;
    let mut table = Table::new(["kernel", "padding", "stride", "output", "difference from d2l::ops::conv2d"]);
    let mut largest = 0f64;
    for (size, padding, stride) in
        [((3, 3), (1, 1), (1, 1)), ((5, 3), (2, 1), (1, 1)), ((3, 3), (1, 1), (2, 2)), ((3, 5), (0, 1), (3, 4))]
    {
        let kernel = nb.normal(size)?;
        let own = strided_cross_correlation(&x, &kernel, padding, stride)?;
        let config = Conv2dConfig { padding, stride, ..Conv2dConfig::default() };
        let kernel = kernel.unsqueeze(0)?.unsqueeze(0)?; // (1, 1, kh, kw)
        let known = conv2d(&x.unsqueeze(0)?.unsqueeze(0)?, &kernel, None, &config)?.squeeze(0)?.squeeze(0)?;
        let difference = f64::from((&own - known)?.abs()?.max_all()?.to_scalar::<f32>()?);
        largest = largest.max(difference);
        let [size, padding, stride] = [size, padding, stride].map(|pair| format!("{pair:?}"));
        table.row([size, padding, stride, format!("{:?}", own.dims()), format!("{difference:.1e}")]);
    }
    nb.say(table)?;
    nb.metric("largest_difference", largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_formula() -> Result<()> {
        for (size, kernel, padding, stride, wanted) in
            [(8, 3, 1, 1, 8), (8, 5, 2, 1, 8), (8, 3, 1, 2, 4), (8, 3, 0, 3, 2), (8, 5, 1, 4, 2), (224, 11, 1, 4, 54)]
        {
            assert_eq!(output_size(size, kernel, padding, stride)?, wanted);
        }
        let error = output_size(4, 7, 1, 1).expect_err("too large").to_string();
        assert!(error.contains("window of 7"), "{error}");
        assert!(output_size(4, 2, 0, 0).is_err());
        Ok(())
    }

    #[test]
    fn strides_skip_and_padding_is_zero() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], &Device::Cpu)?;
        let one = Tensor::ones((1, 1), DType::F32, &Device::Cpu)?;
        let y = strided_cross_correlation(&x, &one, (1, 0), (2, 2))?;
        assert_eq!(y.to_vec2::<f32>()?, [[0.0, 0.0], [4.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }
}
