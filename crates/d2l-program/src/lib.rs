//! What belongs to a program rather than to a library: its `main`, its allocator, its settings of threads.
//!
//! No library depends on this crate. A notebook compiles each cell to a shared object with all the libraries below it, and
//! an allocator among them, whose thread-local storage is of the static kind, leaves no room for the eleventh.

#![warn(missing_docs)]

mod allocator;

pub use allocator::Allocator;
#[doc(hidden)] // for the macros
pub use d2l;

/// Makes a chapter's `main`: `d2l_program::chapter_main!(linear_nets::CHAPTER);` is the whole program.
#[macro_export]
macro_rules! chapter_main {
    ($chapter:expr) => {
        $crate::program_main!($crate::d2l::notebook::Invocation::from_args(&$chapter));
    };
}

/// Makes a `main` that starts as a chapter's does, from a command line as `Result<I, ExitCode>`, where `I` has methods
/// `threads` (as [`threads`](d2l::notebook::threads) gives) and `run`, to an `ExitCode`.
///
/// Before any thread starts it sets the number of threads that candle and rayon read, which candle otherwise asks the
/// system for at each matrix product; it tells candle's own threads to sleep when they have nothing to do, since they
/// would wait on the cores that the kernels of [`ops`](d2l::ops) compute on; and its allocator keeps large buffers
/// instead of mapping them anew each step.
#[macro_export]
macro_rules! program_main {
    ($invocation:expr) => {
        #[global_allocator]
        static ALLOCATOR: $crate::Allocator = $crate::Allocator;

        fn main() -> std::process::ExitCode {
            let invocation = match $invocation {
                Ok(invocation) => invocation,
                Err(code) => return code,
            };
            // SAFETY: no other thread runs yet, so none reads the environment meanwhile.
            #[allow(unsafe_code)]
            unsafe {
                std::env::set_var("RAYON_NUM_THREADS", invocation.threads().to_string());
                if std::env::var_os("CANDLE_BARRIER_POOL_SPIN_LIMIT").is_none() {
                    std::env::set_var("CANDLE_BARRIER_POOL_SPIN_LIMIT", "0");
                }
            }
            $crate::Allocator::keep_freed_memory();
            invocation.run()
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    /// What a library names, every cell of a notebook links.
    #[test]
    fn no_library_names_this_crate() {
        let crates = Path::new("..").canonicalize().expect("the folder of the crates");
        let (mut programs, mut libraries) = (0, Vec::new());
        for file in sources(&crates).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
            let inside = file.strip_prefix(&crates).expect("inside").to_string_lossy().into_owned();
            if inside.starts_with("d2l-program")
                || !fs::read_to_string(&file).expect("a source").contains("d2l_program::")
            {
                continue;
            }
            if inside.ends_with("src/main.rs") { programs += 1 } else { libraries.push(inside) }
        }
        assert!(programs >= 8, "chapters and bench start by it: {programs}");
        assert_eq!(libraries, Vec::<String>::new());
    }
}
