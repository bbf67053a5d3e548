//! Minibatches.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;

use crate::random::Stream;

/// Examples that can be gathered into a minibatch of features and labels (section 3.3).
pub trait Dataset {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples at these positions: features `(indices, …)` and labels `(indices, …)`.
    fn batch(&self, indices: &[usize], device: &Device) -> candle_core::Result<(Tensor, Tensor)>;
}

/// Serves a dataset in minibatches, in a new random order each epoch where it has a stream for it (section 3.3).
///
/// The last minibatch of an epoch is smaller where the batch size does not divide the number of examples.
pub struct Loader<D> {
    dataset: Arc<D>,
    batch_size: usize,
    shuffle: Option<Stream>,
    device: Device,
}

impl<D: Dataset> Loader<D> {
    /// A loader in the dataset's own order.
    ///
    /// # Errors
    /// Where the batch size is zero or the dataset is empty.
    pub fn new(dataset: impl Into<Arc<D>>, batch_size: usize, device: &Device) -> Result<Self> {
        let dataset = dataset.into();
        ensure!(batch_size > 0, "the batch size must be at least 1");
        ensure!(!dataset.is_empty(), "the dataset has no examples");
        Ok(Self { dataset, batch_size, shuffle: None, device: device.clone() })
    }

    /// The same loader in a new random order each epoch.
    pub fn shuffled(mut self, stream: Stream) -> Self {
        self.shuffle = Some(stream);
        self
    }

    /// The examples behind the loader.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many examples an epoch has.
    pub fn examples(&self) -> usize {
        self.dataset.len()
    }

    /// How many minibatches an epoch has.
    pub fn batches(&self) -> usize {
        self.examples().div_ceil(self.batch_size)
    }

    /// Starts an epoch: each example once, in minibatches of features and labels.
    pub fn epoch(&mut self) -> Epoch<'_, D> {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        if let Some(stream) = &mut self.shuffle {
            order.shuffle(stream);
        }
        Epoch { loader: self, order, next: 0 }
    }
}

/// One pass over a dataset, from [`Loader::epoch`].
pub struct Epoch<'a, D> {
    loader: &'a Loader<D>,
    order: Vec<usize>,
    next: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = candle_core::Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let range: Range<usize> = self.next..(self.next + self.loader.batch_size).min(self.order.len());
        self.next = range.end;
        (!range.is_empty()).then(|| self.loader.dataset.batch(&self.order[range], &self.loader.device))
    }
}

/// Features and labels held as two tensors with one example a row (section 3.3).
#[derive(Debug, Clone)]
pub struct Arrays {
    features: Tensor,
    labels: Tensor,
}

impl Arrays {
    /// Pairs features `(n, …)` with labels `(n, …)`.
    ///
    /// # Errors
    /// Where the numbers of rows differ.
    pub fn new(features: &Tensor, labels: &Tensor) -> Result<Self> {
        let rows = |t: &Tensor| t.dims().first().copied().unwrap_or(0);
        ensure!(rows(features) == rows(labels), "{} rows of features but {} labels", rows(features), rows(labels));
        Ok(Self { features: features.contiguous()?, labels: labels.contiguous()? })
    }
}

impl Dataset for Arrays {
    fn len(&self) -> usize {
        self.features.dims().first().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize], device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        let indices = Tensor::new(indices, self.features.device())?;
        let select = |t: &Tensor| t.index_select(&indices, 0)?.to_device(device);
        Ok((select(&self.features)?, select(&self.labels)?))
    }
}

/// A loader over two tensors (section 3.3).
#[doc(alias = "load_array")]
pub type ArrayLoader = Loader<Arrays>;

impl ArrayLoader {
    /// A loader over features `(n, …)` and labels `(n, …)` on the features' device, in their order; see
    /// [`Loader::shuffled`] for training.
    ///
    /// # Errors
    /// Where the numbers of rows differ, there are none, or the batch size is zero.
    pub fn from_tensors(features: &Tensor, labels: &Tensor, batch_size: usize) -> Result<Self> {
        Self::new(Arrays::new(features, labels)?, batch_size, features.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    fn loader(n: u32, batch_size: usize) -> Result<ArrayLoader> {
        let labels = Tensor::arange(0, n, &Device::Cpu)?;
        let features = labels.to_dtype(candle_core::DType::F32)?.reshape((n as usize, 1))?;
        ArrayLoader::from_tensors(&features, &labels, batch_size)
    }

    fn labels(loader: &mut ArrayLoader) -> Result<Vec<Vec<u32>>> {
        loader.epoch().map(|batch| Ok(batch?.1.to_vec1()?)).collect()
    }

    #[test]
    fn an_epoch_has_each_example_once_and_a_smaller_last_batch() -> Result<()> {
        let mut loader = loader(10, 4)?;
        assert_eq!(labels(&mut loader)?, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
        assert_eq!((loader.batches(), loader.examples()), (3, 10));
        Ok(())
    }

    #[test]
    fn shuffling_keeps_pairs_together_and_differs_by_epoch() -> Result<()> {
        let mut loader = loader(100, 7)?.shuffled(Random::new(1).fork(Purpose::Shuffling));
        for batch in loader.epoch() {
            let (x, y) = batch?;
            let x: Vec<u32> = x.flatten_all()?.to_vec1::<f32>()?.iter().map(|&x| x as u32).collect();
            assert_eq!(x, y.to_vec1::<u32>()?);
        }
        let (first, second) = (labels(&mut loader)?.concat(), labels(&mut loader)?.concat());
        assert_ne!(first, second);
        let mut sorted = second;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        Ok(())
    }

    #[test]
    fn impossible_loaders_are_errors() {
        assert!(loader(3, 0).err().is_some_and(|e| e.to_string().contains("batch size")));
        assert!(loader(0, 2).err().is_some_and(|e| e.to_string().contains("no examples")));
    }
}
