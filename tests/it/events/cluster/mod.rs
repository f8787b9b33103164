//! The same promises in a Redis Cluster, where each slot has a stream of its own.

mod changing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::join_all;
use gorilla::events::{Listener, Recorded};
use gorilla_domain::{
    ResourceName,
    event::{Cursor, EntryId, Missed},
};
use serde_json::json;

use super::{cursors, feed, feed_with, json as told, kinds, listen, missed, next_of, until};
use crate::{
    events_http::Stream,
    harness::{Api, Cluster, Method, Replica, eventually, name, token},
};

/// The slots of a Cluster.
const SLOTS: usize = 16_384;

fn lock(resource: &str) -> String {
    format!("gorilla:{{{resource}}}:lock")
}

/// How many streams of events all nodes have.
fn streams(cluster: &Cluster) -> usize {
    let of = |node: &crate::harness::Redis| node.cli(&["--scan", "--pattern", "gorilla:{*}:events"]);
    cluster.nodes.iter().map(|node| of(node).lines().filter(|line| !line.is_empty()).count()).sum()
}

/// Names of locks, some at each master.
fn names_at_all_masters(cluster: &Cluster, start: &str, of_each: usize) -> Vec<String> {
    let mut found = BTreeMap::<u16, Vec<String>>::new();
    while found.len() < cluster.nodes.len() || found.values().any(|names| names.len() < of_each) {
        let name = name(start);
        let names = found.entry(cluster.master_of(&lock(&name)).port).or_default();
        if names.len() < of_each {
            names.push(name);
        }
    }
    found.into_values().flatten().collect()
}

/// Acquires, extends and releases.
async fn used(api: &Api, resource: &str) {
    let granted = api.granted(resource, "a", 60).await;
    let extended = api.extend(resource, token(&granted), 60).await.json();
    assert_eq!(api.release(resource, token(&extended)).await.status, 204);
}

/// The next events of these locks.
async fn next_all(listener: &mut Listener, resources: &[String], count: usize) -> Vec<Arc<Recorded>> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next_of(listener, resources).await);
    }
    all
}

#[tokio::test]
async fn events_of_locks_at_all_masters_come_once_in_order_and_alike_at_all_replicas() {
    let cluster = Cluster::start().await;
    let replicas = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let resources = names_at_all_masters(&cluster, "alike", 5);
    let feeds = [feed(&cluster.url()), feed(&cluster.url())];
    let mut listeners = join_all(feeds.iter().map(|feed| listen(feed, None))).await;
    let last = name("last");
    join_all(resources.iter().enumerate().map(async |(index, resource)| {
        for round in 0..4 {
            used(&replicas[(index + round) % 2].api, resource).await;
        }
    }))
    .await;
    let count = resources.len() * 4 * 3;
    let mut heard = Vec::new();
    for listener in &mut listeners {
        let events = next_all(listener, &resources, count).await;
        let mut of_each = BTreeMap::<&str, Vec<&str>>::new();
        for event in &events {
            of_each.entry(event.event.resource.as_str()).or_default().push(event.event.kind().as_str());
        }
        for (resource, kinds) in of_each {
            assert_eq!(kinds, ["granted", "extended", "released"].repeat(4), "{resource}");
        }
        let positions: Vec<_> = events.iter().map(|event| event.cursor.expect("a cursor")).collect();
        assert!(positions.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt()), "{positions:?}");
        heard.push(cursors(&events));
    }
    assert_eq!(heard[0], heard[1], "all replicas tell the same in the same order");
    // Nothing comes a second time behind them.
    replicas[0].api.granted(&last, "a", 60).await;
    let all: Vec<_> = resources.iter().cloned().chain([last.clone()]).collect();
    for listener in &mut listeners {
        assert_eq!(next_of(listener, &all).await.event.resource.as_str(), last);
    }
}

#[tokio::test]
async fn a_cursor_resumes_at_another_replica_and_in_a_pause_nothing_is_lost() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources = names_at_all_masters(&cluster, "resumes", 3);
    let (first, second) = (feed(&cluster.url()), feed(&cluster.url()));
    let mut whole = listen(&first, None).await;
    let mut listener = listen(&first, None).await;
    for resource in &resources {
        used(&replica.api, resource).await;
    }
    // In the middle of them, whichever master they are at.
    let before = next_all(&mut listener, &resources, resources.len()).await;
    drop(listener);
    for resource in &resources {
        used(&replica.api, resource).await;
    }
    let count = resources.len() * 6;
    let all = cursors(&next_all(&mut whole, &resources, count).await);
    assert_eq!(cursors(&before), all[..before.len()]);
    let since = before.last().and_then(|event| event.cursor);
    for feed in [&second, &first] {
        let mut listener = listen(feed, since).await;
        assert!(listener.resumed());
        let rest = cursors(&next_all(&mut listener, &resources, count - before.len()).await);
        assert_eq!(rest, all[before.len()..]);
    }
    // Another replica that begins after the last change, from each cursor on.
    let third = feed_of_its_own(&cluster).await;
    let cursor: Cursor = all[all.len() - 2].parse().expect("a cursor");
    let mut listener = listen(&third, Some(cursor)).await;
    assert_eq!(cursors(&next_all(&mut listener, &resources, 1).await), all[all.len() - 1..]);
    // What can't be had is missed.
    let elsewhere: Cursor = "0123456789ab.1-0-5.0".parse().expect("a cursor");
    let long_ago = Cursor { entry: EntryId { ms: 1, seq: 0 }, ..cursor };
    let ahead = Cursor { entry: EntryId { ms: cursor.entry.ms + 3_600_000, seq: 0 }, ..cursor };
    for (since, why) in [(elsewhere, Missed::Restarted), (long_ago, Missed::Trimmed), (ahead, Missed::Restarted)] {
        let mut listener = listen(&first, Some(since)).await;
        assert!(!listener.resumed());
        assert_eq!(missed(&mut listener).await, why, "{since}");
    }
}

async fn feed_of_its_own(cluster: &Cluster) -> Arc<gorilla::events::Feed> {
    let feed = feed(&cluster.url());
    drop(listen(&feed, None).await);
    feed
}

#[tokio::test]
async fn an_end_is_told_once_by_all_replicas_and_before_the_grant_of_a_waiter() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let resources = names_at_all_masters(&cluster, "ends", 4);
    let feeds = [feed(&cluster.url()), feed(&cluster.url())];
    let mut listeners = join_all(feeds.iter().map(|feed| listen(feed, None))).await;
    for resource in &resources {
        replica.api.granted(resource, "a", 0.3).await;
    }
    let mut heard = Vec::new();
    for listener in &mut listeners {
        let events = next_all(listener, &resources, resources.len() * 2).await;
        let ended = events.iter().filter(|event| event.event.kind().as_str() == "expired");
        let ended: BTreeSet<_> = ended.map(|event| event.event.resource.as_str()).collect();
        assert_eq!(ended.len(), resources.len());
        heard.push(cursors(&events));
    }
    assert_eq!(heard[0], heard[1]);
    // The next event of each is that of a later grant: no end is told again.
    for resource in &resources {
        replica.api.granted(resource, "b", 60).await;
    }
    for listener in &mut listeners {
        let events = next_all(listener, &resources, resources.len()).await;
        assert_eq!(kinds(&events), vec!["granted"; resources.len()]);
    }
    // A waiter takes the lock at once.
    let resource = name("taken");
    let first = replica.api.granted(&resource, "first", 0.5).await;
    let asked = json!({ "owner": "second", "timeout": 60, "wait": 50 });
    let second = replica.api.acquire_with(&resource, &asked, &[]).await.json();
    let mut all = Vec::new();
    for listener in &mut listeners {
        let mut events = until(listener, &resource, "queued").await;
        events.extend(until(listener, &resource, "granted").await);
        assert_eq!(kinds(&events), ["granted", "queued", "expired", "granted"]);
        assert_eq!([&told(&events[2])["fence"], &told(&events[3])["fence"]], [&first["fence"], &second["fence"]]);
        all.push(cursors(&events));
    }
    assert_eq!(all[0], all[1]);
    let name = ResourceName::parse(&resource).expect("a name");
    let history = feeds[1].history(&name, None, 100).await.expect("Redis answers");
    all[0].reverse();
    assert_eq!(cursors(&history.events), all[0]);
    assert!(history.recorded_since.is_some() && history.before.is_none());
    // In pages too.
    let page = feeds[0].history(&name, None, 2).await.expect("Redis answers");
    assert_eq!(cursors(&page.events), all[0][..2]);
    let page = feeds[0].history(&name, page.before, 100).await.expect("Redis answers");
    assert_eq!(cursors(&page.events), all[0][2..]);
}

#[tokio::test]
async fn while_nobody_listens_nothing_is_written_and_a_flush_is_told_as_missed() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[("GORILLA__EVENTS__PULSE", "false")]).await;
    let resource = name("silent");
    used(&replica.api, &resource).await;
    assert_eq!(streams(&cluster), 0);
    let all: Vec<_> = cluster.nodes.iter().map(|node| node.cli(&["--scan", "--pattern", "*events*"])).collect();
    assert_eq!(all.concat(), "");
    let feed = feed(&cluster.url());
    let mut listener = listen(&feed, None).await;
    assert_eq!(streams(&cluster), SLOTS);
    let node = cluster.master_of(&lock(&resource));
    let stream = node.cli(&["--scan", "--pattern", "gorilla:{*}:events"]);
    let kept: u64 = node.cli(&["PTTL", stream.lines().next().expect("a stream")]).parse().expect("a time");
    assert!((30_000..=120_000).contains(&kept), "{kept}");
    used(&replica.api, &resource).await;
    let events = until(&mut listener, &resource, "released").await;
    let cursor = events[0].cursor;

    node.cli(&["FLUSHALL"]);
    assert_eq!(missed(&mut listener).await, Missed::Restarted);
    assert_eq!(streams(&cluster), SLOTS);
    used(&replica.api, &resource).await;
    assert_eq!(kinds(&until(&mut listener, &resource, "released").await), ["granted", "extended", "released"]);
    let mut late = listen(&feed, cursor).await;
    assert!(!late.resumed());
    assert_eq!(missed(&mut late).await, Missed::Restarted);
}

#[tokio::test]
async fn where_events_are_always_recorded_a_lock_of_a_cluster_has_a_history_before_anybody_looks() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[("GORILLA__EVENTS__RECORD", "always")]).await;
    eventually("there are streams", super::PATIENCE, || async { streams(&cluster) == SLOTS }).await;
    let resource = name("always");
    used(&replica.api, &resource).await;
    let name = ResourceName::parse(&resource).expect("a name");
    let feed = feed(&cluster.url());
    eventually("Redis answers", super::PATIENCE, || async { feed.history(&name, None, 10).await.is_ok() }).await;
    let history = feed.history(&name, None, 10).await.expect("Redis answers");
    assert_eq!(kinds(&history.events), ["released", "extended", "granted"]);
    assert!(history.recorded_since.is_some());
    let off = feed_with(&cluster.url(), &[("events.record", "off")]);
    assert!(matches!(off.listen(None).await, Err(gorilla::events::ListenError::Off)));
}

#[tokio::test]
async fn a_user_with_only_the_documented_rights_records_and_listens_in_a_cluster() {
    let cluster = Cluster::start().await;
    let rules = crate::topology::rules("in a Cluster").split(' ').map(String::from).collect::<Vec<_>>();
    let user: Vec<_> =
        ["ACL", "SETUSER", "gorilla", "on", ">secret"].into_iter().chain(rules.iter().map(String::as_str)).collect();
    for node in &cluster.nodes {
        assert_eq!(node.cli(&user), "OK");
    }
    let url = cluster.url().replace("redis-cluster://", "redis-cluster://gorilla:secret@");
    let (replica, feed, resource) = (Replica::with(&url, &[]).await, feed(&url), name("rights"));
    let mut listener = listen(&feed, None).await;
    replica.api.granted(&resource, "a", 0.3).await;
    assert_eq!(kinds(&until(&mut listener, &resource, "expired").await), ["granted", "expired"]);
    // Without one of the rights locks work as ever, and nobody can listen.
    for node in &cluster.nodes {
        assert_eq!(node.cli(&["ACL", "SETUSER", "gorilla", "-xadd"]), "OK");
    }
    drop(listener);
    for node in &cluster.nodes {
        node.cli(&["FLUSHALL"]);
    }
    used(&replica.api, &resource).await;
    let other = super::feed(&url);
    eventually("who listens is told", super::PATIENCE, || async {
        matches!(
            other.listen(None).await,
            Err(gorilla::events::ListenError::Failed(gorilla_domain::Failure::Broken(why))) if why.contains("NOPERM")
        )
    })
    .await;
}

#[tokio::test]
async fn in_a_cluster_too_replicas_answer_polls_histories_and_who_waits_for_a_free_lock() {
    let cluster = Cluster::start().await;
    let replicas = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let [one, other] = [&replicas[0].api, &replicas[1].api];
    let resource = name("polled");
    let poll = async |api: &Api, query: &str| {
        let path = format!("/api/v1/events?resource={resource}&{query}");
        let answer = api.send(Method::GET, &path, &[("Accept", "application/json")], None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let begun = poll(one, "wait=0").await;
    let since = begun["cursor"].as_str().expect("a cursor").to_string();
    let held = one.granted(&resource, "a", 60).await;
    let query = format!("wait=50&since={since}");
    let heard = [poll(one, &query).await, poll(other, &query).await];
    assert_eq!(heard[0]["events"][0]["fence"], held["fence"], "{}", heard[0]);
    assert_eq!(heard[0]["events"], heard[1]["events"]);
    // Who looks on at an election.
    let mut election = Stream::listen(other, &format!("?resource={resource}&snapshot=1&types=leader,vacant")).await;
    assert_eq!(election.expect("leader").await.data["fence"], held["fence"]);
    election.until("synced").await;
    let free = async {
        let answer = other.get(&format!("/api/v1/locks/{resource}?until=free&wait=50")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let (free, released) = tokio::join!(free, one.release(&resource, token(&held)));
    assert_eq!((free["held"].as_bool(), released.status), (Some(false), 204), "{free}");
    election.until("vacant").await;
    let last = heard[0]["cursor"].as_str().expect("a cursor");
    let rest = poll(other, &format!("wait=50&since={last}")).await;
    assert_eq!((&rest["events"][0]["type"], &rest["missed"]), (&json!("released"), &json!(null)), "{rest}");
    let history = other.get(&format!("/api/v1/locks/{resource}/events")).await.json();
    assert_eq!(history["events"][0], rest["events"][0], "{history}");
    assert_eq!(history["events"][1], heard[0]["events"][0], "{history}");
    // What replicas tell of themselves doesn't depend on events.
    eventually("both replicas are known", super::PATIENCE, || async {
        let replicas = one.get("/api/v1/replicas").await.json();
        replicas["replicas"].as_array().is_some_and(|all| all.len() == 2)
    })
    .await;
    assert_eq!(one.get("/api/v1/contention").await.status, 200);
}
