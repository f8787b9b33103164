//! Whoever begins to listen can be told first what happened last.

use serde_json::{Value, json};

use super::{Stream, poll};
use crate::harness::{AccessFile, Key, Redis, Replica, key_entry, name, role, token};

fn owners(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["owner"].as_str().expect("an owner")).collect()
}

#[tokio::test]
async fn the_last_events_come_first_and_then_what_happens_each_of_them_once() {
    let (redis, all) = (Redis::start(&[]), name("recent"));
    let (one, other) = (Replica::on(&redis).await, Replica::on(&redis).await);
    let (first, second) = (format!("{all}-1"), format!("{all}-2"));
    // Recorded is what happens while somebody listens, at whichever replica.
    let _listener = Stream::listen(&one.api, "").await;
    for owner in ["a", "b", "c"] {
        let lock = one.api.granted(&first, owner, 30).await;
        assert_eq!(one.api.release(&first, token(&lock)).await.status, 204);
    }
    one.api.granted(&second, "d", 30).await;

    let mut stream = Stream::open(&other.api, &format!("?prefix={all}&types=granted&recent=3")).await;
    assert_eq!(stream.expect("hello").await.data["resumed"], false);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(stream.expect("granted").await.data);
    }
    assert_eq!(owners(&told), ["b", "c", "d"]);
    let synced = stream.expect("synced").await;
    assert_eq!(synced.id.as_deref(), synced.data["cursor"].as_str());
    one.api.granted(&format!("{all}-3"), "e", 30).await;
    assert_eq!(stream.expect("granted").await.data["owner"], "e");

    // Whoever resumes is told what came after, not what was last.
    let cursor = synced.id.expect("a cursor");
    let mut resumed = Stream::open(&one.api, &format!("?prefix={all}&types=granted&recent=3&since={cursor}")).await;
    assert_eq!(resumed.expect("hello").await.data["resumed"], true);
    assert_eq!(resumed.expect("granted").await.data["owner"], "e");

    let answer = poll(&other.api, &format!("?resource={first}&recent=2&wait=20")).await;
    assert_eq!(
        (owners(answer["events"].as_array().expect("events")), &answer["missed"]),
        (vec!["c", "c"], &Value::Null)
    );
    let next = one.api.granted(&first, "f", 30).await;
    let cursor = answer["cursor"].as_str().expect("a cursor");
    let answer = poll(&other.api, &format!("?resource={first}&recent=2&wait=20&since={cursor}")).await;
    assert_eq!(owners(answer["events"].as_array().expect("events")), ["f"]);
    assert_eq!(answer["events"][0]["fence"], next["fence"]);
}

#[tokio::test]
async fn where_nothing_is_recorded_nothing_comes_first() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    replica.api.granted("before", "a", 30).await;
    let mut stream = Stream::listen(&replica.api, "?recent=10").await;
    stream.expect("synced").await;
    replica.api.granted("after", "b", 30).await;
    assert_eq!(stream.expect("granted").await.data["owner"], "b");
}

#[tokio::test]
async fn a_key_is_told_only_of_what_it_may_see() {
    let (redis, few, all) = (Redis::start(&[]), Key::new("few"), Key::new("all"));
    let everything = r#"{ prefix = "", verbs = ["acquire", "events"] }"#;
    let text = [
        role("all", everything),
        role("few", r#"{ prefix = "seen:", verbs = ["events"] }"#),
        key_entry("all", "all", &all, ""),
        key_entry("few", "few", &few, ""),
    ];
    let file = AccessFile::new(&text.concat());
    let path = file.path();
    let settings = [("GORILLA__AUTH__FILE", path.to_str().expect("UTF-8")), ("GORILLA__EVENTS__RECORD", "always")];
    let replica = Replica::with(&redis.url(), &settings).await;
    let (api, seer) = (replica.api.with_key(&all), replica.api.with_key(&few));
    crate::harness::eventually("events are recorded", super::PATIENCE, || async {
        redis.cli(&["EXISTS", "gorilla:events"]) == "1"
    })
    .await;
    for resource in ["seen:1", "unseen", "seen:2", "unseen:2"] {
        api.granted(resource, "a", 30).await;
    }
    let names = |answer: Value| -> Vec<Value> {
        answer["events"].as_array().expect("events").iter().map(|event| event["resource"].clone()).collect()
    };
    assert_eq!(names(poll(&seer, "?recent=2").await), [json!("seen:1"), json!("seen:2")]);
    assert_eq!(names(poll(&api, "?recent=2").await), [json!("seen:2"), json!("unseen:2")]);
    let answer = seer.get("/api/v1/events?resource=unseen&recent=2").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "insufficient_scope"), "{answer:?}");
}
