//! What is written in Markdown looks as it is meant to.

use std::{fs, path::PathBuf};

fn documents() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let in_docs = fs::read_dir(root.join("docs")).expect("the folder").map(|entry| entry.expect("a file").path());
    let mut all: Vec<_> = in_docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    all.extend(["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    all
}

/// The numbers of the lines where rows begin after a line that is no row, without the heading that a table needs.
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
