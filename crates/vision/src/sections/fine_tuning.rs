//! 13.2 Fine-Tuning
//!
//! A net that others trained on a million photographs learns to see hot dogs from some hundred; one that starts from nothing
//! does not.
//!
//! `cargo run --release -p vision -- fine-tuning` trains both in some minutes, the first to a test accuracy of 0.9 or more.

use clap::ArgAction;
use d2l::nn::init;
use d2l::notebook::within;
use d2l::optim::ParameterGroup;
use d2l::plot::ImageGrid;
use d2l::prelude::*;

use crate::augmentation::{CenterCrop, Compose, RandomHorizontalFlip, RandomResizedCrop, ResizeShorter, Transform};
use crate::hotdog::HotDogs;
use crate::labeled_pictures::{LabeledPictures, TransformedPictures};
use crate::picture::Picture;
use crate::pretrained::{Architecture, Pretrained};
use rand::SeedableRng as _;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate of the pretrained layers; the book's 5e-5 is for the sum over 128 pictures, this for the mean
    #[arg(long, default_value_t = 0.0064, value_parser = positive)]
    pub lr: f64,
    /// Learning rate of the net that starts from nothing; the book's 5e-4 is for the sum
    #[arg(long, default_value_t = 0.064, value_parser = positive)]
    pub lr_scratch: f64,
    /// The new output layer learns so many times faster than the layers below
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub output_factor: f64,
    /// The learning rates of an epoch, divided by those of the epoch before
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub lr_decay: f64,
    /// Whether the pretrained normalizations keep the statistics that came with the weights; the book's do not
    #[arg(long, default_value_t = false, action = ArgAction::Set)]
    pub keep_statistics: bool,
    /// Weight decay
    #[arg(long, default_value_t = 0.001, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
    /// Side that pictures are cut to
    #[arg(long, default_value_t = 224, value_parser = within::<64, 512>)]
    pub side: usize,
    /// The least share of a picture's area that is cut out for training
    #[arg(long, default_value_t = 0.08, value_parser = probability)]
    pub least_area: f64,
    /// Training pictures at most
    #[arg(long, default_value_t = 2_000, value_parser = count)]
    pub examples: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { batch_size: 16, lr: 0.001, lr_scratch: 0.03, output_factor: 30.0, lr_decay: 0.7, keep_statistics: true, num_epochs: 4, side: 144, least_area: 0.4, examples: 400 }
    Smoke { batch_size: 8, num_epochs: 1, side: 64, examples: 16 }
}

/// The name of the output layer that is new.
const OUTPUT: &str = "hotdog";

/// Training pictures cut at random, some mirrored; test pictures cut from the middle. Both are squares of a side.
fn transforms(config: &Config) -> (Compose, Compose) {
    let side = config.side;
    let cut = RandomResizedCrop { area: (config.least_area, 1.0), ..RandomResizedCrop::new(side) };
    let train = Compose::new().then(cut).then(RandomHorizontalFlip);
    let test = Compose::new().then(ResizeShorter(side * 256 / 224)).then(CenterCrop(side));
    (train, test)
}

/// Trains a net, the output layer faster where the others have learned already.
#[doc(alias = "train_fine_tuning")]
fn train(
    nb: &mut Notebook,
    name: &str,
    config: &Config,
    (architecture, net, groups): (Architecture, &Sequential, Vec<ParameterGroup>),
    (parameters, lr): (&Parameters, f64),
    (pictures, tests): (&LabeledPictures, &LabeledPictures),
) -> anyhow::Result<History> {
    let (train, test) = transforms(config);
    let served = |pictures: &LabeledPictures, transform| {
        let draws = nb.stream(Purpose::Steps, "augmentation");
        TransformedPictures::new(pictures.clone(), transform, architecture.normalization(), draws)
    };
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let mut train =
        Loader::new(served(pictures, train), config.batch_size, nb.device())?.shuffled(shuffle).prefetched();
    let mut test = Loader::new(served(tests, test), config.batch_size, nb.device())?.prefetched();
    let mut optimizer = Sgd::new(groups, lr).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named(name).with(parameters);
    let trainer = trainer.schedule(|epoch| lr * config.lr_decay.powi(epoch as i32));
    Ok(trainer.fit_classifier(net, &mut train, &mut test, &mut optimizer)?)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let HotDogs { train: pictures, test: tests, .. } = nb.load()?;
    let half = pictures.len() / 2;
    nb.say(format!("{} training and {} test pictures, half of them of hot dogs", pictures.len(), tests.len()))?;
    let thumbnail = Compose::new().then(ResizeShorter(88)).then(CenterCrop(88));
    let shown = (0..8).chain(half..half + 8).map(|index| {
        let picture = thumbnail.apply(pictures.picture(index)?, &mut rand_chacha::ChaCha8Rng::seed_from_u64(0))?;
        Ok(picture.image()?)
    });
    let grid = ImageGrid::new(8, shown.collect::<anyhow::Result<Vec<_>>>()?).scale(1);
    nb.figure("hot-dogs", "Eight photographs of hot dogs, and eight of other things below", grid)?;

    nb.cell("What the net is shown")?;
    let pretrained = nb.load::<Pretrained>()?;
    let architecture = pretrained.architecture;
    let (cut, _) = transforms(config);
    let draw =
        |seed| cut.apply(pictures.picture(0)?, &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed))?.resized(88, 88);
    let drawn = (0..8).map(draw).collect::<Result<Vec<Picture>>>()?;
    let images = drawn.iter().map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    nb.figure("cut", "Eight parts of the first photograph", ImageGrid::new(8, images).scale(1))?;

    nb.cell("Defining and initializing the model")?;
    let parameters = nb.parameters();
    let net = architecture.net(2, OUTPUT, config.keep_statistics, &parameters.builder())?;
    nb.say(format!("{architecture:?}, {} parameters", parameters.count()))?;
    if let Some(weights) = &pretrained.weights {
        let restored = parameters.restore_matching(weights)?;
        nb.say(format!("pretrained: {} tensors; new: {}", restored.loaded.len(), restored.left.missing.join(", ")))?;
    }
    parameters.initialize(|name, shape| {
        let is_new = name.starts_with(OUTPUT) && name.ends_with("weight");
        Ok(if is_new { Some(init::xavier_uniform(shape)?) } else { None })
    })?;

    nb.cell("Fine-tuning the model")?;
    let all = pictures.len();
    // Of each class as many: the pictures are in the order of their classes.
    let (hot, other) = pictures.split(half);
    let pictures = hot.first(config.examples / 2).joined(other.first(config.examples / 2));
    nb.say(format!("{} of {all} training pictures", pictures.len()))?;
    let (output, body) =
        parameters.trained().into_iter().partition(|(name, _): &(String, Var)| name.starts_with(OUTPUT));
    let groups =
        vec![ParameterGroup::new(body), ParameterGroup::new(output).learning_rate_factor(config.output_factor)];
    let sets = (&pictures, &tests);
    let history = train(nb, "fine-tuned", config, (architecture, &net, groups), (&parameters, config.lr), sets)?;
    nb.training_of("fine-tuned", &history)?;

    nb.cell("From scratch")?;
    let parameters = nb.parameters();
    let net = architecture.net(2, OUTPUT, false, &parameters.builder())?;
    let groups = vec![ParameterGroup::new(parameters.trained())];
    let scratch = train(nb, "scratch", config, (architecture, &net, groups), (&parameters, config.lr_scratch), sets)?;
    nb.training_of("scratch", &scratch)?;
    let accuracy = |history: &History| history.last("test_acc").unwrap_or(f64::NAN);
    nb.metric("gain", accuracy(&history) - accuracy(&scratch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_nets_take_their_pictures_and_every_parameter_gets_a_gradient() -> Result<()> {
        for architecture in [Architecture::ResNet18, Architecture::EfficientNetLite0, Architecture::SqueezeNet] {
            let random = Random::new(1);
            let parameters = Parameters::new(&random, &Device::Cpu);
            let net = architecture.net(2, OUTPUT, false, &parameters.builder())?;
            let mut stream = random.stream(Purpose::Sampling, "pictures");
            let x = d2l::random::normal(&mut stream, 0.0, 1.0, (2, 3, 64, 64), &Device::Cpu)?;
            let y = Tensor::new(&[0u32, 1], &Device::Cpu)?;
            let logits = net.forward_t(&x, true)?;
            assert_eq!(logits.dims(), [2, 2]);
            d2l_testing::gradients::reach_all(&parameters, &cross_entropy(&logits, &y, Reduction::Mean)?, |_| false)?;
        }
        Ok(())
    }
}
