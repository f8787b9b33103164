//! Runs the scripts of version 0.1, which `tests/skew/` keeps, as that version did.

use std::{fs, path::Path};

use super::Lab;

/// The text of a script of version 0.1, as its store put it together.
fn text(script: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/skew/0.1");
    let read = |name: &str| {
        let path = folder.join(name).with_extension("lua");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (script, shared) = (read(script), read("shared"));
    let (flags, body) = script.split_once('\n').expect("flags and a body");
    format!("{flags}\n{shared}\n{body}")
}

/// What Redis replies, an item a line. The key of a record comes last, where there is one.
pub fn run(lab: &Lab, script: &str, keys: &[&str], record: Option<String>, args: &[String]) -> Vec<String> {
    let keys: Vec<_> = keys.iter().copied().chain(record.as_deref()).map(|what| lab.key(what)).collect();
    let (text, number) = (text(script), keys.len().to_string());
    let call = ["EVAL", &text, &number].into_iter().chain(keys.iter().chain(args).map(String::as_str));
    lab.redis.cli(&call.collect::<Vec<_>>()).lines().map(String::from).collect()
}
