//! Which files of a crate name what other files of it define. A name that a file re-exports counts for the file that
//! defines it. Code that is compiled only for tests doesn't count. Nor do methods, whose calls name no file.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// Modules by their paths from the root, `[]` for the root.
type ModulePath = Vec<String>;

/// The modules of one library, program or test.
pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// One file.
struct Module {
    file: PathBuf,
    /// What it defines.
    items: HashSet<String>,
    /// What it imports, with the names that it uses for it, and whether others may import it from here.
    imports: Vec<Import>,
    /// All else that stands in it.
    tokens: TokenStream,
}

#[derive(Clone)]
struct Import {
    name: String,
    path: Vec<String>,
}

/// A file names what another file defines.
#[derive(Debug)]
pub struct Dependency {
    pub from: PathBuf,
    pub to: PathBuf,
    pub name: String,
}

/// What a path leads to.
enum Target {
    Module(ModulePath),
    Item { module: ModulePath, name: String },
}

impl Crate {
    /// Reads all files from a root on.
    pub fn read(root: &Path) -> Self {
        let mut all = Self { modules: BTreeMap::new() };
        let folder = root.parent().expect("a folder").to_path_buf();
        all.add(ModulePath::new(), root.to_path_buf(), &folder);
        all
    }

    /// Adds a file, and the files of its modules, which are in a folder.
    fn add(&mut self, path: ModulePath, file: PathBuf, folder: &Path) {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut module = Module { file, items: HashSet::new(), imports: Vec::new(), tokens: TokenStream::new() };
        for item in parsed.items {
            match item {
                Item::Mod(inner) if is_for_tests(&inner.attrs) && inner.content.is_some() => {}
                Item::Mod(inner) if inner.content.is_none() => {
                    let name = inner.ident.to_string();
                    let candidates = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
                    let Some(file) = candidates.into_iter().find(|file| file.exists()) else { continue };
                    let inner_path = path.iter().cloned().chain([name.clone()]).collect();
                    self.add(inner_path, file, &folder.join(name));
                }
                Item::Use(import) => collect(&import.tree, Vec::new(), &mut module.imports),
                item => {
                    module.items.extend(defined(&item));
                    item.to_tokens(&mut module.tokens);
                }
            }
        }
        self.modules.insert(path, module);
    }

    /// Every name of a file that another file uses.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        for (path, module) in &self.modules {
            let imports = module.imports.iter().map(|import| import.path.clone());
            let mut paths: Vec<_> = imports.collect();
            paths_in(module.tokens.clone(), &mut paths);
            for named in paths {
                let Some(Target::Item { module: target, name }) = self.resolve(path, &named, 0) else { continue };
                let is_re_export =
                    module.imports.iter().any(|import| import.path == named) && self.only_passes_on(path);
                let to = &self.modules[&target].file;
                if *to != module.file && !is_re_export {
                    found.push(Dependency { from: module.file.clone(), to: to.clone(), name });
                }
            }
        }
        found
    }

    /// Whether a file has nothing but modules and imports, and so depends on nothing itself.
    fn only_passes_on(&self, path: &ModulePath) -> bool {
        self.modules[path].items.is_empty()
    }

    /// What a path in a module leads to, if it is something of this crate.
    fn resolve(&self, from: &ModulePath, path: &[String], depth: usize) -> Option<Target> {
        // Imports that name each other in a circle can only come from a mistake in reading the source.
        if depth > 16 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(from.clone()),
            "super" => Target::Module(from[..from.len().checked_sub(1)?].to_vec()),
            name => self.child(from, name, depth)?,
        };
        rest.iter().try_fold(start, |target, name| match target {
            Target::Module(module) if name == "super" => {
                Some(Target::Module(module[..module.len().checked_sub(1)?].to_vec()))
            }
            Target::Module(module) => self.child(&module, name, depth),
            // A variant or an associated item.
            item => Some(item),
        })
    }

    /// What a name means in a module.
    fn child(&self, module: &ModulePath, name: &str, depth: usize) -> Option<Target> {
        let known = self.modules.get(module)?;
        let inner: ModulePath = module.iter().cloned().chain([name.to_string()]).collect();
        if self.modules.contains_key(&inner) {
            return Some(Target::Module(inner));
        }
        if known.items.contains(name) {
            return Some(Target::Item { module: module.clone(), name: name.into() });
        }
        let import = known.imports.iter().find(|import| import.name == name)?;
        self.resolve(module, &import.path, depth + 1)
    }
}

/// Whether something is compiled for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string().replace(' ', "").contains("cfg(test)"))
}

/// The imports of a tree.
fn collect(tree: &UseTree, mut before: Vec<String>, imports: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect(&path.tree, before, imports);
        }
        UseTree::Name(name) if name.ident == "self" => {
            imports.push(Import { name: before.last().cloned().unwrap_or_default(), path: before });
        }
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            imports.push(Import { name: name.ident.to_string(), path: before });
        }
        UseTree::Rename(renamed) => {
            before.push(renamed.ident.to_string());
            imports.push(Import { name: renamed.rename.to_string(), path: before });
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, before.clone(), imports)),
        UseTree::Glob(_) => {}
    }
}

/// The name that an item defines.
fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// The paths `a::b` among tokens, in macros too.
fn paths_in(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => {
                if colons != 2 {
                    paths.extend((path.len() > 1).then(|| path.clone()));
                    path.clear();
                }
                path.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                paths.extend((path.len() > 1).then(|| path.clone()));
                path.clear();
                colons = 0;
                if let TokenTree::Group(group) = other {
                    paths_in(group.stream(), paths);
                }
            }
        }
    }
    paths.extend((path.len() > 1).then_some(path));
}
