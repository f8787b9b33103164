//! The page of log lines has the lines that the server writes, with their levels and targets.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A message, its level and its target.
type Line = (String, String, String);

/// The Rust files in a folder and in all folders in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut all: Vec<_> = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    all.extend(folders.iter().flat_map(|folder| sources(folder)));
    all
}

/// The target of a line that names none: the module of its file.
fn module(path: &Path) -> String {
    let names: Vec<_> = path.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| name != "mod").collect();
    format!("gorilla::{}", names.join("::"))
}

/// The lines that the calls of `info!`, `warn!` and `error!` in a file write.
fn written(path: &Path, text: &str) -> Vec<Line> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let calls = ["info", "warn", "error"].into_iter().flat_map(|level| {
        let calls = product.split(&format!("{level}!(")).skip(1).map(move |rest| (level, rest)).collect::<Vec<_>>();
        calls.into_iter()
    });
    let lines = calls.map(|(level, rest)| {
        let call = rest.split(");").next().unwrap_or_default();
        let message = call.rsplit('"').nth(1).expect("a call has a message");
        let target = call.split_once("target: \"").and_then(|(_, rest)| rest.split('"').next());
        (message.to_string(), level.to_string(), target.map_or_else(|| module(path), String::from))
    });
    lines.collect()
}

/// The lines in the table of the page.
fn listed(page: &str) -> Vec<Line> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let lines = rows.flat_map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        let (level, target) = (cells[1].to_string(), cells[2].trim_matches('`').to_string());
        let messages: Vec<_> = cells[0].split('`').skip(1).step_by(2).map(String::from).collect();
        messages.into_iter().map(move |message| (message, level.clone(), target.clone()))
    });
    lines.collect()
}

/// The lines of the code that the page lacks, and the lines of the page that the code lacks.
fn differences(written: &[Line], listed: &[Line]) -> (BTreeSet<Line>, BTreeSet<Line>) {
    // The page ends long messages with "…".
    let is = |(message, level, target): &Line, (shown, its_level, its_target): &Line| {
        let same = shown.strip_suffix('…').map_or(message == shown, |start| message.starts_with(start));
        same && level == its_level && target == its_target
    };
    let lacks_page = written.iter().filter(|line| !listed.iter().any(|row| is(line, row))).cloned().collect();
    let lacks_code = listed.iter().filter(|row| !written.iter().any(|line| is(line, row))).cloned().collect();
    (lacks_page, lacks_code)
}

#[test]
fn the_page_of_log_lines_lists_exactly_what_a_server_logs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reference/log-lines.md")).expect("the page");
    let files = sources(&root.join("src"));
    let lines: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("a source");
            written(path.strip_prefix(root.join("src")).expect("a file of the server"), &text)
        })
        .collect();
    assert!(lines.len() > 15, "only {} lines were found", lines.len());
    assert_eq!(differences(&lines, &listed(&page)), Default::default(), "(missing on the page, missing in the code)");
}

#[test]
fn a_log_line_that_moved_or_has_other_words_is_found() {
    let line = |message: &str, target: &str| (message.to_string(), "warn".to_string(), target.to_string());
    let code =
        "warn!(%error, \"a; b\");\nwarn!(\n    target: \"gorilla::c\",\n    \"d\"\n);\n#[cfg(test)]\nwarn!(\"e\");";
    let lines = written(Path::new("store/mod.rs"), code);
    assert_eq!(lines, [line("a; b", "gorilla::store"), line("d", "gorilla::c")]);
    let page = "| `a; …`, `d` | warn | `gorilla::store` | x |\n";
    let (lacks_page, lacks_code) = differences(&lines, &listed(page));
    assert_eq!(lacks_page, [line("d", "gorilla::c")].into());
    assert_eq!(lacks_code, [line("d", "gorilla::store")].into());
}
