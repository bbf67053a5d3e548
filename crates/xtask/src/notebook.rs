//! A section as a Jupyter notebook: the page's prose, code cells for evcxr's kernel, and the recorded outputs.
//!
//! The kernel compiles every cell by itself and keeps variables between cells, which asks for three things. An item comes
//! before the first cell that needs it, together with its `impl` blocks. The section's `nb` and `config` live as long as
//! the kernel. And a variable that cannot be kept, a closure or a reference, stays within one cell: those that use it are
//! run as one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::book::imports;
use crate::cells::{Cell, Source};
use crate::chapters::{Chapter, Section, Workspace, parse, read};
use crate::pages::{Content, blocks};
use crate::report::suggestion;
use crate::run::{CellOutput, read_run};

/// The section of this name, in whichever chapter.
pub fn find<'a>(chapters: &'a [Chapter], name: &str) -> Result<&'a Section> {
    let sections = || chapters.iter().flat_map(|chapter| &chapter.sections);
    sections().find(|section| section.name == name).with_context(|| {
        let known = suggestion(name, sections().map(|section| section.name.as_str()));
        format!("there is no section “{name}”{known}: `cargo run --release -p <chapter>` lists a chapter's")
    })
}

/// Writes the notebook to `out`, or to `target/notebooks`; its path.
pub fn write(workspace: &Workspace, section: &Section, out: Option<PathBuf>) -> Result<PathBuf> {
    let out = out.unwrap_or_else(|| workspace.root.join("target/notebooks").join(format!("{}.ipynb", section.name)));
    if out.extension().is_none_or(|extension| extension != "ipynb") {
        bail!("{} does not end in .ipynb: give the notebook's whole name", out.display());
    }
    let folder = std::path::absolute(&out)?.parent().map(Path::to_owned).context("a file has a folder above it")?;
    let notebook = notebook(workspace, section, &folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&out, serde_json::to_string_pretty(&notebook)? + "\n")
        .with_context(|| format!("cannot write {}", out.display()))?;
    Ok(out)
}

/// The notebook's JSON; its runs leave their files in `runs`.
fn notebook(workspace: &Workspace, section: &Section, runs: &Path) -> Result<Value> {
    let path = workspace.source_path(section);
    let source = Source::read(&path)?;
    let record_dir = workspace.record_dir(section);
    let record = if record_dir.join("run.json").is_file() { Some(read_run(&record_dir)?) } else { None };
    let page_path = workspace.page_path(section);
    let page = read(&page_path)?;
    let blocks = blocks(workspace.relative(&page_path), &page)
        .map_err(|problems| anyhow::anyhow!("{}", problems.first().map(ToString::to_string).unwrap_or_default()))?;

    let mut items = Items::new(&source);
    let groups = groups(&source.cells)?;
    let mut cells = Vec::new();
    let mut copied = 0;
    let mut is_set_up = false;
    for block in &blocks {
        cells.extend(prose(&page[copied..block.body.start]));
        copied = block.body.end;
        if !is_set_up && !matches!(block.content, Content::Run | Content::Results) {
            let mut code = setup(workspace, section, &path, runs)?;
            for statement in &source.preamble {
                code += "\n";
                code += statement.trim_end();
            }
            cells.push(code_cell(&code, &[]));
            is_set_up = true;
        }
        match &block.content {
            Content::Run | Content::Results => cells.extend(prose(&page[block.body.clone()])),
            Content::Item(name) => match items.take(name) {
                Some(code) => cells.push(code_cell(&code, &[])),
                None => cells.push(markdown(&page[block.body.clone()])),
            },
            Content::Code(title) => {
                let group = groups.iter().find(|group| group.titles.iter().any(|other| other == title));
                let group =
                    group.with_context(|| format!("the page names the cell “{title}”, which is not in the source"))?;
                if group.titles.last() != Some(title) {
                    // It runs with a later cell, which needs one of its variables.
                    cells.push(markdown(&page[block.body.clone()]));
                    continue;
                }
                let needed = items.needed(&group.code);
                if !needed.is_empty() {
                    cells.push(code_cell(&needed, &[]));
                }
                let of_group = |cell: &&CellOutput| group.titles.contains(&cell.title);
                let recorded = record.iter().flat_map(|record| record.cells.iter().filter(of_group));
                let mut outputs = Vec::new();
                for cell in recorded {
                    outputs.extend(recorded_outputs(&record_dir, cell)?);
                }
                cells.push(code_cell(
                    &format!("nb.open_cell()?; // so that its tensors have numbers of their own\n{}", group.code),
                    &outputs,
                ));
            }
            // The outputs stand below their code.
            Content::Output(_) | Content::Table(_) => {}
        }
    }
    cells.extend(prose(&page[copied..]));
    for (index, cell) in cells.iter_mut().enumerate() {
        cell["id"] = json!(format!("cell-{index}"));
    }
    Ok(json!({
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "rust", "display_name": "Rust", "language": "rust"},
            "language_info": {"name": "rust", "file_extension": ".rs", "mimetype": "text/rust"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }))
}

fn markdown(text: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": text.trim()})
}

/// The prose between two pieces, without the markers; nothing where only they are.
fn prose(text: &str) -> Option<Value> {
    let is_marker = |line: &&str| line.trim().starts_with("<!--") && line.trim().ends_with("-->");
    let lines: Vec<&str> = text.lines().filter(|line| !is_marker(line)).collect();
    let text = lines.join("\n");
    (!text.trim().is_empty()).then(|| markdown(&text))
}

fn code_cell(code: &str, outputs: &[Value]) -> Value {
    json!({"cell_type": "code", "metadata": {}, "execution_count": null, "source": code, "outputs": outputs})
}

/// What the recorded run printed and drew in a cell.
fn recorded_outputs(record_dir: &Path, cell: &CellOutput) -> Result<Vec<Value>> {
    let mut outputs = Vec::new();
    if !cell.text.trim().is_empty() {
        outputs.push(json!({"output_type": "stream", "name": "stdout", "text": cell.text}));
    }
    for figure in &cell.figures {
        let path = record_dir.join(&figure.file);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let data = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => json!({"image/svg+xml": String::from_utf8_lossy(&bytes)}),
            _ => json!({"image/png": BASE64_STANDARD.encode(&bytes)}),
        };
        outputs.push(json!({"output_type": "display_data", "metadata": {}, "data": data}));
    }
    Ok(outputs)
}

/// The first code cell: the crates, the section's imports, its notebook and its hyperparameters.
fn setup(workspace: &Workspace, section: &Section, path: &Path, runs: &Path) -> Result<String> {
    let chapter = section.chapter.replace('-', "_");
    let text = read(path)?;
    let mut lines = dependencies(workspace, section, &text)?;
    let (mut imports_prelude, mut imports_result, mut imports_config) = (false, false, false);
    for item in parse(path, &text)?.items {
        if let syn::Item::Use(used) = item {
            let range = syn::spanned::Spanned::span(&used).byte_range();
            imports_prelude |= text[range.clone()].contains("d2l::prelude::*");
            imports_result |= imports(&used).iter().any(|(name, _)| name == "Result");
            imports_config |= imports(&used).iter().any(|(name, _)| name == "Config");
            let used = text[range].replace("use crate::", &format!("use {chapter}::"));
            lines.push(used.replace("use super::", &format!("use {chapter}::sections::")));
        }
    }
    // Some sections take the settings of another one.
    if !imports_config {
        lines.push(format!("use {chapter}::sections::{}::Config;", section.module));
    }
    if imports_prelude && !imports_result {
        // The kernel's own code names a `Result` of two arguments, which candle's is not.
        lines.push("type Result<T, E = candle_core::Error> = std::result::Result<T, E>;".into());
    }
    lines.push(String::new());
    lines.push(
        "// The section's notebook prints, draws and holds the random streams; the hyperparameters are the book's."
            .into(),
    );
    lines.push("// Both live as long as the kernel, which keeps no shorter reference.".into());
    lines.push(format!(
        "let (config, nb): (&'static Config, &'static mut d2l::notebook::Notebook) = {{\n    let options = \
         d2l::notebook::Options {{\n        out: Some(std::path::PathBuf::from({:?})),\n        no_progress: true,\n        \
         ..Default::default()\n    }};\n    let (config, nb) = {chapter}::CHAPTER.open::<Config>({:?}, &options)?;\n    \
         (Box::leak(Box::new(config)), Box::leak(Box::new(nb)))\n}};",
        runs.to_string_lossy(),
        section.name
    ));
    Ok(lines.join("\n"))
}

/// A `:dep` line for each of the chapter's dependencies that the section names, as the workspace's table has it.
fn dependencies(workspace: &Workspace, section: &Section, text: &str) -> Result<Vec<String>> {
    let table = read(&workspace.root.join("Cargo.toml"))?;
    let manifest = read(&workspace.crate_dir(&section.chapter).join("Cargo.toml"))?;
    let own = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    let names = own.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    // Whether the chapter names candle or not: its error does, in what the kernel is told of `Result`.
    let names = names.filter(|name| *name != "candle-core").chain(["candle-core"]);
    let mut lines = vec![dependency_on(&workspace.crate_dir(&section.chapter), &section.chapter)];
    for name in names {
        let is_named = name == "candle-core" || words(text).any(|word| word == name.replace('-', "_"));
        let line = table.lines().find(|line| line.split([' ', '=']).next() == Some(name));
        if name == "d2l" || (is_named && line.is_some_and(|line| line.contains("path ="))) {
            lines.push(dependency_on(&workspace.crate_dir(name), name));
        } else if let Some(line) = line.filter(|_| is_named) {
            lines.push(format!(":dep {line}"));
        }
    }
    Ok(lines)
}

fn dependency_on(folder: &Path, name: &str) -> String {
    format!(":dep {name} = {{ path = {:?} }}", folder.to_string_lossy())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').filter(|word| !word.is_empty())
}

/// A section's items that have not been put into a cell yet.
struct Items<'a> {
    left: Vec<(&'a str, &'a str)>,
}

impl<'a> Items<'a> {
    fn new(source: &'a Source) -> Self {
        // The chapter's own: `run` is what the cells are, and `Config` comes with the notebook.
        let is_own = |name: &&str| *name == "run" || of_type(name).unwrap_or(name) == "Config";
        let names = source.item_names().filter(|name| !is_own(name));
        Self { left: names.filter_map(|name| Some((name, source.item(name)?))).collect() }
    }

    /// The code of an item with its `impl` blocks and all that they need; nothing if it was taken before.
    fn take(&mut self, name: &str) -> Option<String> {
        // An `impl` block comes with its type.
        let name = of_type(name).filter(|of| self.left.iter().any(|(other, _)| other == of)).unwrap_or(name);
        self.left.iter().any(|(other, _)| *other == name).then(|| {
            let mut taken = Vec::new();
            self.collect(name, &mut taken);
            taken.join("\n\n")
        })
    }

    /// The code of all items that a piece of code names.
    fn needed(&mut self, code: &str) -> String {
        let mut taken = Vec::new();
        self.collect_named(code, &mut taken);
        taken.join("\n\n")
    }

    fn collect_named(&mut self, code: &str, taken: &mut Vec<&'a str>) {
        let named: BTreeSet<&str> = words(code).collect();
        let wanted: Vec<&str> = self.left.iter().map(|(name, _)| *name).filter(|name| named.contains(name)).collect();
        wanted.iter().for_each(|name| self.collect(name, taken));
    }

    /// Moves an item and what belongs to it from those left to those taken; a type's `impl` blocks right behind it, since
    /// the kernel keeps them with the item before them.
    fn collect(&mut self, name: &str, taken: &mut Vec<&'a str>) {
        let belongs = |other: &str| other == name || of_type(other) == Some(name);
        let (own, left): (Vec<_>, Vec<_>) = self.left.drain(..).partition(|(other, _)| belongs(other));
        self.left = left;
        let mut before = Vec::new();
        own.iter().for_each(|(_, code)| self.collect_named(code, &mut before));
        taken.extend(before);
        taken.extend(own.iter().map(|(_, code)| *code));
    }
}

/// The type of an `impl` block's name: `Net` of `impl Module for Net` and of `impl<T> Net<T>`.
fn of_type(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("impl").filter(|rest| rest.starts_with([' ', '<']))?;
    let last = match rest.rsplit_once(" for ") {
        Some((_, last)) => last,
        None => rest.rsplit_once("> ").map_or(rest, |(_, last)| last),
    };
    words(last).next()
}

/// Cells that run as one.
#[derive(Debug, Default)]
struct Group {
    titles: Vec<String>,
    code: String,
}

/// The cells, those joined that share a variable which the kernel cannot keep.
fn groups(cells: &[Cell]) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < cells.len() {
        let mut end = start;
        let mut at = start;
        let mut held = BTreeSet::new();
        while at <= end {
            let (_, unkept) = variables(&cells[at].runnable())?;
            let uses = |cell: &Cell| words(&cell.runnable()).any(|word| unkept.contains(word));
            if let Some(last) = (at + 1..cells.len()).rev().find(|later| uses(&cells[*later])) {
                end = end.max(last);
            }
            held.extend(unkept);
            at += 1;
        }
        let joined: Vec<String> = cells[start..=end].iter().map(Cell::runnable).collect();
        let code = joined.join("\n\n");
        let rest: String = cells[end + 1..].iter().map(Cell::runnable).collect::<Vec<_>>().join("\n");
        let code = if held.is_empty() { code } else { scoped(&code, &held, &rest)? };
        let code = with_types(&finished(code)?);
        groups.push(Group { titles: cells[start..=end].iter().map(|cell| cell.title.clone()).collect(), code });
        start = end + 1;
    }
    Ok(groups)
}

/// A random stream with its type: the kernel finds none, since the crate that defines it is no dependency.
fn with_types(code: &str) -> String {
    let line = |line: &str| match line.split_once(" = nb.stream(") {
        Some((head, rest)) if head.starts_with("let ") => format!("{head}: d2l::random::Stream = nb.stream({rest}"),
        _ => line.to_owned(),
    };
    code.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Ends every cell in a statement. The kernel takes a last expression, a loop too, for a value to show, around which `?`
/// means something else; the last cell's is the result that `run` returns.
fn finished(code: String) -> Result<String> {
    let block: syn::Block = syn::parse_str(&format!("{{\n{code}\n}}")).context("a cell's code does not parse")?;
    Ok(match block.stmts.last() {
        Some(syn::Stmt::Expr(syn::Expr::MethodCall(_) | syn::Expr::Call(_), None)) => code + "?;",
        Some(syn::Stmt::Expr(_, None)) => code + ";",
        _ => code,
    })
}

/// The code in a block of its own, out of which come the variables that later code names.
fn scoped(code: &str, held: &BTreeSet<String>, later: &str) -> Result<String> {
    let (all, _) = variables(code)?;
    let mut out: Vec<&Variable> = Vec::new();
    for variable in &all {
        let (name, _) = variable;
        if !held.contains(name) && is_taken(name, later) {
            out.retain(|(other, _)| other != name);
            out.push(variable);
        }
    }
    let indented: Vec<String> =
        code.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") }).collect();
    let body = indented.join("\n");
    if out.is_empty() {
        return Ok(format!("{{\n{body}\n}}"));
    }
    let names: Vec<&str> = out.iter().map(|(name, _)| name.as_str()).collect();
    let patterns: Vec<String> =
        out.iter().map(|(name, is_mut)| if *is_mut { format!("mut {name}") } else { name.clone() }).collect();
    let (patterns, names) = match names.as_slice() {
        [one] => (patterns[0].clone(), (*one).to_owned()),
        _ => (format!("({})", patterns.join(", ")), format!("({})", names.join(", "))),
    };
    Ok(format!("let {patterns} = {{\n{body}\n    {names}\n}};"))
}

/// Whether code takes a variable from before: names it, other than as a method, before it declares one of that name.
fn is_taken(name: &str, code: &str) -> bool {
    let mut before = "";
    for word in words(code) {
        let start = word.as_ptr() as usize - code.as_ptr() as usize;
        let is_method = code[..start].ends_with('.') && !code[..start].ends_with("..");
        if word == name && !is_method {
            return !matches!(before, "let" | "mut");
        }
        before = word;
    }
    false
}

/// A variable's name, and whether it may change.
type Variable = (String, bool);

/// The variables that code declares at its top level; and the names of those that the kernel cannot keep, as far as the
/// syntax tells: closures, references, and what borrows.
fn variables(code: &str) -> Result<(Vec<Variable>, BTreeSet<String>)> {
    let block: syn::Block = syn::parse_str(&format!("{{\n{code}\n}}")).context("a cell's code does not parse")?;
    let mut all = Vec::new();
    let mut unkept = BTreeSet::new();
    for statement in &block.stmts {
        let syn::Stmt::Local(local) = statement else { continue };
        let mut names = Vec::new();
        bound(&local.pat, &mut names);
        let is_reference = matches!(&local.pat, syn::Pat::Type(typed) if matches!(&*typed.ty, syn::Type::Reference(_)));
        if is_reference || local.init.as_ref().is_some_and(|init| borrows(&init.expr)) {
            unkept.extend(names.iter().map(|(name, _)| name.clone()));
        }
        all.extend(names);
    }
    Ok((all, unkept))
}

fn bound(pattern: &syn::Pat, names: &mut Vec<Variable>) {
    match pattern {
        syn::Pat::Ident(ident) => names.push((ident.ident.to_string(), ident.mutability.is_some())),
        syn::Pat::Tuple(tuple) => tuple.elems.iter().for_each(|pattern| bound(pattern, names)),
        syn::Pat::Slice(slice) => slice.elems.iter().for_each(|pattern| bound(pattern, names)),
        syn::Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|pattern| bound(pattern, names)),
        syn::Pat::Type(typed) => bound(&typed.pat, names),
        _ => {}
    }
}

fn borrows(expression: &syn::Expr) -> bool {
    const BORROWING: [&str; 12] = [
        "device",
        "iter",
        "map",
        "as_tensor",
        "as_slice",
        "as_str",
        "folder",
        "sampling",
        "get",
        "weight",
        "bias",
        "dataset",
    ];
    match expression {
        syn::Expr::Closure(_) | syn::Expr::Reference(_) => true,
        // A net's layer of a named type is borrowed from it, as in `net.get::<Linear>(2)?`.
        syn::Expr::Try(tried) => matches!(&*tried.expr, syn::Expr::MethodCall(call)
            if (call.method == "ok_or_else" && borrows(&call.receiver))
                || (call.method == "get" && call.turbofish.is_some())),
        // What keeps a closure has a type without a name.
        syn::Expr::Call(call) => call.args.iter().any(|argument| matches!(argument, syn::Expr::Closure(_))),
        syn::Expr::MethodCall(call) => BORROWING.iter().any(|name| call.method == name) || calls(expression, "trainer"),
        syn::Expr::Array(array) => array.elems.iter().any(borrows),
        syn::Expr::Tuple(tuple) => tuple.elems.iter().any(borrows),
        _ => false,
    }
}

/// Whether a method is among those called one on what the other gives.
fn calls(expression: &syn::Expr, method: &str) -> bool {
    match expression {
        syn::Expr::MethodCall(call) => call.method == method || calls(&call.receiver, method),
        _ => false,
    }
}

/// What to do with the notebook.
pub fn next_steps(path: &Path) -> String {
    format!(
        "wrote {}\nNext: `cargo install --locked evcxr_jupyter && evcxr_jupyter --install` (once), then open it in \
         Jupyter; its first cell compiles the chapter, some minutes",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::record::{Options, record};

    fn cell(title: &str, code: &str) -> Cell {
        Cell { title: title.into(), line: 1, lines: (1, 1), code: code.into(), given: Vec::new() }
    }

    #[test]
    fn prose_code_and_recorded_outputs_become_cells() {
        let fixture = Fixture::new();
        let section = fixture.section("first");
        let options = Options { seeds: 1, jobs: 1, flags: Vec::new() };
        record(&fixture.workspace, std::slice::from_ref(&section), &options, &mut FakeRunner::new(&fixture)).unwrap();
        fixture.write("Cargo.toml", "[workspace]\n[workspace.dependencies]\nd2l = { path = \"crates/d2l\" }\n");
        fixture.write("crates/demo/Cargo.toml", "[package]\nname = \"demo\"\n\n[dependencies]\nd2l.workspace = true\n");
        let out = fixture.workspace.root.join("first.ipynb");
        write(&fixture.workspace, &section, Some(out.clone())).unwrap();
        let notebook: Value = serde_json::from_str(&read(&out).unwrap()).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        let kinds: Vec<&str> = cells.iter().map(|cell| cell["cell_type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["markdown", "code", "code", "markdown", "code", "code", "markdown"]);
        let source = |index: usize| cells[index]["source"].as_str().unwrap();
        assert_eq!(source(0), "# First\n\nProse  with   spaces.");
        assert!(
            source(1).contains("use demo::sections::first::Config;") && source(1).contains(":dep d2l = {"),
            "{}",
            source(1)
        );
        assert!(
            source(2).starts_with("nb.open_cell()?;") && source(2).ends_with("\n// why\nlet x = 1;"),
            "{}",
            source(2)
        );
        assert_eq!(cells[2]["outputs"][0]["text"], "x = 1\n");
        assert_eq!(cells[2]["outputs"][1]["data"]["image/svg+xml"], "<svg/>");
        assert!(source(4).starts_with("/// Doubles `x`."));
        assert!(source(5).ends_with("\ntrain(x)?;"), "{}", source(5));
    }

    #[test]
    fn items_come_before_their_use_with_their_impl_blocks_and_once() {
        let fixture = Fixture::new();
        let text = "//! 3.1 X\npub struct Config {}\nconst SIDE: usize = 2;\npub struct Net { side: [f32; SIDE] }\nfn helper() {}\n\
                    impl Module for Net { fn f(&self) { helper() } }\nfn other(net: &Net) {}\nfn unused() {}\n";
        fixture.write("x.rs", text);
        let source = Source::read(&fixture.workspace.root.join("x.rs")).unwrap();
        let mut items = Items::new(&source);
        let code = items.needed("other(&net);");
        let order: Vec<usize> = ["const SIDE", "fn helper", "pub struct Net", "impl Module", "fn other"]
            .iter()
            .map(|word| code.find(word).unwrap())
            .collect();
        assert!(order.is_sorted(), "{code}");
        assert!(!code.contains("unused") && !code.contains("Config"));
        assert_eq!(items.take("impl Module for Net"), None);
        assert!(items.take("unused").is_some());
    }

    #[test]
    fn the_type_of_an_impl_block() {
        assert_eq!(of_type("impl Module for Net"), Some("Net"));
        assert_eq!(of_type("impl Net"), Some("Net"));
        assert_eq!(of_type("impl<T: A> Into<B> for Net<T>"), Some("Net"));
        assert_eq!(of_type("implement"), None);
    }

    #[test]
    fn a_variable_that_cannot_be_kept_joins_the_cells_that_use_it() {
        let cells = [
            cell("a", "let x = 1;\nfor i in 0..x {}"),
            cell("b", "let f = |y| y + x;\nlet mut kept = f(1);"),
            cell("c", "g();"),
            cell("d", "f(2);"),
            cell("e", "kept += 1;\nnb.metric(kept)"),
        ];
        let groups = groups(&cells).unwrap();
        let titles: Vec<String> = groups.iter().map(|group| group.titles.concat()).collect();
        assert_eq!(titles, ["a", "bcd", "e"]);
        let wanted =
            "let mut kept = {\n    let f = |y| y + x;\n    let mut kept = f(1);\n\n    g();\n\n    f(2);\n    kept\n};";
        assert_eq!(groups[0].code, "let x = 1;\nfor i in 0..x {};");
        assert_eq!(groups[1].code, wanted);
        assert_eq!(groups[2].code, "kept += 1;\nnb.metric(kept)?;");
    }

    #[test]
    fn what_holds_a_closure_or_borrows_the_notebook_is_not_kept() {
        let code = "let data = from_fn(3, || f());\nlet t = nb.trainer(3).with(&[]);\nlet h = nb.trainer(3).run(&mut d)?;\n\
                    let v = list.map(|x| x).collect();\nlet w = Net::new(&x);\nlet a: &Linear = net.get(2)?;\n\
                    let b = net.get::<Linear>(2)?;\nlet c = net.get::<Linear>(2)?.weight();\nlet e = x.get(0)?;\nlet g = (0..3).map(|t| t);";
        let (_, unkept) = variables(code).unwrap();
        assert_eq!(unkept.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "data", "g", "t"]);
    }

    #[test]
    fn methods_and_new_variables_take_nothing_from_before() {
        assert!(is_taken("x", "f(x)") && is_taken("x", "0..x") && is_taken("x", "g(&mut y, x)"));
        assert!(!is_taken("figure", "nb.figure(1)") && !is_taken("x", "let mut x = 1;\nf(x)") && !is_taken("x", "xs"));
    }

    #[test]
    fn a_stream_gets_its_type() {
        let wanted = "let mut s: d2l::random::Stream = nb.stream(Purpose::Shuffling);\nlet t = f(&mut nb.stream(P));";
        assert_eq!(with_types("let mut s = nb.stream(Purpose::Shuffling);\nlet t = f(&mut nb.stream(P));"), wanted);
    }

    #[test]
    fn wrong_names_get_the_nearest_and_a_wrong_ending_is_told() {
        let fixture = Fixture::new();
        let chapters = fixture.workspace.chapters().unwrap();
        assert!(find(&chapters, "frist").unwrap_err().to_string().contains("did you mean “first”"));
        let error = write(&fixture.workspace, &fixture.section("first"), Some("x.txt".into())).unwrap_err().to_string();
        assert!(error.contains(".ipynb"), "{error}");
    }
}
