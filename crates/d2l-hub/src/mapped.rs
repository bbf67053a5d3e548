//! Files of the cache as memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A file's bytes where the system has them: what is never looked at is never read.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file that this crate or its users have put into the cache. Such files come into being under another name
    /// and are renamed; whoever makes one anew renames another one over it, and what is mapped stays as it was.
    ///
    /// # Errors
    /// What the system gives, such as where there is no such file, or an empty one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the bytes change only where another program writes into the file, which nothing here does: files of the
        // cache are replaced by renaming, as told above.
        #[allow(unsafe_code)]
        let bytes = unsafe { memmap2::Mmap::map(&file) }?;
        Ok(Self(bytes))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_keeps_its_bytes_when_another_takes_its_name() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vectors");
        std::fs::write(&path, "first")?;
        let mapped = Mapped::open(&path)?;
        std::fs::write(folder.path().join("new"), "second")?;
        std::fs::rename(folder.path().join("new"), &path)?;
        assert_eq!((&mapped[..], &Mapped::open(&path)?[..]), (&b"first"[..], &b"second"[..]));
        assert!(Mapped::open(&folder.path().join("missing")).is_err());
        Ok(())
    }
}
