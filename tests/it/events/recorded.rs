//! What is recorded in Redis, and when.

use gorilla::events::ListenError;
use serde_json::json;

use super::{feed, feed_with, json as told, kinds, listen, next, next_of, until};
use crate::harness::{Redis, Replica, eventually, name, token};

#[tokio::test]
async fn while_nobody_listens_nothing_is_written_and_while_somebody_does_the_stream_stays() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("silent");
    let lock = replica.api.granted(&resource, "a", 30).await;
    replica.api.release(&resource, token(&lock)).await;
    assert_eq!(redis.cli(&["--scan", "--pattern", "gorilla:events*"]), "");
    let feed = feed(&redis.url());
    let listener = listen(&feed, None).await;
    let kept: u64 = redis.cli(&["PTTL", "gorilla:events"]).parse().expect("a time");
    assert!((60_000..=120_000).contains(&kept), "{kept}");
    assert_eq!(feed.listeners(), 1);
    drop(listener);
    assert_eq!(feed.listeners(), 0);
}

#[tokio::test]
async fn where_events_are_always_recorded_a_lock_has_a_history_before_anybody_looks() {
    let redis = Redis::start(&[]);
    let replica = Replica::with(&redis.url(), &[("GORILLA__EVENTS__RECORD", "always")]).await;
    eventually("there is a stream", super::PATIENCE, || async { redis.cli(&["EXISTS", "gorilla:events"]) == "1" })
        .await;
    let kept: u64 = redis.cli(&["PTTL", "gorilla:events"]).parse().expect("a time");
    assert!(kept > 23 * 60 * 60 * 1000, "{kept}");
    let resource = name("always");
    let lock = replica.api.granted(&resource, "a", 30).await;
    replica.api.release(&resource, token(&lock)).await;
    // Somebody who only listens doesn't shorten that.
    let feed = feed(&redis.url());
    let _listener = listen(&feed, None).await;
    let resource = gorilla_domain::ResourceName::parse(&resource).expect("a name");
    let history = feed.history(&resource, None, 10).await.expect("Redis answers");
    assert_eq!(kinds(&history.events), ["released", "granted"]);
    assert!(redis.cli(&["PTTL", "gorilla:events"]).parse::<u64>().expect("a time") > 120_000);
}

#[tokio::test]
async fn with_recording_off_nobody_can_listen_and_there_is_no_history() {
    let redis = Redis::start(&[]);
    let feed = feed_with(&redis.url(), &[("events.record", "off")]);
    assert!(matches!(feed.listen(None).await, Err(ListenError::Off)));
    eventually("Redis answers", super::PATIENCE, || async {
        let resource = gorilla_domain::ResourceName::parse("a").expect("a name");
        feed.history(&resource, None, 10).await.is_ok_and(|history| history.recorded_since.is_none())
    })
    .await;
    assert_eq!(redis.cli(&["EXISTS", "gorilla:events"]), "0");
}

#[tokio::test]
async fn of_64_requests_that_go_together_one_fails_and_63_are_told_with_cursors_of_their_own() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let feed = feed(&redis.url());
    let mut listener = listen(&feed, None).await;
    let resources: Vec<_> = (0..64).map(|_| name("batch")).collect();
    redis.cli(&["SET", &format!("gorilla:{{{}}}:lock", resources[17]), "not a lock"]);
    let items: Vec<_> = resources
        .iter()
        .map(|resource| json!({ "op": "acquire", "resource": resource, "owner": "a", "timeout": 60 }))
        .collect();
    let answer = replica.api.batch(&json!({ "operations": items }), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..63 {
        let event = next_of(&mut listener, &resources).await;
        assert_eq!(event.event.kind().as_str(), "granted");
        assert!(seen.insert(event.cursor.expect("a cursor").to_string()));
    }
    // Nothing of the one that failed comes behind them.
    let last = name("batch-last");
    replica.api.granted(&last, "a", 60).await;
    let mut all = resources.clone();
    all.push(last.clone());
    assert_eq!(next_of(&mut listener, &all).await.event.resource.as_str(), last);
    // They went to Redis in few commands, and each command made one entry: the first entry is a position only.
    let entries: usize = redis.cli(&["XLEN", "gorilla:events"]).parse().expect("a number");
    println!("64 requests made {} entries", entries - 2);
    assert!(entries - 2 < 63, "{entries}");
}

#[tokio::test]
async fn renewals_of_a_brief_batch_are_told_one_by_one() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let feed = feed(&redis.url());
    let mut listener = listen(&feed, None).await;
    let resources = [name("renewed"), name("renewed")];
    let mut items = vec![];
    for resource in &resources {
        let lock = replica.api.granted(resource, "a", 30).await;
        let token = token(&lock);
        items.push(json!({ "op": "extend", "resource": resource, "token": token, "timeout": 60, "rotate": false }));
    }
    let answer = replica.api.batch(&json!({ "operations": items, "brief": true }), &[]).await;
    assert_eq!(answer.json()["ok"], 2, "{answer:?}");
    let mut seen = vec![];
    for _ in 0..4 {
        let event = next_of(&mut listener, &resources).await;
        let event = &event.event;
        seen.push((event.kind().as_str(), event.resource.as_str().to_string()));
    }
    seen.sort_unstable();
    let [mut granted, mut extended] = ["granted", "extended"].map(|kind| resources.clone().map(|one| (kind, one)));
    granted.sort_unstable();
    extended.sort_unstable();
    assert_eq!(seen, [extended, granted].concat());
}

#[tokio::test]
async fn a_redis_that_is_out_of_memory_releases_extends_and_tells_both() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("full"));
    let mut listener = listen(&feed, None).await;
    let lock = replica.api.granted(&resource, "a", 60).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(replica.api.acquire(&name("refused"), "a", 60).await.status, 503);
    let extended = replica.api.extend(&resource, token(&lock), 60).await;
    assert_eq!(extended.status, 200, "{}", extended.text);
    assert_eq!(replica.api.release(&resource, token(&extended.json())).await.status, 204);
    let events = until(&mut listener, &resource, "released").await;
    assert_eq!(kinds(&events), ["granted", "extended", "released"]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_written_costs_no_answer() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    redis.cli(&["SET", "gorilla:events", "not a stream"]);
    let resource = name("spoilt");
    let lock = replica.api.granted(&resource, "a", 30).await;
    assert_eq!(replica.api.release(&resource, token(&lock)).await.status, 204);
    let feed = feed(&redis.url());
    eventually("who listens is told", super::PATIENCE, || async {
        matches!(feed.listen(None).await, Err(ListenError::Failed(gorilla_domain::Failure::Broken(_))))
    })
    .await;
}

#[tokio::test]
async fn a_user_with_only_the_documented_rights_records_and_listens() {
    let redis = Redis::start(&[]);
    let rules = crate::topology::rules("a server").split(' ').map(String::from).collect::<Vec<_>>();
    let user: Vec<_> =
        ["ACL", "SETUSER", "gorilla", "on", ">secret"].into_iter().chain(rules.iter().map(String::as_str)).collect();
    assert_eq!(redis.cli(&user), "OK");
    let url = redis.url().replace("redis://", "redis://gorilla:secret@");
    let (replica, feed, resource) = (Replica::with(&url, &[]).await, feed(&url), name("rights"));
    let mut listener = listen(&feed, None).await;
    let lock = replica.api.granted(&resource, "a", 0.3).await;
    let events = until(&mut listener, &resource, "expired").await;
    assert_eq!(kinds(&events), ["granted", "expired"]);
    assert_eq!(events[0].event.fence, lock["fence"].as_u64());
    let resource = gorilla_domain::ResourceName::parse(&resource).expect("a name");
    assert_eq!(kinds(&feed.history(&resource, None, 10).await.expect("a history").events), ["expired", "granted"]);
}

#[tokio::test]
async fn locks_of_a_set_are_told_when_they_are_taken_and_when_the_set_is_complete() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let feed = feed(&redis.url());
    let mut listener = listen(&feed, None).await;
    let (a, b) = (name("set"), name("set"));
    let body = json!({ "resources": [{ "resource": a }, { "resource": b }], "owner": "a", "timeout": 30 });
    let answer = replica
        .api
        .send(
            crate::harness::Method::POST,
            "/api/v1/locks",
            &[("Content-Type", "application/json")],
            Some(body.to_string()),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for resource in [&a, &b] {
        let granted = told(&next(&mut listener, resource).await);
        assert_eq!(granted["type"], "granted");
    }
}
