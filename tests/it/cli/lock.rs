//! `gorilla lock NAME -- command`: what the command gets, and what comes back.

use std::{io::Write, process::Stdio};

use serde_json::Value;

use super::{finish, gorilla, run};
use crate::harness::{Process, Replica, name};

#[tokio::test]
async fn the_command_runs_under_the_lock_which_is_released_then() {
    let (api, resource) = (Replica::shared().await, name("run"));
    let url = format!("http://{}", api.address);
    let script = format!("curl -sf --noproxy '*' {url}/api/v1/locks/{resource}; echo and this >&2");
    let args = ["lock", &resource, "--owner", "me", "--meta", "a=b=c", "--meta", "d=", "--", "sh", "-c", &script];
    let said = run(&url, &args).await;
    assert_eq!((said.code, said.err.as_str()), (0, "and this\n"), "{said:?}");
    let during: Value = serde_json::from_str(&said.out).expect("the state of the lock");
    assert_eq!((&during["held"], &during["owner"]), (&true.into(), &"me".into()));
    assert_eq!(during["metadata"], serde_json::json!([{ "a": "b=c", "d": "" }]));
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_command_as_shells_have_it() {
    let url = format!("http://{}", Replica::shared().await.address);
    let commands: [(&[&str], i32); 7] = [
        (&["true"], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -INT $$"], 128 + 2),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["/etc/passwd"], 126),
        (&["there-is-no-such-command"], 127),
    ];
    for (command, code) in commands {
        let resource = name("code");
        let said = run(&url, &[&["lock", &resource, "--"], command].concat()).await;
        assert_eq!(said.code, code, "{command:?}: {said:?}");
        assert_eq!(said.err.is_empty(), code != 126 && code != 127, "{command:?}: {said:?}");
        assert_eq!(Replica::shared().await.state(&resource).await["held"], false, "{command:?}");
    }
}

#[tokio::test]
async fn the_command_gets_what_it_needs_to_know_and_the_token_by_a_file() {
    let (api, resource) = (Replica::shared().await, name("environment"));
    let url = format!("http://{}", api.address);
    // It can be read again, and stands nowhere in the environment.
    let script = r#"echo "$GORILLA_LOCK_NAME|$GORILLA_LOCK_FENCE|$GORILLA_LOCK_FLOOR|$GORILLA_LOCK_OWNER|$GORILLA_LOCK_EXPIRES_AT"
        token=$(cat /dev/fd/$GORILLA_LOCK_TOKEN_FD)
        env | grep -c "$token"
        "$1" status "$GORILLA_LOCK_NAME" --token-file /dev/fd/$GORILLA_LOCK_TOKEN_FD --json"#;
    let program = env!("CARGO_BIN_EXE_gorilla");
    let said = run(&url, &["lock", &resource, "--owner", "me", "--", "sh", "-c", script, "sh", program]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<_> = said.out.lines().collect();
    let lock: Value = serde_json::from_str(lines[2]).expect("the lock");
    let fact = |name: &str| lock[name].as_str().expect("a string").to_string();
    assert_eq!(lines[0], format!("{resource}|{}|{}|me|{}", lock["fence"], lock["fence"], fact("expireAt")));
    assert_eq!(lines[1], "0", "the token is in the environment");
}

#[tokio::test]
async fn a_token_read_from_the_file_stays_valid_after_renewals() {
    let (api, resource) = (Replica::shared().await, name("renewed"));
    let url = format!("http://{}", api.address);
    // Renewed after 2 s.
    let script = r#"first=$(cat /dev/fd/$GORILLA_LOCK_TOKEN_FD)
        sleep 3
        second=$(cat /dev/fd/$GORILLA_LOCK_TOKEN_FD)
        [ "$first" = "$second" ] && "$1" status "$2" --json --token-file /dev/fd/$GORILLA_LOCK_TOKEN_FD"#;
    let program = env!("CARGO_BIN_EXE_gorilla");
    let args = ["lock", &resource, "--ttl", "6s", "--", "sh", "-c", script, "sh", program, &resource];
    let said = run(&url, &args).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
}

#[tokio::test]
async fn neither_the_command_nor_the_minder_gets_the_api_key() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("api-key"));
    // The minder leads the process group.
    let script = r#"read -r _ _ _ _ group _ < /proc/$$/stat
        tr '\0' ' ' < /proc/$group/cmdline; echo
        env | grep -c GORILLA_API_KEY
        tr '\0' '\n' < /proc/$group/environ | grep -c GORILLA_API_KEY
        env | grep -c GORILLA_URL"#;
    let mut command = gorilla(&url, &["lock", &resource, "--", "sh", "-c", script]);
    let said = finish(Process::spawn(command.env("GORILLA_API_KEY", "secret")).expect("gorilla starts")).await;
    assert_eq!((said.code, said.out.as_str()), (0, "gorilla minder \n0\n0\n1\n"), "{said:?}");
}

#[tokio::test]
async fn standard_input_output_and_errors_pass_through() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("streams"));
    let mut command = gorilla(&url, &["lock", &resource, "--", "sh", "-c", "cat; printf end >&2"]);
    let mut process = Process::spawn(command.stdin(Stdio::piped())).expect("gorilla starts");
    let input = vec![b'x'; 200_000];
    let mut stdin = process.child.stdin.take().expect("it is piped");
    let sent = input.clone();
    std::thread::spawn(move || stdin.write_all(&sent));
    let said = finish(process).await;
    assert_eq!((said.code, said.out.len(), said.err.as_str()), (0, input.len(), "end"));
}

#[tokio::test]
async fn json_tells_a_program_what_happens() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("events"));
    let said = run(&url, &["lock", &resource, "--json", "--ttl", "1s", "--", "sleep", "0.6"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let events: Vec<Value> = said.err.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
    assert_eq!((names[0], names[1], *names.last().expect("events")), ("acquired", "renewed", "released"), "{said:?}");
    assert!(events.iter().all(|event| event["resource"] == resource.as_str()), "{said:?}");
    assert!(events[0]["fence"].is_u64() && events[0]["owner"].is_string(), "{said:?}");
}

#[tokio::test]
async fn wrong_usage_is_64_and_wrong_settings_are_78_and_nothing_runs() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("usage"));
    let wrong: [&[&str]; 10] = [
        &["lock", &resource],
        &["lock", "--", "echo", "ran"],
        &["lock", &resource, "--ttl", "soon", "--", "echo", "ran"],
        &["lock", &resource, "-n", "--wait", "1s", "--", "echo", "ran"],
        &["lock", &resource, "--meta", "no-value", "--", "echo", "ran"],
        &["lock", "a/b", "--", "echo", "ran"],
        &["lock", &resource, "--ttl", "3s", "--grace", "2s", "--", "echo", "ran"],
        &["lock", &resource, "--limit", "0", "--", "echo", "ran"],
        &["lock", &resource, "--shared", "--permits", "2", "--", "echo", "ran"],
        &["lock", &resource, "--limit", "2", "--permits", "3", "--", "echo", "ran"],
    ];
    for args in wrong {
        let said = run(&url, args).await;
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{args:?}: {said:?}");
        assert!(!said.err.is_empty(), "{args:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("gorilla")).expect("a folder");
    std::fs::write(folder.path().join("gorilla/config.toml"), "api_key = 'secret\n").expect("a file");
    let mut command = gorilla(&url, &["lock", &resource, "--", "echo", "ran"]);
    let process = Process::spawn(command.env("XDG_CONFIG_HOME", folder.path())).expect("gorilla starts");
    let said = finish(process).await;
    assert_eq!((said.code, said.out.as_str()), (78, ""), "{said:?}");
    assert!(said.err.contains("config.toml") && !said.err.contains("secret"), "{said:?}");
}

#[tokio::test]
async fn a_name_that_cannot_be_is_wrong_usage_for_every_command_and_nothing_runs() {
    // No server is asked: there is none.
    let url = "http://127.0.0.1:1";
    let long = "x".repeat(257);
    for wrong in ["", ".", "..", "a/b", "a\u{1b}b", "a\nb", "a\u{85}b", &long] {
        let commands: [&[&str]; 8] = [
            &["lock", wrong, "--", "echo", "ran"],
            &["acquire", wrong],
            &["extend", wrong, "token"],
            &["release", wrong, "token"],
            &["status", wrong],
            &["queue", wrong],
            &["limit", wrong],
            &["break", wrong, "--yes", "--reason", "a test"],
        ];
        for args in commands {
            let said = run(url, args).await;
            assert_eq!((said.code, said.out.as_str()), (64, ""), "{args:?}: {said:?}");
            assert!(said.err.contains("must"), "{args:?}: {said:?}");
            assert!(!said.err.contains(['\u{1b}', '\u{85}']), "{args:?}: {said:?}");
        }
    }
}
