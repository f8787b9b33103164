//! The end of a lease, which nobody causes: it is told within a second, once, and never for a lock that did not end so.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use gorilla_domain::{ResourceName, event::Change};
use serde_json::json;

use super::{cursors, feed, json as told, kinds, listen, next, next_of, until};
use crate::harness::{Method, Redis, Replica, eventually, lock_path, name, token};

#[tokio::test]
async fn three_listening_replicas_tell_an_end_once_and_soon_and_so_they_do_if_one_of_them_dies() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let feeds = [feed(&redis.url()), feed(&redis.url()), feed(&redis.url())];
    let mut listeners = join_all(feeds.iter().map(|feed| listen(feed, None))).await;
    let resources: Vec<_> = (0..20).map(|_| name("ends")).collect();
    for resource in &resources {
        replica.api.granted(resource, "a", 0.3).await;
    }
    for listener in &mut listeners {
        let mut seen = BTreeMap::<String, Vec<String>>::new();
        while seen.values().filter(|events| events.last().is_some_and(|kind| kind == "expired")).count()
            < resources.len()
        {
            let event = next_of(listener, &resources).await;
            if let Change::Expired { expired_at, .. } = &event.event.change {
                assert!(event.event.at >= *expired_at, "{event:?}");
            }
            seen.entry(event.event.resource.to_string()).or_default().push(event.event.kind().as_str().into());
        }
        for (resource, kinds) in seen {
            assert_eq!(kinds, ["granted", "expired"], "{resource}");
        }
    }
    // All three tell the same entries; nothing comes twice later.
    let recorded = redis.cli(&["XLEN", "gorilla:events"]);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(redis.cli(&["XLEN", "gorilla:events"]), recorded);
}

#[tokio::test]
async fn an_end_that_a_waiter_has_used_at_once_is_told_before_its_grant_by_all_alike() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feeds, resource) = ([feed(&redis.url()), feed(&redis.url())], name("taken"));
    let [mut one, mut other] = [listen(&feeds[0], None).await, listen(&feeds[1], None).await];
    let first = replica.api.granted(&resource, "first", 0.5).await;
    let asked = json!({ "owner": "second", "timeout": 60, "wait": 50 });
    let second = replica.api.acquire_with(&resource, &asked, &[]).await.json();
    let mut all = Vec::new();
    for listener in [&mut one, &mut other] {
        let mut events = until(listener, &resource, "queued").await;
        events.extend(until(listener, &resource, "granted").await);
        assert_eq!(kinds(&events), ["granted", "queued", "expired", "granted"]);
        assert_eq!([&told(&events[2])["fence"], &told(&events[3])["fence"]], [&first["fence"], &second["fence"]]);
        assert_eq!(told(&events[2])["expiredAt"], first["expireAt"]);
        all.push(cursors(&events));
    }
    assert_eq!(all[0], all[1]);
    // Told by a replica, or derived: if derived, at the place of the grant.
    if all[0][2].ends_with(".e") {
        assert_eq!(all[0][2], format!("{}.e", all[0][3]));
    }
    // The history has the same.
    let name = ResourceName::parse(&resource).expect("a name");
    let history = feeds[1].history(&name, None, 100).await.expect("Redis answers");
    let mut newest_first = all[0].clone();
    newest_first.reverse();
    assert_eq!(cursors(&history.events), newest_first);
    assert_eq!((history.before, history.recorded_since.is_some()), (None, true));
    // In pages too.
    let (mut before, mut paged) = (None, Vec::new());
    loop {
        let page = feeds[0].history(&name, before, 1).await.expect("Redis answers");
        paged.extend(cursors(&page.events));
        match page.before {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(paged, newest_first);
}

#[tokio::test]
async fn a_lease_that_is_extended_just_before_its_end_does_not_end_and_a_release_is_no_end() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, resource) = (feed(&redis.url()), name("extended"));
    let mut listener = listen(&feed, None).await;
    let mut extended = 0;
    let begun = Instant::now();
    // Some extends come too late on a slow machine. Whatever Redis answered, the events say the same.
    for round in 0..20 {
        assert!(begun.elapsed() < super::PATIENCE);
        let lock = replica.api.granted(&resource, "a", 0.2).await;
        tokio::time::sleep(Duration::from_millis(180 + round)).await;
        let answer = replica.api.extend(&resource, token(&lock), 30).await;
        let events = if answer.status == 200 {
            extended += 1;
            replica.api.release(&resource, token(&answer.json())).await;
            until(&mut listener, &resource, "released").await
        } else {
            until(&mut listener, &resource, "expired").await
        };
        match answer.status {
            200 => assert_eq!(kinds(&events), ["granted", "extended", "released"]),
            _ => assert_eq!(kinds(&events), ["granted", "expired"]),
        }
    }
    println!("{extended} of 20 were extended in time");
    replica.api.granted(&resource, "last", 30).await;
    assert_eq!(kinds(&until(&mut listener, &resource, "granted").await), ["granted"]);
}

#[tokio::test]
async fn releases_at_the_moment_of_the_end_give_one_end_for_each_grant() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feeds, resource) = ([feed(&redis.url()), feed(&redis.url())], name("race"));
    let mut listener = listen(&feeds[0], None).await;
    let _other = listen(&feeds[1], None).await;
    for round in 0..20 {
        let lock = replica.api.granted(&resource, "a", 0.15).await;
        tokio::time::sleep(Duration::from_millis(140 + round)).await;
        let released = replica.api.release(&resource, token(&lock)).await.status == 204;
        let end = if released { "released" } else { "expired" };
        let events = until(&mut listener, &resource, end).await;
        assert_eq!(kinds(&events), ["granted", end], "{round}");
        assert_eq!(events[1].event.fence, lock["fence"].as_u64());
    }
}

#[tokio::test]
async fn a_lock_that_was_granted_before_anybody_listened_ends_too() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("before");
    let lock = replica.api.granted(&resource, "a", 2).await;
    let feed = feed(&redis.url());
    let mut listener = listen(&feed, None).await;
    let expired = next(&mut listener, &resource).await;
    assert_eq!((expired.event.kind().as_str(), expired.event.fence), ("expired", lock["fence"].as_u64()));
}

#[tokio::test]
async fn an_end_without_listeners_is_told_when_somebody_listens_again() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (first, resource) = (feed(&redis.url()), name("gap"));
    let mut listener = listen(&first, None).await;
    let lock = replica.api.granted(&resource, "a", 1).await;
    let granted = next(&mut listener, &resource).await;
    let cursor = granted.cursor;
    drop((listener, first));
    eventually("the lease ends", super::PATIENCE, || async { replica.api.state(&resource).await["held"] == false })
        .await;
    // The first replica reads on for a while, and may tell it.
    let second = feed(&redis.url());
    let mut listener = listen(&second, cursor).await;
    assert!(listener.resumed());
    let expired = next(&mut listener, &resource).await;
    assert_eq!((expired.event.kind().as_str(), expired.event.fence), ("expired", lock["fence"].as_u64()));
    assert_eq!(told(&expired)["expiredAt"], lock["expireAt"]);
}

#[tokio::test]
async fn a_lock_that_was_given_back_for_later_or_broken_with_a_grace_ends_as_what_it_is() {
    let redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let (feed, later, broken) = (feed(&redis.url()), name("later"), name("grace"));
    let mut listener = listen(&feed, None).await;
    let lock = replica.api.granted(&later, "a", 60).await;
    let path = format!("{}/{}?after=0.3", lock_path(&later), token(&lock));
    assert_eq!(replica.api.send(Method::DELETE, &path, &[], None).await.status, 204);
    let events = until(&mut listener, &later, "released").await;
    assert_eq!(kinds(&events), ["granted", "extended", "released"]);
    let held = replica.api.granted(&broken, "a", 60).await;
    replica.api.break_lock(&broken, &json!({ "grace": 0.3, "reason": "stuck" }), &[]).await;
    let events = until(&mut listener, &broken, "broken").await;
    assert_eq!(kinds(&events), ["granted", "extended", "broken"]);
    assert_eq!([&told(&events[2])["fence"], &told(&events[2])["reason"]], [&held["fence"], &json!("stuck")]);
}
