//! `gorilla acquire`, `extend`, `release`, `status`, `ls` and `break`, as scripts use them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{Said, finish, gorilla, run};
use crate::harness::{Process, Replica, name};

async fn server() -> String {
    format!("http://{}", Replica::shared().await.address)
}

/// Runs a command with something on its standard input.
async fn fed(url: &str, args: &[&str], input: &str) -> Said {
    let mut process = Process::spawn(gorilla(url, args).stdin(Stdio::piped())).expect("gorilla starts");
    process.child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    finish(process).await
}

fn json(said: &Said) -> Value {
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{said:?}");
    serde_json::from_str(&said.out).expect("a line of JSON")
}

#[tokio::test]
async fn a_script_takes_extends_and_releases_a_lock() {
    let (url, resource) = (server().await, name("script"));
    let token = run(&url, &["acquire", &resource, "--ttl", "20s", "--owner", "me", "-q"]).await;
    assert_eq!((token.code, token.out.trim().len(), token.err.as_str()), (0, 36, ""), "{token:?}");
    // By argument, from standard input, from a file.
    let extended = json(&run(&url, &["extend", &resource, token.out.trim(), "--ttl", "5m", "--json"]).await);
    assert!(extended["ttlMs"].as_u64() > Some(290_000), "{extended}");
    let first = extended["token"].as_str().expect("a token");
    let second = fed(&url, &["extend", &resource, "-", "--ttl", "5m", "-q"], &format!("{first}\n")).await;
    assert_eq!(second.code, 0, "{second:?}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &second.out).expect("a file");
    let file = file.path().to_str().expect("a plain name");
    let status = json(&run(&url, &["status", &resource, "--token-file", file, "--json"]).await);
    assert_eq!((&status["owner"], &status["fence"]), (&"me".into(), &extended["fence"]));
    let said = run(&url, &["release", &resource, "--token-file", file]).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let said = run(&url, &["release", &resource, "--token-file", file]).await;
    assert_eq!((said.code, said.out.as_str()), (76, ""), "{said:?}");
    assert!(said.err.contains("lost"), "{said:?}");
}

#[tokio::test]
async fn acquire_says_who_is_in_the_way() {
    let (url, resource) = (server().await, name("in-the-way"));
    let lock = json(&run(&url, &["acquire", &resource, "--owner", "first", "--meta", "a=1", "--json"]).await);
    assert_eq!((&lock["owner"], &lock["metadata"]), (&"first".into(), &serde_json::json!([{ "a": "1" }])));
    for args in [vec!["acquire", &resource, "-n"], vec!["acquire", &resource, "--wait", "300ms", "-q"]] {
        let said = run(&url, &args).await;
        assert_eq!((said.code, said.out.as_str()), (75, ""), "{said:?}");
        assert!(said.err.contains("\"first\""), "{said:?}");
    }
}

#[tokio::test]
async fn status_and_ls_show_holder_age_time_left_and_waiters() {
    let (url, resource) = (server().await, name("shown\u{202e}"));
    let resource = resource.as_str();
    for args in [vec!["status", resource], vec!["status", resource, "--json"]] {
        let nobody = run(&url, &args).await;
        assert!(
            nobody.code == 1 && (nobody.out.contains("nobody") || nobody.out.contains("\"held\":false")),
            "{nobody:?}"
        );
    }
    let lock = json(&run(&url, &["acquire", resource, "--owner", "me\u{1b}[2J", "--ttl", "1h", "--json"]).await);
    let waiter = Process::spawn(&mut gorilla(&url, &["lock", resource, "--", "true"])).expect("gorilla starts");
    crate::harness::eventually("it waits", std::time::Duration::from_secs(10), || async {
        Replica::shared().await.state(resource).await["waiting"] == 1
    })
    .await;
    let state = json(&run(&url, &["status", resource, "--json"]).await);
    assert_eq!((&state["fence"], &state["waiting"], state.get("token")), (&lock["fence"], &1.into(), None));
    let fence = lock["fence"].to_string();
    for args in [vec!["status", resource], vec!["ls", resource]] {
        let said = run(&url, &args).await;
        for part in [fence.as_str(), "shown\\u{202e}", "me\\u{1b}[2J", "██████████ 3"] {
            assert!(said.out.contains(part), "{part}: {said:?}");
        }
        assert!(!said.out.contains('\u{1b}'), "{said:?}");
    }
    let listed = json(&run(&url, &["ls", resource, "--json"]).await);
    assert_eq!((&listed["resource"], &listed["waiting"]), (&resource.into(), &1.into()));
    let none = run(&url, &["ls", "there-is-no-such-prefix"]).await;
    assert_eq!((none.code, none.out.as_str(), none.err.is_empty()), (0, "", false), "{none:?}");
    let owner = listed["owner"].as_str().expect("an owner");
    let owned = json(&run(&url, &["ls", resource, "--owner", owner, "--json"]).await);
    assert_eq!(owned["fence"], lock["fence"]);
    let none = run(&url, &["ls", resource, "--owner", "somebody else"]).await;
    let says = "No lock whose name begins so is held by that owner.\n";
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (0, "", says), "{none:?}");
    drop(waiter);
}

#[tokio::test]
async fn break_ends_a_lock_unless_another_grant_stands_than_the_one_named() {
    let (url, resource) = (server().await, name("break"));
    let lock = json(&run(&url, &["acquire", &resource, "--json"]).await);
    let fence = lock["fence"].as_u64().expect("a fence");
    let held = async || Replica::shared().await.state(&resource).await["held"].clone();
    let unsure = run(&url, &["break", &resource, "--reason", "r"]).await;
    assert_eq!((unsure.code, held().await), (64, true.into()), "{unsure:?}");
    let other = run(&url, &["break", &resource, "--yes", "--reason", "r", "--fence", &(fence + 1).to_string()]).await;
    assert_eq!((other.code, held().await), (1, true.into()), "{other:?}");
    let broken = run(&url, &["break", &resource, "--yes", "--reason", "gone", "--fence", &fence.to_string()]).await;
    assert_eq!((broken.code, held().await), (0, false.into()), "{broken:?}");
}

/// Answers one request with a 404, and returns the request.
fn ask_once(configure: impl FnOnce(&str) -> Command) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let process = Process::spawn(&mut configure(&url)).expect("gorilla starts");
    let (mut stream, _) = listener.accept().expect("a connection");
    let (mut asked, mut bytes) = (String::new(), [0; 4096]);
    while !asked.contains("\r\n\r\n") {
        let length = stream.read(&mut bytes).expect("a request");
        asked.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").expect("it reads");
    drop(process);
    asked.to_ascii_lowercase()
}

#[test]
fn server_and_api_key_come_from_the_environment_or_the_file() {
    let asked = ask_once(|url| {
        let mut command = gorilla(url, &["status", "x"]);
        command.env("GORILLA_API_KEY", "key-1");
        command
    });
    assert!(asked.contains("authorization: bearer key-1\r\n"), "{asked}");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join(".config/gorilla")).expect("a folder");
    let asked = ask_once(|url| {
        let settings = format!("url = '{url}/behind/a/path/'\napi_key = 'key-2'\n");
        fs::write(folder.path().join(".config/gorilla/config.toml"), settings).expect("a file");
        let mut command = gorilla(url, &["status", "x"]);
        command.env_remove("GORILLA_URL").env("HOME", folder.path());
        command
    });
    assert!(asked.starts_with("get /behind/a/path/api/v1/locks/x http"), "{asked}");
    assert!(asked.contains("authorization: bearer key-2\r\n"), "{asked}");
    // What is nearer wins.
    let asked = ask_once(|url| {
        let mut command = gorilla("http://127.0.0.1:1", &["status", "x", "--url", url]);
        command.env("HOME", folder.path()).env("GORILLA_API_KEY", "key-3");
        command
    });
    assert!(asked.contains("authorization: bearer key-3\r\n"), "{asked}");
}

#[tokio::test]
async fn every_command_has_help_with_examples_a_man_page_and_completions() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("", &["man", folder.path().to_str().expect("a plain name")]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let of_locks = ["lock", "acquire", "extend", "release", "status", "queue", "limit", "ls", "break"];
    for command in of_locks.into_iter().chain(["key new", "key check", "can"]) {
        let help = run("", &command.split(' ').chain(["--help"]).collect::<Vec<_>>()).await;
        assert!(help.code == 0 && help.out.contains("Example"), "{command}: {help:?}");
        let page = format!("gorilla-{}.1", command.replace(' ', "-"));
        let page = fs::read_to_string(folder.path().join(page)).expect("a page");
        assert!(page.contains("Example"), "{command}: {page}");
    }
    let bash = run("", &["completions", "bash"]).await;
    let file = folder.path().join("completions");
    fs::write(&file, &bash.out).expect("a file");
    let script =
        r#"source "$1"; COMP_WORDS=(gorilla lo); COMP_CWORD=1; _gorilla gorilla lo gorilla; echo "${COMPREPLY[@]}""#;
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(&file).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "lock", "{output:?}");
}
