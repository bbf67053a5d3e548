//! 13.12 Neural Style Transfer
//!
//! A picture is trained, not a net: it keeps the things of a photograph and takes on the colors and strokes of a
//! painting, as a pretrained net sees both.
//!
//! `cargo run --release -p vision -- neural-style` takes some minutes; the loss of style falls to a small part of what
//! it is at the beginning, where the picture is the photograph itself.

use d2l::data::{DataError, Repeat};
use d2l::notebook::within;
use d2l::ops::{l1_loss, matmul, mse_loss};
use d2l::optim::{Adam, schedule};
use d2l::plot::ImageGrid;
use d2l::prelude::*;

use crate::labeled_pictures::Normalization;
use crate::picture::Picture;
use crate::style_pictures::StylePictures;
use crate::vgg::Vgg19;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows of the synthesized picture
    #[arg(long, default_value_t = 300, value_parser = within::<16, 1024>)]
    pub height: usize,
    /// Columns of it
    #[arg(long, default_value_t = 450, value_parser = within::<16, 1024>)]
    pub width: usize,
    /// Learning rate, for a picture whose numbers are near 1
    #[arg(long, default_value_t = 0.3, value_parser = positive)]
    pub lr: f64,
    /// Steps
    #[arg(long, default_value_t = 500, value_parser = count)]
    pub num_epochs: usize,
    /// Steps after which the learning rate falls to four fifths, again and again
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub lr_decay_epoch: usize,
    /// How much the content counts
    #[arg(long, default_value_t = 1.0, value_parser = non_negative)]
    pub content_weight: f64,
    /// How much the style counts
    #[arg(long, default_value_t = 1000.0, value_parser = non_negative)]
    pub style_weight: f64,
    /// How much smoothness counts
    #[arg(long, default_value_t = 10.0, value_parser = non_negative)]
    pub tv_weight: f64,
}

defaults! { Config, on a CPU Laptop:
    Laptop { height: 150, width: 225, num_epochs: 300, lr_decay_epoch: 30 }
    Smoke { height: 32, width: 48, num_epochs: 4 }
}

impl Config {
    /// The weights of the losses.
    pub fn weights(&self) -> Weights {
        Weights { content: self.content_weight, style: self.style_weight, tv: self.tv_weight }
    }
}

/// The layers whose features tell the style, by torchvision's indices: the first of each of five blocks.
#[doc(alias = "style_layers")]
pub const STYLE_LAYERS: [usize; 5] = [0, 5, 10, 19, 28];
/// The layer whose features tell the content: late enough that it leaves details free.
#[doc(alias = "content_layers")]
pub const CONTENT_LAYERS: [usize; 1] = [25];

/// A picture at another size as the net takes it: `(1, 3, height, width)`, normalized.
pub fn preprocess(picture: &Picture, (height, width): (usize, usize), device: &Device) -> Result<Tensor> {
    let mut planes = vec![0f32; 3 * height * width];
    Normalization::IMAGENET.write(&picture.resized(width, height)?, &mut planes);
    Tensor::from_vec(planes, (1, 3, height, width), device)
}

/// The picture that `(1, 3, height, width)` is; what is darker than black or brighter than white is cut off.
pub fn postprocess(image: &Tensor) -> Result<Picture, DataError> {
    let (_, _, height, width) = image.dims4()?;
    let values = image.detach().squeeze(0)?.permute((1, 2, 0))?.flatten_all()?.to_vec1::<f32>()?; // height * width * 3
    let Normalization { mean, std, .. } = Normalization::IMAGENET;
    let byte = |(at, value): (usize, f32)| (value * std[at % 3] + mean[at % 3]).round().clamp(0.0, 255.0) as u8;
    Picture::new(width, height, values.into_iter().enumerate().map(byte).collect())
}

/// What the net sees in a picture.
#[derive(Debug, Clone)]
pub struct Features {
    /// Of each of [`CONTENT_LAYERS`], `(1, channels, height, width)`.
    pub contents: Vec<Tensor>,
    /// Of each of [`STYLE_LAYERS`], `(1, channels, height, width)`.
    pub styles: Vec<Tensor>,
}

/// The features of a picture `(1, 3, height, width)`.
pub fn extract_features(net: &Vgg19, image: &Tensor) -> Result<Features> {
    let mut styles = net.features(image, &[&STYLE_LAYERS[..], &CONTENT_LAYERS[..]].concat())?;
    let contents = styles.split_off(STYLE_LAYERS.len());
    Ok(Features { contents, styles })
}

/// The mean squared difference of features `(1, channels, height, width)` to those of the content.
pub fn content_loss(features: &Tensor, target: &Tensor) -> Result<Tensor> {
    mse_loss(features, &target.detach(), Reduction::Mean)
}

/// How much the channels of features `(1, channels, height, width)` go together, wherever that is:
/// `(channels, channels)`, the product of each two channels, divided by the number of all features.
pub fn gram(features: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = features.dims4()?;
    if batch != 1 {
        candle_core::bail!("gram: features must be those of one picture, got {batch}");
    }
    let x = features.reshape((channels, height * width))?; // (channels, positions)
    matmul(&x, &x.t()?)? / (channels * height * width) as f64
}

/// The mean squared difference of the [`gram`] matrix of features `(1, channels, height, width)` to the style's.
pub fn style_loss(features: &Tensor, target: &Tensor) -> Result<Tensor> {
    mse_loss(&gram(features)?, &target.detach(), Reduction::Mean)
}

/// Half the sum of the mean differences between neighbors above each other and beside each other in a picture
/// `(1, 3, height, width)`: small where there is no noise.
pub fn tv_loss(image: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = image.dims4()?;
    let difference = |axis: usize, size: usize| {
        l1_loss(&image.narrow(axis, 1, size - 1)?, &image.narrow(axis, 0, size - 1)?, Reduction::Mean)
    };
    (difference(2, height)? + difference(3, width)?)? * 0.5
}

/// How much each loss counts.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// For [`content_loss`].
    pub content: f64,
    /// For [`style_loss`].
    pub style: f64,
    /// For [`tv_loss`].
    pub tv: f64,
}

/// What the picture is to be like.
#[derive(Debug, Clone)]
pub struct Target {
    /// The content's features, `(1, channels, height, width)` each.
    pub contents: Vec<Tensor>,
    /// The style's [`gram`] matrices, `(channels, channels)` each.
    pub grams: Vec<Tensor>,
}

impl Target {
    /// From the features of the content picture and those of the style picture.
    pub fn new(content: &Features, style: &Features) -> Result<Self> {
        let grams = style.styles.iter().map(gram).collect::<Result<_>>()?;
        Ok(Self { contents: content.contents.clone(), grams })
    }
}

/// Each loss times its weight, a single number.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Summed over [`CONTENT_LAYERS`].
    pub content: Tensor,
    /// Summed over [`STYLE_LAYERS`].
    pub style: Tensor,
    /// Of the picture itself.
    pub tv: Tensor,
}

/// The names of the losses.
pub const LOSSES: [&str; 3] = ["content_loss", "style_loss", "tv_loss"];

impl Losses {
    /// Their sum, a single number.
    pub fn total(&self) -> Result<Tensor> {
        (&self.content + &self.style)? + &self.tv
    }

    /// Their values, in the order of [`LOSSES`].
    pub fn values(&self) -> Result<[f64; 3]> {
        let value = |loss: &Tensor| loss.detach().to_scalar::<f32>().map(f64::from);
        Ok([value(&self.content)?, value(&self.style)?, value(&self.tv)?])
    }
}

/// The losses of a picture `(1, 3, height, width)` with these features.
#[doc(alias = "compute_loss")]
pub fn compute_losses(image: &Tensor, features: &Features, target: &Target, weights: Weights) -> Result<Losses> {
    let contents = features.contents.iter().zip(&target.contents).map(|(x, target)| content_loss(x, target));
    let styles = features.styles.iter().zip(&target.grams).map(|(x, target)| style_loss(x, target));
    Ok(Losses {
        content: (sum(contents)? * weights.content)?,
        style: (sum(styles)? * weights.style)?,
        tv: (tv_loss(image)? * weights.tv)?,
    })
}

/// The sum of losses, a single number each.
fn sum(losses: impl Iterator<Item = Result<Tensor>>) -> Result<Tensor> {
    let sum = losses.reduce(|sum, loss| sum? + loss?);
    sum.unwrap_or_else(|| candle_core::bail!("a picture without features has no loss"))
}

/// Changes the picture `(1, 3, height, width)` that the optimizer is of, a step an epoch. The history has the weighted
/// losses by the names of [`LOSSES`], and `train_loss`, their sum.
pub fn train(
    trainer: Trainer<'_>,
    net: &Vgg19,
    image: &Var,
    (target, weights): (&Target, Weights),
    optimizer: &mut Adam,
) -> anyhow::Result<History> {
    let history = trainer.with(&*optimizer).run(&mut Repeat(1), |step, ()| {
        let features = extract_features(net, image)?;
        let losses = compute_losses(image, &features, target, weights)?;
        let total = losses.total()?;
        optimizer.minimize(&total)?;
        for (name, value) in LOSSES.into_iter().zip(losses.values()?) {
            step.metric(name, value, 1.0)?;
        }
        step.loss(&total, 1)
    })?;
    Ok(history)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the content and style images")?;
    let StylePictures { content: content_picture, style: style_picture } = nb.load()?;
    for (name, alt, picture) in [
        ("content", "A landscape: the content", &content_picture),
        ("style", "An oak in autumn: the style", &style_picture),
    ] {
        let shown = picture.resized(450, (450 * picture.height() / picture.width()).max(1))?;
        nb.figure(name, alt, ImageGrid::new(1, [shown.image()?]).scale(1))?;
    }

    nb.cell("Preprocessing and postprocessing")?;
    let size = (config.height, config.width);
    let content_image = preprocess(&content_picture, size, nb.device())?; // (1, 3, height, width)
    let style_image = preprocess(&style_picture, size, nb.device())?; // (1, 3, height, width)
    let there_and_back = postprocess(&content_image)? == content_picture.resized(config.width, config.height)?;
    nb.say(format!("{:?}, and back again to the same bytes: {there_and_back}", content_image.dims()))?;

    nb.cell("Extracting features")?;
    let net = nb.load::<Vgg19>()?.to_device(nb.device())?;
    let (content, style) = (extract_features(&net, &content_image)?, extract_features(&net, &style_image)?);
    let mut table = Table::new(["layer", "tells", "features"]);
    for (index, features) in STYLE_LAYERS.iter().zip(&style.styles) {
        table.row([index.to_string(), "style".to_string(), format!("{:?}", features.dims())]);
    }
    for (index, features) in CONTENT_LAYERS.iter().zip(&content.contents) {
        table.row([index.to_string(), "content".to_string(), format!("{:?}", features.dims())]);
    }
    nb.say(table)?;

    nb.cell("Content loss")?;
    let number = |loss: Tensor| loss.to_scalar::<f32>();
    let apart = number(content_loss(&style.contents[0], &content.contents[0])?)?;
    nb.show("of the style image", format!("{apart:.3}"))?;

    nb.cell("Style loss")?;
    let target = Target::new(&content, &style)?;
    for ((index, x), target) in STYLE_LAYERS.iter().zip(&content.styles).zip(&target.grams) {
        let loss = number(style_loss(x, target)?)?;
        nb.say(format!("layer {index}, {:?}: {loss:.2e} for the content image", target.dims()))?;
    }

    nb.cell("Total variation loss")?;
    nb.show("of the content image", format!("{:.3}", number(tv_loss(&content_image)?)?))?;
    nb.show("of the style image", format!("{:.3}", number(tv_loss(&style_image)?)?))?;

    nb.cell("Loss function")?;
    let weights = config.weights();
    let before = compute_losses(&content_image, &content, &target, weights)?;
    for (name, value) in LOSSES.into_iter().zip(before.values()?) {
        nb.show(name, format!("{value:.3}"))?;
    }

    nb.cell("Initializing the synthesized image")?;
    let image = Var::from_tensor(&content_image)?;
    let mut optimizer = Adam::new([&image], config.lr);
    nb.say(format!("{} numbers to train, from the content image on", image.elem_count()))?;

    nb.cell("Training")?;
    let epochs = config.num_epochs;
    let shown = [epochs / 20, epochs / 10, epochs / 5, epochs / 2, epochs];
    let mut pictures = vec![(0, postprocess(&image)?)];
    let trainer = nb
        .trainer(epochs)
        .schedule(|epoch| schedule::step(config.lr, epoch, config.lr_decay_epoch, 0.8))
        .each_epoch(|epoch| {
            if shown.contains(&epoch.number()) {
                pictures.push((epoch.number(), postprocess(&image)?));
            }
            Ok(())
        });
    let history = train(trainer, &net, &image, (&target, weights), &mut optimizer)?;
    // Not `Notebook::training`, which has a line for each of hundreds of epochs.
    let mut table = Table::new(["epoch", "content loss", "style loss", "tv loss"]);
    for epoch in history.epochs().iter().filter(|epoch| epoch.epoch == 1 || shown.contains(&epoch.epoch)) {
        let values = LOSSES.map(|name| epoch.get(name).map_or_else(String::new, |value| format!("{value:.4}")));
        table.row(std::iter::once(epoch.epoch.to_string()).chain(values));
    }
    nb.say(table)?;
    // The content's loss is 0 in the first epoch, which a logarithmic axis has no place for.
    let chart = LOSSES.iter().fold(Chart::new().x_label("epoch").y_label("loss").log_y(), |chart, name| {
        let (xs, ys) = history.curve(name);
        let (xs, ys): (Vec<f64>, Vec<f64>) = xs.into_iter().zip(ys).filter(|(_, y)| *y > 0.0).unzip();
        chart.line(name.replace('_', " "), &xs, &ys)
    });
    nb.figure("losses", "Content loss, style loss and total variation loss by epoch, on a logarithmic axis", chart)?;
    for name in LOSSES {
        if let Some(value) = history.last(name) {
            nb.metric(name, value)?;
        }
    }

    nb.cell("The synthesized image")?;
    let small = |picture: &Picture| picture.resized(216, (216 * config.height / config.width).max(1));
    let images = pictures.iter().map(|(_, picture)| Ok(small(picture)?.image()?));
    let images = images.collect::<anyhow::Result<Vec<_>>>()?;
    let titles: Vec<String> = pictures.iter().map(|(epoch, _)| format!("epoch {epoch}")).collect();
    let grid = ImageGrid::new(3, images).titles(titles).scale(1);
    nb.figure("by-epoch", "The picture at the beginning, at four epochs on the way, and at the end", grid)?;
    let synthesized = postprocess(&image)?.image()?;
    nb.figure("synthesized", "The content in the colors and strokes of the style", ImageGrid::new(1, [synthesized]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(name: &str, shape: &[usize]) -> Result<Tensor> {
        let mut stream = Random::new(3).stream(Purpose::Sampling, name);
        d2l::random::normal(&mut stream, 0.0, 1.0, shape, &Device::Cpu)
    }

    #[test]
    fn pictures_come_back() -> Result<(), Box<dyn std::error::Error>> {
        let picture = Picture::new(3, 2, (0..18).map(|byte| byte * 15).collect())?;
        let image = preprocess(&picture, (2, 3), &Device::Cpu)?;
        assert_eq!(image.dims(), [1, 3, 2, 3]);
        assert_eq!(postprocess(&image)?, picture);
        let extremes = postprocess(&Tensor::new(&[[[[9f32]], [[-9.0]], [[9.0]]]], &Device::Cpu)?)?;
        assert_eq!(extremes.pixels(), [255, 0, 255]);
        Ok(())
    }

    #[test]
    fn losses_by_hand() -> Result<()> {
        let x = Tensor::new(&[[[[1f32, 2.0]], [[3.0, 4.0]]]], &Device::Cpu)?; // (1, 2, 1, 2)
        let products = gram(&x)?;
        assert_eq!(products.to_vec2::<f32>()?, [[1.25, 2.75], [2.75, 6.25]]);
        assert_eq!(style_loss(&x, &products)?.to_scalar::<f32>()?, 0.0);
        assert_eq!(content_loss(&x, &x.zeros_like()?)?.to_scalar::<f32>()?, 7.5);
        let image = Tensor::new(&[[[[0f32, 1.0], [3.0, 6.0]]]], &Device::Cpu)?; // (1, 1, 2, 2)
        assert_eq!(tv_loss(&image)?.to_scalar::<f32>()?, 3.0);
        assert!(gram(&random("two", &[2, 1, 2, 2])?).expect_err("two pictures").to_string().contains("got 2"));
        Ok(())
    }

    /// Holds the gradient of a loss of `x` against finite differences.
    fn assert_gradient(x: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        let variable = Var::from_tensor(x)?;
        let grads = backward(&loss(variable.as_tensor())?)?;
        let grad = grads.get(&variable)?.flatten_all()?.to_vec1::<f64>()?;
        let values = x.flatten_all()?.to_vec1::<f64>()?;
        let moved = |place: usize, by: f64| {
            let mut values = values.clone();
            values[place] += by;
            loss(&Tensor::from_vec(values, x.dims(), &Device::Cpu)?)?.to_scalar::<f64>()
        };
        for (place, grad) in grad.into_iter().enumerate() {
            let slope = (moved(place, 1e-5)? - moved(place, -1e-5)?) / 2e-5;
            assert!((slope - grad).abs() < 1e-7 * (1.0 + slope.abs()), "at {place}: {grad} instead of {slope}");
        }
        Ok(())
    }

    #[test]
    fn gradients_are_the_slopes() -> Result<()> {
        let x = random("x", &[1, 3, 4, 5])?.to_dtype(DType::F64)?;
        let other = random("other", &[1, 3, 4, 5])?.to_dtype(DType::F64)?;
        let products = gram(&other)?;
        assert_gradient(&x, |x| content_loss(x, &other))?;
        assert_gradient(&x, |x| style_loss(x, &products))?;
        assert_gradient(&x, tv_loss)
    }

    #[test]
    fn a_step_changes_the_picture_for_the_better() -> Result<(), Box<dyn std::error::Error>> {
        let net = Vgg19::random(1)?;
        let (content_image, style_image) = (random("content", &[1, 3, 16, 16])?, random("style", &[1, 3, 16, 16])?);
        let (content, style) = (extract_features(&net, &content_image)?, extract_features(&net, &style_image)?);
        let target = Target::new(&content, &style)?;
        let weights = Weights { content: 1.0, style: 1e3, tv: 10.0 };
        let image = Var::from_tensor(&content_image)?;
        let mut optimizer = Adam::new([&image], 1e-3);
        let history = train(Trainer::new(2), &net, &image, (&target, weights), &mut optimizer)?;
        let total = history.metric("train_loss");
        assert!(total[1] < total[0], "{total:?}");
        let change = (image.as_tensor() - &content_image)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(change > 1e-4 && change < 1e-2, "{change}");
        let first = LOSSES.map(|name| history.metric(name)[0]);
        assert_eq!(first[0], 0.0, "the picture starts from the content");
        assert!((first.iter().sum::<f64>() - total[0]).abs() < 1e-5 * total[0]);
        assert!(first[1] > 0.0 && first[2] > 0.0);
        Ok(())
    }
}
