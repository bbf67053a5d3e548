//! A section's source, cut into what pages show: the cells of `run`, and of the functions that it is divided into, and the
//! items beside it.
//!
//! `syn` tells where things begin and end; what is shown is the source's own text, comments and line breaks included.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::chapters::{parse, read};
use d2l_record::fingerprint;

/// What pages and checks need to know of a section's source.
#[derive(Debug)]
pub struct Source {
    /// The first line's `//! 3.6 Title`, cut at the first space.
    pub heading: Option<(String, String)>,
    pub cells: Vec<Cell>,
    items: Vec<Item>,
    /// The `let` statements of `run` before its first cell.
    pub preamble: Vec<String>,
    pub has_tests: bool,
    pub fingerprint: String,
    /// The settings of scale book where the section's `defaults!` lists them, by name.
    pub book_settings: BTreeMap<String, String>,
}

/// The code between one `nb.cell("Title")?;` and the next.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub title: String,
    /// Counted from 1, of the `nb.cell` call.
    pub line: usize,
    /// The first and the last line of the code.
    pub lines: (usize, usize),
    pub code: String,
    /// In the first cell of a function that `run` calls: `let` statements with the arguments that it is called with.
    pub given: Vec<String>,
}

impl Cell {
    /// The code that runs behind the cells before it, outside of any function.
    pub fn runnable(&self) -> String {
        let given = self.given.iter().map(String::as_str);
        given.chain([self.code.as_str()]).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Debug)]
struct Item {
    name: String,
    lines: (usize, usize),
    code: String,
}

impl Source {
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &read(path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let file = parse(path, text)?;
        let mut source = Self {
            heading: heading(text),
            cells: Vec::new(),
            items: Vec::new(),
            preamble: Vec::new(),
            has_tests: false,
            fingerprint: fingerprint(text),
            book_settings: book_settings(&file, text),
        };
        for item in &file.items {
            if is_test_module(item) {
                source.has_tests = true;
            } else if let Some(name) = item_name(item, text) {
                let range = whole_lines(text, item.span().byte_range());
                source.items.push(Item { name, lines: lines(text, &range), code: dedent(&text[range]) });
            }
            if let syn::Item::Impl(block) = item {
                source.items.extend(methods(block, text));
            }
            if let syn::Item::Fn(function) = item
                && function.sig.ident == "run"
            {
                source.cells = cells(path, text, &file)?;
                let before = function.block.stmts.iter().take_while(|statement| opens_cell(statement).is_none());
                let lets = before.filter(|statement| matches!(statement, syn::Stmt::Local(_)));
                let range = |statement: &syn::Stmt| whole_lines(text, statement.span().byte_range());
                source.preamble = lets.map(|statement| dedent(&text[range(statement)])).collect();
            }
        }
        Ok(source)
    }

    pub fn cell(&self, title: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.title == title)
    }

    /// The text of a top-level item with its doc comment and attributes: `softmax`, `Config`, `impl Module for Net`; or of
    /// a method alone: `Net::new`.
    pub fn item(&self, name: &str) -> Option<&str> {
        self.items.iter().find(|item| item.name == name).map(|item| item.code.as_str())
    }

    /// The first and the last line of a top-level item.
    pub fn item_lines(&self, name: &str) -> Option<(usize, usize)> {
        self.items.iter().find(|item| item.name == name).map(|item| item.lines)
    }

    pub fn item_names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.name.as_str())
    }
}

fn heading(text: &str) -> Option<(String, String)> {
    let (number, title) = text.lines().next()?.strip_prefix("//!")?.trim().split_once(' ')?;
    let is_number = number.contains('.') && number.split('.').all(|part| part.parse::<u32>().is_ok());
    is_number.then(|| (number.to_owned(), title.trim().to_owned()))
}

fn is_test_module(item: &syn::Item) -> bool {
    let syn::Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

fn item_name(item: &syn::Item, text: &str) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Impl(item) => {
            let start = item.impl_token.span.byte_range().start;
            let head = &text[start..item.brace_token.span.open().byte_range().start];
            return Some(head.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        _ => return None,
    };
    Some(ident.to_string())
}

/// The methods of an `impl` block that is no trait's, as `Vocab::new`.
fn methods(block: &syn::ItemImpl, text: &str) -> Vec<Item> {
    let syn::Type::Path(of) = &*block.self_ty else { return Vec::new() };
    let Some(of) = of.path.segments.last().filter(|_| block.trait_.is_none()) else { return Vec::new() };
    let method = |item: &syn::ImplItem| {
        let syn::ImplItem::Fn(method) = item else { return None };
        let range = whole_lines(text, method.span().byte_range());
        let name = format!("{}::{}", of.ident, method.sig.ident);
        Some(Item { name, lines: lines(text, &range), code: dedent(&text[range]) })
    };
    block.items.iter().filter_map(method).collect()
}

/// The cells of `run`, and of each function that it calls in place of what it would do itself, in the order in which they run.
fn cells(path: &Path, text: &str, file: &syn::File) -> Result<Vec<Cell>> {
    let mut functions = BTreeMap::new();
    let mut calls = CellCalls::default();
    for item in &file.items {
        let syn::Item::Fn(function) = item else { continue };
        let mut own = CellCalls::default();
        own.visit_block(&function.block);
        if !own.lines.is_empty() || function.sig.ident == "run" {
            functions.insert(function.sig.ident.to_string(), function);
        }
        calls.lines.extend(own.lines);
    }
    let mut cutter = Cutter { path, text, functions: &functions, cells: Vec::new(), open: None };
    if let Some(run) = functions.get("run") {
        cutter.cut(run, Vec::new())?;
    }
    let cells = cutter.cells;
    if let Some(nested) = calls.lines.iter().find(|line| !cells.iter().any(|cell| cell.line == **line)) {
        bail!(
            "{}:{nested}: `nb.cell` must stand at the top level of `run` or of a function that `run` calls: move it out of \
             the block",
            path.display()
        );
    }
    Ok(cells)
}

/// Cuts functions into cells.
struct Cutter<'a> {
    path: &'a Path,
    text: &'a str,
    /// Those with cells and `run`, by name.
    functions: &'a BTreeMap<String, &'a syn::ItemFn>,
    cells: Vec<Cell>,
    /// The cell that is not closed yet, and where its code starts.
    open: Option<(Cell, usize)>,
}

impl<'a> Cutter<'a> {
    fn cut(&mut self, function: &syn::ItemFn, mut given: Vec<String>) -> Result<()> {
        let mut in_part = false;
        for statement in &function.block.stmts {
            let (range, line) = (statement.span().byte_range(), statement.span().start().line);
            if let Some(call) = opens_cell(statement) {
                self.close(range.start);
                let title = self.title(call, line)?;
                let given = std::mem::take(&mut given);
                self.open = Some((Cell { title, line, given, ..Cell::default() }, range.end));
                in_part = false;
            } else if let Some((part, call)) = self.part_of(statement) {
                self.close(range.start);
                let arguments = self.arguments(part, call);
                self.cut(part, arguments)?;
                in_part = true;
            } else if in_part && !is_end(statement) {
                bail!("{}:{line}: after a function with cells of its own comes another cell", self.path.display());
            } else if self.open.is_none() && matches!(statement, syn::Stmt::Local(_)) && function.sig.ident != "run" {
                // Those of `run` are its preamble.
                given.push(self.text[range].to_owned());
            }
        }
        self.close(end_of_code(&function.block));
        Ok(())
    }

    fn title(&self, call: &syn::ExprMethodCall, line: usize) -> Result<String> {
        let path = self.path.display();
        let Some(title) = title_of(call) else {
            bail!("{path}:{line}: a cell's title must be one string in the source, so that pages can name it");
        };
        if self.cells.iter().any(|other| other.title == title) {
            bail!("{path}:{line}: there are two cells “{title}”: give each its own title");
        }
        Ok(title)
    }

    fn close(&mut self, end: usize) {
        if let Some((cell, start)) = self.open.take() {
            let range = start..end.max(start);
            let (lines, code) = (lines(self.text, &range), dedent(&self.text[range]));
            self.cells.push(Cell { lines, code, ..cell });
        }
    }

    /// The function with cells that a statement calls: `training(config, nb)?;`, `let model = learn(nb)?;`.
    fn part_of<'s>(&self, statement: &'s syn::Stmt) -> Option<(&'a syn::ItemFn, &'s syn::ExprCall)> {
        let expression = match statement {
            syn::Stmt::Expr(expression, _) => expression,
            syn::Stmt::Local(local) => &*local.init.as_ref()?.expr,
            _ => return None,
        };
        let call = match expression {
            syn::Expr::Try(tried) => &*tried.expr,
            other => other,
        };
        let syn::Expr::Call(call) = call else { return None };
        let syn::Expr::Path(name) = &*call.func else { return None };
        let part: &'a syn::ItemFn = self.functions.get(&name.path.get_ident()?.to_string())?;
        Some((part, call))
    }

    /// What a function's parameters are, where the caller has other names for it.
    fn arguments(&self, part: &syn::ItemFn, call: &syn::ExprCall) -> Vec<String> {
        let written = |range: Range<usize>| self.text[range].to_owned();
        let parameters = part.sig.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(typed) => Some(written(typed.pat.span().byte_range())),
            syn::FnArg::Receiver(_) => None,
        });
        let values = call.args.iter().map(|value| written(value.span().byte_range()));
        let pairs = parameters.zip(values).filter(|(name, value)| name != value && name != "_");
        pairs.map(|(name, value)| format!("let {name} = {value};")).collect()
    }
}

/// Whether a statement is a closing `Ok(…)` of a name or of nothing.
fn is_end(statement: &syn::Stmt) -> bool {
    let syn::Stmt::Expr(syn::Expr::Call(call), None) = statement else { return false };
    let is_ok = matches!(&*call.func, syn::Expr::Path(name) if name.path.is_ident("Ok"));
    let nothing = |tuple: &syn::ExprTuple| tuple.elems.is_empty();
    is_ok
        && call.args.iter().all(|value| match value {
            syn::Expr::Path(_) => true,
            syn::Expr::Tuple(tuple) => nothing(tuple),
            _ => false,
        })
}

/// Where the last cell ends: before a closing `Ok(())`, which says nothing to a reader.
fn end_of_code(block: &syn::Block) -> usize {
    match block.stmts.last() {
        Some(last) if is_end(last) => last.span().byte_range().start,
        _ => block.brace_token.span.close().byte_range().start,
    }
}

fn opens_cell(statement: &syn::Stmt) -> Option<&syn::ExprMethodCall> {
    let syn::Stmt::Expr(expression, Some(_)) = statement else { return None };
    let call = match expression {
        syn::Expr::Try(tried) => &*tried.expr,
        other => other,
    };
    match call {
        syn::Expr::MethodCall(call) if is_cell(call) => Some(call),
        _ => None,
    }
}

/// Whether this is `nb.cell(…)`, and not the `cell` of something else.
fn is_cell(call: &syn::ExprMethodCall) -> bool {
    call.method == "cell" && matches!(&*call.receiver, syn::Expr::Path(receiver) if receiver.path.is_ident("nb"))
}

fn title_of(call: &syn::ExprMethodCall) -> Option<String> {
    match call.args.first() {
        Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(title), .. })) => Some(title.value()),
        _ => None,
    }
}

/// The lines of all `nb.cell` calls, however deep.
#[derive(Default)]
struct CellCalls {
    lines: Vec<usize>,
}

impl Visit<'_> for CellCalls {
    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        if is_cell(call) {
            self.lines.push(call.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Widens a range to the lines it touches, so that indentation and a comment after the last brace come along.
fn whole_lines(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
    start..end
}

/// The lines of a range, counted from 1, blank ones at both ends left out.
fn lines(text: &str, range: &Range<usize>) -> (usize, usize) {
    let code = &text[range.clone()];
    let start = range.start + (code.len() - code.trim_start().len());
    let end = range.start + code.trim_end().len();
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    (line(start), line(end.max(start)))
}

/// Drops blank lines at both ends, spaces at line ends, and from each line as much indentation as the first one has.
fn dedent(code: &str) -> String {
    let lines: Vec<&str> = code.trim_end().lines().skip_while(|line| line.trim().is_empty()).collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let cut = |line: &&str| {
        let spaces = line.len() - line.trim_start().len();
        line[spaces.min(indent)..].trim_end().to_owned()
    };
    lines.iter().map(cut).collect::<Vec<_>>().join("\n")
}

/// The numbers that `#[arg(default_value_t = …)]` gives settings, which are the book's, and what `defaults! { … Book { lr:
/// 0.1, … } … }` says.
fn book_settings(file: &syn::File, text: &str) -> BTreeMap<String, String> {
    let structs = file.items.iter().filter_map(|item| match item {
        syn::Item::Struct(item) => Some(&item.fields),
        _ => None,
    });
    let default = |attribute: &syn::Attribute| {
        let arguments = attribute.meta.require_list().ok().filter(|list| list.path.is_ident("arg"))?.tokens.to_string();
        let value = arguments.split_once("default_value_t = ")?.1.split(',').next()?.trim().to_owned();
        value.replace('_', "").parse::<f64>().is_ok().then_some(value)
    };
    let defaults = structs
        .flatten()
        .filter_map(|field| Some((field.ident.as_ref()?.to_string(), field.attrs.iter().find_map(default)?)));
    let mut settings: BTreeMap<String, String> = defaults.collect();
    let block = text.split_once("defaults! {").and_then(|(_, macro_)| macro_.split_once("Book {")?.1.split_once('}'));
    let fields = block.map_or("", |(block, _)| block).split(',').filter_map(|field| field.split_once(':'));
    settings.extend(fields.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"//! 3.6 Softmax from scratch
use d2l::prelude::*;

/// Two `(2)`.
pub const TWO: usize = 2; // two

/// A net.
#[derive(Debug)]
pub struct Net {
    w: f64,
}

impl Module
    for Net
{
    fn f(&self) {} // kept
}

pub fn run(config: &Config, nb: &mut Notebook) -> Result<()> {
    nb.cell("The \"first\" one")?;

    // why
    for i in 0..2 {
        nb.print(i)?; // (2)
    }

    nb.cell("Last")?;
    let x = "Ünïcode";
    nb.print(x)?;
    Ok(())
}

#[cfg(test)]
mod tests {}
"#;

    fn parse(text: &str) -> Result<Source> {
        Source::parse(Path::new("a.rs"), text)
    }

    #[test]
    fn cells_keep_comments_and_lose_the_call_and_the_closing_ok() {
        let source = parse(TEXT).unwrap();
        assert_eq!(source.cells.len(), 2);
        assert_eq!(source.cells[0].line, 20);
        let first = source.cell("The \"first\" one").unwrap();
        assert_eq!(first.lines, (22, 25));
        assert_eq!(source.item_lines("TWO"), Some((4, 5)));
        assert_eq!(first.code, "// why\nfor i in 0..2 {\n    nb.print(i)?; // (2)\n}");
        assert_eq!(source.cell("Last").unwrap().code, "let x = \"Ünïcode\";\nnb.print(x)?;");
        assert_eq!(source.heading, Some(("3.6".into(), "Softmax from scratch".into())));
        assert!(source.has_tests);
    }

    #[test]
    fn what_is_set_before_the_first_cell_is_kept() {
        let text = "fn run() -> Result<()> {\n    let n = 3; // steps\n    check(n)?;\n    let m = n;\n    nb.cell(\"One\")?;\n    \
                    let k = 1;\n    Ok(())\n}\n";
        assert_eq!(parse(text).unwrap().preamble, ["let n = 3; // steps", "let m = n;"]);
    }

    #[test]
    fn items_come_with_their_doc_comment_and_what_follows_on_the_line() {
        let source = parse(TEXT).unwrap();
        assert_eq!(source.item("TWO"), Some("/// Two `(2)`.\npub const TWO: usize = 2; // two"));
        assert_eq!(source.item("Net"), Some("/// A net.\n#[derive(Debug)]\npub struct Net {\n    w: f64,\n}"));
        assert_eq!(
            source.item("impl Module for Net"),
            Some("impl Module\n    for Net\n{\n    fn f(&self) {} // kept\n}")
        );
        assert_eq!(source.item("tests"), None);
    }

    #[test]
    fn a_cell_must_have_its_own_title_and_stand_at_the_top() {
        let run = |body: &str| parse(&format!("fn run() {{\n{body}\n}}")).unwrap_err().to_string();
        assert!(run("nb.cell(\"A\")?;\nnb.cell(\"A\")?;").starts_with("a.rs:3: there are two cells “A”"));
        assert!(run("if true {\n  nb.cell(\"A\")?;\n}").starts_with("a.rs:3: `nb.cell` must stand at the top level"));
        let uncalled = parse("fn run() {}\nfn part() {\n  nb.cell(\"A\")?;\n}").unwrap_err().to_string();
        assert!(uncalled.starts_with("a.rs:3: `nb.cell` must stand at the top level of `run` or of a function"));
        assert!(run("nb.cell(title)?;").starts_with("a.rs:2: a cell's title must be one string"));
        assert!(parse("fn run() { table.cell(1, 2)?; }").unwrap().cells.is_empty());
    }

    #[test]
    fn a_function_that_run_calls_has_cells_in_its_place() {
        let text = "fn learn(nb: &mut Notebook, x: &Images) -> Result<Model> {\n    let n = 2;\n    nb.cell(\"Learn\")?;\n    \
                    let model = fit(x, n);\n    Ok(model)\n}\nfn run(nb: &mut Notebook) {\n    nb.cell(\"Data\")?;\n    let \
                    train = load();\n    let model = learn(nb, &train)?;\n    nb.cell(\"Use\")?;\n    model.use_it();\n    \
                    more(nb, 3)\n}\nfn more(nb: &mut Notebook, k: usize) {\n    nb.cell(\"More\")?;\n    nb.say(k)\n}\n";
        let source = parse(text).unwrap();
        let cells: Vec<(&str, &str)> = source.cells.iter().map(|cell| (&*cell.title, &*cell.code)).collect();
        let expected = [
            ("Data", "let train = load();"),
            ("Learn", "let model = fit(x, n);"),
            ("Use", "model.use_it();"),
            ("More", "nb.say(k)"),
        ];
        assert_eq!(cells, expected);
        assert_eq!(source.cells[1].runnable(), "let x = &train;\nlet n = 2;\nlet model = fit(x, n);");
        assert_eq!(source.cells[3].given, ["let k = 3;"]);
        let after = text.replace("    nb.cell(\"Use\")?;\n", "");
        assert!(parse(&after).unwrap_err().to_string().contains("comes another cell"));
    }

    #[test]
    fn a_heading_needs_a_number() {
        assert_eq!(heading("//! Softmax regression"), None);
        assert_eq!(heading("//! 3.6"), None);
        assert_eq!(heading("//! 11.4.1 A title\n").unwrap().0, "11.4.1");
    }

    #[test]
    fn the_books_settings_are_the_fields_defaults_and_what_the_macro_says() {
        let text = "pub struct Config {\n    #[arg(long, default_value_t = 60_000, value_parser = count)]\n    pub examples: \
                    usize,\n    #[arg(long, default_value_t = 0.3)]\n    pub lr: f64,\n    #[arg(long, default_value_t = \
                    Kind::Plain)]\n    pub kind: Kind,\n}\n\ndefaults! { Config:\n    Book { lr: 0.5 }\n    Smoke { examples: \
                    9 }\n}\n";
        let source = Source::parse(Path::new("demo.rs"), text).unwrap();
        let expected = [("examples", "60_000"), ("lr", "0.5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(source.book_settings, expected.into());
    }
}
