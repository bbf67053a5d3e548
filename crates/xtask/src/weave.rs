//! Writes code and recorded outputs into the pages, between the markers, and finds what no longer fits together.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cells::{Cell, Source};
use crate::chapters::{Chapter, Section, Workspace};
use crate::pages::{Block, Content, blocks};
use crate::report::{Problem, suggestion};
use crate::run::{Data, Run, read_run};
use crate::shown::{account, code, output, results};
use crate::sources;
use crate::targets::{self, SectionTargets};

/// Whether pages are written, or only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Write,
    Check,
}

/// Weaves the pages of these chapters, or only those of the sections in `only`, and returns all that is left to be put
/// right.
pub fn weave(
    workspace: &Workspace,
    chapters: &[Chapter],
    only: Option<&[Section]>,
    mode: Mode,
) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for chapter in chapters {
        let targets = targets::load(workspace, chapter)?;
        for section in chapter.sections.iter().filter(|section| only.is_none_or(|only| only.contains(section))) {
            problems.extend(weave_section(workspace, section, targets.get(&section.name), mode)?);
        }
    }
    Ok(problems)
}

fn weave_section(
    workspace: &Workspace,
    section: &Section,
    targets: Option<&SectionTargets>,
    mode: Mode,
) -> Result<Vec<Problem>> {
    let page_path = workspace.page_path(section);
    let shown = workspace.relative(&page_path);
    let source_path = workspace.source_path(section);
    if !source_path.is_file() {
        let message = format!("`section!({})` has no such module: write it", section.module);
        return Ok(vec![Problem::file(workspace.relative(&source_path), message)]);
    }
    let source = Source::read(&source_path)?;
    if !page_path.is_file() {
        let message = format!("section {} of {} has no page: write it here", section.name, section.chapter);
        return Ok(vec![Problem::file(shown, message)]);
    }
    let page = fs::read_to_string(&page_path).with_context(|| format!("cannot read {}", shown.display()))?;
    let blocks = match blocks(shown, &page) {
        Ok(blocks) => blocks,
        Err(problems) => return Ok(problems),
    };
    let record_dir = workspace.record_dir(section);
    let record = if record_dir.join("run.json").is_file() { Some(read_run(&record_dir)?) } else { None };

    let mut problems = stale_record(workspace, section, &source, record.as_ref(), &blocks);
    let shows = |cell: &str| blocks.iter().any(|block| matches!(&block.content, Content::Code(title) if title == cell));
    for cell in source.cells.iter().filter(|cell| !shows(&cell.title)) {
        let place = format!("{}:{}", workspace.relative(&source_path).display(), cell.line);
        let message =
            format!("cell “{}” ({place}) is not shown: add <!-- code: {0} --> and <!-- /code -->", cell.title);
        problems.push(Problem::file(shown, message));
    }

    let has_metrics = record.as_ref().is_some_and(|record| !record.metrics.is_empty());
    if has_metrics && !blocks.iter().any(|block| block.content == Content::Results) {
        let message = "the metrics are not shown: add <!-- results --> and <!-- /results --> at the end";
        problems.push(Problem::file(shown, message.to_owned()));
    }

    let woven = Weaver { workspace, section, source: &source, record: record.as_ref(), targets };
    let mut text = String::with_capacity(page.len());
    let mut copied = 0;
    for block in &blocks {
        let body = &page[block.body.clone()];
        let fresh = match woven.content(&block.content) {
            Ok(fresh) if page.contains("\r\n") => fresh.replace('\n', "\r\n"),
            Ok(fresh) => fresh,
            Err(message) => {
                problems.extend(message.map(|message| Problem::line(shown, block.line, message)));
                body.to_owned()
            }
        };
        if fresh != body && mode == Mode::Check {
            let what = describe(&block.content);
            let message = format!("{what} is not what the source and the record say: run `cargo xtask weave`");
            problems.push(Problem::line(shown, block.line, message));
        }
        text += &page[copied..block.body.start];
        text += &fresh;
        copied = block.body.end;
    }
    text += &page[copied..];
    if mode == Mode::Write && text != page {
        fs::write(&page_path, text).with_context(|| format!("cannot write {}", shown.display()))?;
    }
    Ok(problems)
}

/// Writes a table between the markers of a page that shows nothing else, or compares it; `remedy` is what brings them
/// together.
pub fn weave_table(
    workspace: &Workspace,
    path: &Path,
    content: &Content,
    table: &str,
    remedy: &str,
    mode: Mode,
) -> Result<Vec<Problem>> {
    let shown = workspace.relative(path);
    let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", shown.display()))?;
    let blocks = match blocks(shown, &page) {
        Ok(blocks) => blocks,
        Err(problems) => return Ok(problems),
    };
    let fresh = if page.contains("\r\n") { table.replace('\n', "\r\n") } else { table.to_owned() };
    let mut problems = Vec::new();
    let mut text = String::with_capacity(page.len());
    let mut copied = 0;
    for block in &blocks {
        if block.content != *content {
            let message = format!("this page shows {} only: remove the marker", describe(content));
            problems.push(Problem::line(shown, block.line, message));
            continue;
        }
        if page[block.body.clone()] != fresh && mode == Mode::Check {
            let message = format!("the table is not the recorded one: {remedy}");
            problems.push(Problem::line(shown, block.line, message));
        }
        text += &page[copied..block.body.start];
        text += &fresh;
        copied = block.body.end;
    }
    text += &page[copied..];
    if mode == Mode::Write && text != page {
        fs::write(path, text).with_context(|| format!("cannot write {}", shown.display()))?;
    }
    Ok(problems)
}

fn describe(content: &Content) -> String {
    match content {
        Content::Code(title) => format!("the code of cell “{title}”"),
        Content::Item(name) => format!("item `{name}`"),
        Content::Output(title) => format!("the output of cell “{title}”"),
        Content::Run => "the account of the run".to_owned(),
        Content::Results => "the table of metrics".to_owned(),
        Content::Table(name) => format!("the table `{name}`"),
    }
}

/// A page with outputs needs a record, and a record must come from the code as it is.
fn stale_record(
    workspace: &Workspace,
    section: &Section,
    source: &Source,
    record: Option<&Run>,
    blocks: &[Block],
) -> Vec<Problem> {
    let renew = format!("run `cargo xtask record {} {}`", section.chapter, section.name);
    let shown = workspace.page_path(section);
    let shown = workspace.relative(&shown);
    match record {
        Some(record) if record.data == Data::Sample => {
            vec![Problem::file(
                shown,
                format!("the recorded run saw only a sample of its data: {renew} with the full set"),
            )]
        }
        // Records from before there were fingerprints of all sources have that of the section alone.
        Some(record) if !record.fingerprints.is_empty() => match sources::fingerprints(workspace, section) {
            Ok(now) => {
                let changed = sources::changed(&record.fingerprints, &now);
                let message = format!("the output is older than {}: {renew}", changed.join(", "));
                if changed.is_empty() { Vec::new() } else { vec![Problem::file(shown, message)] }
            }
            Err(error) => vec![Problem::file(shown, format!("{error:#}"))],
        },
        Some(record) if record.fingerprint != source.fingerprint => {
            let from = &record.fingerprint;
            let now = &source.fingerprint;
            vec![Problem::file(
                shown,
                format!("the output is older than the code ({from}, the code is {now}): {renew}"),
            )]
        }
        Some(_) => Vec::new(),
        None => {
            let wants_record =
                |block: &&Block| matches!(block.content, Content::Output(_) | Content::Run | Content::Results);
            let first = blocks.iter().find(wants_record);
            first
                .map(|block| Problem::line(shown, block.line, format!("no run is recorded: {renew}")))
                .into_iter()
                .collect()
        }
    }
}

/// What the blocks of one page show.
struct Weaver<'a> {
    workspace: &'a Workspace,
    section: &'a Section,
    source: &'a Source,
    record: Option<&'a Run>,
    targets: Option<&'a SectionTargets>,
}

impl Weaver<'_> {
    /// The text between the markers. An error leaves what stands there; it has a message unless the missing record,
    /// which is reported once for the page, is all that is wrong.
    fn content(&self, content: &Content) -> Result<String, Option<String>> {
        match content {
            Content::Code(title) => Ok(code(&self.known_cell(title)?.code)),
            Content::Item(name) => self.item(name).map_err(Some),
            Content::Output(title) => {
                self.known_cell(title)?;
                let record = self.record.ok_or(None)?;
                // A cell that is newer than the record is covered by the message that the record is old.
                let cell = record.cell(title).ok_or(None)?;
                Ok(output(self.section, cell))
            }
            Content::Run => Ok(account(self.section, self.source, self.record.ok_or(None)?)),
            Content::Results => results(self.workspace, self.record.ok_or(None)?, self.targets).map_err(Some),
            Content::Table(name) => Err(Some(format!("the table `{name}` has a page of its own: remove the marker"))),
        }
    }

    /// An item of the section, or as `module::item` one of another module of its chapter.
    fn item(&self, name: &str) -> Result<String, String> {
        let unknown = |of: &str, source: &Source, item: &str| {
            let known = suggestion(item, source.item_names());
            format!("{of} has no item `{item}`{known}: name a top-level item of its source")
        };
        if let Some((_, text)) = sources::shared_item(self.workspace, name).map_err(|error| format!("{error:#}"))? {
            return Ok(code(&text));
        }
        match self.workspace.item_elsewhere(self.section, name) {
            Some((module, item)) => {
                let path = self.workspace.module_path(&self.section.chapter, module).ok_or("the module is gone")?;
                let source = Source::read(&path).map_err(|error| format!("{error:#}"))?;
                let of = self.workspace.relative(&path).display().to_string();
                source.item(item).map(code).ok_or_else(|| unknown(&of, &source, item))
            }
            None => self.source.item(name).map(code).ok_or_else(|| unknown("the section", self.source, name)),
        }
    }

    fn known_cell(&self, title: &str) -> Result<&Cell, Option<String>> {
        self.source.cell(title).ok_or_else(|| {
            let known = suggestion(title, self.source.cells.iter().map(|cell| cell.title.as_str()));
            Some(format!("the section has no cell “{title}”{known}: use the title of an `nb.cell`"))
        })
    }
}

/// Pages and records that belong to no section, and pages that the summary does not list.
pub fn strays(workspace: &Workspace, chapters: &[Chapter]) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let pages = workspace.pages_dir();
    let summary_path = pages.join("SUMMARY.md");
    let summary = fs::read_to_string(&summary_path)
        .with_context(|| format!("cannot read {}: it lists the pages", workspace.relative(&summary_path).display()))?;
    for section in chapters.iter().flat_map(|chapter| &chapter.sections) {
        let link = format!("{}/{}.md)", section.chapter, section.name);
        if !summary.contains(&format!("]({link}")) && !summary.contains(&format!("](./{link}")) {
            let message = format!("section {} is not listed: add a line with ({link}", section.name);
            problems.push(Problem::file(workspace.relative(&summary_path), message));
        }
    }
    for folder in entries(&pages)? {
        // The site's own build is no chapter.
        let chapter = folder.file_name().to_string_lossy().into_owned();
        if !folder.path().is_dir() || chapter == "book" {
            continue;
        }
        let known = |name: &str| {
            chapters
                .iter()
                .any(|other| other.name == chapter && other.sections.iter().any(|section| section.name == name))
        };
        for entry in entries(&folder.path())? {
            let path = entry.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            if (is_page || path.join("run.json").is_file()) && !known(&stem) {
                let what = if is_page { "page" } else { "record" };
                let message = format!("this {what} has no section in crates/{chapter}: remove it or add the section");
                problems.push(Problem::file(workspace.relative(&path), message));
            }
        }
    }
    Ok(problems)
}

fn entries(dir: &Path) -> Result<Vec<fs::DirEntry>> {
    let read = || fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>();
    let mut entries = read().with_context(|| format!("cannot read {}", dir.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture, PAGE};
    use crate::record::{Options, record};

    fn woven() -> Fixture {
        let fixture = Fixture::new();
        let sections = [fixture.section("first"), fixture.section("second-thing")];
        let options = Options { seeds: 3, jobs: 1, flags: Vec::new() };
        record(&fixture.workspace, &sections, &options, &mut FakeRunner::new(&fixture)).unwrap();
        assert_eq!(run(&fixture, Mode::Write), Vec::<String>::new());
        fixture
    }

    fn run(fixture: &Fixture, mode: Mode) -> Vec<String> {
        let chapters = fixture.workspace.chapters().unwrap();
        let mut problems = weave(&fixture.workspace, &chapters, None, mode).unwrap();
        problems.extend(strays(&fixture.workspace, &chapters).unwrap());
        problems.iter().map(ToString::to_string).collect()
    }

    fn one_problem(fixture: &Fixture, wanted: &str) {
        let problems = run(fixture, Mode::Check);
        assert!(problems.len() == 1 && problems[0].contains(wanted), "wanted {wanted:?}, got {problems:#?}");
    }

    #[test]
    fn writes_code_items_outputs_and_the_run() {
        let fixture = woven();
        let page = fixture.read("notebooks-md/demo/first.md");
        assert!(
            page.contains("<!-- code: The \"data\" -->\n```rust\n// why\nlet x = 1;\n```\n<!-- /code -->"),
            "{page}"
        );
        assert!(
            page.contains("```rust\n/// Doubles `x`.\npub fn double(x: f64) -> f64 {\n    2.0 * x // twice\n}\n```")
        );
        assert!(page.contains("```text\nx = 1\n```\n\n![Loss \\[nats\\] by epoch](first/curve.svg)\n<!-- /output -->"));
        assert!(page.contains("<!-- output: Training -->\n<!-- /output -->"), "nothing printed, nothing shown");
        assert!(page.contains("cargo run --release -p demo -- first --seed 42\n"));
        assert!(page.contains(
            "Recorded with seed 42 at scale book on the full data on 2 threads (cpu); the fastest of 3 runs took 1.5 s. \
             Settings: `lr` 0.1."
        ));
        assert!(page.contains("| metric | | this run | median of 3 seeds | target |"));
        assert!(page.contains("| `train_loss`, last of 2 | mean loss of an epoch | 0.4500 | 0.4400 | ≤ 0.445 |"));
        assert!(page.starts_with("# First\n\nProse  with   spaces.\t\n"), "prose stays as it is");
        assert!(page.ends_with("The end, without a line end"));
    }

    #[test]
    fn weaving_twice_changes_nothing_and_passes_the_check() {
        let fixture = woven();
        let before = fixture.read("notebooks-md/demo/first.md");
        assert_eq!(run(&fixture, Mode::Check), Vec::<String>::new());
        assert_eq!(run(&fixture, Mode::Write), Vec::<String>::new());
        assert_eq!(fixture.read("notebooks-md/demo/first.md"), before);
    }

    #[test]
    fn an_item_can_come_from_another_module_of_the_chapter() {
        let fixture = woven();
        fixture.write(
            "crates/demo/src/shared.rs",
            "//! Shared.\n\n/// Halves.\npub fn half(x: f64) -> f64 {\n    x / 2.0\n}\n",
        );
        fixture.edit("notebooks-md/demo/first.md", |page| {
            page.replace("More.\n", "More.\n<!-- item: shared::half -->\n<!-- /item -->\n")
        });
        assert_eq!(run(&fixture, Mode::Write), Vec::<String>::new());
        assert!(fixture.read("notebooks-md/demo/first.md").contains("```rust\n/// Halves.\npub fn half"));
        fixture.edit("notebooks-md/demo/first.md", |page| page.replace("shared::half", "shared::halve"));
        let problems = run(&fixture, Mode::Check);
        assert!(problems[0].contains("crates/demo/src/shared.rs has no item `halve`"), "{problems:?}");
    }

    #[test]
    fn windows_line_ends_stay() {
        let fixture = woven();
        fixture.write("notebooks-md/demo/first.md", &PAGE.replace('\n', "\r\n"));
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace('\n', "\r\n"));
        assert_eq!(run(&fixture, Mode::Write), Vec::<String>::new());
        assert_eq!(run(&fixture, Mode::Check), Vec::<String>::new());
        let page = fixture.read("notebooks-md/demo/first.md");
        assert_eq!(page.matches('\n').count(), page.matches("\r\n").count());
        assert!(page.contains("```rust\r\n// why\r\nlet x = 1;\r\n```\r\n"));
    }

    #[test]
    fn a_comment_in_the_source_changes_the_page_and_not_the_fingerprint() {
        let fixture = woven();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("// why", "// because"));
        one_problem(&fixture, "first.md:5: the code of cell “The \"data\"” is not what the source");
    }

    #[test]
    fn changed_code_makes_the_output_old() {
        let fixture = woven();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("2.0 * x", "3.0 * x"));
        let problems = run(&fixture, Mode::Write);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains("older than crates/demo/src/sections/first.rs"), "{problems:#?}");
        assert!(problems[0].contains("cargo xtask record demo first`"), "{problems:#?}");
    }

    #[test]
    fn an_output_edited_by_hand_is_found() {
        let fixture = woven();
        fixture.edit("notebooks-md/demo/first.md", |text| text.replace("x = 1\n```", "x = 2\n```"));
        one_problem(&fixture, "the output of cell “The \"data\"” is not what");
    }

    #[test]
    fn a_missing_record_is_reported_once() {
        let fixture = woven();
        fs::remove_dir_all(fixture.workspace.root.join("notebooks-md/demo/first")).unwrap();
        one_problem(&fixture, "no run is recorded: run `cargo xtask record demo first`");
    }

    #[test]
    fn a_section_without_a_page_and_a_page_without_a_section() {
        let fixture = woven();
        let pages = fixture.workspace.root.join("notebooks-md/demo");
        fs::rename(pages.join("first.md"), pages.join("third.md")).unwrap();
        let problems = run(&fixture, Mode::Check);
        assert_eq!(problems.len(), 2, "{problems:#?}");
        assert!(problems[0].contains("first.md: section first of demo has no page"), "{problems:#?}");
        assert!(problems[1].contains("third.md: this page has no section in crates/demo"), "{problems:#?}");
    }

    #[test]
    fn a_record_without_a_section_is_a_stray() {
        let fixture = woven();
        fixture.write("notebooks-md/demo/third/run.json", "{}");
        one_problem(&fixture, "this record has no section");
    }

    #[test]
    fn unknown_cells_and_items_get_the_nearest_name() {
        let fixture = woven();
        fixture.edit("notebooks-md/demo/first.md", |text| text.replace("item: double", "item: duble"));
        one_problem(&fixture, "no item `duble` (did you mean “double”?)");
        fixture.edit("notebooks-md/demo/first.md", |text| text.replace("item: duble", "item: double"));
        fixture.edit("notebooks-md/demo/first.md", |text| text.replace("output: Training", "output: Trainin"));
        one_problem(&fixture, "no cell “Trainin” (did you mean “Training”?)");
    }

    #[test]
    fn every_cell_must_be_on_the_page() {
        let fixture = woven();
        fixture.edit("notebooks-md/demo/first.md", |text| {
            text.replace("<!-- code: Training -->", "").replacen(
                "<!-- /code -->\n\n<!-- output: Training",
                "<!-- output: Training",
                1,
            )
        });
        one_problem(
            &fixture,
            "cell “Training” (crates/demo/src/sections/first.rs:15) is not shown: add <!-- code: Training -->",
        );
    }

    #[test]
    fn unbalanced_markers_leave_the_page_alone() {
        let fixture = woven();
        fixture.edit("notebooks-md/demo/first.md", |text| text.replacen("<!-- /code -->", "", 1));
        let before = fixture.read("notebooks-md/demo/first.md");
        let problems = run(&fixture, Mode::Write);
        assert!(problems[0].contains("a marker inside `code` from line 5"), "{problems:#?}");
        assert_eq!(fixture.read("notebooks-md/demo/first.md"), before);
    }

    #[test]
    fn the_summary_lists_every_page() {
        let fixture = woven();
        fixture.write("notebooks-md/SUMMARY.md", "- [First](demo/first.md)\n");
        one_problem(&fixture, "SUMMARY.md: section second-thing is not listed");
    }
}
