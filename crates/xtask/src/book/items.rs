//! The public items of the workspace's crates: where rustdoc puts their pages, their aliases, and where their source is.
//!
//! Read with `syn` from the sources, as rustdoc would: items of public modules, and those of private modules where a
//! public one names them in `pub use`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::chapters::{Workspace, parse, read};

/// A public item, or a public part of one: a method, a variant, an associated constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As a user writes it: `d2l::train::train_classifier`, `d2l::text::Vocab::tokens`.
    pub path: String,
    /// Its page below the folder of the documentation, with the anchor of a part.
    pub url: String,
    pub aliases: Vec<String>,
    /// The first sentence of its documentation.
    pub summary: String,
    /// Where it is written, from the workspace's root.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

impl Item {
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// Whether it is a part of another item: a method, a variant, a field.
    pub fn is_part(&self) -> bool {
        self.url.contains('#')
    }
}

/// The items of several crates, by path.
#[derive(Debug, Default)]
pub struct Index {
    items: BTreeMap<String, Item>,
    /// Another public path to an item: what `pub use` makes.
    others: BTreeMap<String, String>,
    /// Another path to what is in another crate, all of it or a part: what `pub use d2l_ops as ops` makes.
    elsewhere: BTreeMap<String, String>,
}

/// A module as its file has it, public or not.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    items: Vec<Found>,
    parts: Vec<Part>,
    uses: Vec<Use>,
    children: BTreeMap<String, (bool, Module)>,
}

#[derive(Debug, Clone)]
struct Found {
    name: String,
    /// The prefix of its page or anchor, such as `struct` or `method`.
    kind: &'static str,
    aliases: Vec<String>,
    summary: String,
    file: PathBuf,
    line: usize,
    /// Of a type alias, the type that carries its methods.
    target: Option<String>,
    parts: Vec<Found>,
}

/// A method or an associated constant, which may stand in another module than its type.
#[derive(Debug, Clone)]
struct Part {
    of_type: String,
    /// Whether only one type of the crate has that name.
    is_only: bool,
    found: Found,
}

#[derive(Debug)]
struct Use {
    path: Vec<String>,
    name: String,
    is_glob: bool,
    is_public: bool,
}

impl Index {
    /// Reads the libraries of these crates.
    pub fn read(workspace: &Workspace, crates: &[&str]) -> Result<Self> {
        let mut index = Self::default();
        for name in crates {
            let src = workspace.crate_dir(name).join("src");
            let mut root = Module::read(workspace, &src.join("lib.rs"), &src)?;
            let crate_name = name.replace('-', "_");
            // An exported macro stands at the crate's root, wherever it is written.
            let mut macros = Vec::new();
            root.take_macros(&mut macros);
            root.items.extend(macros);
            let mut parts = Vec::new();
            let mut types = Vec::new();
            root.collect(&mut parts, &mut types);
            for part in &mut parts {
                part.is_only = types.iter().filter(|name| **name == part.of_type).count() == 1;
            }
            index.add_module(&root, &root, &[crate_name], &parts);
        }
        Ok(index)
    }

    /// The item behind a path that is public, by whichever `pub use`.
    pub fn get(&self, path: &str) -> Option<&Item> {
        if let Some(item) = self.items.get(path).or_else(|| self.items.get(self.others.get(path)?)) {
            return Some(item);
        }
        let within = |rest: &str| rest.is_empty() || rest.starts_with("::");
        let leads = |(here, _): &(&String, &String)| path.strip_prefix(here.as_str()).is_some_and(within);
        let (here, home) = self.elsewhere.iter().find(leads)?;
        self.get(&format!("{home}{}", &path[here.len()..]))
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    fn add_module(&mut self, root: &Module, module: &Module, path: &[String], parts: &[Part]) {
        for found in &module.items {
            self.add(found, path, parts);
        }
        for used in module.uses.iter().filter(|used| used.is_public) {
            let Some((target, is_public)) = root.find(&path[1..], &used.path) else {
                if !used.is_glob {
                    let here = format!("{}::{}", path.join("::"), used.name);
                    self.elsewhere.insert(here, used.path.join("::"));
                }
                continue;
            };
            let chosen = target.items.iter().filter(|found| used.is_glob || used.path.last() == Some(&found.name));
            for found in chosen {
                let shown = if used.is_glob { &found.name } else { &used.name };
                let here = format!("{}::{shown}", path.join("::"));
                if is_public {
                    let depth = used.path.len() - 1;
                    let home = absolute(&path[1..], &used.path[..depth]);
                    let home = std::iter::once(path[0].clone()).chain(home).collect::<Vec<_>>().join("::");
                    self.others.insert(here, format!("{home}::{}", found.name));
                } else {
                    self.add(&Found { name: shown.clone(), ..found.clone() }, path, parts);
                }
            }
        }
        for (name, (is_public, child)) in &module.children {
            if *is_public {
                let path: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
                self.add_module(root, child, &path, parts);
            }
        }
    }

    fn add(&mut self, found: &Found, module: &[String], parts: &[Part]) {
        let page = format!("{}/{}.{}.html", module.join("/"), found.kind, found.name);
        let path = format!("{}::{}", module.join("::"), found.name);
        let of_type = found.target.as_ref().unwrap_or(&found.name);
        // A type's methods stand beside it, or in another file where no other type has its name.
        let is_own = |part: &&Part| &part.of_type == of_type && (part.found.file == found.file || part.is_only);
        let own = parts.iter().filter(is_own).map(|part| &part.found);
        for part in own.chain(&found.parts) {
            let item = part.item(format!("{path}::{}", part.name), format!("{page}#{}.{}", part.kind, part.name));
            self.items.entry(item.path.clone()).or_insert(item);
        }
        self.items.insert(path.clone(), found.item(path, page));
    }
}

impl Found {
    fn is_type(&self) -> bool {
        ["enum", "struct", "trait"].contains(&self.kind)
    }

    fn item(&self, path: String, url: String) -> Item {
        Item {
            path,
            url,
            aliases: self.aliases.clone(),
            summary: self.summary.clone(),
            file: self.file.clone(),
            line: self.line,
        }
    }
}

/// A path of `pub use`, written in the module `here`, from the root of the crate.
fn absolute(here: &[String], path: &[String]) -> Vec<String> {
    let mut parts = here.to_vec();
    for (index, part) in path.iter().enumerate() {
        match part.as_str() {
            "crate" if index == 0 => parts.clear(),
            "self" => {}
            "super" => {
                parts.pop();
            }
            name => parts.push(name.to_owned()),
        }
    }
    parts
}

impl Module {
    fn read(workspace: &Workspace, file: &Path, children: &Path) -> Result<Self> {
        let text = read(file)?;
        let parsed = parse(file, &text)?;
        Self::from_items(workspace, file, children, &parsed.items)
    }

    fn from_items(workspace: &Workspace, file: &Path, children: &Path, items: &[syn::Item]) -> Result<Self> {
        let mut module = Self { file: workspace.relative(file).to_owned(), ..Self::default() };
        for item in items {
            match item {
                syn::Item::Mod(child) if !is_test(&child.attrs) && !is_hidden(&child.attrs) => {
                    let name = child.ident.to_string();
                    let folder = children.join(&name);
                    let read = if let Some((_, items)) = &child.content {
                        Self::from_items(workspace, file, &folder, items)?
                    } else {
                        let places = [children.join(format!("{name}.rs")), folder.join("mod.rs")];
                        // A module without a file does not compile, and `weave` tells so where it is a section's.
                        let Some(place) = places.iter().find(|place| place.is_file()) else { continue };
                        Self::read(workspace, place, &folder)?
                    };
                    module.children.insert(name, (is_public(&child.vis), read));
                }
                syn::Item::Use(used) => leaves(&used.tree, &mut Vec::new(), is_public(&used.vis), &mut module.uses),
                syn::Item::Impl(block) if block.trait_.is_none() => module.add_parts(block),
                other => module.items.extend(module.found(other)),
            }
        }
        Ok(module)
    }

    fn found(&self, item: &syn::Item) -> Option<Found> {
        let (attrs, vis, ident, kind) = match item {
            syn::Item::Const(item) => (&item.attrs, Some(&item.vis), &item.ident, "constant"),
            syn::Item::Enum(item) => (&item.attrs, Some(&item.vis), &item.ident, "enum"),
            syn::Item::Fn(item) => (&item.attrs, Some(&item.vis), &item.sig.ident, "fn"),
            syn::Item::Macro(item) => (&item.attrs, None, item.ident.as_ref()?, "macro"),
            syn::Item::Static(item) => (&item.attrs, Some(&item.vis), &item.ident, "static"),
            syn::Item::Struct(item) => (&item.attrs, Some(&item.vis), &item.ident, "struct"),
            syn::Item::Trait(item) => (&item.attrs, Some(&item.vis), &item.ident, "trait"),
            syn::Item::Type(item) => (&item.attrs, Some(&item.vis), &item.ident, "type"),
            _ => return None,
        };
        let exported = || attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
        if is_hidden(attrs) || !vis.map_or_else(exported, is_public) {
            return None;
        }
        let mut found = self.entry(ident, kind, attrs);
        match item {
            syn::Item::Enum(item) => {
                found.parts.extend(item.variants.iter().map(|part| self.entry(&part.ident, "variant", &part.attrs)));
            }
            syn::Item::Struct(item) => {
                let public = item.fields.iter().filter(|field| is_public(&field.vis));
                let named = public.filter_map(|field| Some((field.ident.as_ref()?, &field.attrs)));
                found.parts.extend(named.map(|(ident, attrs)| self.entry(ident, "structfield", attrs)));
            }
            syn::Item::Trait(item) => {
                let method = |part: &syn::TraitItem| match part {
                    syn::TraitItem::Fn(part) => {
                        let kind = if part.default.is_some() { "method" } else { "tymethod" };
                        Some(self.entry(&part.sig.ident, kind, &part.attrs))
                    }
                    _ => None,
                };
                found.parts.extend(item.items.iter().filter_map(method));
            }
            syn::Item::Type(item) => found.target = last_name(&item.ty),
            _ => {}
        }
        Some(found)
    }

    fn add_parts(&mut self, block: &syn::ItemImpl) {
        let Some(of_type) = last_name(&block.self_ty) else { return };
        for item in &block.items {
            let (attrs, vis, ident, kind) = match item {
                syn::ImplItem::Fn(part) => (&part.attrs, &part.vis, &part.sig.ident, "method"),
                syn::ImplItem::Const(part) => (&part.attrs, &part.vis, &part.ident, "associatedconstant"),
                _ => continue,
            };
            if is_public(vis) && !is_hidden(attrs) {
                let found = self.entry(ident, kind, attrs);
                self.parts.push(Part { of_type: of_type.clone(), is_only: false, found });
            }
        }
    }

    fn entry(&self, ident: &syn::Ident, kind: &'static str, attrs: &[syn::Attribute]) -> Found {
        Found {
            name: ident.to_string(),
            kind,
            aliases: aliases(attrs),
            summary: summary(attrs),
            file: self.file.clone(),
            line: ident.span().start().line,
            target: None,
            parts: Vec::new(),
        }
    }

    fn take_macros(&mut self, macros: &mut Vec<Found>) {
        macros.extend(self.items.extract_if(.., |found| found.kind == "macro"));
        self.children.values_mut().for_each(|(_, child)| child.take_macros(macros));
    }

    /// The parts of types, and the names of types, of this module and those in it.
    fn collect(&self, parts: &mut Vec<Part>, types: &mut Vec<String>) {
        parts.extend(self.parts.iter().cloned());
        types.extend(self.items.iter().filter(|found| found.is_type()).map(|found| found.name.clone()));
        self.children.values().for_each(|(_, child)| child.collect(parts, types));
    }

    /// The module that holds what a `use` in the module `here` names, and whether all of it is public.
    fn find(&self, here: &[String], path: &[String]) -> Option<(&Self, bool)> {
        self.find_through(here, path, 0)
    }

    /// `find` through `passed` other uses: some lead back to themselves, past an item that a macro writes.
    fn find_through(&self, here: &[String], path: &[String], passed: usize) -> Option<(&Self, bool)> {
        if passed > 8 {
            return None;
        }
        let holder = &path[..path.len().checked_sub(1)?];
        let (mut module, mut is_public) = (self, true);
        for part in absolute(here, holder) {
            let (public, child) = module.children.get(&part)?;
            (module, is_public) = (child, is_public && *public);
        }
        let name = path.last()?;
        if name != "*" && !module.items.iter().any(|found| found.name == *name) {
            // One `pub use` may name what another one brought in.
            let used = module.uses.iter().find(|used| used.name == *name)?;
            let inner = absolute(here, holder);
            let (target, public) = self.find_through(&inner, &used.path, passed + 1)?;
            return Some((target, public || (is_public && used.is_public)));
        }
        Some((module, is_public))
    }
}

fn leaves(tree: &syn::UseTree, path: &mut Vec<String>, is_public: bool, uses: &mut Vec<Use>) {
    let mut push = |path: &[String], last: String, name: String, is_glob| {
        let path = path.iter().cloned().chain([last]).collect();
        uses.push(Use { path, name, is_glob, is_public });
    };
    match tree {
        syn::UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            leaves(&inner.tree, path, is_public, uses);
            path.pop();
        }
        syn::UseTree::Name(name) => push(path, name.ident.to_string(), name.ident.to_string(), false),
        syn::UseTree::Rename(name) => push(path, name.ident.to_string(), name.rename.to_string(), false),
        syn::UseTree::Glob(_) => push(path, "*".to_owned(), "*".to_owned(), true),
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|tree| leaves(tree, path, is_public, uses));
        }
    }
}

/// The names that a `use` brings into a file, with the path behind each; a glob is `*`.
pub fn imports(used: &syn::ItemUse) -> Vec<(String, Vec<String>)> {
    let mut uses = Vec::new();
    leaves(&used.tree, &mut Vec::new(), true, &mut uses);
    uses.into_iter().map(|used| (used.name, used.path)).collect()
}

fn is_public(vis: &syn::Visibility) -> bool {
    matches!(vis, syn::Visibility::Public(_))
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

fn is_hidden(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attribute| {
        attribute.path().is_ident("doc") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "hidden")
    })
}

/// What `#[doc(alias = "…")]` says.
fn aliases(attrs: &[syn::Attribute]) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Ok(meta) = attribute.parse_args::<syn::MetaNameValue>()
            && meta.path.is_ident("alias")
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(alias), .. }) = &meta.value
        {
            found.push(alias.value());
        }
    }
    found
}

fn summary(attrs: &[syn::Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attrs {
        if let syn::Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            if text.trim().is_empty() {
                break;
            }
            lines.push(text.trim().to_owned());
        }
    }
    let text = lines.join(" ");
    text.find(". ").map_or(text.clone(), |end| text[..=end].to_owned())
}

fn last_name(kind: &syn::Type) -> Option<String> {
    match kind {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The source file of rustdoc's view, for lines `first` to `last`, below the folder of the documentation.
pub fn source_url(crate_name: &str, file: &str, first: usize, last: usize) -> String {
    let lines = if first == last { first.to_string() } else { format!("{first}-{last}") };
    format!("src/{}/{file}.html#{lines}", crate_name.replace('-', "_"))
}

/// The crates whose libraries are documented: `d2l`, those it hands on, and the chapters.
pub fn documented_crates(workspace: &Workspace) -> Result<Vec<String>> {
    let mut names = ["d2l", "d2l-hub", "d2l-ops", "d2l-program", "d2l-record", "tables"].map(str::to_owned).to_vec();
    names.extend(workspace.chapters()?.into_iter().map(|chapter| chapter.name));
    names.retain(|name| fs::exists(workspace.crate_dir(name).join("src/lib.rs")).unwrap_or(false));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    const LIB: &str = "
pub mod open;
mod closed;
pub use closed::{Kept, made as make};
pub use open::Shown;
mod inner { pub struct Gone; }
#[macro_export]
macro_rules! say { () => {} }
#[cfg(test)]
mod tests { pub fn no() {} }
";
    const OPEN: &str = "
/// Shows. And more.
///
/// A paragraph.
#[doc(alias = \"show\")]
pub struct Shown { pub field: u8, hidden: u8 }
impl Shown {
    #[doc(alias = \"go\")]
    pub fn run(&self) {}
    fn private() {}
}
pub type Alias = Shown;
pub trait Acts { fn act(&self); fn again(&self) {} }
pub enum Kind { First }
#[doc(hidden)]
pub fn secret() {}
";
    const CLOSED: &str =
        "pub struct Kept;\npub fn made() {}\npub fn unused() {}\nimpl super::open::Shown { pub fn far() {} }\n";

    #[test]
    fn public_items_stand_where_rustdoc_puts_them() {
        let fixture = Fixture::new();
        fixture.write("crates/my-crate/src/lib.rs", LIB);
        fixture.write("crates/my-crate/src/open.rs", OPEN);
        fixture.write("crates/my-crate/src/closed/mod.rs", CLOSED);
        let index = Index::read(&fixture.workspace, &["my-crate"]).unwrap();
        let urls: Vec<(&str, &str)> = index.items().map(|item| (item.path.as_str(), item.url.as_str())).collect();
        let wanted = [
            ("my_crate::Kept", "my_crate/struct.Kept.html"),
            ("my_crate::make", "my_crate/fn.make.html"),
            ("my_crate::open::Acts", "my_crate/open/trait.Acts.html"),
            ("my_crate::open::Acts::act", "my_crate/open/trait.Acts.html#tymethod.act"),
            ("my_crate::open::Acts::again", "my_crate/open/trait.Acts.html#method.again"),
            ("my_crate::open::Alias", "my_crate/open/type.Alias.html"),
            ("my_crate::open::Alias::far", "my_crate/open/type.Alias.html#method.far"),
            ("my_crate::open::Alias::run", "my_crate/open/type.Alias.html#method.run"),
            ("my_crate::open::Kind", "my_crate/open/enum.Kind.html"),
            ("my_crate::open::Kind::First", "my_crate/open/enum.Kind.html#variant.First"),
            ("my_crate::open::Shown", "my_crate/open/struct.Shown.html"),
            ("my_crate::open::Shown::far", "my_crate/open/struct.Shown.html#method.far"),
            ("my_crate::open::Shown::field", "my_crate/open/struct.Shown.html#structfield.field"),
            ("my_crate::open::Shown::run", "my_crate/open/struct.Shown.html#method.run"),
            ("my_crate::say", "my_crate/macro.say.html"),
        ];
        assert_eq!(urls, wanted);
        let shown = index.get("my_crate::Shown").unwrap();
        assert_eq!((shown.path.as_str(), shown.summary.as_str()), ("my_crate::open::Shown", "Shows."));
        assert_eq!((shown.aliases[0].as_str(), shown.line), ("show", 6));
    }

    #[test]
    fn what_another_crate_has_is_found_where_it_is_handed_on() {
        let fixture = Fixture::new();
        fixture.write(
            "crates/kernels/src/lib.rs",
            "mod soft;\npub use soft::softmax;\npub struct T;\nimpl T { pub fn of() {} }\n",
        );
        fixture.write("crates/kernels/src/soft.rs", "pub fn softmax() {}\n");
        fixture.write("crates/whole/src/lib.rs", "pub use kernels as ops;\npub mod nn;\n");
        fixture.write("crates/whole/src/nn.rs", "pub use kernels::T;\n");
        let index = Index::read(&fixture.workspace, &["kernels", "whole"]).unwrap();
        let url = |path: &str| index.get(path).map(|item| item.url.as_str());
        assert_eq!(url("whole::ops::softmax"), Some("kernels/fn.softmax.html"));
        assert_eq!(url("whole::nn::T"), Some("kernels/struct.T.html"));
        assert_eq!(url("whole::nn::T::of"), Some("kernels/struct.T.html#method.of"));
        assert_eq!((url("whole::ops::no"), url("whole::opsoftmax")), (None, None));
    }

    #[test]
    fn lines_of_a_source() {
        assert_eq!(source_url("my-crate", "a.rs", 3, 3), "src/my_crate/a.rs.html#3");
        assert_eq!(source_url("d2l", "a/b.rs", 3, 9), "src/d2l/a/b.rs.html#3-9");
    }
}
