//! The rules of `docs/architecture.md`, checked on the parsed source: who may import whom, one door for each package,
//! names and headers of files.
//!
//! The two tables of that page are read here, so the page is the rule and cannot drift. `use` and full paths count alike,
//! inside macro calls too; code under `#[cfg(test)]` is left out. What only a compiler can see (a method called on a value whose
//! type was never named) is not seen; for HTTP clients `clippy.toml` closes that gap.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

#[test]
fn imports_follow_the_table() {
    none(import_faults(&rules(), &sources()));
}

#[test]
fn each_package_has_its_door() {
    none(door_faults(&rules(), &sources()));
}

#[test]
fn the_bottom_has_no_circle() {
    none(circles(&rules(), &sources()));
}

#[test]
fn files_are_named_after_a_matter_and_open_with_their_job() {
    let banned = ["utils", "helpers", "common", "models", "services", "handlers", "types"];
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let parts = file.trim_end_matches(".rs").split('/');
        faults.extend(parts.filter(|part| banned.contains(part)).map(|part| format!("src/{file}: named {part}")));
        if !text.starts_with("//!") {
            faults.push(format!("src/{file}:1: does not open with //!"));
        }
    }
    none(faults);
}

// --- the tables ------------------------------------------------------------------------------------------------------

struct Rules {
    /// Module -> what it may import.
    imports: BTreeMap<String, BTreeSet<String>>,
    bottom: BTreeSet<String>,
    /// A package, or a path into it -> files and folders below `src/` that may name it.
    doors: BTreeMap<String, Vec<String>>,
}

fn rules() -> Rules {
    Rules::read(include_str!("../docs/architecture.md"))
}

impl Rules {
    fn read(page: &str) -> Self {
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let imports = table(page, "module");
        let bottom: BTreeSet<String> =
            imports.iter().filter(|row| row[0].starts_with("bottom")).flat_map(|row| quoted(&row[0])).collect();
        let mut rules = Self { imports: BTreeMap::new(), bottom, doors: BTreeMap::new() };
        for row in imports {
            let mut allowed: BTreeSet<String> = quoted(&row[1]).into_iter().collect();
            if row[1].contains("bottom") || row[0].starts_with("bottom") {
                allowed.extend(rules.bottom.iter().cloned());
            }
            if row[1] == "anything" {
                allowed.insert("anything".to_owned());
            }
            for module in quoted(&row[0]) {
                rules.imports.entry(module).or_insert_with(|| allowed.clone()); // the first row wins
            }
        }
        for row in table(page, "package") {
            for package in quoted(&row[0]) {
                rules.doors.insert(package.replace('-', "_"), quoted(&row[1]));
            }
        }
        rules
    }

    fn allows(&self, from: &str, to: &str) -> bool {
        self.imports.get(from).is_some_and(|allowed| allowed.contains(to) || allowed.contains("anything"))
    }
}

/// The rows of the table whose first column has this heading.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let start = format!("| {heading} |");
    let rows: Vec<Vec<String>> = page
        .lines()
        .skip_while(|line| !line.starts_with(&start))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "docs/architecture.md has no table of each {heading}");
    rows
}

// --- the checks ------------------------------------------------------------------------------------------------------

type Sources = BTreeMap<String, String>;

/// Every file below `src/`, named from there.
fn sources() -> Sources {
    fn read(folder: &Path, below: &str, sources: &mut Sources) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), &format!("{name}/"), sources);
            } else if name.ends_with(".rs") {
                sources.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    sources
}

fn import_faults(rules: &Rules, sources: &Sources) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for found in references(sources) {
        let (Some(from), Some("crate")) = (found.module.first(), found.path.first().map(String::as_str)) else {
            continue; // `lib.rs` is the map of all; packages have doors
        };
        let fault = match found.path.get(1) {
            Some(to) if to == from || rules.allows(from, to) => continue,
            Some(to) if rules.imports.contains_key(to) => format!("{from} -> {to} is not allowed"),
            _ => format!("{from} names nothing that the table of docs/architecture.md knows"),
        };
        faults.insert(format!("{found}: {fault}"));
    }
    for file in sources.keys() {
        let module = file.split(['/', '.']).next().unwrap();
        if module != "lib" && !rules.imports.contains_key(module) {
            faults.insert(format!("src/{file}: {module} is not in the table of docs/architecture.md"));
        }
    }
    faults.into_iter().collect()
}

fn door_faults(rules: &Rules, sources: &Sources) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for found in references(sources) {
        let path = found.path.join("::");
        for (package, doors) in &rules.doors {
            let named = path.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            let inside = doors.iter().any(|door| {
                let rest = found.file.strip_prefix(door.as_str());
                rest.is_some_and(|rest| door.ends_with('/') || ["", ".rs"].contains(&rest) || rest.starts_with('/'))
            });
            if named && !inside {
                faults.insert(format!("{found}: {package} is for {} alone", doors.join(", ")));
            }
        }
    }
    faults.into_iter().collect()
}

fn circles(rules: &Rules, sources: &Sources) -> Vec<String> {
    let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for found in references(sources) {
        if let (Some(from), [first, to, ..]) = (found.module.first(), found.path.as_slice())
            && (first == "crate" && from != to && rules.bottom.contains(from) && rules.bottom.contains(to))
        {
            arrows.entry(from.clone()).or_default().entry(to.clone()).or_insert(found.to_string());
        }
    }
    // what imports nothing that is left cannot be in a circle; what remains in the end is in one or leads to one
    while let Some(end) = arrows.iter().find(|(_, to)| to.keys().all(|to| !arrows.contains_key(to))) {
        let end = end.0.clone();
        arrows.remove(&end);
    }
    let left: BTreeSet<String> = arrows.keys().cloned().collect();
    let arrow = |from: &str, (to, place): (String, String)| format!("{place}: {from} -> {to} is part of a circle");
    arrows
        .into_iter()
        .flat_map(|(from, to)| to.into_iter().map(move |to| (from.clone(), to)))
        .filter(|(_, (to, _))| left.contains(to))
        .map(|(from, to)| arrow(&from, to))
        .collect()
}

#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

// --- what a file names -----------------------------------------------------------------------------------------------

/// A path that some code names. Ours begin with `crate`, whatever was written.
struct Reference {
    file: String,
    line: usize,
    /// The module that names it: `["ciba", "grant"]`.
    module: Vec<String>,
    path: Vec<String>,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.path.join("::"))
    }
}

fn references(sources: &Sources) -> Vec<Reference> {
    let mut references = Vec::new();
    let mut test_modules = Vec::new();
    for (file, text) in sources {
        let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        module.pop_if(|last| last == "mod" || last == "lib");
        let parsed = syn::parse_file(text).unwrap_or_else(|fault| panic!("src/{file}: {fault}"));
        let mut reader = Reader { file, module, ..Reader::default() };
        reader.visit_file(&parsed);
        test_modules.append(&mut reader.test_modules);
        for reference in &mut reader.found {
            // `Client::builder` after `use reqwest::Client` is `reqwest::Client::builder`
            if let Some(full) = reader.names.get(&reference.path[0]) {
                reference.path.splice(..1, full.iter().cloned());
            }
        }
        references.append(&mut reader.found);
    }
    references.retain(|found| !test_modules.iter().any(|test: &Vec<String>| found.module.starts_with(test)));
    references
}

#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    module: Vec<String>,
    found: Vec<Reference>,
    /// What `use` made known by a short name.
    names: BTreeMap<String, Vec<String>>,
    /// `#[cfg(test)] mod conformance;`: the file of that module is test code.
    test_modules: Vec<Vec<String>>,
}

impl Reader<'_> {
    fn find(&mut self, line: usize, written: Vec<String>) -> Vec<String> {
        let ups = written.iter().take_while(|part| *part == "super").count();
        let path = if ups > 0 || written[0] == "self" {
            let here = self.module.len().saturating_sub(ups);
            let rest = written.iter().skip(ups.max(1)).cloned();
            std::iter::once("crate".to_owned()).chain(self.module[..here].iter().cloned()).chain(rest).collect()
        } else {
            written
        };
        self.found.push(Reference {
            file: self.file.to_owned(),
            line,
            module: self.module.clone(),
            path: path.clone(),
        });
        path
    }

    fn read_use(&mut self, tree: &UseTree, mut before: Vec<String>) {
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.read_use(&path.tree, before);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, before.clone());
                }
            }
            UseTree::Glob(_) => drop(self.find(line, before)),
            UseTree::Name(name) => self.read_use_of(line, before, &name.ident, &name.ident),
            UseTree::Rename(rename) => self.read_use_of(line, before, &rename.ident, &rename.rename),
        }
    }

    fn read_use_of(&mut self, line: usize, mut path: Vec<String>, name: &syn::Ident, known_as: &syn::Ident) {
        if name != "self" {
            path.push(name.to_string());
        }
        let known_as = if known_as == "self" { path.last().cloned() } else { Some(known_as.to_string()) };
        let path = self.find(line, path);
        self.names.extend(known_as.filter(|known_as| *known_as != path[0]).map(|known_as| (known_as, path)));
    }

    /// A macro's or an attribute's arguments: any `a::b` in them.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut path: Vec<String> = Vec::new();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    path.push(ident.to_string());
                    let mut ahead = tokens.clone();
                    let mut colon = || matches!(ahead.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                    if colon() && colon() && matches!(ahead.next(), Some(TokenTree::Ident(_))) {
                        tokens.nth(1);
                    } else {
                        let path = std::mem::take(&mut path);
                        if path.len() > 1 {
                            self.find(line, path);
                        }
                    }
                }
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let module = if let Item::Mod(module) = item { Some(module) } else { None };
        self.module.extend(module.map(|module| module.ident.to_string()));
        if !attributes(item).iter().any(is_test) {
            visit::visit_item(self, item);
        } else if module.is_some() {
            self.test_modules.push(self.module.clone());
        }
        module.and_then(|_| self.module.pop());
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !function.attrs.iter().any(is_test) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.read_use(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts = path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.find(path.span().start().line, parts);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.read_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.read_tokens(list.tokens.clone());
        visit::visit_meta_list(self, list);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]` or `#[cfg(all(test, ..))]`
fn is_test(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let condition = list.tokens.to_string().replace(' ', "");
    attribute.path().is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
}

// --- the checker, checked --------------------------------------------------------------------------------------------

const PAGE: &str = "
| module | may import |
|---|---|
| `command` | anything |
| `web` | `ciba`, `oauth` |
| `ciba` | `store`, bottom |
| `oauth` | nothing |
| bottom: `oauth`, `clock`, `keys`, `store` | each other, without a circle |

| package | doors |
|---|---|
| `warp` | `web/`, `command/ciba` |
| `tokio-rustls` | `server/` |
| `reqwest::Client::builder` | `http.rs` |
";

fn files(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn a_forbidden_arrow_is_found_however_it_is_written() {
    let rows = [
        ("use", "use crate::web::reply;"),
        ("a group", "use crate::{\n    store,\n    web,\n};"),
        ("renamed", "use crate::web as w;"),
        ("a glob", "use crate::web::*;"),
        ("a full path", "fn f() -> crate::web::Reply { todo() }"),
        ("super", "use super::super::web;"),
        ("super in a module in the file", "mod inner { use super::super::super::web::X; }"),
        ("in a macro", "fn f() { println!(\"{}\", crate::web::X); }"),
        ("in an attribute", "#[derive(crate::web::Derive)] struct S;"),
        ("not only in tests", "#[cfg(not(test))] use crate::web;"),
    ];
    for (name, text) in rows {
        let faults = import_faults(&Rules::read(PAGE), &files(&[("ciba/grant.rs", text)]));
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert!(faults[0].starts_with("src/ciba/grant.rs:"), "{name}: {faults:?}");
        assert!(faults[0].ends_with("ciba -> web is not allowed"), "{name}: {faults:?}");
    }
}

#[test]
fn what_the_table_does_not_know_is_a_fault() {
    for (file, text) in [
        ("ciba/mod.rs", "use crate::nowhere;"),
        ("ciba/mod.rs", "use crate::*;"),
        ("nowhere.rs", ""),
        ("oauth/mod.rs", "use crate::clock;"),
    ] {
        let faults = import_faults(&Rules::read(PAGE), &files(&[(file, text)]));
        assert_eq!(faults.len(), 1, "{file} {text}: {faults:?}");
    }
}

#[test]
fn an_allowed_arrow_is_none() {
    let sources = files(&[
        ("lib.rs", "pub mod web; pub use web::Reply;"),
        ("main.rs", "use realmgate::web;"),
        ("command/mod.rs", "use crate::web;"),
        ("ciba/mod.rs", "#[cfg(test)] mod world; mod grant; use self::grant::Grant; use crate::{clock, store::Table};"),
        ("ciba/grant.rs", "use super::request; #[cfg(test)] mod tests { use super::*; use crate::web; }"),
        ("ciba/world.rs", "use crate::web;"),
    ]);
    let mut rules = Rules::read(PAGE);
    rules.imports.insert("main".to_owned(), BTreeSet::new());
    none(import_faults(&rules, &sources));
}

#[test]
fn a_package_is_named_behind_its_door_alone() {
    let rows = [
        ("ciba/mod.rs", "use warp::Filter;", 1),
        ("ciba/mod.rs", "fn f(_: warp::Rejection) {}", 1),
        ("ciba/mod.rs", "fn f() { vec![warp::path()]; }", 1),
        ("ciba/mod.rs", "use tokio_rustls::TlsAcceptor;", 1),
        ("ciba/mod.rs", "use reqwest::Client; fn f() { Client::builder(); }", 1),
        ("ciba/mod.rs", "use reqwest::Client; fn f(_: Client) {}", 0),
        ("ciba/mod.rs", "fn f(warp: u8) { g(warp) }", 0),
        ("web/call/form.rs", "use warp::Filter;", 0),
        ("command/ciba.rs", "use warp::Filter;", 0),
        ("command/ciba/listen.rs", "use warp::Filter;", 0),
        ("command/cibario.rs", "use warp::Filter;", 1),
        ("http.rs", "fn f() { reqwest::Client::builder(); }", 0),
    ];
    for (file, text, expected) in rows {
        let faults = door_faults(&Rules::read(PAGE), &files(&[(file, text)]));
        assert_eq!(faults.len(), expected, "{file} {text}: {faults:?}");
    }
}

#[test]
fn a_circle_at_the_bottom_is_found() {
    let circle = files(&[
        ("clock.rs", "use crate::oauth;"),
        ("keys/mod.rs", "use crate::{clock, store};"),
        ("store/mod.rs", "use crate::keys;"),
        ("oauth/mod.rs", ""),
    ]);
    let faults = circles(&Rules::read(PAGE), &circle);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("keys -> store"), "{faults:?}");
    assert!(faults[1].contains("store -> keys"), "{faults:?}");

    let line = files(&[("keys/mod.rs", "use crate::store;"), ("store/mod.rs", "use crate::clock;")]);
    none(circles(&Rules::read(PAGE), &line));
}
