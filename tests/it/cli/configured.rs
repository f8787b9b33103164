//! What the commands take from their surroundings: the file of the user.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{Said, finish, gorilla};
use crate::harness::{Process, Replica};

/// Runs `gorilla ls` with a file of settings that has these permissions; what it said, and the path of the file.
async fn with_file(text: &str, mode: u32, args: &[&str]) -> (Said, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gorilla/config.toml");
    fs::create_dir(folder.path().join("gorilla")).expect("a folder");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner may");
    let url = format!("http://{}", Replica::shared().await.address);
    let mut command = gorilla(&url, args);
    let process = Process::spawn(command.env("XDG_CONFIG_HOME", folder.path())).expect("gorilla starts");
    (finish(process).await, path.display().to_string())
}

#[tokio::test]
async fn a_file_with_a_key_that_others_may_read_or_a_file_that_all_may_write_is_warned_of_once() {
    for (text, mode) in [("api_key = 'secret'", 0o644), ("api_key = 'secret'", 0o620), ("# url", 0o666)] {
        let (said, path) = with_file(text, mode, &["ls", "there-is-no-such-prefix"]).await;
        let warnings: Vec<_> = said.err.lines().filter(|line| line.contains(&path)).collect();
        assert_eq!((said.code, warnings.len()), (0, 1), "{text} {mode:o}: {said:?}");
        for part in [&format!("{mode:04o}"), "chmod 600"] {
            assert!(warnings[0].contains(part), "{part}: {said:?}");
        }
        assert!(!said.err.contains("secret"), "{said:?}");
    }
    for (text, mode) in [("api_key = 'secret'", 0o600), ("api_key = 'secret'", 0o400), ("# url", 0o664)] {
        let (said, path) = with_file(text, mode, &["ls", "there-is-no-such-prefix"]).await;
        assert!(said.code == 0 && !said.err.contains(&path), "{text} {mode:o}: {said:?}");
    }
}

#[tokio::test]
async fn who_listens_to_events_as_json_gets_the_warning_as_one() {
    let (said, path) = with_file("api_key = 'secret'", 0o644, &["lock", "warned", "--json", "--", "true"]).await;
    let events = said.err.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let events: Vec<serde_json::Value> = events.collect();
    assert_eq!((said.code, &events[0]["event"]), (0, &"warning".into()), "{said:?}");
    assert!(events[0]["reason"].as_str().is_some_and(|reason| reason.contains(&path)), "{said:?}");
}
