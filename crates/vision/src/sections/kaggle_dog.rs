//! 13.14 Dog Breed Identification (ImageNet Dogs) on Kaggle
//!
//! A net that others trained on ImageNet, dogs among its thousand classes, is kept as it is; two layers on its outputs
//! learn to tell 120 breeds from a few pictures of each.
//!
//! `cargo run --release -p vision -- kaggle-dog` trains them in two minutes, to a validation loss that is lower by 1 and more
//! than that of the same layers on an untrained net.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use d2l::data::{ArrayLoader, DataError};
use d2l::nn::Linear;
use d2l::notebook::within;
use d2l::ops::{relu, softmax};
use d2l::optim::schedule;
use d2l::plot::ImageGrid;
use d2l::prelude::*;
use d2l::train::evaluate_loss;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::augmentation::{
    CenterCrop, ColorJitter, Compose, RandomHorizontalFlip, RandomResizedCrop, ResizeShorter, Transform,
};
use crate::kaggle::{self, UNKNOWN};
use crate::kaggle_sets::{BREEDS, DogBreeds};
use crate::labeled_pictures::{LabeledPictures, TransformedPictures};
use crate::picture::Picture;
use crate::pretrained::{Architecture, LargerPretrained, Pretrained};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pictures a minibatch; the book takes 128 for the whole set
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Passes over the training pictures
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
    /// Learning rate, for the sum of the pictures' losses
    #[arg(long, default_value_t = 1e-4, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 1e-4, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Epochs after which the learning rate falls
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub lr_period: usize,
    /// What the learning rate is multiplied by then
    #[arg(long, default_value_t = 0.9, value_parser = positive)]
    pub lr_decay: f64,
    /// How many of the rarest breed's pictures validate; of every breed as many do, one at least
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub valid_ratio: f64,
    /// Side that pictures are cut to
    #[arg(long, default_value_t = 224, value_parser = within::<64, 512>)]
    pub side: usize,
    /// Augmented views of each training picture whose features are computed once and kept; 0: new ones in every epoch,
    /// as in the book
    #[arg(long, default_value_t = 0, value_parser = within::<0, 64>)]
    pub kept_views: usize,
    /// The competition's own files, unpacked: a folder with `train`, `test` and `labels.csv`
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

defaults! { Config, on a CPU Laptop:
    Laptop { num_epochs: 30, side: 160, kept_views: 4 }
    Smoke { num_epochs: 1, side: 64, batch_size: 8, kept_views: 1 }
}

/// The outputs of a net that was trained on ImageNet, one for each of its classes.
const FEATURES: usize = 1000;

/// A part of random area and shape, some mirrored, in somewhat other colors.
#[doc(alias = "transform_train")]
fn augmentation(side: usize) -> Compose {
    let colors = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.0 };
    Compose::new().then(RandomResizedCrop::new(side)).then(RandomHorizontalFlip).then(colors)
}

/// The middle of the picture.
#[doc(alias = "transform_test")]
fn middle(side: usize) -> Compose {
    Compose::new().then(ResizeShorter(side * 256 / 224)).then(CenterCrop(side))
}

/// Pictures with, for each of their labels, the breed's place among [`BREEDS`].
struct Part {
    pictures: Arc<LabeledPictures>,
    /// `(labels)` of `u32`.
    breeds: Tensor,
}

impl Part {
    /// The pictures of `train`, `valid` or `train_valid`, which has a folder for each breed of which it has pictures.
    fn read(target: &Path, part: &str, device: &Device) -> Result<Self, DataError> {
        let folder = target.join(part);
        let (names, places) = kaggle::present(&folder, &BREEDS);
        let pictures = Arc::new(LabeledPictures::read_folders(&folder, &names)?);
        Ok(Self { pictures, breeds: Tensor::new(places, device)? })
    }

    /// The test pictures, whose one label stands for no breed.
    fn read_test(target: &Path, device: &Device) -> Result<Self, DataError> {
        let pictures = Arc::new(LabeledPictures::read_folders(&target.join("test"), &[UNKNOWN])?);
        Ok(Self { pictures, breeds: Tensor::new(&[0u32], device)? })
    }

    /// Minibatches of pictures `(batch, 3, side, side)` and labels `(batch)`, which [`Part::breeds`] turns into breeds.
    /// `draws` names the stream of random numbers.
    fn loader(
        &self,
        nb: &Notebook,
        config: &Config,
        (architecture, transform): (Architecture, Compose),
        draws: &str,
    ) -> Result<Loader<TransformedPictures>, DataError> {
        let draws = nb.stream(Purpose::Steps, draws);
        let normalization = architecture.normalization();
        let served = TransformedPictures::new(self.pictures.clone(), transform, normalization, draws);
        Loader::new(served, config.batch_size, nb.device())
    }
}

/// A net with its own thousand outputs, which is not trained here.
pub struct FrozenNet {
    architecture: Architecture,
    net: Sequential,
}

impl FrozenNet {
    /// The net of some weights, or with random ones where there are none. Its parameters go into `parameters`.
    ///
    /// # Errors
    /// Where the weights lack one of the net's parameters.
    pub fn new(pretrained: &Pretrained, parameters: &Parameters) -> anyhow::Result<Self> {
        let architecture = pretrained.architecture;
        let net = architecture.net(FEATURES, architecture.output(), true, &parameters.builder())?;
        if let Some(weights) = &pretrained.weights {
            let missing = parameters.restore_matching(weights)?.left.missing;
            ensure!(missing.is_empty(), "{architecture:?}: the weights lack {}", missing.join(", "));
        }
        Ok(Self { architecture, net })
    }

    /// Pictures `(batch, 3, side, side)` to features `(batch, 1000)`, through which no gradient goes back.
    ///
    /// # Errors
    /// What the net gives.
    pub fn features(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.net.forward_t(x, false)?.detach())
    }

    /// The features `(n, 1000)` of all pictures that a loader serves, and their labels `(n)`.
    fn all_features(&self, batches: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<(Tensor, Tensor)> {
        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for batch in batches.epoch() {
            let (x, y) = batch?;
            features.push(self.features(&x)?);
            labels.push(y);
        }
        Ok((Tensor::cat(&features, 0)?, Tensor::cat(&labels, 0)?))
    }
}

/// The layers that are trained: features `(batch, 1000)` to logits `(batch, 120)`.
///
/// # Errors
/// Where the parameters exist with other shapes.
#[doc(alias = "get_net")]
#[doc(alias = "output_new")]
pub fn head(vb: &VarBuilder) -> Result<Sequential> {
    Sequential::with_parameters(vb)
        .layer("hidden", |vb| Linear::new(FEATURES, 256, vb))?
        .add(relu)
        .layer("output", |vb| Linear::new(256, BREEDS.len(), vb))
}

/// Trains new layers on a body's features; after each epoch measures their loss on the validation pictures, if any.
///
/// # Errors
/// Where there is not one whole minibatch, or the training diverges.
fn train(
    nb: &Notebook,
    name: &str,
    config: &Config,
    body: &FrozenNet,
    part: &Part,
    valid: Option<&Part>,
) -> anyhow::Result<(Sequential, History)> {
    let valid = match valid {
        Some(valid) => Some(validation(nb, config, body, valid)?),
        None => None,
    };
    let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
    let augmented = |draws: &str| part.loader(nb, config, (body.architecture, augmentation(config.side)), draws);
    if config.kept_views == 0 {
        let mut batches = augmented("augmentation")?.shuffled(shuffle).drop_last().prefetched();
        return train_head(nb, name, config, &part.breeds, &mut batches, |_, x| body.features(x), valid);
    }
    let mut views = Vec::new();
    for view in 0..config.kept_views {
        let (features, _) = body.all_features(&mut augmented(&format!("view {view}"))?.prefetched())?;
        views.push(features);
    }
    // What is shuffled are the pictures' places. The epoch, and not a count of calls, chooses the view, so that a
    // training that was broken off goes on with the same ones.
    let labels = Tensor::new(part.pictures.labels(), nb.device())?;
    let places = Tensor::arange(0u32, part.pictures.len() as u32, nb.device())?;
    let mut batches = ArrayLoader::from_tensors(&places, &labels, config.batch_size)?.shuffled(shuffle).drop_last();
    let features = |epoch: usize, places: &Tensor| views[(epoch - 1) % views.len()].index_select(places, 0);
    train_head(nb, name, config, &part.breeds, &mut batches, features, valid)
}

/// The loop of [`train`]: `features` makes features `(batch, 1000)` of what the batches have, given the epoch from 1.
fn train_head(
    nb: &Notebook,
    name: &str,
    config: &Config,
    breeds: &Tensor,
    batches: &mut impl Batches<Batch = (Tensor, Tensor)>,
    features: impl Fn(usize, &Tensor) -> Result<Tensor>,
    mut valid: Option<ArrayLoader>,
) -> anyhow::Result<(Sequential, History)> {
    let parameters = nb.parameters();
    let head = head(&parameters.builder())?;
    let mut optimizer = Sgd::new(&parameters, config.lr).momentum(0.9).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters).with(&optimizer);
    let trainer = trainer.schedule(|epoch| schedule::step(config.lr, epoch, config.lr_period, config.lr_decay));
    let trainer = trainer.each_epoch(|epoch| match &mut valid {
        Some(valid) => epoch.metric("valid_loss", evaluate_loss(&head, valid, losses)?),
        None => Ok(()),
    });
    let history = trainer.run(batches, |step, (x, y)| {
        let logits = head.forward_t(&features(step.epoch(), &x)?, true)?; // (batch, 120)
        let losses = losses(&logits, &breeds.index_select(&y, 0)?)?; // (batch)
        optimizer.minimize(&losses.sum_all()?)?;
        step.losses(&losses)
    })?;
    Ok((head, history))
}

/// The loss of each picture: logits `(batch, 120)` and breeds `(batch)` to `(batch)`.
fn losses(logits: &Tensor, breeds: &Tensor) -> Result<Tensor> {
    cross_entropy(logits, breeds, Reduction::None)
}

/// Features and breeds of validation pictures, which are the same in each epoch and therefore computed once.
fn validation(nb: &Notebook, config: &Config, body: &FrozenNet, part: &Part) -> anyhow::Result<ArrayLoader> {
    let mut batches = part.loader(nb, config, (body.architecture, middle(config.side)), "none")?.prefetched();
    let (features, labels) = body.all_features(&mut batches)?;
    Ok(ArrayLoader::from_tensors(&features, &part.breeds.index_select(&labels, 0)?, config.batch_size)?)
}

/// The file that Kaggle takes: the probability of every breed for each picture, from logits `(pictures, 120)`.
///
/// # Errors
/// Where there is not one row for each id, a row's probabilities do not sum to 1, or an id is there twice.
pub fn submission(ids: &[String], logits: &Tensor) -> anyhow::Result<String> {
    let header: Vec<&str> = std::iter::once("id").chain(BREEDS).collect();
    let probabilities = softmax(&logits.detach(), D::Minus1)?.to_vec2::<f32>()?;
    let mut rows = Vec::new();
    for (id, probabilities) in ids.iter().zip(&probabilities) {
        let row: Vec<String> = probabilities.iter().map(|probability| format!("{probability:.6}")).collect();
        // What is written is checked, not what was computed; a sum that is no number is refused too.
        let sum = row.iter().map(|cell| cell.parse::<f64>()).sum::<Result<f64, _>>()?;
        ensure!((sum - 1.0).abs() <= 1e-3, "the probabilities of {id} sum to {sum}");
        rows.push(row);
    }
    ensure!(probabilities.len() == ids.len(), "{} rows for {} ids", probabilities.len(), ids.len());
    kaggle::submission(&header, ids, &rows)
}

/// The mean negative logarithm of the true breeds' probabilities, which is what Kaggle scores by, and the share of
/// pictures whose likeliest breed is the true one, from logits `(pictures, 120)` and breeds `(pictures)`.
///
/// # Errors
/// Where the shapes do not fit together.
pub fn score(logits: &Tensor, breeds: &Tensor) -> Result<(f64, f64)> {
    let loss = cross_entropy(&logits.detach(), breeds, Reduction::Mean)?.to_scalar::<f32>()?;
    let right = d2l::train::count_correct(&logits.detach(), breeds)?;
    Ok((f64::from(loss), right / breeds.elem_count() as f64))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading the dataset")?;
    let set = if let Some(folder) = &config.folder {
        nb.uses_own_data();
        DogBreeds::open(folder)?
    } else {
        nb.load::<DogBreeds>()?
    };
    let table = set.folder.join("labels.csv");
    let labels = kaggle::read_csv_labels(&table)?;
    kaggle::check_labels(&table, &labels, &BREEDS)?;
    nb.say(format!("{} training and {} test pictures, {} labels", set.train.len(), set.test.len(), labels.len()))?;

    nb.cell("Organizing the dataset")?;
    let organized = tempfile::tempdir()?;
    let target = organized.path();
    let held_out = kaggle::reorganize_train_valid(&set.train, &labels, config.valid_ratio, target)?;
    kaggle::reorganize_test(&set.test, target)?;
    nb.show("pictures of each breed to validate with", held_out)?;

    nb.cell("Image augmentation")?;
    let picture = Picture::open(&set.train[0])?;
    let transform = augmentation(config.side);
    let draw = |seed| transform.apply(picture.clone(), &mut ChaCha8Rng::seed_from_u64(seed))?.resized(112, 112);
    let changed = (0..8).map(draw).collect::<Result<Vec<_>>>()?;
    let images = changed.iter().map(Picture::image).collect::<Result<Vec<_>, _>>()?;
    let alt = "Eight parts of one picture of a dog, some mirrored, in somewhat other colors";
    nb.figure("augmented", alt, ImageGrid::new(4, images).scale(1))?;

    nb.cell("Reading the dataset")?;
    let device = nb.device().clone();
    let [pictures, valid, all] = ["train", "valid", "train_valid"].map(|part| Part::read(target, part, &device));
    let (pictures, valid, all) = (pictures?, valid?, all?);
    let tests = Part::read_test(target, &device)?;
    let mut counts = Table::new(["part", "pictures", "breeds"]);
    for (name, part) in [("train", &pictures), ("valid", &valid), ("train_valid", &all)] {
        counts.row([name.to_string(), part.pictures.len().to_string(), part.breeds.elem_count().to_string()]);
    }
    counts.row(["test".to_string(), tests.pictures.len().to_string(), String::new()]);
    nb.say(counts)?;

    nb.cell("Fine-tuning a pretrained model")?;
    let LargerPretrained(pretrained) = nb.load()?;
    let frozen = nb.parameters();
    let body = FrozenNet::new(&pretrained, &frozen)?;
    let trained = nb.parameters();
    head(&trained.builder())?;
    let architecture = pretrained.architecture;
    nb.say(format!("{architecture:?}: {} parameters are kept, {} trained", frozen.count(), trained.count()))?;

    nb.cell("Defining the training function")?;
    let rates = (0..config.num_epochs)
        .step_by(config.lr_period)
        .map(|epoch| format!("{:.2e}", schedule::step(config.lr, epoch, config.lr_period, config.lr_decay)));
    nb.show("learning rates, one for each period", rates.collect::<Vec<_>>().join(", "))?;
    nb.show("loss of guessing", format!("{:.3}", (BREEDS.len() as f64).ln()))?;

    nb.cell("Training and validating the model")?;
    let (_, history) = train(nb, "pretrained", config, &body, &pictures, Some(&valid))?;
    nb.training(&history)?;

    nb.cell("The same on an untrained net")?;
    let random = FrozenNet::new(&Pretrained { architecture, weights: None }, &nb.parameters())?;
    let (_, untrained) = train(nb, "untrained", config, &random, &pictures, Some(&valid))?;
    nb.training_of("untrained", &untrained)?;
    let loss = |history: &History| history.last("valid_loss").unwrap_or(f64::NAN);
    nb.metric("gain", loss(&untrained) - loss(&history))?;

    nb.cell("Classifying the testing set and submitting results")?;
    let (head, history) = train(nb, "all", config, &body, &all, None)?;
    nb.training_of("all", &history)?;
    let mut batches = tests.loader(nb, config, (architecture, middle(config.side)), "none")?.prefetched();
    let (features, _) = body.all_features(&mut batches)?;
    let logits = head.forward_t(&features, false)?.detach(); // (tests, 120)
    let ids: Vec<String> = set.test.iter().map(|file| kaggle::id_of(file)).collect();
    let file = submission(&ids, &logits)?;
    nb.write("submission.csv", file.as_bytes())?;
    let start = |line: &str| line.split(',').take(4).collect::<Vec<_>>().join(",") + ",…";
    nb.say(file.lines().take(4).map(start).collect::<Vec<_>>().join("\n"))?;
    // Of pictures that were held back the table has the breeds; of Kaggle's test pictures it has not.
    let place = |id: &String| {
        let label = labels.get(id)?;
        Some(BREEDS.iter().position(|breed| *breed == label.as_str())? as u32)
    };
    let truth = ids.iter().map(place).collect::<Option<Vec<u32>>>();
    if let Some(truth) = truth {
        let (loss, accuracy) = score(&logits, &Tensor::new(truth, &device)?)?;
        nb.show("log loss on the test pictures", format!("{loss:.3}"))?;
        nb.show("accuracy on the test pictures", format!("{accuracy:.3}"))?;
        nb.metric("submission_loss", loss)?;
        nb.metric("submission_acc", accuracy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_gets_gradients_and_the_body_none() -> anyhow::Result<()> {
        let random = Random::new(1);
        let (frozen, trained) = (Parameters::new(&random, &Device::Cpu), Parameters::new(&random, &Device::Cpu));
        let pretrained = Pretrained { architecture: Architecture::EfficientNetLite0, weights: None };
        let body = FrozenNet::new(&pretrained, &frozen)?;
        let head = head(&trained.builder())?;
        let mut stream = random.stream(Purpose::Sampling, "pictures");
        let x = d2l::random::normal(&mut stream, 0.0, 1.0, (2, 3, 64, 64), &Device::Cpu)?;
        let features = body.features(&x)?;
        assert_eq!(features.dims(), [2, FEATURES]);
        let logits = head.forward_t(&features, true)?;
        assert_eq!(logits.dims(), [2, 120]);
        assert_eq!(trained.count(), 1000 * 256 + 256 + 256 * 120 + 120);
        let loss = losses(&logits, &Tensor::new(&[0u32, 119], &Device::Cpu)?)?.sum_all()?;
        d2l_testing::gradients::reach_all(&trained, &loss, |_| false)?;
        let grads = backward(&loss)?;
        for (name, parameter) in frozen.trained() {
            assert!(grads.find(&parameter).is_none(), "{name}");
        }
        Ok(())
    }

    #[test]
    fn the_submission_has_a_probability_for_every_breed() -> anyhow::Result<()> {
        let mut values = vec![0f32; 2 * BREEDS.len()];
        values[BREEDS.len() + 1] = 100.0;
        let logits = Tensor::from_vec(values, (2, BREEDS.len()), &Device::Cpu)?;
        let ids = ["a", "b"].map(str::to_string);
        let file = submission(&ids, &logits)?;
        let lines: Vec<Vec<&str>> = file.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((lines.len(), lines.iter().all(|line| line.len() == 121)), (3, true));
        assert_eq!(lines[0][..3], ["id", "affenpinscher", "afghan_hound"]);
        assert_eq!(lines[1][..3], ["a", "0.008333", "0.008333"]);
        assert_eq!(lines[2][..3], ["b", "0.000000", "1.000000"]);
        assert!(submission(&ids[..1], &logits).is_err());
        let not_numbers = Tensor::full(f32::NAN, (2, BREEDS.len()), &Device::Cpu)?;
        assert!(submission(&ids, &not_numbers).is_err());
        let (loss, accuracy) = score(&logits, &Tensor::new(&[5u32, 1], &Device::Cpu)?)?;
        assert!((loss - 120f64.ln() / 2.0).abs() < 1e-4, "{loss}");
        assert!((accuracy - 0.5).abs() < 1e-9, "{accuracy}");
        Ok(())
    }

    #[test]
    fn labels_of_a_part_become_places_among_all_breeds() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for breed in ["dingo", "beagle"] {
            std::fs::create_dir_all(folder.path().join("valid").join(breed))?;
            std::fs::write(folder.path().join("valid").join(breed).join("1.jpg"), "")?;
        }
        let part = Part::read(folder.path(), "valid", &Device::Cpu)?;
        let labels = Tensor::new(part.pictures.labels(), &Device::Cpu)?;
        let places = part.breeds.index_select(&labels, 0)?.to_vec1::<u32>()?;
        assert_eq!(places.iter().map(|&place| BREEDS[place as usize]).collect::<Vec<_>>(), ["beagle", "dingo"]);
        Ok(())
    }
}
