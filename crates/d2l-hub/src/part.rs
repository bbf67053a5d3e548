//! A file on its way into the cache.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::{
    dataset::{Dataset, Hash},
    error::{Failure, HubError, SourceError},
    verify::Hasher,
};
use crate::partial;

/// The file under its temporary name, hashed as it is written. Dropped unfinished, it is deleted; only
/// [`Part::finish`] gives it its name.
pub(crate) struct Part {
    set: Dataset,
    target: PathBuf,
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

impl Part {
    pub fn create(set: &Dataset, target: &Path) -> Result<Self, HubError> {
        let path = partial::path_for(target);
        let file = File::create(&path).map_err(HubError::write(&path))?;
        Ok(Self { set: *set, target: target.to_owned(), path, file, hasher: Hasher::new(*set) })
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.hasher.bytes()
    }

    /// Refuses a file of `total` bytes that is too large to be the set.
    pub fn check_size(&self, total: u64) -> Result<(), SourceError> {
        if total > self.set.max_size() { Err(SourceError::too_large(&self.set)) } else { Ok(()) }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.check_size(self.len() + bytes.len() as u64)?;
        self.file.write_all(bytes).map_err(HubError::write(&self.path))?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Writes all that a source gives.
    pub fn write_all_from(&mut self, source: &mut dyn Read) -> Result<(), Failure> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match source.read(&mut buffer).map_err(SourceError::from)? {
                0 => return Ok(()),
                count => self.write(&buffer[..count])?,
            }
        }
    }

    /// Forgets all bytes.
    pub fn restart(&mut self) -> Result<(), HubError> {
        self.hasher = Hasher::new(self.set);
        self.file.rewind().and_then(|()| self.file.set_len(0)).map_err(HubError::write(&self.path))
    }

    /// Puts the file in its place if its bytes are those of the set.
    pub fn finish(mut self) -> Result<Hash, Failure> {
        self.file.sync_all().map_err(HubError::write(&self.path))?;
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new(self.set));
        let hash = hasher.finish(&self.path)?;
        fs::rename(&self.path, &self.target).map_err(HubError::write(&self.target))?;
        sync_folder_of(&self.target);
        Ok(hash)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing to delete; if deleting fails, the name alone keeps the file from being used.
        let _: io::Result<()> = fs::remove_file(&self.path);
    }
}

/// Makes the rename outlast a power cut, where the system lets a folder be synced; the file is right without it too.
fn sync_folder_of(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _: io::Result<()> = folder.sync_all();
    }
}
