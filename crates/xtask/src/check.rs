//! Everything that must hold for the sections, their pages and their figures to belong together.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::bench;
use crate::book::{imports, unmapped_names};
use crate::cells::Source;
use crate::chapters::{Chapter, Section, Workspace, parse, read};
use crate::data;
use crate::links::{broken_links, mentions};
use crate::nets;
use crate::parity;
use crate::readme;
use crate::record::{Options, run_all_seeds};
use crate::report::{Problem, say};
use crate::run::{Data, Runner, medians, read_run};
use crate::targets::{self, Row, table};
use crate::weave::{Mode, strays, weave};

/// Checks sources, pages, records and links. `all` are all chapters, `chosen` those to look into.
pub fn check(workspace: &Workspace, all: &[Chapter], chosen: &[Chapter]) -> Result<Vec<Problem>> {
    let mut problems = weave(workspace, chosen, None, Mode::Check)?;
    problems.extend(strays(workspace, all)?);
    problems.extend(bench::weave_page(workspace, Mode::Check)?);
    problems.extend(parity::weave_page(workspace, all, Mode::Check)?);
    problems.extend(nets::weave_page(workspace, all, Mode::Check)?);
    problems.extend(data::weave_page(workspace, Mode::Check)?);
    for chapter in chosen {
        for section in &chapter.sections {
            problems.extend(shape(workspace, section)?);
        }
        problems.extend(recorded_targets(workspace, chapter)?);
    }
    problems.extend(readme::weave_seconds(workspace, chosen, Mode::Check)?);
    problems.extend(unmapped_names(workspace)?);
    problems.extend(broken_links(workspace)?);
    problems.extend(mentions(workspace)?);
    Ok(problems)
}

/// What every section's source must have.
fn shape(workspace: &Workspace, section: &Section) -> Result<Vec<Problem>> {
    let path = workspace.source_path(section);
    if !path.is_file() {
        // Weaving has told that the module is missing.
        return Ok(Vec::new());
    }
    let shown = workspace.relative(&path);
    let source = Source::read(&path)?;
    let mut problems = Vec::new();
    if source.heading.is_none() {
        problems.push(Problem::line(shown, 1, "the first line must be `//! 3.6 Title`, with the section's number"));
    }
    for (item, what) in [("run", "function"), ("Config", "struct")] {
        if source.item(item).is_none() && !hands_on(&path, item)? {
            problems.push(Problem::file(shown, format!("the section has no {what} `{item}`: write one")));
        }
    }
    if !source.has_tests && !tested_outside(workspace, section)? {
        let message = format!("no test: add `#[cfg(test)] mod tests` or a file in crates/{}/tests/it", section.chapter);
        problems.push(Problem::file(shown, message));
    }
    Ok(problems)
}

/// Whether a section takes an item from another place and hands it on: sections that share settings share their `Config`.
fn hands_on(path: &Path, item: &str) -> Result<bool> {
    let file = parse(path, &read(path)?)?;
    Ok(file.items.iter().any(|used| match used {
        syn::Item::Use(used) if matches!(used.vis, syn::Visibility::Public(_)) => {
            imports(used).iter().any(|(name, _)| name == item)
        }
        _ => false,
    }))
}

/// Whether a file of the chapter's `tests` names the section's module.
fn tested_outside(workspace: &Workspace, section: &Section) -> Result<bool> {
    let tests = workspace.crate_dir(&section.chapter).join("tests");
    Ok(tests.is_dir() && names_module(&tests, &section.module)?)
}

/// Whether a source in the folder, or in one of its own, has the module's name in code or the section's in a string.
fn names_module(folder: &Path, module: &str) -> Result<bool> {
    let is_name = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '-';
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let names = if path.is_dir() {
            names_module(&path, module)?
        } else {
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            is_source && read(&path)?.split(|sign| !is_name(sign)).any(|word| word.replace('-', "_") == module)
        };
        if names {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Targets that the recorded medians miss.
fn recorded_targets(workspace: &Workspace, chapter: &Chapter) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let path = workspace.targets_path(&chapter.name);
    for (name, targets) in &targets::load(workspace, chapter)? {
        let record_dir = workspace.record_dir(chapter.section(name)?);
        if !record_dir.join("run.json").is_file() {
            let message = format!("{name} has targets but no record: run `cargo xtask record {} {name}`", chapter.name);
            problems.push(Problem::file(workspace.relative(&path), message));
            continue;
        }
        let record = read_run(&record_dir)?;
        match targets::hold(name, targets, &record.median) {
            Ok(rows) => problems.extend(missed(workspace.relative(&path), name, "the recorded", &rows)),
            Err(error) => problems.push(Problem::file(workspace.relative(&path), error.to_string())),
        }
    }
    Ok(problems)
}

/// A problem for each median outside of its band.
fn missed<'a>(
    targets: &'a Path,
    section: &'a str,
    which: &'a str,
    rows: &'a [Row],
) -> impl Iterator<Item = Problem> + 'a {
    rows.iter().filter(|row| !row.ok()).map(move |row| {
        let Row { metric, median, band } = row;
        let message =
            format!("{section}: {which} median of {metric} is {median}, not {band}: find what changed the result");
        Problem::file(targets, message)
    })
}

/// What `check --run` holds, and what it lets pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    /// Whether a section may have no more than a sample of its data.
    pub allow_sample: bool,
    /// Sections whose recorded run took longer are left out, where a number of seconds is given.
    pub within: Option<f64>,
}

/// The sections whose fastest recorded run took so many seconds at most, and the others.
fn within<'a>(
    workspace: &Workspace,
    sections: impl Iterator<Item = &'a Section>,
    seconds: Option<f64>,
) -> Result<(Vec<&'a Section>, Vec<&'a Section>)> {
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for section in sections {
        let takes = read_run(&workspace.record_dir(section)).map(|run| run.least_seconds());
        let is_long = match seconds {
            Some(seconds) => takes? > seconds,
            None => false,
        };
        if is_long { long.push(section) } else { short.push(section) }
    }
    Ok((short, long))
}

/// Runs every section that has targets, prints its medians against the bands, and returns what fails.
pub fn run_targets(
    workspace: &Workspace,
    chapters: &[Chapter],
    options: &Options,
    which: Which,
    runner: &mut (impl Runner + Sync),
) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for chapter in chapters {
        let all_targets = targets::load(workspace, chapter)?;
        if all_targets.is_empty() {
            continue;
        }
        runner.prepare(&chapter.name)?;
        let path = workspace.targets_path(&chapter.name);
        let shown = workspace.relative(&path);
        let sections = chapter.sections.iter().filter(|section| all_targets.contains_key(&section.name));
        let (sections, long) = within(workspace, sections, which.within)?;
        for section in long {
            say(format!("{} {}: left out, it takes longer\n", chapter.name, section.name))?;
        }
        let all_runs = run_all_seeds(&sections, options, runner)?;
        for (section, runs) in sections.into_iter().zip(all_runs) {
            let name = &section.name;
            if runs.iter().any(|run| run.data == Data::Sample) {
                say(format!("{} {name}: skipped, it has only a sample of its data\n", chapter.name))?;
                if !which.allow_sample {
                    let message = format!(
                        "{name} was not held against its targets: fetch the full data (or, where it cannot be had, pass \
                         --allow-sample)"
                    );
                    problems.push(Problem::file(shown, message));
                }
                continue;
            }
            let medians = medians(runs.iter().map(|run| &run.metrics))?;
            let rows = targets::hold(name, &all_targets[name], &medians)?;
            say(format!("{} {name}, {} seeds\n{}", chapter.name, runs.len(), table(&rows)))?;
            problems.extend(missed(shown, name, "the", &rows));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::record::record;

    const OPTIONS: Options = Options { seeds: 3, jobs: 1, flags: Vec::new() };

    fn recorded() -> Fixture {
        let fixture = Fixture::new();
        let sections = [fixture.section("first"), fixture.section("second-thing")];
        record(&fixture.workspace, &sections, &OPTIONS, &mut FakeRunner::new(&fixture)).unwrap();
        let chapters = fixture.workspace.chapters().unwrap();
        weave(&fixture.workspace, &chapters, None, Mode::Write).unwrap();
        readme::weave_seconds(&fixture.workspace, &chapters, Mode::Write).unwrap();
        fixture
    }

    fn problems(fixture: &Fixture) -> Vec<String> {
        let chapters = fixture.workspace.chapters().unwrap();
        check(&fixture.workspace, &chapters, &chapters).unwrap().iter().map(ToString::to_string).collect()
    }

    fn one_problem(fixture: &Fixture, wanted: &str) {
        let problems = problems(fixture);
        assert!(problems.len() == 1 && problems[0].contains(wanted), "wanted {wanted:?}, got {problems:#?}");
    }

    #[test]
    fn this_workspace_passes() {
        let workspace = Workspace { root: Path::new(env!("CARGO_MANIFEST_DIR")).join("../..") };
        let chapters = workspace.chapters().unwrap();
        let problems = check(&workspace, &chapters, &chapters).unwrap();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn a_sound_workspace_passes() {
        assert_eq!(problems(&recorded()), Vec::<String>::new());
    }

    #[test]
    fn a_section_needs_a_module_a_number_and_a_test() {
        let fixture = recorded();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("3.1 First", "First"));
        one_problem(&fixture, "first.rs:1: the first line must be");
        let fixture = recorded();
        fixture.write("crates/demo/tests/it/second.rs", "use demo::second_thing_else;\n");
        one_problem(&fixture, "second_thing.rs: no test");
        let fixture = recorded();
        fs::remove_file(fixture.workspace.root.join("crates/demo/src/sections/second_thing.rs")).unwrap();
        one_problem(&fixture, "`section!(second_thing)` has no such module");
    }

    #[test]
    fn the_readme_has_every_section_and_its_time() {
        let fixture = recorded();
        fixture.edit("crates/demo/README.md", |text| text.replace("demo/first.md", "demo/second-thing.md"));
        one_problem(&fixture, "crates/demo/README.md: section first has no row in the table");
        let fixture = recorded();
        fixture.edit("crates/demo/README.md", |text| text.replacen("| 2 |", "| 3 |", 1));
        one_problem(&fixture, "crates/demo/README.md:1: first took 2 s when it was recorded");
    }

    #[test]
    fn the_books_names_have_items() {
        let fixture = recorded();
        fixture.edit("book/saved-names.tsv", |text| text.replace("double", "halve"));
        one_problem(&fixture, "saved-names.tsv:1: halve of first has no Rust item");
    }

    #[test]
    fn a_section_needs_run_and_config() {
        let fixture = recorded();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("Config", "Settings"));
        assert!(problems(&fixture).iter().any(|problem| problem.contains("no struct `Config`")));
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("fn run(", "fn start("));
        assert!(problems(&fixture).iter().any(|problem| problem.contains("no function `run`")));
    }

    #[test]
    fn recorded_medians_must_be_in_their_bands() {
        let fixture = recorded();
        fixture.write("crates/demo/targets.json", r#"{"first": {"train_loss": [{"max": 1}, {"max": 0.43}]}}"#);
        let found = problems(&fixture).join("\n");
        assert!(found.contains("the recorded median of train_loss[2] is 0.44, not ≤ 0.43"), "{found}");
        fixture.write("crates/demo/targets.json", r#"{"first": {"train_los": {"max": 1}}}"#);
        let found = problems(&fixture).join("\n");
        assert!(found.contains("no such metric (did you mean “train_loss”?)"), "{found}");
        fixture.write("crates/demo/targets.json", r#"{"frist": {"train_loss": {"max": 1}}}"#);
        let chapters = fixture.workspace.chapters().unwrap();
        let error = format!("{:#}", check(&fixture.workspace, &chapters, &chapters).unwrap_err());
        assert!(error.contains("targets.json") && error.contains("did you mean “first”"), "{error}");
    }

    #[test]
    fn runs_are_held_against_the_bands_and_samples_are_not_passed() {
        let fixture = recorded();
        let chapters = fixture.workspace.chapters().unwrap();
        let run_which = |which, runner: &mut FakeRunner<'_>| {
            run_targets(&fixture.workspace, &chapters, &OPTIONS, which, runner).unwrap().len()
        };
        let run =
            |allow_sample, runner: &mut FakeRunner<'_>| run_which(Which { allow_sample, ..Which::default() }, runner);
        let mut runner = FakeRunner::new(&fixture);
        assert_eq!(run(false, &mut runner), 0);
        runner.data = "sample";
        assert_eq!(run(false, &mut runner), 1);
        assert_eq!(run(true, &mut runner), 0);
        fixture.write("crates/demo/targets.json", r#"{"first": {"train_loss": {"max": 0.43}}}"#);
        assert_eq!(run(false, &mut FakeRunner::new(&fixture)), 1);
        for (seconds, misses) in [(1e6, 1), (0.0, 0)] {
            let which = Which { within: Some(seconds), ..Which::default() };
            assert_eq!(run_which(which, &mut FakeRunner::new(&fixture)), misses, "within {seconds} s");
        }
    }
}
