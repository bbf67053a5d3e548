//! Unpacking: inside the folder or refused, within its limits, and with nothing left of what was refused.
#![no_main]

use std::fs;
use std::path::Path;

use d2l::data::archive::{Limits, origin_of, unpack};
use d2l_fuzz::Input;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { entries: 20, file_bytes: 1 << 16, total_bytes: 1 << 17, ratio: 100 };

/// Files and bytes below a folder, which must hold nothing but files and folders.
fn content(folder: &Path) -> (usize, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let kind = entry.file_type().expect("its kind");
        assert!(kind.is_file() || kind.is_dir(), "neither a file nor a folder: {entry:?}");
        let inner = if kind.is_dir() { content(&entry.path()) } else { (1, entry.metadata().expect("its size").len()) };
        sum = (sum.0 + inner.0, sum.1 + inner.1);
    }
    sum
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let input = Input::new(["set.zip", "set.tar", "set.tar.gz"][usize::from(choice) % 3], data);
    let folder = input.beside("out");
    match unpack(input.path(), &folder, "the hash", &LIMITS) {
        Ok(()) => {
            assert_eq!(origin_of(&folder).as_deref(), Some("the hash"));
            let (files, bytes) = content(&folder);
            assert!(files <= LIMITS.entries + 1 && bytes <= LIMITS.total_bytes + 8, "{files} files, {bytes} bytes");
            assert_eq!(input.entries(), 2, "the archive and its folder");
        }
        Err(_) => assert_eq!(input.entries(), 1, "something is left of a refused archive"),
    }
});
