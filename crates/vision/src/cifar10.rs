//! CIFAR-10: pictures of 32 by 32 pixels in ten classes (section 13.1).

use std::fs;
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};

use crate::labeled_pictures::LabeledPictures;
use crate::picture::Picture;

/// The classes' names, by label.
pub const LABELS: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Pixels a side.
const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;
/// Of the training pictures that stand in for the set, so many are trained on, the others tested with.
const TRAINED_ON: usize = 3_000;

/// 50,000 pictures to train on and 10,000 to test with; or, where those cannot be had, 3,000 and 1,000.
#[derive(Debug, Clone)]
pub struct Cifar10 {
    /// Trained on.
    pub train: LabeledPictures,
    /// Tested with.
    pub test: LabeledPictures,
    stands_in: bool,
}

impl Cifar10 {
    /// Reads files in the set's binary format: a byte for the class, then 1,024 each for red, green and blue.
    fn read(train: &[impl AsRef<Path>], test: &Path) -> Result<Self, DataError> {
        let mut all = (Vec::new(), Vec::new());
        for file in train {
            let (pictures, labels) = read_binary(file.as_ref())?;
            all.0.extend(pictures);
            all.1.extend(labels);
        }
        let (pictures, labels) = read_binary(test)?;
        let (train, test) = (LabeledPictures::new(all.0, all.1)?, LabeledPictures::new(pictures, labels)?);
        Ok(Self { train, test, stands_in: false })
    }

    /// The first 4,000 training pictures, as rows of four pictures, and the list of all labels.
    fn read_rows(hub: &Hub) -> Result<Self, DataError> {
        let mut pictures = Vec::new();
        for number in 0..4 {
            let rows = Picture::open(&hub.fetch(&format!("cifar10-rows-{number}"))?)?;
            for row in rows.pixels().chunks_exact(3 * PIXELS) {
                pictures.push(Picture::new(SIDE, SIDE, row.to_vec())?);
            }
        }
        let labels = read_names(&hub.fetch_extracted("cifar10-labels")?.join("trainLabels.csv"), pictures.len())?;
        let (train, test) = LabeledPictures::new(pictures, labels)?.split(TRAINED_ON);
        Ok(Self { train, test, stands_in: true })
    }
}

fn read_binary(path: &Path) -> Result<(Vec<Picture>, Vec<u32>), DataError> {
    let bytes = fs::read(path).map_err(|reason| DataError::read(path, reason))?;
    let records = bytes.chunks_exact(1 + 3 * PIXELS);
    if bytes.is_empty() || !records.remainder().is_empty() {
        let (path, bytes, record) = (path.display(), bytes.len(), 1 + 3 * PIXELS);
        return Err(DataError::invalid(format!("{path}: {bytes} bytes are no records of {record}; fetch it again")));
    }
    let (mut pictures, mut labels) = (Vec::new(), Vec::new());
    for (number, record) in records.enumerate() {
        if usize::from(record[0]) >= LABELS.len() {
            let (path, label) = (path.display(), record[0]);
            return Err(DataError::invalid(format!(
                "{path}: picture {number} has the class {label}; there are 0 to 9"
            )));
        }
        let (red, green, blue) = (&record[1..], &record[1 + PIXELS..], &record[1 + 2 * PIXELS..]);
        let pixels = (0..PIXELS).flat_map(|place| [red[place], green[place], blue[place]]);
        pictures.push(Picture::new(SIDE, SIDE, pixels.collect())?);
        labels.push(u32::from(record[0]));
    }
    Ok((pictures, labels))
}

/// The first `count` labels of a table with the columns `id`, from 1, and `label`, a name.
fn read_names(path: &Path, count: usize) -> Result<Vec<u32>, DataError> {
    let mut table = csv::Reader::from_path(path).map_err(DataError::other)?;
    let mut labels = Vec::new();
    for record in table.records().take(count) {
        let record = record.map_err(DataError::other)?;
        let label = LABELS.iter().position(|&name| record.get(1) == Some(name));
        match label {
            Some(label) if record.get(0) == Some(&(labels.len() + 1).to_string()) => labels.push(label as u32),
            _ => {
                let (path, line) = (path.display(), labels.len() + 2);
                return Err(DataError::invalid(format!("{path}, line {line}: not a number in order and a class")));
            }
        }
    }
    Ok(labels)
}

impl Source for Cifar10 {
    const SAMPLE_NOTICE: &'static str = "CIFAR-10 could not be had, so this run uses 330 drawn pictures that come with the \
         repository; its results say nothing of photographs.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch_extracted("cifar10") {
            Ok(folder) => {
                let files = [1, 2, 3, 4, 5].map(|number| folder.join(format!("data_batch_{number}.bin")));
                Self::read(&files, &folder.join("test_batch.bin"))
            }
            // The error of the whole set says more than that of its part.
            Err(error) => Self::read_rows(hub).map_err(|_| error.into()),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "CIFAR-10 could not be had whole: this run trains on its first 3,000 training pictures and tests with the \
             next 1,000, so it ends less well than the book's, which has 50,000.",
        )
    }

    /// Pictures that `scripts/make_vision_samples.py` draws.
    fn sample() -> Result<Self, DataError> {
        let folder = hub::sample("cifar10")?;
        Self::read(&[folder.join("data_batch_1.bin")], &folder.join("test_batch.bin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn planes_become_pixels() -> Outcome {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("batch.bin");
        let mut record = vec![7u8];
        record.extend((0..3 * PIXELS).map(|place| (place / PIXELS * 100 + place % PIXELS % 50) as u8));
        fs::write(&file, &record)?;
        let (pictures, labels) = read_binary(&file)?;
        assert_eq!((labels, &pictures[0].pixels()[..6]), (vec![7], &[0, 100, 200, 1, 101, 201][..]));
        record[0] = 10;
        fs::write(&file, &record)?;
        assert!(read_binary(&file).expect_err("no class 10").to_string().contains("class 10"));
        record.pop();
        fs::write(&file, &record)?;
        assert!(read_binary(&file).expect_err("cut off").to_string().contains("batch.bin"));
        Ok(())
    }

    #[test]
    fn labels_are_in_order_or_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("labels.csv");
        fs::write(&file, "id,label\n1,frog\n2,truck\n3,truck\n")?;
        assert_eq!(read_names(&file, 2)?, [6, 9]);
        for (line, number) in [("2,cow", "line 3"), ("3,cat", "line 3")] {
            fs::write(&file, format!("id,label\n1,frog\n{line}\n"))?;
            let error = read_names(&file, 9).expect_err(line).to_string();
            assert!(error.contains(number) && error.contains("labels.csv"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn the_sample_has_every_class() -> Outcome {
        let set = Cifar10::sample()?;
        for label in 0..LABELS.len() as u32 {
            assert!(set.train.labels().contains(&label) && set.test.labels().contains(&label));
        }
        assert!(set.stand_in().is_none());
        Ok(())
    }
}
