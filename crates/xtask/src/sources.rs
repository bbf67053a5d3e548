//! Which sources stand behind a section's page, and a fingerprint of each.
//!
//! A recorded output is older than the code where any of them has changed: the section's own file, the files of chapters
//! that it uses, directly or through one another, and the items of shared crates that its page shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use d2l_record::fingerprint;
use syn::visit::{self, Visit};

use crate::cells::Source;
use crate::chapters::{Section, Workspace, parse, read};
use crate::pages::{Content, blocks};

/// The fingerprints of all sources behind a section, by path or by an item's name.
pub fn fingerprints(workspace: &Workspace, section: &Section) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(section.chapter.clone(), workspace.source_path(section))];
    let mut seen = BTreeSet::new();
    while let Some((package, path)) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = read(&path)?;
        found.insert(workspace.relative(&path).display().to_string(), fingerprint(&text));
        for used in used_paths(&path, &text)? {
            waiting.extend(resolve(workspace, &package, &path, &used)?);
        }
    }
    let page = fs::read_to_string(workspace.page_path(section)).unwrap_or_default();
    for block in blocks(&workspace.page_path(section), &page).unwrap_or_default() {
        if let Content::Item(name) = &block.content
            && let Some(item) = shared_item(workspace, name)?
        {
            found.insert(name.clone(), fingerprint(&item.1));
        }
    }
    Ok(found)
}

/// An item of a shared crate by its path as readers write it, such as `d2l::text::Vocab` or `tables::dummies`: the file
/// and its text.
pub fn shared_item(workspace: &Workspace, name: &str) -> Result<Option<(PathBuf, String)>> {
    let Some((mut path, mut item)) = name.rsplit_once("::") else { return Ok(None) };
    // A method goes with its type, which is no module: `d2l::text::Vocab::new`.
    if let Some((rest, of)) = path.rsplit_once("::")
        && of.starts_with(|first: char| first.is_uppercase())
    {
        (path, item) = (rest, &name[rest.len() + 2..]);
    }
    let source = match path.split("::").collect::<Vec<_>>()[..] {
        ["tables", ..] => workspace.crate_dir("tables").join("src"),
        ["d2l", "ops", ..] => workspace.crate_dir("d2l-ops").join("src"),
        ["d2l", "data", "hub" | "archive"] => workspace.crate_dir("d2l-hub").join("src"),
        ["d2l", module, ..] => workspace.crate_dir("d2l").join("src").join(module),
        _ => return Ok(None),
    };
    let mut files = Vec::new();
    if source.is_dir() {
        rust_files(&source, &mut files)?;
    } else {
        files.push(source.with_extension("rs"));
    }
    for file in files.into_iter().filter(|file| file.is_file()) {
        if let Some(text) = Source::read(&file)?.item(item) {
            return Ok(Some((file, text.to_owned())));
        }
    }
    Ok(None)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            rust_files(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(())
}

/// The paths that a file names, tests apart: `use` trees and expressions, as their segments.
fn used_paths(path: &Path, text: &str) -> Result<BTreeSet<Vec<String>>> {
    let file = parse(path, text)?;
    let mut used = Used::default();
    used.visit_file(&file);
    Ok(used.0)
}

#[derive(Default)]
struct Used(BTreeSet<Vec<String>>);

impl Used {
    fn tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => drop(self.0.insert(with(&name.ident))),
            syn::UseTree::Rename(name) => drop(self.0.insert(with(&name.ident))),
            syn::UseTree::Glob(_) => drop(self.0.insert(before.to_vec())),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
        }
    }
}

impl<'a> Visit<'a> for Used {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        let test = module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.segments.len() > 1 {
            self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

/// The file of a chapter that a path leads to, with the chapter; none where it leads elsewhere.
fn resolve(workspace: &Workspace, package: &str, file: &Path, path: &[String]) -> Result<Option<(String, PathBuf)>> {
    let Some((first, rest)) = path.split_first() else { return Ok(None) };
    let (package, rest) = match first.as_str() {
        "crate" => (package.to_owned(), rest),
        // Sections stand in one folder, and what they share above it.
        "super" => {
            let in_sections = file.parent().is_some_and(|folder| folder.ends_with("sections"));
            match (in_sections, rest.first().map(String::as_str)) {
                (true, Some("super")) => (package.to_owned(), &rest[1..]),
                _ => (package.to_owned(), rest),
            }
        }
        name => {
            let name = name.replace('_', "-");
            if !workspace.crate_dir(&name).join("src/sections/mod.rs").is_file() {
                return Ok(None);
            }
            (name, rest)
        }
    };
    let rest = if rest.first().is_some_and(|name| name == "sections") { &rest[1..] } else { rest };
    let Some(name) = rest.first() else { return Ok(None) };
    if let Some(path) = workspace.module_path(&package, name) {
        return Ok(Some((package, path)));
    }
    // A name that the crate's root hands on.
    let lib = workspace.crate_dir(&package).join("src/lib.rs");
    if !lib.is_file() {
        return Ok(None);
    }
    let handed_on = used_paths(&lib, &read(&lib)?)?;
    let from = handed_on.into_iter().find(|path| path.last() == Some(name));
    let module = from.and_then(|path| path.iter().find(|segment| *segment != "sections").cloned());
    Ok(module.and_then(|module| workspace.module_path(&package, &module)).map(|path| (package, path)))
}

/// What differs between the fingerprints of a record and those of the sources as they are.
pub fn changed(recorded: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = recorded.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| recorded.get(*name) != now.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.edit("crates/demo/src/sections/first.rs", |text| {
            text.replace("/// Nothing", "use crate::shared::help;\nuse other::Thing;\n\n/// Nothing")
        });
        fixture.write("crates/demo/src/shared.rs", "//! Shared.\nuse crate::deeper::deep;\npub fn help() {}\n");
        fixture.write("crates/demo/src/deeper.rs", "pub fn deep() {}\n");
        fixture.write("crates/demo/src/unused.rs", "pub fn unused() {}\n");
        fixture.write("crates/other/src/lib.rs", "pub mod sections;\npub use sections::thing::Thing;\n");
        fixture.write(
            "crates/other/src/sections/mod.rs",
            "pub mod thing;\npub const SECTIONS: &[S] = &[section!(thing)];\n",
        );
        fixture.write("crates/other/src/sections/thing.rs", "//! 4.1 Thing\npub struct Thing;\n");
        fixture.write("crates/tables/src/lib.rs", "mod frame;\npub use frame::dummies;\n");
        fixture.write("crates/tables/src/frame.rs", "/// Indicators.\npub fn dummies() {}\n\npub fn other() {}\n");
        fixture.write("crates/d2l/src/text/vocab.rs", "/// A list.\npub struct Vocab;\n\npub struct Other;\n");
        let items =
            ["d2l::text::Vocab", "tables::dummies"].map(|name| format!("\n<!-- item: {name} -->\n<!-- /item -->\n"));
        fixture.edit("notebooks-md/demo/first.md", |text| text + "\n" + &items.concat());
        fixture
    }

    #[test]
    fn a_change_in_any_source_behind_a_page_is_named_and_no_other() {
        let fixture = fixture();
        let section = fixture.section("first");
        let of = || fingerprints(&fixture.workspace, &section).unwrap();
        let before = of();
        let names: Vec<&str> = before.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "crates/demo/src/deeper.rs",
                "crates/demo/src/sections/first.rs",
                "crates/demo/src/shared.rs",
                "crates/other/src/sections/thing.rs",
                "d2l::text::Vocab",
                "tables::dummies"
            ]
        );
        let edits = [
            ("crates/demo/src/deeper.rs", "pub fn deep() {}", "pub fn deep() { now() }", "crates/demo/src/deeper.rs"),
            (
                "crates/other/src/sections/thing.rs",
                "struct Thing;",
                "struct Thing(u8);",
                "crates/other/src/sections/thing.rs",
            ),
            ("crates/d2l/src/text/vocab.rs", "struct Vocab;", "struct Vocab(u8);", "d2l::text::Vocab"),
            ("crates/tables/src/frame.rs", "fn dummies() {}", "fn dummies() { now() }", "tables::dummies"),
        ];
        let mut last = before;
        for (file, old, new, named) in edits {
            fixture.edit(file, |text| text.replace(old, new));
            let now = of();
            assert_eq!(changed(&last, &now), [named]);
            last = now;
        }
        fixture.edit("crates/demo/src/shared.rs", |text| text.replace("//! Shared.", "//! Shared by all."));
        fixture.edit("crates/demo/src/unused.rs", |text| text.replace("{}", "{ now() }"));
        fixture.edit("crates/d2l/src/text/vocab.rs", |text| text.replace("struct Other;", "struct Other(u8);"));
        fixture.edit("crates/tables/src/frame.rs", |text| text.replace("fn other() {}", "fn other() { now() }"));
        assert_eq!(changed(&last, &of()), Vec::<String>::new(), "comments and what is not used do not count");
    }
}
