//! A run of a section: how it is started, and the `run.json` that it leaves.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::chapters::{Section, Workspace, read};

/// The seed that sections use when none is given; pages show this one.
pub const DEFAULT_SEED: u64 = 42;

pub use d2l_record::{CellRecord as CellOutput, DataOrigin as Data, Metric, RunRecord as Run, SeedRun};

/// Reads `run.json` in a folder.
pub fn read_run(dir: &Path) -> Result<Run> {
    serde_json::from_value(read_json(dir)?)
        .with_context(|| format!("{} is not what a section writes", dir.join("run.json").display()))
}

/// `run.json` in a folder with every key, known here or not.
pub fn read_json(dir: &Path) -> Result<Value> {
    let path = dir.join("run.json");
    serde_json::from_str(&read(&path)?).with_context(|| format!("{} is not JSON", path.display()))
}

/// The median of each metric over several runs, element by element where there is one value for each epoch.
pub fn medians<'a>(runs: impl IntoIterator<Item = &'a BTreeMap<String, Metric>>) -> Result<BTreeMap<String, Metric>> {
    let runs: Vec<_> = runs.into_iter().collect();
    let Some(first) = runs.first() else { return Ok(BTreeMap::new()) };
    if let Some(other) = runs.iter().find(|run| !run.keys().eq(first.keys())) {
        bail!("runs of one section differ in their metrics: {:?} and {:?}", first.keys(), other.keys());
    }
    let of_metric = |(name, metric): (&String, &Metric)| {
        let all: Vec<&[f64]> = runs.iter().map(|run| run[name].values()).collect();
        let epochs = metric.values().len();
        if all.iter().any(|values| values.len() != epochs) {
            bail!("runs of one section differ in how many values `{name}` has: set the number of epochs");
        }
        let mut at = (0..epochs).map(|epoch| median(all.iter().map(|values| values[epoch]).collect()));
        let median = match metric {
            Metric::ByEpoch(_) => Metric::ByEpoch(at.collect()),
            Metric::Value(value) => Metric::Value(at.next().unwrap_or(*value)),
        };
        Ok((name.clone(), median))
    };
    first.iter().map(of_metric).collect()
}

/// The middle value, or the mean of the two middle ones. `values` is not empty.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// Starts sections; the tests put their own in its place.
pub trait Runner {
    /// Makes ready to run the sections of a chapter.
    fn prepare(&mut self, chapter: &str) -> Result<()>;

    /// Runs a section, which leaves `run.json` and figures in `out/<section>`.
    fn run(&self, section: &Section, seed: u64, flags: &[String], out: &Path) -> Result<()>;
}

/// A chapter's program, which is started for each run.
#[derive(Debug)]
pub struct Program<'a> {
    workspace: &'a Workspace,
    is_tests: bool,
    binary: Option<PathBuf>,
}

impl<'a> Program<'a> {
    /// The one of the release profile, which is built when a chapter is prepared.
    pub fn release(workspace: &'a Workspace) -> Self {
        Self { workspace, is_tests: false, binary: None }
    }

    /// The one that the tests have left in the dev profile, as it is.
    pub fn of_tests(workspace: &'a Workspace) -> Self {
        Self { workspace, is_tests: true, binary: None }
    }
}

/// The program of a chapter that `cargo test` has built beside this one.
fn tested(chapter: &str) -> Result<PathBuf> {
    let own = env::current_exe().context("this program does not know where it is")?;
    let binary = own.with_file_name(format!("{chapter}{}", env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        bail!("{} is not there: run `cargo test --workspace` first, or leave out --tested", binary.display());
    }
    Ok(binary)
}

/// The cargo that started this program, in the workspace's folder.
pub fn cargo(workspace: &Workspace) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo told this program about itself would make the build scripts that watch it run again, and what depends
    // on them compile again.
    let own = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    own.for_each(|name| {
        cargo.env_remove(name);
    });
    cargo.current_dir(&workspace.root);
    cargo
}

/// Builds the binary of a package in release mode; its path.
pub fn build_release(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let build = cargo(workspace)
        .args(["build", "--release", "--package", package, "--bins", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !build.status.success() {
        bail!("{package} does not build: see above");
    }
    let messages = String::from_utf8_lossy(&build.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.with_context(|| format!("{package} has no binary: give it a src/main.rs"))
}

impl Runner for Program<'_> {
    fn prepare(&mut self, chapter: &str) -> Result<()> {
        self.binary = Some(if self.is_tests { tested(chapter)? } else { build_release(self.workspace, chapter)? });
        Ok(())
    }

    fn run(&self, section: &Section, seed: u64, flags: &[String], out: &Path) -> Result<()> {
        let binary = self.binary.as_ref().context("a chapter is prepared before its sections run")?;
        let seed = seed.to_string();
        let run = Command::new(binary)
            .args([section.name.as_str(), "--seed", &seed, "--no-progress", "--out"])
            .arg(out)
            .args(flags)
            .current_dir(&self.workspace.root)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        if !run.status.success() {
            let printed = String::from_utf8_lossy(&run.stdout);
            bail!("{} with seed {seed} ended with {}; it had printed:\n{printed}", section.name, run.status);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn metrics(list: &[f64], number: f64) -> BTreeMap<String, Metric> {
        [("loss".into(), Metric::ByEpoch(list.to_vec())), ("acc".into(), Metric::Value(number))].into()
    }

    #[test]
    fn medians_go_element_by_element() {
        let runs = [metrics(&[3.0, 1.0], 0.5), metrics(&[1.0, 2.0], 0.7), metrics(&[2.0, 9.0], 0.6)];
        assert_eq!(medians(&runs).unwrap(), metrics(&[2.0, 2.0], 0.6));
        assert_eq!(medians(&runs[..2]).unwrap(), metrics(&[2.0, 1.5], 0.6));
        assert_eq!(medians(&runs[..1]).unwrap(), runs[0]);
    }

    #[test]
    fn runs_that_differ_in_shape_have_no_median() {
        let error = medians(&[metrics(&[1.0], 0.5), metrics(&[1.0, 2.0], 0.5)]).unwrap_err().to_string();
        assert!(error.contains("`loss`"), "{error}");
        assert!(medians(&[metrics(&[1.0], 0.5), BTreeMap::new()]).is_err());
    }

    #[test]
    fn builds_and_starts_a_chapters_binary() {
        let fixture = Fixture::new();
        fixture.write("Cargo.toml", "[workspace]\nmembers = [\"crates/demo\"]\nresolver = \"3\"\n");
        fixture.write("crates/demo/Cargo.toml", "[package]\nname = \"demo\"\nedition = \"2024\"\n");
        fixture.write("crates/demo/src/lib.rs", "");
        fixture.write(
            "crates/demo/src/main.rs",
            r#"fn main() {
                let arguments: Vec<String> = std::env::args().skip(1).collect();
                if arguments[0] == "first" {
                    let out = std::path::Path::new(&arguments[5]);
                    std::fs::create_dir_all(out).unwrap();
                    std::fs::write(out.join("arguments"), arguments.join(" ")).unwrap();
                } else {
                    println!("some words");
                    std::process::exit(3);
                }
            }"#,
        );
        let section = |name: &str| Section { chapter: "demo".into(), name: name.into(), module: name.into() };
        let out = fixture.workspace.root.join("out");
        let mut runner = Program::release(&fixture.workspace);
        runner.prepare("demo").unwrap();
        runner.run(&section("first"), 43, &["--scale".into(), "book".into()], &out).unwrap();
        let wanted = format!("first --seed 43 --no-progress --out {} --scale book", out.display());
        assert_eq!(fixture.read("out/arguments"), wanted);
        let error = runner.run(&section("other"), 43, &[], &out).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("some words"), "{error}");
        assert!(runner.prepare("none").is_err());
        let error = Program::of_tests(&fixture.workspace).prepare("none").unwrap_err().to_string();
        assert!(error.contains("none is not there: run `cargo test --workspace` first"), "{error}");
    }
}
