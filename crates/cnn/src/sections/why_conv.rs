//! 6.1 From Fully-Connected Layers to Convolutions
//!
//! What a convolution gives up against a dense layer, counted, and what it gains: an object that moves in the image moves
//! in the output.
//!
//! `cargo run --release -p cnn -- why-conv`
//! A second or so. A 5×5 convolution commutes with shifts to rounding; a dense layer does not.

use d2l::data::fashion_mnist::FashionMnist;
use d2l::nn::{Conv2d, Linear, Parameters};
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, conv2d};
use d2l::plot::{HeatMaps, Image, ImageGrid};
use d2l::prelude::*;

/// How far the image is moved.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows down
    #[arg(long, default_value_t = 4, value_parser = within::<0, 8>)]
    pub down: usize,
    /// Columns to the right
    #[arg(long, default_value_t = 6, value_parser = within::<0, 8>)]
    pub right: usize,
}

defaults! { Config }

/// Moves `(batch, channels, height, width)` down and to the right; zeros move in, what leaves is lost.
pub fn shift(x: &Tensor, down: usize, right: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let kept = x.narrow(2, 0, height - down)?.narrow(3, 0, width - right)?;
    kept.pad_with_zeros(2, down, 0)?.pad_with_zeros(3, right, 0)
}

/// How far `a` and `b` lie apart: the largest difference as a share of the largest size in `b`.
pub fn relative_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    let largest = |x: &Tensor| x.abs()?.max_all()?.to_scalar::<f32>();
    Ok(f64::from(largest(&(a - b)?)? / largest(b)?.max(f32::MIN_POSITIVE)))
}

/// The matrix of the dense layer that does what a convolution without padding does on a `side` × `side` image: one row
/// for each output pixel, one column for each input pixel.
pub fn as_matrix(kernel: &Tensor, side: usize) -> Result<Tensor> {
    let pixels = side * side;
    // Pixel i of image i is one: the outputs are the columns.
    let basis = Tensor::eye(pixels, DType::F32, kernel.device())?.reshape((pixels, 1, side, side))?;
    let outputs = conv2d(&basis, kernel, None, &Conv2dConfig::default())?; // (pixels, 1, side', side')
    outputs.flatten_from(1)?.t()?.contiguous() // (side' · side', pixels)
}

/// How many parameters a layer has that `build` makes.
fn count(nb: &mut Notebook, build: impl FnOnce(&Parameters) -> Result<()>) -> Result<usize> {
    let parameters = nb.parameters();
    build(&parameters)?;
    Ok(parameters.count())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Constraining the MLP")?;
    let dense = count(nb, |p| Linear::new(28 * 28, 28 * 28, &p.builder()).map(|_| ()))?;
    let conv = count(nb, |p| Conv2d::new(1, 1, (5, 5), Conv2dConfig::default(), &p.builder()).map(|_| ()))?;
    let mut table = Table::new(["from 28 x 28 pixels to 28 x 28 units", "parameters"]);
    table.row(["a dense layer".to_string(), dense.to_string()]);
    table.row(["one bias and a window at each pixel (local)".to_string(), (28 * 28 * (25 + 1)).to_string()]);
    table.row(["one window for all pixels (local, translation invariant)".to_string(), conv.to_string()]);
    nb.say(table)?;
    nb.metric("dense_parameters", dense as f64)?;
    nb.metric("conv_parameters", conv as f64)?;

    nb.cell("A convolution is a dense layer with few distinct weights")?;
    let kernel = Tensor::new(&[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], nb.device())?;
    let matrix = as_matrix(&kernel.reshape((1, 1, 3, 3))?, 6)?; // (16, 36)
    let weights = matrix.flatten_all()?.to_vec1::<f32>()?;
    let used = weights.iter().filter(|&&weight| weight != 0.0).count();
    let mut values: Vec<f32> = weights.iter().copied().filter(|&weight| weight != 0.0).collect();
    values.sort_by(f32::total_cmp);
    values.dedup();
    let (all, distinct) = (weights.len(), values.len());
    nb.say(format!("{all} weights, of which {used} are not zero, with {distinct} different values"))?;
    let figure = HeatMaps::new(&matrix)?.x_label("input pixel").y_label("output pixel");
    nb.figure(
        "matrix",
        "The matrix of a 3 by 3 convolution of a 6 by 6 image: nine weights, each on broken diagonals",
        figure,
    )?;

    nb.cell("Translation invariance")?;
    let (x, _) = nb.load::<FashionMnist>()?.test.batch(&[0], nb.device())?; // (1, 1, 28, 28)
    let x = x.pad_with_zeros(2, 10, 10)?.pad_with_zeros(3, 10, 10)?; // (1, 1, 48, 48): room to move
    let (down, right) = (config.down, config.right);
    let moved = shift(&x, down, right)?;
    let parameters = nb.parameters();
    let same = Conv2dConfig { padding: (2, 2), ..Conv2dConfig::default() };
    let conv = Conv2d::without_bias(1, 1, (5, 5), same, &parameters.builder().pp("conv"))?;
    let dense = Linear::without_bias(48 * 48, 48 * 48, &parameters.builder().pp("dense"))?;
    let dense = |x: &Tensor| dense.forward(&x.flatten_from(1)?)?.reshape((1, 1, 48, 48));
    let mut table = Table::new(["layer", "shift, then layer, against layer, then shift"]);
    for (name, shifted_first, shifted_last) in [
        ("convolution", conv.forward(&moved)?, shift(&conv.forward(&x)?, down, right)?),
        ("dense", dense(&moved)?, shift(&dense(&x)?, down, right)?),
    ] {
        let difference = relative_difference(&shifted_first, &shifted_last)?;
        table.row([name.to_string(), format!("{difference:.1e}")]);
        nb.metric(&format!("difference_{name}"), difference)?;
    }
    nb.say(table)?;

    let grey = |y: &Tensor| {
        let (low, high) = (y.min_all()?, y.max_all()?);
        y.broadcast_sub(&low)?.broadcast_div(&(high - low)?)?.squeeze(0) // (1, 48, 48), from 0 to 1
    };
    let shown = [&x, &moved, &conv.forward(&x)?, &conv.forward(&moved)?, &dense(&x)?, &dense(&moved)?];
    let images = shown.iter().map(|y| Ok(Image::from_tensor(&grey(y)?)?)).collect::<anyhow::Result<Vec<_>>>()?;
    let titles = ["image", "moved", "convolution", "convolution, moved", "dense", "dense, moved"];
    let alt = "An image and the same image moved, and what a convolution and a dense layer make of both";
    nb.figure("shifted", alt, ImageGrid::new(6, images).titles(titles))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_does_what_the_convolution_does() -> Result<()> {
        let x = Tensor::arange(0f32, 25.0, &Device::Cpu)?;
        let kernel = Tensor::new(&[[[[1f32, -2.0], [0.5, 3.0]]]], &Device::Cpu)?;
        let by_matrix = as_matrix(&kernel, 5)?.matmul(&x.reshape((25, 1))?)?; // (16, 1)
        let y = conv2d(&x.reshape((1, 1, 5, 5))?, &kernel, None, &Conv2dConfig::default())?;
        assert!(relative_difference(&by_matrix.reshape((1, 1, 4, 4))?, &y)? < 1e-6);
        Ok(())
    }

    #[test]
    fn a_shift_moves_every_pixel() -> Result<()> {
        let x = Tensor::new(&[[[[1f32, 2.0], [3.0, 4.0]]]], &Device::Cpu)?;
        assert_eq!(shift(&x, 1, 0)?.flatten_all()?.to_vec1::<f32>()?, [0.0, 0.0, 1.0, 2.0]);
        assert_eq!(shift(&x, 0, 1)?.flatten_all()?.to_vec1::<f32>()?, [0.0, 1.0, 0.0, 3.0]);
        Ok(())
    }
}
