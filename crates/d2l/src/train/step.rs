//! What a step, and the end of an epoch, can tell.

use std::time::{Duration, Instant};

use candle_core::{DType, Tensor};

use super::{EpochRecord, History, Point, StepResult, TrainError, count_correct};

/// The sums of an epoch so far, by the metric's name.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Name, sum, weight.
    metrics: Vec<(String, f64, f64)>,
    pub(super) examples: usize,
}

impl Sums {
    fn add(&mut self, name: &str, sum: f64, weight: f64) {
        match self.metrics.iter_mut().find(|(known, ..)| known == name) {
            Some((_, total, weights)) => {
                *total += sum;
                *weights += weight;
            }
            None => self.metrics.push((name.to_string(), sum, weight)),
        }
    }

    pub(super) fn means(&self) -> Vec<(String, f64)> {
        self.metrics.iter().map(|(name, sum, weight)| (name.clone(), sum / weight)).collect()
    }
}

/// One step of a training: tells where it stands and takes its figures.
#[doc(alias = "train_batch_ch13")]
pub struct Step<'a> {
    pub(super) epoch: usize,
    pub(super) number: usize,
    pub(super) steps: usize,
    pub(super) sums: &'a mut Sums,
    pub(super) points: &'a mut Vec<Point>,
    pub(super) started: Instant,
    pub(super) before: f64,
    /// What was measured in this epoch took that long, and is no training.
    pub(super) untimed: &'a mut Duration,
}

/// The name of the loss on the training set.
pub(super) const TRAIN_LOSS: &str = "train_loss";
/// The name of the accuracy on the training set.
pub(super) const TRAIN_ACC: &str = "train_acc";

impl Step<'_> {
    /// The epoch, from 1.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The step within the epoch, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Whether this is the first step of an epoch: where a state that was carried from batch to batch begins anew.
    pub fn begins_epoch(&self) -> bool {
        self.number == 1
    }

    /// How much of the training lies behind this step, in epochs: what a schedule of learning rates asks for.
    pub fn progress(&self) -> f64 {
        (self.epoch - 1) as f64 + (self.number - 1) as f64 / self.steps.max(1) as f64
    }

    /// Takes the step's loss, a single number that is the mean over `examples` of them (tokens, for a text). The
    /// history's `train_loss` is the mean over all examples of an epoch.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where the loss is not finite; where it is not a single number.
    pub fn loss(&mut self, loss: &Tensor, examples: usize) -> StepResult {
        self.count(examples);
        let value = loss.detach().to_dtype(DType::F64)?.to_scalar::<f64>()?;
        self.finite(TRAIN_LOSS, value)?;
        self.sums.add(TRAIN_LOSS, value * examples as f64, examples as f64);
        Ok(())
    }

    /// Takes the losses of the step's examples, one each: [`Step::loss`] before the mean is taken.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where their sum is not finite.
    pub fn losses(&mut self, losses: &Tensor) -> StepResult {
        let examples = losses.elem_count();
        self.count(examples);
        let sum = losses.detach().sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        self.finite(TRAIN_LOSS, sum)?;
        self.sums.add(TRAIN_LOSS, sum, examples as f64);
        Ok(())
    }

    /// Takes the share of right predictions, from `logits` `(batch, classes)` and `labels` `(batch)`. The history's
    /// `train_acc` is the share over all examples of an epoch.
    ///
    /// # Errors
    /// Where the shapes do not fit.
    pub fn accuracy(&mut self, logits: &Tensor, labels: &Tensor) -> StepResult {
        let correct = count_correct(&logits.detach(), labels)?;
        self.sums.add(TRAIN_ACC, correct, labels.elem_count() as f64);
        Ok(())
    }

    /// Takes a figure of any name: `sum` over `weight` of them, so that the history's is the mean over an epoch.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where it is not finite.
    pub fn metric(&mut self, name: &str, sum: f64, weight: f64) -> StepResult {
        self.finite(name, sum)?;
        self.sums.add(name, sum, weight);
        Ok(())
    }

    /// Counts the examples of a step that has no [`Step::loss`], for the speed.
    pub fn count(&mut self, examples: usize) {
        self.sums.examples += examples;
    }

    /// Puts a point on a curve of its own right now, with the seconds of training so far: what section 11.5 draws. The time
    /// that `value` takes is not counted as training.
    ///
    /// # Errors
    /// What `value` gives.
    pub fn measure(&mut self, name: &str, value: impl FnOnce() -> crate::Result<f64>) -> StepResult {
        let epoch = (self.epoch - 1) as f64 + self.number as f64 / self.steps.max(1) as f64;
        let seconds = self.before + self.started.elapsed().saturating_sub(*self.untimed).as_secs_f64();
        let asked = Instant::now();
        let metrics = vec![(name.to_string(), value()?)];
        *self.untimed += asked.elapsed();
        self.points.push(Point { epoch, seconds, metrics });
        Ok(())
    }

    fn finite(&self, name: &str, value: f64) -> Result<(), TrainError> {
        if value.is_finite() {
            return Ok(());
        }
        let what = if name == TRAIN_LOSS { "the loss".to_string() } else { name.to_string() };
        // The trainer adds the learning rate, which it knows from the optimizers that it was told of.
        Err(TrainError::Diverged { what, value, epoch: self.epoch, step: self.number, learning_rate: None })
    }
}

/// The end of an epoch: what its steps came to, and the place for what is evaluated then.
pub struct EpochEnd<'a> {
    pub(super) record: &'a mut EpochRecord,
    pub(super) num_epochs: usize,
    pub(super) is_last: bool,
    pub(super) history: &'a History,
}

impl EpochEnd<'_> {
    /// The epoch, from 1.
    pub fn number(&self) -> usize {
        self.record.epoch
    }

    /// How many epochs the training has; of one of so many steps, the least that it can take.
    pub fn num_epochs(&self) -> usize {
        self.num_epochs
    }

    /// Whether the training ends with this epoch.
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whether this is every so many-th epoch, or the last one.
    pub fn every(&self, epochs: usize) -> bool {
        self.is_last() || self.record.epoch.is_multiple_of(epochs.max(1))
    }

    /// What the epoch's steps came to, by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.record.get(name)
    }

    /// The epochs before this one.
    pub fn history(&self) -> &History {
        self.history
    }

    /// Takes a figure of the epoch, such as `test_acc`.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where it is not finite.
    pub fn metric(&mut self, name: &str, value: f64) -> StepResult {
        if !value.is_finite() {
            let (epoch, step) = (self.record.epoch, self.record.steps);
            return Err(TrainError::Diverged { what: name.to_string(), value, epoch, step, learning_rate: None }.into());
        }
        match self.record.metrics.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.record.metrics.push((name.to_string(), value)),
        }
        Ok(())
    }
}
