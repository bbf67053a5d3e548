//! The items of `d2l` that a section's source uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use syn::visit::{self, Visit};

use super::items::{Index, Item, imports};
use crate::chapters::{parse, read};

/// The items of `d2l` that the file names outside of its tests, and the methods it calls on its notebook, by path.
pub fn used<'a>(path: &Path, index: &'a Index, prelude: &BTreeMap<String, String>) -> Result<Vec<&'a Item>> {
    let file = parse(path, &read(path)?)?;
    let mut names = Names { index, imported: BTreeMap::new(), found: BTreeSet::new() };
    for item in &file.items {
        if let syn::Item::Use(used) = item {
            for (name, path) in imports(used) {
                if path == ["d2l", "prelude", "*"] {
                    names.imported.extend(prelude.clone());
                } else if path[0] == "d2l" {
                    let path: Vec<String> = path.into_iter().filter(|part| part != "self").collect();
                    let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name };
                    names.imported.insert(name, path.join("::"));
                }
            }
        }
    }
    let is_code = |item: &&syn::Item| !matches!(item, syn::Item::Use(_) | syn::Item::Mod(_));
    file.items.iter().filter(is_code).for_each(|item| names.visit_item(item));
    Ok(names.found.iter().filter_map(|path| index.get(path)).collect())
}

/// The other modules of the chapter from which the file takes something: `training` of `use crate::training::Training`.
pub fn modules(path: &Path) -> Result<BTreeSet<String>> {
    let file = parse(path, &read(path)?)?;
    let uses = file.items.iter().filter_map(|item| if let syn::Item::Use(used) = item { Some(used) } else { None });
    let own =
        uses.flat_map(imports).filter(|(_, path)| ["crate", "super"].contains(&path[0].as_str()) && path.len() > 1);
    let module =
        |path: &[String]| path.iter().find(|part| !["crate", "super", "sections"].contains(&part.as_str())).cloned();
    Ok(own.filter_map(|(_, path)| module(&path)).collect())
}

/// What `use d2l::prelude::*` brings in from `d2l` itself: name and path.
pub fn prelude(lib: &Path) -> Result<BTreeMap<String, String>> {
    let file = parse(lib, &read(lib)?)?;
    let uses = file.items.iter().filter_map(|item| match item {
        syn::Item::Use(used) => Some(imports(used)),
        _ => None,
    });
    let own = uses.flatten().filter(|(_, path)| path[0] == "crate");
    Ok(own.map(|(name, path)| (name, format!("d2l::{}", path[1..].join("::")))).collect())
}

struct Names<'a> {
    index: &'a Index,
    /// What a name at the start of a path stands for.
    imported: BTreeMap<String, String>,
    found: BTreeSet<String>,
}

impl Names<'_> {
    fn add(&mut self, path: &str) {
        if let Some(item) = self.index.get(path) {
            self.found.insert(item.path.clone());
        }
    }
}

impl Visit<'_> for Names<'_> {
    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let full = match self.imported.get(&parts[0]) {
            Some(start) => {
                std::iter::once(start.clone()).chain(parts[1..].iter().cloned()).collect::<Vec<_>>().join("::")
            }
            None => parts.join("::"),
        };
        if full.starts_with("d2l::") {
            self.add(&full);
            if let Some((of_type, _)) = full.rsplit_once("::") {
                self.add(of_type);
            }
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        // The arguments of `format!`, `vec!` and their like are expressions; those of others are left alone.
        let arguments = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = call.parse_body_with(arguments) {
            // The syntax lives only here, so it is walked for its paths at once.
            let mut inner = Names { index: self.index, imported: self.imported.clone(), found: BTreeSet::new() };
            arguments.iter().for_each(|argument| inner.visit_expr(argument));
            self.found.extend(inner.found);
        }
        visit::visit_macro(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        if matches!(&*call.receiver, syn::Expr::Path(path) if path.path.is_ident("nb")) {
            self.add("d2l::notebook::Notebook");
            self.add(&format!("d2l::notebook::Notebook::{}", call.method));
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn finds_what_is_imported_named_and_called_and_not_what_tests_use() {
        let fixture = Fixture::new();
        fixture.write("crates/d2l/src/lib.rs", "pub mod ops;\npub mod notebook;\npub mod prelude;\n");
        fixture.write(
            "crates/d2l/src/ops.rs",
            "pub fn a() {}\npub fn b() {}\npub fn c() {}\npub fn d() {}\npub struct T;\nimpl T { pub fn new() {} }\n",
        );
        fixture.write("crates/d2l/src/notebook.rs", "pub struct Notebook;\nimpl Notebook { pub fn say(&self) {} }\n");
        fixture.write("crates/d2l/src/prelude.rs", "pub use candle_core::Tensor;\npub use crate::ops::c;\n");
        let section = "use d2l::ops::{self, a as first, T};\nuse d2l::prelude::*;\n\
                       fn run(nb: &N) { first(); ops::b(); vec![c()]; T::new(); nb.say(); other::d(); }\n\
                       #[cfg(test)]\nmod tests { use d2l::ops::d; fn f() { d2l::ops::d(); } }\n";
        fixture.write("section.rs", section);
        let index = Index::read(&fixture.workspace, &["d2l"]).unwrap();
        let prelude = prelude(&fixture.workspace.root.join("crates/d2l/src/prelude.rs")).unwrap();
        let found = used(&fixture.workspace.root.join("section.rs"), &index, &prelude).unwrap();
        let paths: Vec<&str> = found.iter().map(|item| item.path.as_str()).collect();
        let wanted =
            ["notebook::Notebook", "notebook::Notebook::say", "ops::T", "ops::T::new", "ops::a", "ops::b", "ops::c"];
        assert_eq!(paths, wanted.map(|path| format!("d2l::{path}")));
    }
}
