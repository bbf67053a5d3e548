//! 17.2 Deep Convolutional Generative Adversarial Networks
//!
//! Pictures of creatures that nobody drew: a net of transposed convolutions makes them from noise, another one of
//! convolutions tells them from real ones.
//!
//! `cargo run --release -p gan -- dcgan` takes up to ten minutes; the generated pictures come to differ from each other nearly
//! as much as real ones do, and the discriminator stays ahead.

use std::f64::consts::FRAC_PI_2;

use d2l::nn::{BatchNorm, Conv2d, ConvTranspose2d, LeakyRelu};
use d2l::ops::{BatchNormConfig, Conv2dConfig, ConvTranspose2dConfig, leaky_relu, relu, tanh};
use d2l::optim::Adam;
use d2l::plot::{Image, ImageGrid};
use d2l::prelude::*;
use d2l::random;

use crate::adversarial::{ACCURACIES, Both, Game, LOSSES, generate, show, train, update_generator};
use crate::album::Album;
use crate::diversity::{diversity, verdict};
use crate::pokemon::{Pokemon, SIDE};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Sprites at most
    #[arg(long, default_value_t = 50_000, value_parser = count)]
    pub examples: usize,
    /// Sprites a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Channels of the layers next to the picture; the others have up to eight times as many
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub channels: usize,
    /// Numbers of noise that a picture is made from
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub latent_dim: usize,
    /// The discriminator's slope below 0
    #[arg(long, default_value_t = 0.2, value_parser = probability)]
    pub slope: f64,
    /// Learning rate of both nets
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
    /// The share of Adam's mean of gradients that is kept at a step
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub beta1: f64,
    /// Passes over the sprites
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
    /// Steps of the generator alone, after the training
    #[arg(long, default_value_t = 40, value_parser = count)]
    pub steps_alone: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { examples: 5000, batch_size: 64, channels: 24 }
    Smoke { examples: 48, batch_size: 16, channels: 4, latent_dim: 8, num_epochs: 2, steps_alone: 3 }
}

/// Doubles height and width.
const DOUBLING: ConvTranspose2dConfig = growth(2, 1);
/// Makes four by four pixels of one.
const FROM_ONE_PIXEL: ConvTranspose2dConfig = growth(1, 0);

/// The options of a transposed convolution; the others are the usual ones.
const fn growth(stride: usize, padding: usize) -> ConvTranspose2dConfig {
    let (stride, padding) = ((stride, stride), (padding, padding));
    ConvTranspose2dConfig { stride, padding, output_padding: (0, 0), dilation: (1, 1), groups: 1 }
}

/// A transposed convolution of four by four, batch normalization and ReLU.
#[doc(alias = "G_block")]
pub fn generator_block(
    inputs: usize,
    outputs: usize,
    growth: ConvTranspose2dConfig,
    vb: &VarBuilder,
) -> Result<Sequential> {
    let net = Sequential::with_parameters(vb)
        .layer("conv", |vb| ConvTranspose2d::without_bias(inputs, outputs, (4, 4), growth, vb))?
        .layer("norm", |vb| BatchNorm::new(outputs, BatchNormConfig::default(), vb))?;
    Ok(net.add(relu))
}

/// From noise `(batch, latent, 1, 1)` to pictures `(batch, 3, 64, 64)` from -1 to 1.
#[doc(alias = "net_G")]
pub fn generator(latent_dim: usize, channels: usize, vb: &VarBuilder) -> Result<Sequential> {
    let c = channels;
    let net = Sequential::with_parameters(vb)
        .layer("block1", |vb| generator_block(latent_dim, 8 * c, FROM_ONE_PIXEL, vb))? // (batch, 8 c, 4, 4)
        .layer("block2", |vb| generator_block(8 * c, 4 * c, DOUBLING, vb))? // (batch, 4 c, 8, 8)
        .layer("block3", |vb| generator_block(4 * c, 2 * c, DOUBLING, vb))? // (batch, 2 c, 16, 16)
        .layer("block4", |vb| generator_block(2 * c, c, DOUBLING, vb))? // (batch, c, 32, 32)
        .layer("output", |vb| ConvTranspose2d::without_bias(c, 3, (4, 4), DOUBLING, vb))?; // (batch, 3, 64, 64)
    Ok(net.add(tanh))
}

/// A convolution of four by four that halves height and width, batch normalization and a leaky ReLU.
#[doc(alias = "D_block")]
pub fn discriminator_block(inputs: usize, outputs: usize, slope: f64, vb: &VarBuilder) -> Result<Sequential> {
    let config = Conv2dConfig { stride: (2, 2), padding: (1, 1), ..Conv2dConfig::default() };
    let net = Sequential::with_parameters(vb)
        .layer("conv", |vb| Conv2d::without_bias(inputs, outputs, (4, 4), config, vb))?
        .layer("norm", |vb| BatchNorm::new(outputs, BatchNormConfig::default(), vb))?;
    Ok(net.add(LeakyRelu(slope)))
}

/// From pictures `(batch, 3, 64, 64)` to logits `(batch, 1, 1, 1)`: the generator in a mirror. As in the book's code, the
/// first block normalizes too; its text leaves that out.
#[doc(alias = "net_D")]
pub fn discriminator(channels: usize, slope: f64, vb: &VarBuilder) -> Result<Sequential> {
    let c = channels;
    Sequential::with_parameters(vb)
        .layer("block1", |vb| discriminator_block(3, c, slope, vb))? // (batch, c, 32, 32)
        .layer("block2", |vb| discriminator_block(c, 2 * c, slope, vb))? // (batch, 2 c, 16, 16)
        .layer("block3", |vb| discriminator_block(2 * c, 4 * c, slope, vb))? // (batch, 4 c, 8, 8)
        .layer("block4", |vb| discriminator_block(4 * c, 8 * c, slope, vb))? // (batch, 8 c, 4, 4)
        .layer("output", |vb| Conv2d::without_bias(8 * c, 1, (4, 4), Conv2dConfig::default(), vb)) // (batch, 1, 1, 1)
}

/// Pictures `(n, 3, height, width)` from -1 to 1 for a figure.
fn images(pictures: &Tensor) -> anyhow::Result<Vec<Image>> {
    let pictures = pictures.affine(0.5, 0.5)?;
    (0..pictures.dim(0)?).map(|index| Ok(Image::from_tensor(&pictures.get(index)?)?)).collect()
}

/// Standard normal noise for so many pictures, `(count, latent, 1, 1)`.
fn noise(count: usize, latent_dim: usize, stream: &mut Stream, device: &Device) -> Result<Tensor> {
    random::normal(stream, 0.0, 1.0, (count, latent_dim, 1, 1), device)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The Pokemon dataset")?;
    let all = nb.load::<Pokemon>()?;
    let found = all.len();
    let pokemon = all.chosen(config.examples, &mut nb.stream(Purpose::Sampling, "sprites"));
    nb.say(format!("{} of {found} sprites", pokemon.len()))?;

    nb.cell("Minibatches from -1 to 1")?;
    let shuffle = nb.stream(Purpose::Shuffling, "sprites");
    let mut sprites = Loader::new(pokemon, config.batch_size, nb.device())?.shuffled(shuffle);
    // From all parts of the set: neighbors are of the same creature.
    let (found, taken) = (sprites.examples(), sprites.examples().min(64));
    let spread: Vec<usize> = (0..taken).map(|place| place * found / taken).collect();
    let real = sprites.dataset().batch(&spread, nb.device())?; // (64, 3, 64, 64)
    let (least, most) = (real.min_all()?.to_scalar::<f32>()?, real.max_all()?.to_scalar::<f32>()?);
    nb.say(format!("{} minibatches an epoch; {:?} from {least} to {most}", sprites.batches(), real.dims()))?;

    nb.cell("Twenty real sprites")?;
    let first = sprites.epoch().next().transpose()?.unwrap_or_else(|| real.clone());
    let shown = images(&first.narrow(0, 0, first.dim(0)?.min(20))?)?;
    nb.figure("real", "Twenty sprites in color on white", ImageGrid::new(5, shown))?;

    generator_cells(config, nb)?;
    discriminator_cells(config, nb)?;
    training(config, nb, &mut sprites, diversity(&real)?)
}

/// The generator and what it is made of.
fn generator_cells(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let device = nb.device().clone();
    nb.cell("The generator's block")?;
    let vb = nb.parameters().builder();
    let x = Tensor::zeros((2, 3, 16, 16), DType::F32, &device)?;
    let block = generator_block(3, 20, DOUBLING, &vb.pp("doubling"))?;
    nb.say(format!("{:?} to {:?}", x.dims(), block.forward_t(&x, true)?.dims()))?;

    nb.cell("Four by four pixels of one")?;
    let x = Tensor::zeros((2, 3, 1, 1), DType::F32, &device)?;
    let block = generator_block(3, 20, FROM_ONE_PIXEL, &vb.pp("from-one-pixel"))?;
    nb.say(format!("{:?} to {:?}", x.dims(), block.forward_t(&x, true)?.dims()))?;

    nb.cell("The generator")?;
    let net = generator(config.latent_dim, config.channels, &vb.pp("generator"))?;
    nb.say(net.summary((1, config.latent_dim, 1, 1), &device)?.with_multiply_adds().top_level())?;

    nb.cell("From noise to a picture")?;
    let x = Tensor::zeros((1, config.latent_dim, 1, 1), DType::F32, &device)?;
    nb.say(format!("{:?} to {:?}", x.dims(), generate(&net, &x)?.dims()))
}

/// The discriminator and what it is made of.
fn discriminator_cells(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let device = nb.device().clone();
    nb.cell("The leaky ReLU")?;
    let xs: Vec<f32> = (0..=30).map(|step| step as f32 / 10.0 - 2.0).collect();
    let x = Tensor::new(xs.as_slice(), &device)?;
    let mut chart = Chart::new().x_label("x").y_label("y");
    for slope in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        chart = chart.line(format!("{slope}"), &xs, &leaky_relu(&x, slope)?.to_vec1::<f32>()?);
    }
    nb.figure("leaky-relu", "Leaky ReLUs with six slopes below 0, from that of a ReLU to a straight line", chart)?;

    nb.cell("The discriminator's block")?;
    let vb = nb.parameters().builder();
    let x = Tensor::zeros((2, 3, 16, 16), DType::F32, &device)?;
    let block = discriminator_block(3, 20, config.slope, &vb.pp("halving"))?;
    nb.say(format!("{:?} to {:?}", x.dims(), block.forward_t(&x, true)?.dims()))?;

    nb.cell("The discriminator")?;
    let net = discriminator(config.channels, config.slope, &vb.pp("discriminator"))?;
    nb.say(net.summary((1, 3, SIDE, SIDE), &device)?.with_multiply_adds().top_level())?;

    nb.cell("From a picture to a logit")?;
    let x = Tensor::zeros((1, 3, SIDE, SIDE), DType::F32, &device)?;
    nb.say(format!("{:?} to {:?}", x.dims(), net.forward_t(&x, false)?.dims()))
}

/// Trains both nets, shows what the generator makes, and then what becomes of it without its opponent.
fn training(
    config: &Config,
    nb: &mut Notebook,
    sprites: &mut Loader<Pokemon>,
    real_diversity: f64,
) -> anyhow::Result<()> {
    let (device, latent) = (nb.device().clone(), config.latent_dim);
    nb.cell("Training")?;
    let Game { nets, parameters, mut optimizers } = Game::new(
        Both::of(|| nb.parameters()),
        |vb| discriminator(config.channels, config.slope, vb),
        |vb| generator(latent, config.channels, vb),
        |parameters| parameters.map(|parameters| Adam::new(parameters, config.lr).betas(config.beta1, 0.999)),
    )?;
    let album = Album::new(&noise(21, latent, nb.sampling(), &device)?, (21, 3, SIDE, SIDE))?;
    let mut inputs = nb.stream(Purpose::Steps, "noise");
    let trainer =
        nb.trainer(config.num_epochs).with(&parameters.discriminator).with(&parameters.generator).with(&album);
    let trainer = trainer.each_epoch(|epoch| {
        album.keep(epoch.number(), &nets.generator)?;
        epoch.metric("diversity", diversity(&album.draw(&nets.generator)?)? / real_diversity)
    });
    let history = train(trainer, sprites, &nets, &mut optimizers, |count| noise(count, latent, &mut inputs, &device))?;
    show(nb, &history, &["diversity"])?;
    let last = |name: &str| history.last(name).unwrap_or(f64::NAN);
    nb.say(verdict(last("diversity"), last(ACCURACIES[0]), last(ACCURACIES[1])))?;

    nb.cell("The same noise after some epochs")?;
    let pages = album.pages(config.num_epochs, &nets.generator)?;
    let (mut shown, mut titles) = (Vec::new(), Vec::new());
    for (epoch, pictures) in &pages {
        shown.extend(images(&pictures.narrow(0, 0, 7)?)?);
        // Over the first of a row.
        titles.extend((0..7).map(|column| if column == 0 { format!("epoch {epoch}") } else { String::new() }));
    }
    let alt = "What the generator makes of seven noises, a row for each of some epochs";
    nb.figure("by-epoch", alt, ImageGrid::new(7, shown).titles(titles).scale(1))?;

    nb.cell("Generated pictures")?;
    let made = album.draw(&nets.generator)?; // (21, 3, 64, 64)
    nb.figure("generated", "Twenty-one pictures that the generator made", ImageGrid::new(7, images(&made)?))?;

    nb.cell("A walk between two noises")?;
    let ends = [noise(1, latent, nb.sampling(), &device)?, noise(1, latent, nb.sampling(), &device)?];
    let pictures = generate(&nets.generator, &walk(&ends, 10)?)?; // (10, 3, 64, 64)
    let alt = "Ten pictures from the one of a noise to that of another, each a little different from the one before";
    nb.figure("walk", alt, ImageGrid::new(10, images(&pictures)?).scale(1))?;

    collapse(config, nb, &nets, &mut optimizers.generator, &album, real_diversity)
}

/// Noises from one `(1, latent, 1, 1)` to another in so many steps, `(count, latent, 1, 1)`, along an arc: each is again drawn
/// from the standard normal distribution, which it would not be halfway along a straight line.
pub fn walk([from, to]: &[Tensor; 2], count: usize) -> Result<Tensor> {
    let step = |place: usize| {
        let angle = FRAC_PI_2 * place as f64 / count.saturating_sub(1).max(1) as f64;
        (from * angle.cos())? + (to * angle.sin())?
    };
    Tensor::cat(&(0..count).map(step).collect::<Result<Vec<_>>>()?, 0)
}

/// Trains the generator against a discriminator that learns no more.
fn collapse(
    config: &Config,
    nb: &mut Notebook,
    nets: &Both<Sequential>,
    optimizer: &mut Adam,
    album: &Album,
    real_diversity: f64,
) -> anyhow::Result<()> {
    let device = nb.device().clone();
    nb.cell("Collapse")?;
    let mut stream = nb.stream(Purpose::Sampling, "noise of the generator alone");
    let (mut losses, mut diversities) = (Vec::new(), Vec::new());
    for _ in 0..config.steps_alone {
        let z = noise(config.batch_size, config.latent_dim, &mut stream, &device)?;
        losses.push(f64::from(update_generator(&z, nets, optimizer)?.to_scalar::<f32>()?));
        diversities.push(diversity(&album.draw(&nets.generator)?)? / real_diversity);
    }
    let steps: Vec<usize> = (1..=losses.len()).collect();
    let chart = Chart::new().x_label("step of the generator alone").line(LOSSES[1].replace('_', " "), &steps, &losses);
    let chart = chart.line("diversity", &steps, &diversities);
    nb.figure(
        "collapse",
        "The generator's loss and the diversity of its pictures, step by step without an opponent that learns",
        chart,
    )?;
    let made = images(&album.draw(&nets.generator)?.narrow(0, 0, 7)?)?;
    nb.figure(
        "collapsed",
        "Seven pictures that the generator makes then, much alike",
        ImageGrid::new(7, made).scale(1),
    )?;
    for (name, values) in [("collapse_loss", losses), ("collapse_diversity", diversities)] {
        nb.metric(name, values.last().copied().unwrap_or(f64::NAN))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use d2l::data::Source as _;

    use super::*;
    use crate::adversarial::update_discriminator;

    const CPU: Device = Device::Cpu;

    fn parameters() -> Parameters {
        Parameters::new(&Random::new(1), &CPU)
    }

    fn drawn(name: &str, count: usize) -> Result<Tensor> {
        noise(count, 5, &mut Random::new(2).stream(Purpose::Sampling, name), &CPU)
    }

    #[test]
    fn blocks_double_and_halve() -> Result<()> {
        let vb = parameters().builder();
        let zeros = |side: usize| Tensor::zeros((2, 3, side, side), DType::F32, &CPU);
        let doubled = generator_block(3, 20, DOUBLING, &vb.pp("a"))?.forward_t(&zeros(16)?, true)?;
        assert_eq!(doubled.dims(), [2, 20, 32, 32]);
        let grown = generator_block(3, 20, FROM_ONE_PIXEL, &vb.pp("b"))?.forward_t(&zeros(1)?, true)?;
        assert_eq!(grown.dims(), [2, 20, 4, 4]);
        let halved = discriminator_block(3, 20, 0.2, &vb.pp("c"))?.forward_t(&zeros(16)?, true)?;
        assert_eq!(halved.dims(), [2, 20, 8, 8]);
        Ok(())
    }

    #[test]
    fn the_books_nets_have_pytorchs_numbers_of_parameters() -> Result<()> {
        let (first, second) = (parameters(), parameters());
        generator(100, 64, &first.builder())?;
        discriminator(64, 0.2, &second.builder())?;
        assert_eq!((first.count(), second.count()), (3_576_704, 2_765_696));
        Ok(())
    }

    fn small_game() -> Result<Game> {
        let optimizers = |parameters: &Both<Parameters>| parameters.map(|parameters| Adam::new(parameters, 0.02));
        Game::new(Both::of(parameters), |vb| discriminator(2, 0.2, vb), |vb| generator(5, 2, vb), optimizers)
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let Game { nets, parameters, .. } = small_game()?;
        // Scales near 0, where a training begins, leave little of a gradient.
        for parameters in [&parameters.discriminator, &parameters.generator] {
            parameters.initialize(|name, _| Ok(name.contains("norm").then_some(d2l::nn::init::constant(0.5))))?;
        }
        let made = nets.generator.forward_t(&drawn("z", 3)?, true)?;
        assert_eq!(made.dims(), [3, 3, SIDE, SIDE]);
        let loss = nets.discriminator.forward_t(&made, true)?.sqr()?.sum_all()?;
        d2l_testing::gradients::reach_all(&parameters.generator, &loss, |_| false)?;
        d2l_testing::gradients::reach_all(&parameters.discriminator, &loss, |_| false)
    }

    #[test]
    fn sprites_are_told_from_what_is_made() -> anyhow::Result<()> {
        let Game { nets, mut optimizers, .. } = small_game()?;
        let x = Pokemon::sample()?.batch(&(0..16).collect::<Vec<_>>(), &CPU)?;
        let z = drawn("z", 16)?;
        let mut losses = Vec::new();
        for _ in 0..30 {
            let judgment = update_discriminator(&x, &z, &nets, &mut optimizers.discriminator)?;
            assert_eq!(judgment.real.dims(), [16, 1, 1, 1]);
            losses.push(judgment.loss.to_scalar::<f32>()?);
        }
        assert!((losses[0] - 0.693).abs() < 0.05 && losses[29] < 0.5, "{losses:?}");
        Ok(())
    }

    #[test]
    fn a_walk_keeps_to_the_length_of_noise() -> Result<()> {
        let ends = [drawn("from", 1)?, drawn("to", 1)?];
        let steps = walk(&ends, 5)?;
        assert_eq!(steps.dims(), [5, 5, 1, 1]);
        let step = |place: usize| steps.get(place)?.flatten_all()?.to_vec1::<f32>();
        let end = |place: usize| ends[place].flatten_all()?.to_vec1::<f32>();
        assert_eq!(step(0)?, end(0)?);
        let half: Vec<f32> = end(0)?.iter().zip(end(1)?).map(|(a, b)| (a + b) * 0.5f32.sqrt()).collect();
        assert!(step(2)?.iter().zip(half).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(step(4)?.iter().zip(end(1)?).all(|(a, b)| (a - b).abs() < 1e-6));
        Ok(())
    }
}
