//! Pictures with one thing each to find, in the layout of the book's bananas (section 13.6).

use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::prelude::*;
use rayon::prelude::*;
use serde::Deserialize;

use crate::anchors::GroundTruth;
use crate::labeled_pictures::Normalization;
use crate::picture::Picture;
use crate::sections::bounding_box::Corners;

/// Pictures of one size with what is on them, one thing or several.
#[derive(Debug, Clone)]
#[doc(alias = "BananasDataset")]
pub struct BoxedPictures {
    pictures: Vec<Picture>,
    truths: Vec<Vec<GroundTruth>>,
}

/// A line of the list of a part's pictures: corners in pixels.
#[derive(Debug, Deserialize)]
struct Line {
    img_name: String,
    label: u32,
    xmin: f32,
    ymin: f32,
    xmax: f32,
    ymax: f32,
}

impl BoxedPictures {
    /// Reads `label.csv` of a folder and the pictures in its folder `images`, with things of so many classes. A picture may
    /// have several lines.
    ///
    /// # Errors
    /// Where a line is no picture with a box inside it, the pictures have several sizes, or one is missing or damaged; the
    /// error names the file and the line.
    #[doc(alias = "read_data_bananas")]
    pub fn read(folder: &Path, classes: u32) -> Result<Self, DataError> {
        let path = folder.join("label.csv");
        let at_fault =
            |line: usize, what: String| DataError::invalid(format!("{}, line {line}: {what}", path.display()));
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&path).map_err(DataError::other)?;
        let lines = table.deserialize().enumerate();
        let lines = lines.map(|(row, line)| line.map_err(|error| at_fault(row + 2, error.to_string())));
        let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
        let mut names: Vec<(&str, usize)> = Vec::new();
        for (row, line) in lines.iter().enumerate() {
            if Path::new(&line.img_name).components().count() != 1 {
                return Err(at_fault(row + 2, format!("`{}` is no file's plain name", line.img_name)));
            }
            if names.last().is_none_or(|(last, _)| *last != line.img_name) {
                names.push((&line.img_name, row + 2));
            }
        }
        let images = folder.join("images");
        let open = |&(name, line): &(&str, usize)| {
            Picture::open(&images.join(name)).map_err(|error| at_fault(line, error.to_string()))
        };
        let pictures = names.par_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = pictures.first() else { return Err(at_fault(2, "there are no pictures".to_string())) };
        let (width, height) = (first.width(), first.height());
        for (picture, (name, line)) in pictures.iter().zip(&names) {
            if (picture.width(), picture.height()) != (width, height) {
                let size = format!("{} x {}", picture.width(), picture.height());
                return Err(at_fault(*line, format!("{name} has {size} pixels, the first picture {width} x {height}")));
            }
        }
        let (width, height) = (width as f32, height as f32);
        let mut truths: Vec<Vec<GroundTruth>> = Vec::new();
        let mut last = None;
        for (row, line) in lines.iter().enumerate() {
            let corners = Corners::new(line.xmin, line.ymin, line.xmax, line.ymax);
            let is_inside = 0.0 <= line.xmin && line.xmax <= width && 0.0 <= line.ymin && line.ymax <= height;
            if !is_inside || line.xmin >= line.xmax || line.ymin >= line.ymax {
                let corners = corners.to_array();
                return Err(at_fault(row + 2, format!("{corners:?} is no box inside {width} x {height} pixels")));
            }
            if line.label >= classes {
                return Err(at_fault(
                    row + 2,
                    format!("the class {}, of which there are 0 to {}", line.label, classes - 1),
                ));
            }
            let truth = GroundTruth { class: line.label, corners: corners.scaled(1.0 / width, 1.0 / height) };
            if last == Some(&line.img_name) {
                truths.last_mut().into_iter().for_each(|truths| truths.push(truth));
            } else {
                truths.push(vec![truth]);
            }
            last = Some(&line.img_name);
        }
        Ok(Self { pictures, truths })
    }

    /// The first `count` pictures at most.
    pub fn first(mut self, count: usize) -> Self {
        self.pictures.truncate(count);
        self.truths.truncate(count);
        self
    }

    /// The pictures with sides of so many pixels; boxes are shares of them and stay.
    ///
    /// # Errors
    /// Where the side makes no sense.
    pub fn resized(self, side: usize) -> Result<Self> {
        let pictures = self.pictures.par_iter().map(|picture| picture.resized(side, side)).collect::<Result<_>>()?;
        Ok(Self { pictures, ..self })
    }

    /// A picture.
    pub fn picture(&self, index: usize) -> &Picture {
        &self.pictures[index]
    }

    /// What is on each picture.
    pub fn truths(&self) -> &[Vec<GroundTruth>] {
        &self.truths
    }
}

/// Pictures `(batch, 3, height, width)` from 0 to 1, and what is on each.
impl Dataset for BoxedPictures {
    type Batch = (Tensor, Vec<Vec<GroundTruth>>);

    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<Self::Batch> {
        let (width, height) = (self.pictures[0].width(), self.pictures[0].height());
        let mut values = vec![0f32; indices.len() * 3 * height * width];
        let planes = values.par_chunks_exact_mut(3 * height * width);
        planes.zip(indices).for_each(|(planes, &index)| Normalization::UNIT.write(&self.pictures[index], planes));
        let pictures = Tensor::from_vec(values, (indices.len(), 3, height, width), device)?;
        Ok((pictures, indices.iter().map(|&index| self.truths[index].clone()).collect()))
    }
}

/// The book's bananas, or what stands in for them.
#[derive(Debug, Clone)]
pub struct DetectionSet {
    /// Trained on.
    pub train: BoxedPictures,
    /// Looked at after training.
    pub validation: BoxedPictures,
    /// What is to be found.
    pub name: &'static str,
    /// The size of the smallest anchors that suit it, as a share of the picture's height.
    pub smallest: f32,
    stands_in: bool,
}

impl DetectionSet {
    fn read_bananas(folder: &Path) -> Result<Self, DataError> {
        let part = |name: &str| BoxedPictures::read(&folder.join(name), 1);
        let (train, validation) = (part("bananas_train")?, part("bananas_val")?);
        Ok(Self { train, validation, name: "banana", smallest: 0.2, stands_in: false })
    }

    /// The set of the book's first edition, whose things are half as large.
    fn read_pikachus(folder: &Path) -> Result<Self, DataError> {
        let part = |name: &str| BoxedPictures::read(&folder.join(name), 1);
        let (train, validation) = (part("pikachu_train")?, part("pikachu_val")?);
        Ok(Self { train, validation, name: "Pikachu", smallest: 0.1, stands_in: true })
    }

    /// Loaders of the shuffled training pictures and of the validation pictures in their order.
    ///
    /// # Errors
    /// Where the batch size is zero.
    #[doc(alias = "load_data_bananas")]
    pub fn loaders(
        self,
        batch_size: usize,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(Loader<BoxedPictures>, Loader<BoxedPictures>), DataError> {
        let train = Loader::new(self.train, batch_size, device)?.shuffled(shuffle);
        Ok((train, Loader::new(self.validation, batch_size, device)?))
    }
}

impl Source for DetectionSet {
    const SAMPLE_NOTICE: &'static str = "the pictures of bananas could not be had, so this run uses 48 drawn ones that come \
         with the repository; its results say little of photographs.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch_extracted("banana-detection") {
            Ok(folder) => Self::read_bananas(&folder),
            // The error of the book's set says more.
            Err(error) => Self::read_pikachus(&hub.folder("detection_pikachu").map_err(|_| error)?),
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stands_in.then_some(
            "the book's pictures of bananas could not be had: half of the set of its first edition is used, made in the \
             same way from a figure of Pikachu, 500 pictures to train on and 100 to look at.",
        )
    }

    /// Pictures that `scripts/make_vision_samples.py` draws.
    fn sample() -> Result<Self, DataError> {
        Self::read_bananas(&hub::sample("detection")?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn the_sample_has_a_box_a_picture() -> Outcome {
        let set = DetectionSet::sample()?;
        assert!(set.train.truths().iter().all(|truths| truths.len() == 1));
        let (pictures, truths) = set.validation.batch(&[3, 1], &Device::Cpu)?;
        assert_eq!((pictures.dims(), truths.len()), (&[2, 3, 256, 256][..], 2));
        assert_eq!(truths[0], set.validation.truths()[3]);
        Ok(())
    }

    #[test]
    fn faults_of_a_list_are_named_with_their_line() -> Outcome {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("images"))?;
        let picture = hub::sample("detection/bananas_val/images/0.jpg")?;
        fs::copy(picture, folder.path().join("images/0.jpg"))?;
        fs::write(folder.path().join("images/1.jpg"), "text")?;
        let good = "0.jpg,0,104,20,143,58\n";
        let cases = [
            ("0.jpg,0,143,20,104,58\n", "line 3", "no box inside"),
            ("0.jpg,0,104,20,143,257\n", "line 3", "no box inside"),
            ("0.jpg,0,104,20,143\n", "line 3", ""),
            ("0.jpg,0,104,x,143,58\n", "line 3", ""),
            ("9.jpg,0,104,20,143,58\n", "line 3", "9.jpg"),
            ("1.jpg,0,104,20,143,58\n", "line 3", "1.jpg"),
            ("../1.jpg,0,104,20,143,58\n", "line 3", "plain name"),
            ("0.jpg,-1,104,20,143,58\n", "line 3", ""),
            ("0.jpg,1,104,20,143,58\n", "line 3", "the class 1"),
        ];
        let header = "img_name,label,xmin,ymin,xmax,ymax\n";
        for (line, place, what) in cases {
            fs::write(folder.path().join("label.csv"), format!("{header}{good}{line}"))?;
            let error = BoxedPictures::read(folder.path(), 1).expect_err(line).to_string();
            assert!(error.contains("label.csv") && error.contains(place) && error.contains(what), "{line}: {error}");
        }
        fs::write(folder.path().join("label.csv"), format!("{header}{good}{good}"))?;
        assert_eq!(BoxedPictures::read(folder.path(), 1)?.truths()[0].len(), 2);
        fs::write(folder.path().join("label.csv"), header)?;
        assert!(BoxedPictures::read(folder.path(), 1).is_err());
        Ok(())
    }
}
