//! What the commands say: problems with the place where they are, and lines on standard output.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Something to put right, where it is, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// Counted from 1.
    pub line: Option<usize>,
    pub message: String,
}

impl Problem {
    pub fn file(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into() }
    }

    pub fn line(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.message),
            None => write!(f, "{}: {}", self.path.display(), self.message),
        }
    }
}

/// Writes a line to standard output. A closed pipe comes back as an error, so that `main` can end quietly.
pub fn say(line: impl fmt::Display) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Whether the reader of the output went away, as `head` does.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// ` (did you mean “…”?)` for the known name that is nearest, or a list of them when none is near.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate));
    match nearest.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, candidate)) if likeness > 0.7 => format!(" (did you mean “{candidate}”?)"),
        Some(_) => format!(" (there is {})", known.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name_or_lists_all() {
        assert_eq!(suggestion("Trainin", ["Data", "Training"]), " (did you mean “Training”?)");
        assert_eq!(suggestion("xyz", ["Data", "Training"]), " (there is Data, Training)");
        assert_eq!(suggestion("xyz", []), "");
    }

    #[test]
    fn only_a_closed_pipe_is_quiet() {
        assert!(is_closed_pipe(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }
}
