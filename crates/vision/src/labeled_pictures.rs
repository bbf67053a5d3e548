//! Pictures with a class each, changed on their way into a minibatch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Error;
use d2l::data::DataError;
use d2l::prelude::{Dataset, Device, Result, Stream, Tensor};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::augmentation::{Compose, Transform};
use crate::picture::Picture;

/// A picture as it is kept: small ones as pixels, photographs as their file's bytes, a tenth of that.
#[derive(Debug, Clone)]
enum Kept {
    Pixels(Picture),
    File { path: PathBuf, bytes: Vec<u8> },
}

/// Pictures with their classes.
#[derive(Debug, Clone, Default)]
pub struct LabeledPictures {
    pictures: Vec<Kept>,
    labels: Vec<u32>,
}

impl LabeledPictures {
    /// Pictures and as many labels.
    ///
    /// # Errors
    /// Where their numbers differ.
    pub fn new(pictures: Vec<Picture>, labels: Vec<u32>) -> Result<Self, DataError> {
        if pictures.len() != labels.len() {
            return Err(DataError::invalid(format!("{} pictures but {} labels", pictures.len(), labels.len())));
        }
        Ok(Self { pictures: pictures.into_iter().map(Kept::Pixels).collect(), labels })
    }

    /// The pictures of a folder that has a folder for each of `classes`, in the order of classes and of names. A picture
    /// is decoded when it is asked for.
    ///
    /// # Errors
    /// Where a class has no folder or an empty one, or a file cannot be read.
    pub fn read_folders(folder: &Path, classes: &[&str]) -> Result<Self, DataError> {
        let mut set = Self::default();
        for (label, class) in classes.iter().enumerate() {
            let folder = folder.join(class);
            let entries = fs::read_dir(&folder).map_err(|reason| DataError::read(&folder, reason))?;
            let paths = entries.map(|entry| Ok(entry.map_err(|reason| DataError::read(&folder, reason))?.path()));
            let mut paths = paths.collect::<Result<Vec<_>, DataError>>()?;
            // What systems leave in folders is hidden, and no picture.
            paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
            paths.sort();
            if paths.is_empty() {
                return Err(DataError::invalid(format!("{} has no pictures of its class", folder.display())));
            }
            for path in paths {
                let bytes = fs::read(&path).map_err(|reason| DataError::read(&path, reason))?;
                set.pictures.push(Kept::File { path, bytes });
                set.labels.push(label as u32);
            }
        }
        Ok(set)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The classes.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// A picture.
    ///
    /// # Errors
    /// Where its file is damaged.
    pub fn picture(&self, index: usize) -> Result<Picture> {
        match &self.pictures[index] {
            Kept::Pixels(picture) => Ok(picture.clone()),
            Kept::File { path, bytes } => Picture::decode(bytes, path).map_err(Error::wrap),
        }
    }

    /// The first `count` pictures and the others.
    pub fn split(mut self, count: usize) -> (Self, Self) {
        let count = count.min(self.len());
        let (pictures, labels) = (self.pictures.split_off(count), self.labels.split_off(count));
        (self, Self { pictures, labels })
    }

    /// These pictures and then those.
    pub fn joined(mut self, other: Self) -> Self {
        self.pictures.extend(other.pictures);
        self.labels.extend(other.labels);
        self
    }

    /// The first `count` pictures, or all where there are fewer.
    pub fn first(self, count: usize) -> Self {
        self.split(count).0
    }
}

/// What a net was trained to see: how bytes become its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Taken from each byte, for red, green and blue.
    pub mean: [f32; 3],
    /// What is left is divided by it.
    pub std: [f32; 3],
    /// Whether the planes are blue, green and red.
    pub reversed: bool,
}

impl Normalization {
    /// From 0 to 1.
    pub const UNIT: Self = Self { mean: [0.0; 3], std: [255.0; 3], reversed: false };

    /// Mean 0 and deviation 1 over ImageNet's pictures, as torchvision's nets take it.
    pub const IMAGENET: Self = Self { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], reversed: false };

    /// Bytes in the order of Caffe, less the mean of ImageNet's pictures.
    pub const CAFFE: Self = Self { mean: [123.0, 117.0, 104.0], std: [1.0; 3], reversed: true };

    /// Writes a picture's three planes.
    pub fn write(&self, picture: &Picture, planes: &mut [f32]) {
        picture.write_planes(planes, |channel, byte| (f32::from(byte) - self.mean[channel]) / self.std[channel]);
        if self.reversed {
            let size = planes.len() / 3;
            let (red, rest) = planes.split_at_mut(size);
            red.swap_with_slice(&mut rest[size..]);
        }
    }
}

/// Pictures as a loader serves them: through transforms that are drawn anew for each picture in each epoch.
pub struct TransformedPictures {
    set: Arc<LabeledPictures>,
    transform: Compose,
    normalization: Normalization,
    draws: Stream,
}

impl TransformedPictures {
    /// `transform` has to bring the pictures to one size. `draws` is a stream of [`Purpose::Steps`], which follows the epochs.
    ///
    /// [`Purpose::Steps`]: d2l::random::Purpose::Steps
    pub fn new(
        set: impl Into<Arc<LabeledPictures>>,
        transform: Compose,
        normalization: Normalization,
        draws: Stream,
    ) -> Self {
        Self { set: set.into(), transform, normalization, draws }
    }

    /// A picture after the transforms, as it is in this epoch.
    ///
    /// # Errors
    /// Where its file is damaged.
    pub fn picture(&self, index: usize) -> Result<Picture> {
        self.transformed(index, self.draws.clone().next_u64())
    }

    /// `epoch` is a number that the epoch has drawn; with the picture's own it seeds the generator of what is drawn for it,
    /// so neither the order of pictures nor the number of threads matters.
    fn transformed(&self, index: usize, epoch: u64) -> Result<Picture> {
        let own = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.transform.apply(self.set.picture(index)?, &mut ChaCha8Rng::seed_from_u64(epoch ^ own))
    }
}

impl Dataset for TransformedPictures {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.set.len()
    }

    /// Pictures `(batch, 3, height, width)` and classes `(batch)` of `u32`; they are decoded and changed on all threads.
    fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
        let epoch = self.draws.clone().next_u64();
        let pictures = indices.par_iter().map(|&index| self.transformed(index, epoch)).collect::<Result<Vec<_>>>()?;
        let Some((width, height)) = pictures.first().map(|first| (first.width(), first.height())) else {
            candle_core::bail!("a minibatch of no pictures");
        };
        if let Some(odd) = pictures.iter().position(|other| (other.width(), other.height()) != (width, height)) {
            let (w, h) = (pictures[odd].width(), pictures[odd].height());
            candle_core::bail!(
                "pictures of {width} x {height} and {w} x {h} in a minibatch: resize or crop them alike"
            );
        }
        let mut values = vec![0f32; indices.len() * 3 * height * width];
        values
            .par_chunks_exact_mut(3 * height * width)
            .zip(&pictures)
            .for_each(|(planes, picture)| self.normalization.write(picture, planes));
        let labels: Vec<u32> = indices.iter().map(|&index| self.set.labels[index]).collect();
        Ok((Tensor::from_vec(values, (indices.len(), 3, height, width), device)?, Tensor::new(labels, device)?))
    }
}

#[cfg(test)]
mod tests {
    use d2l::random::{Purpose, Random};

    use super::*;
    use crate::augmentation::{RandomHorizontalFlip, RandomResizedCrop};

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn numbered(count: usize) -> Result<LabeledPictures, DataError> {
        let picture = |i: usize| Picture::new(4, 4, (0..48).map(|byte| (byte * 5 + i) as u8).collect());
        LabeledPictures::new((0..count).map(picture).collect::<Result<_, _>>()?, (0..count as u32).collect())
    }

    #[test]
    fn draws_depend_on_the_picture_and_the_epoch_alone() -> Outcome {
        let random = Random::new(5);
        let transform = Compose::new().then(RandomHorizontalFlip).then(RandomResizedCrop::new(3));
        let draws = random.stream(Purpose::Steps, "augmentation");
        let set = TransformedPictures::new(numbered(8)?, transform, Normalization::UNIT, draws);
        let values = |indices: &[usize]| set.batch(indices, &Device::Cpu)?.0.to_dtype(d2l::prelude::DType::F32);
        random.begin_epoch(1);
        let (all, some) = (values(&[0, 1, 2, 3, 4, 5, 6, 7])?, values(&[6, 1])?);
        assert_eq!(all.get(6)?.flatten_all()?.to_vec1::<f32>()?, some.get(0)?.flatten_all()?.to_vec1::<f32>()?);
        random.begin_epoch(2);
        let later = values(&[0, 1, 2, 3, 4, 5, 6, 7])?;
        assert_ne!(all.flatten_all()?.to_vec1::<f32>()?, later.flatten_all()?.to_vec1::<f32>()?);
        random.begin_epoch(1);
        assert_eq!(
            all.flatten_all()?.to_vec1::<f32>()?,
            values(&[0, 1, 2, 3, 4, 5, 6, 7])?.flatten_all()?.to_vec1::<f32>()?
        );
        Ok(())
    }

    #[test]
    fn planes_are_in_the_order_that_the_net_takes() -> Outcome {
        let picture = Picture::new(1, 1, vec![130, 120, 110])?;
        let mut planes = [0f32; 3];
        Normalization::CAFFE.write(&picture, &mut planes);
        assert_eq!(planes, [6.0, 3.0, 7.0]);
        Normalization::UNIT.write(&picture, &mut planes);
        assert_eq!(planes, [130.0 / 255.0, 120.0 / 255.0, 110.0 / 255.0]);
        Ok(())
    }

    #[test]
    fn pictures_of_two_sizes_make_no_batch() -> Outcome {
        let pictures = vec![Picture::new(1, 1, vec![0; 3])?, Picture::new(2, 1, vec![0; 6])?];
        let set = LabeledPictures::new(pictures, vec![0, 1])?;
        let draws = Random::new(1).stream(Purpose::Steps, "none");
        let set = TransformedPictures::new(set, Compose::new(), Normalization::UNIT, draws);
        assert!(set.batch(&[0, 1], &Device::Cpu).expect_err("two sizes").to_string().contains("2 x 1"));
        Ok(())
    }

    #[test]
    fn a_folder_without_a_class_and_a_damaged_picture_are_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let error = LabeledPictures::read_folders(folder.path(), &["cat"]).expect_err("no folder").to_string();
        assert!(error.contains("cat"), "{error}");
        fs::create_dir(folder.path().join("cat"))?;
        let error = LabeledPictures::read_folders(folder.path(), &["cat"]).expect_err("empty").to_string();
        assert!(error.contains("no pictures"), "{error}");
        fs::write(folder.path().join("cat/1.jpg"), "text")?;
        let set = LabeledPictures::read_folders(folder.path(), &["cat"])?;
        assert!(set.picture(0).expect_err("no picture").to_string().contains("1.jpg"));
        Ok(())
    }
}
