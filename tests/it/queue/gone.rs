//! Clients that hang up while they wait.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{SOON, granted, queue, queue_keys, queued, waiter};
use crate::harness::{Api, Redis, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn who_hangs_up_leaves_the_queue_wherever_it_was() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("leave"));
    let held = api.granted(&resource, "holder", 30).await;
    let mut waiters = Vec::new();
    for owner in ["a", "b", "c", "d"] {
        waiters.push(queued(&redis, api, &resource, owner, 20.0, None).await);
    }
    let last = waiters.remove(3);
    for (index, left) in [(1, vec!["a", "c", "d"]), (0, vec!["c", "d"]), (2, vec!["d"])] {
        waiters[index].abort();
        eventually("it leaves", SOON, || async { queue(&redis, &resource) == left }).await;
    }
    api.release(&resource, token(&held)).await;
    assert_eq!(granted(last).await["owner"], "d");
}

#[tokio::test]
async fn who_is_granted_the_lock_while_hanging_up_gives_it_back_at_once() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::on(&redis).await;
    let (api, resource) = (&replica.api, name("moment"));
    let mut given_back = 0;
    for round in 0..60 {
        let held = api.granted(&resource, "holder", 30).await;
        let gone = hang_up_later(api, &resource, round).await;
        eventually("it waits", SOON, || async { queue(&redis, &resource).len() == 1 }).await;
        let next = queued(&redis, api, &resource, "next", 20.0, None).await;
        let release = async { api.release(&resource, token(&held)).await.status };
        let hang_up = async {
            tokio::time::sleep(Duration::from_micros(round * 20)).await;
            drop(gone);
        };
        let (status, ()) = tokio::join!(release, hang_up);
        assert_eq!(status, 204);
        // 100 ms on a quiet machine; far from the second after which a turn passes, and from any lease.
        let limit = Instant::now() + Duration::from_millis(300);
        while !next.is_finished() && Instant::now() < limit {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if next.is_finished() {
            given_back += 1;
        } else {
            // The answer came before the client hung up, so the client holds the lock. Nobody can know that it did not
            // read the answer.
            let answered = "\"status\":200,\"duration_us\":";
            let id = format!("\"request_id\":\"round-{round}\"");
            assert!(
                replica.log().lines().any(|line| line.contains(answered) && line.contains(&id)),
                "{}",
                replica.log()
            );
            api.break_lock(&resource, &serde_json::json!({}), &[]).await;
        }
        let lock = granted(next).await;
        api.release(&resource, token(&lock)).await;
        assert_eq!(queue_keys(&redis, &resource), "", "round {round}");
    }
    assert!(given_back > 0);
}

/// A waiter that hangs up when this is dropped.
async fn hang_up_later(api: &Api, resource: &str, round: u64) -> TcpStream {
    let body = "{\"owner\":\"gone\",\"timeout\":30,\"wait\":20}";
    let mut stream = TcpStream::connect(&api.address).await.expect("a connection");
    let (path, length) = (lock_path(resource), body.len());
    let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nX-Request-Id: round-{round}");
    let head = format!("POST {path} HTTP/1.1\r\n{headers}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).await.expect("a replica that reads");
    stream
}

#[tokio::test]
async fn nothing_is_left_of_thousands_who_gave_up() {
    let redis = Redis::start(&["--appendonly", "no"]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__IDEMPOTENCY__WINDOW", "1s")]).await;
    let (api, resource) = (&replica.api, name("leak"));
    for round in 0..20 {
        let held = api.granted(&resource, "holder", 30).await;
        let waits = (0..50).map(|index| waiter(api, &resource, "in vain", 0.05, (index % 2 == 0).then_some("k")));
        let waiters: Vec<_> = waits.collect();
        if round % 2 == 0 {
            waiters.iter().for_each(|waiter| waiter.abort());
        }
        join_all(waiters).await;
        api.release(&resource, token(&held)).await;
        api.break_lock(&resource, &serde_json::json!({}), &[]).await;
    }
    let fence = format!("gorilla:{{{resource}}}:fence");
    eventually("all keys of locks but the fence are gone", Duration::from_secs(15), || async {
        redis.cli(&["KEYS", "gorilla:{*"]) == fence
    })
    .await;
}
