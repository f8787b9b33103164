//! What the header of each script promises is what the script does.

use std::{collections::BTreeSet, fs, path::Path};

use gorilla::store::{Script, Scripts};

use super::{Lab, replies_in_header, text};
use crate::harness::Redis;

/// The scripts by their files, so that none is forgotten here.
fn scripts() -> Vec<String> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("lua")).expect("the folder lua");
    let files = folder.map(|file| file.expect("a file").path());
    let mut names: Vec<_> =
        files.map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    // Parts of every script.
    names.retain(|name| !["batch", "shared"].contains(&name.as_str()));
    names.sort_unstable();
    names
}

/// The names that a script returns: each text in quotes between `return {` and the end of the first item.
fn replies_in_code(text: &str) -> BTreeSet<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let code = code.join("\n");
    let firsts = code.split("return {").skip(1).map(|rest| rest.split([',', '}']).next().unwrap_or_default());
    firsts.flat_map(|first| first.split('\'').skip(1).step_by(2)).map(String::from).collect()
}

/// What the header says that `KEYS` or `ARGV` has: the numbers in `1 lock   2 fence   3 queue`.
fn counted(text: &str, what: &str) -> usize {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("-- {what} ")));
    let first = lines.next().unwrap_or_else(|| panic!("the header has {what}"));
    let more = lines.take_while(|line| line.starts_with("--       "));
    let words = std::iter::once(first).chain(more).flat_map(|line| line[8..].split("   ")).map(str::trim);
    words.filter_map(|word| word.split(' ').next()?.parse::<usize>().ok()).max().unwrap_or(0)
}

#[test]
fn every_script_is_reached_through_a_field_of_its_own() {
    let Scripts { acquire, extend, release, break_lock, inspect, cancel, wake, ready, settle, confirm } =
        Scripts::default();
    let fields = [acquire, break_lock, cancel, confirm, extend, inspect, ready, release, settle, wake];
    let names = scripts();
    assert_eq!(
        names,
        ["acquire", "break", "cancel", "confirm", "extend", "inspect", "ready", "release", "settle", "wake"]
    );
    for (script, name) in fields.iter().zip(&names) {
        assert_eq!(script.one.source, Script::new(&text(name)).one.source, "{name}");
        assert_eq!(Redis::shared().cli(&["SCRIPT", "LOAD", &script.one.source]), script.one.sha, "{name}");
    }
}

#[test]
fn the_replies_in_each_header_are_those_in_its_code() {
    for script in scripts() {
        let text = text(&script);
        assert_eq!(replies_in_header(&text), replies_in_code(&text), "{script}");
        assert!(!replies_in_header(&text).is_empty(), "{script}");
    }
}

#[test]
fn each_header_has_the_flags_a_purpose_and_the_parts_that_it_must() {
    for script in scripts() {
        let text = text(&script);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0] == "#!lua" || lines[0].starts_with("#!lua flags="), "{script}: {}", lines[0]);
        assert!(lines[1].starts_with("-- ") && lines[1].contains(['.', ',']), "{script}: {}", lines[1]);
        for part in ["-- KEYS  ", "-- ARGV  ", "-- For example: EVALSHA <sha> ", "-- Replies"] {
            assert!(lines.iter().any(|line| line.starts_with(part)), "{script} has no {part}");
        }
    }
}

#[test]
fn a_call_with_too_few_or_too_many_keys_or_arguments_is_an_error_and_changes_nothing() {
    let lab = Lab::on(Redis::shared());
    for script in scripts() {
        let text = text(&script);
        let (keys, args) = (counted(&text, "KEYS"), counted(&text, "ARGV"));
        let all_keys = ["lock", "fence", "queue", "queue:turn", "request:a", "request:b", "request:c"];
        let all_args = ["1"; 16];
        // The last key of some is needed only with an Idempotency-Key, or with a grace.
        let optional = text.contains("only with a") as usize;
        let mut wrong = vec![(keys + 1, args), (keys, args + 1)];
        wrong.extend((keys > optional).then(|| (keys - optional - 1, args)));
        wrong.extend((args > 0).then(|| (keys, args - 1)));
        for (keys, args) in wrong {
            let reply = lab.try_run(&script, &all_keys[..keys], &all_args[..args]);
            let said = format!("ERR {script} takes ");
            assert!(reply.starts_with(&said), "{script} with {keys} KEYS and {args} ARGV: {reply}");
        }
    }
    assert!(lab.keys().is_empty());
}

#[test]
fn the_example_in_each_header_works() {
    for script in scripts() {
        let lab = Lab::on(Redis::shared());
        let text = text(&script);
        let from = text.lines().skip_while(|line| !line.starts_with("-- For example: "));
        let example: Vec<_> = from.take_while(|line| !line.starts_with("-- Replies")).collect();
        let example = example.join(" ").replace("-- For example: EVALSHA <sha> ", "").replace("--  ", " ");
        let example = example.replace("<new token>", "new").replace("''", "\u{0}");
        let words: Vec<_> = example.split_whitespace().map(|word| word.trim_matches('\u{0}')).collect();
        let (keys, args) = words[1..].split_at(words[0].parse().expect("the number of keys"));
        let keys: Vec<_> = keys.iter().map(|key| key.strip_prefix("gorilla:{a}:").expect("a key of a")).collect();
        lab.run(&script, &keys, args);
    }
}

#[test]
fn a_user_without_the_right_to_a_key_shows_that_the_lab_would_notice() {
    let lab = Lab::on(Redis::shared());
    lab.try_run("inspect", &["lock", "queue"], &[""]);
    let stolen =
        ["--user", &lab.user, "--pass", "none", "EVAL", "return redis.call('GET', ARGV[1])", "1", &lab.key("lock")];
    let reply = lab.redis.cli(&[&stolen[..], &[&lab.key("fence")]].concat());
    assert!(reply.contains("NOPERM") || reply.contains("can't access"), "{reply}");
}
