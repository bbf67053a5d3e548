//! Reading text files, with errors that say where.

use std::io;
use std::path::{Path, PathBuf};

/// Why a text cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file cannot be opened or read.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing but white space in the file.
    #[error("{} holds no text", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Bytes that are no UTF-8.
    #[error("{}: line {line} is not UTF-8 at its byte {byte}; convert the file to UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The byte within the line, from 1.
        byte: usize,
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
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// Its fault.
        source: Box<TextError>,
    },
    /// A file without a letter that a model could learn.
    #[error("{} has no letters of the Latin alphabet", path.display())]
    NoLetters {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file of UTF-8 text.
///
/// # Errors
/// Where the file cannot be read, holds only white space, or has a byte that is not UTF-8; the error names its line.
pub fn read(path: &Path) -> Result<String, TextError> {
    let bytes = std::fs::read(path).map_err(|source| TextError::Io { path: path.to_path_buf(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let start = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        TextError::NotUtf8 { path: path.to_path_buf(), line, byte: valid.len() - start + 1 }
    })?;
    if text.trim().is_empty() {
        return Err(TextError::Empty { path: path.to_path_buf() });
    }
    Ok(text)
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
    fn errors_name_the_file_and_the_line() -> anyhow::Result<()> {
        assert!(message(b" \n\n")?.ends_with("text.txt holds no text"));
        assert!(message(b"")?.ends_with("text.txt holds no text"));
        let bad = message(b"one\ntwo\nd\xe9j\xe0\n")?;
        assert!(bad.contains("line 3 is not UTF-8 at its byte 2"), "{bad}");
        let missing = read(Path::new("no/such/file.txt")).expect_err("no such file").to_string();
        assert!(missing.contains("no/such/file.txt cannot be read"), "{missing}");
        Ok(())
    }
}
