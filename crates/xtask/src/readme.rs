//! The table of sections in a chapter's README: a row each, whose last column is the time that the recorded run took.

use std::fs;

use anyhow::{Context as _, Result};

use crate::chapters::{Chapter, Section, Workspace, read};
use crate::report::Problem;
use crate::run::read_run;
use crate::weave::Mode;

/// Writes the recorded seconds into the table of each chapter's `README.md`, or compares them; returns what is not as it
/// should be. A section without a record keeps what stands there.
pub fn weave_seconds(workspace: &Workspace, chapters: &[Chapter], mode: Mode) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for chapter in chapters {
        problems.extend(weave_table(workspace, chapter, mode)?);
    }
    Ok(problems)
}

fn weave_table(workspace: &Workspace, chapter: &Chapter, mode: Mode) -> Result<Vec<Problem>> {
    let path = workspace.crate_dir(&chapter.name).join("README.md");
    let shown = workspace.relative(&path);
    if !path.is_file() {
        let message = format!("chapter {} has no README: write one with a table of its sections", chapter.name);
        return Ok(vec![Problem::file(shown, message)]);
    }
    let text = read(&path)?;
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut problems = Vec::new();
    for section in &chapter.sections {
        let link = link(section);
        let Some(number) = lines.iter().position(|line| line.starts_with('|') && line.contains(&link)) else {
            let message = format!("section {} has no row in the table: add one with {link}", section.name);
            problems.push(Problem::file(shown, message));
            continue;
        };
        let dir = workspace.record_dir(section);
        if !dir.join("run.json").is_file() {
            continue;
        }
        let seconds = read_run(&dir)?.least_seconds().round().max(1.0);
        let line = &mut lines[number];
        let row = line.trim_end();
        let Some((others, _)) = row.strip_suffix('|').and_then(|row| row.rsplit_once('|')) else {
            let message = format!("the row of {} does not end with |: write its seconds between two", section.name);
            problems.push(Problem::line(shown, number + 1, message));
            continue;
        };
        let fresh = format!("{others}| {seconds} |{}", &line[row.len()..]);
        if fresh != *line && mode == Mode::Check {
            let message = format!("{} took {seconds} s when it was recorded: run `cargo xtask weave`", section.name);
            problems.push(Problem::line(shown, number + 1, message));
        }
        *line = fresh;
    }
    let fresh = lines.concat();
    if mode == Mode::Write && fresh != text {
        fs::write(&path, fresh).with_context(|| format!("cannot write {}", shown.display()))?;
    }
    Ok(problems)
}

/// What a section's row has in it.
fn link(section: &Section) -> String {
    format!("(../../notebooks-md/{}/{}.md)", section.chapter, section.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::record::{Options, record};

    const README: &str = "crates/demo/README.md";

    fn woven(fixture: &Fixture, mode: Mode) -> Vec<String> {
        let chapters = fixture.workspace.chapters().unwrap();
        weave_seconds(&fixture.workspace, &chapters, mode).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn seconds_come_from_the_record_and_only_where_there_is_one() {
        let fixture = Fixture::new();
        let before = fixture.read(README);
        assert_eq!(woven(&fixture, Mode::Write), Vec::<String>::new());
        assert_eq!(fixture.read(README), before);

        let options = Options { seeds: 1, jobs: 1, flags: Vec::new() };
        record(&fixture.workspace, &[fixture.section("first")], &options, &mut FakeRunner::new(&fixture)).unwrap();
        let problems = woven(&fixture, Mode::Check);
        assert!(problems.len() == 1 && problems[0].contains("crates/demo/README.md:1: first took 2 s"), "{problems:?}");
        assert_eq!(fixture.read(README), before);
        assert_eq!(woven(&fixture, Mode::Write), Vec::<String>::new());
        let after = "| [x](../../notebooks-md/demo/first.md) | … | … | 2 |\n";
        assert!(fixture.read(README).starts_with(after), "{}", fixture.read(README));
        assert_eq!(woven(&fixture, Mode::Check), Vec::<String>::new());
    }

    #[test]
    fn rows_that_are_missing_or_open_are_told() {
        let fixture = Fixture::new();
        fixture.edit(README, |text| text.replace("demo/first.md", "demo/second-thing.md"));
        let problems = woven(&fixture, Mode::Check);
        assert!(problems.len() == 1 && problems[0].contains("section first has no row in the table"), "{problems:?}");

        let fixture = Fixture::new();
        let options = Options { seeds: 1, jobs: 1, flags: Vec::new() };
        record(&fixture.workspace, &[fixture.section("first")], &options, &mut FakeRunner::new(&fixture)).unwrap();
        fixture.edit(README, |text| text.replace(" | … | … | 1 |", ""));
        let problems = woven(&fixture, Mode::Write);
        assert!(problems.len() == 1 && problems[0].contains("the row of first does not end with |"), "{problems:?}");
    }

    #[test]
    fn a_chapter_without_a_readme_is_told() {
        let fixture = Fixture::new();
        fs::remove_file(fixture.workspace.root.join(README)).unwrap();
        let problems = woven(&fixture, Mode::Write);
        assert!(problems.len() == 1 && problems[0].contains("chapter demo has no README"), "{problems:?}");
    }
}
