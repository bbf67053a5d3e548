//! 13.1 Image Augmentation
//!
//! Pictures mirrored, cut and recolored at random, and what mirroring does for a residual net on small photographs.
//!
//! `cargo run --release -p vision -- image-augmentation` trains a narrow net twice in some minutes: the one that sees mirror
//! images too ends with a lower training accuracy and a higher test accuracy.

use cnn::sections::resnet::{Shortcut, residual_stage};
use d2l::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, init};
use d2l::notebook::within;
use d2l::ops::{BatchNormConfig, Conv2dConfig, relu};
use d2l::optim::Adam;
use d2l::plot::ImageGrid;
use d2l::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::augmentation::{
    ColorJitter, Compose, RandomHorizontalFlip, RandomResizedCrop, RandomVerticalFlip, Transform,
};
use crate::book_pictures::Cat;
use crate::cifar10::Cifar10;
use crate::labeled_pictures::{LabeledPictures, Normalization, TransformedPictures};
use crate::picture::Picture;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
    /// Training pictures at most
    #[arg(long, default_value_t = 50_000, value_parser = count)]
    pub examples: usize,
    /// Divides the channels of every layer
    #[arg(long, default_value_t = 1, value_parser = within::<1, 16>)]
    pub narrowing: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { batch_size: 64, num_epochs: 16, examples: 3000, narrowing: 4 }
    Smoke { batch_size: 32, num_epochs: 2, examples: 128, narrowing: 16 }
}

/// A transform applied to one picture eight times, two rows of four.
fn apply(nb: &mut Notebook, name: &str, alt: &str, picture: &Picture, transform: impl Transform) -> anyhow::Result<()> {
    let draw = |seed| {
        let changed = transform.apply(picture.clone(), &mut ChaCha8Rng::seed_from_u64(seed))?;
        changed.resized(128 * changed.width() / changed.height(), 128)
    };
    let changed = (0..8).map(draw).collect::<Result<Vec<_>>>()?;
    let images = changed.iter().map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    nb.figure(name, alt, ImageGrid::new(4, images).scale(1))
}

/// ResNet-18 for small pictures, its channels divided by `narrowing`: `(batch, 3, height, width)` to logits `(batch,
/// classes)`. Unlike section 7.6's it begins with a small convolution and no pooling; shapes here are for a side of 32.
#[doc(alias = "resnet18")]
pub fn small_resnet18(narrowing: usize, classes: usize, vb: &VarBuilder) -> Result<Sequential> {
    let [c1, c2, c3, c4] = [64, 128, 256, 512].map(|channels| (channels / narrowing).max(1));
    let padded = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
    let stage =
        |inputs, outputs, stride| move |vb: &VarBuilder| residual_stage(inputs, outputs, stride, Shortcut::Added, vb);
    Sequential::with_parameters(vb)
        .layer("conv", |vb| Conv2d::new(3, c1, (3, 3), padded, vb))? // (batch, 64, 32, 32)
        .layer("norm", |vb| BatchNorm::new(c1, BatchNormConfig::default(), vb))?
        .add(relu)
        .layer("block1", stage(c1, c1, 1))?
        .layer("block2", stage(c1, c2, 2))? // (batch, 128, 16, 16)
        .layer("block3", stage(c2, c3, 2))? // (batch, 256, 8, 8)
        .layer("block4", stage(c3, c4, 2))? // (batch, 512, 4, 4)
        .add(GlobalAvgPool2d) // (batch, 512, 1, 1)
        .add(Flatten) // (batch, 512)
        .layer("output", |vb| Linear::new(c4, classes, vb)) // (batch, classes)
}

/// Trains a net on pictures that go through `transform`, and tests it with pictures as they are.
#[doc(alias = "train_with_data_aug")]
#[doc(alias = "train_batch_ch13")]
fn train(
    nb: &mut Notebook,
    name: &str,
    config: &Config,
    (pictures, tests): (&LabeledPictures, &LabeledPictures),
    transform: Compose,
) -> anyhow::Result<History> {
    let draws = |name: &str| nb.stream(Purpose::Steps, name);
    let pictures = TransformedPictures::new(pictures.clone(), transform, Normalization::UNIT, draws("augmentation"));
    let tests = TransformedPictures::new(tests.clone(), Compose::new(), Normalization::UNIT, draws("none"));
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let mut train = Loader::new(pictures, config.batch_size, nb.device())?.shuffled(shuffle).prefetched();
    let mut test = Loader::new(tests, config.batch_size, nb.device())?.prefetched();
    let parameters = nb.parameters();
    let net = small_resnet18(config.narrowing, 10, &parameters.builder())?;
    parameters.initialize(|name, shape| {
        let is_matrix = shape.rank() > 1 && name.ends_with("weight");
        Ok(if is_matrix { Some(init::xavier_uniform(shape)?) } else { None })
    })?;
    let mut optimizer = Adam::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters);
    Ok(trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Common image augmentation methods")?;
    let Cat(picture) = nb.load()?;
    nb.figure("cat", "A cat", ImageGrid::new(1, [picture.image()?]).scale(1))?;

    nb.cell("Flipping")?;
    apply(nb, "flipped", "The cat eight times, in some left and right exchanged", &picture, RandomHorizontalFlip)?;

    nb.cell("Flipping up and down")?;
    apply(nb, "upside-down", "The cat eight times, in some upside down", &picture, RandomVerticalFlip)?;

    nb.cell("Cropping")?;
    let crop = RandomResizedCrop { size: (200, 200), area: (0.1, 1.0), shape: (0.5, 2.0) };
    apply(nb, "cropped", "Eight parts of the picture, brought to one size", &picture, crop)?;

    nb.cell("Changing brightness")?;
    let brightness = ColorJitter { brightness: 0.5, ..ColorJitter::default() };
    apply(nb, "brightness", "The cat eight times, from dark to bright", &picture, brightness)?;

    nb.cell("Changing hue")?;
    let hue = ColorJitter { hue: 0.5, ..ColorJitter::default() };
    apply(nb, "hue", "The cat eight times in other colors, such as green and purple", &picture, hue)?;

    nb.cell("Changing all colors")?;
    let colors = ColorJitter { brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.5 };
    apply(nb, "colors", "The cat eight times with other colors, brightness and contrast", &picture, colors)?;

    nb.cell("Combining multiple image augmentation methods")?;
    let combined = Compose::new().then(RandomHorizontalFlip).then(colors).then(crop);
    apply(nb, "combined", "Eight parts of the picture, some mirrored, all in other colors", &picture, combined)?;

    nb.cell("Training with image augmentation")?;
    let Cifar10 { train: pictures, test: tests, .. } = nb.load()?;
    let shown = (0..32.min(pictures.len())).map(|index| Ok(pictures.picture(index)?.image()?));
    let shown = shown.collect::<anyhow::Result<Vec<_>>>()?;
    nb.figure("cifar10", "Thirty-two small photographs of animals and vehicles", ImageGrid::new(8, shown).scale(2))?;
    let pictures = pictures.first(config.examples);
    nb.say(format!("{} training and {} test pictures", pictures.len(), tests.len()))?;

    nb.cell("With mirror images")?;
    let flip = Compose::new().then(RandomHorizontalFlip);
    let flipped = train(nb, "flipped", config, (&pictures, &tests), flip)?;
    nb.training_of("flipped", &flipped)?;

    nb.cell("Without")?;
    let plain = train(nb, "plain", config, (&pictures, &tests), Compose::new())?;
    nb.training_of("plain", &plain)?;

    nb.cell("Side by side")?;
    let mut chart = Chart::new().x_label("epoch").y_label("accuracy").y_range(0.0..1.0);
    for (name, history) in [("flipped", &flipped), ("plain", &plain)] {
        for (metric, what) in [("train_acc", "train"), ("test_acc", "test")] {
            let (epochs, accuracy) = history.curve(metric);
            chart = chart.line(format!("{what}, {name}"), &epochs, &accuracy);
        }
    }
    nb.figure("with-and-without", "Accuracies of both nets by epoch, on training and on test pictures", chart)?;
    let gain = |name| flipped.last(name).unwrap_or(f64::NAN) - plain.last(name).unwrap_or(f64::NAN);
    nb.show("test accuracy with mirror images less that without", format!("{:+.3}", gain("test_acc")))?;
    nb.metric("gain", gain("test_acc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let random = Random::new(1);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = small_resnet18(16, 10, &parameters.builder())?;
        let mut stream = random.stream(Purpose::Sampling, "pictures");
        let x = d2l::random::normal(&mut stream, 0.0, 1.0, (4, 3, 32, 32), &Device::Cpu)?;
        let y = Tensor::new(&[0u32, 3, 5, 9], &Device::Cpu)?;
        // A convolution's bias before batch normalization changes nothing but by rounding.
        d2l_testing::gradients::reach_all(
            &parameters,
            &cross_entropy(&net.forward_t(&x, true)?, &y, Reduction::Mean)?,
            |name| name.ends_with("bias"),
        )?;
        Ok(())
    }

    #[test]
    fn the_books_net_has_its_shapes() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let net = small_resnet18(1, 10, &parameters.builder())?;
        assert_eq!(parameters.count(), 11_176_970);
        assert_eq!(net.forward_t(&Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu)?, false)?.dims(), [1, 10]);
        Ok(())
    }
}
