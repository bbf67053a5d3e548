//! MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 x 28 in gray (section 18.9).

use std::path::PathBuf;

use d2l::data::fashion_mnist::Images;
use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};

/// The files' names in the hub and on disk.
const FILES: [(&str, &str); 4] = [
    ("train-images", "train-images-idx3-ubyte.gz"),
    ("train-labels", "train-labels-idx1-ubyte.gz"),
    ("test-images", "t10k-images-idx3-ubyte.gz"),
    ("test-labels", "t10k-labels-idx1-ubyte.gz"),
];

/// The training and the test set; an image's label is the digit on it.
#[derive(Debug, Clone)]
pub struct Mnist {
    /// 60,000 images, 5,421 to 6,742 of each digit.
    pub train: Images,
    /// 10,000 images, 892 to 1,135 of each digit.
    pub test: Images,
}

impl Mnist {
    /// Reads the four files from where `locate` finds them by their name in the hub and their file's name.
    fn read(locate: impl Fn(&str, &str) -> Result<PathBuf, DataError>) -> Result<Self, DataError> {
        let locate = |(name, file): (&str, &str)| locate(name, file);
        let [train_images, train_labels, test_images, test_labels] = FILES;
        Ok(Self {
            train: Images::read(&locate(train_images)?, &locate(train_labels)?)?,
            test: Images::read(&locate(test_images)?, &locate(test_labels)?)?,
        })
    }
}

impl Source for Mnist {
    const SAMPLE_NOTICE: &'static str = "MNIST could not be had, so this run uses the 1,000 training and 200 test images \
         of printed digits that come with the repository; they are easier to tell apart than MNIST's.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Self::read(|name, _| Ok(hub.fetch(&format!("mnist/{name}"))?))
    }

    /// 1,000 training and 200 test images of digits in fonts, balanced over the classes.
    fn sample() -> Result<Self, DataError> {
        let folder = hub::sample("mnist")?;
        Self::read(|_, file| Ok(folder.join(file)))
    }
}

#[cfg(test)]
mod tests {
    use d2l::data::Dataset;

    use super::*;

    #[test]
    fn the_sample_is_balanced_and_has_mnist_s_shape() -> Result<(), DataError> {
        let Mnist { train, test } = Mnist::sample()?;
        for (images, per_class) in [(&train, 100), (&test, 20)] {
            assert_eq!((images.len(), images.size()), (10 * per_class, (28, 28)));
            for class in 0..10u8 {
                assert_eq!(images.labels().iter().filter(|&&label| label == class).count(), per_class);
            }
            // Ink covers a part of each image and leaves its corners free, as in MNIST.
            for index in 0..images.len() {
                let (pixels, lit) = (images.pixels(index), |pixel: &&u8| **pixel >= 128);
                assert!((20..400).contains(&pixels.iter().filter(lit).count()), "image {index}");
                assert_eq!([pixels[0], pixels[27], pixels[27 * 28], pixels[783]], [0; 4], "image {index}");
            }
        }
        Ok(())
    }
}
