//! The pages in Markdown look as they should, and their links lead where they say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of a folder and of all folders in it.
fn markdown_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut all: Vec<_> = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    all.extend(folders.iter().flat_map(|folder| markdown_under(folder)));
    all.sort();
    all
}

/// What people read about Gorilla: all of `docs/`, and the pages at the top that say how to use and change it.
pub fn documents() -> Vec<PathBuf> {
    let mut all = markdown_under(&root().join("docs"));
    all.extend(["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    all
}

/// The documents, and the pages that stand beside the code that they are about.
fn documents_with_links() -> Vec<PathBuf> {
    let mut all = documents();
    let beside = ["benches", "client", "clients/python", "clients/typescript", "tests/faults", "tests/model"];
    all.extend(beside.map(|folder| root().join(folder).join("README.md")));
    all
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// The anchor that GitHub gives to a heading with this text.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a document. GitHub numbers those that come again.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut anchors, mut seen, mut heading) = (BTreeSet::new(), BTreeMap::<String, usize>::new(), None::<String>);
    for event in parser(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => heading.iter_mut().for_each(|heading| heading.push_str(&part)),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let before = seen.entry(slug.clone()).or_default();
                anchors.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
                *before += 1;
            }
            _ => {}
        }
    }
    anchors
}

/// Where the links and pictures of a document lead.
fn targets(text: &str) -> Vec<String> {
    let targets = parser(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    targets.collect()
}

/// Why the target of a link leads nowhere; nothing if it leads somewhere, or out of this repository.
fn dead_end(from: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let to = if path.is_empty() { from.to_path_buf() } else { from.parent().expect("a folder").join(path) };
    if !to.exists() {
        return Some(format!("there is no file {path}"));
    }
    let anchor = anchor?;
    let text = fs::read_to_string(&to).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then(|| format!("{path} has no heading for #{anchor}"))
}

/// The names of tests and of their modules that stand in a document as code: the last part of `module::name`, and
/// names alone that are long enough to be sentences.
fn named_tests(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let names = parser(text).filter_map(|event| match event {
        Event::Code(code) => {
            let (path, name) = code.rsplit_once("::").unwrap_or(("", &code));
            let is_module = !path.is_empty() && path.chars().all(|c| is_name(c) || [':', '…'].contains(&c));
            let is_test = name.chars().all(is_name) && (is_module || name.matches('_').count() > 3);
            is_test.then(|| name.to_string())
        }
        _ => None,
    });
    names.collect()
}

/// The numbers of the lines that are wider than 100 columns, code and tables excepted.
fn wide_lines(text: &str) -> Vec<usize> {
    let is_excepted = |event: &Event| matches!(event, Event::Start(Tag::CodeBlock(_) | Tag::Table(_)));
    let excepted = parser(text).into_offset_iter().filter(|(event, _)| is_excepted(event));
    let excepted: Vec<_> = excepted.map(|(_, range)| range).collect();
    let (mut wide, mut begin) = (Vec::new(), 0);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end().chars().count() > 100 && !excepted.iter().any(|range| range.contains(&begin)) {
            wide.push(at + 1);
        }
        begin += line.len();
    }
    wide
}

/// The numbers of the lines where rows begin after a line that is not a row, without the heading that a table needs.
fn orphaned_rows(text: &str) -> Vec<usize> {
    let is_row = |line: &str| line.trim_start().starts_with('|');
    let is_rule = |line: &str| is_row(line) && line.contains('-') && line.chars().all(|part| "|-: ".contains(part));
    let (mut lines, mut in_code) = (Vec::new(), false);
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        lines.push(if fence || in_code { "" } else { line });
    }
    let begins = |at: &usize| is_row(lines[*at]) && (*at == 0 || !is_row(lines[at - 1]));
    let orphaned = (0..lines.len()).filter(begins).filter(|at| !lines.get(at + 1).is_some_and(|next| is_rule(next)));
    orphaned.map(|at| at + 1).collect()
}

#[test]
fn no_table_is_cut_by_a_line_that_is_no_row() {
    let mut tables = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        tables += text.matches("\n|---").count();
        assert_eq!(orphaned_rows(&text), Vec::<usize>::new(), "lines of {}", path.display());
    }
    assert!(tables > 20, "only {tables} tables were found");
}

#[test]
fn a_table_that_is_cut_is_found() {
    assert_eq!(orphaned_rows("| a |\n|---|\n| 1 |\n\n| 2 |\n"), [5]);
    assert_eq!(
        orphaned_rows("text\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\ntext\n```\n| a |\n```\n"),
        Vec::<usize>::new()
    );
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    let (mut links, mut dead) = (0, Vec::new());
    for path in documents_with_links() {
        let text = fs::read_to_string(&path).expect("a document");
        for target in targets(&text) {
            links += 1;
            dead.extend(dead_end(&path, &target).map(|why| format!("{}: {target}: {why}", path.display())));
        }
    }
    assert_eq!(dead, Vec::<String>::new());
    assert!(links > 100, "only {links} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = root().join("README.md");
    let dead = |target: &str| dead_end(&page, target).is_some();
    assert!(
        !dead("LICENSE") && !dead("#gorilla") && !dead("https://example.com/none") && !dead("SECURITY.md#security")
    );
    assert!(dead("LICENCE") && dead("#gorila") && dead("SECURITY.md#secrecy"));
    let text = "# One `code`\n# Two, and more: three\n# One code\n[a](b.md#c) ![d](e.svg) [f]\n\n[f]: g.md\n`[h](i)`\n";
    assert_eq!(targets(text), ["b.md#c", "e.svg", "g.md"]);
    assert_eq!(anchors(text), ["one-code", "one-code-1", "two-and-more-three"].map(String::from).into());
}

#[test]
fn every_test_that_the_evidence_names_exists() {
    fn sources(folder: &Path) -> String {
        let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path());
        let texts = entries.map(|path| match path.extension() {
            None if path.is_dir() => sources(&path),
            Some(end) if end == "rs" => fs::read_to_string(&path).expect("a source"),
            _ => String::new(),
        });
        texts.collect()
    }
    let tests = sources(&root().join("tests/it"));
    let pages =
        ["docs/internals/guarantees.md", "docs/internals/limits.md", "SECURITY.md"].map(|page| root().join(page));
    let named: BTreeSet<_> =
        pages.iter().flat_map(|page| named_tests(&fs::read_to_string(page).expect("a document"))).collect();
    assert!(named.len() > 40, "only {} tests are named", named.len());
    let is_missing =
        |name: &&String| !tests.contains(&format!("fn {name}(")) && !tests.contains(&format!("mod {name};"));
    assert_eq!(named.iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_test_that_is_named_is_found() {
    let text = "`a::b_c`, `…::d`, `Guard::lost`, `a_name_that_is_a_sentence`, `failover_grace`, a::e\n";
    assert_eq!(named_tests(text), ["b_c", "d", "a_name_that_is_a_sentence"].map(String::from).into());
}

#[test]
fn no_line_of_prose_is_wider_than_100_columns() {
    // A program writes this document, and its paragraphs are one line each.
    let written = root().join("docs/BENCHMARKS.md");
    let wide = documents().into_iter().filter(|path| *path != written).flat_map(|path| {
        let text = fs::read_to_string(&path).expect("a document");
        let name = path.strip_prefix(root()).expect("a document of this repository").display().to_string();
        wide_lines(&text).into_iter().map(move |line| format!("{name}:{line}"))
    });
    assert_eq!(wide.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_line_of_prose_that_is_too_wide_is_found() {
    let wide = "wide ".repeat(21);
    assert_eq!(wide_lines(&format!("short\n\n{wide}\n\n- {wide}\n")), [3, 5]);
    let excepted = format!("| {wide} |\n|---|\n| {wide} |\n\n```\n{wide}\n```\n\n- a\n\n  ```\n  {wide}\n  ```\n");
    assert_eq!(wide_lines(&excepted), Vec::<usize>::new());
    assert_eq!(wide_lines(&"é".repeat(100)), Vec::<usize>::new());
}
