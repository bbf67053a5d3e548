//! Words to the reader beside a run's results.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error. Where that is a closed pipe or a full disk, the line is lost and the training is not:
/// `eprintln!` would panic.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
