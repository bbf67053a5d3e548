//! 13.10 Transposed Convolution
//!
//! A convolution turned around: each number of the input is spread over a window of the output.
//!
//! `cargo run --release -p vision -- transposed-conv` takes less than a second; every difference that it prints is 0 or a
//! rounding error.

use cnn::sections::conv_layer::cross_correlation;
use d2l::nn::{Conv2d, ConvTranspose2d};
use d2l::ops::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d};
use d2l::prelude::*;

/// Settings: there are none.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// Adds to the output, for each number of `x` `(h, w)`, that number times `kernel` `(kh, kw)`: `(h + kh − 1, w + kw − 1)`.
#[doc(alias = "trans_conv")]
pub fn transposed_convolution(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let ((h, w), (kh, kw)) = (x.dims2()?, kernel.dims2()?);
    let mut y = Tensor::zeros((h + kh - 1, w + kw - 1), x.dtype(), x.device())?;
    for i in 0..h {
        for j in 0..w {
            let spread = kernel.broadcast_mul(&x.i((i, j))?)?; // (kh, kw)
            let (below, right) = (h - 1 - i, w - 1 - j);
            y = (y + spread.pad_with_zeros(0, i, below)?.pad_with_zeros(1, j, right)?)?;
        }
    }
    Ok(y)
}

/// The matrix `(h' · w', h · w)` that a convolution of a picture `(h, w)` with `kernel` multiplies the picture's numbers by.
#[doc(alias = "kernel2matrix")]
pub fn convolution_matrix(kernel: &Tensor, (h, w): (usize, usize)) -> Result<Tensor> {
    let (kh, kw) = kernel.dims2()?;
    let kernel = kernel.to_vec2::<f32>()?;
    let (rows, columns) = (h - kh + 1, w - kw + 1);
    let mut matrix = vec![0f32; rows * columns * h * w];
    for place in 0..rows * columns {
        let (top, left) = (place / columns, place % columns);
        for (i, row) in kernel.iter().enumerate() {
            let start = place * h * w + (top + i) * w + left;
            matrix[start..start + kw].copy_from_slice(row);
        }
    }
    Tensor::from_vec(matrix, (rows * columns, h * w), &Device::Cpu)
}

/// The largest difference between two tensors.
fn difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(f64::from((a - b)?.abs()?.max_all()?.to_scalar::<f32>()?))
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Basic operation")?;
    let x = Tensor::new(&[[0f32, 1.0], [2.0, 3.0]], &Device::Cpu)?;
    let kernel = Tensor::new(&[[0f32, 1.0], [2.0, 3.0]], &Device::Cpu)?;
    let y = transposed_convolution(&x, &kernel)?;
    nb.say(&y)?;

    nb.cell("The same as an operation")?;
    let wide = |t: &Tensor| t.unsqueeze(0)?.unsqueeze(0); // (1, 1, h, w)
    let layer = |config| conv_transpose2d(&wide(&x)?, &wide(&kernel)?, None, &config)?.squeeze(0)?.squeeze(0);
    let same = layer(ConvTranspose2dConfig::default())?;
    nb.show("difference", difference(&same, &y)?)?;

    nb.cell("Padding")?;
    nb.say(layer(ConvTranspose2dConfig { padding: (1, 1), ..ConvTranspose2dConfig::default() })?)?;

    nb.cell("Strides")?;
    nb.say(layer(ConvTranspose2dConfig { stride: (2, 2), ..ConvTranspose2dConfig::default() })?)?;

    nb.cell("Multiple channels")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let picture = nb.normal((1, 10, 16, 16))?;
    let there = Conv2dConfig { padding: (2, 2), stride: (3, 3), ..Conv2dConfig::default() };
    let back = ConvTranspose2dConfig { padding: (2, 2), stride: (3, 3), ..ConvTranspose2dConfig::default() };
    let conv = Conv2d::new(10, 20, (5, 5), there, &vb.pp("conv"))?;
    let transposed = ConvTranspose2d::new(20, 10, (5, 5), back, &vb.pp("transposed"))?;
    let small = conv.forward(&picture)?;
    nb.say(format!("{:?} to {:?} and back", picture.dims(), small.dims()))?;
    nb.show("back", format!("{:?}", transposed.forward(&small)?.dims()))?;

    nb.cell("Connection to matrix transposition")?;
    let x = Tensor::arange(0f32, 9.0, &Device::Cpu)?.reshape((3, 3))?;
    let kernel = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
    let y = cross_correlation(&x, &kernel)?;
    nb.say(&y)?;

    nb.cell("A convolution as a matrix")?;
    let matrix = convolution_matrix(&kernel, (3, 3))?; // (4, 9)
    nb.say(&matrix)?;

    nb.cell("The matrix times the picture")?;
    let product = matrix.matmul(&x.reshape((9, 1))?)?.reshape((2, 2))?;
    nb.show("difference to the convolution", difference(&product, &y)?)?;

    nb.cell("The transposed matrix times the result")?;
    let spread = transposed_convolution(&y, &kernel)?; // (3, 3)
    let product = matrix.t()?.matmul(&y.reshape((4, 1))?)?.reshape((3, 3))?;
    nb.say(&product)?;
    let difference = difference(&product, &spread)?;
    nb.show("difference to the transposed convolution", difference)?;
    nb.metric("difference", difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_numbers() -> Result<()> {
        let x = Tensor::new(&[[0f32, 1.0], [2.0, 3.0]], &Device::Cpu)?;
        let y = transposed_convolution(&x, &x)?;
        assert_eq!(y.to_vec2::<f32>()?, [[0.0, 0.0, 1.0], [0.0, 4.0, 6.0], [4.0, 12.0, 9.0]]);
        Ok(())
    }

    /// Turning a convolution around gives the gradient by its input.
    #[test]
    fn it_is_the_gradient_of_a_convolution() -> Result<()> {
        let mut stream = Random::new(4).stream(Purpose::Sampling, "numbers");
        let mut normal = |shape: (usize, usize)| d2l::random::normal(&mut stream, 0.0, 1.0, shape, &Device::Cpu);
        let (kernel, seed) = (normal((3, 2))?, normal((4, 6))?);
        let x = Var::from_tensor(&normal((6, 7))?)?;
        let y = (cross_correlation(&x, &kernel)? * &seed)?.sum_all()?;
        let grads = backward(&y)?;
        assert!(difference(grads.get(&x)?, &transposed_convolution(&seed, &kernel)?)? < 1e-5);
        let matrix = convolution_matrix(&kernel, (6, 7))?;
        let spread = matrix.t()?.matmul(&seed.reshape((24, 1))?)?.reshape((6, 7))?;
        assert!(difference(grads.get(&x)?, &spread)? < 1e-5);
        Ok(())
    }
}
