//! Reading text files, with errors that say where.

use std::io;
use std::path::{Path, PathBuf};

/// Why a text cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file cannot be opened or read.
    #[error("{} cannot be read: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// There is nothing but white space in the file.
    #[error("{} holds no text", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that are no UTF-8.
    #[error(
        "{}, line {line}: the byte 0x{byte:02X} is not UTF-8, the file is probably in Latin-1; save the file as UTF-8",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The first byte that is not.
        byte: u8,
    },
    /// UTF-16, with its mark or by its zero bytes.
    #[error("{}, line {line}: the file is in UTF-16, or has a zero byte; save the file as UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of sentence pairs without a tab.
    #[error("line {line} has no tab between two sentences: {text:?}")]
    NoTab {
        /// The line, from 1.
        line: usize,
        /// Its beginning.
        text: String,
    },
    /// Minibatches without a row or without a step.
    #[error("a minibatch needs at least one row and one step")]
    NoMinibatch,
    /// A text that fills no minibatch.
    #[error(
        "{tokens} tokens are too few for {batch_size} rows of {num_steps} steps: at least {least} are needed; choose a \
         smaller batch size or fewer steps"
    )]
    TooShort {
        /// The text's tokens.
        tokens: usize,
        /// Rows of a minibatch.
        batch_size: usize,
        /// Steps of a row.
        num_steps: usize,
        /// How many tokens fill a minibatch wherever an epoch begins.
        least: usize,
    },
    /// A file that is at fault, by its name.
    #[error("{}: {fault}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// Its fault.
        fault: Box<TextError>,
    },
    /// A file without a letter that a model could learn.
    #[error("{} has no letters of the Latin alphabet", path.display())]
    NoLetters {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file of UTF-8 text, as [`decode`] does, that holds more than white space.
///
/// # Errors
/// As [`decode`], and where the file holds only white space.
pub fn read(path: &Path) -> Result<String, TextError> {
    let text = decode(path)?;
    if text.trim().is_empty() {
        return Err(TextError::Empty { path: path.to_path_buf() });
    }
    Ok(text)
}

/// A file's text, by the one rule of all readers of text here: UTF-8, a byte order mark at its start left out, and each
/// line ended by a newline alone.
///
/// # Errors
/// Where the file cannot be read, is in UTF-16, or has a byte that is not UTF-8; the error names its line.
pub fn decode(path: &Path) -> Result<String, TextError> {
    let bytes = std::fs::read(path).map_err(|reason| TextError::Io { path: path.to_path_buf(), reason })?;
    let line = |place: usize| bytes[..place].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let is_marked = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| bytes.starts_with(mark));
    if let Some(place) = if is_marked { Some(0) } else { bytes.iter().position(|&byte| byte == 0) } {
        return Err(TextError::Utf16 { path: path.to_path_buf(), line: line(place) });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")),
        Err(error) => {
            let place = error.valid_up_to();
            Err(TextError::NotUtf8 { path: path.to_path_buf(), line: line(place), byte: bytes[place] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &[u8]) -> anyhow::Result<String> {
        let folder = tempfile::TempDir::new()?;
        let path = folder.path().join("text.txt");
        std::fs::write(&path, content)?;
        Ok(match read(&path) {
            Ok(text) => text,
            Err(error) => error.to_string(),
        })
    }

    #[test]
    fn text_beyond_ascii_is_read_as_it_is() -> anyhow::Result<()> {
        assert_eq!(message("déjà vu\u{202f}!\n".as_bytes())?, "déjà vu\u{202f}!\n");
        Ok(())
    }

    #[test]
    fn marks_and_line_ends_of_other_systems_are_no_text() -> anyhow::Result<()> {
        assert_eq!(message("\u{feff}Go.\tVa !\r\nHi.\tSalut !\r\n".as_bytes())?, "Go.\tVa !\nHi.\tSalut !\n");
        assert!(message("\u{feff}".as_bytes())?.ends_with("holds no text"));
        Ok(())
    }

    #[test]
    fn errors_name_the_file_and_the_line() -> anyhow::Result<()> {
        assert!(message(b" \n\n")?.ends_with("text.txt holds no text"));
        assert!(message(b"")?.ends_with("text.txt holds no text"));
        let bad = message(b"one\ntwo\nd\xe9j\xe0\n")?;
        assert!(bad.contains("text.txt, line 3: the byte 0xE9 is not UTF-8"), "{bad}");
        let wide = message(b"o\0n\0e\0")?;
        assert!(wide.contains("text.txt, line 1: the file is in UTF-16"), "{wide}");
        let missing = read(Path::new("no/such/file.txt")).expect_err("no such file").to_string();
        assert!(missing.contains("no/such/file.txt cannot be read"), "{missing}");
        Ok(())
    }
}
