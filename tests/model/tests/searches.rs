//! Every search finds what it is expected to, and the README tells the figures.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use gorilla_model::{
    Found, Search,
    searches::{ALL, MISTAKEN},
    table::{HEAD, line},
};

const README: &str = include_str!("../README.md");

/// Runs searches on two threads; the lines of the table, in the order of the searches.
fn run(searches: &[Search]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut lines = Vec::new();
        while let Some(search) = searches.get(next.fetch_add(1, Relaxed)) {
            let found = search.run();
            check(search, &found);
            lines.push((search.name, line(search, &found)));
        }
        lines
    };
    let mut lines: Vec<_> = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().expect("a search has failed")).collect()
    });
    lines.sort_by_key(|(name, _)| searches.iter().position(|search| search.name == *name));
    lines.into_iter().map(|(_, line)| line).collect()
}

fn check(search: &Search, found: &Found) {
    let name = search.name;
    match search.breaks {
        Some(property) => {
            let found = found.broken.iter().any(|(broken, _)| *broken == property);
            assert!(found, "{name}: no way was found to break «{property}»");
        }
        None => {
            if let Some((property, steps)) = found.broken.first() {
                panic!("{name}: «{property}» breaks after {steps:#?}");
            }
            // A model in which nothing can happen keeps every promise.
            assert!(found.impossible.is_empty(), "{name}: never seen: {:?}", found.impossible);
        }
    }
}

/// A line without its last cell, the seconds.
fn without_seconds(line: &str) -> &str {
    line.trim_end_matches(" |").rsplit_once(" | ").expect("a line of a table").0
}

#[track_caller]
fn assert_readme_has(lines: &[String]) {
    let table = README.split_once(HEAD).expect("the README has the table").1;
    let written: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).map(without_seconds).collect();
    let missing: Vec<_> = lines.iter().filter(|line| !written.contains(&without_seconds(line))).collect();
    assert!(missing.is_empty(), "`cargo run -p gorilla-model` prints what the README does not say: {missing:#?}");
    assert_eq!(written.len(), ALL.len() + MISTAKEN.len());
}

#[test]
fn every_search_finds_what_it_is_expected_to_and_the_readme_has_its_figures() {
    assert_readme_has(&run(ALL));
}

#[test]
fn every_mistake_is_found_and_the_readme_has_its_figures() {
    assert_readme_has(&run(MISTAKEN));
}
