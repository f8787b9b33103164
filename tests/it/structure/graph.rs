//! Circles in a graph of files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// The sets of files, each sorted, in which every file reaches every other along arrows.
pub fn circles<'a>(arrows: impl Iterator<Item = &'a (PathBuf, PathBuf)>) -> Vec<Vec<PathBuf>> {
    let mut next = BTreeMap::<&PathBuf, BTreeSet<&PathBuf>>::new();
    for (from, to) in arrows {
        next.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<_, _> = next.keys().map(|&from| (from, reachable(&next, from))).collect();
    let mut circles = BTreeSet::new();
    for (&file, others) in &reached {
        if !others.contains(file) {
            continue;
        }
        let back = |other: &&&PathBuf| reached.get(**other).is_some_and(|reached| reached.contains(file));
        circles.insert(others.iter().filter(back).map(|path| path.to_path_buf()).collect::<Vec<_>>());
    }
    circles.into_iter().collect()
}

/// All files to which arrows lead from a file, perhaps itself.
fn reachable<'a>(next: &BTreeMap<&'a PathBuf, BTreeSet<&'a PathBuf>>, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = next.get(from).into_iter().flatten().copied().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(next.get(file).into_iter().flatten());
        }
    }
    reached
}
