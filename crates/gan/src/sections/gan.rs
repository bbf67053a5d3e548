//! 17.1 Generative Adversarial Networks
//!
//! One net makes points from noise, another tells them from points of a Gaussian, and each learns from the other.
//!
//! `cargo run --release -p gan -- gan`
//! In seconds both losses come to ln 2 = 0.693, where the discriminator can only guess; the mean and the covariance of the
//! generated points are then off by some tenth of their size.

use d2l::nn::Linear;
use d2l::notebook::at_least;
use d2l::ops::{matmul, tanh};
use d2l::optim::Adam;
use d2l::plot::Panels;
use d2l::prelude::*;
use d2l::random;

use crate::adversarial::{Both, Game, show, train, update_discriminator, update_generator};
use crate::album::Album;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Real points
    #[arg(long, default_value_t = 1000, value_parser = at_least::<2>)]
    pub examples: usize,
    /// Points a minibatch
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub batch_size: usize,
    /// Numbers of noise that a point is made from
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub latent_dim: usize,
    /// Learning rate of the discriminator
    #[arg(long, default_value_t = 0.05, value_parser = positive)]
    pub lr_d: f64,
    /// Learning rate of the generator
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr_g: f64,
    /// Passes over the real points
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config:
    Smoke { examples: 160, num_epochs: 3 }
}

/// A real point is `z A + b`, where `z` is two numbers from the standard normal distribution.
const A: [[f32; 2]; 2] = [[1.0, 2.0], [-0.1, 0.5]];
const B: [f32; 2] = [1.0, 2.0];
/// So many points are shown.
const SHOWN: usize = 100;

/// So many real points, `(count, 2)`: a Gaussian with mean `b`.
pub fn real_points(count: usize, stream: &mut Stream, device: &Device) -> Result<Tensor> {
    let z = random::normal(stream, 0.0, 1.0, (count, 2), device)?;
    matmul(&z, &Tensor::new(&A, device)?)?.broadcast_add(&Tensor::new(&B, device)?)
}

/// The covariance of the real points, `Aᵀ A`.
pub fn real_covariance(device: &Device) -> Result<Tensor> {
    let a = Tensor::new(&A, device)?;
    matmul(&a.t()?, &a)
}

/// Points `(n, 2)` without labels.
pub struct Points(pub Tensor);

impl Dataset for Points {
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.0.dims().first().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        self.0.index_select(&Tensor::new(indices, self.0.device())?, 0)?.to_device(device)
    }
}

/// From noise `(batch, latent)` to points `(batch, 2)`: a Gaussian of any mean and covariance is a linear layer away.
#[doc(alias = "net_G")]
pub fn generator(latent_dim: usize, vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb).layer("linear", |vb| Linear::new(latent_dim, 2, vb))
}

/// From points `(batch, 2)` to logits `(batch, 1)`, above 0 for points that are taken for real.
#[doc(alias = "net_D")]
pub fn discriminator(vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .layer("hidden1", |vb| Linear::new(2, 5, vb))?
        .add(tanh)
        .layer("hidden2", |vb| Linear::new(5, 3, vb))?
        .add(tanh)
        .layer("output", |vb| Linear::new(3, 1, vb))
}

/// The mean `(2)` and the covariance `(2, 2)` of all points that a linear generator makes: its bias, and `W Wᵀ`.
pub fn moments(generator: &Sequential) -> Result<(Tensor, Tensor)> {
    let linear = generator.get::<Linear>("linear")?;
    let Some(bias) = linear.bias() else { candle_core::bail!("a generator without a bias has no mean to learn") };
    let weight = linear.weight().detach(); // (2, latent)
    Ok((bias.detach(), matmul(&weight, &weight.t()?)?))
}

/// How far the generated points' mean and covariance are from the real ones', relative to the size of those.
pub fn errors(generator: &Sequential) -> Result<(f64, f64)> {
    let size = |x: &Tensor| x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>().map(f64::sqrt);
    let relative = |x: &Tensor, wanted: &Tensor| -> Result<f64> { Ok(size(&(x - wanted)?)? / size(wanted)?) };
    let (mean, covariance) = moments(generator)?;
    let device = mean.device();
    Ok((relative(&mean, &Tensor::new(&B, device)?)?, relative(&covariance, &real_covariance(device)?)?))
}

/// Both nets at their beginning.
fn game(config: &Config, nb: &Notebook) -> Result<Game> {
    let optimizers = |parameters: &Both<Parameters>| Both {
        discriminator: Adam::new(&parameters.discriminator, config.lr_d),
        generator: Adam::new(&parameters.generator, config.lr_g),
    };
    Game::new(Both::of(|| nb.parameters()), discriminator, |vb| generator(config.latent_dim, vb), optimizers)
}

/// The coordinates of points `(n, 2)`.
fn coordinates(points: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
    Ok(points.to_vec2::<f32>()?.into_iter().map(|point| (point[0], point[1])).unzip())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let device = nb.device().clone();
    nb.cell("Generate some real data")?;
    let data = real_points(config.examples, nb.sampling(), &device)?;
    nb.say(format!("{:?}", data.dims()))?;

    nb.cell("What the real data are")?;
    let shown = data.narrow(0, 0, config.examples.min(SHOWN))?;
    let (x1, x2) = coordinates(&shown)?;
    let chart = Chart::new().x_label("x1").y_label("x2").scatter("", &x1, &x2, 5.0);
    nb.figure("real-points", "Points of a Gaussian: a narrow cloud that rises to the right", chart)?;
    nb.show("the covariance matrix", real_covariance(&device)?)?;

    nb.cell("Minibatches")?;
    let shuffle = nb.stream(Purpose::Shuffling, "real points");
    let mut examples = Loader::new(Points(data.clone()), config.batch_size, &device)?.shuffled(shuffle);
    nb.say(format!("{} minibatches an epoch", examples.batches()))?;

    nb.cell("Generator")?;
    let net = generator(config.latent_dim, &nb.parameters().builder())?;
    nb.say(net.summary((1, config.latent_dim), &device)?)?;

    nb.cell("Discriminator")?;
    let net = discriminator(&nb.parameters().builder())?;
    nb.say(net.summary((1, 2), &device)?)?;

    nb.cell("Updating the discriminator")?;
    let Game { nets, mut optimizers, .. } = game(config, nb)?;
    let z = nb.normal((shown.dim(0)?, config.latent_dim))?;
    for update in 1..=3 {
        let judgment = update_discriminator(&shown, &z, &nets, &mut optimizers.discriminator)?;
        nb.say(format!("update {update}: loss {:.6}", judgment.loss.to_scalar::<f32>()?))?;
    }

    nb.cell("Updating the generator")?;
    for update in 1..=3 {
        let loss = update_generator(&z, &nets, &mut optimizers.generator)?;
        nb.say(format!("update {update}: loss {:.6}", loss.to_scalar::<f32>()?))?;
    }
    training(config, nb, &shown, &mut examples)
}

/// Trains both nets, and shows what they came to.
fn training(config: &Config, nb: &mut Notebook, shown: &Tensor, examples: &mut Loader<Points>) -> anyhow::Result<()> {
    let device = nb.device().clone();
    nb.cell("Training")?;
    let Game { nets, parameters, mut optimizers } = game(config, nb)?;
    let album = Album::new(&nb.normal((SHOWN, config.latent_dim))?, (SHOWN, 2))?;
    let mut noise = nb.stream(Purpose::Steps, "noise");
    let trainer =
        nb.trainer(config.num_epochs).with(&parameters.discriminator).with(&parameters.generator).with(&album);
    let trainer = trainer.each_epoch(|epoch| {
        album.keep(epoch.number(), &nets.generator)?;
        let (mean, covariance) = errors(&nets.generator)?;
        epoch.metric("mean_error", mean)?;
        epoch.metric("covariance_error", covariance)
    });
    let history = train(trainer, examples, &nets, &mut optimizers, |count| {
        random::normal(&mut noise, 0.0, 1.0, (count, config.latent_dim), &device)
    })?;
    show(nb, &history, &["mean_error", "covariance_error"])?;

    nb.cell("Generated points over real ones")?;
    let (x1, x2) = coordinates(shown)?;
    let mut charts = Vec::new();
    for (epoch, points) in album.pages(config.num_epochs, &nets.generator)? {
        let (made1, made2) = coordinates(&points)?;
        let [real, made] = if charts.is_empty() { ["real", "generated"] } else { [""; 2] };
        let chart = Chart::new().size(260, 260).title(format!("epoch {epoch}")).x_range(-3.5..5.5).y_range(-6.0..10.0);
        charts.push(chart.scatter(real, &x1, &x2, 3.5).scatter(made, &made1, &made2, 3.5));
    }
    let alt = "Real points and those that the generator made from the same noise after some of the epochs";
    nb.figure("points", alt, Panels::new(3, charts))?;

    nb.cell("What the generator learned")?;
    let numbers = |mean: &Tensor, covariance: &Tensor| -> Result<[f32; 5]> {
        let (mean, covariance) = (mean.to_vec1::<f32>()?, covariance.to_vec2::<f32>()?);
        Ok([mean[0], mean[1], covariance[0][0], covariance[0][1], covariance[1][1]])
    };
    let real = numbers(&Tensor::new(&B, &device)?, &real_covariance(&device)?)?;
    let (mean, covariance) = moments(&nets.generator)?;
    let names = ["mean of x1", "mean of x2", "variance of x1", "covariance", "variance of x2"];
    let mut table = Table::new(["", "real", "generated"]);
    for ((name, real), learned) in names.into_iter().zip(real).zip(numbers(&mean, &covariance)?) {
        table.row([name.to_string(), format!("{real:.3}"), format!("{learned:.3}")]);
    }
    nb.say(table)?;
    // Many other weights than A give the same covariance, and nothing tells them apart.
    let weight = nets.generator.get::<Linear>("linear")?.weight().detach(); // (2, latent)
    nb.show("A", Tensor::new(&A, &device)?)?;
    nb.show("the generator's weights, transposed", weight.t()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Device = Device::Cpu;

    fn near(a: &Tensor, b: &Tensor, tolerance: f32) -> Result<bool> {
        Ok((a - b)?.abs()?.max_all()?.to_scalar::<f32>()? < tolerance)
    }

    /// The mean and the covariance of points.
    fn measured(points: &Tensor) -> Result<(Tensor, Tensor)> {
        let mean = points.mean(0)?;
        let centered = points.broadcast_sub(&mean)?;
        let covariance = (centered.t()?.matmul(&centered)? / points.dim(0)? as f64)?;
        Ok((mean, covariance))
    }

    #[test]
    fn the_real_points_have_the_books_covariance() -> Result<()> {
        let covariance = real_covariance(&CPU)?;
        assert!(near(&covariance, &Tensor::new(&[[1.01f32, 1.95], [1.95, 4.25]], &CPU)?, 1e-6)?);
        let points = real_points(100_000, &mut Random::new(1).stream(Purpose::Sampling, "points"), &CPU)?;
        let (mean, measured) = measured(&points)?;
        assert!(near(&mean, &Tensor::new(&B, &CPU)?, 0.03)? && near(&measured, &covariance, 0.1)?);
        Ok(())
    }

    #[test]
    fn a_generators_moments_are_those_of_its_points() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = generator(3, &parameters.builder())?;
        let mut stream = Random::new(2).stream(Purpose::Sampling, "noise");
        let points = net.forward_t(&random::normal(&mut stream, 0.0, 1.0, (100_000, 3), &CPU)?, false)?.detach();
        let ((mean, covariance), (exact_mean, exact_covariance)) = (measured(&points)?, moments(&net)?);
        assert!(near(&mean, &exact_mean, 0.02)? && near(&covariance, &exact_covariance, 0.02)?);
        Ok(())
    }

    #[test]
    fn a_generator_that_has_a_as_its_weights_is_without_error() -> Result<()> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = generator(2, &parameters.builder())?;
        for (name, variable) in parameters.named() {
            let wanted = if name.ends_with("weight") {
                Tensor::new(&A, &CPU)?.t()?.contiguous()?
            } else {
                Tensor::new(&B, &CPU)?
            };
            variable.set(&wanted)?;
        }
        let (mean, covariance) = errors(&net)?;
        assert!(mean < 1e-6 && covariance < 1e-6, "{mean} {covariance}");
        for (name, variable) in parameters.named() {
            if name.ends_with("bias") {
                variable.set(&Tensor::new(&[0f32; 2], &CPU)?)?;
            }
        }
        // As far from the mean as zero is.
        assert!((errors(&net)?.0 - 1.0).abs() < 1e-6);
        Ok(())
    }
}
