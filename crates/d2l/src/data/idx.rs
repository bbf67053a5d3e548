//! The IDX format of MNIST and Fashion-MNIST, plain or gzipped.
//!
//! A header says what follows: two zero bytes, a type (8 for bytes), the number of axes, then each axis' length as a
//! big-endian `u32`. Nothing of it is believed before it is checked: no length is allocated before the axes are known
//! to be plausible, and the data must end exactly where the header says.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

/// No set of the book's is larger than 60,000 images of 28 x 28; a header that promises more than this is wrong.
const MAX_BYTES: usize = 1 << 30;

/// Unsigned bytes in the shape that the header gives (section 3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The length of each axis, the number of examples first.
    pub dims: Vec<usize>,
    /// The elements in row-major order.
    pub values: Vec<u8>,
}

/// What is wrong with an IDX file; each message names the file.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// The file cannot be opened or read, or its gzip stream is damaged.
    #[error("cannot read {}: {reason}; delete it to have it fetched again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor said.
        reason: io::Error,
    },
    /// The file is readable but not an IDX file of the expected kind.
    #[error("{} is not a valid IDX file: {reason}; delete it to have it fetched again", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

impl Idx {
    /// Reads a file of unsigned bytes with `axes` axes: 3 for images, 1 for labels. A name ending in `.gz` is
    /// decompressed while reading.
    ///
    /// # Errors
    /// Where the file is missing, damaged, truncated, longer than its header says, or of another type or rank.
    pub fn read(path: &Path, axes: usize) -> Result<Self, IdxError> {
        let failed = |reason| IdxError::Read { path: path.to_path_buf(), reason };
        let file = BufReader::new(File::open(path).map_err(failed)?);
        let parsed = if path.extension().is_some_and(|extension| extension == "gz") {
            Self::parse(GzDecoder::new(file), axes)
        } else {
            Self::parse(file, axes)
        };
        parsed.map_err(failed)?.map_err(|reason| IdxError::Format { path: path.to_path_buf(), reason })
    }

    /// The outer error is the reader's, the inner one tells what does not fit in what was read.
    fn parse(mut reader: impl Read, axes: usize) -> io::Result<Result<Self, String>> {
        let mut magic = [0; 4];
        if let Err(error) = reader.read_exact(&mut magic) {
            return truncated(error, "its first four bytes are missing");
        }
        let expected = [0, 0, 8, axes as u8];
        if magic != expected {
            return Ok(Err(format!(
                "magic number {}, expected {} (unsigned bytes, {axes} axes)",
                u32::from_be_bytes(magic),
                u32::from_be_bytes(expected)
            )));
        }
        let mut dims = Vec::with_capacity(axes);
        for _ in 0..axes {
            let mut length = [0; 4];
            if let Err(error) = reader.read_exact(&mut length) {
                return truncated(error, "it ends inside the header");
            }
            dims.push(u32::from_be_bytes(length) as usize);
        }
        let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
        let Some(count) = count.filter(|&count| count <= MAX_BYTES) else {
            return Ok(Err(format!("its header promises {dims:?} bytes, more than the {MAX_BYTES} that any set has")));
        };
        // One byte beyond the promised end tells whether the file is longer. A header that lies gets 64 MiB at most
        // before the data themselves must follow.
        let mut values = Vec::with_capacity(count.min(64 << 20) + 1);
        reader.take(count as u64 + 1).read_to_end(&mut values)?;
        Ok(match values.len() {
            len if len < count => Err(format!("its header promises {count} bytes of data, {len} are there")),
            len if len > count => Err(format!("its header promises {count} bytes of data, more follow")),
            _ => Ok(Self { dims, values }),
        })
    }
}

fn truncated(error: io::Error, reason: &str) -> io::Result<Result<Idx, String>> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(Err(reason.to_string())) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;

    fn images(count: u32) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3];
        [count, 2, 3].iter().for_each(|length| bytes.extend(length.to_be_bytes()));
        bytes.extend((0..count * 6).map(|i| i as u8));
        bytes
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("a write to memory");
        encoder.finish().expect("a write to memory")
    }

    fn read(name: &str, bytes: &[u8]) -> Result<Idx, String> {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        Idx::read(&path, 3).map_err(|error| {
            let message = error.to_string();
            assert!(message.contains(name), "the message names the file: {message}");
            message
        })
    }

    #[test]
    fn plain_and_gzipped_files_are_read() {
        for (name, bytes) in [("plain", images(4)), ("packed.gz", gzipped(&images(4)))] {
            let idx = read(name, &bytes).expect("a valid file");
            assert_eq!((idx.dims, idx.values), (vec![4, 2, 3], (0..24).collect()));
        }
        assert_eq!(read("empty-set", &images(0)).expect("no images is valid").values.len(), 0);
    }

    #[test]
    fn broken_files_are_named_with_the_reason() {
        let with = |at: usize, value: u8| {
            let mut bytes = images(4);
            bytes[at] = value;
            bytes
        };
        let cases: [(&str, Vec<u8>, &str); 8] = [
            ("nothing", vec![], "first four bytes are missing"),
            ("labels-for-images", with(3, 1), "magic number 2049, expected 2051"),
            ("floats", with(2, 0x0D), "magic number"),
            ("no-header", images(4)[..9].to_vec(), "ends inside the header"),
            ("short", images(4)[..30].to_vec(), "promises 24 bytes of data, 14 are there"),
            ("long", [images(4), vec![0]].concat(), "more follow"),
            ("huge", with(4, 0xFF), "more than the"),
            ("cut.gz", gzipped(&images(400))[..40].to_vec(), "cannot read"),
        ];
        for (name, bytes, reason) in cases {
            let message = read(name, &bytes).expect_err("a broken file");
            assert!(message.contains(reason), "{name}: {message}");
        }
        let mut damaged = gzipped(&images(400));
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xFF;
        assert!(read("damaged.gz", &damaged).is_err());
        assert!(read("not-gzip.gz", b"<html>503</html>").expect_err("not gzip").contains("cannot read"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Idx::read(Path::new("no/such/file"), 1).expect_err("nothing there").to_string();
        assert!(error.contains("no/such/file"), "{error}");
    }
}
