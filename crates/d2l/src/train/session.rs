//! Trainings that a crash does not lose: what `--checkpoint` and `--resume` do.
//!
//! While a session is open on a thread, the optimizers, parameters and random streams that are made there are registered.
//! After each epoch a training has their state written to a file. A later run that makes the same things in the same
//! order has the state put back, and goes on with the numbers that would have come next.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{EpochSummary, History};
use crate::checkpoint::{self, Checkpoint};
use crate::console::tell;
use crate::nn::{Parameters, WeakParameters, is_buffer};
use crate::random::locked;

/// What a session keeps of an optimizer.
pub(crate) trait Trained {
    /// The variables that it changes.
    fn variables(&self) -> Vec<Var>;

    /// For each of them the count of its steps and the running values, which change in place.
    fn state(&self) -> Vec<(i32, Vec<Tensor>)>;

    /// Puts back what [`Trained::state`] gave.
    fn restore(&self, state: Vec<(i32, Vec<Tensor>)>) -> candle_core::Result<()>;
}

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

struct Session {
    folder: PathBuf,
    /// The start of the files' names.
    name: String,
    /// What has to be the same in the run that goes on: the seed, the rate, the section's code and so on.
    identity: BTreeMap<String, String>,
    resume: bool,
    /// How many trainings have begun.
    trainings: usize,
    /// The optimizers of the training that goes on; without one it cannot be kept.
    current: Vec<Arc<dyn Trained>>,
    optimizers: Vec<Weak<dyn Trained>>,
    parameters: Vec<WeakParameters>,
    streams: Vec<Weak<Mutex<ChaCha8Rng>>>,
}

/// Closes the session at its end.
#[derive(Debug)]
pub(crate) struct Open(());

impl Drop for Open {
    fn drop(&mut self) {
        SESSION.with_borrow_mut(|session| *session = None);
    }
}

/// Opens a session on this thread, whose files go to `folder` and begin with `name`; with `resume`, trainings go on from
/// the files there.
///
/// # Errors
/// Where the folder cannot be made or written, so that nobody learns of it after an epoch of hours.
pub(crate) fn open(folder: &Path, name: &str, resume: bool) -> Result<Open> {
    std::fs::create_dir_all(folder).with_context(|| refused(folder))?;
    checkpoint::try_room(folder, 1 << 10).with_context(|| refused(folder))?;
    let is_ours = |file: &str| {
        let training = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".safetensors"));
        training.is_some_and(|training| training.parse::<usize>().is_ok())
    };
    checkpoint::remove_leftovers(folder, is_ours).with_context(|| refused(folder))?;
    let session = Session {
        folder: folder.to_path_buf(),
        name: name.to_string(),
        identity: BTreeMap::new(),
        resume,
        trainings: 0,
        current: Vec::new(),
        optimizers: Vec::new(),
        parameters: Vec::new(),
        streams: Vec::new(),
    };
    SESSION.with_borrow_mut(|open| *open = Some(session));
    Ok(Open(()))
}

fn refused(folder: &Path) -> String {
    format!("--checkpoint: {} cannot be written; choose another folder", folder.display())
}

/// Whether a session is open on this thread.
pub(crate) fn is_open() -> bool {
    SESSION.with_borrow(Option::is_some)
}

fn with<R>(act: impl FnOnce(&mut Session) -> R) -> Option<R> {
    SESSION.with_borrow_mut(|session| session.as_mut().map(act))
}

/// Names a setting that the run that goes on must share.
pub(crate) fn identify(key: &str, value: &impl ToString) {
    with(|session| session.identity.insert(key.to_string(), value.to_string()));
}

pub(crate) fn register_stream(stream: &Arc<Mutex<ChaCha8Rng>>) {
    with(|session| session.streams.push(Arc::downgrade(stream)));
}

pub(crate) fn register_parameters(parameters: &Parameters) {
    with(|session| session.parameters.push(parameters.downgrade()));
}

pub(crate) fn register_optimizer<T: Trained + 'static>(optimizer: &Arc<T>) {
    with(|session| {
        let weak: Weak<T> = Arc::downgrade(optimizer);
        session.optimizers.push(weak);
    });
}

/// Begins the next training of the run. Gives the epochs that an earlier run has done, with everything put back as it was
/// after them; none where no session is open.
///
/// # Errors
/// Where there is a file of an earlier run and nobody asked to go on from it; where it is damaged, of another section or
/// of other settings; where there is no room for a new one.
pub(crate) fn begin(num_epochs: usize) -> Result<History> {
    with(|session| session.begin(num_epochs)).unwrap_or_else(|| Ok(History::default()))
}

/// Keeps the training as it is now.
///
/// # Errors
/// Where the file cannot be written; the one from before is then still there.
pub(crate) fn keep(history: &History) -> Result<()> {
    with(|session| session.keep(history)).unwrap_or(Ok(()))
}

/// What a file holds besides its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    identity: BTreeMap<String, String>,
    epochs: Vec<KeptEpoch>,
    /// The place of each stream; none for one that is gone.
    streams: Vec<Option<String>>,
    /// For each optimizer, for each parameter the count of its steps.
    steps: Vec<Vec<i32>>,
}

/// An epoch, its numbers bit by bit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct KeptEpoch {
    train_loss: u64,
    train_accuracy: Option<u64>,
    test_accuracy: Option<u64>,
    examples: usize,
    nanoseconds: u64,
}

const METADATA: &str = "training";

impl Session {
    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.safetensors", self.name, self.trainings))
    }

    fn begin(&mut self, num_epochs: usize) -> Result<History> {
        self.trainings += 1;
        self.optimizers.retain(|optimizer| optimizer.strong_count() > 0);
        self.current = self.optimizers.iter().filter_map(Weak::upgrade).collect();
        let file = self.file();
        if !file.exists() {
            if self.current.is_empty() {
                tell(
                    "this training has an optimizer of its own, which no checkpoint keeps: it starts anew if broken off",
                );
            }
            if self.resume && self.trainings == 1 {
                tell(format!("{} is not there: the run starts anew", file.display()));
            }
            // The values, and as much twice for what an optimizer such as Adam keeps of each.
            let values = self.buffers().into_iter().map(|(_, buffer)| buffer);
            let values = values.chain(self.current.iter().flat_map(|optimizer| optimizer.variables()));
            let bytes: usize = values.map(|value| value.elem_count() * value.dtype().size_in_bytes()).sum();
            checkpoint::try_room(&self.folder, 3 * bytes as u64).with_context(|| refused(&self.folder))?;
            return Ok(History::default());
        }
        ensure!(
            self.resume,
            "{} is there from an earlier run: add --resume to go on with it, or name another folder with --checkpoint",
            file.display()
        );
        let history = self.restore(&file)?;
        let done = history.epochs.len();
        ensure!(
            done <= num_epochs,
            "{} has {done} epochs, more than the {num_epochs} of --num-epochs: ask for {done} or more",
            file.display()
        );
        tell(format!("{}: going on after epoch {done} of {num_epochs}", file.display()));
        Ok(history)
    }

    /// The buffers of the models that the current optimizers train, by a name for the file.
    fn buffers(&self) -> Vec<(String, Var)> {
        let trained: Vec<_> = self.current.iter().flat_map(|optimizer| optimizer.variables()).map(|v| v.id()).collect();
        let models = self.parameters.iter().filter_map(WeakParameters::upgrade);
        let models =
            models.map(|model| model.named()).filter(|named| named.iter().any(|(_, v)| trained.contains(&v.id())));
        let buffers = models.enumerate().flat_map(|(index, named)| {
            named
                .into_iter()
                .filter(|(name, _)| is_buffer(name))
                .map(move |(name, v)| (format!("buffer.{index}.{name}"), v))
        });
        buffers.collect()
    }

    fn keep(&mut self, history: &History) -> Result<()> {
        if self.current.is_empty() {
            return Ok(());
        }
        let buffers = self.buffers();
        let mut tensors: Vec<(String, Tensor)> =
            buffers.into_iter().map(|(name, variable)| (name, variable.as_detached_tensor())).collect();
        let mut steps = Vec::new();
        for (i, optimizer) in self.current.iter().enumerate() {
            for (j, variable) in optimizer.variables().iter().enumerate() {
                tensors.push((format!("optimizer.{i}.{j}.value"), variable.as_detached_tensor()));
            }
            let state = optimizer.state();
            steps.push(state.iter().map(|(steps, _)| *steps).collect());
            for (j, (_, values)) in state.into_iter().enumerate() {
                let name = |k| format!("optimizer.{i}.{j}.state.{k}");
                tensors.extend(values.into_iter().enumerate().map(|(k, value)| (name(k), value)));
            }
        }
        let place = |stream: &Weak<Mutex<ChaCha8Rng>>| stream.upgrade().map(|s| locked(&s).get_word_pos().to_string());
        let kept = Kept {
            identity: self.identity.clone(),
            epochs: history.epochs.iter().map(KeptEpoch::from).collect(),
            streams: self.streams.iter().map(place).collect(),
            steps,
        };
        let file = self.file();
        Checkpoint::new(tensors).with_metadata(METADATA, serde_json::to_string(&kept)?).save(&file)?;
        Ok(())
    }

    fn restore(&mut self, file: &Path) -> Result<History> {
        let device = self.current.iter().flat_map(|o| o.variables()).next().map_or(Device::Cpu, |v| v.device().clone());
        let checkpoint = Checkpoint::load(file, &device)?;
        let other = || format!("{} is no checkpoint of a training: name another folder", file.display());
        let kept: Kept =
            serde_json::from_str(checkpoint.metadata().get(METADATA).with_context(other)?).with_context(other)?;
        for key in self.identity.keys().chain(kept.identity.keys()) {
            let (then, now) = (kept.identity.get(key), self.identity.get(key));
            if then != now {
                let shown = |value: Option<&String>| value.map_or("none".to_string(), Clone::clone);
                bail!(
                    "{} was made with {key} {}, this run has {}: give the same, or start anew in another folder",
                    file.display(),
                    shown(then),
                    shown(now)
                );
            }
        }
        let fits = kept.steps.iter().map(Vec::len).eq(self.current.iter().map(|o| o.variables().len()));
        ensure!(fits && kept.streams.len() == self.streams.len(), other());
        let tensor =
            |name: &str| checkpoint.tensors().get(name).with_context(|| format!("{}: no {name}", file.display()));
        for (name, variable) in self.buffers() {
            variable.set(tensor(&name)?).with_context(other)?;
        }
        for (i, (optimizer, steps)) in self.current.iter().zip(&kept.steps).enumerate() {
            for (j, variable) in optimizer.variables().iter().enumerate() {
                variable.set(tensor(&format!("optimizer.{i}.{j}.value"))?).with_context(other)?;
            }
            let values = |j: usize| {
                let named = (0..).map(|k| format!("optimizer.{i}.{j}.state.{k}"));
                named.map_while(|name| checkpoint.tensors().get(&name).cloned()).collect::<Vec<Tensor>>()
            };
            optimizer.restore(steps.iter().enumerate().map(|(j, &steps)| (steps, values(j))).collect())?;
        }
        for (stream, place) in self.streams.iter().zip(&kept.streams) {
            if let (Some(stream), Some(place)) = (stream.upgrade(), place) {
                locked(&stream).set_word_pos(place.parse().with_context(other)?);
            }
        }
        let epochs = kept.epochs.iter().enumerate().map(|(i, epoch)| epoch.summary(i + 1));
        Ok(History { epochs: epochs.collect() })
    }
}

impl From<&EpochSummary> for KeptEpoch {
    fn from(epoch: &EpochSummary) -> Self {
        Self {
            train_loss: epoch.train_loss.to_bits(),
            train_accuracy: epoch.train_accuracy.map(f64::to_bits),
            test_accuracy: epoch.test_accuracy.map(f64::to_bits),
            examples: epoch.examples,
            nanoseconds: epoch.duration.as_nanos() as u64,
        }
    }
}

impl KeptEpoch {
    fn summary(self, epoch: usize) -> EpochSummary {
        EpochSummary {
            epoch,
            train_loss: f64::from_bits(self.train_loss),
            train_accuracy: self.train_accuracy.map(f64::from_bits),
            test_accuracy: self.test_accuracy.map(f64::from_bits),
            examples: self.examples,
            duration: Duration::from_nanos(self.nanoseconds),
        }
    }
}
