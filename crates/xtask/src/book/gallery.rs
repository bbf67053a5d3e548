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

/// The gallery's Markdown, from the sections in the book's order.
pub fn page(sections: &[Recorded<'_>]) -> Result<String> {
    let mut text =
        "# Figures\n\nEvery figure that the sections draw, in the book's order. Each leads to its page.\n".to_owned();
    let chapter = |section: &Recorded<'_>| section.title.split('.').next().unwrap_or_default().to_owned();
    for sections in sections.chunk_by(|a, b| chapter(a) == chapter(b)) {
        let figures: Vec<_> = sections
            .iter()
            .flat_map(|section| {
                section.run.cells.iter().flat_map(|cell| &cell.figures).map(move |figure| (section, figure))
            })
            .collect();
        if figures.is_empty() {
            continue;
        }
        write!(text, "\n## Chapter {}\n\n<div class=\"gallery\">\n", chapter(&sections[0]))?;
        for (Recorded { title, chapter, name, .. }, figure) in figures {
            let (title, alt, file) = (escape(title), escape(&figure.alt), &figure.file);
            let page = format!("{chapter}/{name}.html");
            writeln!(
                text,
                "<figure><a href=\"{page}\"><img src=\"{chapter}/{name}/{file}\" alt=\"{alt}\" loading=\"lazy\"></a>\
                 <figcaption><a href=\"{page}\">{title}</a>{alt}</figcaption></figure>"
            )?;
        }
        text += "</div>\n";
    }
    Ok(text)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
