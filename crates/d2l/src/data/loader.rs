//! Minibatches.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;

use super::DataError;
use crate::Result;
use crate::random::Stream;
use crate::text::{SequenceBatch, SequenceLoader};

/// Examples that can be gathered into a minibatch (section 3.3).
pub trait Dataset {
    /// What a minibatch is: features with labels, pairs of sentences with their lengths, images with boxes.
    type Batch;

    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples at these positions, on `device`.
    ///
    /// # Errors
    /// What the device gives, or reading the examples.
    fn batch(&self, indices: &[usize], device: &Device) -> Result<Self::Batch>;
}

/// What a training goes through at each epoch: a [`Loader`], or anything else that gives minibatches.
pub trait Batches {
    /// What one step works on.
    type Batch;

    /// How many there are in an epoch, at most.
    fn batches(&self) -> usize;

    /// Starts an epoch.
    fn epoch(&mut self) -> impl Iterator<Item = Result<Self::Batch>>;
}

/// The same step so many times an epoch, for what has no data: a function to minimize, an image to paint.
#[derive(Debug, Clone, Copy)]
pub struct Repeat(pub usize);

impl Batches for Repeat {
    type Batch = ();

    fn batches(&self) -> usize {
        self.0
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<()>> {
        std::iter::repeat_n((), self.0).map(Ok)
    }
}

/// Minibatches from a function that starts an epoch, such as a section's own `data_iter`.
pub struct FromFn<F> {
    batches: usize,
    epoch: F,
}

/// Minibatches from a function that starts an epoch and gives at most `batches` of them.
pub fn from_fn<F>(batches: usize, epoch: F) -> FromFn<F> {
    FromFn { batches, epoch }
}

impl<B, I: Iterator<Item = Result<B>>, F: FnMut() -> Result<I>> Batches for FromFn<F> {
    type Batch = B;

    fn batches(&self) -> usize {
        self.batches
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<B>> {
        let (batches, error) = match (self.epoch)() {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        error.into_iter().chain(batches.into_iter().flatten())
    }
}

/// Serves a dataset in minibatches, in a new random order each epoch where it has a stream for it (section 3.3).
///
/// The last minibatch of an epoch is smaller where the batch size does not divide the number of examples.
pub struct Loader<D> {
    dataset: Arc<D>,
    batch_size: usize,
    shuffle: Option<Stream>,
    device: Device,
    drop_last: bool,
}

impl<D: Dataset> Loader<D> {
    /// A loader in the dataset's own order.
    ///
    /// # Errors
    /// Where the batch size is zero or the dataset is empty.
    pub fn new(dataset: impl Into<Arc<D>>, batch_size: usize, device: &Device) -> Result<Self, DataError> {
        let dataset = dataset.into();
        if batch_size == 0 {
            return Err(DataError::invalid("the batch size must be at least 1"));
        }
        if dataset.is_empty() {
            return Err(DataError::invalid("the dataset has no examples"));
        }
        Ok(Self { dataset, batch_size, shuffle: None, device: device.clone(), drop_last: false })
    }

    /// The same loader in a new random order each epoch.
    pub fn shuffled(mut self, stream: Stream) -> Self {
        self.shuffle = Some(stream);
        self
    }

    /// The same loader without the last minibatch of an epoch where that would be smaller than the others.
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// The same minibatches, each made by another thread while the one before it is worked on: for datasets that take
    /// time to read or to augment.
    pub fn prefetched(self) -> Prefetched<D>
    where
        D: Send + Sync + 'static,
        D::Batch: Send + 'static,
    {
        Prefetched(self)
    }

    /// The examples behind the loader.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many examples there are.
    pub fn examples(&self) -> usize {
        self.dataset.len()
    }

    /// Starts an epoch: each example once.
    pub fn epoch(&mut self) -> Epoch<'_, D> {
        let order = self.order();
        Epoch { loader: self, order, next: 0 }
    }

    /// How many minibatches an epoch has.
    pub fn batches(&self) -> usize {
        if self.drop_last { self.examples() / self.batch_size } else { self.examples().div_ceil(self.batch_size) }
    }

    fn order(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.dataset.len()).collect();
        if let Some(stream) = &mut self.shuffle {
            stream.with(|generator| order.shuffle(generator));
        }
        if self.drop_last {
            order.truncate(self.batches() * self.batch_size);
        }
        order
    }
}

impl<D: Dataset> Batches for Loader<D> {
    type Batch = D::Batch;

    fn batches(&self) -> usize {
        Loader::batches(self)
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<D::Batch>> {
        Loader::epoch(self)
    }
}

/// One pass over a dataset, from [`Loader::epoch`].
pub struct Epoch<'a, D> {
    loader: &'a Loader<D>,
    order: Vec<usize>,
    next: usize,
}

impl<D: Dataset> Iterator for Epoch<'_, D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let range: Range<usize> = self.next..(self.next + self.loader.batch_size).min(self.order.len());
        self.next = range.end;
        (!range.is_empty()).then(|| self.loader.dataset.batch(&self.order[range], &self.loader.device))
    }
}

/// A loader whose minibatches another thread makes ahead, from [`Loader::prefetched`].
pub struct Prefetched<D>(Loader<D>);

impl<D> Prefetched<D> {
    /// The loader itself.
    pub fn loader(&self) -> &Loader<D> {
        &self.0
    }
}

/// How many minibatches wait to be worked on.
const AHEAD: usize = 2;

impl<D: Dataset<Batch: Send + 'static> + Send + Sync + 'static> Batches for Prefetched<D> {
    type Batch = D::Batch;

    fn batches(&self) -> usize {
        self.0.batches()
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<D::Batch>> {
        let (order, size) = (self.0.order(), self.0.batch_size);
        let (dataset, device) = (self.0.dataset.clone(), self.0.device.clone());
        let (sender, receiver) = sync_channel(AHEAD);
        // Ends when the epoch is through, or at the next minibatch after the iterator is dropped.
        thread::spawn(move || {
            let mut batches = order.chunks(size).map(|indices| dataset.batch(indices, &device));
            while batches.next().is_some_and(|batch| sender.send(batch).is_ok()) {}
        });
        receiver.into_iter()
    }
}

/// Token ids and, one place further, the ids to predict.
impl Batches for SequenceLoader {
    type Batch = SequenceBatch;

    fn batches(&self) -> usize {
        SequenceLoader::batches(self)
    }

    fn epoch(&mut self) -> impl Iterator<Item = Result<SequenceBatch>> {
        SequenceLoader::epoch(self)
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
    pub fn new(features: &Tensor, labels: &Tensor) -> Result<Self, DataError> {
        let rows = |t: &Tensor| t.dims().first().copied().unwrap_or(0);
        if rows(features) != rows(labels) {
            let message = format!("{} rows of features but {} labels", rows(features), rows(labels));
            return Err(DataError::Invalid(message));
        }
        Ok(Self { features: features.contiguous()?, labels: labels.contiguous()? })
    }
}

/// Minibatches are features `(batch, …)` and labels `(batch, …)`.
impl Dataset for Arrays {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.features.dims().first().copied().unwrap_or(0)
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
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
    pub fn from_tensors(features: &Tensor, labels: &Tensor, batch_size: usize) -> Result<Self, DataError> {
        Self::new(Arrays::new(features, labels)?, batch_size, features.device())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn loader(n: u32, batch_size: usize) -> Result<ArrayLoader, DataError> {
        let labels = Tensor::arange(0, n, &Device::Cpu)?;
        let features = labels.to_dtype(candle_core::DType::F32)?.reshape((n as usize, 1))?;
        ArrayLoader::from_tensors(&features, &labels, batch_size)
    }

    fn labels(loader: &mut impl Batches<Batch = (Tensor, Tensor)>) -> Result<Vec<Vec<u32>>> {
        loader.epoch().map(|batch| batch?.1.to_vec1()).collect()
    }

    #[test]
    fn an_epoch_has_each_example_once_and_a_smaller_last_batch() -> Outcome {
        let mut loader = loader(10, 4)?;
        assert_eq!(labels(&mut loader)?, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
        assert_eq!((loader.batches(), loader.examples()), (3, 10));
        let mut loader = loader.drop_last();
        assert_eq!(labels(&mut loader)?, [[0, 1, 2, 3], [4, 5, 6, 7]]);
        assert_eq!(loader.batches(), 2);
        Ok(())
    }

    #[test]
    fn shuffling_keeps_pairs_together_and_follows_the_epoch() -> Outcome {
        let random = Random::new(1);
        let mut loader = loader(100, 7)?.shuffled(random.stream(Purpose::Shuffling, "test"));
        for batch in loader.epoch() {
            let (x, y) = batch?;
            let x: Vec<u32> = x.flatten_all()?.to_vec1::<f32>()?.iter().map(|&x| x as u32).collect();
            assert_eq!(x, y.to_vec1::<u32>()?);
        }
        let mut order = |epoch| {
            random.begin_epoch(epoch);
            labels(&mut loader).map(|labels| labels.concat())
        };
        let (first, second) = (order(1)?, order(2)?);
        assert_ne!(first, second);
        assert_eq!(order(1)?, first);
        let mut sorted = second;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        Ok(())
    }

    #[test]
    fn minibatches_made_ahead_are_the_same_and_may_be_left() -> Outcome {
        let make = || Ok::<_, DataError>(loader(50, 4)?.shuffled(Random::new(1).stream(Purpose::Shuffling, "test")));
        let (mut plain, mut ahead) = (make()?, make()?.prefetched());
        assert_eq!(labels(&mut plain)?, labels(&mut ahead)?);
        assert!(ahead.epoch().next().is_some());
        assert_eq!(labels(&mut ahead)?.concat().len(), 50);
        Ok(())
    }

    #[test]
    fn functions_and_repetitions_are_batches_too() -> Outcome {
        let mut counted = from_fn(3, || Ok((0..3).map(Ok)));
        assert_eq!(counted.epoch().collect::<Result<Vec<i32>>>()?, [0, 1, 2]);
        let mut failing = from_fn(3, || -> Result<std::iter::Empty<Result<i32>>> { candle_core::bail!("no data") });
        assert!(failing.epoch().next().is_some_and(|batch| batch.is_err()));
        assert_eq!(Repeat(4).epoch().count(), 4);
        Ok(())
    }

    #[test]
    fn impossible_loaders_are_errors() {
        assert!(loader(3, 0).err().is_some_and(|e| e.to_string().contains("batch size")));
        assert!(loader(0, 2).err().is_some_and(|e| e.to_string().contains("no examples")));
    }
}
