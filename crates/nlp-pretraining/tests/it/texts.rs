//! Texts at fault are told apart, by file and line; long ones are texts like others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use d2l::prelude::{Device, Random};
use nlp_pretraining::penn_treebank::PennTreebank;
use nlp_pretraining::wiki_text::WikiText2;
use tempfile::TempDir;

fn written(folder: &TempDir, content: &[u8]) -> Result<PathBuf> {
    let path = folder.path().join("text.txt");
    std::fs::write(&path, content)?;
    Ok(path)
}

/// What both readers say of a file.
fn messages(path: &Path) -> [String; 2] {
    let treebank = PennTreebank::read(path).map(|_| ()).map_err(|error| error.to_string());
    let wiki = WikiText2::read(path).map(|_| ()).map_err(|error| error.to_string());
    [treebank, wiki].map(|outcome| outcome.err().unwrap_or_default())
}

#[test]
fn files_that_are_no_text_are_named_with_their_line() -> Result<()> {
    let folder = TempDir::new()?;
    let cases: [(&[u8], &str); 4] = [
        (b"", "holds no text"),
        (b" \n\n", "holds no text"),
        (b"one . two .\nd\xe9j\xe0 . vu\n", "line 2: the byte 0xE9 is not UTF-8"),
        (b"o\0n\0e\0", "line 1: the file is in UTF-16"),
    ];
    for (content, part) in cases {
        for message in messages(&written(&folder, content)?) {
            assert!(message.contains("text.txt") && message.contains(part), "{message}, not {part}");
        }
    }
    for message in messages(&folder.path().join("missing.txt")) {
        assert!(message.contains("missing.txt"), "{message}");
    }
    Ok(())
}

#[test]
fn a_line_of_ten_million_bytes_is_a_long_sentence() -> Result<()> {
    let folder = TempDir::new()?;
    let long = "crane ".repeat(1_700_000);
    let path = written(&folder, format!("a crane is flying\n{long}\n").as_bytes())?;
    let text = PennTreebank::read(&path)?;
    assert_eq!(text.sentences().iter().map(Vec::len).collect::<Vec<_>>(), [4, 1_700_000]);
    let path = written(&folder, format!("{long} . {long}\na crane . is flying\n").as_bytes())?;
    let text = WikiText2::read(&path)?;
    assert_eq!(text.paragraphs().map(|paragraph| paragraph.len()).collect::<Vec<_>>(), [2, 2]);
    let (pairs, _) = text.load(1, 64, &Random::new(1), &Device::Cpu)?;
    assert_eq!(pairs.examples(), 1, "the long pair is left out");
    Ok(())
}

#[test]
fn a_text_in_which_nothing_fits_is_an_error() -> Result<()> {
    let folder = TempDir::new()?;
    let path = written(&folder, b"a crane is flying over the lake . and then it is gone from here\n")?;
    let error = WikiText2::read(&path)?.load(1, 8, &Random::new(1), &Device::Cpu).err().context("8 tokens")?;
    assert!(error.to_string().contains("--max-len"), "{error}");
    let path = written(&folder, b"one\ntwo\n")?;
    let loaded = PennTreebank::read(&path)?.load(1, 5, 5, &Random::new(1), &Device::Cpu);
    assert!(loaded.is_err(), "sentences of one word have no contexts");
    Ok(())
}
