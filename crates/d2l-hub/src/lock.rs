//! One process at a time fetches a file; the others wait and find it in the cache.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::error::HubError;

/// Locks `path` (created if need be, and left where it is: deleting it would let two processes lock two files of the
/// same name). Calls `on_wait` once if another process holds the lock, then waits up to `patience`.
///
/// The system frees the lock when the returned file is dropped or its process dies.
pub(crate) fn acquire(path: &Path, patience: Duration, on_wait: impl FnOnce()) -> Result<File, HubError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(HubError::write(folder))?;
    }
    let file = File::create(path).map_err(HubError::write(path))?;
    let start = Instant::now();
    let mut on_wait = Some(on_wait);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(HubError::write(path)(source)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                return Err(HubError::Locked { path: path.to_owned(), waited: patience });
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(on_wait) = on_wait.take() {
                    on_wait();
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}
