//! Renders the pages as a site with mdBook; formulas are typeset while it is built, so that a reader needs no network.
//!
//! `cargo xtask book` lays out the sources and starts this. It is a crate of its own because mdBook is some hundred
//! crates: about a minute of a first build, which no other command should have to wait for.

mod check;
mod math;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::book::Book;

use math::Typesetter;

/// The folder of the documentation within a site.
pub const DOCS: &str = "doc";

/// Builds the site of the sources in `sources` into `out`; rustdoc's pages may lie in their folder `src/doc`, and are taken
/// as they are. Fails with a list where a link leads nowhere or a page would fetch something from a network.
pub fn build(sources: &Path, out: &Path) -> Result<()> {
    let out = std::path::absolute(out)?;
    let mut book = MDBook::load(sources).with_context(|| format!("{} is no book", sources.display()))?;
    book.config.build.build_dir.clone_from(&out);
    book.with_preprocessor(Formulas);
    book.build()?;

    let typesetter = Typesetter::new();
    let docs = out.join(DOCS);
    each_page(&out, &docs, &mut |page| {
        let html = fs::read_to_string(page)?;
        let typeset = typesetter.typeset(&html).with_context(|| page.display().to_string())?;
        if typeset != html {
            fs::write(page, typeset)?;
        }
        Ok(())
    })?;
    let problems = check::check(&out, &docs)?;
    if !problems.is_empty() {
        bail!("{} links of the site are wrong: correct the pages\n{}", problems.len(), problems.join("\n"));
    }
    Ok(())
}

/// Marks the formulas before mdBook reads the pages.
struct Formulas;

impl mdbook_preprocessor::Preprocessor for Formulas {
    fn name(&self) -> &'static str {
        "formulas"
    }

    fn run(&self, _: &mdbook_preprocessor::PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut outcome = Ok(());
        book.for_each_chapter_mut(|chapter| match math::mark(&chapter.content) {
            Ok(marked) => chapter.content = marked,
            Err(error) => {
                let page = chapter.source_path.as_deref().unwrap_or(Path::new("a page")).display();
                outcome = Err(error.context(page.to_string()));
            }
        });
        outcome.map(|()| book)
    }
}

/// Visits the pages in a folder, those in `except` left out.
fn each_page(dir: &Path, except: &Path, visit: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path == except {
            continue;
        }
        if path.is_dir() {
            each_page(&path, except, visit)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            visit(&path)?;
        }
    }
    Ok(())
}
