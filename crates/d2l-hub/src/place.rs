//! Where data are: the cache and the committed samples.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of data sets and samples: `D2L_DATA_DIR` where that is set; else the `data` folder of this repository, found
/// upwards from the current folder or from the program; else a folder of the user's own for caches.
pub fn data_folder() -> PathBuf {
    set_folder().or_else(repository).unwrap_or_else(|| user_cache().join("d2l"))
}

/// A committed sample by its place in `data/samples`, such as `time_machine/sample.txt`.
///
/// # Errors
/// Where there is none: the program runs outside of the repository.
pub fn sample(place: &str) -> Result<PathBuf, SampleError> {
    let folders = set_folder().into_iter().chain(repository());
    let mut looked = Vec::new();
    for folder in folders {
        let path = folder.join("samples").join(place);
        if path.exists() {
            return Ok(path);
        }
        looked.push(path.display().to_string());
    }
    Err(SampleError { place: place.to_string(), looked })
}

/// A sample is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleError {
    place: String,
    looked: Vec<String>,
}

impl std::fmt::Display for SampleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the sample {} that belongs to this repository is not there", self.place)?;
        if !self.looked.is_empty() {
            write!(f, " (looked for {})", self.looked.join(" and "))?;
        }
        f.write_str(": run the program inside the repository, or set D2L_DATA_DIR to its folder data")
    }
}

impl std::error::Error for SampleError {}

/// What `D2L_DATA_DIR` says; set to nothing, it says nothing.
fn set_folder() -> Option<PathBuf> {
    env::var_os("D2L_DATA_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The `data` folder of the repository, upwards from the current folder, then from the program's.
fn repository() -> Option<PathBuf> {
    let upwards =
        |start: &Path| start.ancestors().map(|folder| folder.join("data")).find(|data| data.join("samples").is_dir());
    let here = env::current_dir().ok().and_then(|folder| upwards(&folder));
    here.or_else(|| env::current_exe().ok().and_then(|program| upwards(&program)))
}

/// Where a user's programs cache what they can fetch again.
fn user_cache() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || folder("HOME").unwrap_or_default();
    if cfg!(windows) {
        folder("LOCALAPPDATA").unwrap_or_default()
    } else if cfg!(target_os = "macos") {
        home().join("Library/Caches")
    } else {
        folder("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_from_the_crates_own_folder() {
        assert!(sample("time_machine/sample.txt").is_ok_and(|path| path.is_file()));
        let error = sample("no/such.txt").expect_err("not there").to_string();
        assert!(error.contains("no/such.txt") && error.contains("D2L_DATA_DIR"), "{error}");
        assert!(data_folder().join("samples").is_dir());
    }
}
