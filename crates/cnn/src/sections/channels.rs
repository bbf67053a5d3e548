//! 6.4 Multiple Input and Multiple Output Channels
//!
//! Cross-correlations summed over input channels and stacked to output channels; with a window of 1×1 they are a matrix
//! product.
//!
//! `cargo run --release -p cnn -- channels`
//! Less than a second. All ways to compute the same agree to rounding.

use candle_core::bail;
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, conv2d};
use d2l::prelude::*;

use super::conv_layer::cross_correlation;

/// The example of 1×1 windows; its sizes are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Input channels
    #[arg(long, default_value_t = 3, value_parser = within::<1, 64>)]
    pub inputs: usize,
    /// Output channels
    #[arg(long, default_value_t = 2, value_parser = within::<1, 64>)]
    pub outputs: usize,
}

defaults! { Config }

/// Each channel of `x` `(in, h, w)` with its window of `kernel` `(in, kh, kw)`, summed: `(h', w')`.
///
/// # Errors
/// Where the channels differ in number or a window does not fit.
#[doc(alias = "corr2d_multi_in")]
pub fn multiple_inputs(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (channels, windows) = (x.dim(0)?, kernel.dim(0)?);
    if channels != windows || channels == 0 {
        bail!("an image of {channels} channels needs as many windows, got {windows}");
    }
    let first = cross_correlation(&x.get(0)?, &kernel.get(0)?)?;
    (1..channels).try_fold(first, |sum, i| sum + cross_correlation(&x.get(i)?, &kernel.get(i)?)?)
}

/// One output channel for each of the `kernels` `(out, in, kh, kw)`, from `x` `(in, h, w)`: `(out, h', w')`.
///
/// # Errors
/// As [`multiple_inputs`].
#[doc(alias = "corr2d_multi_in_out")]
pub fn multiple_inputs_and_outputs(x: &Tensor, kernels: &Tensor) -> Result<Tensor> {
    let outputs = (0..kernels.dim(0)?).map(|o| multiple_inputs(x, &kernels.get(o)?));
    Tensor::stack(&outputs.collect::<Result<Vec<_>>>()?, 0)
}

/// The same for windows of 1×1, `kernels` of `(out, in, 1, 1)`, as one product of matrices: each pixel's channels are an
/// input of one dense layer.
///
/// # Errors
/// Where the windows are larger, or the channels differ in number.
#[doc(alias = "corr2d_multi_in_out_1x1")]
pub fn pointwise(x: &Tensor, kernels: &Tensor) -> Result<Tensor> {
    let (inputs, h, w) = x.dims3()?;
    let (outputs, _, kh, kw) = kernels.dims4()?;
    if (kh, kw) != (1, 1) {
        bail!("a product of matrices is a convolution with windows of 1 x 1, not {kh} x {kw}");
    }
    let pixels = x.reshape((inputs, h * w))?; // (in, h · w)
    let weights = kernels.reshape((outputs, ()))?; // (out, in)
    weights.matmul(&pixels)?.reshape((outputs, h, w))
}

fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(f64::from((a - b)?.abs()?.max_all()?.to_scalar::<f32>()?))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Multiple input channels")?;
    let x = Tensor::new(
        &[[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]],
        nb.device(),
    )?; // (2, 3, 3)
    let kernel = Tensor::new(&[[[0f32, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]], nb.device())?; // (2, 2, 2)
    nb.show("multiple_inputs(x, kernel)", multiple_inputs(&x, &kernel)?)?; // (2, 2)

    nb.cell("Multiple output channels")?;
    let kernels = Tensor::stack(&[&kernel, &(&kernel + 1.0)?, &(&kernel + 2.0)?], 0)?; // (3, 2, 2, 2)
    nb.show("shape of the kernels", format!("{:?}", kernels.dims()))?;
    let y = multiple_inputs_and_outputs(&x, &kernels)?; // (3, 2, 2)
    nb.show("multiple_inputs_and_outputs(x, kernels)", &y)?;
    let known = conv2d(&x.unsqueeze(0)?, &kernels, None, &Conv2dConfig::default())?.squeeze(0)?;
    let difference = largest_difference(&y, &known)?;
    nb.show("largest difference from d2l::ops::conv2d", difference)?;
    nb.metric("difference_from_conv2d", difference)?;

    nb.cell("1 × 1 convolutional layer")?;
    let (inputs, outputs) = (config.inputs, config.outputs);
    let x = nb.normal((inputs, 3, 3))?;
    let kernels = nb.normal((outputs, inputs, 1, 1))?;
    let by_product = pointwise(&x, &kernels)?; // (out, 3, 3)
    let by_windows = multiple_inputs_and_outputs(&x, &kernels)?;
    let difference = largest_difference(&by_product, &by_windows)?;
    nb.show("shape", format!("{:?}", by_product.dims()))?;
    nb.show("largest difference of the product from sliding windows", format!("{difference:.1e}"))?;
    nb.metric("difference_pointwise", difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_summed_and_stacked() -> Result<()> {
        let x = Tensor::new(&[[[1f32, 2.0]], [[10.0, 20.0]]], &Device::Cpu)?; // (2, 1, 2)
        let kernels = Tensor::new(&[[[[1f32]], [[1.0]]], [[[2.0]], [[-1.0]]]], &Device::Cpu)?; // (2, 2, 1, 1)
        let y = multiple_inputs_and_outputs(&x, &kernels)?;
        assert_eq!(y.to_vec3::<f32>()?, [[[11.0, 22.0]], [[-8.0, -16.0]]]);
        assert_eq!(pointwise(&x, &kernels)?.to_vec3::<f32>()?, y.to_vec3::<f32>()?);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_an_error() -> Result<()> {
        let x = Tensor::ones((2, 3, 3), DType::F32, &Device::Cpu)?;
        let three = Tensor::ones((3, 2, 2), DType::F32, &Device::Cpu)?;
        assert!(multiple_inputs(&x, &three).expect_err("3 windows").to_string().contains("2 channels"));
        let wide = Tensor::ones((1, 2, 2, 2), DType::F32, &Device::Cpu)?;
        assert!(pointwise(&x, &wide).expect_err("2 x 2").to_string().contains("2 x 2"));
        Ok(())
    }
}
