//! Streams that break and go on, also at another replica.

use std::time::Duration;

use serde_json::{Value, json};

use super::Stream;
use crate::harness::{Redis, Replica, name, token};

#[tokio::test]
async fn a_client_resumes_at_another_replica_and_misses_nothing() {
    let redis = Redis::start(&[]);
    let (one, other) = (Replica::on(&redis).await, Replica::on(&redis).await);
    let resource = name("resumed");
    let query = format!("?resource={resource}");
    let mut stream = Stream::listen(&one.api, &query).await;
    one.api.granted(&name("else"), "me", 30).await;
    let lock = one.api.granted(&resource, "first", 30).await;
    let seen = stream.expect("granted").await.id.expect("a cursor");
    drop(stream);
    drop(one);

    // Nobody listens now. What happens meanwhile is recorded.
    other.api.release(&resource, token(&lock)).await;
    let mut fences = Vec::new();
    for _ in 0..20 {
        let lock = other.api.granted(&resource, "me", 30).await;
        fences.push(lock["fence"].clone());
        other.api.release(&resource, token(&lock)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut stream = Stream::open_with(&other.api, &query, &[("Last-Event-ID", &seen)]).await;
    assert_eq!(stream.expect("hello").await.data["resumed"], json!(true));
    assert_eq!(stream.expect("released").await.data["fence"], lock["fence"]);
    for fence in fences {
        assert_eq!(stream.expect("granted").await.data["fence"], fence);
        assert_eq!(stream.expect("released").await.data["fence"], fence);
    }
}

#[tokio::test]
async fn a_cursor_that_nobody_knows_is_missed_and_then_the_state_comes() {
    let (api, resource) = (Replica::shared().await, name("unknown"));
    let lock = api.granted(&resource, "me", 30).await;
    for cursor in ["nonsense", "0123456789ab.1-0.0"] {
        let mut stream = Stream::open(&api, &format!("?resource={resource}&snapshot=1&since={cursor}")).await;
        assert_eq!(stream.expect("hello").await.data["resumed"], json!(false), "{cursor}");
        let missed = stream.expect("missed").await.data;
        assert!(missed["reason"].is_string(), "{cursor}: {missed}");
        assert_eq!(stream.expect("state").await.data["fence"], lock["fence"], "{cursor}");
        assert_eq!(stream.expect("leader").await.data["fence"], lock["fence"], "{cursor}");
        stream.expect("synced").await;
    }
}

#[tokio::test]
async fn a_stream_that_resumes_has_no_states() {
    let (api, resource) = (Replica::shared().await, name("again"));
    let query = format!("?resource={resource}&snapshot=1");
    let mut stream = Stream::listen(&api, &query).await;
    let synced = stream.until("synced").await.id.expect("a cursor");
    drop(stream);
    let lock = api.granted(&resource, "me", 30).await;
    let mut stream = Stream::open(&api, &format!("{query}&since={synced}")).await;
    assert_eq!(stream.expect("hello").await.data["resumed"], json!(true));
    for event in ["leader", "granted"] {
        assert_eq!(stream.expect(event).await.data["fence"], lock["fence"]);
    }
}

#[tokio::test]
async fn bookmarks_advance_for_a_prefix_that_nobody_uses_and_resuming_replays_nothing() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let api = &replica.api;
    let mut stream = Stream::listen(api, "?prefix=nobody-").await;
    let mut cursors: Vec<Value> = Vec::new();
    for _ in 0..2 {
        for _ in 0..10 {
            api.granted(&name("busy"), "me", 30).await;
        }
        let bookmark = stream.next().await.expect("a bookmark");
        assert_eq!(bookmark.event, "bookmark");
        cursors.push(bookmark.data["cursor"].clone());
    }
    assert_ne!(cursors[0], cursors[1], "it advances");
    drop(stream);
    let since = cursors[1].as_str().expect("a cursor");
    let mut all = Stream::open(api, &format!("?since={since}")).await;
    assert_eq!(all.expect("hello").await.data["resumed"], json!(true));
    let next = api.granted(&name("next"), "me", 30).await;
    assert_eq!(all.expect("granted").await.data["fence"], next["fence"], "nothing was replayed");
}
