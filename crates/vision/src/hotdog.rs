//! Pictures of hot dogs and of other things (section 13.2).

use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};

use crate::labeled_pictures::LabeledPictures;

/// The classes' names, by label, which are the names of their folders.
pub const LABELS: [&str; 2] = ["hotdog", "not-hotdog"];

/// 1,000 pictures of each class to train on and 400 to test with; or, where those cannot be had, 200 and 60.
#[derive(Debug, Clone)]
pub struct HotDogs {
    /// Trained on.
    pub train: LabeledPictures,
    /// Tested with.
    pub test: LabeledPictures,
    stands_in: bool,
}

impl HotDogs {
    fn read(folder: &Path, stands_in: bool) -> Result<Self, DataError> {
        let part = |name: &str| LabeledPictures::read_folders(&folder.join(name), &LABELS);
        Ok(Self { train: part("train")?, test: part("test")?, stands_in })
    }
}

impl Source for HotDogs {
    const SAMPLE_NOTICE: &'static str = "the pictures of hot dogs could not be had, so this run uses 72 drawn ones that \
         come with the repository; its results say nothing of photographs.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch_extracted("hotdog") {
            Ok(folder) => Self::read(&folder, false),
            // The error of the book's set says more.
            Err(error) => Self::read(&hub.folder("hotdog").map_err(|_| error)?, true),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "the book's pictures of hot dogs could not be had: 400 of a like set on Kaggle are trained on, 120 tested \
             with, where the book has 2,000 and 800.",
        )
    }

    /// Pictures that `scripts/make_vision_samples.py` draws.
    fn sample() -> Result<Self, DataError> {
        Self::read(&hub::sample("hotdog")?, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_both_classes() -> Result<(), Box<dyn std::error::Error>> {
        let set = HotDogs::sample()?;
        for labels in [set.train.labels(), set.test.labels()] {
            assert_eq!(labels.iter().filter(|&&label| label == 0).count() * 2, labels.len());
        }
        assert!(set.train.picture(0)?.width() > 100);
        Ok(())
    }
}
