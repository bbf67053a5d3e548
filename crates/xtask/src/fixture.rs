//! A small workspace in a temporary folder, and a runner that writes what a section would.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::cells::Source;
use crate::chapters::{Section, Workspace};
use crate::run::Runner;

const FIRST: &str = r#"//! 3.1 First

/// Nothing to set.
pub struct Config {}

/// Doubles `x`.
pub fn double(x: f64) -> f64 {
    2.0 * x // twice
}

pub fn run(_config: &Config, nb: &mut Notebook) -> Result<()> {
    nb.cell("The \"data\"")?;
    // why
    let x = 1;
    nb.cell("Training")?;
    train(x)?;
    Ok(())
}

#[cfg(test)]
mod tests {}
"#;

const SECOND: &str = "//! 3.2 Second\n\npub struct Config {}\n\n\
                      pub fn run(_config: &Config, nb: &mut Notebook) -> Result<()> {\n    nb.cell(\"One\")?;\n    one()\n}\n";

pub const PAGE: &str = "# First\n\nProse  with   spaces.\t\n\n<!-- code: The \"data\" -->\n<!-- /code -->\n\n\
                        <!-- output: The \"data\" -->\n<!-- /output -->\n\nMore.\n\n<!-- item: double -->\n<!-- /item -->\n\n\
                        <!-- code: Training -->\n<!-- /code -->\n\n<!-- output: Training -->\n<!-- /output -->\n\n\
                        <!-- run -->\n<!-- /run -->\n\n<!-- results -->\n<!-- /results -->\n\nThe end, without a line end";

const SECTIONS: &str = "pub mod first;\npub mod second_thing;\n\n\
                        pub const SECTIONS: &[Section] = &[d2l::section!(second_thing), section!(first)];\n";

pub struct Fixture {
    pub workspace: Workspace,
    _folder: TempDir,
}

impl Fixture {
    /// A chapter `demo` with two sections and their pages, nothing recorded or woven, and a crate without sections.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self { workspace: Workspace { root: folder.path().to_owned() }, _folder: folder };
        fixture.write("crates/tools/src/lib.rs", "//! No chapter.\n");
        fixture.write("crates/demo/src/lib.rs", "//! A chapter.\npub mod sections;\n");
        fixture.write("crates/demo/src/sections/mod.rs", SECTIONS);
        fixture.write("crates/demo/src/sections/first.rs", FIRST);
        fixture.write("crates/demo/src/sections/second_thing.rs", SECOND);
        fixture.write("crates/demo/tests/it/second.rs", "use demo::sections::second_thing;\n");
        fixture.write("crates/demo/targets.json", r#"{"first": {"train_loss": {"max": 0.445}}}"#);
        fixture.write("notebooks-md/demo/first.md", PAGE);
        fixture.write("notebooks-md/demo/second-thing.md", "# Second\n<!-- code: One -->\n<!-- /code -->\n");
        let row = |name| format!("| [x](../../notebooks-md/demo/{name}.md) | … | … | 1 |\n");
        fixture.write("crates/demo/README.md", &["first", "second-thing"].map(row).concat());
        fixture.write("book/saved-names.tsv", "chapter_demo/first\tPMT\tfn\tdouble\n");
        fixture.write("book/metrics.tsv", "train_loss\tmean loss of an epoch\n");
        fixture.write("notebooks-md/SUMMARY.md", "- [First](demo/first.md)\n- [Second](./demo/second-thing.md)\n");
        fixture
    }

    pub fn section(&self, name: &str) -> Section {
        self.workspace.chapters().unwrap()[0].section(name).unwrap().clone()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.workspace.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.workspace.root.join(path)).unwrap()
    }

    /// Changes a file, and makes sure that it did change.
    pub fn edit(&self, path: &str, change: impl Fn(String) -> String) {
        let before = self.read(path);
        let after = change(before.clone());
        assert_ne!(after, before, "the edit of {path} finds nothing to change");
        self.write(path, &after);
    }
}

/// Writes the run of a section: `first` has metrics and a figure, the other neither.
pub struct FakeRunner<'a> {
    fixture: &'a Fixture,
    pub data: &'static str,
    pub draws: bool,
    /// The seed from which runs fail.
    pub fails_from: u64,
    /// Instead of that of the source.
    pub fingerprint: Option<String>,
}

impl<'a> FakeRunner<'a> {
    pub fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, data: "full", draws: true, fails_from: u64::MAX, fingerprint: None }
    }
}

impl Runner for FakeRunner<'_> {
    fn prepare(&mut self, _chapter: &str) -> Result<()> {
        Ok(())
    }

    fn run(&self, section: &Section, seed: u64, _flags: &[String], out: &Path) -> Result<()> {
        if seed >= self.fails_from {
            bail!("the run fails");
        }
        let losses = [[0.9, 0.45], [0.8, 0.44], [1.0, 0.43]][seed as usize - 42];
        let is_first = section.name == "first";
        let metrics = if is_first { json!({ "train_loss": losses }) } else { json!({}) };
        let cells = json!([
            {"title": "The \"data\"", "text": "x = 1\n", "figures": [{"file": "curve.svg", "alt": "Loss [nats] by epoch"}]},
            {"title": "Training", "text": "", "figures": []},
        ]);
        let source = Source::read(&self.fixture.workspace.source_path(section))?;
        let run = json!({
            "chapter": section.chapter, "section": section.name, "number": "3.1", "title": "First", "seed": seed,
            "scale": "book", "device": "cpu", "threads": 2, "data": self.data, "config": {"lr": 0.1},
            "metrics": metrics, "seconds": 1.5, "fingerprint": self.fingerprint.clone().unwrap_or(source.fingerprint),
            "cells": if is_first { cells } else { json!([]) },
        });
        let dir = out.join(&section.name);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("run.json"), run.to_string())?;
        if self.draws && is_first {
            fs::write(dir.join("curve.svg"), "<svg/>")?;
        }
        Ok(())
    }
}
