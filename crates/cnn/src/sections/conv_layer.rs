//! 6.2 Convolutions for Images
//!
//! Cross-correlation from scratch, an edge detector, the same detector learned from data, and what a unit of a deep stack
//! of convolutions sees.
//!
//! `cargo run --release -p cnn -- conv-layer`
//! Less than a second. After ten steps the loss is below 0.36; the kernel ends within 0.02 of [1, −1].

use candle_core::bail;
use d2l::data::Repeat;
use d2l::nn::{Conv2d, Init};
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, conv2d};
use d2l::plot::HeatMaps;
use d2l::prelude::*;

use crate::inspection::{extent, receptive_field};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Learning rate
    #[arg(long, default_value_t = 3e-2, value_parser = positive)]
    pub lr: f64,
    /// Steps that are printed, two by two
    #[arg(long, default_value_t = 10, value_parser = within::<2, 1000>)]
    pub steps: usize,
}

defaults! { Config }

/// Steps that come after those of the book.
const EXTRA_STEPS: usize = 40;

/// Slides the window `kernel` `(kh, kw)` over `x` `(h, w)` and sums the products under it: `(h − kh + 1, w − kw + 1)`.
///
/// # Errors
/// Where the window is larger than the image.
#[doc(alias = "corr2d")]
pub fn cross_correlation(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let ((h, w), (kh, kw)) = (x.dims2()?, kernel.dims2()?);
    if kh > h || kw > w {
        bail!("a window of {kh} x {kw} does not fit into an image of {h} x {w}");
    }
    let (rows, columns) = (h - kh + 1, w - kw + 1);
    let mut sums = Vec::with_capacity(rows * columns);
    for i in 0..rows {
        for j in 0..columns {
            let window = x.narrow(0, i, kh)?.narrow(1, j, kw)?; // (kh, kw)
            sums.push((window * kernel)?.sum_all()?);
        }
    }
    Tensor::stack(&sums, 0)?.reshape((rows, columns))
}

/// A convolutional layer with one input and one output channel.
#[doc(alias = "Conv2D")]
pub struct ConvolutionalLayer {
    weight: Tensor,
    bias: Tensor,
}

impl ConvolutionalLayer {
    /// A window of `(kh, kw)`, uniform in `[0, 1)`, and a bias of zero.
    pub fn new(kh: usize, kw: usize, vb: &VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints((kh, kw), "weight", Init::Uniform { lo: 0.0, up: 1.0 })?;
        Ok(Self { weight, bias: vb.get_with_hints(1, "bias", Init::Const(0.0))? })
    }
}

impl Module for ConvolutionalLayer {
    /// `(h, w)` to `(h − kh + 1, w − kw + 1)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        cross_correlation(x, &self.weight)?.broadcast_add(&self.bias)
    }
}

/// White with a black bar from the third to the sixth column: `(6, 8)`.
fn striped(device: &Device) -> Result<Tensor> {
    Tensor::new(&[1f32, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], device)?.broadcast_as((6, 8))?.contiguous()
}

/// `depth` convolutions of 3×3 in a row, named by how many there are up to here.
fn stack(depth: usize, vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    (1..=depth).try_fold(Sequential::with_parameters(vb), |net, i| {
        net.layer(i.to_string(), |vb| Conv2d::new(1, 1, (3, 3), same, vb))
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The cross-correlation operation")?;
    let x = Tensor::new(&[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], nb.device())?;
    let kernel = Tensor::new(&[[0f32, 1.0], [2.0, 3.0]], nb.device())?;
    nb.show("cross_correlation(x, kernel)", cross_correlation(&x, &kernel)?)?; // (2, 2)

    nb.cell("Convolutional layers")?;
    let parameters = nb.parameters();
    let layer = ConvolutionalLayer::new(2, 2, &parameters.builder())?;
    nb.show("layer(x)", layer.forward(&x)?)?;
    let as_operation = |x: &Tensor, kernel: &Tensor| {
        let (h, w) = x.dims2()?;
        let (kh, kw) = kernel.dims2()?;
        let (x, kernel) = (x.reshape((1, 1, h, w))?, kernel.reshape((1, 1, kh, kw))?);
        conv2d(&x, &kernel, None, &Conv2dConfig::default())?.squeeze(0)?.squeeze(0)
    };
    let difference = (as_operation(&x, &layer.weight)? - layer.forward(&x)?)?.abs()?.max_all()?;
    nb.show("largest difference from d2l::ops::conv2d", difference.to_scalar::<f32>()?)?;

    nb.cell("Object edge detection in images")?;
    let image = striped(nb.device())?;
    nb.show("image", &image)?;
    let detector = Tensor::new(&[[1f32, -1.0]], nb.device())?;
    let edges = cross_correlation(&image, &detector)?; // (6, 7)
    nb.show("edges", &edges)?;
    let lying = cross_correlation(&image.t()?.contiguous()?, &detector)?; // (8, 5)
    nb.show("largest response to the turned image", lying.abs()?.max_all()?.to_scalar::<f32>()?)?;
    nb.figure(
        "edges",
        "The detector's output: 1 from white to black, −1 from black to white",
        HeatMaps::new(&edges)?.diverging(),
    )?;

    nb.cell("Learning a kernel")?;
    let parameters = nb.parameters();
    let conv = Conv2d::without_bias(1, 1, (1, 2), Conv2dConfig::default(), &parameters.builder())?;
    let (x, y) = (image.reshape((1, 1, 6, 8))?, edges.reshape((1, 1, 6, 7))?);
    let mut descend = |step: &mut Step<'_>, (): ()| -> StepResult {
        let loss = (conv.forward(&x)? - &y)?.sqr()?.sum_all()?;
        let grads = backward(&loss)?;
        for kernel in parameters.variables() {
            kernel.set(&(kernel.as_detached_tensor() - (grads.get(&kernel)? * config.lr)?)?)?;
        }
        let kernel = conv.weight().detach().flatten_all()?.to_vec1::<f32>()?;
        step.metric("left weight", f64::from(kernel[0]), 1.0)?;
        step.metric("right weight", f64::from(kernel[1]), 1.0)?;
        step.loss(&loss, 1)
    };
    let trainer = nb.trainer(config.steps).named("ten-steps").with(&parameters);
    let history = trainer.run(&mut Repeat(1), &mut descend)?;
    for (step, loss) in (1..).zip(history.metric("train_loss")).filter(|(step, _)| step % 2 == 0) {
        nb.say(format!("step {step:2}, loss {loss:.4}"))?;
    }
    let kernel = conv.weight().flatten_all()?.to_vec1::<f32>()?;
    nb.say(format!("after {} steps the kernel is {kernel:.3?}", config.steps))?;
    nb.metric("loss_after_steps", history.last("train_loss").unwrap_or(f64::NAN))?;

    nb.cell("Where the steps lead")?;
    let trainer = nb.trainer(EXTRA_STEPS).named("more-steps").with(&parameters);
    let further = trainer.run(&mut Repeat(1), &mut descend)?;
    let kernel = conv.weight().flatten_all()?.to_vec1::<f32>()?;
    nb.say(format!("after {EXTRA_STEPS} more it is {kernel:.3?}"))?;
    nb.metric("kernel_error", f64::from((kernel[0] - 1.0).abs().max((kernel[1] + 1.0).abs())))?;
    let mut chart = Chart::new().x_label("step").y_label("weight").horizontal(1.0).horizontal(-1.0);
    for weight in ["left weight", "right weight"] {
        let values = [history.metric(weight), further.metric(weight)].concat();
        let steps: Vec<f64> = (1..=values.len()).map(|step| step as f64).collect();
        chart = chart.line(weight, &steps, &values);
    }
    nb.figure("kernel", "The kernel's two weights by step, towards 1 and −1", chart)?;

    nb.cell("Cross-correlation and convolution")?;
    let turned = detector.flip(&[1])?; // (1, 2)
    let convolved = cross_correlation(&image, &turned)?;
    nb.show("flipping the detector changes the sign", (convolved + &edges)?.abs()?.max_all()?.to_scalar::<f32>()?)?;

    nb.cell("Feature map and receptive field")?;
    let parameters = nb.parameters();
    let net = stack(4, &parameters.builder())?;
    let x = nb.normal((1, 1, 11, 11))?;
    let mut fields = Vec::new();
    for depth in ["1", "2", "3", "4"] {
        let field = receptive_field(&net, depth, &x)?; // (11, 11)
        let (height, width) = extent(&field)?;
        nb.say(format!("a unit of layer {depth} sees {height} x {width} pixels"))?;
        fields.push(field);
    }
    let figure = HeatMaps::new(&Tensor::stack(&fields, 0)?.unsqueeze(0)?)?; // (1, 4, 11, 11)
    let alt = "How much each pixel counts for the middle unit of one to four convolutions of 3 by 3";
    nb.figure("receptive-field", alt, figure.titles(["1 layer", "2 layers", "3 layers", "4 layers"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_their_gradients_agree_with_the_operation() -> Result<()> {
        let values: Vec<f32> = (0..20).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Var::from_tensor(&Tensor::from_vec(values, (4, 5), &Device::Cpu)?)?;
        let kernel = Var::new(&[[0.5f32, -1.0], [2.0, 0.25], [1.5, -0.75]], &Device::Cpu)?;
        let own = cross_correlation(&x, &kernel)?; // (2, 4)
        let config = Conv2dConfig::default();
        let known = conv2d(&x.reshape((1, 1, 4, 5))?, &kernel.reshape((1, 1, 3, 2))?, None, &config)?;
        let known = known.reshape((2, 4))?;
        let (own_grads, known_grads) = (backward(&own.sqr()?.sum_all()?)?, backward(&known.sqr()?.sum_all()?)?);
        let mut pairs = vec![(own, known)];
        for variable in [&x, &kernel] {
            pairs.push((own_grads.get(variable)?.clone(), known_grads.get(variable)?.clone()));
        }
        for (a, b) in pairs {
            assert!((a - b)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5);
        }
        Ok(())
    }

    #[test]
    fn most_paths_to_a_unit_begin_in_the_middle() -> anyhow::Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = stack(2, &parameters.builder())?;
        parameters.initialize(|_, _| Ok(Some(Init::Const(1.0))))?;
        let field = receptive_field(&net, "2", &Tensor::zeros((1, 1, 7, 7), DType::F32, &Device::Cpu)?)?;
        let paths = (field.narrow(0, 1, 5)?.narrow(1, 1, 5)? * 9.0)?.round()?.to_vec2::<f32>()?;
        let [edge, next, middle] = [[1.0, 2.0, 3.0, 2.0, 1.0], [2.0, 4.0, 6.0, 4.0, 2.0], [3.0, 6.0, 9.0, 6.0, 3.0]];
        assert_eq!(paths, [edge, next, middle, next, edge]);
        Ok(())
    }

    #[test]
    fn a_window_larger_than_the_image_is_an_error() -> Result<()> {
        let (x, kernel) =
            (Tensor::ones((2, 3), DType::F32, &Device::Cpu)?, Tensor::ones((3, 1), DType::F32, &Device::Cpu)?);
        let error = cross_correlation(&x, &kernel).expect_err("too large").to_string();
        assert!(error.contains("3 x 1") && error.contains("2 x 3"), "{error}");
        Ok(())
    }
}
