//! Labeled reviews straight out of an archive, so that a hundred thousand small files are never written to a disk.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use d2l::data::DataError;
use flate2::read::GzDecoder;

use crate::reviews::{NEGATIVE, POSITIVE};

/// The publisher's archive has some three hundred million bytes when it is unpacked; one that has more than this is another.
const MAX_BYTES: u64 = 1 << 30;

/// The publisher's archive has a hundred thousand.
const MAX_ENTRIES: usize = 200_000;

/// The longest review has fourteen thousand bytes.
const MAX_REVIEW: u64 = 1 << 22;

/// What the name of a review's file tells, such as `aclImdb/train/pos/0_9.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileName {
    is_test: bool,
    label: u32,
    number: u32,
    /// Stars, from 1 to 10.
    rating: u32,
}

impl FileName {
    /// Nothing where it is not the name of a labeled review.
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("./").unwrap_or(name).split('/');
        if parts.next() != Some("aclImdb") {
            return None;
        }
        let is_test = match parts.next()? {
            "train" => false,
            "test" => true,
            _ => return None,
        };
        let label = match parts.next()? {
            "pos" => POSITIVE,
            "neg" => NEGATIVE,
            _ => return None,
        };
        let (number, rating) = parts.next()?.strip_suffix(".txt")?.split_once('_')?;
        let digits = |text: &str| {
            let all = text.bytes().all(|byte| byte.is_ascii_digit());
            if all { text.parse().ok() } else { None }
        };
        let name = Self { is_test, label, number: digits(number)?, rating: digits(rating)? };
        parts.next().is_none().then_some(name)
    }

    /// Whether the rating fits the label: reviews of five or six stars are in neither folder.
    fn is_sound(self) -> bool {
        if self.label == POSITIVE { (7..=10).contains(&self.rating) } else { (1..=4).contains(&self.rating) }
    }
}

/// A review with its place in the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabeledReview {
    pub is_test: bool,
    pub label: u32,
    pub number: u32,
    /// Without line ends.
    pub text: String,
}

/// Reads the labeled reviews of a tar archive that gzip has packed, in the archive's order: the entries
/// `aclImdb/{train,test}/{pos,neg}/NUMBER_RATING.txt`. All others are passed over.
///
/// # Errors
/// Where the archive cannot be read, is damaged or too large; where a review is no file, too long, not UTF-8, or has a rating
/// that its folder does not allow. The error names the archive and, where one is at fault, the entry.
pub(crate) fn read_archive(path: &Path) -> Result<Vec<LabeledReview>, DataError> {
    let failed = |what: &str| DataError::invalid(format!("{}: {what}", path.display()));
    let damaged = |error: io::Error| failed(&format!("damaged or cut short ({error}); delete it and fetch it again"));
    let file = File::open(path).map_err(|reason| DataError::read(path, reason))?;
    // Long names are read into memory before they are seen here: this bounds them, too.
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)).take(MAX_BYTES + 1));
    let mut reviews = Vec::new();
    for (place, entry) in archive.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if place >= MAX_ENTRIES {
            return Err(failed(&format!("more than {MAX_ENTRIES} entries: this is another archive")));
        }
        if entry.raw_file_position().saturating_add(entry.size()) > MAX_BYTES {
            return Err(failed(&format!("more than {MAX_BYTES} bytes: this is another archive")));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(file_name) = FileName::parse(&name) else { continue };
        let at_fault = |what: &str| DataError::invalid(format!("{}, entry `{name}`: {what}", path.display()));
        if !entry.header().entry_type().is_file() {
            return Err(at_fault("this is no file"));
        }
        if entry.size() > MAX_REVIEW {
            return Err(at_fault(&format!("more than {MAX_REVIEW} bytes: this is no review")));
        }
        let FileName { is_test, label, number, rating } = file_name;
        if !file_name.is_sound() {
            let allowed = "in `pos` are those of 7 to 10 stars, in `neg` those of 1 to 4";
            return Err(at_fault(&format!("the rating {rating} does not fit the folder: {allowed}")));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let text = decode(&bytes).map_err(|what| at_fault(&what))?;
        reviews.push(LabeledReview { is_test, label, number, text });
    }
    Ok(reviews)
}

/// The text of a review's file. Line ends vanish and nothing takes their place, as in the book; the set has none.
fn decode(bytes: &[u8]) -> Result<String, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err("the file is in UTF-16, or has a zero byte".to_string()),
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).replace(['\r', '\n'], "")),
        Err(error) => {
            let place = error.valid_up_to();
            Err(format!("byte {place}, 0x{:02X}, is not UTF-8", bytes[place]))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tar::{Builder, EntryType, Header};

    use super::*;

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn packer(path: &Path) -> io::Result<Builder<GzEncoder<File>>> {
        Ok(Builder::new(GzEncoder::new(File::create(path)?, Compression::fast())))
    }

    /// Writes an archive with these entries.
    pub fn pack(path: &Path, entries: &[(&str, &[u8])]) -> io::Result<()> {
        let mut archive = packer(path)?;
        for (name, content) in entries {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, *content)?;
        }
        archive.into_inner()?.finish()?;
        Ok(())
    }

    fn message(path: &Path) -> String {
        read_archive(path).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn names_tell_the_part_the_label_and_the_rating() {
        let name = |is_test, label, number, rating| Some(FileName { is_test, label, number, rating });
        assert_eq!(FileName::parse("aclImdb/train/pos/0_9.txt"), name(false, 1, 0, 9));
        assert_eq!(FileName::parse("./aclImdb/test/neg/12499_1.txt"), name(true, 0, 12499, 1));
        let others = [
            "aclImdb/train/unsup/0_0.txt",
            "aclImdb/train/pos",
            "aclImdb/train/pos/",
            "aclImdb/train/pos/0_9.txt/more",
            "aclImdb/train/pos/0_9.text",
            "aclImdb/train/pos/0-9.txt",
            "aclImdb/train/pos/_9.txt",
            "aclImdb/train/pos/+1_9.txt",
            "aclImdb/train/pos/99999999999_9.txt",
            "aclImdb/valid/pos/0_9.txt",
            "/aclImdb/train/pos/0_9.txt",
            "x/../aclImdb/train/pos/0_9.txt",
            "aclImdb/imdb.vocab",
            "",
        ];
        for other in others {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn reviews_are_read_and_other_entries_passed_over() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.tar.gz");
        pack(
            &path,
            &[
                ("aclImdb/README", b"\xff\xfe"),
                ("aclImdb/train/unsup/0_0.txt", b"no label"),
                ("aclImdb/train/neg/3_1.txt", b"\xef\xbb\xbfSo\r\nbad\n"),
                ("aclImdb/test/pos/7_10.txt", "Ein schöner Film".as_bytes()),
                ("aclImdb/train/pos/1_7.txt", b""),
            ],
        )?;
        let read = read_archive(&path)?;
        let review = |is_test, label, number, text: &str| LabeledReview { is_test, label, number, text: text.into() };
        assert_eq!(
            read,
            [review(false, 0, 3, "Sobad"), review(true, 1, 7, "Ein schöner Film"), review(false, 1, 1, ""),]
        );
        Ok(())
    }

    #[test]
    fn what_is_at_fault_is_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.tar.gz");
        let long = vec![b'a'; MAX_REVIEW as usize + 1];
        let cases: [(&str, &[u8], &str); 5] = [
            ("aclImdb/train/pos/0_9.txt", b"caf\xe9", "entry `aclImdb/train/pos/0_9.txt`: byte 3, 0xE9, is not UTF-8"),
            ("aclImdb/train/pos/0_9.txt", b"a\0b\0", "UTF-16"),
            ("aclImdb/train/pos/0_5.txt", b"fair", "`aclImdb/train/pos/0_5.txt`: the rating 5 does not fit the folder"),
            ("aclImdb/test/neg/0_11.txt", b"fair", "the rating 11 does not fit"),
            ("aclImdb/test/neg/0_1.txt", &long, "more than 4194304 bytes"),
        ];
        for (name, content, part) in cases {
            pack(&path, &[(name, content)])?;
            let message = message(&path);
            assert!(message.contains("a.tar.gz") && message.contains(part), "{message}, not {part}");
        }
        Ok(())
    }

    #[test]
    fn links_are_no_reviews() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.tar.gz");
        let mut archive = packer(&path)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, "aclImdb/train/pos/0_9.txt", "/etc/hostname")?;
        archive.into_inner()?.finish()?;
        assert!(message(&path).contains("`aclImdb/train/pos/0_9.txt`: this is no file"), "{}", message(&path));
        Ok(())
    }

    #[test]
    fn damaged_archives_are_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.tar.gz");
        // Bytes that do not pack well, so that half of the file is half of the review.
        let content: Vec<u8> = (0..20_000u64).map(|i| b'a' + (i * i * 7919 % 8191 % 26) as u8).collect();
        pack(&path, &[("aclImdb/train/pos/0_9.txt", &content)])?;
        assert_eq!(read_archive(&path)?.len(), 1);
        let whole = std::fs::read(&path)?;
        std::fs::write(&path, &whole[..whole.len() / 2])?;
        assert!(message(&path).contains("a.tar.gz: damaged or cut short"), "{}", message(&path));
        std::fs::write(&path, "no archive")?;
        assert!(message(&path).contains("a.tar.gz: damaged or cut short"), "{}", message(&path));
        assert!(message(&folder.path().join("missing.tar.gz")).contains("missing.tar.gz"));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_name_is_too_odd(name in "(aclImdb|\\.|[a-z]{0,2})?(/(train|test|pos|neg|[0-9]{1,12}|_|\\.txt|é)*){0,5}") {
            if let Some(parsed) = FileName::parse(&name) {
                prop_assert!(name.strip_suffix(".txt").is_some() && parsed.label <= POSITIVE);
            }
        }
    }
}
