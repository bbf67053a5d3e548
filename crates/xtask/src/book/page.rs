//! A section's page as the site shows it: its facts on top, the place of each piece of code, the items it uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};
use d2l_hub::SETS;

use super::items::{Item, source_url};
use crate::cells::Source;
use crate::chapters::{Section, Workspace};
use crate::data::{bytes, size};
use crate::pages::{Block, Content};
use crate::run::{Data, Run};

/// A run that takes fewer seconds needs no word about its time.
pub const QUICK: f64 = 2.0;

/// What the site adds to a section's page.
#[derive(Debug)]
pub struct Page<'a> {
    pub workspace: &'a Workspace,
    pub section: &'a Section,
    pub source: &'a Source,
    pub run: Option<&'a Run>,
    /// The items of `d2l` in its source.
    pub used: &'a [&'a Item],
    /// The items of `d2l` in the modules of the chapter that it takes something from.
    pub nearby: &'a [&'a Item],
    /// The folder of the documentation as seen from the page, if the site has it.
    pub docs: Option<&'a str>,
}

impl Page<'_> {
    /// The page's Markdown with the additions, from its text and the pairs of markers in it.
    pub fn decorate(&self, text: &str, blocks: &[Block]) -> Result<String> {
        let mut out = String::with_capacity(text.len() * 2);
        let mut copied = 0;
        for block in blocks {
            out += &text[copied..block.body.start];
            let body = &text[block.body.clone()];
            match &block.content {
                // The command stands in the facts on top.
                Content::Run => out += body.split_once("\n```\n").map_or(body, |(_, rest)| rest),
                Content::Code(title) => {
                    out += &self.located(body, &self.section.module, self.source.cell(title).map(|cell| cell.lines));
                }
                Content::Item(name) => match self.workspace.item_elsewhere(self.section, name) {
                    Some((module, item)) => {
                        let file = self.workspace.crate_dir(&self.section.chapter).join("src").join(self.file(module));
                        out += &self.located(body, module, Source::read(&file)?.item_lines(item));
                    }
                    None => out += &self.located(body, &self.section.module, self.source.item_lines(name)),
                },
                Content::Output(_) => out += &output(body),
                Content::Results | Content::Table(_) => out += body,
            }
            copied = block.body.end;
        }
        out += &text[copied..];
        let Some((title, rest)) = out.split_once('\n').filter(|(title, _)| title.starts_with("# ")) else {
            bail!(
                "the page of {} does not start with a title: write `# 3.6 Title` on its first line",
                self.section.name
            );
        };
        Ok(format!("{title}\n\n{}\n{rest}\n{}", self.facts(), self.items()))
    }

    fn facts(&self) -> String {
        let Section { chapter, name, .. } = self.section;
        let (number, _) = self.source.heading.clone().unwrap_or_default();
        let mut facts = vec![("Section", format!("{number} of the book"))];
        facts.push(("Run", format!("<code>cargo run --release -p {chapter} -- {name}</code>")));
        if let Some(run) = self.run {
            let threads = if run.threads == 1 { "one thread".to_owned() } else { format!("{} threads", run.threads) };
            facts.push(("Takes", format!("{} on {threads}", duration(run.least_seconds()))));
        }
        facts.push(("Data", self.data()));
        if let Some(docs) = self.docs {
            let crate_name = chapter.replace('-', "_");
            let file = self.file(&self.section.module);
            let source = source_url(chapter, &file, 1, 1);
            let source = source.trim_end_matches("#1");
            facts.push((
                "Source",
                format!(
                    "<a href=\"{docs}/{source}\">crates/{chapter}/src/{file}</a>, \
                     <a href=\"{docs}/{crate_name}/sections/{}/index.html\">its documentation</a>",
                    self.section.module
                ),
            ));
        }
        let rows: Vec<String> =
            facts.iter().map(|(name, fact)| format!("<div><dt>{name}</dt><dd>{fact}</dd></div>")).collect();
        format!("<dl class=\"facts\">\n{}\n</dl>\n", rows.join("\n"))
    }

    fn data(&self) -> String {
        let sets = |items: &[&Item]| {
            let loads = |set: &str| items.iter().any(|item| item.name() == set);
            let loaded = SETS.iter().filter(|set| set.loaded_by.is_some_and(loads));
            let facts = loaded.map(|set| format!("{}, {}", set.title, size(bytes(set))));
            facts.collect::<Vec<_>>().join("; ")
        };
        let (own, nearby) = (sets(self.used), sets(self.nearby));
        match self.run.map(|run| run.data) {
            _ if !own.is_empty() => own,
            Some(Data::None) | None => "none to fetch".to_owned(),
            Some(_) if nearby.is_empty() => "fetched where the code says so".to_owned(),
            Some(_) => nearby,
        }
    }

    /// The file of a module of the section's chapter, from the crate's folder of sources.
    fn file(&self, module: &str) -> String {
        let source = self.workspace.crate_dir(&self.section.chapter).join("src");
        let path = self.workspace.module_path(&self.section.chapter, module);
        let below = path.as_deref().and_then(|path| path.strip_prefix(&source).ok());
        below.map_or_else(|| format!("{module}.rs"), |path| path.display().to_string())
    }

    /// Code with a link to its lines in the source.
    fn located(&self, body: &str, module: &str, lines: Option<(usize, usize)>) -> String {
        let (Some(docs), Some((first, last))) = (self.docs, lines) else { return body.to_owned() };
        let file = self.file(module);
        let url = source_url(&self.section.chapter, &file, first, last);
        let shown = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        format!("{body}\n<p class=\"source\"><a href=\"{docs}/{url}\">{file}, {shown}</a></p>\n\n")
    }

    /// The items of `d2l`, a line for each of its modules: types with the methods that are called on them.
    fn items(&self) -> String {
        let Some(docs) = self.docs.filter(|_| !self.used.is_empty()) else { return String::new() };
        let mut text = "\n## From d2l\n\nWhat this section uses of the shared crate:\n\n".to_owned();
        let link = |item: &Item| format!("[`{}`]({docs}/{})", item.name(), item.url);
        let mut modules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for item in self.used.iter().filter(|item| !item.is_part()) {
            let module = item.path.rsplit_once("::").map_or("", |(module, _)| module);
            let calls = self.used.iter().filter(|part| {
                part.is_part()
                    && part.path.strip_prefix(&item.path).is_some_and(|rest| rest.starts_with("::"))
                    && part.url.contains("method.")
            });
            let calls: Vec<String> = calls.map(|part| link(part)).collect();
            let calls = if calls.is_empty() { String::new() } else { format!(" ({})", calls.join(", ")) };
            modules.entry(module).or_default().push(link(item) + &calls);
        }
        for (module, items) in modules {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- `{module}`: {}", items.join(", "));
        }
        text
    }
}

/// An output's text is marked as such, so that it looks other than code.
fn output(body: &str) -> String {
    if body.trim().is_empty() { body.to_owned() } else { format!("\n<div class=\"output\">\n\n{body}\n</div>\n\n") }
}

/// A time as people say it.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..QUICK => "a second or two".to_owned(),
        ..90.0 => format!("about {seconds:.0} s"),
        _ => format!("about {:.0} minutes", (seconds / 60.0).max(2.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_say_them() {
        assert_eq!(duration(0.1), "a second or two");
        assert_eq!(duration(11.4), "about 11 s");
        assert_eq!(duration(682.0), "about 11 minutes");
    }
}
