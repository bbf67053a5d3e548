//! The pages as a site: lays out mdBook's sources in a folder, and starts `crates/site`, which renders them.
//!
//! What needs the sources of the sections is done here; what needs mdBook and a typesetter of formulas is a crate of its
//! own, so that every other command of this tool builds in seconds.

mod front;
mod gallery;
mod items;
mod names;
mod page;
mod text;
mod used;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cells::Source;
use crate::chapters::{Chapter, Section, Workspace, read};
use crate::pages::blocks;
use crate::report::{Problem, say};
use crate::run::{cargo, read_run};
use gallery::Recorded;
pub use items::imports;
use items::{Index, documented_crates};
use page::Page;
pub use text::text_of;

/// What to build.
#[derive(Debug)]
pub struct Options {
    /// The folder for the site; `target/book` if not given.
    pub out: Option<PathBuf>,
    /// Whether to build the documentation and link to it.
    pub docs: bool,
}

/// Builds the site.
pub fn book(workspace: &Workspace, options: &Options) -> Result<()> {
    let out = options.out.clone().unwrap_or_else(|| workspace.root.join("target/book"));
    if out.exists() && !out.join("index.html").is_file() && fs::read_dir(&out)?.next().is_some() {
        bail!("{} holds something else than a site: give another folder with --out", out.display());
    }
    let sources = workspace.root.join("target/site");
    if sources.exists() {
        fs::remove_dir_all(&sources).with_context(|| format!("cannot remove {}", sources.display()))?;
    }
    lay_out(workspace, &sources, options.docs)?;
    if options.docs {
        // mdBook copies what is no page of its own.
        copy(&documentation(workspace)?, &sources.join("src/doc"))?;
    }
    // Of the whole workspace, like the tests: for one package alone, cargo would compile what all share once more, with the
    // features that this package asks for.
    let build = cargo(workspace).args(["build", "--quiet", "--workspace", "--bin", "site"]).status();
    if !build.context("cannot start cargo")?.success() {
        bail!("the program that builds the site does not build: see above");
    }
    let site = target(workspace).join("debug").join(format!("site{}", std::env::consts::EXE_SUFFIX));
    let status = std::process::Command::new(&site).arg(&sources).arg(&out).status();
    if !status.with_context(|| format!("cannot start {}", site.display()))?.success() {
        bail!("the site was not built: see above");
    }
    say(format!("the site is in {}: open {}", out.display(), out.join("index.html").display()))
}

/// Builds the documentation of `d2l` and the chapters; its folder.
fn documentation(workspace: &Workspace) -> Result<PathBuf> {
    let status = cargo(workspace).args(["doc", "--workspace", "--no-deps", "--quiet"]).status();
    if !status.context("cannot start cargo")?.success() {
        bail!("the documentation does not build: see above (or pass --no-docs for a site without it)");
    }
    Ok(target(workspace).join("doc"))
}

/// Where cargo puts what it builds.
fn target(workspace: &Workspace) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.root.join("target"), PathBuf::from)
}

/// Copies a folder with all that is in it; files of the same names are replaced.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(())
}

/// Writes everything that mdBook reads into `root`.
pub fn lay_out(workspace: &Workspace, root: &Path, docs: bool) -> Result<()> {
    let src = root.join("src");
    copy(&workspace.pages_dir(), &src)?;
    copy(&workspace.root.join("book/theme"), &root.join("theme"))?;
    copy(&workspace.root.join("book/katex"), &src.join("katex"))?;
    for file in ["book.toml", "site.css"] {
        let from = workspace.root.join("book").join(file);
        fs::copy(&from, root.join(file)).with_context(|| format!("cannot read {}", from.display()))?;
    }

    let chapters = workspace.chapters()?;
    let index = read_index(workspace)?;
    let prelude_file = workspace.crate_dir("d2l").join("src/prelude.rs");
    let prelude = if prelude_file.is_file() { used::prelude(&prelude_file)? } else { BTreeMap::default() };

    let mut recorded = Vec::new();
    for section in in_book_order(workspace, &chapters)? {
        let source = Source::read(&workspace.source_path(section))?;
        let record_dir = workspace.record_dir(section);
        let run = if record_dir.join("run.json").is_file() { Some(read_run(&record_dir)?) } else { None };
        let page_path = workspace.page_path(section);
        let text = read(&page_path)?;
        let blocks = blocks(workspace.relative(&page_path), &text).map_err(|problems| {
            anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let path = workspace.source_path(section);
        let used = used::used(&path, &index, &prelude)?;
        let mut nearby = Vec::new();
        for module in used::modules(&path)? {
            if let Some(path) = workspace.module_path(&section.chapter, &module) {
                nearby.extend(used::used(&path, &index, &prelude)?);
            }
        }
        let page = Page {
            workspace,
            section,
            source: &source,
            run: run.as_ref(),
            used: &used,
            nearby: &nearby,
            docs: docs.then_some("../doc"),
        };
        fs::write(
            src.join(workspace.page_path(section).strip_prefix(workspace.pages_dir())?),
            page.decorate(&text, &blocks)?,
        )?;
        if let Some(run) = run {
            let (number, title) = source.heading.unwrap_or_default();
            recorded.push((format!("{number} {title}"), section, run));
        }
    }
    let recorded: Vec<Recorded<'_>> = recorded
        .iter()
        .map(|(title, section, run)| Recorded {
            title: title.clone(),
            chapter: &section.chapter,
            name: &section.name,
            run,
        })
        .collect();
    fs::write(src.join("figures.md"), gallery::page(&recorded)?)?;
    // Pages of no section, which stand at the top.
    for page in ["deep-nets.md", "performance.md", "parity.md", "reliability.md"].map(|name| src.join(name)) {
        if page.is_file() {
            fs::write(&page, outward_links(&read(&page)?, docs.then_some("doc")))?;
        }
    }
    let names = names::page(&names::saved_names(workspace)?, &chapters, &index, docs.then_some("doc"))?;
    fs::write(src.join("names.md"), names)?;

    // The site's first page is its own; what stands there on GitHub is the second.
    let summary = read(&src.join("SUMMARY.md"))?;
    let about = read(&src.join("README.md"))?;
    fs::write(src.join("about.md"), about.replace("(SUMMARY.md)", "(index.html)"))?;
    fs::write(src.join("README.md"), front::page(&read(&workspace.root.join("book/front.md"))?, &summary, &recorded)?)?;
    let summary =
        summary.replace("(README.md)", "(about.md)").replacen("# Summary\n", "# Summary\n\n[Start](README.md)\n", 1);
    let summary = format!("{}\n- [Figures](figures.md)\n- [The book's names](names.md)\n", summary.trim_end());
    fs::write(src.join("SUMMARY.md"), summary)?;
    Ok(())
}

/// Names of the book that no Rust item stands for.
pub fn unmapped_names(workspace: &Workspace) -> Result<Vec<Problem>> {
    if !workspace.root.join(names::LIST).is_file() {
        return Ok(vec![Problem::file(Path::new(names::LIST), "the list of the book's names is missing: restore it")]);
    }
    names::unmapped(workspace, &workspace.chapters()?, &read_index(workspace)?)
}

fn read_index(workspace: &Workspace) -> Result<Index> {
    let crates = documented_crates(workspace)?;
    Index::read(workspace, &crates.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Links that leave the folder of the pages lead to sources: on the site, to rustdoc's view of them, or nowhere where it
/// has none.
fn outward_links(text: &str, docs: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("](../") {
        let target = &rest[at + "](../".len()..];
        let end = target.find(')').unwrap_or(target.len());
        let source = target[..end].strip_prefix("crates/").and_then(|file| file.split_once("/src/")).zip(docs);
        match (source, rest[..at].rfind('[')) {
            (Some(((name, file), docs)), _) => {
                out += &rest[..at];
                out.extend(["](", docs, "/src/", &name.replace('-', "_"), "/", file, ".html)"]);
            }
            (None, Some(open)) => {
                out += &rest[..open];
                out += &rest[open + 1..at];
            }
            (None, None) => out += &rest[..at],
        }
        rest = &target[(end + 1).min(target.len())..];
    }
    out + rest
}

/// The sections by their number in the book.
fn in_book_order<'a>(workspace: &Workspace, chapters: &'a [Chapter]) -> Result<Vec<&'a Section>> {
    let mut sections = Vec::new();
    for section in chapters.iter().flat_map(|chapter| &chapter.sections) {
        let source = Source::read(&workspace.source_path(section))?;
        let (number, _) = source.heading.unwrap_or_default();
        let number: Vec<u32> = number.split('.').filter_map(|part| part.parse().ok()).collect();
        sections.push((number, section));
    }
    sections.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(sections.into_iter().map(|(_, section)| section).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_workspace() -> Workspace {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Workspace { root: root.canonicalize().unwrap() }
    }

    #[test]
    fn the_pages_of_this_workspace_become_a_site() {
        let workspace = this_workspace();
        let folder = tempfile::tempdir().unwrap();
        let (sources, out) = (folder.path().join("sources"), folder.path().join("out"));
        lay_out(&workspace, &sources, false).unwrap();
        // It fails where a link or an anchor leads nowhere, or a page loads something from a network.
        site::build(&sources, &out).unwrap();
        for section in workspace.chapters().unwrap().iter().flat_map(|chapter| &chapter.sections) {
            let page = read(&out.join(&section.chapter).join(format!("{}.html", section.name))).unwrap();
            let command = format!("cargo run --release -p {} -- {}", section.chapter, section.name);
            assert!(page.contains(&command), "{} lacks its command", section.name);
            assert!(page.contains("<dt>Data</dt>") && page.contains("<dt>Section</dt>"), "{}", section.name);
            assert!(!page.contains("class=\"formula"), "{} has a formula that is not typeset", section.name);
        }
        // It loads its images through a module that it shares.
        assert!(read(&out.join("cnn/resnet.html")).unwrap().contains("<dd>Fashion-MNIST"));
        let page = read(&out.join("linear-nets/softmax-regression.html")).unwrap();
        assert!(page.contains("class=\"katex\""));
        assert!(
            read(&out.join("figures.html"))
                .unwrap()
                .contains("linear-nets/softmax-regression-scratch/training-curve.svg")
        );
        assert!(read(&out.join("searchindex.js")).unwrap().contains("Fashion-MNIST"));
    }

    #[test]
    fn the_pages_lead_to_the_documentation_and_to_lines() {
        let folder = tempfile::tempdir().unwrap();
        lay_out(&this_workspace(), folder.path(), true).unwrap();
        let page = read(&folder.path().join("src/linear-nets/softmax-regression-scratch.md")).unwrap();
        assert!(page.contains("../doc/src/linear_nets/sections/softmax_regression_scratch.rs.html#"), "{page}");
        assert!(page.contains("[`evaluate_accuracy`](../doc/d2l/train/fn.evaluate_accuracy.html)"), "{page}");
        assert!(page.contains("[`FashionMnist`](../doc/d2l/data/fashion_mnist/struct.FashionMnist.html)"), "{page}");
    }

    #[test]
    fn links_out_of_the_pages_lead_to_sources() {
        let text = "See [a](../crates/my-crate/src/x/y.rs), [b](c.md).";
        assert_eq!(outward_links(text, Some("doc")), "See [a](doc/src/my_crate/x/y.rs.html), [b](c.md).");
        assert_eq!(outward_links(text, None), "See a, [b](c.md).");
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let options = Options { out: Some(folder.path().to_owned()), docs: false };
        let error = book(&this_workspace(), &options).unwrap_err().to_string();
        assert!(error.contains("holds something else"), "{error}");
    }
}
