//! Which chapters and sections there are: read from the `SECTIONS` table of each crate, the same that its binary uses.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use syn::visit::{self, Visit};

use crate::report::suggestion;

/// The workspace whose pages and sections are looked after.
#[derive(Debug)]
pub struct Workspace {
    pub root: PathBuf,
}

/// A chapter's crate and its sections in book order.
#[derive(Debug)]
pub struct Chapter {
    pub name: String,
    pub sections: Vec<Section>,
}

/// One section: a module of its chapter's crate, and a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub chapter: String,
    /// `softmax-regression-scratch`, as on the command line and in the page's name.
    pub name: String,
    /// `softmax_regression_scratch`, as in the source.
    pub module: String,
}

impl Workspace {
    /// `crates/<chapter>`
    pub fn crate_dir(&self, chapter: &str) -> PathBuf {
        self.root.join("crates").join(chapter)
    }

    pub fn source_path(&self, section: &Section) -> PathBuf {
        self.crate_dir(&section.chapter).join("src/sections").join(format!("{}.rs", section.module))
    }

    pub fn targets_path(&self, chapter: &str) -> PathBuf {
        self.crate_dir(chapter).join("targets.json")
    }

    pub fn pages_dir(&self) -> PathBuf {
        self.root.join("notebooks-md")
    }

    pub fn page_path(&self, section: &Section) -> PathBuf {
        self.pages_dir().join(&section.chapter).join(format!("{}.md", section.name))
    }

    /// The module and the item that `module::item` names, if the section's chapter has such a module.
    pub fn item_elsewhere<'a>(&self, section: &Section, name: &'a str) -> Option<(&'a str, &'a str)> {
        let (module, item) = name.split_once("::")?;
        self.module_path(&section.chapter, module).is_some().then_some((module, item))
    }

    /// The file of a module of a chapter's crate: a section, or what sections share.
    pub fn module_path(&self, chapter: &str, module: &str) -> Option<PathBuf> {
        let source = self.crate_dir(chapter).join("src");
        let places = [source.join(format!("{module}.rs")), source.join("sections").join(format!("{module}.rs"))];
        places.into_iter().find(|path| path.is_file())
    }

    /// The folder beside the page with the recorded `run.json` and its figures.
    pub fn record_dir(&self, section: &Section) -> PathBuf {
        self.pages_dir().join(&section.chapter).join(&section.name)
    }

    /// A path as people write it, from the workspace's root.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Every crate that has a `SECTIONS` table, by name.
    pub fn chapters(&self) -> Result<Vec<Chapter>> {
        let crates = self.root.join("crates");
        let mut chapters = Vec::new();
        for entry in fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let table = self.crate_dir(&name).join("src/sections/mod.rs");
            if table.is_file()
                && let Some(modules) = sections_of(&table)?
            {
                let section =
                    |module: String| Section { chapter: name.clone(), name: module.replace('_', "-"), module };
                chapters.push(Chapter { sections: modules.into_iter().map(section).collect(), name });
            }
        }
        chapters.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(chapters)
    }

    /// The chapters that a command line asks for: all, or the named one.
    pub fn select(&self, chapter: Option<&str>) -> Result<Vec<Chapter>> {
        let mut chapters = self.chapters()?;
        if let Some(name) = chapter {
            if !chapters.iter().any(|chapter| chapter.name == name) {
                let known = suggestion(name, chapters.iter().map(|chapter| chapter.name.as_str()));
                bail!(
                    "there is no chapter “{name}”{known}: a chapter is a crate with a `SECTIONS` table in src/sections/mod.rs"
                );
            }
            chapters.retain(|chapter| chapter.name == name);
        }
        Ok(chapters)
    }
}

impl Chapter {
    pub fn section(&self, name: &str) -> Result<&Section> {
        self.sections.iter().find(|section| section.name == name).with_context(|| {
            let known = suggestion(name, self.sections.iter().map(|section| section.name.as_str()));
            format!("chapter {} has no section “{name}”{known}", self.name)
        })
    }
}

/// The modules named by `section!(…)` in the file's `const SECTIONS`, if it has one.
fn sections_of(lib: &Path) -> Result<Option<Vec<String>>> {
    let file = parse(lib, &read(lib)?)?;
    let table = file.items.iter().find_map(|item| match item {
        syn::Item::Const(item) if item.ident == "SECTIONS" => Some(item),
        _ => None,
    });
    let Some(table) = table else { return Ok(None) };
    let mut calls = SectionCalls { modules: Vec::new(), error: None };
    calls.visit_item_const(table);
    match calls.error {
        Some(error) => bail!(
            "{}:{}: `section!` wants the name of a module first: {error}",
            lib.display(),
            error.span().start().line
        ),
        None => Ok(Some(calls.modules)),
    }
}

struct SectionCalls {
    modules: Vec<String>,
    error: Option<syn::Error>,
}

impl Visit<'_> for SectionCalls {
    fn visit_macro(&mut self, call: &syn::Macro) {
        if call.path.segments.last().is_some_and(|segment| segment.ident == "section") {
            let first_name = |input: syn::parse::ParseStream<'_>| {
                let name: syn::Ident = input.parse()?;
                input.parse::<proc_macro2::TokenStream>()?;
                Ok(name)
            };
            match call.parse_body_with(first_name) {
                Ok(name) => self.modules.push(name.to_string()),
                Err(error) => self.error = Some(error),
            }
        }
        visit::visit_macro(self, call);
    }
}

/// Reads a text file, with every line end as `\n`.
pub fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.replace("\r\n", "\n"))
}

/// Parses Rust source; an error names file and line.
pub fn parse(path: &Path, text: &str) -> Result<syn::File> {
    syn::parse_file(text).map_err(|error| {
        let line = error.span().start().line;
        anyhow::anyhow!("{}:{line}: {error}: the file must compile first", path.display())
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn finds_the_sections_in_the_order_of_the_table() {
        let fixture = Fixture::new();
        let chapters = fixture.workspace.chapters().unwrap();
        assert_eq!(chapters.len(), 1, "a crate without a table is no chapter");
        let names: Vec<&str> = chapters[0].sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["second-thing", "first"]);
        assert_eq!(chapters[0].sections[0].module, "second_thing");
    }

    #[test]
    fn an_unknown_chapter_or_section_gets_a_suggestion() {
        let fixture = Fixture::new();
        let error = fixture.workspace.select(Some("dem")).unwrap_err().to_string();
        assert!(error.contains("did you mean “demo”"), "{error}");
        let error = fixture.workspace.select(None).unwrap()[0].section("secnd-thing").unwrap_err().to_string();
        assert!(error.contains("did you mean “second-thing”"), "{error}");
    }

    #[test]
    fn a_bad_table_and_bad_source_name_their_line() {
        let fixture = Fixture::new();
        fixture.write("crates/demo/src/sections/mod.rs", "\npub const SECTIONS: &[S] = &[section!(3)];\n");
        let error = fixture.workspace.chapters().unwrap_err().to_string();
        assert!(error.contains("mod.rs:2: `section!` wants"), "{error}");
        fixture.write("crates/demo/src/sections/mod.rs", "\n\nfn {");
        let error = fixture.workspace.chapters().unwrap_err().to_string();
        assert!(error.contains("sections/mod.rs:3:"), "{error}");
    }
}
