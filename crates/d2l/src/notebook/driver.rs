//! A chapter's command line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Chapter, Options, Section};
use crate::console::tell;
use crate::train::{interrupt, interrupted};

/// A chapter's command line, parsed.
pub struct Invocation {
    chapter: &'static Chapter,
    options: Options,
    arguments: Vec<OsString>,
    section: Option<String>,
}

impl Invocation {
    /// Parses the program's arguments; the error is the exit code after help or a usage message was printed.
    ///
    /// # Errors
    /// Where the arguments are wrong or ask for help.
    pub fn from_args(chapter: &'static Chapter) -> Result<Self, ExitCode> {
        Self::parse(chapter, std::env::args_os().collect()).map_err(|error| {
            // A closed pipe is the only way to fail here, and nobody is left to tell.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        })
    }

    fn parse(chapter: &'static Chapter, arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let matches =
            command(chapter, |section| section.scale(&Options::default())).try_get_matches_from(&arguments)?;
        let options = Options::from_arg_matches(&matches)?;
        let section = matches.subcommand_name().map(String::from);
        Ok(Self { chapter, options, arguments, section })
    }

    /// How many threads to compute with.
    pub fn threads(&self) -> usize {
        threads(self.options.threads)
    }

    /// Lists the sections, runs one or all of them. Errors go to standard error; a closed pipe ends the run quietly.
    ///
    /// Ctrl-C ends a training at its next step, and the run with the figures and tables so far; once more, at once.
    pub fn run(&self) -> ExitCode {
        let asked = AtomicBool::new(false);
        let installed = ctrlc::set_handler(move || {
            if !interrupt() || asked.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
            tell("\nstopping with the results so far; Ctrl-C once more stops at once");
        });
        if let Err(error) = installed {
            tell(format!("Ctrl-C will end the run without its results: {error}"));
        }
        let code = exit_code(self.outcome());
        if interrupted() { ExitCode::from(INTERRUPTED as u8) } else { code }
    }

    fn outcome(&self) -> Result<()> {
        match self.section.as_deref() {
            None => self.list(),
            Some("all") => self.chapter.sections.iter().take_while(|_| !interrupted()).try_for_each(|section| {
                let name = OsString::from(section.name());
                let matches = section.command(section.scale(&self.options)).try_get_matches_from([name])?;
                self.run_section(section, &matches).with_context(|| format!("section {}", section.name()))
            }),
            Some(name) => {
                let section = self.chapter.section(name)?;
                // Parsed once more now that the scale is known: it changes the section's defaults.
                let mut matches = command(self.chapter, |section| section.scale(&self.options))
                    .try_get_matches_from(&self.arguments)?;
                let (_, matches) = matches.remove_subcommand().with_context(|| format!("no section {name}"))?;
                self.run_section(section, &matches)
            }
        }
    }

    fn run_section(&self, section: &Section, matches: &ArgMatches) -> Result<()> {
        section.run(self.chapter, &self.options, matches).map(|_| ())
    }

    fn list(&self) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}\n", self.chapter.title)?;
        let width = self.chapter.sections.iter().map(|section| section.name().len()).max().unwrap_or(0);
        for section in self.chapter.sections {
            let (number, title) = section.heading();
            writeln!(out, "  {number:<5} {:<width$}  {title}", section.name())?;
        }
        let name = self.chapter.name;
        writeln!(out, "\nRun one:      cargo run --release -p {name} -- <section>")?;
        writeln!(out, "Run them all: cargo run --release -p {name} -- all")?;
        writeln!(out, "Its flags:    cargo run --release -p {name} -- <section> --help")?;
        Ok(())
    }
}

fn command(chapter: &'static Chapter, scale: impl Fn(&Section) -> super::Scale) -> Command {
    let sections = chapter.sections.iter().map(|section| section.command(scale(section)));
    Options::augment_args(Command::new(chapter.name))
        .about(format!("Dive into Deep Learning in Rust. {}", chapter.title))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .after_help(format!(
            "Without a section the sections are listed.\n\nExamples:\n  cargo run --release -p {0} -- all\n  \
             cargo run --release -p {0} -- {1} --seed 7",
            chapter.name,
            chapter.sections.last().map(Section::name).unwrap_or_default()
        ))
        .subcommands(sections)
        .subcommand(Command::new("all").about("All sections in order, with their defaults"))
}

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// How a program ends: errors go to standard error; a closed pipe is none.
pub fn exit_code(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// More threads than any machine computes with: a slip of the finger would start sixty thousand and never end.
pub(super) const MAX_THREADS: u16 = 1024;

/// The number of threads to compute with: the one asked for, the environment's (`RAYON_NUM_THREADS`), or the machine's
/// physical cores as far as this process may use them (two threads of one core share its vector units).
pub fn threads(asked: Option<u16>) -> usize {
    let from_environment =
        || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|threads| (1..=MAX_THREADS).contains(threads));
    let available = || {
        let usable = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        usable.min(num_cpus::get_physical()).max(1)
    };
    asked.or_else(from_environment).map_or_else(available, usize::from)
}

fn closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}
