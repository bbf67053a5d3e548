//! The page of results, `notebooks-md/parity.md`: every section's recorded medians beside the book's and PyTorch's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::chapters::{Chapter, Section, Workspace, read};
use crate::pages::Content;
use crate::report::Problem;
use crate::run::{Metric, median, read_json, read_run};
use crate::targets::{self, SectionTargets, number};
use crate::weave::{Mode, weave_table};

/// Section → metric → what the authors' own runs of the book's notebooks printed. Typed in by hand, once.
type Book = BTreeMap<String, BTreeMap<String, BookFigure>>;

/// Section → runs in PyTorch at a section's settings, as `scripts/parity.py` writes them.
type Torch = BTreeMap<String, TorchRuns>;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFigure {
    /// The 5th and 95th percentile and the median of the last epoch's value.
    p5: f64,
    median: f64,
    p95: f64,
    runs: u32,
}

#[derive(Debug, Deserialize)]
struct TorchRuns {
    config: Value,
    runs: Vec<TorchRun>,
}

#[derive(Debug, Deserialize)]
struct TorchRun {
    metrics: BTreeMap<String, Metric>,
}

/// Writes the table into the page, or compares it; returns what does not fit together. No page, no problem.
pub fn weave_page(workspace: &Workspace, chapters: &[Chapter], mode: Mode) -> Result<Vec<Problem>> {
    let page = workspace.pages_dir().join("parity.md");
    if !page.is_file() {
        return Ok(Vec::new());
    }
    let folder = workspace.pages_dir().join("parity");
    let book: Book = given(workspace, &folder.join("book.json"))?;
    let torch: Torch = given(workspace, &folder.join("pytorch.json"))?;
    let mut problems = strays(workspace, &folder.join("book.json"), chapters, book.keys());
    problems.extend(strays(workspace, &folder.join("pytorch.json"), chapters, torch.keys()));
    let mut table = String::new();
    for chapter in chapters {
        let targets = targets::load(workspace, chapter)?;
        writeln!(table, "\n### {}\n", chapter.name)?;
        table += "| section | metric | here, median | book: p5, median, p95 | PyTorch: least, median, most | to reach |\n\
                  | --- | --- | ---: | --- | --- | --- |\n";
        for section in &chapter.sections {
            let name = format!("{}/{}", section.chapter, section.name);
            let torch = torch.get(&name);
            table += &rows(workspace, section, targets.get(&section.name), book.get(&name), torch)?;
            problems.extend(torch.map(|runs| other_settings(workspace, section, runs)).transpose()?.flatten());
        }
    }
    problems.extend(weave_table(workspace, &page, &Content::Table("parity"), &table, "run `cargo xtask weave`", mode)?);
    Ok(problems)
}

/// A file of figures; none if it is not there.
fn given<T: Default + serde::de::DeserializeOwned>(workspace: &Workspace, path: &Path) -> Result<T> {
    if !path.is_file() {
        return Ok(T::default());
    }
    let shown = workspace.relative(path).display();
    serde_json::from_str(&read(path)?).with_context(|| format!("{shown} does not have the figures of sections"))
}

/// Sections that a file of figures names and that are not there.
fn strays<'a>(
    workspace: &Workspace,
    path: &Path,
    chapters: &[Chapter],
    names: impl Iterator<Item = &'a String>,
) -> Vec<Problem> {
    let known = |name: &str| {
        name.split_once('/').is_some_and(|(chapter, section)| {
            chapters.iter().any(|known| known.name == chapter && known.section(section).is_ok())
        })
    };
    let shown = workspace.relative(path);
    names
        .filter(|name| !known(name))
        .map(|name| Problem::file(shown, format!("there is no section {name}: correct the name or remove its figures")))
        .collect()
}

/// A problem where PyTorch ran with other settings than the recorded run.
fn other_settings(workspace: &Workspace, section: &Section, torch: &TorchRuns) -> Result<Option<Problem>> {
    let dir = workspace.record_dir(section);
    if !dir.join("run.json").is_file() || read_json(&dir)?.get("config") == Some(&torch.config) {
        return Ok(None);
    }
    let name = format!("{}/{}", section.chapter, section.name);
    let message = format!("{name} ran in PyTorch with other settings: run `python3 scripts/parity.py {name}`");
    Ok(Some(Problem::file(workspace.relative(&workspace.pages_dir().join("parity/pytorch.json")), message)))
}

/// A section's rows: a metric with a figure to compare with or to reach each; all of them where none has one.
fn rows(
    workspace: &Workspace,
    section: &Section,
    targets: Option<&SectionTargets>,
    book: Option<&BTreeMap<String, BookFigure>>,
    torch: Option<&TorchRuns>,
) -> Result<String> {
    let link = format!("[{}]({}/{}.md)", section.name, section.chapter, section.name);
    let dir = workspace.record_dir(section);
    let none = format!("| {link} | none: see its output | | | | |\n");
    if !dir.join("run.json").is_file() {
        return Ok(none);
    }
    let run = read_run(&dir)?;
    let compared = |metric: &String| {
        targets.is_some_and(|targets| targets.contains_key(metric))
            || book.is_some_and(|book| book.contains_key(metric))
            || torch.is_some_and(|torch| torch.runs.iter().any(|run| run.metrics.contains_key(metric)))
    };
    let some = run.median.keys().any(&compared);
    let mut rows = String::new();
    for (metric, value) in run.median.iter().filter(|(metric, _)| !some || compared(metric)) {
        let Some(value) = value.last() else { continue };
        let book = book.and_then(|book| book.get(metric)).map_or_else(String::new, |figure| {
            let [p5, median, p95] = [figure.p5, figure.median, figure.p95].map(number);
            format!("{p5}, {median}, {p95} ({} runs)", figure.runs)
        });
        let torch = torch.map_or_else(String::new, |torch| spread(torch, metric));
        let band = targets.and_then(|targets| targets.get(metric)).and_then(targets::Bands::last);
        let band = band.map_or_else(String::new, |band| band.to_string());
        let (value, seeds) = (number(value), run.seeds.len());
        writeln!(rows, "| {link} | `{metric}` | {value} ({seeds}) | {book} | {torch} | {band} |")?;
    }
    Ok(if rows.is_empty() { none } else { rows })
}

/// The least, the median and the most that PyTorch's runs reached.
fn spread(torch: &TorchRuns, metric: &str) -> String {
    let values: Vec<f64> = torch.runs.iter().filter_map(|run| run.metrics.get(metric).and_then(Metric::last)).collect();
    let runs = values.len();
    least_median_most(values)
        .map_or_else(String::new, |values| format!("{} ({runs} runs)", values.map(number).join(", ")))
}

/// The least, the median and the most; nothing of no values.
pub fn least_median_most(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let (&least, &most) = (values.first()?, values.last()?);
    Some([least, median(values), most])
}

/// What PyTorch's runs reached in a metric, by section: the least, the median and the most.
pub fn torch_spreads(workspace: &Workspace, metric: &str) -> Result<BTreeMap<String, String>> {
    let torch: Torch = given(workspace, &workspace.pages_dir().join("parity/pytorch.json"))?;
    Ok(torch.iter().map(|(section, runs)| (section.clone(), spread(runs, metric))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::record::{Options, record};

    /// The fixture with a record of its first section, and a page to show it.
    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        let options = Options { seeds: 3, jobs: 1, flags: Vec::new() };
        record(&fixture.workspace, &[fixture.section("first")], &options, &mut FakeRunner::new(&fixture)).unwrap();
        fixture.write("notebooks-md/parity.md", "# Results\n<!-- parity -->\n<!-- /parity -->\nWords.\n");
        fixture
    }

    fn woven(fixture: &Fixture, mode: Mode) -> Vec<String> {
        let chapters = fixture.workspace.chapters().unwrap();
        weave_page(&fixture.workspace, &chapters, mode).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_section_stands_beside_the_book_and_pytorch() {
        let fixture = fixture();
        let config = read_json(&fixture.workspace.record_dir(&fixture.section("first"))).unwrap()["config"].clone();
        let torch = serde_json::json!({"demo/first": {"pytorch": "2", "config": config, "runs": [
            {"seed": 1, "metrics": {"train_loss": [0.9, 0.43]}}, {"seed": 2, "metrics": {"train_loss": [0.9, 0.45]}}]}});
        fixture.write("notebooks-md/parity/pytorch.json", &torch.to_string());
        fixture.write(
            "notebooks-md/parity/book.json",
            r#"{"demo/first": {"train_loss": {"p5": 0.4, "median": 0.44, "p95": 0.5, "runs": 33}}}"#,
        );
        assert_eq!(
            woven(&fixture, Mode::Check),
            ["notebooks-md/parity.md:2: the table is not the recorded one: run `cargo xtask weave`"]
        );
        assert_eq!(woven(&fixture, Mode::Write), Vec::<String>::new());
        assert_eq!(woven(&fixture, Mode::Check), Vec::<String>::new());
        let page = fixture.read("notebooks-md/parity.md");
        let row = "| [first](demo/first.md) | `train_loss` | 0.4400 (3) | 0.4000, 0.4400, 0.5000 (33 runs) | \
                   0.4300, 0.4400, 0.4500 (2 runs) | ≤ 0.445 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| [second-thing](demo/second-thing.md) | none: see its output |"), "{page}");
        assert!(page.ends_with("<!-- /parity -->\nWords.\n"));
    }

    #[test]
    fn other_settings_unknown_sections_and_odd_files_are_told() {
        let fixture = fixture();
        fixture.write(
            "notebooks-md/parity/pytorch.json",
            r#"{"demo/first": {"config": {"lr": 7}, "runs": []}, "demo/frist": {"config": {}, "runs": []}}"#,
        );
        let problems = woven(&fixture, Mode::Write);
        assert!(problems.iter().any(|problem| problem.contains("there is no section demo/frist")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("scripts/parity.py demo/first")), "{problems:?}");
        fixture.write("notebooks-md/parity/book.json", "{");
        let chapters = fixture.workspace.chapters().unwrap();
        let error = weave_page(&fixture.workspace, &chapters, Mode::Check).unwrap_err();
        assert!(format!("{error:#}").contains("parity/book.json"), "{error:#}");
    }
}
