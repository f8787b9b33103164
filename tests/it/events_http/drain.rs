//! A replica that ends says so to its listeners, not to all at the same moment.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{PATIENCE, Stream, ask};
use crate::{
    drain::ends,
    harness::{Redis, Replica, Signal, eventually},
};

const LISTENERS: usize = 500;

#[tokio::test]
async fn five_hundred_listeners_are_told_and_the_replica_ends_in_time() {
    let settings = [("GORILLA__SERVER__DRAIN_DELAY", "3s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "20s")];
    let mut replica = Replica::with(&Redis::shared().url(), &settings).await;
    let mut streams = Vec::new();
    for _ in 0..LISTENERS {
        streams.push(Stream::listen(&replica.api, "?prefix=nobody").await);
    }
    let begun = Instant::now();
    replica.process.signal(Signal::TERM);
    let mut reading = JoinSet::new();
    for stream in streams {
        reading.spawn(async move {
            let messages = stream.rest().await;
            (begun.elapsed(), messages)
        });
    }
    let mut ended = Vec::new();
    while let Some(read) = reading.join_next().await {
        let (after, messages) = read.expect("a reader");
        let last = messages.last().expect("a message");
        assert_eq!((last.event.as_str(), &last.data["reason"]), ("bye", &json!("draining")), "{last:?}");
        ended.push(after);
    }
    ended.sort_unstable();
    let (tenth, last) = (ended[LISTENERS / 10], ended[LISTENERS - 1]);
    assert!(last - tenth > Duration::from_secs(1), "they come back one after the other: {tenth:?} … {last:?}");
    ends(&mut replica, begun, Duration::from_secs(20)).await;
    assert!(!replica.log().contains("still in flight at the end of the drain"), "{}", replica.log());
}

#[tokio::test]
async fn whoever_wants_to_listen_to_a_replica_that_ends_is_sent_away() {
    let settings = [("GORILLA__SERVER__DRAIN_DELAY", "8s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "10s")];
    let replica = Replica::with(&Redis::shared().url(), &settings).await;
    replica.process.signal(Signal::TERM);
    let draining = || async { replica.api.get("/_ready").await.status == 503 };
    eventually("the replica knows that it ends", PATIENCE, draining).await;
    for accept in ["text/event-stream", "application/json"] {
        let answer = ask(&replica.api.address, "", &[("Accept", accept)]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.json::<serde_json::Value>().await.expect("JSON")["code"], "draining");
    }
}

#[tokio::test]
async fn an_interrupt_ends_listeners_at_once() {
    let settings = [("GORILLA__SERVER__DRAIN_DELAY", "60s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "90s")];
    let mut replica = Replica::with(&Redis::shared().url(), &settings).await;
    let stream = Stream::listen(&replica.api, "").await;
    let begun = Instant::now();
    replica.process.signal(Signal::INT);
    let last = stream.rest().await.pop().expect("a message");
    assert_eq!(last.event, "bye");
    ends(&mut replica, begun, Duration::from_secs(30)).await;
}
