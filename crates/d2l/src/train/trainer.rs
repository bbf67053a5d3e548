//! The loop over epochs that all trainings share.

use std::time::{Duration, Instant};

use candle_core::{DType, Tensor, Var};

use super::interrupt::GoingOn;
use super::keeping::{Keeping, Share};
use super::step::{Sums, TRAIN_LOSS};
use super::{
    BoxError, Checkpoints, EpochEnd, EpochRecord, History, Kept, Monitor, Outline, Point, Progress, Step, StepResult,
    TrainError, Trained, Unit,
};
use crate::Result;
use crate::data::Batches;
use crate::random::Random;

type Evaluation<'a> = Box<dyn FnMut(&mut EpochEnd<'_>) -> StepResult + 'a>;

/// The learning rate of an epoch, counted from 0.
type Schedule<'a> = Box<dyn Fn(usize) -> f64 + 'a>;

/// Runs a training: its epochs, their history, progress, Ctrl-C, divergence, checkpoints (section 3.6).
///
/// It is told what it trains with [`Trainer::with`], what to evaluate with [`Trainer::each_epoch`], and what a step is
/// with [`Trainer::run`]. See the [module](super) for an example.
pub struct Trainer<'a> {
    /// Of a training of so many steps, the least that it can take.
    num_epochs: usize,
    max_steps: Option<usize>,
    name: String,
    unit: Unit,
    perplexity: bool,
    random: Option<Random>,
    kept: Kept,
    monitor: Box<dyn Monitor + 'a>,
    checkpoints: Option<Keeping<'a>>,
    evaluations: Vec<Evaluation<'a>>,
    schedule: Option<Schedule<'a>>,
}

/// How many points of its curves a history has for each epoch.
const POINTS: usize = 5;

impl<'a> Trainer<'a> {
    /// A training of so many epochs.
    pub fn new(num_epochs: usize) -> Self {
        Self {
            num_epochs,
            max_steps: None,
            name: "training".to_string(),
            unit: Unit::Examples,
            perplexity: false,
            random: None,
            kept: Kept::default(),
            monitor: Box::new(()),
            checkpoints: None,
            evaluations: Vec::new(),
            schedule: None,
        }
    }

    /// A training of so many steps, however many epochs that takes (section 14.10).
    pub fn steps(num_steps: usize) -> Self {
        Self { max_steps: Some(num_steps), ..Self::new(usize::MAX) }
    }

    /// Names this training among those of a program: its checkpoint's file is called after it.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The training's name; `training` unless [`Trainer::named`] gave one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells of parameters, an optimizer or variables that the training changes: they are kept in checkpoints, and
    /// watched for values that are not finite.
    pub fn with(mut self, trained: &(impl Trained + ?Sized)) -> Self {
        let prefix = self.kept.variables.len().to_string();
        self.kept.add(&prefix, trained.kept());
        self
    }

    /// The random numbers whose streams (the order of examples, dropout) begin anew at each epoch.
    pub fn random(mut self, random: &Random) -> Self {
        self.random = Some(random.clone());
        self
    }

    /// Who is told how the training goes.
    pub fn monitor(mut self, monitor: impl Monitor + 'a) -> Self {
        self.monitor = Box::new(monitor);
        self
    }

    /// Where the training is kept after each epoch, and resumed from.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints.get_or_insert_default().checkpoints = Some(checkpoints);
        self
    }

    /// Keeps checkpoints on rank 0 alone, and shares what it reads with the other ranks.
    pub(crate) fn share(mut self, ranks: impl Share + 'a) -> Self {
        self.checkpoints.get_or_insert_default().share = Some(Box::new(ranks));
        self
    }

    /// Counts the speed in tokens, for trainings on texts.
    pub fn tokens(mut self) -> Self {
        self.unit = Unit::Tokens;
        self
    }

    /// Adds the metric `perplexity`, the exponential of `train_loss` (section 8.4).
    pub fn perplexity(mut self) -> Self {
        self.perplexity = true;
        self
    }

    /// Calls `evaluate` at the end of each epoch, the time for it not being counted as training: for figures on another
    /// set, and for what is to be shown of the model as it is then.
    pub fn each_epoch(mut self, evaluate: impl FnMut(&mut EpochEnd<'_>) -> StepResult + 'a) -> Self {
        self.evaluations.push(Box::new(evaluate));
        self
    }

    /// Before each epoch, sets the learning rate of every optimizer that the trainer was told of, by the epoch's number from
    /// 0 (section 11.11); [`optim::schedule`](crate::optim::schedule) has the usual ones.
    ///
    /// ```
    /// # use d2l::{optim::schedule, train::Trainer};
    /// let trainer = Trainer::new(30).schedule(|epoch| schedule::multi_step(0.5, epoch, &[15, 30], 0.5));
    /// ```
    #[doc(alias = "lr_scheduler")]
    pub fn schedule(mut self, learning_rate: impl Fn(usize) -> f64 + 'a) -> Self {
        self.schedule = Some(Box::new(learning_rate));
        self
    }

    /// Trains: calls `step` for each minibatch of each epoch. Where an earlier run was broken off and the checkpoints are
    /// to be resumed from, goes on after the last epoch that was kept, with the numbers that would have come then.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where the loss, or a parameter, is no longer finite; [`TrainError::Interrupted`] where the
    /// monitor asks to stop, with the epochs until then; where a checkpoint cannot be written or used; what `batches`,
    /// `step` and the evaluations give.
    #[doc(alias = "train_ch3")]
    #[doc(alias = "train_epoch_ch3")]
    #[doc(alias = "train_ch6")]
    #[doc(alias = "train_ch8")]
    pub fn run<B: Batches>(
        mut self,
        batches: &mut B,
        mut step: impl FnMut(&mut Step<'_>, B::Batch) -> StepResult,
    ) -> Result<History, TrainError> {
        let asked = self.max_steps.unwrap_or(self.num_epochs);
        if asked == 0 {
            return Err(TrainError::Setup("a training needs at least one epoch (--num-epochs) or step".to_string()));
        }
        if self.schedule.is_some() && self.kept.optimizers.is_empty() {
            let message = "a schedule has no optimizer to set: tell the trainer of one by `Trainer::with`";
            return Err(TrainError::Setup(message.to_string()));
        }
        let steps = batches.batches();
        if steps == 0 {
            return Err(TrainError::Setup("there are no minibatches to train on".to_string()));
        }
        if let Some(max_steps) = self.max_steps {
            self.num_epochs = max_steps.div_ceil(steps);
        }
        let outline = Outline { name: self.name.clone(), epochs: self.num_epochs, steps, unit: self.unit };
        let mut history = History { unit: self.unit, ..History::default() };
        if let Some(checkpoints) = &self.checkpoints
            && let Some(kept) = checkpoints.begin(&self.name, self.num_epochs, &self.kept)?
        {
            history = kept;
            self.monitor.start(&outline);
            self.monitor.resume(&history);
        } else {
            self.monitor.start(&outline);
        }
        let going_on = GoingOn::new();
        let mut outcome = Ok(());
        while outcome.is_ok() && !self.is_done(&history) {
            outcome = self.epoch(batches, &mut step, &mut history);
        }
        drop(going_on);
        if let Some(random) = &self.random {
            random.begin_epoch(0);
        }
        self.monitor.finish(outcome.is_ok());
        match outcome {
            Err(TrainError::Interrupted { .. }) => {
                Err(TrainError::Interrupted { history: Box::new(history), num_epochs: self.num_epochs })
            }
            outcome => outcome.map(|()| history),
        }
    }

    fn is_done(&self, history: &History) -> bool {
        match self.max_steps {
            Some(max_steps) => history.steps() >= max_steps,
            None => history.epochs.len() >= self.num_epochs,
        }
    }

    fn epoch<B: Batches>(
        &mut self,
        batches: &mut B,
        step: &mut impl FnMut(&mut Step<'_>, B::Batch) -> StepResult,
        history: &mut History,
    ) -> Result<(), TrainError> {
        let epoch = history.epochs.len() + 1;
        if let Some(random) = &self.random {
            random.begin_epoch(epoch);
        }
        if let Some(schedule) = &self.schedule {
            let rate = schedule(epoch - 1);
            if !(rate.is_finite() && rate >= 0.0) {
                let message = format!(
                    "the schedule gives epoch {epoch} the learning rate {rate}: it must be finite and not negative"
                );
                return Err(TrainError::Setup(message));
            }
            self.kept.optimizers.iter().for_each(|optimizer| optimizer.set_learning_rate(rate));
        }
        let mut steps = batches.batches();
        if let Some(max_steps) = self.max_steps {
            steps = steps.min(max_steps - history.steps());
        }
        let (before, started) = (history.duration().as_secs_f64(), Instant::now());
        let mut sums = Sums::default();
        let (mut last, mut untimed) = (0, Duration::ZERO);
        for (place, batch) in batches.epoch().take(steps).enumerate() {
            if self.monitor.interrupted() {
                return Err(TrainError::Interrupted { history: Box::default(), num_epochs: self.num_epochs });
            }
            let number = place + 1;
            let batch = batch?;
            let points = &mut history.points;
            let mut this =
                Step { epoch, number, steps, sums: &mut sums, points, started, before, untimed: &mut untimed };
            step(&mut this, batch).map_err(|error| with_rate(error, self.learning_rate()))?;
            let seconds = started.elapsed().saturating_sub(untimed).as_secs_f64();
            let means = sums.means();
            let per_second = sums.examples as f64 / seconds;
            self.monitor.step(&Progress { epoch, step: number, metrics: &means, per_second });
            // The last of each fifth of the epoch's steps, so that an epoch of few has a point for each.
            if number * POINTS / steps > place * POINTS / steps && !means.is_empty() {
                let at = (epoch - 1) as f64 + number as f64 / steps as f64;
                history.points.push(Point { epoch: at, seconds: before + seconds, metrics: means });
            }
            last = number;
        }
        let duration = started.elapsed().saturating_sub(untimed);
        if last == 0 {
            return Err(TrainError::Setup(format!("epoch {epoch} has no minibatches")));
        }
        self.check_parameters(epoch, last)?;
        let mut record = EpochRecord { epoch, metrics: sums.means(), steps: last, examples: sums.examples, duration };
        if self.perplexity
            && let Some(loss) = record.get(TRAIN_LOSS)
        {
            record.metrics.push(("perplexity".to_string(), loss.exp()));
        }
        let is_last = match self.max_steps {
            Some(max_steps) => history.steps() + last >= max_steps,
            None => epoch == self.num_epochs,
        };
        let rate = self.learning_rate();
        for evaluate in &mut self.evaluations {
            let mut end = EpochEnd { record: &mut record, num_epochs: self.num_epochs, is_last, history };
            evaluate(&mut end).map_err(|error| with_rate(error, rate))?;
        }
        self.monitor.epoch(&record);
        history.epochs.push(record);
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.keep(&self.name, history, &self.kept)?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> Option<f64> {
        self.kept.optimizers.first().map(|optimizer| optimizer.learning_rate())
    }

    /// Finds out what the last update did, which no loss was computed after; before a checkpoint is written.
    fn check_parameters(&self, epoch: usize, step: usize) -> Result<(), TrainError> {
        for (name, variable) in &self.kept.variables {
            if let Some(value) = not_finite(variable)? {
                let name = name.split_once('.').map_or(name.as_str(), |(_, name)| name);
                let (what, learning_rate) = (format!("parameter {name}"), self.learning_rate());
                return Err(TrainError::Diverged { what, value, epoch, step, learning_rate });
            }
        }
        Ok(())
    }
}

/// An error with the learning rate, where it tells of a figure that is not finite and of no rate yet.
fn with_rate(error: BoxError, rate: Option<f64>) -> TrainError {
    match TrainError::from(error) {
        TrainError::Diverged { what, value, epoch, step, learning_rate: None } => {
            TrainError::Diverged { what, value, epoch, step, learning_rate: rate }
        }
        error => error,
    }
}

/// A value of a variable that is no finite number.
fn not_finite(variable: &Var) -> Result<Option<f64>> {
    let tensor: Tensor = variable.as_detached_tensor();
    if !tensor.dtype().is_float() {
        return Ok(None);
    }
    // A sum is finite only where each part is; one that overflows is looked at value by value.
    let sum = tensor.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    if sum.is_finite() {
        return Ok(None);
    }
    let values = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(values.into_iter().find(|value| !value.is_finite()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use candle_core::Device;

    use super::*;
    use crate::data::{ArrayLoader, Repeat};
    use crate::nn::{Linear, ModuleT, Parameters};
    use crate::ops::{Reduction, cross_entropy};
    use crate::optim::{Adam, Optimizer, Sgd};
    use crate::random::Purpose;
    use crate::train::evaluate_accuracy;

    type Outcome = Result<(), BoxError>;

    fn separable(random: &Random) -> Result<ArrayLoader, BoxError> {
        let x: Vec<f32> = (0..40).flat_map(|i| [(i % 2) as f32 * 2.0 - 1.0, (i as f32 * 0.7).sin()]).collect();
        let y: Vec<u32> = (0..40).map(|i| i % 2).collect();
        let (x, y) = (Tensor::from_vec(x, (40, 2), &Device::Cpu)?, Tensor::new(y, &Device::Cpu)?);
        Ok(ArrayLoader::from_tensors(&x, &y, 8)?.shuffled(random.stream(Purpose::Shuffling, "examples")))
    }

    /// What a monitor was told, in order.
    #[derive(Clone, Default)]
    struct Log(Rc<RefCell<Vec<String>>>);

    impl Monitor for Log {
        fn start(&mut self, outline: &Outline) {
            self.0.borrow_mut().push(format!("start {} {}", outline.epochs, outline.steps));
        }
        fn step(&mut self, progress: &Progress) {
            self.0.borrow_mut().push(format!("step {}", progress.step));
        }
        fn epoch(&mut self, epoch: &EpochRecord) {
            self.0.borrow_mut().push(format!("epoch {}", epoch.epoch));
        }
        fn finish(&mut self, _: bool) {
            self.0.borrow_mut().push("finish".to_string());
        }
    }

    /// Trains a classifier, with checkpoints in a folder where one is given.
    fn classify(
        num_epochs: usize,
        checkpoints: Option<Checkpoints>,
        log: Log,
    ) -> Result<(History, Vec<f32>), BoxError> {
        let random = Random::new(1);
        let (mut train, mut test) = (separable(&random)?, separable(&random)?);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = Linear::new(2, 2, &parameters.builder())?;
        let mut optimizer = Adam::new(&parameters, 0.1);
        let mut trainer = Trainer::new(num_epochs).random(&random).monitor(log).with(&parameters).with(&optimizer);
        if let Some(checkpoints) = checkpoints {
            trainer = trainer.checkpoints(checkpoints);
        }
        let trainer = trainer.each_epoch(|epoch| epoch.metric("test_acc", evaluate_accuracy(&net, &mut test)?));
        let history = trainer.run(&mut train, |step, (x, y)| {
            let logits = net.forward_t(&x, true)?;
            let loss = cross_entropy(&logits, &y, Reduction::Mean)?;
            optimizer.minimize(&loss)?;
            step.accuracy(&logits, &y)?;
            step.loss(&loss, y.elem_count())
        })?;
        Ok((history, net.weight().flatten_all()?.to_vec1()?))
    }

    #[test]
    fn a_separable_problem_is_learned_and_every_epoch_reported() -> Outcome {
        let log = Log::default();
        let (history, _) = classify(5, None, log.clone())?;
        let told = log.0.borrow();
        assert_eq!(told.first().map(String::as_str), Some("start 5 5"));
        assert_eq!(told.iter().filter(|line| line.starts_with("step")).count(), 25);
        assert_eq!(told.iter().filter(|line| line.starts_with("epoch")).count(), 5);
        assert_eq!(told.last().map(String::as_str), Some("finish"));
        assert!(history.metric("train_loss").windows(2).all(|pair| pair[1] < pair[0]));
        assert_eq!(history.last("test_acc"), Some(1.0));
        assert_eq!(history.names(), ["train_acc", "train_loss", "test_acc"]);
        let (at, _) = history.fine_curve("train_loss");
        assert_eq!(at[..6], [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]);
        assert_eq!(history.examples(), 200);
        Ok(())
    }

    #[test]
    fn a_training_broken_off_after_any_epoch_ends_on_the_same_bits() -> Outcome {
        let (whole, weights) = classify(4, None, Log::default())?;
        for stop in 1..4 {
            let folder = tempfile::tempdir()?;
            classify(stop, Some(Checkpoints::new(folder.path(), "test", false)?), Log::default())?;
            let resume = Some(Checkpoints::new(folder.path(), "test", true)?);
            let (history, resumed) = classify(4, resume, Log::default())?;
            assert_eq!(resumed, weights, "stopped after {stop}");
            for name in whole.names() {
                assert_eq!(history.metric(name), whole.metric(name));
            }
        }
        Ok(())
    }

    #[test]
    fn a_schedule_sets_the_rate_of_each_epoch_also_after_resuming() -> Outcome {
        let folder = tempfile::tempdir()?;
        let rates = |epochs: usize, resume: bool| -> Result<Vec<f64>, BoxError> {
            let x = Var::new(1f64, &Device::Cpu)?;
            let mut optimizer = Sgd::new([&x], 7.0);
            let trainer =
                Trainer::new(epochs).with(&optimizer).checkpoints(Checkpoints::new(folder.path(), "x", resume)?);
            let mut seen = Vec::new();
            trainer.schedule(|epoch| 0.5f64.powi(epoch as i32)).run(&mut Repeat(2), |step, ()| {
                optimizer.minimize(&x.sqr()?)?;
                seen.push(optimizer.learning_rate());
                step.loss(&x, 1)
            })?;
            Ok(seen)
        };
        assert_eq!(rates(2, false)?, [1.0, 1.0, 0.5, 0.5]);
        assert_eq!(rates(4, true)?, [0.25, 0.25, 0.125, 0.125]);
        let nobody = Trainer::new(1).schedule(|_| 0.1).run(&mut Repeat(1), |_, ()| Ok(()));
        assert!(nobody.expect_err("no optimizer").to_string().contains("Trainer::with"));
        let x = Var::new(1f64, &Device::Cpu)?;
        let optimizer = Sgd::new([&x], 1.0);
        let wrong = Trainer::new(1).with(&optimizer).schedule(|_| f64::NAN).run(&mut Repeat(1), |_, ()| Ok(()));
        assert!(wrong.expect_err("no rate").to_string().contains("NaN"));
        Ok(())
    }

    #[test]
    fn checkpoints_of_something_else_are_refused() -> Outcome {
        let folder = tempfile::tempdir()?;
        let make = |seed: u64, resume| -> Result<Checkpoints, BoxError> {
            let mut checkpoints = Checkpoints::new(folder.path(), "test", resume)?;
            checkpoints.identify("--seed", &seed);
            Ok(checkpoints)
        };
        classify(2, Some(make(1, false)?), Log::default())?;
        let refused = |checkpoints: Checkpoints, epochs, word: &str| {
            let error = classify(epochs, Some(checkpoints), Log::default()).expect_err(word).to_string();
            assert!(error.contains("test.training.safetensors") && error.contains(word), "{error}");
        };
        refused(make(1, false)?, 2, "--resume");
        refused(make(2, true)?, 2, "--seed 1");
        refused(make(1, true)?, 1, "2 epochs");
        std::fs::write(folder.path().join("test.training.safetensors"), "{}")?;
        refused(make(1, true)?, 2, "damaged");
        let checkpoints = Checkpoints::new(folder.path(), "untold", false)?;
        let untold = Trainer::new(1).checkpoints(checkpoints).run(&mut Repeat(1), |_, ()| Ok(()));
        assert!(untold.expect_err("nothing to keep").to_string().contains("Trainer::with"));
        Ok(())
    }

    #[test]
    fn a_loss_or_a_parameter_that_is_not_finite_stops_training_and_says_where() -> Outcome {
        let x = Var::new(1f32, &Device::Cpu)?;
        let mut optimizer = Sgd::new([&x], 10.0);
        let diverging = Trainer::new(50).with(&optimizer).run(&mut Repeat(2), |step, ()| {
            let loss = x.sqr()?.exp()?;
            optimizer.minimize(&loss)?;
            step.loss(&loss, 1)
        });
        let error = diverging.expect_err("an exponential");
        assert!(matches!(error, TrainError::Diverged { epoch: 1, step: 2, learning_rate: Some(10.0), .. }), "{error}");

        // The only step there is spoils the parameter, after the loss was computed.
        let x = Var::new(2f32, &Device::Cpu)?;
        let spoiled = Trainer::new(1).with(&[&x]).run(&mut Repeat(1), |step, ()| {
            let loss = x.sqr()?;
            step.loss(&loss, 1)?;
            Ok(x.set(&Tensor::new(f32::NAN, &Device::Cpu)?)?)
        });
        assert!(spoiled.expect_err("a NaN").to_string().contains("parameter 0 became NaN in epoch 1, step 1"));
        Ok(())
    }

    #[test]
    fn an_interrupted_training_is_no_result() {
        struct Impatient(usize);
        impl Monitor for Impatient {
            fn epoch(&mut self, epoch: &EpochRecord) {
                self.0 = epoch.epoch;
            }
            fn interrupted(&self) -> bool {
                self.0 == 2
            }
        }
        let error = Trainer::new(5).monitor(Impatient(0)).run(&mut Repeat(3), |step, ()| step.metric("loss", 1.0, 1.0));
        match error {
            Err(TrainError::Interrupted { history, num_epochs: 5 }) => assert_eq!(history.epochs().len(), 2),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn steps_are_counted_over_epochs() -> Outcome {
        let mut count = 0;
        let history = Trainer::steps(7).run(&mut Repeat(3), |step, ()| {
            count += 1;
            step.count(2);
            step.metric("loss", 1.0, 1.0)
        })?;
        assert_eq!((count, history.examples()), (7, 14));
        assert_eq!(history.epochs().iter().map(|epoch| epoch.examples).collect::<Vec<_>>(), [6, 6, 2]);
        Ok(())
    }
}
