//! What the fuzz targets share: the readers take a path, so each input becomes a file of a temporary folder.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A folder with one file in it, gone when dropped.
pub struct Input {
    folder: TempDir,
    path: PathBuf,
}

impl Input {
    /// Writes `data` to a file of this name.
    pub fn new(name: &str, data: &[u8]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, data).expect("a file in it");
        Self { folder, path }
    }

    /// The file.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// A path beside the file.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many things are in the folder.
    pub fn entries(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("the folder").count()
    }

    /// Panics unless a message names the file, so that its reader can find it.
    pub fn named_in(&self, message: &str) {
        let name = self.path.file_name().expect("a name").to_string_lossy();
        assert!(message.contains(&*name), "the file is not named in: {message}");
    }
}
