//! Lays out a new section: module, place in the chapter's table, page, and its lines in the summary and the README.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cells::Source;
use crate::chapters::{Chapter, Section, Workspace, read};
use crate::readme;

/// What to lay out.
#[derive(Debug)]
pub struct NewSection {
    /// As on the command line: `my-section`.
    pub name: String,
    /// `3.8`; the next free one after that of the section before if not given.
    pub number: Option<String>,
    /// The name in words if not given.
    pub title: Option<String>,
    /// The section that it follows; the chapter's last if not given.
    pub after: Option<String>,
}

/// Writes the section's files and lines; the paths that it wrote, from the workspace's root.
pub fn new_section(workspace: &Workspace, chapter: &Chapter, new: &NewSection) -> Result<(Section, Vec<PathBuf>)> {
    let section = named(chapter, &new.name)?;
    let before = match &new.after {
        Some(name) => chapter.section(name)?,
        None => {
            chapter.sections.last().with_context(|| format!("chapter {} has no section to follow", chapter.name))?
        }
    };
    let number = number(workspace, chapter, before, new.number.as_deref())?;
    let title = new.title.clone().unwrap_or_else(|| in_words(&section.name));

    // Every new text is made before the first is written, so that a problem leaves nothing half done.
    let mut files = vec![
        (workspace.source_path(&section), module(&section, &number, &title)),
        (workspace.page_path(&section), page(&number, &title)),
    ];
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        bail!("{} is there already: remove it or choose another name", workspace.relative(path).display());
    }
    let lib = workspace.crate_dir(&chapter.name).join("src/lib.rs");
    let text = read(&lib)?;
    files.push((lib.clone(), table(&text, before, &section).with_context(|| lib.display().to_string())?));
    let summary = workspace.pages_dir().join("SUMMARY.md");
    let link = |section: &Section| format!("{}/{}.md)", section.chapter, section.name);
    let line = format!("- [{number} {title}]({}", link(&section));
    files.push((
        summary.clone(),
        below(&read(&summary)?, &link(before), &line).with_context(|| summary.display().to_string())?,
    ));
    let front = workspace.root.join("README.md");
    if front.is_file() {
        let row = format!(
            "| [{number} {title}]{} | what it shows, in a line | `cargo run --release -p {} -- {}` | 1 |",
            readme::link(&section),
            section.chapter,
            section.name
        );
        let place = readme::link(before);
        files.push((front.clone(), below(&read(&front)?, &place, &row).with_context(|| front.display().to_string())?));
    }
    for (path, text) in &files {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let paths = files.iter().map(|(path, _)| workspace.relative(path).to_owned()).collect();
    Ok((section, paths))
}

fn named(chapter: &Chapter, name: &str) -> Result<Section> {
    let words = name.split('-');
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit());
    if !words.clone().all(is_word) || !name.starts_with(|sign: char| sign.is_ascii_lowercase()) {
        bail!("“{name}” is no name of a section: write small letters and digits with hyphens between, as my-section");
    }
    let module = name.replace('-', "_");
    if syn::parse_str::<syn::Ident>(&module).is_err() || name == "all" || module == "lib" || module == "main" {
        bail!("“{name}” means something else already: choose another name");
    }
    if chapter.sections.iter().any(|section| section.name == name) {
        bail!("chapter {} has a section {name} already: choose another name", chapter.name);
    }
    Ok(Section { chapter: chapter.name.clone(), name: name.to_owned(), module })
}

fn number(workspace: &Workspace, chapter: &Chapter, before: &Section, given: Option<&str>) -> Result<String> {
    let mut taken = Vec::new();
    for section in &chapter.sections {
        taken.extend(
            Source::read(&workspace.source_path(section))?.heading.map(|(number, _)| (number, section.name.clone())),
        );
    }
    let number = if let Some(given) = given {
        if !given.contains('.') || !given.split('.').all(|part| part.parse::<u32>().is_ok()) {
            bail!("“{given}” is no number of a section: write it as 3.8");
        }
        given.to_owned()
    } else {
        let before = taken.iter().find(|(_, name)| *name == before.name);
        let next = before.and_then(|(number, _)| {
            let (chapter, last) = number.rsplit_once('.')?;
            let last: u32 = last.parse().ok()?;
            let mut later = (last + 1..).map(|last| format!("{chapter}.{last}"));
            later.find(|next| taken.iter().all(|(other, _)| other != next))
        });
        next.context("the section before has no number: give one with --number")?
    };
    if let Some((_, name)) = taken.iter().find(|(other, _)| *other == number) {
        bail!("{number} is the number of {name}: give another with --number");
    }
    Ok(number)
}

/// `my-new-section` → `My new section`
fn in_words(name: &str) -> String {
    let words = name.replace('-', " ");
    let (first, rest) = words.split_at(words.len().min(1));
    first.to_uppercase() + rest
}

/// The chapter's `lib.rs` with the module and, in its table, the section after another one.
fn table(text: &str, before: &Section, section: &Section) -> Result<String> {
    let entry = format!("section!({})", before.module);
    let at = text.find(&entry).with_context(|| format!("the table does not have {entry} as one piece"))? + entry.len();
    let indent =
        text[..at].rfind('\n').map_or(0, |line| text[line + 1..at].len() - text[line + 1..at].trim_start().len());
    let new = format!(",\n{:indent$}section!({})", "", section.module);
    let text = format!("{}{new}{}", &text[..at], &text[at..]);

    // Among the modules in the order of their names, where they are in it.
    let line = format!("pub mod {};\n", section.module);
    let modules: Vec<(usize, &str)> = text.match_indices("pub mod ").map(|(at, _)| (at, &text[at..])).collect();
    let later = modules.iter().find(|(_, rest)| *rest > line.as_str()).map(|(at, _)| *at);
    let last = modules.last().and_then(|(at, rest)| Some(at + rest.find('\n')? + 1));
    let at = later.or(last).context("the file has no `pub mod` line")?;
    Ok(format!("{}{line}{}", &text[..at], &text[at..]))
}

/// The text with a line below the first one that contains `place`.
fn below(text: &str, place: &str, line: &str) -> Result<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains(place));
    let at = at.with_context(|| format!("no line has ({place}: add the new section by hand"))?;
    lines.insert(at + 1, line);
    Ok(lines.join("\n") + "\n")
}

fn module(section: &Section, number: &str, title: &str) -> String {
    let Section { chapter, name, .. } = section;
    format!(
        r#"//! {number} {title}
//!
//! What the section shows, in a line or two.
//!
//! `cargo run --release -p {chapter} -- {name}`
//! What to expect of a run: a loss, an accuracy, a time.

use d2l::prelude::*;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {{
    /// How many numbers are drawn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_examples: u32,
}}

impl Hyperparameters for Config {{}}

/// The mean of all elements of a tensor.
pub fn mean(x: &Tensor) -> Result<f64> {{
    x.to_dtype(DType::F64)?.mean_all()?.to_scalar()
}}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {{
    nb.cell("Draws")?;
    let x = nb.normal(config.num_examples as usize)?; // (num_examples)
    let mean = mean(&x)?;
    nb.show("their mean", format!("{{mean:.3}}"))?;
    nb.metric("mean", mean)?;
    Ok(())
}}

#[cfg(test)]
mod tests {{
    use super::*;

    #[test]
    fn the_mean_of_three_numbers() -> Result<()> {{
        assert_eq!(mean(&Tensor::new(&[1f32, 2.0, 6.0], &Device::Cpu)?)?, 3.0);
        Ok(())
    }}

    #[test]
    fn runs_at_smoke_scale() -> anyhow::Result<()> {{
        let out = tempfile::tempdir()?;
        let record = crate::CHAPTER.smoke("{name}", out.path(), &[])?;
        assert!(record.metrics.contains_key("mean"));
        Ok(())
    }}
}}
"#
    )
}

fn page(number: &str, title: &str) -> String {
    format!(
        "# {number} {title}\n\n<!-- run -->\n<!-- /run -->\n\nWhat the section shows, the formula, and what to look at in \
         the result. The prose is yours; what stands between\nthe comments is woven in.\n\n<!-- item: mean -->\n\
         <!-- /item -->\n\n## Draws\n\n<!-- code: Draws -->\n<!-- /code -->\n\n<!-- output: Draws -->\n<!-- /output -->\n"
    )
}

/// What is to be done next, in words for a person.
pub fn next_steps(workspace: &Workspace, section: &Section) -> String {
    let Section { chapter, name, .. } = section;
    let (source, page) = (workspace.source_path(section), workspace.page_path(section));
    let shown = |path: &Path| workspace.relative(path).display().to_string();
    format!(
        "Next:\n  1. write its code in {}\n  2. write its prose in {}, and its line in README.md\n  \
         3. cargo xtask record {chapter} {name}\n  4. cargo xtask check",
        shown(&source),
        shown(&page)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::unmapped_names;
    use crate::check::check;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::record::{Options, record};
    use crate::weave::{Mode, weave};

    fn new(name: &str) -> NewSection {
        NewSection { name: name.into(), number: None, title: None, after: None }
    }

    fn lay_out(fixture: &Fixture, new: &NewSection) -> Result<(Section, Vec<PathBuf>)> {
        let chapters = fixture.workspace.chapters().unwrap();
        new_section(&fixture.workspace, &chapters[0], new)
    }

    #[test]
    fn a_new_section_passes_the_checks_once_it_is_recorded() {
        let fixture = Fixture::new();
        let (section, files) = lay_out(&fixture, &new("a-third-one")).unwrap();
        assert_eq!(files.len(), 5);
        let readme = fixture.read("README.md");
        assert!(readme.contains("\n| [3.3 A third one](notebooks-md/demo/a-third-one.md) |"), "{readme}");
        let chapters = fixture.workspace.chapters().unwrap();
        let order: Vec<&str> = chapters[0].sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(order, ["second-thing", "first", "a-third-one"]);

        let sections = [fixture.section("first"), fixture.section("second-thing"), section];
        let options = Options { seeds: 1, flags: Vec::new() };
        record(&fixture.workspace, &sections, &options, &mut FakeRunner::new(&fixture)).unwrap();
        fixture.write("crates/demo/targets.json", "{}");
        weave(&fixture.workspace, &chapters, None, Mode::Write).unwrap();
        readme::weave_seconds(&fixture.workspace, &chapters, Mode::Write).unwrap();
        let problems = check(&fixture.workspace, &chapters, &chapters).unwrap();
        assert_eq!(problems, []);
        assert_eq!(unmapped_names(&fixture.workspace).unwrap(), []);
        assert!(fixture.read("notebooks-md/demo/a-third-one.md").contains("```rust\nlet x = nb.normal("));
    }

    #[test]
    fn the_module_stands_in_order_and_the_table_where_asked() {
        let fixture = Fixture::new();
        let new = NewSection { number: Some("3.7".into()), after: Some("second-thing".into()), ..new("middle") };
        lay_out(&fixture, &new).unwrap();
        let lib = fixture.read("crates/demo/src/lib.rs");
        assert!(lib.contains("pub mod first;\npub mod middle;\npub mod second_thing;\n"), "{lib}");
        assert!(lib.contains("section!(second_thing),\n    section!(middle), section!(first)"), "{lib}");
        let summary = fixture.read("notebooks-md/SUMMARY.md");
        assert!(summary.contains("second-thing.md)\n- [3.7 Middle](demo/middle.md)\n"), "{summary}");
        syn::parse_file(&fixture.read("crates/demo/src/middle.rs")).unwrap();
    }

    #[test]
    fn wrong_names_and_numbers_say_what_to_write_and_change_nothing() {
        let fixture = Fixture::new();
        let error = |new: NewSection| lay_out(&fixture, &new).unwrap_err().to_string();
        for name in ["My", "a_b", "", "-a", "3d", "a--b", "match", "all"] {
            let error = error(new(name));
            assert!(error.contains("name"), "{name}: {error}");
        }
        assert!(error(new("first")).contains("already"));
        assert!(error(NewSection { number: Some("8".into()), ..new("x") }).contains("as 3.8"));
        assert!(error(NewSection { number: Some("3.2".into()), ..new("x") }).contains("is the number of second-thing"));
        assert!(error(NewSection { after: Some("fist".into()), ..new("x") }).contains("did you mean “first”"));
        assert!(!fixture.workspace.root.join("crates/demo/src/x.rs").exists());
    }
}
