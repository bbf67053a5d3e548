//! 13.13 Image Classification (CIFAR-10) on Kaggle
//!
//! From a folder of picture files and a table of labels to a file of predictions that Kaggle takes: sorting the files,
//! augmentation, validation, training on all labeled pictures, the submission.
//!
//! `cargo run --release -p vision -- kaggle-cifar10` trains a narrow net twice in some minutes: on the pictures
//! that are not held out, and for the submission on all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use d2l::data::DataError;
use d2l::nn::init;
use d2l::notebook::within;
use d2l::optim::schedule;
use d2l::plot::ImageGrid;
use d2l::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::augmentation::{Compose, RandomHorizontalFlip, RandomResizedCrop, Resize, Transform};
use crate::cifar10::LABELS;
use crate::kaggle::{self, UNKNOWN};
use crate::kaggle_sets::KaggleCifar10;
use crate::labeled_pictures::{LabeledPictures, Normalization, TransformedPictures};
use crate::picture::Picture;
use crate::sections::image_augmentation::small_resnet18;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch; the book takes 128 for the whole set
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
    /// Learning rate, for the sum of the pictures' losses
    #[arg(long, default_value_t = 2e-4, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 5e-4, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Epochs after which the learning rate falls
    #[arg(long, default_value_t = 4, value_parser = count)]
    pub lr_period: usize,
    /// What the learning rate is multiplied by then
    #[arg(long, default_value_t = 0.9, value_parser = positive)]
    pub lr_decay: f64,
    /// How many of the rarest class's pictures validate; of every class as many do, one at least
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub valid_ratio: f64,
    /// Divides the channels of every layer
    #[arg(long, default_value_t = 1, value_parser = within::<1, 16>)]
    pub narrowing: usize,
    /// Training pictures at most
    #[arg(long, default_value_t = 50_000, value_parser = count)]
    pub examples: usize,
    /// The competition's own files, unpacked: a folder with `train`, `test` and `trainLabels.csv`
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

defaults! { Config, on a CPU Laptop:
    Laptop { num_epochs: 10, narrowing: 4, examples: 3000 }
    Smoke { num_epochs: 1, narrowing: 16, batch_size: 16, examples: 120 }
}

/// Mean 0 and deviation 1 over CIFAR-10's training pictures.
pub const CIFAR: Normalization = Normalization {
    mean: [0.4914 * 255.0, 0.4822 * 255.0, 0.4465 * 255.0],
    std: [0.2023 * 255.0, 0.1994 * 255.0, 0.2010 * 255.0],
    reversed: false,
};

/// The columns of the file to hand in.
const HEADER: [&str; 2] = ["id", "label"];

/// Enlarged, a square of two thirds of the area or more brought back to 32 by 32 pixels, some mirrored.
#[doc(alias = "transform_train")]
fn augmentation() -> Compose {
    let crop = RandomResizedCrop { size: (32, 32), area: (0.64, 1.0), shape: (1.0, 1.0) };
    Compose::new().then(Resize(40, 40)).then(crop).then(RandomHorizontalFlip)
}

/// The pictures of a part, `train`, `valid` or `train_valid`, that has a folder for each class of which it has
/// pictures. They are decoded once: they are small.
///
/// # Errors
/// Where a file cannot be read or is damaged.
fn read_part(target: &Path, part: &str) -> Result<Arc<LabeledPictures>, DataError> {
    let folder = target.join(part);
    let (classes, places) = kaggle::present(&folder, &LABELS);
    let files = LabeledPictures::read_folders(&folder, &classes)?;
    let labels = files.labels().iter().map(|&label| places[label as usize]).collect();
    let pictures = (0..files.len()).map(|index| files.picture(index)).collect::<Result<Vec<Picture>>>()?;
    Ok(Arc::new(LabeledPictures::new(pictures, labels)?))
}

/// Minibatches of pictures `(batch, 3, 32, 32)` and classes `(batch)`.
///
/// # Errors
/// Where there are no pictures.
fn loader(
    nb: &Notebook,
    config: &Config,
    pictures: &Arc<LabeledPictures>,
    transform: Compose,
) -> Result<Loader<TransformedPictures>, DataError> {
    let draws = nb.stream(Purpose::Steps, "augmentation");
    let served = TransformedPictures::new(pictures.clone(), transform, CIFAR, draws);
    Loader::new(served, config.batch_size, nb.device())
}

/// A ResNet-18 for ten classes: pictures `(batch, 3, 32, 32)` to logits `(batch, 10)`.
///
/// # Errors
/// Where the parameters exist with other shapes.
#[doc(alias = "get_net")]
pub fn net(narrowing: usize, parameters: &Parameters) -> Result<Sequential> {
    let net = small_resnet18(narrowing, LABELS.len(), &parameters.builder())?;
    parameters.initialize(|name, shape| {
        let is_matrix = shape.rank() > 1 && name.ends_with("weight");
        Ok(if is_matrix { Some(init::xavier_uniform(shape)?) } else { None })
    })?;
    Ok(net)
}

/// Trains a new net on augmented pictures; after each epoch measures its accuracy on the validation pictures, if any.
///
/// # Errors
/// Where there is not one whole minibatch, or the training diverges.
fn train(
    nb: &Notebook,
    name: &str,
    config: &Config,
    pictures: &Arc<LabeledPictures>,
    valid: Option<&Arc<LabeledPictures>>,
) -> anyhow::Result<(Sequential, History)> {
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let mut train = loader(nb, config, pictures, augmentation())?.shuffled(shuffle).drop_last().prefetched();
    let mut valid = match valid {
        Some(valid) => Some(loader(nb, config, valid, Compose::new())?.prefetched()),
        None => None,
    };
    let parameters = nb.parameters();
    let net = net(config.narrowing, &parameters)?;
    let mut optimizer = Sgd::new(&parameters, config.lr).momentum(0.9).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters).with(&optimizer);
    let trainer = trainer.schedule(|epoch| schedule::step(config.lr, epoch, config.lr_period, config.lr_decay));
    let trainer = trainer.each_epoch(|epoch| match &mut valid {
        Some(valid) => epoch.metric("valid_acc", evaluate_accuracy(&net, valid)?),
        None => Ok(()),
    });
    let history = trainer.run(&mut train, |step, (x, y)| {
        let logits = net.forward_t(&x, true)?; // (batch, 10)
        let losses = cross_entropy(&logits, &y, Reduction::None)?; // (batch)
        optimizer.minimize(&losses.sum_all()?)?;
        step.losses(&losses)?;
        step.accuracy(&logits, &y)
    })?;
    Ok((net, history))
}

/// The class of each picture that a loader serves.
///
/// # Errors
/// What the net or the loader gives.
pub fn predict(net: &impl ModuleT, batches: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<Vec<u32>> {
    let mut predicted = Vec::new();
    for batch in batches.epoch() {
        let (x, _) = batch?;
        predicted.extend(net.forward_t(&x, false)?.detach().argmax(D::Minus1)?.to_vec1::<u32>()?);
    }
    Ok(predicted)
}

/// The file that Kaggle takes: the name of the class of each picture.
///
/// # Errors
/// Where there is not one class for each id, or an id is there twice.
pub fn submission(ids: &[String], classes: &[u32]) -> anyhow::Result<String> {
    let rows: Vec<_> = classes.iter().map(|&class| vec![LABELS[class as usize].to_string()]).collect();
    kaggle::submission(&HEADER, ids, &rows)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading the dataset")?;
    let set = if let Some(folder) = &config.folder {
        nb.uses_own_data();
        KaggleCifar10::open(folder)
    } else {
        nb.load::<KaggleCifar10>()?
    };
    let table = set.folder.join("trainLabels.csv");
    let labels = kaggle::read_csv_labels(&table)?;
    kaggle::check_labels(&table, &labels, &LABELS)?;
    let mut files = kaggle::files(&set.folder.join("train"))?;
    let tests = kaggle::files(&set.folder.join("test"))?;
    nb.say(format!("{} training and {} test pictures, {} labels", files.len(), tests.len(), labels.len()))?;
    nb.say(labels.iter().take(4).map(|(id, label)| format!("{id}: {label}")).collect::<Vec<_>>().join(", "))?;

    nb.cell("Organizing the dataset")?;
    files.truncate(config.examples);
    let organized = tempfile::tempdir()?;
    let target = organized.path();
    let held_out = kaggle::reorganize_train_valid(&files, &labels, config.valid_ratio, target)?;
    kaggle::reorganize_test(&tests, target)?;
    nb.say(format!("{} training pictures, of each class {held_out} of them to validate with", files.len()))?;

    nb.cell("Image augmentation")?;
    let picture = Picture::open(&files[0])?;
    let transform = augmentation();
    let draw = |seed| transform.apply(picture.clone(), &mut ChaCha8Rng::seed_from_u64(seed));
    let changed = (0..8).map(draw).collect::<Result<Vec<_>>>()?;
    let images = changed.iter().map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    nb.figure("augmented", "One picture eight times, cut and mirrored at random", ImageGrid::new(4, images).scale(3))?;

    nb.cell("Reading the dataset")?;
    let [pictures, valid, all] = ["train", "valid", "train_valid"].map(|part| read_part(target, part));
    let (pictures, valid, all) = (pictures?, valid?, all?);
    let tests = Arc::new(LabeledPictures::read_folders(&target.join("test"), &[UNKNOWN])?);
    let parts = [("train", &pictures), ("valid", &valid), ("train_valid", &all), ("test", &tests)];
    let mut counts = Table::new(["part", "pictures"]);
    parts.iter().for_each(|(part, pictures)| counts.row([(*part).to_string(), pictures.len().to_string()]));
    nb.say(counts)?;

    nb.cell("Defining the model")?;
    let parameters = nb.parameters();
    net(config.narrowing, &parameters)?;
    nb.show("parameters", parameters.count())?;

    nb.cell("Defining the training function")?;
    let rates = (0..config.num_epochs)
        .step_by(config.lr_period)
        .map(|epoch| format!("{:.2e}", schedule::step(config.lr, epoch, config.lr_period, config.lr_decay)));
    nb.show("learning rates, one for each period", rates.collect::<Vec<_>>().join(", "))?;

    nb.cell("Training and validating the model")?;
    let (_, history) = train(nb, "validated", config, &pictures, Some(&valid))?;
    nb.training(&history)?;

    nb.cell("Classifying the testing set and submitting results")?;
    let (net, history) = train(nb, "all", config, &all, None)?;
    nb.training_of("all", &history)?;
    // In the order in which the pictures were read, which is that of the ids as text.
    let ids: Vec<String> =
        kaggle::files(&target.join("test").join(UNKNOWN))?.iter().map(|f| kaggle::id_of(f)).collect();
    let predicted = predict(&net, &mut loader(nb, config, &tests, Compose::new())?.prefetched())?;
    let file = submission(&ids, &predicted)?;
    nb.write("submission.csv", file.as_bytes())?;
    nb.say(file.lines().take(5).collect::<Vec<_>>().join("\n"))?;
    if let Some(truth) = &set.test_labels {
        let right = predicted.iter().zip(truth).filter(|(predicted, truth)| predicted == truth).count();
        let accuracy = right as f64 / truth.len() as f64;
        nb.show("accuracy on the test pictures", format!("{accuracy:.3}"))?;
        nb.metric("submission_acc", accuracy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use d2l::data::Source as _;

    use super::*;

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let random = Random::new(1);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = net(16, &parameters)?;
        let mut stream = random.stream(Purpose::Sampling, "pictures");
        let x = d2l::random::normal(&mut stream, 0.0, 1.0, (4, 3, 32, 32), &Device::Cpu)?;
        let y = Tensor::new(&[0u32, 3, 5, 9], &Device::Cpu)?;
        let losses = cross_entropy(&net.forward_t(&x, true)?, &y, Reduction::None)?;
        // A convolution's bias before batch normalization changes nothing but by rounding.
        d2l_testing::gradients::reach_all(&parameters, &losses.sum_all()?, |name| name.ends_with("bias"))?;
        Ok(())
    }

    #[test]
    fn the_submission_names_the_classes() -> anyhow::Result<()> {
        let ids = ["1", "10"].map(str::to_string);
        assert_eq!(submission(&ids, &[6, 9])?, "id,label\n1,frog\n10,truck\n");
        assert!(submission(&ids, &[6]).is_err());
        Ok(())
    }

    #[test]
    fn predictions_are_the_largest_scores() -> anyhow::Result<()> {
        let scores = Tensor::new(&[[0f32, 2.0, 1.0], [3.0, 0.0, 1.0], [0.0, 0.0, 1.0]], &Device::Cpu)?;
        let labels = Tensor::zeros(3, DType::U32, &Device::Cpu)?;
        let mut loader = d2l::data::ArrayLoader::from_tensors(&scores, &labels, 2)?;
        assert_eq!(predict(&|x: &Tensor| Ok(x.clone()), &mut loader)?, [1, 0, 2]);
        Ok(())
    }

    #[test]
    fn parts_keep_the_classes_of_their_folders() -> anyhow::Result<()> {
        let target = tempfile::tempdir()?;
        let set = KaggleCifar10::sample()?;
        let labels = kaggle::read_csv_labels(&set.folder.join("trainLabels.csv"))?;
        let mut files = kaggle::files(&set.folder.join("train"))?;
        // With so few, not every class has a picture.
        files.truncate(5);
        kaggle::reorganize_train_valid(&files, &labels, 0.1, target.path())?;
        let part = read_part(target.path(), "train_valid")?;
        let mut read: Vec<&str> = part.labels().iter().map(|&label| LABELS[label as usize]).collect();
        let mut expected: Vec<&str> = files.iter().map(|file| labels[&kaggle::id_of(file)].as_str()).collect();
        read.sort_unstable();
        expected.sort_unstable();
        assert_eq!(read, expected);
        Ok(())
    }
}
