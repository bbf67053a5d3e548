//! The pictures of two competitions on Kaggle, as files and tables of labels (sections 13.13 and 13.14).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use image::{ExtendedColorType, ImageEncoder as _};
use rayon::prelude::*;
use tempfile::TempDir;

use crate::cifar10::{Cifar10, LABELS};
use crate::kaggle::files;
use crate::labeled_pictures::LabeledPictures;

/// CIFAR-10 as Kaggle has it: pictures as files that are named after their numbers.
#[derive(Debug)]
pub struct KaggleCifar10 {
    /// The folder with `train/*.png`, `test/*.png` and `trainLabels.csv`.
    pub folder: PathBuf,
    /// The classes of the test pictures in the order of their files' names, where they are known, as Kaggle's are not.
    pub test_labels: Option<Vec<u32>>,
    stands_in: Option<&'static str>,
    /// Where the files were written by this program: they are there as long as this is.
    _written: Option<TempDir>,
}

impl KaggleCifar10 {
    /// The competition's own files, unpacked: a folder with `train/*.png`, `test/*.png` and `trainLabels.csv`.
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), test_labels: None, stands_in: None, _written: None }
    }

    /// Writes pictures whose classes are all known as the competition's files.
    fn write(train: &LabeledPictures, test: &LabeledPictures) -> Result<Self, DataError> {
        let written = tempfile::tempdir().map_err(DataError::other)?;
        let folder = written.path().to_path_buf();
        write_pictures(&folder.join("train"), train)?;
        write_pictures(&folder.join("test"), test)?;
        let mut table = String::from("id,label\n");
        for (number, &label) in (1..).zip(train.labels()) {
            // Writing to a string does not fail.
            _ = writeln!(table, "{number},{}", LABELS[label as usize]);
        }
        let path = folder.join("trainLabels.csv");
        fs::write(&path, table).map_err(|reason| DataError::read(&path, reason))?;
        // Files are in the order of their names: 1, 10, 100, 2.
        let mut names: Vec<(String, u32)> =
            (1..).zip(test.labels()).map(|(number, &label)| (format!("{number}.png"), label)).collect();
        names.sort();
        let test_labels = Some(names.into_iter().map(|(_, label)| label).collect());
        Ok(Self { folder, test_labels, stands_in: None, _written: Some(written) })
    }
}

/// Writes pictures into a folder as `1.png`, `2.png` and so on.
fn write_pictures(folder: &Path, pictures: &LabeledPictures) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|reason| DataError::read(folder, reason))?;
    (0..pictures.len()).into_par_iter().try_for_each(|index| {
        let picture = pictures.picture(index)?;
        let (width, height) = (picture.width() as u32, picture.height() as u32);
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(picture.pixels(), width, height, ExtendedColorType::Rgb8)
            .map_err(DataError::other)?;
        let path = folder.join(format!("{}.png", index + 1));
        fs::write(&path, bytes).map_err(|reason| DataError::read(&path, reason))
    })
}

impl Source for KaggleCifar10 {
    const SAMPLE_NOTICE: &'static str = Cifar10::SAMPLE_NOTICE;

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch_extracted("cifar10_tiny") {
            Ok(folder) => return Ok(Self::open(folder)),
            Err(error) => error,
        };
        // The error of the book's files says more than that of what stands in for them.
        let Ok(set) = Cifar10::fetch(hub) else { return Err(error.into()) };
        let is_whole = set.stand_in().is_none();
        let (train, test) =
            if is_whole { (set.train.first(1_000), set.test.first(300)) } else { (set.train, set.test) };
        let stands_in = if is_whole {
            "the book's files could not be had: 1,000 of CIFAR-10's training pictures are written as files, and 300 of \
             its test pictures, whose classes are known, so that what would be handed in is scored here."
        } else {
            "the book's files could not be had: the first 3,000 of CIFAR-10's training pictures are written as files \
             to train on, and the next 1,000 as test pictures, whose classes are known, so that what would be handed \
             in is scored here."
        };
        Ok(Self { stands_in: Some(stands_in), ..Self::write(&train, &test)? })
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in
    }

    /// The sample of [`Cifar10`], written as files.
    fn sample() -> Result<Self, DataError> {
        let set = Cifar10::sample()?;
        Self::write(&set.train, &set.test)
    }
}

/// Photographs of dogs, named after their ids.
#[derive(Debug, Clone)]
pub struct DogBreeds {
    /// The folder with `labels.csv`, which may have more rows than there are pictures.
    pub folder: PathBuf,
    /// The files to train on, in the order of their names.
    pub train: Vec<PathBuf>,
    /// The files whose breeds are to be told, in the order of their names. Of those that were held back, and not of
    /// Kaggle's, `labels.csv` has the breeds.
    pub test: Vec<PathBuf>,
    stands_in: bool,
}

impl DogBreeds {
    /// The competition's own files, unpacked: a folder with `train/*.jpg`, `test/*.jpg` and `labels.csv`.
    ///
    /// # Errors
    /// Where a folder cannot be read, or has no files.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, DataError> {
        let folder = folder.into();
        let (train, test) = (files(&folder.join("train"))?, files(&folder.join("test"))?);
        Ok(Self { folder, train, test, stands_in: false })
    }

    /// Of a folder without test pictures every tenth training picture is held back as one.
    fn hold_back(folder: PathBuf) -> Result<Self, DataError> {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (place, file) in files(&folder.join("train"))?.into_iter().enumerate() {
            if place % 10 == 9 { test.push(file) } else { train.push(file) }
        }
        Ok(Self { folder, train, test, stands_in: true })
    }
}

impl Source for DogBreeds {
    const SAMPLE_NOTICE: &'static str = "the photographs of dogs could not be had, so this run uses 48 drawn \
         pictures of four breeds that come with the repository; its results say nothing of photographs.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch_extracted("dog_tiny") {
            Ok(folder) => Self::open(folder),
            // The error of the book's files says more.
            Err(error) => Self::hold_back(hub.folder("dog_breed").map_err(|_| error)?),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "the book's photographs could not be had: of 300 others of the same competition every tenth is held back \
             as a test picture. Its breed is known, so that what would be handed in is scored here.",
        )
    }

    /// Pictures that `scripts/make_vision_samples.py` draws.
    fn sample() -> Result<Self, DataError> {
        Self::open(hub::sample("dog_breed")?)
    }
}

/// The breeds, in the order of the columns that Kaggle takes.
pub const BREEDS: [&str; 120] = [
    "affenpinscher",
    "afghan_hound",
    "african_hunting_dog",
    "airedale",
    "american_staffordshire_terrier",
    "appenzeller",
    "australian_terrier",
    "basenji",
    "basset",
    "beagle",
    "bedlington_terrier",
    "bernese_mountain_dog",
    "black-and-tan_coonhound",
    "blenheim_spaniel",
    "bloodhound",
    "bluetick",
    "border_collie",
    "border_terrier",
    "borzoi",
    "boston_bull",
    "bouvier_des_flandres",
    "boxer",
    "brabancon_griffon",
    "briard",
    "brittany_spaniel",
    "bull_mastiff",
    "cairn",
    "cardigan",
    "chesapeake_bay_retriever",
    "chihuahua",
    "chow",
    "clumber",
    "cocker_spaniel",
    "collie",
    "curly-coated_retriever",
    "dandie_dinmont",
    "dhole",
    "dingo",
    "doberman",
    "english_foxhound",
    "english_setter",
    "english_springer",
    "entlebucher",
    "eskimo_dog",
    "flat-coated_retriever",
    "french_bulldog",
    "german_shepherd",
    "german_short-haired_pointer",
    "giant_schnauzer",
    "golden_retriever",
    "gordon_setter",
    "great_dane",
    "great_pyrenees",
    "greater_swiss_mountain_dog",
    "groenendael",
    "ibizan_hound",
    "irish_setter",
    "irish_terrier",
    "irish_water_spaniel",
    "irish_wolfhound",
    "italian_greyhound",
    "japanese_spaniel",
    "keeshond",
    "kelpie",
    "kerry_blue_terrier",
    "komondor",
    "kuvasz",
    "labrador_retriever",
    "lakeland_terrier",
    "leonberg",
    "lhasa",
    "malamute",
    "malinois",
    "maltese_dog",
    "mexican_hairless",
    "miniature_pinscher",
    "miniature_poodle",
    "miniature_schnauzer",
    "newfoundland",
    "norfolk_terrier",
    "norwegian_elkhound",
    "norwich_terrier",
    "old_english_sheepdog",
    "otterhound",
    "papillon",
    "pekinese",
    "pembroke",
    "pomeranian",
    "pug",
    "redbone",
    "rhodesian_ridgeback",
    "rottweiler",
    "saint_bernard",
    "saluki",
    "samoyed",
    "schipperke",
    "scotch_terrier",
    "scottish_deerhound",
    "sealyham_terrier",
    "shetland_sheepdog",
    "shih-tzu",
    "siberian_husky",
    "silky_terrier",
    "soft-coated_wheaten_terrier",
    "staffordshire_bullterrier",
    "standard_poodle",
    "standard_schnauzer",
    "sussex_spaniel",
    "tibetan_mastiff",
    "tibetan_terrier",
    "toy_poodle",
    "toy_terrier",
    "vizsla",
    "walker_hound",
    "weimaraner",
    "welsh_springer_spaniel",
    "west_highland_white_terrier",
    "whippet",
    "wire-haired_fox_terrier",
    "yorkshire_terrier",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kaggle::{check_labels, id_of, read_csv_labels};
    use crate::picture::Picture;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn breeds_are_sorted_and_distinct() {
        assert!(BREEDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn small_pictures_are_the_same_after_they_were_written() -> Outcome {
        let (set, pictures) = (KaggleCifar10::sample()?, Cifar10::sample()?);
        let table = set.folder.join("trainLabels.csv");
        let labels = read_csv_labels(&table)?;
        check_labels(&table, &labels, &LABELS)?;
        let train = files(&set.folder.join("train"))?;
        assert_eq!((train.len(), labels.len()), (pictures.train.len(), pictures.train.len()));
        for file in train.iter().take(5) {
            let place = id_of(file).parse::<usize>()? - 1;
            assert_eq!(Picture::open(file)?, pictures.train.picture(place)?);
            assert_eq!(labels[&id_of(file)], LABELS[pictures.train.labels()[place] as usize]);
        }
        let (test, test_labels) = (files(&set.folder.join("test"))?, set.test_labels.as_ref().ok_or("no labels")?);
        assert_eq!(test.len(), test_labels.len());
        for (file, &label) in test.iter().zip(test_labels) {
            assert_eq!(pictures.test.labels()[id_of(file).parse::<usize>()? - 1], label);
        }
        Ok(())
    }

    #[test]
    fn the_sample_of_dogs_has_known_breeds() -> Outcome {
        let set = DogBreeds::sample()?;
        let table = set.folder.join("labels.csv");
        let labels = read_csv_labels(&table)?;
        check_labels(&table, &labels, &BREEDS)?;
        assert_eq!((set.train.len(), set.test.len()), (40, 8));
        assert!(set.train.iter().all(|file| labels.contains_key(&id_of(file))));
        assert!(Picture::open(&set.test[0])?.width() > 64);
        Ok(())
    }

    #[test]
    fn every_tenth_picture_is_held_back() -> Outcome {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("train"))?;
        for number in 10..35 {
            fs::write(folder.path().join(format!("train/{number}.jpg")), "")?;
        }
        let set = DogBreeds::hold_back(folder.path().to_path_buf())?;
        assert_eq!(set.test.iter().map(|file| id_of(file)).collect::<Vec<_>>(), ["19", "29"]);
        assert_eq!(set.train.len(), 23);
        Ok(())
    }
}
