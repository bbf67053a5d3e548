//! Unpacks zip, tar and tar.gz files without trusting them.
//!
//! The convenience functions of archive libraries have followed links out of their folder more than once, so the loop
//! here is its own: only regular files and folders, only inside the target, no file twice, and bounds on the number of
//! entries, on their sizes and on the compression ratio. Everything is unpacked beside the target and renamed when it
//! is complete; a marker file inside keeps the hash of the archive and lists the files, so that neither a half-unpacked
//! folder nor one that has changed since is trusted.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use tar::EntryType;
use thiserror::Error;
use zip::{ZipArchive, result::ZipError};

use crate::partial;
use crate::verify::sha256_of;

/// The file in an unpacked folder that names the archive it came from.
const MARKER: &str = ".unpacked-from";

/// What follows the archive's hash in a marker that lists the files.
const LISTED: &str = "files:";

/// How many bytes of an unpacked set are hashed at each use: all of any set of text, in a tenth of a second; of the large
/// sets of images, as many as a second allows.
const HASHED_BYTES: u64 = 256 << 20;

/// What an archive may hold at most; the defaults fit the largest of the book's sets.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Files and folders; default 200,000.
    pub entries: usize,
    /// Bytes of one unpacked file; default 8 GiB.
    pub file_bytes: u64,
    /// Bytes of all unpacked files together; default 16 GiB.
    pub total_bytes: u64,
    /// Unpacked bytes for each byte of the archive; default 100. The first MiB is free: small files can pack better.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200_000, file_bytes: 8 << 30, total_bytes: 16 << 30, ratio: 100 }
    }
}

/// Why an archive was not unpacked. Nothing of it is left in the target folder.
#[allow(missing_docs)] // each message tells what its variant means and holds
#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("{}: not an archive that can be unpacked here (.zip, .tar, .tar.gz or .tgz)", .0.display())]
    Unsupported(PathBuf),
    #[error("{}: entry `{entry}` refused: {reason}; get the archive from its publisher", archive.display())]
    Refused { archive: PathBuf, entry: String, reason: &'static str },
    #[error("{}: refused: more than {limit} {what}; unpack it by hand if you trust it", archive.display())]
    TooLarge { archive: PathBuf, limit: u64, what: &'static str },
    #[error("{}: damaged or cut short ({reason}); delete it and fetch it again", archive.display())]
    Damaged { archive: PathBuf, reason: String },
    #[error("{}: cannot be written ({reason}); free some space or choose another folder", path.display())]
    Write { path: PathBuf, reason: io::Error },
}

/// Unpacks `archive` to `folder`, replacing an earlier version of it; `origin` (the hash of the archive) goes into the
/// marker that [`origin_of`] reads.
///
/// A single folder around everything is left out: `ptb/ptb.train.txt` in `ptb.zip` becomes `<folder>/ptb.train.txt`,
/// so a set has the same layout however its archive was packed.
///
/// # Errors
/// Names the archive and, where one is at fault, the entry; see [`ArchiveError`].
pub fn unpack(archive: &Path, folder: &Path, origin: &str, limits: &Limits) -> Result<(), ArchiveError> {
    unpack_part(archive, folder, origin, limits, &|_| true)
}

/// [`unpack`] for those of the archive's entries whose names `is_wanted` accepts; the others are passed over.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_part(
    archive: &Path,
    folder: &Path,
    origin: &str,
    limits: &Limits,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<(), ArchiveError> {
    let target = partial::path_for(folder);
    let result = unpack_to(archive, &target, limits, is_wanted).and_then(|()| publish(&target, folder, origin));
    if target.exists()
        && let Err(reason) = fs::remove_dir_all(&target)
        && result.is_ok()
    {
        return Err(ArchiveError::Write { path: target, reason });
    }
    result
}

/// What [`unpack`] noted as the archive of this folder; `None` for a folder that is absent or was not unpacked here.
pub fn origin_of(folder: &Path) -> Option<String> {
    let marker = fs::read_to_string(folder.join(MARKER)).ok()?;
    marker.lines().next().map(str::to_owned)
}

/// Whether a folder still holds every file that [`unpack`] wrote there, as long as it was then; and, of the smallest ones up
/// to 256 MiB in all, with the same content. What was added since does not matter.
pub fn is_intact(folder: &Path) -> bool {
    let Ok(marker) = fs::read_to_string(folder.join(MARKER)) else { return false };
    let mut lines = marker.lines().skip(1);
    // Markers of earlier versions end after the first line: of their folders nothing is known.
    if lines.next() != Some(LISTED) {
        return false;
    }
    let mut listed = Vec::new();
    for line in lines {
        let mut parts = line.splitn(3, ' ');
        let (Some(bytes), Some(sha256), Some(name)) = (parts.next(), parts.next(), parts.next()) else { return false };
        let (Ok(bytes), path) = (bytes.parse::<u64>(), folder.join(name)) else { return false };
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == bytes) {
            return false;
        }
        listed.push((bytes, sha256, path));
    }
    listed.sort_by_key(|(bytes, ..)| *bytes);
    let mut left = HASHED_BYTES;
    listed.iter().all(|(bytes, sha256, path)| match left.checked_sub(*bytes) {
        Some(rest) => {
            left = rest;
            sha256_of(path).is_ok_and(|found| found == *sha256)
        }
        None => true,
    })
}

/// Writes the marker and moves the finished folder to its place.
fn publish(unpacked: &Path, folder: &Path, origin: &str) -> Result<(), ArchiveError> {
    let root = only_folder_in(unpacked).map_err(|source| write_error(unpacked, source))?;
    let root = root.as_deref().unwrap_or(unpacked);
    marker_of(root, origin)
        .and_then(|marker| create_new(&root.join(MARKER))?.write_all(marker.as_bytes()))
        .map_err(|source| write_error(root, source))?;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|source| write_error(folder, source))?;
    }
    fs::rename(root, folder).map_err(|source| write_error(folder, source))
}

/// The archive's hash, [`LISTED`], and a line for each file with its bytes, its SHA-256 and its path.
fn marker_of(root: &Path, origin: &str) -> io::Result<String> {
    let mut marker = format!("{origin}\n{LISTED}\n");
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if name.contains('\n') {
                return Err(io::Error::other(format!("a line break in the name {name:?}")));
            }
            let (bytes, sha256) = (entry.metadata()?.len(), sha256_of(&path)?);
            marker.extend([&bytes.to_string(), " ", &sha256, " ", &name, "\n"]);
        }
    }
    Ok(marker)
}

/// The one folder that `folder` holds, if it holds nothing else.
fn only_folder_in(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut entries = fs::read_dir(folder)?;
    match (entries.next().transpose()?, entries.next()) {
        (Some(only), None) if only.file_type()?.is_dir() => Ok(Some(only.path())),
        _ => Ok(None),
    }
}

fn unpack_to(
    archive: &Path,
    target: &Path,
    limits: &Limits,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<(), ArchiveError> {
    let damaged = |error: io::Error| ArchiveError::Damaged { archive: archive.to_owned(), reason: error.to_string() };
    let file = File::open(archive).map_err(damaged)?;
    let packed_bytes = file.metadata().map_err(damaged)?.len();
    let file = BufReader::new(file);
    if target.exists() {
        fs::remove_dir_all(target).map_err(|source| write_error(target, source))?;
    }
    fs::create_dir_all(target).map_err(|source| write_error(target, source))?;
    let mut unpacker = Unpacker {
        archive,
        target,
        limits,
        is_wanted,
        entries: 0,
        total: 0,
        ratio_bytes: limits.ratio.saturating_mul(packed_bytes).saturating_add(1 << 20),
    };

    let name = archive.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends_in = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends_in(&[".zip"]) {
        unpacker.zip(file)
    } else if ends_in(&[".tar.gz", ".tgz"]) {
        unpacker.tar(GzDecoder::new(file))
    } else if ends_in(&[".tar"]) {
        unpacker.tar(file)
    } else {
        Err(ArchiveError::Unsupported(archive.to_owned()))
    }
}

/// One archive on its way to `target`, with what it has used of its limits.
struct Unpacker<'a> {
    archive: &'a Path,
    target: &'a Path,
    limits: &'a Limits,
    is_wanted: &'a dyn Fn(&str) -> bool,
    entries: usize,
    total: u64,
    ratio_bytes: u64,
}

impl Unpacker<'_> {
    fn zip(&mut self, file: BufReader<File>) -> Result<(), ArchiveError> {
        let damaged = |error: ZipError| self.damaged(&error);
        let mut zip = ZipArchive::new(file).map_err(damaged)?;
        if zip.has_duplicate_names() {
            return Err(self.refused("(several)", "a name appears twice"));
        }
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| self.damaged(&error))?;
            let name = entry.name().map_err(|error| self.damaged(&error))?.into_owned();
            // The bits of a Unix mode that say what kind of thing this is; 0 where the archive was not packed on Unix.
            match entry.unix_mode().unwrap_or(0) & 0o170_000 {
                0 | 0o100_000 | 0o040_000 => {}
                0o120_000 => return Err(self.refused(&name, "a symbolic link")),
                _ => return Err(self.refused(&name, "neither a file nor a folder")),
            }
            if !(self.is_wanted)(&name) {
                self.count()?;
            } else if entry.is_dir() {
                self.folder(&name)?;
            } else {
                self.file(&name, entry.size(), &mut entry)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, stream: impl Read) -> Result<(), ArchiveError> {
        // Long names are read into memory before they are seen here; this bounds them, and everything else.
        let mut tar = tar::Archive::new(stream.take(self.ratio_bytes.saturating_add(1 << 20)));
        for entry in tar.entries().map_err(|error| self.damaged(&error))? {
            let mut entry = entry.map_err(|error| self.damaged(&error))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            match entry.header().entry_type() {
                _ if !(self.is_wanted)(&name) => self.count()?,
                EntryType::Regular | EntryType::Continuous => self.file(&name, entry.size(), &mut entry)?,
                EntryType::Directory => self.folder(&name)?,
                EntryType::XGlobalHeader => {} // a comment, such as the commit that `git archive` notes
                EntryType::Symlink => return Err(self.refused(&name, "a symbolic link")),
                EntryType::Link => return Err(self.refused(&name, "a hard link")),
                _ => return Err(self.refused(&name, "neither a file nor a folder")),
            }
        }
        if self.entries == 0 {
            return Err(self.damaged(&"no entries"));
        }
        Ok(())
    }

    fn folder(&mut self, name: &str) -> Result<(), ArchiveError> {
        let path = self.admit(name)?;
        fs::create_dir_all(&path).map_err(|source| write_error(&path, source))
    }

    /// Writes one entry of `size` declared bytes, counting those that really come.
    fn file(&mut self, name: &str, size: u64, content: &mut impl Read) -> Result<(), ArchiveError> {
        let path = self.admit(name)?;
        let write_failed = |source| write_error(&path, source);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(write_failed)?;
        }
        let mut file = match create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(self.refused(name, "its name appears twice"));
            }
            file => file.map_err(write_failed)?,
        };
        self.check_sizes(size)?;
        let mut written = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(&format!("entry `{name}`: {error}"))),
            };
            written += count as u64;
            self.check_sizes(written)?;
            file.write_all(&buffer[..count]).map_err(write_failed)?;
        }
        if written != size {
            return Err(self.damaged(&format!("entry `{name}` has {written} of {size} bytes")));
        }
        self.total += written;
        Ok(())
    }

    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(self.too_large(self.limits.entries as u64, "entries"));
        }
        Ok(())
    }

    /// Counts an entry and gives its place inside the target folder.
    fn admit(&mut self, name: &str) -> Result<PathBuf, ArchiveError> {
        self.count()?;
        let mut path = self.target.to_owned();
        for component in Path::new(name).components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                _ => return Err(self.refused(name, "it leads out of the folder")),
            }
        }
        // Plain characters on Unix, but on Windows a separator and the mark of a drive or a hidden stream.
        if name.contains(['\\', ':', '\0']) {
            return Err(self.refused(name, "a backslash, colon or zero byte in its name"));
        }
        Ok(path)
    }

    /// Checks the limits with `size` bytes of the current file.
    fn check_sizes(&self, size: u64) -> Result<(), ArchiveError> {
        let total = self.total.saturating_add(size);
        if size > self.limits.file_bytes {
            Err(self.too_large(self.limits.file_bytes, "bytes in one file"))
        } else if total > self.limits.total_bytes {
            Err(self.too_large(self.limits.total_bytes, "bytes"))
        } else if total > self.ratio_bytes {
            Err(self.too_large(self.limits.ratio, "times the bytes of the archive itself"))
        } else {
            Ok(())
        }
    }

    fn refused(&self, entry: &str, reason: &'static str) -> ArchiveError {
        ArchiveError::Refused { archive: self.archive.to_owned(), entry: entry.to_owned(), reason }
    }

    fn too_large(&self, limit: u64, what: &'static str) -> ArchiveError {
        ArchiveError::TooLarge { archive: self.archive.to_owned(), limit, what }
    }

    fn damaged(&self, reason: &impl ToString) -> ArchiveError {
        ArchiveError::Damaged { archive: self.archive.to_owned(), reason: reason.to_string() }
    }
}

/// Creates a file that must not exist yet, so that nothing is written through what already stands there.
fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn write_error(path: &Path, reason: io::Error) -> ArchiveError {
    ArchiveError::Write { path: path.to_owned(), reason }
}
