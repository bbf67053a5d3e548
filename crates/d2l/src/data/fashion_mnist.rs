//! Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28 x 28 in gray, in ten classes (section 3.5).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::hub::Hub;
use super::idx::Idx;
use super::{DataError, Dataset, Loader, Source};
use crate::Result;
use crate::ops::kernel;
use crate::random::Stream;

/// The classes' names, by label.
pub const LABELS: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// The files' names in the hub and on disk.
const FILES: [(&str, &str); 4] = [
    ("train-images", "train-images-idx3-ubyte.gz"),
    ("train-labels", "train-labels-idx1-ubyte.gz"),
    ("test-images", "t10k-images-idx3-ubyte.gz"),
    ("test-labels", "t10k-labels-idx1-ubyte.gz"),
];

/// The names of labels.
///
/// # Errors
/// Where a label is not below 10.
#[doc(alias = "get_fashion_mnist_labels")]
pub fn label_names(labels: &[u32]) -> Result<Vec<&'static str>, DataError> {
    let name = |&label: &u32| {
        let name = LABELS.get(label as usize).copied();
        name.ok_or_else(|| DataError::Invalid(format!("label {label} is not one of Fashion-MNIST's ten")))
    };
    labels.iter().map(name).collect()
}

/// Gray images of one size with their labels, held as bytes.
#[derive(Debug, Clone)]
pub struct Images {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    height: usize,
    width: usize,
    resize: Option<usize>,
}

impl Images {
    /// Reads an IDX file of images and one of labels.
    ///
    /// # Errors
    /// Where a file is damaged, the images have no pixels, the counts differ, or a label is not below 10.
    pub fn read(images: &Path, labels: &Path) -> Result<Self, DataError> {
        let (pixels, classes) = (Idx::read(images, 3)?, Idx::read(labels, 1)?);
        let &[count, height, width] = &pixels.dims[..] else { unreachable!("read with three axes") };
        let invalid = |message| Err(DataError::Invalid(message));
        if height == 0 || width == 0 {
            return invalid(format!("{} holds images of {height} x {width} pixels", images.display()));
        }
        if count != classes.values.len() {
            let (images, labels, found) = (images.display(), labels.display(), classes.values.len());
            return invalid(format!("{images} holds {count} images but {labels} holds {found} labels"));
        }
        if let Some(label) = classes.values.iter().find(|&&label| usize::from(label) >= LABELS.len()) {
            return invalid(format!("{} holds the label {label}; there are ten classes, 0 to 9", labels.display()));
        }
        Ok(Self { pixels: pixels.values, labels: classes.values, height, width, resize: None })
    }

    /// The same images, served with another side length through bilinear interpolation, as Pillow computes it.
    pub fn resized(mut self, side: Option<usize>) -> Self {
        self.resize = side.filter(|&side| (side, side) != (self.height, self.width));
        self
    }

    /// The first examples only: for runs on a part of the data.
    ///
    /// # Errors
    /// Where there are fewer than `count`, or `count` is zero.
    pub fn first(mut self, count: usize) -> Result<Self, DataError> {
        if !(1..=self.len()).contains(&count) {
            return Err(DataError::Invalid(format!("asked for the first {count} of {} examples", self.len())));
        }
        self.pixels.truncate(count * self.height * self.width);
        self.labels.truncate(count);
        Ok(self)
    }

    /// The labels, one a byte.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// An image's bytes, row by row, at its stored size.
    pub fn pixels(&self, index: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[index * size..(index + 1) * size]
    }

    /// Height and width of the images as they are served.
    pub fn size(&self) -> (usize, usize) {
        self.resize.map_or((self.height, self.width), |side| (side, side))
    }
}

impl Dataset for Images {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.labels.len()
    }

    /// Images `(batch, 1, height, width)` in `f32` from 0 to 1, labels `(batch)` in `u32`.
    fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
        let (height, width) = self.size();
        if height * width == 0 {
            candle_core::bail!("images of {height} x {width} have no pixels: ask for a side of 1 or more");
        }
        let mut values = vec![0f32; indices.len() * height * width];
        let mut images = values.chunks_exact_mut(height * width);
        let mut scale = |pixels: &[u8]| {
            if let Some(image) = images.next() {
                kernel::vectorized(|| image.iter_mut().zip(pixels).for_each(|(x, &p)| *x = f32::from(p) / 255.0));
            }
        };
        if self.resize.is_some() {
            let mut resizer = Resizer::new();
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
            let mut enlarged = vec![0; height * width];
            for &index in indices {
                let (from, to) = ((self.width as u32, self.height as u32), (width as u32, height as u32));
                let source = TypedImageRef::<U8>::from_buffer(from.0, from.1, self.pixels(index));
                let target = TypedImage::<U8>::from_buffer(to.0, to.1, &mut enlarged);
                // Typed images: the untyped call compiles the resizing of every kind of pixel there is.
                resizer
                    .resize_typed(
                        &source.map_err(candle_core::Error::wrap)?,
                        &mut target.map_err(candle_core::Error::wrap)?,
                        &options,
                    )
                    .map_err(candle_core::Error::wrap)?;
                scale(&enlarged);
            }
        } else {
            indices.iter().for_each(|&index| scale(self.pixels(index)));
        }
        let images = Tensor::from_vec(values, (indices.len(), 1, height, width), device)?;
        let labels: Vec<u32> = indices.iter().map(|&index| u32::from(self.labels[index])).collect();
        Ok((images, Tensor::new(labels, device)?))
    }
}

/// The training and the test set.
#[derive(Debug, Clone)]
pub struct FashionMnist {
    /// 60,000 images, 6,000 of each class.
    pub train: Images,
    /// 10,000 images, 1,000 of each class.
    pub test: Images,
}

impl FashionMnist {
    /// Reads the four files from where `locate` finds them by their name in the hub and their file's name.
    fn read(locate: impl Fn(&str, &str) -> Result<PathBuf, DataError>) -> Result<Self, DataError> {
        let locate = |(name, file): (&str, &str)| locate(name, file);
        let [train_images, train_labels, test_images, test_labels] = FILES;
        Ok(Self {
            train: Images::read(&locate(train_images)?, &locate(train_labels)?)?,
            test: Images::read(&locate(test_images)?, &locate(test_labels)?)?,
        })
    }

    /// Loaders of the shuffled training set and of the test set in its order, at a side of `resize` where given.
    ///
    /// # Errors
    /// Where the batch size is zero.
    #[doc(alias = "load_data_fashion_mnist")]
    #[doc(alias = "get_dataloader_workers")]
    pub fn loaders(
        self,
        batch_size: usize,
        resize: Option<usize>,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(ImageLoader, ImageLoader), DataError> {
        let train = Loader::new(Arc::new(self.train.resized(resize)), batch_size, device)?.shuffled(shuffle);
        let test = Loader::new(Arc::new(self.test.resized(resize)), batch_size, device)?;
        Ok((train, test))
    }
}

impl Source for FashionMnist {
    const SAMPLE_NOTICE: &'static str = "Fashion-MNIST could not be had, so this run uses the 6,000 training and 1,000 \
         test images that come with the repository, and its results are worse than the book's.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Self::read(|name, _| Ok(hub.fetch(&format!("fashion-mnist/{name}"))?))
    }

    /// 6,000 training and 1,000 test images, balanced over the classes.
    fn sample() -> Result<Self, DataError> {
        let folder = super::hub::sample("fashion-mnist")?;
        Self::read(|_, file| Ok(folder.join(file)))
    }
}

/// A loader of image minibatches.
pub type ImageLoader = Loader<Images>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_balanced_and_scaled_to_one() -> Result<(), Box<dyn std::error::Error>> {
        let FashionMnist { train, test } = FashionMnist::sample()?;
        for (images, per_class) in [(&train, 600), (&test, 100)] {
            for class in 0..10u8 {
                assert_eq!(images.labels().iter().filter(|&&label| label == class).count(), per_class);
            }
        }
        let (x, y) = test.batch(&[3, 0, 999], &Device::Cpu)?;
        assert_eq!((x.dims(), y.dims()), (&[3, 1, 28, 28][..], &[3][..]));
        let expected: Vec<f32> = test.pixels(3).iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
        assert_eq!(x.get(0)?.flatten_all()?.to_vec1::<f32>()?, expected);
        assert_eq!(y.to_vec1::<u32>()?, [3, 0, 999].map(|i: usize| u32::from(test.labels()[i])));
        Ok(())
    }

    #[test]
    fn resizing_is_bilinear_between_pixel_centres() -> Result<(), Box<dyn std::error::Error>> {
        let images = Images { pixels: vec![0, 100, 200, 40], labels: vec![0], height: 2, width: 2, resize: None };
        let (x, _) = images.resized(Some(4)).batch(&[0], &Device::Cpu)?;
        let bytes: Vec<u8> = x.flatten_all()?.to_vec1::<f32>()?.iter().map(|v| (v * 255.0).round() as u8).collect();
        // Rows at 0, 1/4, 3/4 and 1 between the two source rows, columns alike; Pillow gives these bytes.
        assert_eq!(bytes, [0, 25, 75, 100, 50, 59, 76, 85, 150, 126, 79, 55, 200, 160, 80, 40]);
        Ok(())
    }

    #[test]
    fn a_side_of_zero_is_an_error_when_served() {
        let images = Images { pixels: vec![7], labels: vec![0], height: 1, width: 1, resize: None };
        let error = images.resized(Some(0)).batch(&[0], &Device::Cpu).expect_err("no pixels").to_string();
        assert!(error.contains("0 x 0"), "{error}");
    }

    #[test]
    fn counts_and_labels_that_do_not_fit_are_errors() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::TempDir::new()?;
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        write("images", &[&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1][..], &[7, 9]].concat())?;
        write("three", &[0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])?;
        write("eleven", &[0, 0, 8, 1, 0, 0, 0, 2, 1, 11])?;
        let read = |labels: &str| Images::read(&folder.path().join("images"), &folder.path().join(labels));
        write("flat", &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1])?;
        let flat = Images::read(&folder.path().join("flat"), &folder.path().join("three"));
        assert!(flat.expect_err("no pixels").to_string().contains("0 x 1 pixels"));
        assert!(read("three").expect_err("counts differ").to_string().contains("2 images but"));
        assert!(read("eleven").expect_err("no such class").to_string().contains("label 11"));
        assert!(label_names(&[9, 10]).expect_err("no such class").to_string().contains("label 10"));
        assert_eq!(label_names(&[9, 0])?, ["ankle boot", "t-shirt"]);
        Ok(())
    }
}
