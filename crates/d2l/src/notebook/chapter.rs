//! The table that names a chapter's sections.

use std::path::Path;

use anyhow::{Context, Result};
use clap::{ArgMatches, Command};

use d2l_record::fingerprint;

use crate::train::TrainError;

use super::{Hyperparameters, Notebook, Options, RunRecord, Scale};

/// A chapter and its sections in book order.
#[derive(Debug, Clone, Copy)]
pub struct Chapter {
    /// The crate's name, such as `linear-nets`.
    pub name: &'static str,
    /// The book's number and title, such as `Chapter 3: Linear Neural Networks`.
    pub title: &'static str,
    /// The sections; made with [`section!`](crate::section).
    pub sections: &'static [Section],
}

/// One section: its source and how to run it.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    module: &'static str,
    source: &'static str,
    scale_on_cpu: Scale,
    defaults_at: fn(Scale) -> &'static [(&'static str, &'static str)],
    arguments: fn(Command) -> Command,
    run: Run,
}

type Run = fn(&ArgMatches, &mut Notebook) -> Result<()>;

/// Names a module of the chapter as a section: it must have `Config`, which is [`Hyperparameters`], and
/// `run(&Config, &mut Notebook)`.
#[macro_export]
macro_rules! section {
    ($module:ident) => {
        $crate::notebook::Section::new::<$module::Config>(
            stringify!($module),
            include_str!(concat!(stringify!($module), ".rs")),
            |matches, notebook| $crate::notebook::run_with::<$module::Config>($module::run, matches, notebook),
        )
    };
}

/// Calls a section's `run` with the hyperparameters that the command line gave; part of [`section!`](crate::section).
#[doc(hidden)]
pub fn run_with<C: Hyperparameters>(
    run: fn(&C, &mut Notebook) -> Result<()>,
    matches: &ArgMatches,
    notebook: &mut Notebook,
) -> Result<()> {
    let config = C::from_arg_matches(matches)?;
    notebook.configured(serde_json::to_value(&config).context("the hyperparameters have no JSON form")?);
    run(&config, notebook)
}

impl Section {
    /// A section of a module; use [`section!`](crate::section).
    #[doc(hidden)]
    pub const fn new<C: Hyperparameters>(module: &'static str, source: &'static str, run: Run) -> Self {
        Self {
            module,
            source,
            scale_on_cpu: C::SCALE_ON_CPU,
            defaults_at: C::defaults_at,
            arguments: C::augment_args,
            run,
        }
    }

    /// The name on the command line, such as `softmax-regression-scratch`.
    pub fn name(&self) -> String {
        self.module.replace('_', "-")
    }

    /// The book's number and the title, from the first line of the section's documentation.
    pub fn heading(&self) -> (&'static str, &'static str) {
        let line = self.source.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        line.split_once(' ').unwrap_or((line, ""))
    }

    /// The documentation at the top of the section's source: a line for each paragraph, and for each command that has
    /// one to itself.
    fn documentation(&self) -> String {
        let mut text = String::new();
        let mut goes_on = false;
        for line in self.source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim) {
            if goes_on && !line.is_empty() {
                text.push(' ');
            } else if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            let is_command = line.starts_with('`') && line.ends_with('`');
            goes_on = !line.is_empty() && !is_command;
        }
        text
    }

    /// What tells whether a recorded output still belongs to the source.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.source)
    }

    /// The scale of a run that names none.
    pub(super) fn scale(&self, options: &Options) -> Scale {
        let on_cpu = options.device.is_cpu();
        options.scale.unwrap_or(if on_cpu { self.scale_on_cpu } else { Scale::Book })
    }

    /// The defaults that a scale changes, as `(field, value)`.
    pub(super) fn defaults_at(&self, scale: Scale) -> &'static [(&'static str, &'static str)] {
        (self.defaults_at)(scale)
    }

    /// The section's subcommand, with the defaults of a scale.
    pub(super) fn command(&self, scale: Scale) -> Command {
        let (number, title) = self.heading();
        let command = (self.arguments)(Command::new(self.name()))
            // After the arguments, whose own documentation would stand here.
            .about(format!("{number:<5} {title}"))
            .long_about(self.documentation())
            // So that `--lr -1` is told that a rate is positive, not that there is no flag -1.
            .mut_args(|argument| argument.allow_negative_numbers(true));
        self.defaults_at(scale).iter().fold(command, |command, &(field, value)| {
            command.mut_arg(field, |argument| argument.default_value(value).required(false))
        })
    }

    /// Runs the section with matched arguments and writes its record.
    pub(super) fn run(&self, chapter: &Chapter, options: &Options, matches: &ArgMatches) -> Result<RunRecord> {
        let scale = self.scale(options);
        let mut notebook = Notebook::new(chapter, self, options, scale)?;
        notebook.heading()?;
        let changed = self
            .defaults_at(scale)
            .iter()
            .filter(|(field, _)| matches.value_source(field) == Some(clap::parser::ValueSource::DefaultValue));
        let changed: Vec<String> = changed.map(|(field, value)| format!("{field} {value}")).collect();
        if !changed.is_empty() {
            notebook.notice(&format!("scale {}: {}", scale.name(), changed.join(", ")))?;
        }
        match (self.run)(matches, &mut notebook) {
            // What there is by then is shown and kept.
            Err(error) if is_interruption(&error) => notebook.show_unfinished()?,
            outcome => outcome?,
        }
        notebook.finish()
    }
}

fn is_interruption(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<TrainError>().is_some_and(TrainError::is_interruption))
}

impl Chapter {
    /// Runs one section at smoke scale in a folder, without a word on the terminal: what a section's test calls.
    ///
    /// # Errors
    /// Where the chapter has no such section, and what the section gives.
    pub fn smoke(&self, section: &str, out: &Path, flags: &[&str]) -> Result<RunRecord> {
        self.smoke_with_seed(section, out, flags, Options::default().seed)
    }

    /// [`Chapter::smoke`] with another seed than the default.
    ///
    /// # Errors
    /// As [`Chapter::smoke`].
    pub fn smoke_with_seed(&self, section: &str, out: &Path, flags: &[&str], seed: u64) -> Result<RunRecord> {
        let section = self.section(section)?;
        let arguments = std::iter::once(section.name()).chain(flags.iter().map(ToString::to_string));
        let matches = section.command(Scale::Smoke).try_get_matches_from(arguments)?;
        let out = Some(out.to_path_buf());
        let options = Options { scale: Some(Scale::Smoke), seed, out, quiet: true, ..Options::default() };
        section.run(self, &options, &matches)
    }

    /// The section of a name as on the command line.
    pub(super) fn section(&self, name: &str) -> Result<&'static Section> {
        let found = self.sections.iter().find(|section| section.name() == name);
        found.with_context(|| format!("{} has no section {name}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Args, serde::Serialize)]
    struct Config {
        /// Rate
        #[arg(long, default_value_t = 0.5)]
        lr: f64,
    }

    impl Hyperparameters for Config {}

    #[test]
    fn help_wraps_paragraphs_anew_and_leaves_commands_on_lines_of_their_own() {
        let source =
            "//! 3.1 First\n//!\n//! One line\n//! and its end.\n//!\n//! `cargo run`\n//! Ten epochs.\n\n//! Later.\n";
        let section = Section::new::<Config>("first", source, |_, _| Ok(()));
        assert_eq!(section.heading(), ("3.1", "First"));
        let help = section.command(Scale::Book).render_long_help().to_string();
        assert!(help.starts_with("3.1 First\n\nOne line and its end.\n\n`cargo run`\nTen epochs.\n\nUsage:"), "{help}");
        assert!(help.contains("--lr <LR>"), "{help}");
    }
}
