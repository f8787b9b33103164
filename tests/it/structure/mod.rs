//! How the code is arranged: no circle of files anywhere in the workspace, and arrows between the parts of the server
//! that go one way.

mod graph;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use graph::circles;
use source::{Crate, Dependency};

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of the packages of the workspace, but for the server.
fn members() -> Vec<String> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    members.iter().map(|member| member.as_str().expect("a folder").into()).collect()
}

/// The root file of each library, program and test of the workspace.
fn roots() -> Vec<PathBuf> {
    let mut roots = Vec::new();
    for package in members().iter().map(|member| workspace().join(member)).chain([workspace()]) {
        roots.extend(["src/lib.rs", "src/main.rs", "tests/it/main.rs"].map(|root| package.join(root)));
        for folder in ["src/bin", "tests", "benches"] {
            let Ok(entries) = fs::read_dir(package.join(folder)) else { continue };
            let files = entries.map(|entry| entry.expect("a file").path());
            roots.extend(files.filter(|path| path.extension().is_some_and(|end| end == "rs")));
        }
    }
    roots.retain(|root| root.exists());
    roots.sort();
    roots.dedup();
    roots
}

fn dependencies() -> Vec<Dependency> {
    roots().iter().flat_map(|root| Crate::read(root).dependencies()).collect()
}

fn short(path: &Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}

#[test]
fn no_files_of_the_workspace_depend_on_each_other_in_a_circle() {
    let dependencies = dependencies();
    assert!(dependencies.len() > 300, "only {} dependencies between files were found", dependencies.len());
    let mut arrows = BTreeMap::<_, BTreeSet<_>>::new();
    for Dependency { from, to, name } in &dependencies {
        arrows.entry((from.clone(), to.clone())).or_default().insert(name.as_str());
    }
    let circles: Vec<_> = circles(arrows.keys())
        .into_iter()
        .map(|circle| {
            let within = |(from, to): &(PathBuf, PathBuf)| circle.contains(from) && circle.contains(to);
            let arrows = arrows.iter().filter(|(ends, _)| within(ends));
            let lines = arrows.map(|((from, to), names)| {
                let names: Vec<_> = names.iter().copied().collect();
                format!("{} -> {}: {}", short(from), short(to), names.join(", "))
            });
            lines.collect::<Vec<_>>().join("\n")
        })
        .collect();
    assert!(circles.is_empty(), "these files depend on each other:\n\n{}", circles.join("\n\n"));
}

/// Which parts of the server a part may name. Any file may use the parts that are not listed: settings, the forms of
/// text, and the crates.
const ARROWS: [(&str, &[&str]); 8] = [
    ("src/api/", &["src/service/", "src/access/"]),
    ("src/service/", &["src/events/", "src/store/", "src/access/"]),
    ("src/events/", &["src/store/"]),
    ("src/access/", &[]),
    ("src/store/link/", &[]),
    ("src/store/", &["src/store/link/"]),
    ("src/logging/", &[]),
    ("src/settings/", &[]),
];

#[test]
fn the_parts_of_the_server_name_each_other_in_one_direction() {
    let part = |path: &Path| ARROWS.iter().find(|(part, _)| short(path).starts_with(part));
    let is_against = |dependency: &&Dependency| {
        let (Some((from, allowed)), Some((to, _))) = (part(&dependency.from), part(&dependency.to)) else {
            return false;
        };
        // Every part may have settings. A library does the logging.
        from != to && *to != "src/settings/" && !allowed.contains(to)
    };
    let dependencies = dependencies();
    let against: Vec<_> = dependencies
        .iter()
        .filter(is_against)
        .map(|Dependency { from, to, name }| format!("{} -> {}: {name}", short(from), short(to)))
        .collect();
    assert!(against.is_empty(), "against the arrows:\n{}", against.join("\n"));
    for arrow in [("src/api/", "src/service/"), ("src/service/", "src/store/"), ("src/store/", "src/store/link/")] {
        let is_it = |dependency: &Dependency| {
            part(&dependency.from).zip(part(&dependency.to)).is_some_and(|((from, _), (to, _))| (*from, *to) == arrow)
        };
        assert!(dependencies.iter().any(is_it), "nothing goes along {arrow:?}");
    }
}

#[test]
fn the_domain_knows_neither_json_nor_http_nor_redis() {
    let manifest = fs::read_to_string(workspace().join("crates/gorilla-domain/Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let dependencies: Vec<_> = manifest["dependencies"].as_table().expect("a table").keys().collect();
    assert_eq!(dependencies, ["chrono", "sha2", "uuid"]);
}

/// Cargo refuses a workspace that lacks a member, so an image could not be built.
#[test]
fn the_image_has_the_manifest_of_each_member_of_the_workspace() {
    let image = fs::read_to_string(workspace().join("Dockerfile")).expect("the file of the image");
    let is_missing = |member: &String| !image.contains(&format!("COPY {member}/Cargo.toml {member}/\n"));
    assert_eq!(members().into_iter().filter(is_missing).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_circle_is_found_through_imports_re_exports_and_paths_in_macros() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    };
    write("lib.rs", "mod a; mod b; mod c; mod d; pub use b::Shown;");
    write("a.rs", "use crate::{Shown, d}; pub struct A(Shown); fn f() { d::g(); }");
    write("b/mod.rs", "mod inner; pub use inner::Shown;");
    write("b/inner.rs", "pub struct Shown; fn f() { println!(\"{}\", crate::c::NUMBER); }");
    write("c.rs", "use super::a::A as Renamed; pub const NUMBER: u8 = 1; fn f(_: Renamed) {}");
    write("d.rs", "pub fn g() {} #[cfg(test)] mod tests { use crate::a::A; }");
    let dependencies = Crate::read(&folder.path().join("lib.rs")).dependencies();
    let circles = circles(
        dependencies
            .iter()
            .map(|dependency| (&dependency.from, &dependency.to))
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect::<Vec<_>>()
            .iter(),
    );
    let expected = ["a.rs", "b/inner.rs", "c.rs"].map(|name| folder.path().join(name));
    assert_eq!(circles, [expected.to_vec()]);
}
