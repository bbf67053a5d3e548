//! The book's `#@save` names: the list of them all, and the Rust item that stands for each.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::items::{Index, Item};
use crate::chapters::{Chapter, Workspace, read};
use crate::report::Problem;

/// Where the list of the names is, from the workspace's root.
pub const LIST: &str = "book/saved-names.tsv";

/// A name that the book marks for reuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedName {
    /// The book's folder and file, such as `chapter_linear-networks/softmax-regression-scratch`.
    pub file: String,
    /// `P`, `M` and `T` for the editions that have it.
    editions: String,
    pub name: String,
    /// Counted from 1, in the list.
    line: usize,
}

impl SavedName {
    /// The section's name, as the command line and the page have it.
    pub fn section(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }

    fn folder(&self) -> &str {
        self.file.split('/').next().unwrap_or(&self.file)
    }

    /// Names of the TensorFlow edition alone stand for how that library works.
    fn is_wanted(&self) -> bool {
        self.editions.contains(['P', 'M'])
    }

    /// The name that an item carries: the sets of the hub stand in one table.
    fn searched(&self) -> &str {
        self.name.split('[').next().unwrap_or(&self.name)
    }
}

pub fn saved_names(workspace: &Workspace) -> Result<Vec<SavedName>> {
    parse(&read(&workspace.root.join(LIST))?)
}

fn parse(text: &str) -> Result<Vec<SavedName>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let name = |(index, line): (usize, &str)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, editions, _, name] = fields[..] else {
            anyhow::bail!("{LIST}:{}: a line has a file, editions, a kind and a name, parted by tabs", index + 1);
        };
        Ok(SavedName { file: file.into(), editions: editions.into(), name: name.into(), line: index + 1 })
    };
    lines.map(name).collect()
}

/// The items that stand for a name: those that carry it as an alias, else one that has it as its own name.
fn items_of<'a>(name: &SavedName, index: &'a Index) -> Vec<&'a Item> {
    let by_alias: Vec<&Item> =
        index.items().filter(|item| item.aliases.iter().any(|alias| alias == name.searched())).collect();
    if by_alias.is_empty() {
        // Not a part of a type: `Chart::plot` is not the book's `plot`.
        index.items().filter(|item| item.name() == name.searched() && !item.is_part()).collect()
    } else {
        by_alias
    }
}

/// Names of sections that are here for which no item stands.
pub fn unmapped(workspace: &Workspace, chapters: &[Chapter], index: &Index) -> Result<Vec<Problem>> {
    let names = saved_names(workspace)?;
    let here = |name: &&SavedName| section_of(name, chapters).is_some() && name.is_wanted();
    let missing = names.iter().filter(here).filter(|name| items_of(name, index).is_empty());
    let problem = |name: &SavedName| {
        let message = format!(
            "{} of {} has no Rust item: write #[doc(alias = \"{}\")] above the item that does its work",
            name.name,
            name.section(),
            name.searched()
        );
        Problem::line(Path::new(LIST), name.line, message)
    };
    Ok(missing.map(problem).collect())
}

fn section_of<'a>(name: &SavedName, chapters: &'a [Chapter]) -> Option<(&'a str, &'a str)> {
    let sections = chapters.iter().flat_map(|chapter| &chapter.sections);
    let found = sections.into_iter().find(|section| section.name == name.section())?;
    Some((&found.chapter, &found.name))
}

/// The page that maps every name. `docs` is the folder of the documentation, seen from the page, if there is one.
pub fn page(names: &[SavedName], chapters: &[Chapter], index: &Index, docs: Option<&str>) -> Result<String> {
    let mut text = "# The book's names\n\nWhat the book marks `#@save` for later sections, and the Rust item that does \
                    that work here. A name leads to the section that introduces it. The documentation of each item carries the book's name as an alias, so that a \
                    search for it there finds the item too.\n"
        .to_owned();
    let wanted = names.iter().filter(|name| name.is_wanted());
    let (here, missing): (Vec<_>, Vec<_>) = wanted.partition(|name| section_of(name, chapters).is_some());
    let mut last = "";
    for name in here {
        let (chapter, section) = section_of(name, chapters).context("the name's section is here")?;
        if name.folder() != last {
            last = name.folder();
            let title = last.trim_start_matches("chapter_").replace('-', " ");
            let (first, rest) = title.split_at(title.len().min(1));
            let head = "| the book | here | what it is |\n| --- | --- | --- |";
            write!(text, "\n## {}{rest}\n\n{head}\n", first.to_uppercase())?;
        }
        let items = items_of(name, index);
        let link = |item: &&Item| match docs {
            Some(docs) => format!("[`{}`]({docs}/{})", item.path, item.url),
            None => format!("`{}`", item.path),
        };
        let links: Vec<String> = items.iter().map(link).collect();
        let summary = items.first().map_or(String::new(), |item| plain(&item.summary));
        let in_book = format!("[`{}`]({chapter}/{section}.md)", name.name);
        writeln!(text, "| {in_book} | {} | {summary} |", links.join("<br>"))?;
    }
    if !missing.is_empty() {
        text += "\n## Not here yet\n\nNames of sections that have not been written in Rust.\n\n| section | names |\n| --- | --- |\n";
        for group in missing.chunk_by(|a, b| a.file == b.file) {
            let names: Vec<String> = group.iter().map(|name| format!("`{}`", name.name)).collect();
            writeln!(text, "| {} | {} |", group[0].section(), names.join(", "))?;
        }
    }
    Ok(text)
}

/// A summary without links, which are rustdoc's own, and without what would end a cell of a table.
fn plain(summary: &str) -> String {
    let mut text = summary.replace('|', "\\|");
    while let Some((start, end)) = text.find("](").and_then(|start| Some((start, start + text[start..].find(')')?))) {
        text.replace_range(start..=end, "]");
    }
    text.replace(['[', ']'], "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.write(LIST, "# a remark\nchapter_x/first\tPMT\tfn\ttwice\nchapter_x/first\t--T\tclass\tOnlyT\nchapter_y/far\tPM-\tfn\tlater\n");
        fixture
    }

    fn problems(fixture: &Fixture) -> Vec<String> {
        let index = Index::read(&fixture.workspace, &["demo"]).unwrap();
        let chapters = fixture.workspace.chapters().unwrap();
        unmapped(&fixture.workspace, &chapters, &index).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_of_a_section_that_is_here_needs_an_item() {
        let fixture = fixture();
        assert_eq!(problems(&fixture).len(), 1);
        assert!(problems(&fixture)[0].starts_with("book/saved-names.tsv:2: twice of first has no Rust item"));
        fixture.edit("crates/demo/src/sections/first.rs", |text| {
            text.replace("pub fn double", "#[doc(alias = \"twice\")]\npub fn double")
        });
        assert_eq!(problems(&fixture), Vec::<String>::new());
    }

    #[test]
    fn an_item_of_the_same_name_serves_too() {
        let fixture = fixture();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("fn double", "fn twice"));
        assert_eq!(problems(&fixture), Vec::<String>::new());
    }

    #[test]
    fn the_page_links_items_and_lists_what_is_missing() {
        let fixture = fixture();
        fixture.edit("crates/demo/src/sections/first.rs", |text| text.replace("fn double", "fn twice"));
        let index = Index::read(&fixture.workspace, &["demo"]).unwrap();
        let chapters = fixture.workspace.chapters().unwrap();
        let page = page(&saved_names(&fixture.workspace).unwrap(), &chapters, &index, Some("doc")).unwrap();
        let row = "| [`twice`](demo/first.md) | \
                   [`demo::sections::first::twice`](doc/demo/sections/first/fn.twice.html) | Doubles `x`. |";
        assert!(page.contains("## X\n") && page.contains(row), "{page}");
        assert!(page.contains("| far | `later` |") && !page.contains("OnlyT"), "{page}");
    }

    #[test]
    fn a_bad_line_is_named() {
        assert!(parse("a\tb").unwrap_err().to_string().contains("saved-names.tsv:1"));
    }
}
