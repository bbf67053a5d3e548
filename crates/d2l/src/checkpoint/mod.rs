//! Checkpoints: named tensors in a safetensors file, written whole or not at all (section 5.5).
//!
//! [`save_tensor`], [`save_list`] and [`save_map`] keep tensors; [`Parameters::save`] keeps a model and
//! [`Parameters::load`] checks every name, shape and type before it changes the first value. All of them write a
//! [`Checkpoint`], which also holds metadata, such as the epoch. [`read_pytorch`] reads PyTorch's own files.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use d2l::checkpoint;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("pair.safetensors");
//! let pair = [Tensor::zeros(4, DType::F32, &Device::Cpu)?, Tensor::ones((2, 3), DType::F32, &Device::Cpu)?];
//! checkpoint::save_list(&path, &pair)?;
//! assert_eq!(checkpoint::load_list(&path, &Device::Cpu)?[1].dims(), [2, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Parameters::save`]: crate::nn::Parameters::save
//! [`Parameters::load`]: crate::nn::Parameters::load

mod error;
mod model;
mod pickle;
mod pytorch;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use candle_core::safetensors::Load as _;
use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use error::stranger;
pub use error::{CheckpointError, Differences, Differing};
pub use model::Restored;
pub use pytorch::{read_pytorch, read_pytorch_part};

/// Named tensors with metadata: what one file holds.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    /// The file that it was read from, for messages.
    origin: PathBuf,
}

impl Checkpoint {
    /// A checkpoint of these tensors; of two with the same name, the later one.
    pub fn new<N: Into<String>>(tensors: impl IntoIterator<Item = (N, Tensor)>) -> Self {
        let tensors = tensors.into_iter().map(|(name, tensor)| (name.into(), tensor)).collect();
        Self { tensors, origin: "a checkpoint in memory".into(), ..Self::default() }
    }

    /// Adds metadata, such as `("epoch", 3)`.
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Display) -> Self {
        self.metadata.insert(key.into(), value.to_string());
        self
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The metadata by key.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The same with every tensor of floating-point numbers in `dtype`.
    ///
    /// # Errors
    /// Where a tensor cannot be converted.
    pub fn to_dtype(&self, dtype: DType) -> candle_core::Result<Self> {
        let convert = |(name, tensor): (&String, &Tensor)| {
            let tensor = if tensor.dtype().is_float() { tensor.to_dtype(dtype)? } else { tensor.clone() };
            Ok((name.clone(), tensor))
        };
        let tensors = self.tensors.iter().map(convert).collect::<candle_core::Result<_>>()?;
        Ok(Self { tensors, metadata: self.metadata.clone(), origin: self.origin.clone() })
    }

    /// Writes the checkpoint to `path`, making its folder where there is none. Whoever reads the file, and whatever
    /// fails, sees either the content from before or the new one.
    ///
    /// # Errors
    /// Where the file cannot be written, or a tensor has a type that safetensors files do not hold.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        // Copied from a GPU here, where that can fail with an error.
        let on_cpu = self.tensors.iter().map(|(name, tensor)| {
            let copied = tensor.to_device(&Device::Cpu).and_then(|tensor| writable(&tensor).map(|()| tensor));
            Ok((name, copied.map_err(|source| CheckpointError::tensor(path, name, source))?))
        });
        let on_cpu = on_cpu.collect::<Result<Vec<_>, CheckpointError>>()?;
        let metadata: Option<HashMap<_, _>> =
            (!self.metadata.is_empty()).then(|| self.metadata.clone().into_iter().collect());
        let failed = |reason| CheckpointError::Write { path: path.into(), reason };
        // Not `serialize_to_file`, which neither syncs nor keeps the usual permissions.
        let bytes = safetensors::serialize(on_cpu, metadata).map_err(|error| failed(io::Error::other(error)))?;
        replace(path, |part| part.write_all(&bytes)).map_err(failed)
    }

    /// Reads the checkpoint of a file, its tensors on `device`.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged or no safetensors file, or has a tensor of a type that candle lacks. Truth
    /// values come as `u8`, 0 or 1.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|reason| CheckpointError::Read { path: path.into(), reason })?;
        Self::from_bytes(&bytes, path, device)
    }

    /// The checkpoint of a file's content; `path` is for messages.
    pub(crate) fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self, CheckpointError> {
        let damaged = |error: SafeTensorError| match stranger(bytes) {
            Some(what) if bytes.get(8) != Some(&b'{') => CheckpointError::unsupported(path, what.advice),
            _ => CheckpointError::damaged(path, error),
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let metadata = header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let read = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let tensors = read.iter().map(|(name, view)| {
            // candle has no type for truth values; a byte each, 0 or 1, is what it computes with instead.
            let tensor = match view.dtype() {
                Dtype::BOOL => Tensor::from_raw_buffer(view.data(), DType::U8, view.shape(), device),
                _ => view.load(device),
            };
            Ok((name.to_string(), tensor.map_err(|reason| CheckpointError::tensor(path, name, reason))?))
        });
        let tensors = tensors.collect::<Result<_, CheckpointError>>()?;
        Ok(Self { tensors, metadata, origin: path.into() })
    }
}

/// Saves one tensor; see [`Checkpoint::save`].
///
/// # Errors
/// As [`Checkpoint::save`].
#[doc(alias = "torch.save")]
pub fn save_tensor(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), CheckpointError> {
    Checkpoint::new([("tensor", tensor.clone())]).save(path)
}

/// Loads the one tensor of a file onto `device`.
///
/// # Errors
/// As [`Checkpoint::load`], and where the file holds none or more than one.
#[doc(alias = "torch.load")]
pub fn load_tensor(path: impl AsRef<Path>, device: &Device) -> Result<Tensor, CheckpointError> {
    let checkpoint = Checkpoint::load(&path, device)?;
    let names: Vec<String> = checkpoint.tensors.keys().cloned().collect();
    match (names.len(), checkpoint.tensors.into_values().next()) {
        (1, Some(tensor)) => Ok(tensor),
        _ => Err(CheckpointError::Content { path: path.as_ref().into(), expected: "one tensor", names }),
    }
}

/// Saves tensors in their order; see [`Checkpoint::save`].
///
/// # Errors
/// As [`Checkpoint::save`].
pub fn save_list(path: impl AsRef<Path>, tensors: &[Tensor]) -> Result<(), CheckpointError> {
    Checkpoint::new(tensors.iter().enumerate().map(|(index, tensor)| (index.to_string(), tensor.clone()))).save(path)
}

/// Loads a list that [`save_list`] wrote onto `device`, in its order.
///
/// # Errors
/// As [`Checkpoint::load`], and where the tensors are not named 0, 1, 2, ….
pub fn load_list(path: impl AsRef<Path>, device: &Device) -> Result<Vec<Tensor>, CheckpointError> {
    let Checkpoint { mut tensors, .. } = Checkpoint::load(&path, device)?;
    let names: Vec<String> = tensors.keys().cloned().collect();
    let list: Option<Vec<_>> = (0..tensors.len()).map(|index| tensors.remove(&index.to_string())).collect();
    list.ok_or(CheckpointError::Content { path: path.as_ref().into(), expected: "a list of tensors", names })
}

/// Saves tensors by name; see [`Checkpoint::save`].
///
/// # Errors
/// As [`Checkpoint::save`].
pub fn save_map(path: impl AsRef<Path>, tensors: &BTreeMap<String, Tensor>) -> Result<(), CheckpointError> {
    Checkpoint::new(tensors.clone()).save(path)
}

/// Loads all tensors of a file onto `device` by name.
///
/// # Errors
/// As [`Checkpoint::load`].
pub fn load_map(path: impl AsRef<Path>, device: &Device) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    Checkpoint::load(path, device).map(|checkpoint| checkpoint.tensors)
}

/// Whether candle can turn a tensor into bytes; its safetensors code panics where it cannot.
fn writable(tensor: &Tensor) -> candle_core::Result<()> {
    match tensor.dtype() {
        dtype @ (DType::F6E2M3 | DType::F6E3M2 | DType::F4 | DType::F8E8M0) => {
            candle_core::bail!("a tensor of {dtype:?} cannot be saved; convert it with to_dtype first")
        }
        _ => Ok(()),
    }
}

/// Finds out whether a folder takes so many bytes, by writing them to a file that is deleted at once.
///
/// # Errors
/// Where it does not: it cannot be written, or the disk is full.
pub(crate) fn try_room(folder: &Path, bytes: u64) -> io::Result<()> {
    // A file without a name, where the system has such: nothing is left of it even if the process is killed.
    io::copy(&mut io::repeat(0).take(bytes), &mut tempfile::tempfile_in(folder)?)?;
    Ok(())
}

/// What stands between a file's name and a random end while the file is written; nothing reads such files.
const PART: &str = ".part-";

/// Deletes what killed processes left of the files of a folder whose names `is_ours` takes. A file that a process is
/// still writing is locked, and stays.
pub(crate) fn remove_leftovers(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once(PART));
        let abandoned = || File::open(entry.path()).is_ok_and(|part| part.try_lock().is_ok());
        if parts.is_some_and(|(target, _)| is_ours(target)) && abandoned() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Lets `write` fill a new file beside `path`, which then takes the place of `path` in one step; makes the folder where there
/// is none. Readers see the old or the new file, never a part.
///
/// # Errors
/// What `write` gives, and where the file cannot be made or put in its place. No new file is left then.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // In the same folder, since a rename is atomic only inside one file system; deleted where anything fails.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut part = new_file(folder, &format!(".{name}{PART}"))?;
    // Until it is closed, so that nobody takes it for a leftover. Where files cannot be locked, none is taken for one.
    let _ = part.as_file().try_lock();
    write(part.as_file_mut())?;
    part.as_file().sync_all()?;
    part.persist(path)?;
    // So that the new name too outlives a power cut. Not every system can do that, and the file is in place already.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(unix)]
fn new_file(folder: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As readable as other new files are, rather than a temporary one.
    tempfile::Builder::new().prefix(prefix).permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_half_way_leaves_the_old_file_and_no_other() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        fs::write(&path, "old")?;
        let full_disk = |part: &mut File| {
            part.write_all(b"ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        assert_eq!(replace(&path, full_disk).expect_err("no room").kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path)?, "old");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        replace(&path, |part| part.write_all(b"new"))?;
        assert_eq!(fs::read_to_string(&path)?, "new");
        Ok(())
    }

    #[test]
    fn leftovers_go_and_what_is_still_written_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        let left = [".model.safetensors.part-a1", ".other.safetensors.part-b2"].map(|name| folder.path().join(name));
        for file in &left {
            fs::write(file, "half")?;
        }
        replace(&path, |part| {
            remove_leftovers(folder.path(), |name| name == "model.safetensors")?;
            part.write_all(b"new")
        })?;
        assert_eq!(left.map(|file| file.exists()), [false, true]);
        assert_eq!(fs::read_to_string(&path)?, "new");
        Ok(())
    }
}
