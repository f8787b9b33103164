//! The client goes away before its answer comes.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{io::AsyncReadExt, time::timeout};

use super::{Scene, is_freed, is_held};
use crate::{
    harness::{HangUp, Mode, Redis, Replica, eventually, lock_path, name, token},
    queue::{SOON, granted, queue, queued},
};

/// What may follow a request before its client is gone.
const BYTES_BEHIND: [&str; 4] =
    ["", "\r\n", "GET /_health HTTP/1.1\r\nHo", "GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n"];

#[tokio::test]
async fn a_client_that_hangs_up_in_mid_acquire_leaves_no_lock() {
    let scene = Scene::new().await;
    let resource = name("hang-up");
    scene.link.set(Mode::DelayReplies(Duration::from_millis(400)));

    let client = tokio::spawn({
        let (api, resource) = (scene.api().clone(), resource.clone());
        async move { api.acquire(&resource, "me", 60).await }
    });
    eventually("Redis has executed it", Duration::from_millis(500), || async { is_held(scene.redis, &resource) }).await;
    client.abort();
    is_freed(scene.redis, &resource).await;
}

#[tokio::test]
async fn an_idempotency_key_can_be_used_again_after_a_hang_up() {
    let scene = Scene::new().await;
    let (api, resource) = (scene.api(), name("hang-up-key"));
    let (body, key) = (json!({ "owner": "me", "timeout": 60 }), [("Idempotency-Key", "k")]);
    scene.link.set(Mode::DelayReplies(Duration::from_millis(300)));

    let gave_up = timeout(Duration::from_millis(150), api.acquire_with(&resource, &body, &key)).await;
    assert!(gave_up.is_err(), "{gave_up:?}");
    is_freed(scene.redis, &resource).await;
    scene.link.set(Mode::Pass);
    let retried = api.acquire_with(&resource, &body, &key).await;
    assert_eq!((retried.status, retried.header("idempotent-replay")), (200, None), "{retried:?}");
}

#[tokio::test]
async fn thirty_hang_ups_at_random_moments_leave_no_lock() {
    let scene = Scene::new().await;
    // An answer that is already on its way to the client can't be called back, so all hang up before Redis's reply.
    scene.link.set(Mode::DelayReplies(Duration::from_millis(250)));
    let attempts = join_all((0..30).map(|_| async {
        let (api, resource) = (scene.api(), name("hang-ups"));
        let patience = Duration::from_micros(fastrand::u64(0..150_000));
        let answer = timeout(patience, api.acquire(&resource, "me", 60)).await;
        assert!(answer.is_err(), "{answer:?}");
        resource
    }))
    .await;
    for resource in &attempts {
        is_freed(scene.redis, resource).await;
    }
    // Nor may an acquire that was still on its way when the client left take the lock later.
    scene.link.set(Mode::Pass);
    super::recovers(scene.api()).await;
    let cancelled = scene.replica.log().matches("\"outcome\":\"released\"").count();
    assert!(cancelled > 0, "some had been executed");
    assert!(attempts.iter().all(|resource| !is_held(scene.redis, resource)));
}

/// The bytes of an acquire, and of what follows it.
fn acquire(resource: &str, body: &str, behind: &str) -> String {
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", lock_path(resource));
    format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}{behind}", body.len())
}

#[tokio::test]
async fn a_waiter_that_hangs_up_leaves_the_queue_whatever_bytes_followed_its_request() {
    let redis = Redis::shared();
    let api = &Replica::shared().await;
    for behind in BYTES_BEHIND {
        for how in [HangUp::Finish, HangUp::Reset] {
            let resource = name("behind");
            let held = api.granted(&resource, "holder", 60).await;
            let body = r#"{"owner":"gone","timeout":60,"wait":30}"#;
            let client = api.sent(&acquire(&resource, body, behind)).await;
            eventually("it waits", SOON, || async { queue(redis, &resource) == ["gone"] }).await;
            let next = queued(redis, api, &resource, "next", 30.0, None).await;

            let client = how.end(client).await;
            let what = format!("it leaves after {how:?} behind {behind:?}");
            eventually(&what, SOON, || async { queue(redis, &resource) == ["next"] }).await;
            api.release(&resource, token(&held)).await;
            assert_eq!(granted(next).await["owner"], "next");
            drop(client);
        }
    }
}

#[tokio::test]
async fn a_waiter_that_sends_so_much_that_its_end_can_t_be_seen_counts_as_gone() {
    let (redis, api) = (Redis::shared(), &Replica::shared().await);
    let resource = name("flood");
    let _held = api.granted(&resource, "holder", 60).await;
    let body = r#"{"owner":"gone","timeout":60,"wait":50}"#;
    let client = api.sent(&acquire(&resource, body, "")).await;
    eventually("it waits", SOON, || async { queue(redis, &resource) == ["gone"] }).await;
    let flood = vec![b'x'; 100 * 1024];
    // The test writes until no buffer takes more.
    while timeout(SOON, client.writable()).await.is_ok() {
        let _ = client.try_write(&flood);
    }
    let client = HangUp::Finish.end(client).await;
    eventually("it has left the queue", Duration::from_secs(12), || async { queue(redis, &resource).is_empty() }).await;
    drop(client);
}

#[tokio::test]
async fn an_acquire_whose_client_hangs_up_while_redis_hangs_is_undone_whatever_bytes_followed_it() {
    let scene = Scene::with(&[("GORILLA__REDIS__COMMAND_TIMEOUT", "10s")]).await;
    for behind in BYTES_BEHIND {
        for how in [HangUp::Finish, HangUp::Reset] {
            let resource = name("hanging");
            scene.link.set(Mode::DelayReplies(Duration::from_millis(300)));
            let body = r#"{"owner":"gone","timeout":60}"#;
            let client = scene.api().sent(&acquire(&resource, body, behind)).await;
            let held = || async { is_held(scene.redis, &resource) };
            eventually("Redis has executed it", SOON, held).await;
            let client = how.end(client).await;
            scene.link.set(Mode::Pass);
            eventually(&format!("it is undone after {how:?} behind {behind:?}"), SOON, || async { !held().await })
                .await;
            drop(client);
        }
    }
}

#[tokio::test]
async fn requests_behind_one_that_waits_are_answered_in_their_order() {
    let (redis, api) = (Redis::shared(), &Replica::shared().await);
    let resource = name("pipelined");
    let held = api.granted(&resource, "holder", 60).await;
    let behind = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        lock_path(&resource)
    );
    let body = r#"{"owner":"patient","timeout":60,"wait":30}"#;
    let mut client = api.sent(&acquire(&resource, body, &behind)).await;
    eventually("it waits", SOON, || async { queue(redis, &resource) == ["patient"] }).await;
    api.release(&resource, token(&held)).await;
    let mut answers = String::new();
    timeout(Duration::from_secs(10), client.read_to_string(&mut answers)).await.expect("in time").expect("answers");
    let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "200", "404"], "{answers}");
    assert_eq!(answers.matches("\"owner\":\"patient\"").count(), 2, "{answers}");
}
