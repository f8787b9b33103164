//! Each event with what its record has.

use serde_json::{Value, json};

use super::{PATIENCE, Trail, verified};
use crate::{
    access::everything,
    harness::{
        AccessFile, Api, Key, Method, Redis, Replica, Signal, eventually, key_entry, lock_path, name, role, token,
    },
};

/// A replica with a key that may do all, and one that may see `seen` alone.
async fn guarded(trail: &Trail) -> (Replica, AccessFile, Api, Api) {
    let (ops, viewer) = (Key::new("ops"), Key::new("viewer"));
    let text = everything("all")
        + &role("views", r#"{prefix="seen", verbs=["inspect"]}"#)
        + &key_entry("ops", "all", &ops, "")
        + &key_entry("viewer", "views", &viewer, "");
    let file = AccessFile::new(&text);
    let path = file.path();
    let replica = trail.replica(&[("GORILLA__AUTH__FILE", path.to_str().expect("a path of UTF-8"))]).await;
    let (ops, viewer) = (replica.api.with_key(&ops), replica.api.with_key(&viewer));
    (replica, file, ops, viewer)
}

/// A record without what differs each time.
fn known(mut record: Value) -> Value {
    let members = record.as_object_mut().expect("an object");
    for member in ["v", "time", "seq", "chain", "prev", "peer", "event"] {
        assert!(members.remove(member).is_some(), "{member}");
    }
    record
}

#[tokio::test]
async fn a_lock_is_followed_from_its_grant_to_its_break() {
    let trail = Trail::new();
    let (_replica, _file, ops, _) = guarded(&trail).await;
    let resource = name("followed");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("X-Request-Id", "r-1"), ("X-Forwarded-For", "10.0.0.1"), ("traceparent", &*parent)];
    let by = |mut record: Value| {
        let caller = json!({ "identity": "ops", "method": "key", "key_id": "ops00000", "resource": resource });
        let members = record.as_object_mut().expect("an object");
        members.extend(caller.as_object().expect("an object").clone());
        record
    };
    let body = json!({ "owner": "me", "timeout": 30, "metadata": { "secret": "not-recorded" } });
    let lock = ops.acquire_with(&resource, &body, &headers).await.json();
    let grant = &trail.wait_for("grant", 1).await[0];
    assert_eq!(grant["v"], 1);
    assert!(grant["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{grant}");
    let (fence, id) = (&lock["fence"], &lock["id"]);
    let expected = json!({
        "outcome": "granted", "owner": "me", "fence": fence, "lock_id": id, "lease_ms": 30_000,
        "request_id": "r-1", "forwarded": "10.0.0.1", "trace_id": trace,
    });
    assert_eq!(known(grant.clone()), by(expected));

    let headers = [("X-Request-Id", "r-2")];
    let lock = ops.extend_with(&resource, token(&lock), 60, &headers).await.json();
    let extend = trail.wait_for("extend", 1).await.remove(0);
    let expected = json!({
        "outcome": "extended", "owner": "me", "fence": fence, "lock_id": id, "lease_ms": 60_000, "request_id": "r-2",
    });
    assert_eq!(known(extend), by(expected));

    // A conversion is a new grant.
    let path = format!("{}/{}", lock_path(&resource), token(&lock));
    let body = json!({ "timeout": 60, "mode": "shared" }).to_string();
    let lock = ops.send(Method::PUT, &path, &headers, Some(body)).await.json();
    let converted = trail.wait_for("extend", 2).await.remove(1);
    assert_eq!((&converted["mode"], &converted["fence"]), (&json!("shared"), &lock["fence"]));

    let body = json!({ "reason": "it hangs", "grace": 5, "fence": lock["fence"] });
    assert_eq!(ops.break_lock(&resource, &body, &[("X-Request-Id", "r-3")]).await.status, 200);
    // The answer comes after the record.
    let broken = trail.records().pop().expect("a record");
    assert_eq!(broken["event"], "break");
    let expected = json!({
        "outcome": "broken", "owner": "me", "fence": lock["fence"], "lock_id": lock["id"], "lease_ms": 5_000,
        "reason": "it hangs", "request_id": "r-3",
    });
    assert_eq!(known(broken), by(expected));

    assert_eq!(ops.release_with(&resource, token(&lock), &[("X-Request-Id", "r-4")]).await.status, 204);
    let released = trail.wait_for("release", 1).await.remove(0);
    // The token of a shared lock says which grant it is; that of another lock does not.
    let expected = json!({ "outcome": "released", "request_id": "r-4", "lock_id": lock["id"] });
    assert_eq!(known(released), by(expected));
    assert!(verified(&[trail.file()]) >= 6);
}

#[tokio::test]
async fn what_changed_nothing_makes_no_record_whatever_the_log_level_is() {
    let trail = Trail::new();
    let replica = trail.replica(&[("GORILLA__LOG__LEVEL", "info,gorilla::audit=off")]).await;
    let resource = name("unchanged");
    let lock = replica.api.granted(&resource, "me", 30).await;
    assert_eq!(replica.api.acquire(&resource, "you", 30).await.status, 409);
    assert_eq!(replica.api.extend(&resource, "no-token", 30).await.status, 409);
    assert_eq!(replica.api.release(&resource, "no-token").await.status, 404);
    assert_eq!(replica.api.break_lock(&resource, &json!({ "fence": 1 }), &[]).await.status, 409);
    assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 204);
    trail.wait_for("release", 1).await;
    let events: Vec<_> = trail.records().iter().map(|record| record["event"].clone()).collect();
    assert_eq!(events, ["reload", "grant", "release"]);
    let grant = known(trail.records().remove(1));
    assert_eq!((&grant["method"], grant.get("identity")), (&json!("none"), None));
}

#[tokio::test]
async fn replays_items_of_a_batch_and_resources_of_a_set_have_records_of_their_own() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    let api = &replica.api;
    let (a, b) = (name("item"), name("item"));
    let body = json!({ "owner": "me", "timeout": 30 });
    for _ in 0..2 {
        assert_eq!(api.acquire_with(&a, &body, &[("Idempotency-Key", "replayed-1")]).await.status, 200);
    }
    let outcomes: Vec<_> = trail.wait_for("grant", 2).await.iter().map(|grant| grant["outcome"].clone()).collect();
    assert_eq!(outcomes, ["granted", "replayed"]);
    let batch = json!({ "operations": [
        { "op": "acquire", "resource": a, "owner": "you", "timeout": 30 },
        { "op": "acquire", "resource": b, "owner": "you", "timeout": 30 },
    ] });
    assert_eq!(api.batch(&batch, &[("X-Request-Id", "b-1")]).await.status, 200);
    let grant = trail.wait_for("grant", 3).await.remove(2);
    assert_eq!((&grant["resource"], &grant["request_id"]), (&json!(b), &json!("b-1")));
    // A renewal has a record too, also where the answer leaves it out.
    let held = api.granted(&name("item"), "me", 30).await;
    let (resource, token) = (&held["resource"], &held["token"]);
    let items = [json!({ "op": "extend", "resource": resource, "token": token, "timeout": 60, "rotate": false })];
    assert_eq!(api.batch(&json!({ "operations": items, "brief": true }), &[]).await.json()["ok"], 1);
    let extend = trail.wait_for("extend", 1).await.remove(0);
    assert_eq!(["resource", "fence", "owner"].map(|it| &extend[it]), [resource, &held["fence"], &json!("me")]);
    trail.wait_for("grant", 4).await;
    let parts = [name("part"), name("part")];
    let set = json!({
        "owner": "us", "timeout": 20, "resources": parts.each_ref().map(|part| json!({ "resource": part })),
    });
    let answer = api.send(Method::POST, "/api/v1/locks", &[("X-Request-Id", "s-1")], Some(set.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let grants = trail.wait_for("grant", 6).await.split_off(4);
    for ((grant, part), lock) in grants.iter().zip(&parts).zip(answer.json()["locks"].as_array().expect("locks")) {
        let given = ["resource", "fence", "lease_ms", "owner", "request_id"].map(|member| &grant[member]);
        let expected = [&json!(part), &lock["fence"], &json!(20_000), &json!("us"), &json!("s-1")];
        assert_eq!(given, expected);
    }
}

#[tokio::test]
async fn a_request_without_a_reply_has_a_record_that_says_so() {
    let (trail, redis) = (Trail::new(), Redis::start(&[]));
    let replica = trail.replica_on(&redis, &[("GORILLA__REDIS__COMMAND_TIMEOUT", "300ms")]).await;
    let resource = name("unknown");
    let lock = replica.api.granted(&resource, "me", 30).await;
    redis.pause();
    assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 504);
    let unknown = trail.wait_for("release", 1).await.remove(0);
    assert_eq!((&unknown["outcome"], &unknown["resource"]), (&json!("unknown"), &json!(resource)));
    redis.resume();
}

#[tokio::test]
async fn a_break_whose_client_hangs_up_has_a_record() {
    let (trail, redis) = (Trail::new(), Redis::start(&[]));
    let replica = trail.replica_on(&redis, &[]).await;
    let resource = name("hung-up");
    replica.api.granted(&resource, "me", 30).await;
    redis.pause();
    let path = format!("{}/break", lock_path(&resource));
    let answer = replica.api.abandoned(&path, &[], "{}", std::time::Duration::from_millis(100)).await;
    assert!(answer.is_none(), "{answer:?}");
    redis.resume();
    assert_eq!(trail.wait_for("break", 1).await[0]["outcome"], "unknown");
}

#[tokio::test]
async fn refusals_are_gathered_for_each_caller_and_cause() {
    let trail = Trail::new();
    let (replica, _file, _, viewer) = guarded(&trail).await;
    let unknown = replica.api.with_key(&Key::new("unknown"));
    for _ in 0..40 {
        assert_eq!(viewer.acquire("seen-1", "me", 30).await.status, 403);
        assert_eq!(replica.api.acquire("seen-1", "me", 30).await.status, 401);
        assert_eq!(unknown.acquire("seen-1", "me", 30).await.status, 401);
    }
    // An item of a batch is refused in the answer.
    let batch = json!({ "operations": [{ "op": "acquire", "resource": "seen-1", "owner": "me", "timeout": 30 }] });
    assert_eq!(viewer.batch(&batch, &[]).await.status, 200);
    let of = |event: &str, outcome: &str| {
        let is = |record: &Value| record["event"] == event && record["outcome"] == outcome;
        let records: Vec<_> = trail.records().into_iter().filter(is).collect();
        let count = records.iter().map(|record| record["count"].as_u64().expect("a count")).sum::<u64>();
        (records, count)
    };
    eventually("all are counted", PATIENCE, || async {
        of("denied", "insufficient_scope").1 == 41
            && of("auth_failed", "missing").1 == 40
            && of("auth_failed", "unknown").1 == 40
    })
    .await;
    for (event, outcome) in [("denied", "insufficient_scope"), ("auth_failed", "missing"), ("auth_failed", "unknown")] {
        assert!(of(event, outcome).0.len() < 20, "{event} {outcome}");
    }
    let denied = known(of("denied", "insufficient_scope").0.remove(0));
    let given = ["identity", "method", "key_id", "resource", "verb"].map(|member| &denied[member]);
    assert_eq!(given, ["viewer", "key", "viewer00", "seen-1", "acquire"]);
    let failed = known(of("auth_failed", "missing").0.remove(0));
    assert_eq!((&failed["method"], failed.get("identity")), (&json!("none"), None));
    verified(&[trail.file()]);
}

#[tokio::test]
async fn a_new_access_file_has_a_record_and_so_have_start_and_end() {
    let trail = Trail::new();
    let (mut replica, file, _, _) = guarded(&trail).await;
    file.write(&(everything("all") + &key_entry("ops", "all", &Key::new("other"), "")));
    replica.process.signal(Signal::HUP);
    assert_eq!(trail.wait_for_outcome("in_force").await["generation"], 2);
    replica.process.signal(Signal::INT);
    replica.process.child.wait().expect("it ends");
    let outcomes: Vec<_> = trail.records().iter().map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["started", "in_force", "ended"]);
    let head = replica.log().lines().rfind(|line| line.contains("the head of the audit file")).map(String::from);
    let (_, out, _) = super::verify(&[trail.file()]);
    let head: Value = serde_json::from_str(&head.expect("a head")).expect("JSON");
    assert!(out.contains(&format!("head {}", head["hash"].as_str().expect("a hash"))), "{out}{head}");
    assert_eq!(head["seq"], 3);
}

#[tokio::test]
async fn what_clients_write_is_one_escaped_line() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    let resource = name("a\u{202e}b");
    let owner = "x\ny\u{1b}[2J\u{202e}\u{2028}";
    replica.api.granted(&resource, owner, 30).await;
    let reason = "because\r\n{\"v\":1}\u{9b}";
    assert_eq!(replica.api.break_lock(&resource, &json!({ "reason": reason }), &[]).await.status, 200);
    let broken = trail.wait_for("break", 1).await.remove(0);
    let given = ["resource", "owner", "reason"].map(|member| &broken[member]);
    assert_eq!(given, [&json!(resource), &json!(owner), &json!(reason)]);
    let text = std::fs::read_to_string(trail.file()).expect("the file");
    assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
    verified(&[trail.file()]);
}

#[tokio::test]
async fn metrics_count_records_by_event() {
    let trail = Trail::new();
    let replica = trail.replica(&[]).await;
    replica.api.granted(&name("counted"), "me", 30).await;
    trail.wait_for("grant", 1).await;
    let page = replica.api.get("/metrics").await.text;
    for line in [
        "gorilla_audit_records_total{event=\"grant\"} 1\n",
        "gorilla_audit_records_total{event=\"break\"} 0\n",
        "gorilla_audit_failures_total 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

#[tokio::test]
async fn without_a_file_there_is_no_thread_for_it() {
    let threads = |replica: &Replica| {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", replica.process.child.id())).expect("tasks");
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.expect("a task").path().join("comm")).unwrap_or_default()
        };
        tasks.map(name).any(|name| name.trim() == "audit")
    };
    let trail = Trail::new();
    assert!(!threads(&Replica::start().await));
    assert!(threads(&trail.replica(&[]).await));
}
