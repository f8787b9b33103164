//! Shared locks and semaphores on the command line.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};

use super::{Said, finish, gorilla, run};
use crate::harness::{Api, Process, Replica, eventually, name};

/// Escape sequences, and what turns the direction of text.
const NASTY: &str = "a\u{1b}[2J\u{202e}z";

fn json_of(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).expect("a line of JSON")
}

/// Acquires with more options, and returns the lock.
async fn acquire(url: &str, resource: &str, options: &[&str]) -> Value {
    json_of(&run(url, &[&["acquire", resource, "--ttl", "1h", "--json"], options].concat()).await)
}

fn start(command: &mut Command) -> Process {
    Process::spawn(command).expect("gorilla starts")
}

async fn waits(api: &Api, resource: &str) {
    let waits = || async { api.get(&format!("/api/v1/locks/{resource}/queue")).await.json()["waiting"] == 1 };
    eventually("it waits", Duration::from_secs(10), waits).await;
}

#[tokio::test]
async fn commands_that_share_a_lock_run_at_once_and_get_fence_and_floor() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("together"));
    // Each of the two waits until the other runs too.
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let script = r#"touch "$1/$GORILLA_LOCK_FENCE"; i=0
        until [ "$(ls "$1" | wc -l)" = 2 ]; do sleep 0.05; i=$((i+1)); [ $i -lt 400 ] || exit 9; done
        echo "$GORILLA_LOCK_FENCE $GORILLA_LOCK_FLOOR""#;
    let args = ["lock", &resource, "--shared", "--", "sh", "-c", script, "sh", folder];
    let (one, two) = (start(&mut gorilla(&url, &args)), start(&mut gorilla(&url, &args)));
    let (one, two) = (finish(one).await, finish(two).await);
    assert_eq!((one.code, two.code), (0, 0), "{one:?} {two:?}");
    let read = |said: &Said| {
        let numbers: Vec<u64> = said.out.split_whitespace().map(|text| text.parse().expect("a number")).collect();
        (numbers[0], numbers[1])
    };
    let ((fence, floor), (other, same)) = (read(&one), read(&two));
    assert_eq!((floor, same), (fence.min(other), floor), "{one:?} {two:?}");
}

#[tokio::test]
async fn a_command_that_waits_says_how_many_permits_are_taken() {
    let (api, resource) = (Replica::shared().await, name("deploys"));
    let url = format!("http://{}", api.address);
    let first = acquire(&url, &resource, &["--limit", "3", "--permits", "2", "--owner", "first"]).await;
    assert_eq!((&first["mode"], &first["permits"], &first["limit"]), (&"shared".into(), &2.into(), &3.into()));
    acquire(&url, &resource, &["--limit", "3", "--owner", "second"]).await;
    let full = run(&url, &["lock", &resource, "--limit", "3", "-n", "--", "echo", "ran"]).await;
    assert!(full.code == 75 && full.err.contains("3 of 3 permits are taken by 2 clients"), "{full:?}");
    let full = run(&url, &["lock", &resource, "--limit", "3", "-n", "--json", "--", "echo", "ran"]).await;
    let event: Value = serde_json::from_str(&full.err).expect("one line of JSON");
    let told = (&event["event"], &event["mode"], &event["used"], &event["limit"], &event["holderCount"]);
    assert_eq!(told, (&"not_acquired".into(), &"shared".into(), &3.into(), &3.into(), &2.into()));
    let waiter = start(&mut gorilla(&url, &["lock", &resource, "--limit", "3", "--", "echo", "ran"]));
    waits(&api, &resource).await;
    // The first piece of its wait is over, and it has said so.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let token = first["token"].as_str().expect("a token");
    assert_eq!(run(&url, &["release", &resource, token]).await.code, 0);
    let said = finish(waiter).await;
    assert_eq!((said.code, said.out.as_str()), (0, "ran\n"), "{said:?}");
    assert!(said.err.contains("3 of 3 permits are taken by 2 clients, position 1 of 1"), "{said:?}");
    let other = run(&url, &["lock", &resource, "--limit", "4", "--", "echo", "ran"]).await;
    assert!(other.code == 1 && other.err.contains("the limit 3"), "{other:?}");
}

#[tokio::test]
async fn status_and_ls_show_each_holder_of_a_shared_lock_with_escapes() {
    let (api, resource) = (Replica::shared().await, name("group"));
    let url = format!("http://{}", api.address);
    let meta = format!("why={NASTY}");
    let one = acquire(&url, &resource, &["--limit", "10", "--permits", "2", "--owner", NASTY, "--meta", &meta]).await;
    let two = acquire(&url, &resource, &["--limit", "10", "--owner", "two"]).await;
    let waiter = start(&mut gorilla(&url, &["lock", &resource, "--owner", NASTY, "--", "true"]));
    waits(&api, &resource).await;
    for args in [["status", &resource], ["ls", &resource], ["queue", &resource]] {
        let said = run(&url, &args).await;
        assert!(said.code == 0 && !said.out.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        assert!(said.out.contains("a\\u{1b}[2J\\u{202e}z"), "{said:?}");
    }
    let shown = run(&url, &["status", &resource]).await.out;
    let fences = [one["fence"].to_string(), two["fence"].to_string()];
    for part in ["shared", "3 of 10 are taken", "two", "██████████ 3", "why", &fences[0], &fences[1]]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let listed = run(&url, &["ls", &resource]).await.out;
    for part in ["3 of 10 permits taken by 2 clients", "z, 2 permits ", "two", &fences[0], &fences[1]] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert_eq!(listed.lines().count(), 4, "{listed}");
    let state = json_of(&run(&url, &["status", &resource, "--json"]).await);
    assert_eq!(
        (&state["used"], &state["holderCount"], &state["holders"][1]["owner"]),
        (&3.into(), &2.into(), &NASTY.into())
    );
    let queue = json_of(&run(&url, &["queue", &resource, "--json"]).await);
    assert_eq!((&queue["queue"][0]["owner"], &queue["queue"][0]["mode"]), (&NASTY.into(), &"exclusive".into()));
    drop(waiter);
    let nobody = run(&url, &["queue", &name("nobody")]).await;
    assert!(nobody.code == 0 && nobody.err.contains("nobody waits"), "{nobody:?}");
}

#[tokio::test]
async fn limit_shows_pins_and_unpins() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("limit"));
    let limit = async |args: &[&str]| run(&url, &[&["limit", &resource], args].concat()).await;
    let said = limit(&[]).await;
    assert!(said.code == 0 && said.out.contains("none"), "{said:?}");
    assert_eq!(json_of(&limit(&["3", "--json"]).await), json!({ "resource": resource, "limit": 3, "pinned": true }));
    acquire(&url, &resource, &["--shared"]).await;
    let said = limit(&[]).await;
    assert!(said.out.contains('3') && said.out.contains("yes"), "{said:?}");
    // What is in force stays so while the lock is shared.
    let unpinned = json!({ "resource": resource, "limit": 3, "pinned": false });
    assert_eq!(json_of(&limit(&["--unpin", "--json"]).await), unpinned);
    for wrong in [&["0"] as &[&str], &["many"], &["3", "--unpin"]] {
        assert_eq!(limit(wrong).await.code, 64, "{wrong:?}");
    }
}

#[tokio::test]
async fn break_ends_one_holder_and_lists_them_if_none_is_named() {
    let (api, resource) = (Replica::shared().await, name("break-one"));
    let url = format!("http://{}", api.address);
    let one = acquire(&url, &resource, &["--shared", "--owner", NASTY]).await;
    let two = acquire(&url, &resource, &["--shared", "--owner", "two"]).await;
    let unsure = run(&url, &["break", &resource, "--yes", "--reason", "r"]).await;
    assert_eq!(unsure.code, 64, "{unsure:?}");
    for part in ["2 clients share", &format!("--fence {} ends \"two\", 1 permit", two["fence"]), "\\u{202e}"] {
        assert!(unsure.err.contains(part), "{part}: {unsure:?}");
    }
    let fence = one["fence"].to_string();
    let broken = run(&url, &["break", &resource, "--yes", "--reason", "r", "--fence", &fence]).await;
    assert!(broken.code == 0 && broken.out.contains(&fence), "{broken:?}");
    let gone = run(&url, &["break", &resource, "--yes", "--reason", "r", "--fence", &fence]).await;
    assert_eq!(gone.code, 1, "{gone:?}");
    // The last holder need not be named.
    let broken = run(&url, &["break", &resource, "--yes", "--reason", "r"]).await;
    assert!(broken.code == 0 && broken.out.contains("two"), "{broken:?}");
    assert_eq!(api.state(&resource).await["held"], false);
}

#[tokio::test]
async fn extend_converts_a_lock_between_shared_and_exclusive() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("convert"));
    let token = |lock: &Value| lock["token"].as_str().expect("a token").to_string();
    let extend = async |token: &str, args: &[&str]| {
        run(&url, &[&["extend", &resource, token, "--ttl", "2h"], args].concat()).await
    };
    let alone = acquire(&url, &resource, &[]).await;
    let shared = json_of(&extend(&token(&alone), &["--mode", "shared", "--limit", "2", "--json"]).await);
    assert_eq!((&shared["mode"], &shared["limit"]), (&"shared".into(), &2.into()));
    let shown = extend(&token(&shared), &[]).await;
    assert!(shown.code == 0 && shown.out.contains("1 of 2") && shown.out.contains("floor"), "{shown:?}");
    let state = json_of(&run(&url, &["status", &resource, "--json"]).await);
    assert_eq!(state["fence"], shared["fence"], "a plain extend keeps the fence");
    let other = acquire(&url, &resource, &["--limit", "2"]).await;
    let crowd = extend(&token(&other), &["--mode", "exclusive"]).await;
    assert!(crowd.code == 75 && crowd.err.contains("2 of 2 permits are taken by 2 clients"), "{crowd:?}");
    for wrong in [&["--mode", "exclusive", "--limit", "2"] as &[&str], &["--limit", "2"], &["--mode", "upgradeable"]] {
        assert_eq!(extend(&token(&other), wrong).await.code, 64, "{wrong:?}");
    }
}
