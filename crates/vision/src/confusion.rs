//! Which classes are taken for which, pixel by pixel (section 13.11).

use candle_core::bail;
use d2l::prelude::*;

/// For each true class (row) and each that was said (column), how many pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Of so many classes, with nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts pixels: what was said and the truth, both of `u32` and of one shape.
    ///
    /// # Errors
    /// Where the shapes differ, or a class is not below their number.
    pub fn add(&mut self, said: &Tensor, truth: &Tensor) -> Result<()> {
        if said.dims() != truth.dims() {
            bail!("{:?} predicted classes, but {:?} true ones", said.dims(), truth.dims());
        }
        let (said, truth) = (said.flatten_all()?.to_vec1::<u32>()?, truth.flatten_all()?.to_vec1::<u32>()?);
        for (&said, &truth) in said.iter().zip(&truth) {
            let (said, truth) = (said as usize, truth as usize);
            if said.max(truth) >= self.classes {
                bail!("class {} of {}", said.max(truth), self.classes);
            }
            self.counts[truth * self.classes + said] += 1;
        }
        Ok(())
    }

    fn right(&self, class: usize) -> u64 {
        self.counts[class * self.classes + class]
    }

    fn row(&self, class: usize) -> u64 {
        self.counts[class * self.classes..][..self.classes].iter().sum()
    }

    fn column(&self, class: usize) -> u64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }

    /// The share of pixels whose class was said rightly.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.right(class)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// The share of pixels that are of a class in truth.
    pub fn share_of(&self, class: usize) -> f64 {
        self.row(class) as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Intersection over union: of the pixels that are of a class or were said to be, the share that are both. None where
    /// there are none.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let either = self.row(class) + self.column(class) - self.right(class);
        (either > 0).then(|| self.right(class) as f64 / either as f64)
    }

    /// The mean of [`Confusion::iou`] over the classes that are there or were said to be.
    pub fn mean_iou(&self) -> f64 {
        let ious: Vec<f64> = (0..self.classes).filter_map(|class| self.iou(class)).collect();
        ious.iter().sum::<f64>() / ious.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares() -> Result<()> {
        let mut confusion = Confusion::new(4);
        let said = Tensor::new(&[[0u32, 0, 1], [1, 1, 2]], &Device::Cpu)?;
        let truth = Tensor::new(&[[0u32, 0, 0], [1, 1, 1]], &Device::Cpu)?;
        confusion.add(&said, &truth)?;
        assert!((confusion.accuracy() - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(confusion.iou(0), Some(2.0 / 3.0));
        assert_eq!(confusion.iou(1), Some(2.0 / 4.0));
        assert_eq!((confusion.iou(2), confusion.iou(3)), (Some(0.0), None));
        assert!((confusion.mean_iou() - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(confusion.share_of(1), 0.5);
        assert!(confusion.add(&said, &truth.flatten_all()?).is_err());
        assert!(confusion.add(&(truth * 4.0)?, &said).is_err());
        Ok(())
    }
}
