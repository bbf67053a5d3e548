//! 13.11 Fully Convolutional Networks
//!
//! A net that others trained to name pictures learns to name every pixel: its features are scored cell by cell, and the scores
//! brought back to the picture's size by a transposed convolution.
//!
//! `cargo run --release -p vision -- fcn` trains some minutes, to an accuracy that is 0.15 and more above that of calling
//! everything background.

use d2l::nn::{Conv2d, ConvTranspose2d, init};
use d2l::notebook::within;
use d2l::ops::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, mean, upsample_bilinear2d, upsample_nearest2d};
use d2l::optim::ParameterGroup;
use d2l::plot::{Image, ImageGrid};
use d2l::prelude::*;
use d2l::train::StepResult;

use crate::book_pictures::CatAndDog;
use crate::confusion::Confusion;
use crate::labeled_pictures::Normalization;
use crate::picture::Picture;
use crate::pretrained::{Architecture, Body, Pretrained};
use crate::segmentation_set::{CLASSES, Mask, SegmentationSet};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Rows of the part that is cut out of each picture
    #[arg(long, default_value_t = 320, value_parser = within::<32, 1024>)]
    pub crop_height: usize,
    /// Columns of it
    #[arg(long, default_value_t = 480, value_parser = within::<32, 1024>)]
    pub crop_width: usize,
    /// Learning rate, for the sum of the pictures' losses
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    pub lr: f64,
    /// The new layers learn so many times faster than those below
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub output_factor: f64,
    /// Weight decay
    #[arg(long, default_value_t = 0.001, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Whether the pretrained normalizations keep the statistics that came with the weights; the book's do not
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
    pub keep_statistics: bool,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { batch_size: 8, crop_height: 160, crop_width: 256, lr: 0.0003, output_factor: 10.0, keep_statistics: true, num_epochs: 6 }
    Smoke { batch_size: 4, crop_height: 64, crop_width: 96, num_epochs: 2 }
}

/// A kernel `(channels, channels, side, side)` with which a transposed convolution enlarges each channel by itself, numbers
/// between two cells being mixed by their distances.
pub fn bilinear_kernel(channels: usize, side: usize) -> Result<Tensor> {
    let factor = side.div_ceil(2) as f32;
    let center = if side % 2 == 1 { factor - 1.0 } else { factor - 0.5 };
    let weight = |place: usize| 1.0 - (place as f32 - center).abs() / factor;
    let mut kernel = vec![0f32; channels * channels * side * side];
    for channel in 0..channels {
        let plane = &mut kernel[(channel * channels + channel) * side * side..][..side * side];
        plane.iter_mut().enumerate().for_each(|(at, value)| *value = weight(at / side) * weight(at % side));
    }
    Tensor::from_vec(kernel, (channels, channels, side, side), &Device::Cpu)
}

/// Scores of every class for every pixel.
pub struct Fcn {
    body: Body,
    scores: Conv2d,
    enlarged: ConvTranspose2d,
}

impl Fcn {
    /// On the body of a pretrained net; the other layers are called `final_conv` and `transpose_conv`.
    pub fn new(architecture: Architecture, keep_statistics: bool, classes: usize, vb: &VarBuilder) -> Result<Self> {
        let stride = architecture.stride();
        let enlarge = ConvTranspose2dConfig {
            padding: (stride / 2, stride / 2),
            stride: (stride, stride),
            ..ConvTranspose2dConfig::default()
        };
        let (channels, kernel) = (architecture.channels(), (2 * stride, 2 * stride));
        Ok(Self {
            body: architecture.body(keep_statistics, vb)?,
            scores: Conv2d::new(channels, classes, (1, 1), Conv2dConfig::default(), &vb.pp("final_conv"))?,
            enlarged: ConvTranspose2d::new(classes, classes, kernel, enlarge, &vb.pp("transpose_conv"))?,
        })
    }
}

impl ModuleT for Fcn {
    /// Pictures `(batch, 3, height, width)` to scores `(batch, classes, height, width)`.
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let features = self.body.forward_t(x, train)?; // (batch, channels, height / 32, width / 32)
        let scores = self.enlarged.forward(&self.scores.forward(&features)?)?;
        // The sides of a picture need not be multiples of 32.
        let (_, _, h, w) = scores.dims4()?;
        if (h, w) == (height, width) { Ok(scores) } else { upsample_bilinear2d(&scores, (height, width), false) }
    }
}

/// The mean over each picture's pixels: `(batch)`.
pub fn loss(scores: &Tensor, classes: &Tensor) -> Result<Tensor> {
    mean(&cross_entropy(scores, classes, Reduction::None)?, (1, 2))
}

/// The class of each pixel of a picture.
pub fn predict(net: &Fcn, picture: &Picture, normalization: Normalization, device: &Device) -> anyhow::Result<Mask> {
    let (width, height) = (picture.width(), picture.height());
    let mut planes = vec![0f32; 3 * height * width];
    normalization.write(picture, &mut planes);
    let x = Tensor::from_vec(planes, (1, 3, height, width), device)?;
    let classes = net.forward_t(&x, false)?.detach().argmax(1)?.flatten_all()?.to_vec1::<u32>()?;
    Ok(Mask::new(width, height, classes.into_iter().map(|class| class as u8).collect())?)
}

/// What the net says of all pictures that a loader serves, beside the truth.
pub fn evaluate(net: &Fcn, batches: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<Confusion> {
    let mut confusion = Confusion::new(CLASSES.len());
    for batch in batches.epoch() {
        let (x, y) = batch?;
        confusion.add(&net.forward_t(&x, false)?.detach().argmax(1)?, &y)?;
    }
    Ok(confusion)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The model")?;
    let pretrained = nb.load::<Pretrained>()?;
    let architecture = pretrained.architecture;
    let parameters = nb.parameters();
    let net = Fcn::new(architecture, config.keep_statistics, CLASSES.len(), &parameters.builder())?;
    if let Some(weights) = &pretrained.weights {
        let restored = parameters.restore_matching(weights)?;
        nb.say(format!("pretrained: {} tensors; new: {}", restored.loaded.len(), restored.left.missing.join(", ")))?;
    }

    nb.cell("Shapes")?;
    let x = nb.uniform((1, 3, 320, 480))?;
    let features = net.body.forward_t(&x, false)?;
    let scores = net.forward_t(&x, false)?;
    nb.say(format!("{:?} to {:?} to {:?}", x.dims(), features.dims(), scores.dims()))?;

    nb.cell("Initializing transposed convolutional layers")?;
    let CatAndDog(photograph) = nb.load()?;
    let x = photograph.tensor(nb.device())?.unsqueeze(0)?; // (1, 3, height, width)
    let double = ConvTranspose2dConfig { padding: (1, 1), stride: (2, 2), ..ConvTranspose2dConfig::default() };
    let y = conv_transpose2d(&x, &bilinear_kernel(3, 4)?.to_device(nb.device())?, None, &double)?;
    nb.say(format!("{:?} to {:?}", x.dims(), y.dims()))?;
    // The dog's left eye, of 60 x 40 pixels.
    let enlarged = y.squeeze(0)?.i((.., 208..288, 352..472))?.to_device(&Device::Cpu)?;
    let doubled =
        upsample_nearest2d(&photograph.cropped(176, 104, 60, 40).tensor(&Device::Cpu)?.unsqueeze(0)?, (80, 120))?;
    let images = [doubled.squeeze(0)?, enlarged].map(|image| Image::from_tensor(&image));
    let images = images.into_iter().collect::<Result<Vec<_>, _>>()?;
    let grid = ImageGrid::new(2, images).titles(["pixels twice as large", "bilinear"]).scale(3);
    nb.figure("enlarged", "An eye of the dog, its pixels doubled on the left and mixed on the right", grid)?;

    nb.cell("The last layers")?;
    let stride = architecture.stride();
    parameters.initialize(|name, shape| {
        Ok(if name == "final_conv.weight" { Some(init::xavier_uniform(shape)?) } else { None })
    })?;
    if let Some(weight) = parameters.get("transpose_conv.weight") {
        weight.set(&bilinear_kernel(CLASSES.len(), 2 * stride)?.to_device(nb.device())?)?;
    }
    nb.show("parameters", parameters.count())?;

    nb.cell("Reading the dataset")?;
    let set = nb.load::<SegmentationSet>()?;
    let shown = set.validation.clone();
    let crop = (config.crop_height, config.crop_width);
    let (train, validation) = set.loaders(config.batch_size, crop, architecture.normalization(), nb)?;
    nb.say(format!("{} training and {} validation pictures", train.examples(), validation.examples()))?;
    let (mut train, mut validation) = (train.prefetched(), validation.prefetched());

    nb.cell("Training")?;
    let is_new = |name: &str| name.starts_with("final_conv") || name.starts_with("transpose_conv");
    let (output, body) = parameters.trained().into_iter().partition(|(name, _): &(String, Var)| is_new(name));
    let output = ParameterGroup::new(output).learning_rate_factor(config.output_factor);
    let mut optimizer = Sgd::new(vec![ParameterGroup::new(body), output], config.lr).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).with(&parameters).each_epoch(|epoch| {
        let confusion = evaluate(&net, &mut validation)?;
        epoch.metric("test_acc", confusion.accuracy())?;
        epoch.metric("mean_iou", confusion.mean_iou())
    });
    let history = trainer.run(&mut train, |step, (x, y)| -> StepResult {
        let scores = net.forward_t(&x, true)?; // (batch, classes, height, width)
        let losses = loss(&scores, &y)?; // (batch)
        optimizer.minimize(&losses.sum_all()?)?;
        let right = scores.detach().argmax(1)?.eq(&y)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
        step.metric("train_acc", f64::from(right), y.elem_count() as f64)?;
        step.losses(&losses)
    })?;
    nb.training(&history)?;

    nb.cell("How good it is")?;
    let confusion = evaluate(&net, &mut validation)?;
    let background = confusion.share_of(0);
    nb.show("pixels named rightly", format!("{:.3}", confusion.accuracy()))?;
    nb.show("all called background, there would be", format!("{background:.3}"))?;
    nb.metric("gain", confusion.accuracy() - background)?;
    let mut table = Table::new(["class", "pixels", "IoU"]);
    for (class, name) in CLASSES.iter().enumerate() {
        if let Some(iou) = confusion.iou(class) {
            table.row([
                (*name).to_string(),
                format!("{:.2} %", 100.0 * confusion.share_of(class)),
                format!("{iou:.3}"),
            ]);
        }
    }
    nb.say(table)?;

    nb.cell("Prediction")?;
    let mut images = [const { Vec::new() }; 3];
    for place in 0..4 {
        let (picture, mask) = shown.pair(place * (shown.len() / 4))?;
        // The book's part of a picture; the net takes any size, also one that it was not trained on.
        let (width, height) = (picture.width().min(480), picture.height().min(320));
        let (picture, mask) = (picture.cropped(0, 0, width, height), mask.cropped(0, 0, width, height));
        let predicted = predict(&net, &picture, architecture.normalization(), nb.device())?;
        for (row, image) in images.iter_mut().zip([picture, predicted.colored()?, mask.colored()?]) {
            row.push(image.resized(160 * width / height, 160)?.image()?);
        }
    }
    let grid = ImageGrid::new(images[0].len(), images.concat()).scale(1);
    nb.figure("predictions", "Four photographs, below each what the net says of its pixels, and then the truth", grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        for architecture in [Architecture::ResNet18, Architecture::EfficientNetLite0, Architecture::SqueezeNet] {
            let random = Random::new(1);
            let parameters = Parameters::new(&random, &Device::Cpu);
            let net = Fcn::new(architecture, false, 5, &parameters.builder())?;
            let mut stream = random.stream(Purpose::Sampling, "pictures");
            let x = d2l::random::normal(&mut stream, 0.0, 1.0, (2, 3, 64, 96), &Device::Cpu)?;
            let y =
                Tensor::from_iter((0..2 * 64 * 96).map(|place: u32| place % 5), &Device::Cpu)?.reshape((2, 64, 96))?;
            let scores = net.forward_t(&x, true)?;
            assert_eq!(scores.dims(), [2, 5, 64, 96]);
            let losses = loss(&scores, &y)?;
            assert_eq!(losses.dims(), [2]);
            d2l_testing::gradients::reach_all(&parameters, &losses.sum_all()?, |_| false)?;
        }
        Ok(())
    }

    /// Between cells the transposed convolution mixes as `upsample_bilinear2d` does; at the edges it mixes with nothing.
    #[test]
    fn the_kernel_enlarges_bilinearly() -> Result<()> {
        let mut stream = Random::new(2).stream(Purpose::Sampling, "numbers");
        for factor in [2, 4, 32] {
            let x = d2l::random::normal(&mut stream, 0.0, 1.0, (1, 2, 5, 6), &Device::Cpu)?;
            let config = ConvTranspose2dConfig {
                padding: (factor / 2, factor / 2),
                stride: (factor, factor),
                ..ConvTranspose2dConfig::default()
            };
            let y = conv_transpose2d(&x, &bilinear_kernel(2, 2 * factor)?, None, &config)?;
            let wanted = upsample_bilinear2d(&x, (5 * factor, 6 * factor), false)?;
            assert_eq!(y.dims(), wanted.dims());
            let inner = |t: &Tensor| t.narrow(2, factor, 3 * factor)?.narrow(3, factor, 4 * factor);
            let difference = (inner(&y)? - inner(&wanted)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-5, "{factor}: {difference}");
        }
        let odd = bilinear_kernel(1, 3)?.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(odd, [0.25, 0.5, 0.25, 0.5, 1.0, 0.5, 0.25, 0.5, 0.25]);
        Ok(())
    }
}
