//! `gorilla lock NAME NAME -- command`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{finish, gorilla, run};
use crate::harness::{Process, Replica, eventually, name, token};

#[tokio::test]
async fn the_command_runs_under_all_locks_and_learns_each_name_fence_floor_and_token() {
    let (api, [b, a]) = (Replica::shared().await, [name("b"), name("a")]);
    let url = format!("http://{}", api.address);
    let script = r#"echo "$GORILLA_LOCK_NAMES"; echo "$GORILLA_LOCK_FENCES"; echo "$GORILLA_LOCK_FLOORS"
        echo "$GORILLA_LOCK_OWNER ${GORILLA_LOCK_NAME-none} ${GORILLA_LOCK_FENCE-none} ${GORILLA_LOCK_FLOOR-none}"
        cat /dev/fd/$GORILLA_LOCK_TOKEN_FD; echo
        for name in $GORILLA_LOCK_NAMES; do curl -sf --noproxy '*' "$1/api/v1/locks/$name"; echo; done"#;
    let args = ["lock", &b, &a, "--owner", "me", "--ttl", "6s", "--", "sh", "-c", script, "sh", &url];
    // A lock around it doesn't show through.
    let mut command = gorilla(&url, &args);
    command.env("GORILLA_LOCK_NAME", "outer").env("GORILLA_LOCK_FENCE", "1").env("GORILLA_LOCK_FLOOR", "1");
    let said = finish(Process::spawn(&mut command).expect("gorilla starts")).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!((&lines[..2], lines[6], lines.len()), (&[&*b, &*a][..], "me none none none", 11), "{said:?}");
    assert_eq!(lines[2..4], lines[4..6], "exclusive locks");
    assert!(lines[7].len() == 36 && lines[8].len() == 36 && lines[7] != lines[8], "{said:?}");
    for (line, fence) in lines[9..].iter().zip(&lines[2..]) {
        let state: Value = serde_json::from_str(line).expect("the state of the lock");
        assert_eq!((&state["held"], state["fence"].to_string()), (&true.into(), fence.to_string()));
    }
    for resource in [a, b] {
        assert_eq!(api.state(&resource).await["held"], false);
    }
}

#[tokio::test]
async fn the_only_name_is_also_the_only_line() {
    let (url, resource) = (format!("http://{}", Replica::shared().await.address), name("one"));
    let script = r#"[ "$GORILLA_LOCK_NAMES|$GORILLA_LOCK_FENCES|$GORILLA_LOCK_FLOORS" = "$GORILLA_LOCK_NAME|$GORILLA_LOCK_FENCE|$GORILLA_LOCK_FLOOR" ]"#;
    let said = run(&url, &["lock", &resource, "--", "sh", "-c", script]).await;
    assert_eq!(said.code, 0, "{said:?}");
}

#[tokio::test]
async fn all_or_none_and_the_lock_in_the_way_is_named() {
    let (api, [a, b]) = (Replica::shared().await, [name("a"), name("b")]);
    let url = format!("http://{}", api.address);
    let held = api.granted(&b, "somebody", 60).await;
    let said = run(&url, &["lock", &a, &b, "-n", "--", "echo", "ran"]).await;
    assert!(said.code == 75 && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains(&format!("\"{b}\" is held by \"somebody\"")), "{said:?}");
    let said = run(&url, &["lock", &a, &b, "-n", "--json", "--", "echo", "ran"]).await;
    let event: Value = serde_json::from_str(&said.err).expect("one line of JSON");
    assert_eq!(
        (&event["event"], &event["resources"], &event["resource"]),
        (&"not_acquired".into(), &json!([a, b]), &b.as_str().into())
    );
    assert_eq!(api.state(&a).await["held"], false);
    // It waits for the one that is missing.
    let waiter = Process::spawn(&mut gorilla(&url, &["lock", &a, &b, "--", "echo", "ran"])).expect("gorilla starts");
    eventually("it waits", Duration::from_secs(10), || async { api.state(&b).await["waiting"] == 1 }).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    api.release(&b, token(&held)).await;
    let said = finish(waiter).await;
    assert_eq!((said.code, said.out.as_str()), (0, "ran\n"), "{said:?}");
    assert!(said.err.contains(&format!("acquired \"{a}\" and \"{b}\" after")), "{said:?}");
    let twice = run(&url, &["lock", &a, &a, "--", "echo", "ran"]).await;
    assert_eq!((twice.code, twice.out.as_str()), (64, ""), "{twice:?}");
}

#[tokio::test]
async fn the_command_ends_when_one_of_the_locks_is_lost() {
    let (api, [a, b]) = (Replica::shared().await, [name("a"), name("b")]);
    let url = format!("http://{}", api.address);
    let args = ["lock", &a, &b, "--ttl", "1500ms", "--", "sleep", "60"];
    let process = Process::spawn(&mut gorilla(&url, &args)).expect("gorilla starts");
    eventually("it has both", Duration::from_secs(10), || async { api.state(&b).await["held"] == true }).await;
    api.break_lock(&b, &json!({ "reason": "a test" }), &[]).await;
    let said = finish(process).await;
    assert!(said.code == 76 && said.err.contains("lost"), "{said:?}");
    assert_eq!(api.state(&a).await["held"], false);
}
