//! Decides whether bytes are a set.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::GzDecoder;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    dataset::{Dataset, Folder, Hash},
    error::SourceError,
};

/// Hashes a file while it passes by.
pub(crate) struct Hasher {
    set: Dataset,
    bytes: u64,
    sha256: Sha256,
    sha1: Option<Sha1>,
}

impl Hasher {
    pub fn new(set: Dataset) -> Self {
        let needs_sha1 = set.hashes.iter().any(|hash| matches!(hash, Hash::Sha1(_)));
        Self { set, bytes: 0, sha256: Sha256::new(), sha1: needs_sha1.then(Sha1::new) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
    }

    /// How many bytes have passed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The registered hash that the bytes have; `path` is where they lie, for hashes of what is inside them.
    pub fn finish(self, path: &Path) -> Result<Hash, SourceError> {
        let sha256 = hex(&self.sha256.finalize());
        let sha1 = self.sha1.map(|sha1| hex(&sha1.finalize()));
        let proof = self.set.hashes.iter().find(|hash| match hash {
            Hash::Sha256(wanted) => *wanted == sha256,
            Hash::Sha1(wanted) => Some(*wanted) == sha1.as_deref(),
            Hash::Sha256Start(digits) => sha256.starts_with(digits),
            // What is not a sound gzip file does not have the content either.
            Hash::Gunzipped { sha256, size } => gunzipped_sha256(path, *size).is_ok_and(|got| got == *sha256),
        });
        proof.copied().ok_or_else(|| SourceError::Hash {
            got: sha256,
            got_sha1: sha1,
            bytes: self.bytes,
            wanted: SourceError::wanted(&self.set),
            size: self.set.size,
        })
    }
}

/// Hashes the file at `path`; gives the registered hash that it has.
pub(crate) fn verify(path: &Path, set: &Dataset) -> Result<Hash, SourceError> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() > set.max_size() {
        return Err(SourceError::too_large(set));
    }
    let mut hasher = Hasher::new(*set);
    each_chunk(&mut file, |bytes| hasher.update(bytes))?;
    hasher.finish(path)
}

/// Compares the files of a folder with the list of them that is wanted.
pub(crate) fn verify_folder(path: &Path, folder: &Folder) -> Result<(), SourceError> {
    let mut files = Vec::new();
    list_files(path, "", folder.files, &mut files)?;
    let differs = |found| Err(SourceError::Folder { found, files: folder.files, wanted: folder.sha256 });
    if files.len() != folder.files {
        let more = if files.len() > folder.files { "more than " } else { "" };
        return differs(format!("{more}{} files", files.len().min(folder.files)));
    }
    files.sort_unstable();
    let mut list = Sha256::new();
    for file in &files {
        list.update(format!("{}  {file}\n", sha256_of(&path.join(file))?));
    }
    let list = hex(&list.finalize());
    if list == folder.sha256 { Ok(()) } else { differs(format!("a list with SHA-256 {list}")) }
}

/// The plain files below a folder, by their paths from it; ends after one more than `most`.
fn list_files(folder: &Path, prefix: &str, most: usize, files: &mut Vec<String>) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            list_files(&entry.path(), &format!("{path}/"), most, files)?;
        } else {
            files.push(path);
        }
        if files.len() > most {
            break;
        }
    }
    Ok(())
}

/// Reads to the end, and hands on what comes.
fn each_chunk(reader: &mut impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            count => take(&buffer[..count]),
        }
    }
}

/// SHA-256 of the content of a gzip file that is one member of at most `size` bytes and nothing else.
fn gunzipped_sha256(path: &Path, size: u64) -> io::Result<String> {
    let mut content = GzDecoder::new(BufReader::new(File::open(path)?)).take(size + 1);
    let mut sha256 = Sha256::new();
    each_chunk(&mut content, |bytes| sha256.update(bytes))?;
    // Some readers would go on into what follows the member: nothing that was not hashed may follow.
    let mut rest = content.into_inner().into_inner();
    if !rest.fill_buf()?.is_empty() {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    Ok(hex(&sha256.finalize()))
}

/// SHA-256 of a file, in hexadecimal digits.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut sha256 = Sha256::new();
    each_chunk(&mut File::open(path)?, |bytes| sha256.update(bytes))?;
    Ok(hex(&sha256.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
