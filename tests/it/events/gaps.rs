//! What happens between two listenings: nothing is lost, or the listener is told so.

use gorilla::events::Told;
use gorilla_domain::event::{Cursor, EntryId, Missed};

use super::{cursors, feed, kinds, listen, missed, next, until};
use crate::harness::{ELECTION, Redis, Replica, Sentinel, eventually, name, token};

#[tokio::test]
async fn a_listener_goes_on_at_another_replica_and_loses_nothing() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (first, second, resource) = (feed(&redis.url()), feed(&redis.url()), name("moves"));
    let mut listener = listen(&first, None).await;
    let mut whole = listen(&first, None).await;
    let lock = replica.api.granted(&resource, "a", 60).await;
    let granted = next(&mut listener, &resource).await;
    drop(listener);
    let mut lock = lock;
    for _ in 0..3 {
        lock = replica.api.extend(&resource, token(&lock), 60).await.json();
    }
    let mut listener = listen(&second, granted.cursor).await;
    assert!(listener.resumed());
    replica.api.break_lock(&resource, &serde_json::json!({}), &[]).await;
    let behind = until(&mut listener, &resource, "broken").await;
    let all = until(&mut whole, &resource, "broken").await;
    assert_eq!(cursors(&behind), cursors(&all)[1..]);
    // From the last of them on there is nothing.
    let listener = listen(&second, behind.last().and_then(|event| event.cursor)).await;
    assert!(listener.resumed());
}

#[tokio::test]
async fn a_listener_is_told_where_it_stands_though_nothing_concerns_it() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("others"));
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 60).await;
    let granted = next(&mut listener, &resource).await;
    let bookmark = tokio::time::timeout(super::PATIENCE, async {
        loop {
            if let Told::Bookmark(cursor) = listener.next().await {
                return cursor;
            }
        }
    });
    let bookmark = bookmark.await.expect("a bookmark");
    assert!(bookmark.order(&granted.cursor.expect("a cursor")).is_gt());
    // Whoever resumes there is told nothing twice.
    let mut listener = listen(&feed, Some(bookmark)).await;
    assert!(listener.resumed());
    let other = name("others");
    replica.api.granted(&other, "a", 60).await;
    let told = super::next_of(&mut listener, &[resource, other.clone()]).await;
    assert_eq!(told.event.resource.as_str(), other);
}

#[tokio::test]
async fn a_cursor_that_is_unknown_of_another_epoch_or_dropped_is_missed_and_never_silence() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("lost"));
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 60).await;
    let cursor = next(&mut listener, &resource).await.cursor.expect("a cursor");
    let elsewhere: Cursor = "0123456789ab.1-0.0".parse().expect("a cursor");
    let ahead = Cursor { entry: EntryId { ms: cursor.entry.ms + 3_600_000, seq: 0 }, ..cursor };
    let long_ago = Cursor { entry: EntryId { ms: 1, seq: 0 }, ..cursor };
    for (since, why) in [(elsewhere, Missed::Restarted), (ahead, Missed::Restarted), (long_ago, Missed::Trimmed)] {
        let mut listener = listen(&feed, Some(since)).await;
        assert!(!listener.resumed());
        assert_eq!(missed(&mut listener).await, why, "{since}");
        let next_one = name("lost");
        replica.api.granted(&next_one, "a", 60).await;
        assert_eq!(kinds(&until(&mut listener, &next_one, "granted").await), ["granted"]);
    }
    // The same where Redis has dropped the entry, and the replica that is asked never had it.
    let trimmed = redis.cli(&["XTRIM", "gorilla:events", "MAXLEN", "1"]);
    assert!(trimmed.parse::<u32>().is_ok_and(|count| count > 0), "{trimmed}");
    let other = super::feed(&redis.url());
    assert_eq!(missed(&mut listen(&other, Some(cursor)).await).await, Missed::Trimmed);
}

#[tokio::test]
async fn after_a_flush_a_listener_is_told_that_events_are_missing_and_then_what_happens() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("flushed"));
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 60).await;
    let cursor = next(&mut listener, &resource).await.cursor.expect("a cursor");
    redis.cli(&["FLUSHALL"]);
    assert_eq!(missed(&mut listener).await, Missed::Restarted);
    assert_eq!(redis.cli(&["EXISTS", "gorilla:events"]), "1");
    replica.api.granted(&resource, "b", 60).await;
    let granted = next(&mut listener, &resource).await;
    assert_eq!(granted.event.owner, "b");
    assert_ne!(granted.cursor.expect("a cursor").epoch, cursor.epoch);
    assert_eq!(missed(&mut listen(&feed, Some(cursor)).await).await, Missed::Restarted);
}

#[tokio::test]
async fn after_a_flush_that_another_replica_has_found_no_event_is_told_before_the_gap() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (first, second, [resource, later]) = (feed(&redis.url()), feed(&redis.url()), [name("found"), name("found")]);
    let mut listener = listen(&first, None).await;
    redis.cli(&["FLUSHALL"]);
    // This has Redis record again, long before the first looks after it.
    let mut other = listen(&second, None).await;
    replica.api.granted(&resource, "a", 60).await;
    next(&mut other, &resource).await;
    let told = tokio::time::timeout(super::PATIENCE, listener.next()).await.expect("it is told something");
    assert!(matches!(told, Told::Missed(Missed::Restarted)), "{told:?}");
    replica.api.granted(&later, "a", 60).await;
    assert_eq!(kinds(&until(&mut listener, &later, "granted").await), ["granted"]);
}

#[tokio::test]
async fn after_a_restart_of_redis_a_listener_is_told_that_events_may_be_missing() {
    let mut redis = Redis::start(&["--appendonly", "no", "--save", ""]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("restarted"));
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 60).await;
    next(&mut listener, &resource).await;
    redis.stop();
    redis.run();
    assert_eq!(missed(&mut listener).await, Missed::Restarted);
    eventually("the replica is back", super::PATIENCE, || async {
        replica.api.acquire(&resource, "b", 60).await.status == 200
    })
    .await;
    assert_eq!(next(&mut listener, &resource).await.event.owner, "b");
}

#[tokio::test]
async fn the_first_replica_of_redis_that_comes_ends_no_epoch() {
    let redis = Redis::start(&[]);
    let feed = feed(&redis.url());
    let listener = listen(&feed, None).await;
    let epoch = || redis.cli(&["HGET", "gorilla:events:epoch", "epoch"]);
    let (before, id) = (epoch(), redis.cli(&["HGET", "gorilla:events:epoch", "replid"]));
    let _follower = Redis::following(&redis, redis.port).await;
    // The next time that somebody tells Redis that it listens.
    eventually("the new id is noted", super::PATIENCE, || async {
        redis.cli(&["HGET", "gorilla:events:epoch", "replid"]) != id
    })
    .await;
    assert_eq!(epoch(), before);
    drop(listener);
}

#[tokio::test]
async fn after_a_failover_a_listener_is_told_that_events_may_be_missing_and_then_what_happens() {
    let sentinel = Sentinel::start().await;
    let (url, resource) = (sentinel.url(), name("failover"));
    let replica = Replica::with(&url, &[]).await;
    let feed = feed(&url);
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 60).await;
    let cursor = next(&mut listener, &resource).await.cursor;
    let old = sentinel.master();
    // It reaches the replicas of Redis, so that the epoch does too.
    eventually("they have it", ELECTION, || async {
        sentinel.nodes.iter().all(|node| node.cli(&["EXISTS", "gorilla:events:epoch"]) == "1")
    })
    .await;
    sentinel.fail_over();
    sentinel.promoted(old).await;
    assert_eq!(missed(&mut listener).await, Missed::Failover);
    eventually("a lock is granted", ELECTION, || async {
        replica.api.acquire(&name("failover"), "b", 60).await.status == 200
    })
    .await;
    let resource = name("failover");
    replica.api.granted(&resource, "c", 60).await;
    assert_eq!(next(&mut listener, &resource).await.event.owner, "c");
    // A cursor of before is missed too, at whatever replica.
    let other = super::feed(&url);
    assert_eq!(missed(&mut listen(&other, cursor).await).await, Missed::Failover);
}
