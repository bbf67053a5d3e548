//! Times the book's workloads here and in PyTorch by turns.
//!
//! Each workload has two workers, one of this workspace's `bench` and one of `scripts/bench/torch_bench.py`, which are
//! warmed up and then take turns: a round is the same number of steps in both. The ratio of a row is the median over
//! the rounds of our time over PyTorch's in that round, so that what slows the machine down for a while weighs little.

mod machine;
mod measure;
mod page;
mod record;
mod worker;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::chapters::Workspace;
use crate::report::{say, suggestion};
use crate::run::build_release;

pub use measure::Row;
pub use page::weave_page;
pub use record::Record;

use machine::Machine;
use measure::{Plan, geometric_mean, measure};
use worker::{LineWorker, Process};

/// What to time, and how.
#[derive(Debug)]
pub struct Options {
    /// All if empty.
    pub workloads: Vec<String>,
    pub rounds: usize,
    /// Steps in a round; by default as many as take about a second.
    pub steps: Option<usize>,
    pub threads: usize,
    /// The interpreter that has PyTorch.
    pub python: OsString,
    /// Where to write the rows.
    pub json: Option<PathBuf>,
    /// Whether to keep the table for the page.
    pub record: bool,
}

/// A workload as `bench list` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub name: String,
    pub about: String,
}

/// Prints the names of the workloads.
pub fn list(workspace: &Workspace) -> Result<()> {
    let binary = build_release(workspace, "bench")?;
    for Workload { name, about } in workloads(&binary)? {
        say(format!("{name:<14} {about}"))?;
    }
    Ok(())
}

/// Times the chosen workloads and prints a row for each.
pub fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = build_release(workspace, "bench")?;
    let chosen = choose(workloads(&binary)?, &options.workloads)?;
    let threads = options.threads.to_string();
    let ours = |name: &str| {
        let mut command = Command::new(&binary);
        command.args(["worker", name, "--threads", &threads]);
        LineWorker::<Process>::start(command, "our worker")
    };
    let script = workspace.root.join("scripts/bench/torch_bench.py");
    let torch = |name: &str| {
        let mut command = Command::new(&options.python);
        // No compiled files beside the scripts.
        command.arg("-B").arg(&script).args(["worker", name, "--threads", &threads]);
        LineWorker::<Process>::start(command, "PyTorch's worker (--python names an interpreter that has torch)")
    };

    say(format!("{} rounds on {} threads; a ratio is our time over PyTorch's", options.rounds, options.threads))?;
    say(measure::heading())?;
    let plan = Plan { rounds: options.rounds, steps: options.steps };
    let mut rows = Vec::new();
    let mut pytorch = None;
    for workload in &chosen {
        let (mut ours, mut torch) = (ours(&workload.name)?, torch(&workload.name)?);
        pytorch = pytorch.or(torch.greeting.torch.clone().zip(Some(torch.greeting.start_mb)));
        let row = measure(workload, &mut ours, &mut torch, plan)?;
        say(row.line())?;
        rows.push(row);
    }
    say(format!("geometric mean of the ratios: {:.3}", geometric_mean(rows.iter().map(|row| row.ratio))))?;

    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&rows)? + "\n";
        fs::write(path, text).with_context(|| format!("--json: cannot write {}", path.display()))?;
    }
    if options.record {
        let (torch, torch_start_mb) = pytorch.context("PyTorch's worker does not tell its version")?;
        let machine = Machine::here(torch)?;
        let record = Record::new(machine, options, torch_start_mb, rows);
        record.write(workspace)?;
    }
    Ok(())
}

/// The workloads of the benchmark's binary, from its list.
fn workloads(binary: &Path) -> Result<Vec<Workload>> {
    let output = Command::new(binary)
        .arg("list")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    if !output.status.success() {
        bail!("{} list ended with {}", binary.display(), output.status);
    }
    Ok(parse_list(&String::from_utf8_lossy(&output.stdout)))
}

fn parse_list(text: &str) -> Vec<Workload> {
    let split = |line: &str| {
        let (name, about) = line.split_once(' ')?;
        Some(Workload { name: name.to_owned(), about: about.trim().to_owned() })
    };
    text.lines().filter_map(split).collect()
}

/// The named workloads in the order of the list; all if none is named.
fn choose(known: Vec<Workload>, names: &[String]) -> Result<Vec<Workload>> {
    for name in names {
        if !known.iter().any(|workload| &workload.name == name) {
            let known = suggestion(name, known.iter().map(|workload| workload.name.as_str()));
            bail!("there is no workload “{name}”{known}");
        }
    }
    Ok(known.into_iter().filter(|workload| names.is_empty() || names.contains(&workload.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_chosen_from() {
        let known = parse_list("softmax  softmax regression, batch 256\nmlp      MLP 784-256-10\n");
        assert_eq!(known[1], Workload { name: "mlp".into(), about: "MLP 784-256-10".into() });
        let names = |chosen: &[&str]| {
            let chosen: Vec<String> = chosen.iter().map(ToString::to_string).collect();
            Ok::<_, anyhow::Error>(choose(known.clone(), &chosen)?.into_iter().map(|w| w.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["softmax", "mlp"]);
        assert_eq!(names(&["mlp"]).unwrap(), ["mlp"]);
        let error = names(&["softmx"]).unwrap_err().to_string();
        assert!(error.contains("did you mean “softmax”"), "{error}");
    }
}
