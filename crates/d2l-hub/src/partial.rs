//! Names for work in progress: what bears one is never read, and is taken away once its process has gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where this process builds `target` before it renames the result: `<target>.part-<process id>`, in the same folder
/// since a rename is atomic only inside one file system.
pub(crate) fn path_for(target: &Path) -> PathBuf {
    target.with_file_name(format!("{}{}", prefix(target), std::process::id()))
}

/// Deletes what interrupted processes left of `target`. Call it under the lock of `target`: a live process may be
/// writing otherwise.
pub(crate) fn remove_leftovers(target: &Path) -> io::Result<()> {
    let prefix = prefix(target);
    for entry in fs::read_dir(target.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn prefix(target: &Path) -> String {
    format!("{}.part-", target.file_name().unwrap_or_default().to_string_lossy())
}
