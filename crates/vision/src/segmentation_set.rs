//! Photographs with the class of every pixel, in the layout of PASCAL VOC 2012 (section 13.9).

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Error;
use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::*;
use image::ImageReader;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::labeled_pictures::Normalization;
use crate::picture::{Picture, PictureError};

/// The classes' names; the first is what belongs to no thing.
#[doc(alias = "VOC_CLASSES")]
pub const CLASSES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv/monitor",
];

/// The color of each class in the masks' files.
#[doc(alias = "VOC_COLORMAP")]
pub const COLORS: [[u8; 3]; 21] = [
    [0, 0, 0],
    [128, 0, 0],
    [0, 128, 0],
    [128, 128, 0],
    [0, 0, 128],
    [128, 0, 128],
    [0, 128, 128],
    [128, 128, 128],
    [64, 0, 0],
    [192, 0, 0],
    [64, 128, 0],
    [192, 128, 0],
    [64, 0, 128],
    [192, 0, 128],
    [64, 128, 128],
    [192, 128, 128],
    [0, 64, 0],
    [128, 64, 0],
    [0, 192, 0],
    [128, 192, 0],
    [0, 64, 128],
];

/// The color of outlines, which belong to no class; the book counts them as background, and so does this.
pub const OUTLINE: [u8; 3] = [224, 224, 192];

/// The class that each color stands for.
#[doc(alias = "voc_colormap2label")]
pub fn class_of_color() -> HashMap<[u8; 3], u8> {
    let classes = COLORS.into_iter().zip(0..);
    classes.chain([(OUTLINE, 0)]).collect()
}

/// The class of every pixel of a picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    classes: Vec<u8>,
}

impl Mask {
    /// A mask from its classes, row by row.
    ///
    /// # Errors
    /// Where their number does not fit, or one is none of [`CLASSES`].
    pub fn new(width: usize, height: usize, classes: Vec<u8>) -> Result<Self, DataError> {
        let is_known = |&class: &u8| usize::from(class) < CLASSES.len();
        if classes.len() != width * height || !classes.iter().all(is_known) {
            let count = classes.len();
            return Err(DataError::invalid(format!("{count} classes are no mask of {width} x {height} pixels")));
        }
        Ok(Self { width, height, classes })
    }

    /// The mask that a picture's colors stand for; `path` is for the error.
    ///
    /// # Errors
    /// Where a color stands for no class; the error names the file, the pixel and the color.
    #[doc(alias = "voc_label_indices")]
    pub fn of_colors(picture: &Picture, path: &Path) -> Result<Self, DataError> {
        let known = class_of_color();
        let pixels = picture.pixels().as_chunks::<3>().0.iter().enumerate();
        let classes = pixels.map(|(place, color)| {
            known.get(color).copied().ok_or_else(|| {
                let (column, row) = (place % picture.width(), place / picture.width());
                let path = path.display();
                DataError::invalid(format!("{path}: the color {color:?} of column {column}, row {row} is no class's"))
            })
        });
        let classes = classes.collect::<Result<Vec<u8>, _>>()?;
        Ok(Self { width: picture.width(), height: picture.height(), classes })
    }

    /// Columns of pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The classes, row by row.
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }

    /// A part of the mask; it has to lie inside.
    pub fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = self.classes.chunks_exact(self.width).skip(top).take(height);
        Self { width, height, classes: rows.flat_map(|row| &row[left..left + width]).copied().collect() }
    }

    /// The mask in the colors of its classes.
    ///
    /// # Errors
    /// None: a mask has pixels.
    #[doc(alias = "label2image")]
    pub fn colored(&self) -> Result<Picture, DataError> {
        let pixels = self.classes.iter().flat_map(|&class| COLORS[usize::from(class)]).collect();
        Picture::new(self.width, self.height, pixels)
    }
}

/// Cuts the same part, at a random place, out of a picture and its mask, neither of which is smaller than it.
#[doc(alias = "voc_rand_crop")]
pub fn random_crop(
    (picture, mask): (&Picture, &Mask),
    (height, width): (usize, usize),
    random: &mut ChaCha8Rng,
) -> (Picture, Mask) {
    let top = random.random_range(0..=picture.height() - height);
    let left = random.random_range(0..=picture.width() - width);
    (picture.cropped(left, top, width, height), mask.cropped(left, top, width, height))
}

/// A file that is decoded when it is asked for.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl File {
    fn read(path: PathBuf) -> Result<Self, DataError> {
        let bytes = fs::read(&path).map_err(|reason| DataError::read(&path, reason))?;
        Ok(Self { path, bytes })
    }

    /// Width and height, from the file's first bytes.
    fn size(&self) -> Result<(usize, usize), DataError> {
        let reader = ImageReader::new(Cursor::new(&self.bytes)).with_guessed_format();
        let size = reader.map_err(DataError::other)?.into_dimensions().map_err(|error| {
            DataError::other(PictureError::Damaged { path: self.path.clone(), reason: error.to_string() })
        })?;
        Ok((size.0 as usize, size.1 as usize))
    }
}

/// Photographs with their masks.
#[derive(Debug, Clone)]
pub struct SegmentedPictures {
    /// The picture, its mask, and their width and height.
    files: Vec<(File, File, (usize, usize))>,
}

impl SegmentedPictures {
    /// The pictures that a list of VOC's names: `train` or `val`.
    ///
    /// # Errors
    /// Where a picture or its mask is missing, or they differ in size; the error names the file.
    #[doc(alias = "read_voc_images")]
    pub fn read(folder: &Path, list: &str) -> Result<Self, DataError> {
        let path = folder.join("ImageSets/Segmentation").join(format!("{list}.txt"));
        let names = fs::read_to_string(&path).map_err(|reason| DataError::read(&path, reason))?;
        let names: Vec<&str> = names.split_whitespace().collect();
        if names.is_empty() {
            return Err(DataError::invalid(format!("{} names no pictures", path.display())));
        }
        let read = |name: &&str| {
            let picture = File::read(folder.join("JPEGImages").join(format!("{name}.jpg")))?;
            let mask = File::read(folder.join("SegmentationClass").join(format!("{name}.png")))?;
            let (size, mask_size) = (picture.size()?, mask.size()?);
            if size != mask_size {
                let (path, (width, height)) = (mask.path.display(), mask_size);
                return Err(DataError::invalid(format!(
                    "{path}: {width} x {height} pixels, but its picture has {} x {}",
                    size.0, size.1
                )));
            }
            Ok((picture, mask, size))
        };
        Ok(Self { files: names.par_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// A picture and its mask.
    ///
    /// # Errors
    /// Where a file is damaged, or a color of the mask is no class's.
    pub fn pair(&self, index: usize) -> Result<(Picture, Mask), DataError> {
        let (picture, mask, _) = &self.files[index];
        let colors = Picture::decode(&mask.bytes, &mask.path)?;
        Ok((Picture::decode(&picture.bytes, &picture.path)?, Mask::of_colors(&colors, &mask.path)?))
    }

    /// Those that a crop of this height and width fits into; the others cannot be in a minibatch with them.
    pub fn that_fit(mut self, (height, width): (usize, usize)) -> Self {
        self.files.retain(|(_, _, size)| size.0 >= width && size.1 >= height);
        self
    }

    /// The first `count`, or all where there are fewer.
    pub fn first(mut self, count: usize) -> Self {
        self.files.truncate(count);
        self
    }
}

/// Parts of one size of pictures and of their masks, as a loader serves them.
#[doc(alias = "VOCSegDataset")]
pub struct CroppedPictures {
    set: Arc<SegmentedPictures>,
    crop: (usize, usize),
    normalization: Normalization,
    draws: Stream,
}

impl CroppedPictures {
    /// Parts of this height and width; pictures that are smaller are left out. A stream of [`Purpose::Steps`] draws other
    /// places in each epoch, one of another purpose the same.
    ///
    /// # Errors
    /// Where all pictures are smaller.
    pub fn new(
        set: SegmentedPictures,
        crop: (usize, usize),
        normalization: Normalization,
        draws: Stream,
    ) -> Result<Self, DataError> {
        let count = set.len();
        let set = set.that_fit(crop);
        if set.is_empty() {
            let (height, width) = crop;
            return Err(DataError::invalid(format!(
                "a crop of {height} x {width} pixels fits into none of {count} pictures: choose a smaller one"
            )));
        }
        Ok(Self { set: Arc::new(set), crop, normalization, draws })
    }
}

/// Pictures `(batch, 3, height, width)` and classes `(batch, height, width)` of `u32`.
impl Dataset for CroppedPictures {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.set.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Self::Batch> {
        let epoch = self.draws.clone().next_u64();
        let (height, width) = self.crop;
        let cropped = |&index: &usize| {
            let own = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (picture, mask) = self.set.pair(index).map_err(Error::wrap)?;
            let (picture, mask) =
                random_crop((&picture, &mask), self.crop, &mut ChaCha8Rng::seed_from_u64(epoch ^ own));
            let mut planes = vec![0f32; 3 * height * width];
            self.normalization.write(&picture, &mut planes);
            Ok((planes, mask.classes.iter().map(|&class| u32::from(class)).collect::<Vec<u32>>()))
        };
        let (planes, classes): (Vec<_>, Vec<_>) =
            indices.par_iter().map(cropped).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let pictures = Tensor::from_vec(planes.concat(), (indices.len(), 3, height, width), device)?;
        Ok((pictures, Tensor::from_vec(classes.concat(), (indices.len(), height, width), device)?))
    }
}

/// VOC's 1,464 training and 1,449 validation pictures; or, where those cannot be had, 160 and 70 of them.
#[derive(Debug, Clone)]
pub struct SegmentationSet {
    /// Trained on.
    pub train: SegmentedPictures,
    /// Tested with.
    pub validation: SegmentedPictures,
    stands_in: bool,
}

impl SegmentationSet {
    fn read(folder: &Path, stands_in: bool) -> Result<Self, DataError> {
        let folder = folder.join("VOC2012");
        let (train, validation) =
            (SegmentedPictures::read(&folder, "train")?, SegmentedPictures::read(&folder, "val")?);
        Ok(Self { train, validation, stands_in })
    }

    /// Unpacks, of an archive of two gigabytes, the lists and then the pictures that they name.
    fn fetch_whole(hub: &Hub) -> Result<PathBuf, DataError> {
        let lists = hub.fetch_part("voc2012", "lists", |name| name.contains("ImageSets/Segmentation/"))?;
        let mut names = BTreeSet::new();
        for list in ["train", "val"] {
            let path = lists.join("VOC2012/ImageSets/Segmentation").join(format!("{list}.txt"));
            let text = fs::read_to_string(&path).map_err(|reason| DataError::read(&path, reason))?;
            names.extend(text.split_whitespace().map(str::to_owned));
        }
        let is_wanted = |name: &str| {
            let mut parts = name.rsplit('/');
            let (file, folder) = (parts.next().unwrap_or_default(), parts.next());
            match folder {
                Some("Segmentation") => true,
                Some("JPEGImages") => file.strip_suffix(".jpg").is_some_and(|name| names.contains(name)),
                Some("SegmentationClass") => file.strip_suffix(".png").is_some_and(|name| names.contains(name)),
                _ => false,
            }
        };
        Ok(hub.fetch_part("voc2012", "segmentation", is_wanted)?)
    }

    /// Loaders of parts of the training pictures, in random order and at other places each epoch, and of parts of the
    /// validation pictures, which stay.
    ///
    /// # Errors
    /// Where all pictures are smaller than such a part.
    #[doc(alias = "load_data_voc")]
    pub fn loaders(
        self,
        batch_size: usize,
        crop: (usize, usize),
        normalization: Normalization,
        nb: &Notebook,
    ) -> Result<(Loader<CroppedPictures>, Loader<CroppedPictures>), DataError> {
        let (train_draws, draws) = (nb.stream(Purpose::Steps, "crops"), nb.stream(Purpose::Sampling, "crops"));
        let train = CroppedPictures::new(self.train, crop, normalization, train_draws)?;
        let validation = CroppedPictures::new(self.validation, crop, normalization, draws)?;
        let shuffle = nb.stream(Purpose::Shuffling, "training pictures");
        let train = Loader::new(train, batch_size, nb.device())?.shuffled(shuffle);
        Ok((train.drop_last(), Loader::new(validation, batch_size, nb.device())?))
    }
}

impl Source for SegmentationSet {
    const SAMPLE_NOTICE: &'static str = "the pictures of VOC 2012 could not be had, so this run uses 36 drawn ones that \
         come with the repository; its results say nothing of photographs.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match Self::fetch_whole(hub) {
            Ok(folder) => Self::read(&folder, false),
            // The error of the book's set says more.
            Err(error) => Self::read(&hub.folder("voc2012_subset").map_err(|_| error)?.join("VOCdevkit"), true),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "VOC 2012 could not be had whole: 160 of its pictures are trained on, 70 tested with, most of them of animals, \
             where the book has 1,464 and 1,449.",
        )
    }

    /// Pictures that `scripts/make_vision_samples.py` draws.
    fn sample() -> Result<Self, DataError> {
        Self::read(&hub::sample("voc2012/VOCdevkit")?, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn masks_become_colors_and_colors_masks() -> Outcome {
        let mask = Mask::new(3, 2, vec![0, 1, 20, 15, 0, 12])?;
        let colored = mask.colored()?;
        assert_eq!(colored.pixels()[3..9], [128, 0, 0, 0, 64, 128]);
        assert_eq!(Mask::of_colors(&colored, Path::new("a.png"))?, mask);
        let outline = Picture::new(1, 1, OUTLINE.to_vec())?;
        assert_eq!(Mask::of_colors(&outline, Path::new("a.png"))?.classes(), [0]);
        let odd = Picture::new(2, 1, vec![0, 0, 0, 1, 2, 3])?;
        let error = Mask::of_colors(&odd, Path::new("masks/a.png")).expect_err("no class").to_string();
        assert!(error.contains("masks/a.png") && error.contains("[1, 2, 3]") && error.contains("column 1"), "{error}");
        assert!(Mask::new(2, 1, vec![0, 21]).is_err() && Mask::new(2, 1, vec![0]).is_err());
        Ok(())
    }

    #[test]
    fn every_color_is_another_classs() {
        assert_eq!(class_of_color().len(), CLASSES.len() + 1);
        // The bits of a class's number make its color.
        let bit = |class: usize, place: usize| ((class >> place) & 1) as u8;
        for (class, color) in COLORS.into_iter().enumerate() {
            let channel = |first: usize| bit(class, first) << 7 | bit(class, first + 3) << 6;
            assert_eq!(color, [channel(0), channel(1), channel(2)], "{class}");
        }
    }

    #[test]
    fn a_picture_and_its_mask_are_cut_alike() -> Outcome {
        // The red channel of each pixel is its class.
        let classes: Vec<u8> = (0..30).map(|place| place % 21).collect();
        let picture = Picture::new(6, 5, classes.iter().flat_map(|&class| [class, 0, 0]).collect())?;
        let mask = Mask::new(6, 5, classes)?;
        let mut places = BTreeSet::new();
        for seed in 0..60 {
            let (part, classes) = random_crop((&picture, &mask), (4, 3), &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!((part.width(), part.height()), (3, 4));
            assert_eq!((classes.width(), classes.height()), (3, 4));
            let reds: Vec<u8> = part.pixels().iter().step_by(3).copied().collect();
            assert_eq!(reds, classes.classes());
            places.insert(reds);
        }
        assert_eq!(places.len(), 8, "two places from top to bottom, four from left to right");
        let (whole, _) = random_crop((&picture, &mask), (5, 6), &mut ChaCha8Rng::seed_from_u64(0));
        assert_eq!(whole, picture);
        Ok(())
    }

    #[test]
    fn small_pictures_are_left_out() -> Outcome {
        let set = SegmentationSet::sample()?;
        assert_eq!((set.train.len(), set.validation.len()), (24, 12));
        assert_eq!(set.train.clone().that_fit((90, 100)).len(), 22);
        let draws = || Random::new(1).stream(Purpose::Steps, "crops");
        let cropped = CroppedPictures::new(set.train.clone(), (90, 100), Normalization::IMAGENET, draws())?;
        let (pictures, classes) = cropped.batch(&[0, 7, 21], &Device::Cpu)?;
        assert_eq!((pictures.dims(), classes.dims()), (&[3, 3, 90, 100][..], &[3, 90, 100][..]));
        assert!(classes.max_all()?.to_scalar::<u32>()? > 0);
        let error =
            CroppedPictures::new(set.train, (500, 500), Normalization::IMAGENET, draws()).err().map(|e| e.to_string());
        assert!(error.is_some_and(|error| error.contains("500 x 500") && error.contains("24")));
        Ok(())
    }

    #[test]
    fn what_is_wrong_with_a_set_is_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name);
        for name in ["ImageSets/Segmentation", "JPEGImages", "SegmentationClass"] {
            fs::create_dir_all(place(name))?;
        }
        let error = || SegmentedPictures::read(folder.path(), "train").expect_err("a fault").to_string();
        assert!(error().contains("train.txt"), "{}", error());
        fs::write(place("ImageSets/Segmentation/train.txt"), "\n")?;
        assert!(error().contains("names no pictures"), "{}", error());
        fs::write(place("ImageSets/Segmentation/train.txt"), "a\n")?;
        assert!(error().contains("a.jpg"), "{}", error());
        let sample = hub::sample("voc2012/VOCdevkit/VOC2012")?;
        fs::copy(sample.join("JPEGImages/drawn_0001.jpg"), place("JPEGImages/a.jpg"))?;
        assert!(error().contains("a.png"), "{}", error());
        fs::copy(sample.join("SegmentationClass/drawn_0007.png"), place("SegmentationClass/a.png"))?;
        assert!(error().contains("a.png") && error().contains("90 x 60"), "{}", error());
        fs::write(place("SegmentationClass/a.png"), "text")?;
        assert!(error().contains("a.png"), "{}", error());
        fs::copy(sample.join("JPEGImages/drawn_0001.jpg"), place("SegmentationClass/a.png"))?;
        let set = SegmentedPictures::read(folder.path(), "train")?;
        let error = set.pair(0).expect_err("a photograph is no mask").to_string();
        assert!(error.contains("a.png") && error.contains("no class"), "{error}");
        Ok(())
    }
}
