//! The page with every figure of the book, each leading to where it is drawn.

use std::fmt::Write as _;

use anyhow::Result;

use crate::run::Run;

/// A section's title with its recorded run.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// `3.6 Softmax regression from scratch`
    pub title: String,
    pub chapter: &'a str,
    pub name: &'a str,
    pub run: &'a Run,
}

/// The gallery's Markdown.
pub fn page(sections: &[Recorded<'_>]) -> Result<String> {
    let mut text = "# Figures\n\nEvery figure that the sections draw, in the book's order. Each leads to its page.\n".to_owned();
    for Recorded { title, chapter, name, run } in sections {
        let figures: Vec<_> = run.cells.iter().flat_map(|cell| &cell.figures).collect();
        if figures.is_empty() {
            continue;
        }
        write!(text, "\n## {title}\n\n<div class=\"gallery\">\n")?;
        for figure in figures {
            let alt = escape(&figure.alt);
            writeln!(
                text,
                "<figure><a href=\"{chapter}/{name}.html\"><img src=\"{chapter}/{name}/{}\" alt=\"{alt}\" loading=\"lazy\"></a>\
                 <figcaption>{alt}</figcaption></figure>",
                figure.file
            )?;
        }
        text += "</div>\n";
    }
    Ok(text)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
