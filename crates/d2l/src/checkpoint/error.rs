//! What can go wrong with a checkpoint.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use candle_core::DType;

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("{}: the checkpoint cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file cannot be written.
    #[error("{}: the checkpoint cannot be written: {reason}; what was there before is unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file's content makes no sense.
    #[error("{}: the file is cut short, damaged, or not of this format: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file is whole, but holds what cannot be read here.
    #[error("{}: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What cannot be read, and what to do.
        reason: String,
    },
    /// The file is whole, but of another model.
    #[error("{}: the checkpoint is not of this model, which is unchanged: {differences}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Everything that differs.
        differences: Differences,
    },
    /// The file holds something else than the caller asked for.
    #[error("{}: expected {expected}, the file holds {}", path.display(), named(names))]
    Content {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        expected: &'static str,
        /// The names of the tensors in the file.
        names: Vec<String>,
    },
    /// One tensor cannot be written, read or moved to its device.
    #[error("{}: tensor {name}: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// candle's reason.
        reason: Box<candle_core::Error>,
    },
}

impl CheckpointError {
    pub(super) fn damaged(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Damaged { path: path.into(), reason: reason.to_string() }
    }

    pub(super) fn unsupported(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsupported { path: path.into(), reason: reason.into() }
    }

    pub(super) fn tensor(path: &Path, name: &str, reason: candle_core::Error) -> Self {
        Self::Tensor { path: path.into(), name: name.into(), reason: Box::new(reason) }
    }
}

/// What a file is that is sound, but not what was asked for.
pub(super) struct Stranger {
    /// Whether it is a zip archive, as PyTorch writes.
    pub is_zip: bool,
    /// What it is, and what to do.
    pub advice: &'static str,
}

/// What a file is, where its first bytes tell that it is no safetensors file.
pub(super) fn stranger(start: &[u8]) -> Option<Stranger> {
    const WEB_PAGE: &str =
        "this is a web page, such as a sign-in page or an error message, under the file's name; get the file itself";
    const POINTER: &str =
        "this is a pointer of Git LFS, not the file that it stands for; run `git lfs pull` where it came from";
    let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start).trim_ascii_start();
    let opens = |words: &str| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words.as_bytes()));
    let (is_zip, advice) = if ["<!doctype", "<html", "<head", "<body", "<?xml"].iter().any(|tag| opens(tag)) {
        (false, WEB_PAGE)
    } else if opens("version https://git-lfs") {
        (false, POINTER)
    } else if start.starts_with(b"PK\x03\x04") {
        (true, "this is a zip archive, as PyTorch writes; read it with `checkpoint::read_pytorch`")
    } else if start.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46") {
        (false, "this is a file of PyTorch's from before its release 1.6; read it with `checkpoint::read_pytorch`")
    } else if start.get(8) == Some(&b'{') {
        (false, "this is a safetensors file; read it with `Checkpoint::load`")
    } else {
        return None;
    };
    Some(Stranger { is_zip, advice })
}

fn named(names: &[String]) -> String {
    match names {
        [] => "no tensors".into(),
        names => format!("tensors named {}", names.join(", ")),
    }
}

/// What differs between a file and a model, all at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Names of the model that the file lacks.
    pub missing: Vec<String>,
    /// Names of the file that the model lacks.
    pub unexpected: Vec<String>,
    /// Names of both with different shapes.
    pub shapes: Vec<Differing<Vec<usize>>>,
    /// Names of both with the same shape and different types.
    pub dtypes: Vec<Differing<DType>>,
}

/// A property of a tensor that is one in the file and another in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing<T> {
    /// The tensor's name.
    pub name: String,
    /// The file's.
    pub file: T,
    /// The model's.
    pub model: T,
}

impl Differences {
    /// Whether file and model agree.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn differing<T: fmt::Debug>(entries: &[Differing<T>]) -> Vec<String> {
            let text = |d: &Differing<T>| format!("{} ({:?} in the file, {:?} in the model)", d.name, d.file, d.model);
            entries.iter().map(text).collect()
        }
        let parts = [
            ("missing in the file", self.missing.clone()),
            ("unexpected in the file", self.unexpected.clone()),
            ("of another shape", differing(&self.shapes)),
            ("of another type, which Checkpoint::to_dtype converts", differing(&self.dtypes)),
        ];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<String> = parts.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
        f.write_str(if parts.is_empty() { "no differences".into() } else { parts.join("; ") }.as_str())
    }
}
