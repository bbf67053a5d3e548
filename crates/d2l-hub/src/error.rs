//! What can go wrong, in words that say what to do.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;

use super::dataset::{Dataset, Hash};
use crate::archive::ArchiveError;

/// Why the hub could not give a file.
#[allow(missing_docs)] // each message tells what its variant means and holds
#[derive(Debug, Error)]
pub enum HubError {
    #[error("no set is called `{name}`; the hub knows {known}")]
    Unknown { name: String, known: String },
    #[error("{variable}={value}: {expected}")]
    Setting { variable: &'static str, value: String, expected: &'static str },
    /// Every source failed; each is listed with its reason.
    #[error(
        "cannot get `{name}`:{}\nPut the file at {} yourself, or set D2L_MIRROR to a folder or base URL that has {mirror_path}",
        list(.attempts), path.display()
    )]
    Unavailable { name: &'static str, path: PathBuf, mirror_path: &'static str, attempts: Vec<Attempt> },
    /// No mirror has a folder; each place is listed with its reason.
    #[error(
        "cannot get the folder `{name}`:{}\nSet D2L_MIRROR to a folder that has {mirror_path}",
        list(.attempts)
    )]
    NoFolder { name: &'static str, mirror_path: &'static str, attempts: Vec<Attempt> },
    #[error("{}: cannot be written ({reason}); free some space, or set D2L_DATA_DIR to a folder that can be written", path.display())]
    Write { path: PathBuf, reason: io::Error },
    #[error(
        "{}: still locked by another process after {} s; stop that process, or wait and start again",
        path.display(), waited.as_secs()
    )]
    Locked { path: PathBuf, waited: Duration },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl HubError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |reason| Self::Write { path: path.to_owned(), reason }
    }
}

/// A source that was tried, and why it did not give the file.
#[derive(Debug)]
pub struct Attempt {
    /// The URL, file or package that was asked.
    pub source: String,
    /// Why it did not give the file.
    pub reason: SourceError,
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().fold(String::new(), |list, Attempt { source, reason }| format!("{list}\n  {source}: {reason}"))
}

/// Why one source did not give a file.
#[allow(missing_docs)] // each message tells what its variant means and holds
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("not asked, since D2L_OFFLINE is set")]
    Offline,
    #[error("no such file")]
    Absent,
    #[error("cannot be read ({0})")]
    Read(io::Error),
    #[error("no connection ({0})")]
    Connection(String),
    #[error("no connection within {} s", .0.as_secs_f32())]
    Unreachable(Duration),
    #[error("https needs the machine's CA certificates and there are none; install the package ca-certificates")]
    NoCertificates,
    #[error("redirected too often")]
    Redirects,
    #[error("HTTP status {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("a web page came instead of the file: a sign-in page or a proxy's message")]
    WebPage,
    #[error("too slow: hardly a byte came in {} s", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("the connection broke after {received} bytes ({reason})")]
    Broken { received: u64, reason: String },
    #[error("the answer to a request for the rest of the file was for another part of it")]
    WrongRange,
    #[error("refused: more than {limit} bytes, where the file has about {size}")]
    TooLarge { limit: u64, size: u64 },
    #[error("not the file: {bytes} bytes with SHA-256 {got}{}, wanted {wanted} ({size} bytes)", sha1(.got_sha1.as_deref()))]
    Hash { got: String, got_sha1: Option<String>, bytes: u64, wanted: String, size: u64 },
    #[error("not the folder: {found}, wanted {files} files whose list has SHA-256 {wanted}")]
    Folder { found: String, files: usize, wanted: &'static str },
    #[error("{0}")]
    Package(String),
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Absent } else { Self::Read(error) }
    }
}

fn sha1(got: Option<&str>) -> String {
    got.map_or(String::new(), |got| format!(" and SHA-1 {got}"))
}

impl SourceError {
    pub(crate) fn too_large(set: &Dataset) -> Self {
        Self::TooLarge { limit: set.max_size(), size: set.size }
    }

    pub(crate) fn wanted(set: &Dataset) -> String {
        set.hashes.iter().map(Hash::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Either the source is at fault, and the next one is tried; or this machine is, and no source will help.
pub(crate) enum Failure {
    Source(SourceError),
    Local(HubError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Local(error)
    }
}
