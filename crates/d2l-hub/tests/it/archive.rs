//! Unpacking: what is refused, and that nothing of a refused archive is left.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use d2l_hub::archive::{ArchiveError, Limits, origin_of, unpack};
use flate2::{Compression, write::GzEncoder};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tar::{EntryType, Header};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

/// A tar archive of entries whose names are written as they are, unchecked.
fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().expect("a GNU header").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("elsewhere").expect("a link target");
        }
        header.set_cksum();
        builder.append(&header, *content).expect("an entry");
    }
    builder.into_inner().expect("an archive")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("compressed bytes");
    encoder.finish().expect("a gzip file")
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        writer.write_all(content).expect("its content");
    }
    writer.finish().expect("an archive").into_inner()
}

/// A folder to work in; everything unpacks to `out`.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn archive(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("an archive");
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn unpack(&self, name: &str, bytes: &[u8], limits: &Limits) -> Result<(), ArchiveError> {
        unpack(&self.archive(name, bytes), &self.out(), "a hash", limits)
    }

    /// Unpacks what must fail, and checks that only the archive is there afterwards.
    fn refusal(name: &str, bytes: &[u8], limits: &Limits) -> String {
        let shop = Self::new();
        let error = shop.unpack(name, bytes, limits).expect_err("a bad archive");
        let left: Vec<_> =
            fs::read_dir(shop.0.path()).expect("the folder").map(|e| e.expect("an entry").file_name()).collect();
        assert_eq!(left, [name], "something is left of a refused archive");
        assert_eq!(origin_of(&shop.out()), None);
        let message = error.to_string();
        assert!(message.contains(name), "the archive is not named: {message}");
        message
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const FILES: &[(&str, EntryType, &[u8])] = &[
    ("set/", EntryType::Directory, b""),
    ("set/train/a.txt", EntryType::Regular, b"one"),
    ("./set/b.txt", EntryType::Regular, b"two"),
];

#[test]
fn all_formats_unpack_to_the_same_layout() {
    let wrapped = zip(&[("set/train/a.txt", b"one"), ("set/b.txt", b"two")]);
    let bare = zip(&[("train/a.txt", b"one"), ("b.txt", b"two")]);
    let archives = [
        ("set.tar", tar(FILES)),
        ("set.tar.gz", gzip(&tar(FILES))),
        ("set.tgz", gzip(&tar(FILES))),
        ("wrapped.zip", wrapped),
        ("bare.ZIP", bare),
    ];
    for (name, bytes) in archives {
        let shop = Workshop::new();
        shop.unpack(name, &bytes, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text(&shop.out().join("train/a.txt")), "one", "{name}");
        assert_eq!(text(&shop.out().join("b.txt")), "two", "{name}");
        assert_eq!(origin_of(&shop.out()).as_deref(), Some("a hash"));
        assert_eq!(fs::read_dir(shop.0.path()).expect("the folder").count(), 2, "{name}: the archive and its folder");
    }
}

#[test]
fn a_new_version_replaces_the_old_one_wholly() {
    let shop = Workshop::new();
    shop.unpack("v1.zip", &zip(&[("old.txt", b"1"), ("both.txt", b"1")]), &Limits::default()).expect("version 1");
    shop.unpack("bad.zip", b"PK", &Limits::default()).expect_err("no archive");
    assert_eq!(text(&shop.out().join("old.txt")), "1", "a failure leaves the earlier version");
    unpack(
        &shop.archive("v2.zip", &zip(&[("both.txt", b"2"), ("new.txt", b"2")])),
        &shop.out(),
        "another",
        &Limits::default(),
    )
    .expect("version 2");
    assert!(!shop.out().join("old.txt").exists());
    assert_eq!(text(&shop.out().join("both.txt")), "2");
    assert_eq!(origin_of(&shop.out()).as_deref(), Some("another"));
}

#[test]
fn nothing_is_written_outside() {
    for name in ["../x", "a/../../x", "/x", "a\\..\\..\\x", "C:x"] {
        for (file, bytes) in
            [("bad.tar", tar(&[(name, EntryType::Regular, b"x")])), ("bad.zip", zip(&[(name, b"x"), ("fine", b"y")]))]
        {
            let message = Workshop::refusal(file, &bytes, &Limits::default());
            assert!(
                message.contains("leads out of the folder") || message.contains("backslash, colon"),
                "{name}: {message}"
            );
        }
    }
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, reason) in [
        (EntryType::Symlink, "symbolic link"),
        (EntryType::Link, "hard link"),
        (EntryType::Char, "neither a file"),
        (EntryType::Fifo, "neither a file"),
    ] {
        let bytes = tar(&[("fine", EntryType::Regular, b"y"), ("odd", kind, b"")]);
        let message = Workshop::refusal("bad.tar", &bytes, &Limits::default());
        assert!(message.contains(reason) && message.contains("`odd`"), "{message}");
    }
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("odd", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    let bytes = writer.finish().expect("an archive").into_inner();
    assert!(Workshop::refusal("bad.zip", &bytes, &Limits::default()).contains("symbolic link"));
}

#[test]
fn a_name_may_come_once() {
    let twice = tar(&[("a", EntryType::Regular, b"1"), ("./a", EntryType::Regular, b"2")]);
    assert!(Workshop::refusal("bad.tar", &twice, &Limits::default()).contains("appears twice"));
    // The writer refuses a name twice, so one of two equally long names is overwritten afterwards.
    let mut twice = zip(&[("name-1", b"1"), ("name-2", b"2")]);
    let at: Vec<usize> = (0..twice.len() - 6).filter(|&i| &twice[i..i + 6] == b"name-2").collect();
    for i in at {
        twice[i + 5] = b'1';
    }
    assert!(Workshop::refusal("bad.zip", &twice, &Limits::default()).contains("appears twice"));
}

#[test]
fn sizes_are_bounded() {
    let two = [("a.txt", &[7; 600][..]), ("b.txt", &[8; 600][..])];
    let as_tar = tar(&two.map(|(name, content)| (name, EntryType::Regular, content)));
    for (file, bytes) in [("large.zip", zip(&two)), ("large.tar", as_tar.clone()), ("large.tar.gz", gzip(&as_tar))] {
        let check = |limits: Limits, reason: &str| {
            let message = Workshop::refusal(file, &bytes, &limits);
            assert!(message.contains(reason), "{message}");
        };
        check(Limits { entries: 1, ..Limits::default() }, "more than 1 entries");
        check(Limits { file_bytes: 599, ..Limits::default() }, "more than 599 bytes in one file");
        check(Limits { total_bytes: 1199, ..Limits::default() }, "more than 1199 bytes");
        Workshop::new()
            .unpack(file, &bytes, &Limits { entries: 2, file_bytes: 600, total_bytes: 1200, ratio: 100 })
            .unwrap_or_else(|error| panic!("{file} is just within the limits: {error}"));
    }
}

#[test]
fn a_bomb_does_not_go_off() {
    let zeros = vec![0; 8 << 20];
    for (file, bytes) in
        [("bomb.zip", zip(&[("zeros", &zeros)])), ("bomb.tgz", gzip(&tar(&[("zeros", EntryType::Regular, &zeros)])))]
    {
        assert!(bytes.len() < 20_000);
        assert!(Workshop::refusal(file, &bytes, &Limits::default()).contains("100 times the bytes"), "{file}");
    }
    // A long name is held in memory before any entry is seen.
    let long_name = gzip(&tar(&[("././@LongLink", EntryType::GNULongName, &zeros), ("a", EntryType::Regular, b"")]));
    assert!(Workshop::refusal("name.tgz", &long_name, &Limits::default()).contains("damaged"));
}

#[test]
fn truncated_archives_are_damaged() {
    let mut noise = vec![0; 40_000];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
    let as_tar = tar(&[("noise", EntryType::Regular, &noise)]);
    for (file, bytes) in
        [("cut.zip", zip(&[("noise", &noise)])), ("cut.tar", as_tar.clone()), ("cut.tar.gz", gzip(&as_tar))]
    {
        for kept in [0, 10, 300, bytes.len() / 2] {
            let message = Workshop::refusal(file, &bytes[..kept], &Limits::default());
            assert!(message.contains("damaged or cut short"), "{kept} bytes: {message}");
        }
    }
    let mut flipped = zip(&[("noise", &noise)]);
    flipped[20_000] ^= 1;
    assert!(Workshop::refusal("flipped.zip", &flipped, &Limits::default()).contains("`noise`"));
    assert!(Workshop::refusal("noise.rar", &noise, &Limits::default()).contains("not an archive"));
}
