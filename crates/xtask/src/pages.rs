//! The markers in a page: which parts of it are written by `weave`, all the rest being prose that nobody touches.
//!
//! A marker is a line of its own, `<!-- code: Cell title -->` to `<!-- /code -->`, and so for `item` and `output`;
//! `run`, `results` and the tables of [`TABLES`] name nothing. Inside fenced code a marker is only text.

use std::ops::Range;
use std::path::Path;

use crate::report::Problem;

/// What is written between a pair of markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The code of the cell with this title.
    Code(String),
    /// The top-level item with this name.
    Item(String),
    /// What the cell with this title printed and drew.
    Output(String),
    /// How the output came about.
    Run,
    /// The metrics of the run, each explained.
    Results,
    /// A table of what all records or sets come to, which stands on one page only: one of [`TABLES`].
    Table(&'static str),
}

const KEYWORDS: [&str; 5] = ["code", "item", "output", "run", "results"];

/// The tables with pages of their own: the benchmark, the medians beside the book's, the deep nets beside one another, and
/// the data sets.
pub const TABLES: [&str; 4] = ["bench", "parity", "nets", "sets"];

impl Content {
    fn keyword(&self) -> &'static str {
        match self {
            Self::Code(_) => "code",
            Self::Item(_) => "item",
            Self::Output(_) => "output",
            Self::Run => "run",
            Self::Results => "results",
            Self::Table(name) => name,
        }
    }
}

/// A pair of markers, and the bytes between their lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub content: Content,
    /// Counted from 1, of the opening marker.
    pub line: usize,
    pub body: Range<usize>,
}

#[derive(Debug)]
enum Marker {
    Open(Content),
    Close(&'static str),
}

fn marker(line: &str) -> Option<Marker> {
    let text = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    if let Some(name) = text.strip_prefix('/') {
        return KEYWORDS.into_iter().chain(TABLES).find(|known| *known == name.trim()).map(Marker::Close);
    }
    if let Some(table) = TABLES.into_iter().find(|table| *table == text) {
        return Some(Marker::Open(Content::Table(table)));
    }
    match text {
        "run" => return Some(Marker::Open(Content::Run)),
        "results" => return Some(Marker::Open(Content::Results)),
        _ => {}
    }
    let (kind, name) = text.split_once(':')?;
    let name = name.trim().to_owned();
    let content = match kind.trim() {
        "code" => Content::Code(name),
        "item" => Content::Item(name),
        "output" => Content::Output(name),
        _ => return None,
    };
    Some(Marker::Open(content))
}

/// Follows fenced code through the lines of a Markdown text.
#[derive(Debug, Default)]
pub struct Fence {
    open: Option<(char, usize)>,
}

impl Fence {
    /// Takes the next line; true when it belongs to fenced code, the fences included.
    pub fn covers(&mut self, line: &str) -> bool {
        let text = line.trim();
        let sign = text.chars().next().filter(|sign| ['`', '~'].contains(sign));
        let length = sign.map_or(0, |sign| text.chars().take_while(|other| *other == sign).count());
        match (self.open, sign) {
            (Some((open, least)), Some(sign)) if open == sign && length >= least && text.chars().count() == length => {
                self.open = None;
                true
            }
            (Some(_), _) => true,
            (None, Some(sign)) if length >= 3 && !(sign == '`' && text[length..].contains('`')) => {
                self.open = Some((sign, length));
                true
            }
            (None, _) => false,
        }
    }
}

/// The pairs of markers in a page, in order, or what is wrong with them.
pub fn blocks(path: &Path, text: &str) -> Result<Vec<Block>, Vec<Problem>> {
    let mut blocks = Vec::new();
    let mut problems = Vec::new();
    let mut open: Option<(Content, usize, usize)> = None;
    let mut fence = Fence::default();
    let mut end = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let (start, number) = (end, index + 1);
        end += line.len();
        if fence.covers(line) {
            continue;
        }
        match (marker(line), open.take()) {
            (Some(Marker::Open(content)), before) => {
                if let Some((outer, from, _)) = before {
                    let keyword = outer.keyword();
                    let message =
                        format!("a marker inside `{keyword}` from line {from}: put <!-- /{keyword} --> before it");
                    problems.push(Problem::line(path, number, message));
                }
                open = Some((content, number, end));
            }
            (Some(Marker::Close(keyword)), Some((content, line, from))) if content.keyword() == keyword => {
                blocks.push(Block { content, line, body: from..start });
            }
            (Some(Marker::Close(keyword)), before) => {
                let message =
                    format!("<!-- /{keyword} --> closes nothing: remove it or open it with <!-- {keyword} … -->");
                problems.push(Problem::line(path, number, message));
                open = before;
            }
            (None, before) => open = before,
        }
    }
    if let Some((content, line, _)) = open {
        let keyword = content.keyword();
        let message = format!("`{keyword}` is never closed: add <!-- /{keyword} --> where it ends");
        problems.push(Problem::line(path, line, message));
    }
    if problems.is_empty() { Ok(blocks) } else { Err(problems) }
}

/// Fences a text so that no fence within it ends it early.
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|sign| sign != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        blocks(Path::new("p.md"), text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_blocks_and_their_bodies() {
        let text = "Prose\r\n<!-- code: A \"b\": c -->\r\nold\r\n<!-- /code -->\r\n<!-- a remark -->\n<!-- run -->\n<!-- /run -->";
        let found = blocks(Path::new("p.md"), text).unwrap();
        assert_eq!(found[0].content, Content::Code("A \"b\": c".into()));
        assert_eq!(&text[found[0].body.clone()], "old\r\n");
        assert_eq!((found[1].content.clone(), found[1].line), (Content::Run, 6));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn markers_in_fenced_code_are_text() {
        let text = "````text\n```\n<!-- code: A -->\n````\n<!-- code: B -->\n```rust\n// <!-- /code -->\n<!-- /code -->\n```\n<!-- /code -->\n";
        let found = blocks(Path::new("p.md"), text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5);
    }

    #[test]
    fn unbalanced_and_nested_markers_name_their_lines() {
        assert_eq!(
            problems("<!-- code: A -->\n"),
            ["p.md:1: `code` is never closed: add <!-- /code --> where it ends"]
        );
        assert!(problems("a\n<!-- /run -->\n")[0].starts_with("p.md:2: <!-- /run --> closes nothing"));
        assert!(
            problems("<!-- code: A -->\n<!-- item: B -->\n<!-- /item -->\n<!-- /code -->\n")[0].starts_with("p.md:2:")
        );
        assert_eq!(problems("<!-- code: A -->\n<!-- /item -->\n<!-- /code -->\n").len(), 1);
    }

    #[test]
    fn a_fence_is_longer_than_those_within() {
        assert_eq!(fenced("rust", "x"), "```rust\nx\n```\n");
        assert_eq!(fenced("rust", "/// ```\n/// ````"), "`````rust\n/// ```\n/// ````\n`````\n");
    }
}
