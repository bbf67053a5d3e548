//! What a training loop tells while it runs.

use std::time::Duration;

/// Listens to a training loop. The notebook shows a progress bar; `()` listens to nothing.
pub trait Monitor {
    /// Training starts.
    fn start(&mut self, epochs: usize, batches: usize) {
        let _ = (epochs, batches);
    }

    /// A minibatch is done; the figures are those of the epoch so far.
    fn batch(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// An epoch is done, its evaluation included.
    fn epoch(&mut self, epoch: &EpochSummary) {
        let _ = epoch;
    }

    /// Training ends, for whatever reason.
    fn finish(&mut self) {}

    /// Whether training should stop, the epoch that is under way lost.
    fn interrupted(&self) -> bool {
        false
    }
}

impl Monitor for () {}

/// Where an epoch stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The minibatch within the epoch, from 1.
    pub batch: usize,
    /// Mean loss an example so far.
    pub loss: f64,
    /// Share of correct predictions so far, where the task has one.
    pub accuracy: Option<f64>,
    /// Examples a second so far, training alone.
    pub examples_per_second: f64,
}

/// What an epoch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochSummary {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean training loss an example.
    pub train_loss: f64,
    /// Share of correct predictions on the training set, where the task has one.
    pub train_accuracy: Option<f64>,
    /// Share of correct predictions on the test set, where it was evaluated.
    pub test_accuracy: Option<f64>,
    /// How many examples were trained on.
    pub examples: usize,
    /// How long training took, evaluation left out.
    pub duration: Duration,
}

impl EpochSummary {
    /// Examples trained on a second.
    pub fn examples_per_second(&self) -> f64 {
        self.examples as f64 / self.duration.as_secs_f64()
    }
}

/// The figures of a whole training (section 3.6).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// One entry an epoch.
    pub epochs: Vec<EpochSummary>,
}

impl History {
    /// Mean training loss, by epoch.
    pub fn train_loss(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.train_loss).collect()
    }

    /// Training accuracy, by epoch.
    pub fn train_accuracy(&self) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.train_accuracy).collect()
    }

    /// Test accuracy, by epoch.
    pub fn test_accuracy(&self) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.test_accuracy).collect()
    }

    /// Examples trained on a second, over all epochs.
    pub fn examples_per_second(&self) -> f64 {
        let seconds: Duration = self.epochs.iter().map(|epoch| epoch.duration).sum();
        self.epochs.iter().map(|epoch| epoch.examples).sum::<usize>() as f64 / seconds.as_secs_f64()
    }
}
