//! Replicas of version 0.1 and of this version on one Redis, as while the replicas are upgraded or rolled back one
//! after another: locks, records, places and cancellations of either version count for the other.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    harness::{Answer, Api, Redis, Replica, Signal, eventually, lock_path, name, token},
    queue::{granted, queue, queued, waiter},
};

const KEY: [(&str, &str); 1] = [("Idempotency-Key", "the-same-request")];
/// An ending replica answers its waiters after this.
const DRAIN: [(&str, &str); 1] = [("GORILLA__SERVER__DRAIN_DELAY", "100ms")];

/// A ready replica, of version 0.1 or of this version.
async fn replica(is_of_0_1: bool, redis: &Redis, settings: &[(&str, &str)]) -> Replica {
    let (program, version) = match is_of_0_1 {
        true => (Replica::program_of_0_1(), "0.1.0"),
        false => (Replica::program(), env!("CARGO_PKG_VERSION")),
    };
    let replica = Replica::of(&program, &redis.url(), settings);
    let is_ready = || async { replica.api.get("/_ready").await.status == 200 };
    eventually("the replica is ready", Duration::from_secs(10), is_ready).await;
    assert_eq!(replica.api.get("/_health").await.json()["version"], version);
    replica
}

/// A replica of each version, version 0.1 first or last.
async fn both(of_0_1_first: bool) -> [Replica; 2] {
    let redis = Redis::shared();
    [replica(of_0_1_first, redis, &DRAIN).await, replica(!of_0_1_first, redis, &DRAIN).await]
}

/// An acquire that may come again. All that is in its body tells it from other requests with its key.
async fn acquire(api: &Api, resource: &str) -> Answer {
    let metadata = json!({ "job": "nightly", "attempt": 1.50, "hosts": ["a", null] });
    api.acquire_with(resource, &json!({ "owner": "me", "timeout": "30", "metadata": metadata }), &KEY).await
}

/// What an answer says of a grant.
fn grant(answer: &Answer) -> [Value; 3] {
    let lock = answer.json();
    ["id", "token", "fence"].map(|fact| lock[fact].clone())
}

async fn a_lock_passes(from: &Api, to: &Api) {
    let resource = name("skew-lock");
    let lock = from.granted(&resource, "me", 30).await;
    assert_eq!(to.acquire(&resource, "other", 30).await.code(), "lock_held");
    assert_eq!(to.state(&resource).await["fence"], lock["fence"]);
    let extended = to.extend(&resource, token(&lock), 60).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    assert_eq!(from.status(&resource, token(&lock)).await.status, 404, "its token was replaced");
    let extended = extended.json();
    assert_eq!((&extended["id"], &extended["fence"]), (&lock["id"], &lock["fence"]));
    assert_eq!(from.release(&resource, token(&extended)).await.status, 204);
    let next = to.granted(&resource, "other", 30).await;
    assert!(next["fence"].as_u64() > lock["fence"].as_u64(), "{next}");
    let broken = from.break_lock(&resource, &json!({ "reason": "a test" }), &[]).await;
    assert_eq!(broken.status, 200, "{broken:?}");
}

#[tokio::test]
async fn a_lock_that_one_version_granted_is_extended_released_and_broken_by_the_other() {
    let [one, other] = both(true).await;
    a_lock_passes(&one.api, &other.api).await;
    a_lock_passes(&other.api, &one.api).await;
}

#[tokio::test]
async fn what_an_extend_kept_and_replaced_is_read_and_released_by_the_other_version() {
    let ([old, new], resource) = (both(true).await, name("skew-keep"));
    let lock = old.api.granted(&resource, "me", 30).await;
    let (path, key) = (format!("{}/{}", lock_path(&resource), token(&lock)), [("Idempotency-Key", "keep")]);
    let body = json!({ "timeout": 60, "rotate": false, "metadata": { "step": 2 } }).to_string();
    let kept = new.api.send(reqwest::Method::PUT, &path, &key, Some(body)).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    let status = old.api.status(&resource, token(&lock)).await.json();
    assert_eq!(status["metadata"], json!([{ "step": 2 }]));
    // Under the same key another request has come, for either version.
    assert_eq!(old.api.extend_with(&resource, token(&lock), 60, &key).await.code(), "idempotency_key_reused");
    let extended = old.api.extend(&resource, token(&lock), 90).await.json();
    assert_eq!(extended["metadata"], json!([{ "step": 2 }]));
    assert_eq!(new.api.release(&resource, token(&extended)).await.status, 204);
}

async fn requests_are_answered_again(first: &Api, again: &Api) {
    let resource = name("skew-replay");
    let (lock, copy) = (acquire(first, &resource).await, acquire(again, &resource).await);
    assert_eq!((lock.status, copy.status), (200, 200), "{lock:?} {copy:?}");
    assert_eq!(grant(&lock), grant(&copy));
    let reused = again.acquire_with(&resource, &json!({ "owner": "another", "timeout": 30 }), &KEY).await;
    assert_eq!(reused.code(), "idempotency_key_reused", "{reused:?}");

    let (lock, extend, release) = (lock.json(), [("Idempotency-Key", "extend")], [("Idempotency-Key", "release")]);
    let extended = first.extend_with(&resource, token(&lock), 60, &extend).await;
    let copy = again.extend_with(&resource, token(&lock), 60, &extend).await;
    assert_eq!((extended.status, copy.status), (200, 200), "{extended:?} {copy:?}");
    assert_eq!(grant(&extended), grant(&copy));
    for api in [first, again] {
        let released = api.release_with(&resource, token(&extended.json()), &release).await;
        assert_eq!(released.status, 204, "{released:?}");
    }
    assert_eq!(acquire(again, &resource).await.code(), "lock_gone", "its grant has ended");

    let lock = first.granted(&resource, "me", 30).await;
    let (body, once) = (json!({ "reason": "a test", "fence": lock["fence"] }), [("Idempotency-Key", "break")]);
    let broken = first.break_lock(&resource, &body, &once).await;
    let copy = again.break_lock(&resource, &body, &once).await;
    assert_eq!((broken.status, copy.status), (200, 200), "{broken:?} {copy:?}");
    assert_eq!(broken.json()["fence"], copy.json()["fence"]);
}

#[tokio::test]
async fn a_request_that_one_version_executed_is_answered_again_by_the_other() {
    let [one, other] = both(true).await;
    requests_are_answered_again(&one.api, &other.api).await;
    requests_are_answered_again(&other.api, &one.api).await;
}

#[tokio::test]
async fn waiters_of_both_versions_are_served_in_the_order_of_their_arrival() {
    let ([one, other], redis, resource) = (both(true).await, Redis::shared(), name("skew-order"));
    let mut lock = one.api.granted(&resource, "holder", 30).await;
    let mut waiters = Vec::new();
    for (index, key) in [None, Some("a"), None, Some("b"), Some("c"), None].into_iter().enumerate() {
        let api = if index % 2 == 0 { &one.api } else { &other.api };
        waiters.push(queued(redis, api, &resource, &format!("waiter-{index}"), 20.0, key).await);
    }
    for (index, waiter) in waiters.into_iter().enumerate() {
        // In turns by the version that the waiter waits at, and by the other.
        let api = if index / 2 % 2 == 0 { &one.api } else { &other.api };
        assert_eq!(api.release(&resource, token(&lock)).await.status, 204);
        lock = granted(waiter).await;
        assert_eq!(lock["owner"], format!("waiter-{index}"));
    }
}

async fn places_outlast_their_replica(of_0_1_first: bool) {
    let ([ending, staying], redis, resource) = (both(of_0_1_first).await, Redis::shared(), name("skew-place"));
    let lock = staying.api.granted(&resource, "holder", 30).await;
    let with_key = queued(redis, &ending.api, &resource, "with-key", 20.0, Some("place")).await;
    let without = queued(redis, &ending.api, &resource, "without-key", 20.0, None).await;
    let behind = queued(redis, &staying.api, &resource, "behind", 20.0, None).await;

    ending.process.signal(Signal::TERM);
    for waiter in [with_key, without] {
        let answer = waiter.await.expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (503, "draining"), "{answer:?}");
    }
    assert_eq!(queue(redis, &resource), ["with-key", "behind"], "a waiter without a key can't come back to its place");
    let without = queued(redis, &staying.api, &resource, "without-key", 20.0, None).await;
    let with_key = waiter(&staying.api, &resource, "with-key", 20.0, Some("place"));
    let channel_of_first = || {
        let first = redis.cli(&["ZRANGE", &format!("gorilla:{{{resource}}}:queue"), "0", "0"]);
        first.split(' ').nth(1).map(String::from)
    };
    let before = channel_of_first();
    eventually("it waits at the other replica", Duration::from_secs(5), || async { channel_of_first() != before })
        .await;

    assert_eq!(staying.api.release(&resource, token(&lock)).await.status, 204);
    for (waiter, owner) in [(with_key, "with-key"), (behind, "behind"), (without, "without-key")] {
        let lock = granted(waiter).await;
        assert_eq!(lock["owner"], owner);
        staying.api.release(&resource, token(&lock)).await;
    }
}

#[tokio::test]
async fn a_waiter_with_a_key_keeps_its_place_when_its_replica_is_upgraded() {
    places_outlast_their_replica(true).await;
}

#[tokio::test]
async fn a_waiter_with_a_key_keeps_its_place_when_its_replica_is_rolled_back() {
    places_outlast_their_replica(false).await;
}

async fn a_hang_up_leaves_what_a_copy_has(gone: &Api, copy: &Api) {
    let resource = name("skew-gone");
    let lock = copy.granted(&resource, "holder", 30).await;
    let waiting = queued(Redis::shared(), gone, &resource, "me", 20.0, Some(KEY[0].1)).await;
    let body = json!({ "owner": "me", "timeout": 30, "wait": 20.0 });
    // The copy takes the place over, and the client that hangs up must not take the place away.
    let copied = tokio::spawn({
        let (api, path) = (Api::at(&copy.address), lock_path(&resource));
        async move { api.send(reqwest::Method::POST, &path, &KEY, Some(body.to_string())).await }
    });
    let place = || Redis::shared().cli(&["ZRANGE", &format!("gorilla:{{{resource}}}:queue"), "0", "-1"]);
    let before = place();
    eventually("the copy has the place", Duration::from_secs(5), || async { place() != before }).await;
    let taken = place();
    waiting.abort();
    let record = format!("gorilla:{{{resource}}}:request:{}", KEY[0].1);
    eventually("the other attempt is cancelled", Duration::from_secs(5), || async {
        Redis::shared().cli(&["GET", &record]).contains("\"-")
    })
    .await;
    assert_eq!(place(), taken);
    assert_eq!(copy.release(&resource, token(&lock)).await.status, 204);
    assert_eq!(granted(copied).await["owner"], "me");
}

#[tokio::test]
async fn a_client_that_hangs_up_on_one_version_leaves_what_its_copy_has_at_the_other() {
    let [one, other] = both(true).await;
    a_hang_up_leaves_what_a_copy_has(&one.api, &other.api).await;
    a_hang_up_leaves_what_a_copy_has(&other.api, &one.api).await;
}

#[tokio::test]
async fn grants_do_not_wait_for_a_failover_grace_because_the_other_version_is_there() {
    let grace = [("GORILLA__REDIS__FAILOVER_GRACE", "2s"), ("GORILLA__LIMITS__MAX_TIMEOUT", "2s")];
    for of_0_1_first in [true, false] {
        let redis = Redis::start(&[]);
        let first = replica(of_0_1_first, &redis, &grace).await;
        assert_eq!(first.api.acquire(&name("skew-grace"), "me", 1).await.code(), "recovering");
        let granted = || async { first.api.acquire(&name("skew-grace"), "me", 1).await.status == 200 };
        eventually("the grace is over", Duration::from_secs(10), granted).await;
        let second = replica(!of_0_1_first, &redis, &grace).await;
        assert_eq!(second.api.acquire(&name("skew-grace"), "me", 1).await.status, 200);
        assert_eq!(first.api.acquire(&name("skew-grace"), "me", 1).await.status, 200);
    }
}

#[tokio::test]
async fn commands_of_either_version_work_with_replicas_of_the_other() {
    let [old, new] = both(true).await;
    for (program, replica) in [(Replica::program_of_0_1(), &new), (Replica::program(), &old)] {
        let mut command = Command::new(program);
        command.args([
            "lock",
            &name("skew-command"),
            "--url",
            &format!("http://{}", replica.api.address),
            "--",
            "true",
        ]);
        let ended = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[test]
fn the_replica_of_version_0_1_has_the_scripts_that_are_kept_of_it() {
    let program = fs::read(Replica::program_of_0_1()).expect("the program can be read");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/skew/0.1");
    let files = fs::read_dir(folder).expect("the scripts are there").map(|file| file.expect("a file").path());
    let scripts: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "lua")).collect();
    assert_eq!(scripts.len(), 12, "{scripts:?}");
    for script in scripts {
        let text = fs::read(&script).expect("a script can be read");
        assert!(program.windows(text.len()).any(|bytes| bytes == text), "{} is not in the program", script.display());
    }
}
