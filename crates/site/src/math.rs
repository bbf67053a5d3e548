//! Formulas: marked in the Markdown before mdBook reads it, typeset by `katex` in the pages that it wrote.
//!
//! In between a formula is plain text in a span, so that neither Markdown's signs (`_`, `*`, `\\`) nor mdBook's view of
//! HTML can change it, and the search finds its source.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use katex::{KatexContext, Settings, render_to_string};
use pulldown_cmark::{Event, Options, Parser};

const INLINE: &str = "<span class=\"formula\">";
const DISPLAY: &str = "<span class=\"formula display\">";
const END: &str = "</span>";

/// Puts a span around each formula of a page.
///
/// # Errors
/// A pair of dollar signs is left that opens or closes no formula: Markdown has read what is in between as its own, as
/// it does a line that begins with `+`.
pub fn mark(markdown: &str) -> Result<String> {
    let options =
        Options::ENABLE_MATH | Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::with_capacity(markdown.len() * 2);
    let mut copied = 0;
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        let (start, formula) = match event {
            Event::InlineMath(formula) => (INLINE, formula),
            Event::DisplayMath(formula) => (DISPLAY, formula),
            // A dollar sign that opens nothing is a text of its own; the next one follows it.
            Event::Text(_) if markdown[range.start..].starts_with("$$") || markdown[range.clone()].contains("$$") => {
                let line = markdown[..range.start].matches('\n').count() + 1;
                let text = markdown[range.start..].lines().next().unwrap_or_default();
                bail!(
                    "line {line}: the formula {text} does not end in its paragraph: let no line of it begin with +, - or a \
                     number"
                );
            }
            _ => continue,
        };
        out += &markdown[copied..range.start];
        out += start;
        escape(&formula, &mut out);
        out += END;
        copied = range.end;
    }
    out += &markdown[copied..];
    Ok(out)
}

/// Every sign that Markdown or HTML could read as its own becomes a character reference.
fn escape(formula: &str, out: &mut String) {
    for sign in formula.chars() {
        if sign.is_ascii_punctuation() {
            // Writing to a string cannot fail.
            let _ = write!(out, "&#{};", u32::from(sign));
        } else {
            out.push(if sign == '\n' { ' ' } else { sign });
        }
    }
}

/// What typesets formulas, made once for a site.
pub struct Typesetter {
    context: KatexContext,
}

impl Typesetter {
    pub fn new() -> Self {
        Self { context: KatexContext::default() }
    }

    /// Typesets the marked formulas of a page that mdBook has written.
    pub fn typeset(&self, html: &str) -> Result<String> {
        let mut out = String::with_capacity(html.len() * 2);
        let mut rest = html;
        while let Some(at) = rest.find("<span class=\"formula") {
            out += &rest[..at];
            rest = &rest[at..];
            let is_display = rest.starts_with(DISPLAY);
            let start = if is_display { DISPLAY } else { INLINE };
            let body = rest.strip_prefix(start).context("a span around a formula has another class")?;
            let end = body.find(END).context("a span around a formula does not end")?;
            out += &self.formula(&unescape(&body[..end]), is_display)?;
            rest = &body[end + END.len()..];
        }
        out += rest;
        Ok(out)
    }

    fn formula(&self, source: &str, is_display: bool) -> Result<String> {
        let settings = Settings::builder().display_mode(is_display).throw_on_error(true).build();
        render_to_string(&self.context, source, &settings)
            .map_err(|error| anyhow::anyhow!("the formula ${source}$ cannot be typeset: {error}"))
    }
}

/// Resolves the character references that mdBook writes.
fn unescape(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (reference, sign)| text.replace(reference, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_spans_and_code_stays() {
        let marked = mark("a $x_1*y$ `$no$` b\n\n```sh\necho $HOME $x$\n```\n\n$$\na \\\\ b\n$$\n").unwrap();
        assert!(marked.contains("a <span class=\"formula\">x&#95;1&#42;y</span> `$no$` b"), "{marked}");
        assert!(marked.contains("echo $HOME $x$"), "{marked}");
        assert!(marked.contains("<span class=\"formula display\"> a &#92;&#92; b </span>"), "{marked}");
    }

    #[test]
    fn a_formula_that_markdown_cuts_is_an_error() {
        let error = mark("x\n\n$$a\n+ b$$\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3: the formula $$a"), "{error}");
    }

    #[test]
    fn a_formula_in_a_table_stays_in_its_cell() {
        let marked = mark("| a | b |\n| --- | --- |\n| $x_1$ | $y$ |\n").unwrap();
        assert!(
            marked.contains("| <span class=\"formula\">x&#95;1</span> | <span class=\"formula\">y</span> |"),
            "{marked}"
        );
    }

    #[test]
    fn typesets_inline_and_displayed_formulas() {
        let typesetter = Typesetter::new();
        let html = typesetter.typeset("<p><span class=\"formula\">x &lt; \\frac{1}{2}</span>, so</p>").unwrap();
        assert!(html.starts_with("<p><span class=\"katex\">") && html.ends_with(", so</p>"), "{html}");
        assert!(html.contains("mfrac"), "{html}");
        let html = typesetter.typeset("<span class=\"formula display\">x</span>").unwrap();
        assert!(html.contains("katex-display"), "{html}");
    }

    #[test]
    fn a_formula_that_is_wrong_is_named() {
        let error = Typesetter::new().typeset("<span class=\"formula\">\\frac{1</span>").unwrap_err().to_string();
        assert!(error.contains("\\frac{1"), "{error}");
    }
}
