//! The workspace's one entrance for everything that is not a section: records runs, weaves pages and checks them.

mod bench;
mod book;
mod cells;
mod chapters;
mod check;
mod data;
mod doctor;
#[cfg(test)]
mod fixture;
mod links;
mod nets;
mod notebook;
mod pages;
mod parity;
mod readme;
mod record;
mod report;
mod run;
mod shown;
mod sources;
mod targets;
mod weave;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use chapters::{Section, Workspace};
use check::Which;
use record::Options;
use report::{Problem, is_closed_pipe, say};
use run::Program;
use weave::Mode;

/// Records runs, weaves pages and checks the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run sections and keep their output and figures beside their pages, then weave these pages.
    ///
    /// The page shows the run with seed 42; further seeds give the medians. A section without metrics runs once.
    #[command(after_help = "Examples:\n  \
        cargo xtask record linear-nets softmax-regression-scratch\n  \
        cargo xtask record linear-nets --seeds 5\n  \
        cargo xtask record cnn lenet --scale laptop -- --num-epochs 3")]
    Record {
        /// Only this chapter, as its crate is named.
        chapter: Option<String>,
        /// Only these sections.
        sections: Vec<String>,
        /// How many runs side by side, a thread each; with 1, all threads go to one run.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
        jobs: u16,
        /// How many seeds, from 42 on.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
        seeds: u64,
        /// The scale to run at: book, laptop or smoke. The section's own default if not given.
        #[arg(long)]
        scale: Option<String>,
        /// Further flags for the section.
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Write code and recorded outputs into the pages, between their markers, and the seconds into the chapters' READMEs.
    #[command(after_help = "Examples:\n  cargo xtask weave\n  cargo xtask weave --check")]
    Weave {
        /// Change nothing; fail with a list of what does not fit together.
        #[arg(long)]
        check: bool,
    },
    /// Time the book's workloads here and in PyTorch by turns.
    ///
    /// Builds the benchmark in release mode, starts one worker of each side for a workload, warms both up and lets them
    /// take turns. A ratio is our time over PyTorch's: the median over the rounds.
    #[command(after_help = "Examples:\n  \
        cargo xtask bench --python ~/torch/bin/python\n  \
        cargo xtask bench lenet resnet --rounds 5\n  \
        cargo xtask bench --record")]
    Bench {
        /// Only these workloads.
        workloads: Vec<String>,
        /// List the workloads instead.
        #[arg(long)]
        list: bool,
        /// How often both sides take their turn.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// Training steps in a turn; as many as take about a second if not given.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        steps: Option<u16>,
        /// Threads of either side.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
        threads: u16,
        /// Write the rows to this file.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// A Python that has PyTorch 2 [default: the variable `D2L_PYTHON`, or python3]
        #[arg(long, value_name = "PATH")]
        python: Option<OsString>,
        /// Keep the table and show it on the page performance.md.
        #[arg(long, conflicts_with = "workloads")]
        record: bool,
    },
    /// Build the pages as a site that needs no network to read.
    ///
    /// Formulas are typeset, every piece of code leads to its lines, and the documentation of `d2l` and of the chapters
    /// is part of the site. Fails with a list if a link leads nowhere.
    #[command(after_help = "Examples:\n  \
        cargo xtask book\n  \
        cargo xtask book --no-docs --out ~/book\n\n\
        The first build compiles mdBook, about a minute on two cores, and the documentation reads every dependency, some \
        minutes; later ones take seconds.")]
    Book {
        /// The folder for the site [default: target/book]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Leave out the documentation, and the links to it and to the sources.
        #[arg(long)]
        no_docs: bool,
    },
    /// Write a section as a Jupyter notebook, with the recorded outputs, for evcxr's kernel for Rust.
    #[command(after_help = "Examples:\n  \
        cargo xtask notebook linear-regression-scratch\n  \
        cargo xtask notebook lenet --out ~/lenet.ipynb\n\n\
        To run it: cargo install --locked evcxr_jupyter && evcxr_jupyter --install, then open it in Jupyter.")]
    Notebook {
        /// The section's name, as on its chapter's command line.
        section: String,
        /// The notebook's file; `target/notebooks/<section>.ipynb` if not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Tell what will work on this machine, and what to do about what will not.
    #[command(after_help = "Examples:\n  cargo xtask doctor\n  D2L_MIRROR=/media/stick/data cargo xtask doctor")]
    Doctor,
    /// List, fetch, verify or remove the data sets.
    #[command(after_help = "Examples:\n  \
        cargo xtask data list\n  \
        cargo xtask data get time_machine fra-eng\n  \
        cargo xtask data verify\n  \
        cargo xtask data clean ptb\n\n\
        data/README.md tells where each set comes from, its licence, and about mirrors and other folders.")]
    Data {
        #[command(subcommand)]
        action: DataAction,
    },
    /// Check pages, sources, recorded results against their targets, and links.
    #[command(
        after_help = "Examples:\n  cargo xtask check\n  cargo xtask check --run linear-nets\n  cargo xtask check --run attention --jobs 2\n  cargo xtask check --run cnn --within 60"
    )]
    Check {
        /// Only this chapter, as its crate is named.
        chapter: Option<String>,
        /// Also run every section that has targets, with three seeds, and hold the medians against them.
        #[arg(long)]
        run: bool,
        /// Run the programs that `cargo test --workspace` has built, as they are, and build none in the release profile.
        #[arg(long, requires = "run")]
        tested: bool,
        /// Let a section pass that has only a sample of its data, and so cannot be held against its targets.
        #[arg(long, requires = "run")]
        allow_sample: bool,
        /// Leave out the sections whose recorded run took more than so many seconds.
        #[arg(long, requires = "run", value_name = "SECONDS")]
        within: Option<f64>,
        /// Runs that go on side by side, on one thread each.
        #[arg(long, requires = "run", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        jobs: u16,
    },
}

#[derive(Debug, Subcommand)]
enum DataAction {
    /// List the sets, their sizes, and which are here.
    #[command(after_help = "Examples:\n  cargo xtask data list")]
    List,
    /// Fetch sets that are not here; all of them if none is named.
    #[command(after_help = "Examples:\n  cargo xtask data get\n  cargo xtask data get time_machine fra-eng\n\n\
        The first time this compiles `d2l` in release mode, some minutes, which the chapters need too.")]
    Get {
        /// Only these sets.
        names: Vec<String>,
    },
    /// Hash what is here against what was published.
    #[command(after_help = "Examples:\n  cargo xtask data verify\n  cargo xtask data verify ptb")]
    Verify {
        /// Only these sets.
        names: Vec<String>,
    },
    /// Remove sets from the cache, with what was unpacked of them.
    #[command(after_help = "Examples:\n  cargo xtask data clean ptb\n  cargo xtask data clean --all")]
    Clean {
        /// These sets.
        #[arg(required_unless_present = "all")]
        names: Vec<String>,
        /// Every set.
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root: upwards from the crate's folder, which cargo tells, or from the current one.
fn workspace_root() -> Result<PathBuf> {
    let start =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(std::env::current_dir, |folder| Ok(folder.into()))?;
    let root = start.ancestors().find(|folder| folder.join("crates/xtask").is_dir());
    root.map(Path::to_owned).context("no workspace here: run `cargo xtask` inside the repository")
}

/// Does what was asked for; false if problems were found.
fn start(arguments: Arguments) -> Result<bool> {
    let workspace = Workspace { root: workspace_root()? };
    match arguments.command {
        Command::Record { chapter, sections: names, jobs, seeds, scale, flags } => {
            let scale = scale.into_iter().flat_map(|scale| ["--scale".to_owned(), scale]);
            let options = Options { seeds, jobs: usize::from(jobs), flags: scale.chain(flags).collect() };
            let chapters = workspace.select(chapter.as_deref())?;
            let sections: Vec<Section> = match chapters.as_slice() {
                [chapter] if !names.is_empty() => {
                    names.iter().map(|name| chapter.section(name).cloned()).collect::<Result<_>>()?
                }
                _ => chapters.iter().flat_map(|chapter| chapter.sections.clone()).collect(),
            };
            record::record(&workspace, &sections, &options, &mut Program::release(&workspace))?;
            let mut problems = weave::weave(&workspace, &chapters, Some(&sections), Mode::Write)?;
            let all = workspace.chapters()?;
            problems.extend(parity::weave_page(&workspace, &all, Mode::Write)?);
            problems.extend(nets::weave_page(&workspace, &all, Mode::Write)?);
            problems.extend(readme::weave_seconds(&workspace, &chapters, Mode::Write)?);
            conclude(&problems)
        }
        Command::Weave { check } => {
            let chapters = workspace.chapters()?;
            let mode = if check { Mode::Check } else { Mode::Write };
            let mut problems = weave::weave(&workspace, &chapters, None, mode)?;
            problems.extend(weave::strays(&workspace, &chapters)?);
            problems.extend(bench::weave_page(&workspace, mode)?);
            problems.extend(parity::weave_page(&workspace, &chapters, mode)?);
            problems.extend(nets::weave_page(&workspace, &chapters, mode)?);
            problems.extend(data::weave_page(&workspace, mode)?);
            problems.extend(readme::weave_seconds(&workspace, &chapters, mode)?);
            conclude(&problems)
        }
        Command::Bench { list: true, .. } => bench::list(&workspace).map(|()| true),
        Command::Bench { workloads, list: _, rounds, steps, threads, json, python, record } => {
            let python = python.or_else(|| std::env::var_os("D2L_PYTHON")).unwrap_or_else(|| "python3".into());
            let (rounds, steps, threads) = (usize::from(rounds), steps.map(usize::from), usize::from(threads));
            bench::bench(&workspace, &bench::Options { workloads, rounds, steps, threads, python, json, record })?;
            if record { conclude(&bench::weave_page(&workspace, Mode::Write)?) } else { Ok(true) }
        }
        Command::Book { out, no_docs } => book::book(&workspace, &book::Options { out, docs: !no_docs }).map(|()| true),
        Command::Notebook { section, out } => {
            let chapters = workspace.chapters()?;
            let path = notebook::write(&workspace, notebook::find(&chapters, &section)?, out)?;
            say(notebook::next_steps(&path)).map(|()| true)
        }
        Command::Doctor => doctor::doctor(&workspace),
        Command::Data { action } => match action {
            DataAction::List => data::list(&data::cache(&workspace)).map(|()| true),
            DataAction::Get { names } => data::start(&workspace, "get", &names),
            DataAction::Verify { names } => data::start(&workspace, "verify", &names),
            DataAction::Clean { names, all: _ } => data::clean(&data::cache(&workspace), &names).map(|()| true),
        },
        Command::Check { chapter, run, tested, allow_sample, within, jobs } => {
            let chosen = workspace.select(chapter.as_deref())?;
            let mut problems = check::check(&workspace, &workspace.chapters()?, &chosen)?;
            if run {
                let options = Options { seeds: 3, jobs: usize::from(jobs), flags: Vec::new() };
                let mut runner = if tested { Program::of_tests(&workspace) } else { Program::release(&workspace) };
                problems.extend(check::run_targets(
                    &workspace,
                    &chosen,
                    &options,
                    Which { allow_sample, within },
                    &mut runner,
                )?);
            }
            conclude(&problems)
        }
    }
}

/// Lists the problems, if any.
fn conclude(problems: &[Problem]) -> Result<bool> {
    for problem in problems {
        say(problem)?;
    }
    let count = problems.len();
    say(if count == 0 { "all is well".to_owned() } else { format!("{count} to put right") })?;
    Ok(count == 0)
}
