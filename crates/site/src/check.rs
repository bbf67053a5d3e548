//! A built site must be whole: each link leads to a file and an anchor that are there, and no page, style or font comes
//! from elsewhere.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// What is wrong with the site in `root`, a line each. Pages below `docs` are rustdoc's: they are led to, not checked.
pub fn check(root: &Path, docs: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    list(root, &mut files)?;
    let mut pages = Pages { root, read: HashMap::new() };
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.starts_with(docs)) {
        let shown = file.strip_prefix(root).unwrap_or(file).display().to_string();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("html") => {
                for link in pages.get(file)?.links.clone() {
                    problems.extend(pages.wrong(file, &link)?.map(|what| format!("{shown}: {} {what}", link.target)));
                }
            }
            Some("css") => {
                let text = read(file)?;
                for target in urls(&text) {
                    let link = Link { target, loads: true };
                    problems.extend(pages.wrong(file, &link)?.map(|what| format!("{shown}: {} {what}", link.target)));
                }
            }
            _ => {}
        }
    }
    Ok(problems)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    target: String,
    /// Whether a browser fetches it by itself, as it does images, styles and scripts.
    loads: bool,
}

/// What a page links to, and what can be linked to in it.
#[derive(Debug, Default)]
struct Page {
    links: Vec<Link>,
    anchors: HashSet<String>,
}

struct Pages<'a> {
    root: &'a Path,
    read: HashMap<PathBuf, Page>,
}

impl Pages<'_> {
    fn get(&mut self, file: &Path) -> Result<&Page> {
        if !self.read.contains_key(file) {
            let page = parse(&read(file)?);
            self.read.insert(file.to_owned(), page);
        }
        self.read.get(file).context("the page was just read")
    }

    /// What is wrong with a link in a file, if anything.
    fn wrong(&mut self, file: &Path, link: &Link) -> Result<Option<&'static str>> {
        let target = link.target.as_str();
        if target.starts_with("data:") || target.starts_with("mailto:") {
            return Ok(None);
        }
        if target.contains("://") || target.starts_with("//") {
            return Ok(link.loads.then_some("is fetched from the network"));
        }
        let (name, anchor) = target.split_once('#').map_or((target, ""), |(name, anchor)| (name, anchor));
        let name = name.split('?').next().unwrap_or_default();
        let mut path = if name.is_empty() {
            file.to_owned()
        } else {
            normal(&file.parent().unwrap_or(self.root).join(decoded(name)))
        };
        if path.is_dir() {
            path.push("index.html");
        }
        if !path.starts_with(self.root) {
            return Ok(Some("leads out of the site"));
        }
        if !path.is_file() {
            return Ok(Some("leads to no file"));
        }
        if anchor.is_empty() || path.extension().is_none_or(|extension| extension != "html") {
            return Ok(None);
        }
        let anchors = &self.get(&path)?.anchors;
        // A view of a source has an anchor a line, and its script knows ranges of them.
        let is_lines = anchor.split('-').all(|line| line.parse::<u32>().is_ok());
        let is_there = |anchor: &str| anchors.contains(anchor);
        let found = if is_lines { anchor.split('-').all(is_there) } else { is_there(&decoded(anchor)) };
        Ok((!found).then_some("leads to no such place on its page"))
    }
}

/// The path without `.` and `..`, which a file system would resolve and a comparison does not.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// Resolves `%20` and its like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse(html: &str) -> Page {
    let tokenizer = Tokenizer::new(Collector { page: RefCell::default() }, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.page.into_inner()
}

struct Collector {
    page: RefCell<Page>,
}

impl TokenSink for Collector {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            let mut page = self.page.borrow_mut();
            // The search's list of hits and the tables of contents have links that a script fills in.
            for attribute in tag.attrs.iter().filter(|attribute| !attribute.value.is_empty()) {
                let target = attribute.value.to_string();
                match &*attribute.name.local {
                    "id" => {
                        page.anchors.insert(target);
                    }
                    "href" => page.links.push(Link { target, loads: &*tag.name == "link" }),
                    "src" => page.links.push(Link { target, loads: true }),
                    _ => {}
                }
            }
            if &*tag.name == "script" {
                return TokenSinkResult::RawData(html5ever::tokenizer::states::ScriptData);
            }
        }
        TokenSinkResult::Continue
    }
}

/// What a style sheet fetches: `url(…)` and `@import "…"`.
fn urls(css: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (opening, closing) in [("url(", ')'), ("@import \"", '"')] {
        for (at, _) in css.match_indices(opening) {
            let rest = &css[at + opening.len()..];
            if let Some(end) = rest.find(closing) {
                found.push(rest[..end].trim_matches(['"', '\'', ' ']).to_owned());
            }
        }
    }
    found
}

fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_leads_nowhere_and_what_comes_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("a")).unwrap();
        fs::create_dir(root.join("doc")).unwrap();
        fs::write(root.join("doc/x.html"), "<p id=12></p><p id=13></p><a href=nowhere.html>").unwrap();
        let page = "<h1 id=\"top\"><a href=\"#top\">x</a></h1><a href=\"../doc/x.html#12-13\">s</a>\
                    <a href=\"../doc/x.html#12-14\">s</a><a href=\"https://a.org\">o</a><img src=\"https://a.org/i.png\">\
                    <img src=\"no%20ne.svg\"><a href=\"#nowhere\">n</a><script>let x = '<a href=\"code\">';</script>\
                    <a href=\"../../out.html\">u</a><link href=\"style.css\">";
        fs::write(root.join("a/page.html"), page).unwrap();
        fs::write(root.join("a/style.css"), "@import \"gone.css\"; a { b: url('data:x') url(//cdn/f.woff2) }").unwrap();
        let problems = check(root, &root.join("doc")).unwrap();
        let wanted = [
            "a/page.html: ../doc/x.html#12-14 leads to no such place on its page",
            "a/page.html: https://a.org/i.png is fetched from the network",
            "a/page.html: no%20ne.svg leads to no file",
            "a/page.html: #nowhere leads to no such place on its page",
            "a/page.html: ../../out.html leads out of the site",
            "a/style.css: //cdn/f.woff2 is fetched from the network",
            "a/style.css: gone.css leads to no file",
        ];
        assert_eq!(problems, wanted);
    }

    #[test]
    fn names_with_signs_are_decoded() {
        assert_eq!(decoded("a%20b%C3%A9%2"), "a bé%2");
    }
}
