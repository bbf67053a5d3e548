//! Trainings that a crash does not lose: what `--checkpoint` and `--resume` do.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{EpochRecord, History, Kept, Point, TrainError, Unit};
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::console::tell;

/// The variable that makes a process end, as if killed, after it has written so many checkpoints: for tests of resuming.
#[doc(hidden)]
pub const STOP_AFTER: &str = "D2L_STOP_AFTER_CHECKPOINTS";

/// The exit code of such a process.
#[doc(hidden)]
pub const STOPPED: i32 = 86;

static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// Where a program's trainings are kept, a file each, and what a run that goes on from them must share.
///
/// A file holds the parameters, the optimizers' running values and the history as they are after an epoch. Random
/// streams follow from seed, name and epoch, so there is nothing of them to keep.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    /// The start of the files' names.
    program: String,
    identity: BTreeMap<String, String>,
    resume: bool,
}

impl Checkpoints {
    /// Checkpoints in `folder`, in files whose names begin with `program`; with `resume`, trainings go on from those that
    /// are there. What an earlier writing left half done is removed.
    ///
    /// # Errors
    /// Where the folder cannot be made or written, so that nobody learns of it after an epoch of hours.
    pub fn new(folder: &Path, program: &str, resume: bool) -> Result<Self, TrainError> {
        let refused = |source| refused(folder, &source);
        fs::create_dir_all(folder).map_err(refused)?;
        checkpoint::try_room(folder, 1 << 10).map_err(refused)?;
        let is_ours = |file: &str| {
            file.strip_prefix(program).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".safetensors"))
        };
        checkpoint::remove_leftovers(folder, is_ours).map_err(refused)?;
        if resume && !any_file(folder, program).map_err(refused)? {
            tell(format!(
                "--resume: {} has nothing of an earlier run of this section: the run starts anew",
                folder.display()
            ));
        }
        let program = program.to_string();
        Ok(Self { folder: folder.to_path_buf(), program, identity: BTreeMap::new(), resume })
    }

    /// Names a setting that a run that goes on must share, such as the seed.
    pub fn identify(&mut self, key: &str, value: &impl ToString) {
        self.identity.insert(key.to_string(), value.to_string());
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, training: &str) -> PathBuf {
        self.folder.join(format!("{}.{training}.safetensors", self.program))
    }

    /// Begins a training. Gives the epochs that an earlier run has done, with everything in `kept` put back as it was
    /// after them.
    pub(super) fn begin(&self, training: &str, num_epochs: usize, kept: &Kept) -> Result<Option<History>, TrainError> {
        let file = self.file(training);
        if kept.variables.is_empty() {
            let message = format!(
                "training {training} was told of nothing that a checkpoint could keep: tell the trainer its parameters \
                 and optimizers with Trainer::with"
            );
            return Err(TrainError::Setup(message));
        }
        if !file.exists() {
            // The values, and as much twice for what an optimizer such as Adam keeps of each.
            let bytes = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
            let bytes: usize = kept.variables.iter().map(|(_, variable)| bytes(variable)).sum();
            let room = checkpoint::try_room(&self.folder, 3 * bytes as u64);
            room.map_err(|source| refused(&self.folder, &source))?;
            return Ok(None);
        }
        let refuse = |reason: String| Err(TrainError::NotResumable { path: file.clone(), reason });
        if !self.resume {
            return refuse(
                "it is there from an earlier run: add --resume to go on with it, or name another folder with --checkpoint"
                    .to_string(),
            );
        }
        let history = self.restore(&file, kept)?;
        let done = history.epochs.len();
        if done > num_epochs {
            return refuse(format!(
                "it has {done} epochs, more than the {num_epochs} of --num-epochs: ask for {done} or more"
            ));
        }
        tell(format!("{}: going on after epoch {done} of {num_epochs}", file.display()));
        Ok(Some(history))
    }

    /// Keeps the training as it is now; the file from before stays whole until the new one is.
    pub(super) fn keep(&self, training: &str, history: &History, kept: &Kept) -> Result<(), CheckpointError> {
        let mut tensors: Vec<(String, Tensor)> =
            kept.variables.iter().map(|(name, variable)| (value_name(name), variable.as_detached_tensor())).collect();
        let mut optimizers = Vec::new();
        for (i, optimizer) in kept.optimizers.iter().enumerate() {
            let mut steps = Vec::new();
            for (j, (count, values)) in optimizer.state().into_iter().enumerate() {
                steps.push(count);
                tensors.extend(values.into_iter().enumerate().map(|(k, value)| (state_name(i, j, k), value)));
            }
            optimizers.push(StoredOptimizer { learning_rate: optimizer.learning_rate().to_bits(), steps });
        }
        let stored = Stored {
            identity: self.identity.clone(),
            epochs: history.epochs.iter().map(StoredEpoch::from).collect(),
            points: history.points.iter().map(StoredPoint::from).collect(),
            unit: history.unit,
            optimizers,
        };
        let text = serde_json::to_string(&stored).map_err(|error| CheckpointError::Write {
            path: self.file(training),
            reason: std::io::Error::other(error),
        })?;
        Checkpoint::new(tensors).with_metadata(METADATA, text).save(self.file(training))?;
        let written = WRITTEN.fetch_add(1, Ordering::Relaxed) + 1;
        if env::var(STOP_AFTER).is_ok_and(|count| count.parse() == Ok(written)) {
            std::process::exit(STOPPED);
        }
        Ok(())
    }

    /// The bytes of a training's file.
    pub(super) fn read(&self, training: &str) -> Result<Vec<u8>, TrainError> {
        let path = self.file(training);
        Ok(fs::read(&path).map_err(|reason| CheckpointError::Read { path, reason })?)
    }

    /// Puts back what another rank has read, see [`Checkpoints::read`], after it found that the training can go on from it.
    pub(super) fn receive(file: &[u8], kept: &Kept) -> Result<History, TrainError> {
        let name = Path::new("the checkpoint of rank 0");
        let checkpoint = Checkpoint::from_bytes(file, name, &device_of(kept))?;
        let stored = Stored::of(&checkpoint).ok_or_else(|| other(name))?;
        put_back(&checkpoint, &stored, name, kept)
    }

    fn restore(&self, file: &Path, kept: &Kept) -> Result<History, TrainError> {
        let checkpoint = Checkpoint::load(file, &device_of(kept))?;
        let stored = Stored::of(&checkpoint).ok_or_else(|| other(file))?;
        for key in self.identity.keys().chain(stored.identity.keys()) {
            let (then, now) = (stored.identity.get(key), self.identity.get(key));
            if then != now {
                let shown = |value: Option<&String>| value.map_or("none".to_string(), Clone::clone);
                let reason = format!(
                    "it was made with {key} {}, this run has {}: give the same, or start anew in another folder",
                    shown(then),
                    shown(now)
                );
                return Err(TrainError::NotResumable { path: file.to_path_buf(), reason });
            }
        }
        put_back(&checkpoint, &stored, file, kept)
    }
}

fn device_of(kept: &Kept) -> Device {
    kept.variables.first().map_or(Device::Cpu, |(_, variable)| variable.device().clone())
}

/// Refuses a file that is of something else.
fn other(file: &Path) -> TrainError {
    let reason = "it is no checkpoint of this training: name another folder with --checkpoint".to_string();
    TrainError::NotResumable { path: file.to_path_buf(), reason }
}

/// Puts everything in `kept` back as it was when the checkpoint was made.
fn put_back(checkpoint: &Checkpoint, stored: &Stored, file: &Path, kept: &Kept) -> Result<History, TrainError> {
    let other = || other(file);
    // All of it is read before the first value changes.
    let mut values = Vec::with_capacity(kept.variables.len());
    for (name, variable) in &kept.variables {
        let value = checkpoint.tensors().get(&value_name(name)).ok_or_else(other)?;
        if (value.dims(), value.dtype()) != (variable.dims(), variable.dtype()) {
            return Err(other());
        }
        values.push((variable, value));
    }
    let sizes = kept.optimizers.iter().map(|optimizer| optimizer.parameters().len());
    if !stored.optimizers.iter().map(|optimizer| optimizer.steps.len()).eq(sizes) {
        return Err(other());
    }
    for (variable, value) in values {
        variable.set(value)?;
    }
    for (i, (optimizer, stored)) in kept.optimizers.iter().zip(&stored.optimizers).enumerate() {
        let values = |j| {
            let named = (0..).map(|k| checkpoint.tensors().get(&state_name(i, j, k)).cloned());
            named.map_while(|value| value).collect::<Vec<Tensor>>()
        };
        let state = stored.steps.iter().enumerate().map(|(j, &steps)| (steps, values(j))).collect();
        optimizer.restore(f64::from_bits(stored.learning_rate), state).map_err(|_| other())?;
    }
    Ok(History {
        epochs: stored.epochs.iter().enumerate().map(|(place, epoch)| epoch.record(place + 1)).collect(),
        points: stored.points.iter().map(StoredPoint::point).collect(),
        unit: stored.unit,
    })
}

fn refused(folder: &Path, source: &std::io::Error) -> TrainError {
    let folder = folder.display();
    TrainError::Setup(format!("--checkpoint: {folder} cannot be written: {source}; choose another folder"))
}

/// Whether a folder has a checkpoint of a program.
fn any_file(folder: &Path, program: &str) -> std::io::Result<bool> {
    let of_program = |name: &str| name.strip_prefix(program).is_some_and(|rest| rest.starts_with('.'));
    let mut names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.any(|name| of_program(&name)))
}

fn value_name(name: &str) -> String {
    format!("value.{name}")
}

fn state_name(optimizer: usize, parameter: usize, value: usize) -> String {
    format!("optimizer.{optimizer}.{parameter}.{value}")
}

const METADATA: &str = "training";

/// What a file holds besides its tensors. Numbers are kept by their bits.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    identity: BTreeMap<String, String>,
    epochs: Vec<StoredEpoch>,
    points: Vec<StoredPoint>,
    unit: Unit,
    optimizers: Vec<StoredOptimizer>,
}

impl Stored {
    /// What a checkpoint of a training holds; none where it is one of something else.
    fn of(checkpoint: &Checkpoint) -> Option<Self> {
        serde_json::from_str(checkpoint.metadata().get(METADATA)?).ok()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredOptimizer {
    learning_rate: u64,
    /// For each parameter the count of its steps.
    steps: Vec<i32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredEpoch {
    metrics: Vec<(String, u64)>,
    steps: usize,
    examples: usize,
    nanoseconds: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPoint {
    epoch: u64,
    seconds: u64,
    metrics: Vec<(String, u64)>,
}

fn bits(metrics: &[(String, f64)]) -> Vec<(String, u64)> {
    metrics.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect()
}

fn numbers(metrics: &[(String, u64)]) -> Vec<(String, f64)> {
    metrics.iter().map(|(name, value)| (name.clone(), f64::from_bits(*value))).collect()
}

impl From<&EpochRecord> for StoredEpoch {
    fn from(epoch: &EpochRecord) -> Self {
        let nanoseconds = epoch.duration.as_nanos() as u64;
        Self { metrics: bits(&epoch.metrics), steps: epoch.steps, examples: epoch.examples, nanoseconds }
    }
}

impl StoredEpoch {
    fn record(&self, epoch: usize) -> EpochRecord {
        let duration = Duration::from_nanos(self.nanoseconds);
        let (steps, examples) = (self.steps, self.examples);
        EpochRecord { epoch, metrics: numbers(&self.metrics), steps, examples, duration }
    }
}

impl From<&Point> for StoredPoint {
    fn from(point: &Point) -> Self {
        Self { epoch: point.epoch.to_bits(), seconds: point.seconds.to_bits(), metrics: bits(&point.metrics) }
    }
}

impl StoredPoint {
    fn point(&self) -> Point {
        let (epoch, seconds) = (f64::from_bits(self.epoch), f64::from_bits(self.seconds));
        Point { epoch, seconds, metrics: numbers(&self.metrics) }
    }
}
