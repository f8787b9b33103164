//! `gorilla key` and `gorilla can`: how operators make keys and ask what they may do. No server is needed.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{Said, gorilla, run};

const ROLES: &str = r#"
[[role]]
name = "deploy"
rules = [
    { prefix = "deploy:", verbs = ["acquire", "wait", "extend", "release", "inspect"] },
    { name = "nightly", verbs = ["inspect"] },
]

[[role]]
name = "operator"
rules = [{ prefix = "", verbs = ["list", "metrics"] }]
"#;

/// Runs a command that reads standard input.
fn fed(args: &[&str], input: &str) -> Said {
    let mut child = gorilla("", args).stdin(Stdio::piped()).spawn().expect("gorilla starts");
    // A command that fails at once may not read.
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// An access file with the roles above and more, in a folder of its own.
fn file(more: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.toml");
    fs::write(&path, format!("{ROLES}{more}")).expect("a file");
    let path = path.display().to_string();
    (folder, path)
}

/// What `gorilla key new` made: the key, and what to add to the file.
async fn made(args: &[&str]) -> (String, String) {
    let said = run("", &[&["key", "new"], args].concat()).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let (key, entry) = said.out.split_once('\n').expect("lines");
    (key.into(), entry.into())
}

/// The lines of `gorilla key check` by their first words.
fn told(said: &Said) -> BTreeMap<&str, &str> {
    said.out
        .lines()
        .map(|line| line.split_once(' ').map(|(name, value)| (name, value.trim())).expect("two words"))
        .collect()
}

#[tokio::test]
async fn a_new_key_is_the_first_line_and_the_rest_is_an_entry_for_the_access_file() {
    let (key, entry) = made(&["ci", "--role", "deploy", "--expires", "2099-06-01"]).await;
    assert!(key.starts_with("gorilla_") && key.len() == 66, "{key}");
    assert!(!entry.contains(&key[17..]), "{entry}");
    let parsed: toml::Table = entry.parse().expect("TOML");
    let entry_of_key = parsed["key"][0].as_table().expect("an entry");
    assert_eq!((entry_of_key["name"].as_str(), entry_of_key["role"].as_str()), (Some("ci"), Some("deploy")));
    assert_eq!(entry_of_key["expires"].to_string(), "2099-06-01T00:00:00Z");
    assert!(entry.contains(&format!("# id {}", &key[8..16])), "{entry}");

    let (_folder, path) = file(&entry);
    let said = fed(&["key", "check", "--file", &path], &format!("{key}\n"));
    let hash = entry_of_key["hashes"][0].as_str().expect("a hash");
    let expected = [
        ("expires", "2099-06-01T00:00:00Z"),
        ("hash", hash),
        ("id", &key[8..16]),
        ("identity", "ci"),
        ("role", "deploy"),
    ];
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    assert_eq!(told(&said), BTreeMap::from(expected));
}

#[tokio::test]
async fn a_shell_takes_the_key_with_head_and_the_hash_is_that_of_sha256sum() {
    let script = r#"set -o pipefail
        key=$("$0" key new ci --role deploy | head -1)
        printf %s "$key" | sha256sum | cut -d ' ' -f 1
        "$0" key check <<< "$key""#;
    let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_gorilla")]).output().expect("bash runs");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && output.stderr.is_empty(), "{out} {}", String::from_utf8_lossy(&output.stderr));
    let (sum, check) = out.split_once('\n').expect("lines");
    assert!(check.contains(&format!("sha256:{sum}\n")), "{out}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure_of_key_new() {
    let script = r#"set -o pipefail; "$0" key new ci --role deploy | true; echo ${PIPESTATUS[0]}"#;
    for _ in 0..20 {
        let output =
            Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_gorilla")]).output().expect("bash runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n", "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[tokio::test]
async fn a_name_a_role_or_a_time_that_no_access_file_can_have_is_wrong_usage() {
    for (args, says) in [
        (&["CI", "--role", "deploy"][..], "small letters"),
        (&["ci:eu", "--role", "deploy"], "small letters"),
        (&["ci", "--role", "De ploy"], "small letters"),
        (&["ci"], "--role"),
        (&["ci", "--role", "deploy", "--expires", "tomorrow"], "2027-06-01"),
        (&["ci", "--role", "deploy", "--expires", "2027-06-01T00:00:00"], "offset"),
    ] {
        let said = run("", &[&["key", "new"], args].concat()).await;
        assert!(said.code == 64 && said.out.is_empty() && said.err.contains(says), "{args:?}: {said:?}");
    }
}

#[tokio::test]
async fn a_key_that_was_changed_or_cut_is_told_and_never_repeated() {
    let (key, _) = made(&["ci", "--role", "deploy"]).await;
    let (checked, last) = key.split_at(65);
    let changed = format!("{checked}{}", if last == "0" { '1' } else { '0' });
    for (input, says) in [
        (changed.as_str(), "checksum"),
        (checked, "not a key"),
        ("", "not a key"),
        ("secret\nsecret", "not a key"),
        (&"gorilla_".repeat(10_000), "not a key"),
    ] {
        let said = fed(&["key", "check"], input);
        assert!(said.code == 1 && said.out.is_empty() && said.err.contains(says), "{said:?}");
        assert!(!said.err.contains(&key[17..60]) && !said.err.contains("secret"), "{said:?}");
    }
    // A key is never an argument, because arguments show in lists of processes.
    let said = run("", &["key", "check", &key]).await;
    assert_eq!((said.code, said.out.as_str()), (64, ""), "{said:?}");
}

#[tokio::test]
async fn check_tells_a_key_that_the_file_lacks_and_a_key_that_has_expired() {
    let (known, entry) = made(&["ci", "--role", "deploy"]).await;
    let (unknown, _) = made(&["ci", "--role", "deploy"]).await;
    let (_folder, path) = file(&entry);
    let said = fed(&["key", "check", "--file", &path], &unknown);
    assert!(said.code == 1 && said.err.contains("does not have this key"), "{said:?}");
    assert_eq!(told(&said).keys().copied().collect::<Vec<_>>(), ["hash", "id"]);
    assert_eq!(fed(&["key", "check", "--file", &path], &known).code, 0);
    assert_eq!(told(&fed(&["key", "check", "--file", &path], &known))["expires"], "never");
    let (_folder, path) = file(&format!("{entry}\nexpires = 2020-01-01\n"));
    let said = fed(&["key", "check", "--file", &path], &known);
    assert!(said.code == 1 && said.err.contains("has expired"), "{said:?}");
    assert_eq!((told(&said)["identity"], told(&said)["expires"]), ("ci", "2020-01-01T00:00:00Z"));
    // Without a file there is nothing to lack.
    assert_eq!(fed(&["key", "check"], &unknown).code, 0);
}

#[tokio::test]
async fn can_says_yes_or_no_and_which_rule_says_so() {
    let (_, ci) = made(&["ci", "--role", "deploy"]).await;
    let (_, ops) = made(&["ops", "--role", "operator"]).await;
    let (_, old) = made(&["old", "--role", "operator", "--expires", "2020-01-01"]).await;
    let (_folder, path) = file(&format!("{ci}{ops}{old}"));
    for (asked, answer, why) in [
        (&["ci", "acquire", "deploy:eu"][..], "yes", "prefix = \"deploy:\", verbs = [\"acquire\", \"wait\""),
        (&["ci", "inspect", "nightly"], "yes", "name = \"nightly\", verbs = [\"inspect\"]"),
        (&["ci", "acquire", "nightly"], "no", "no rule that allows acquire on \"nightly\""),
        (&["ci", "acquire", "Deploy:eu"], "no", "no rule that allows acquire"),
        (&["ci", "list"], "no", "no rule with prefix = \"\" that allows list"),
        (&["ops", "list"], "yes", "prefix = \"\""),
        (&["ops", "list", "any"], "yes", "prefix = \"\""),
        (&["ops", "metrics"], "yes", "prefix = \"\""),
        (&["old", "metrics"], "no", "expired at 2020-01-01T00:00:00Z"),
        (&["ci2", "list"], "no", "no [[key]] \"ci2\"; did you mean ci?"),
    ] {
        let said = run("", &[&["can", "--file", &path], asked].concat()).await;
        let (first, second) = said.out.split_once('\n').unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!((said.code, first, said.err.as_str()), (i32::from(answer == "no"), answer, ""), "{asked:?}");
        assert!(second.contains(why) && second.lines().count() == 1, "{asked:?}: {second}");
    }
    for wrong in [&["ci", "aquire", "a"][..], &["ci", "acquire", "a/b"], &["ci", "acquire", ""], &["ci"]] {
        let said = run("", &[&["can", "--file", &path], wrong].concat()).await;
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{said:?}");
    }
}

#[tokio::test]
async fn a_wrong_access_file_is_told_with_every_problem_and_exits_78() {
    let (key, entry) = made(&["ci", "--role", "deploi"]).await;
    let (_folder, path) = file(&format!("{entry}colour = \"{key}\"\n[[key]]\n"));
    let missing = format!("{path}.missing");
    let folder = std::path::Path::new(&path).parent().expect("a folder").display().to_string();
    for (path, says) in [
        (path.as_str(), &["line 16, column 8", "did you mean deploy?", "has no field \"colour\"", "lacks hashes"][..]),
        (&missing, &["can't be read"]),
        (&folder, &["is not a file"]),
    ] {
        for said in [
            run("", &["can", "--file", path, "ci", "acquire", "a"]).await,
            fed(&["key", "check", "--file", path], &key),
        ] {
            assert_eq!(said.code, 78, "{said:?}");
            for says in says.iter().chain(&["the access file", path]) {
                assert!(said.err.contains(says), "{says}: {said:?}");
            }
            assert!(!said.err.contains(&key[17..]), "{said:?}");
        }
    }
}

#[tokio::test]
async fn a_doubtful_access_file_is_warned_about_and_used() {
    let (_, ci) = made(&["ci", "--role", "loose"]).await;
    let (_folder, path) =
        file(&format!("[[role]]\nname = \"loose\"\nrules = [{{ prefix = \"orders\", verbs = [\"list\"] }}]\n{ci}"));
    let said = run("", &["can", "--file", &path, "ci", "list", "orders-admin"]).await;
    assert!(said.code == 0 && said.out.starts_with("yes\n"), "{said:?}");
    assert!(said.err.starts_with("gorilla: warning: ") && said.err.contains("\"orders-admin\""), "{said:?}");
}
