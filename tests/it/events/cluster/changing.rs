//! A Cluster that changes: slots move, a master is lost, clocks differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::future::join_all;
use gorilla_domain::event::Missed;

use super::{
    super::{cursors, feed, json as told, kinds, listen, missed, next, until},
    feed_of_its_own, lock, names_at_all_masters, next_all, used,
};
use crate::harness::{Cluster, ELECTION, Replica, WallClock, eventually, name, token};

#[tokio::test]
async fn a_lock_whose_slot_moves_to_another_master_goes_on_being_told_in_order() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let (feed, resource) = (feed(&cluster.url()), name("moving"));
    let mut listener = listen(&feed, None).await;
    let mut held = replica.api.granted(&resource, "a", 60).await;
    let granted = next(&mut listener, &resource).await;
    let from = cluster.master_of(&lock(&resource)).port;
    // While it moves, changes go on.
    for _ in 0..5 {
        held = replica.api.extend(&resource, token(&held), 60).await.json();
    }
    cluster.move_slot(&lock(&resource));
    for _ in 0..5 {
        held = replica.api.extend(&resource, token(&held), 60).await.json();
    }
    assert_eq!(replica.api.release(&resource, token(&held)).await.status, 204);
    assert_ne!(cluster.master_of(&lock(&resource)).port, from);
    let rest = until(&mut listener, &resource, "released").await;
    let mut expected = vec!["extended"; 10];
    expected.push("released");
    assert_eq!(kinds(&rest), expected);
    // A cursor from before the move is good, at a replica that begins after it.
    let other = feed_of_its_own(&cluster).await;
    let mut late = listen(&other, granted.cursor).await;
    assert!(late.resumed());
    assert_eq!(cursors(&until(&mut late, &resource, "released").await), cursors(&rest));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_slots_move_under_load_no_event_is_lost_or_told_twice() {
    let cluster = Cluster::start().await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    let feed = feed(&cluster.url());
    let resources = names_at_all_masters(&cluster, "reshard", 2);
    let mut listener = listen(&feed, None).await;
    let moved = Arc::new(AtomicBool::new(false));
    let work = resources.iter().cloned().map(|resource| {
        let (api, moved) = (replica.api.apart(), Arc::clone(&moved));
        tokio::spawn(async move {
            let (mut held, mut extends) = (api.granted(&resource, "a", 600).await, 0);
            while !moved.load(Relaxed) || extends < 10 {
                let extended = api.extend(&resource, token(&held), 600).await;
                assert_eq!(extended.status, 200, "{}", extended.text);
                (held, extends) = (extended.json(), extends + 1);
            }
            assert_eq!(api.release(&resource, token(&held)).await.status, 204);
            (resource, extends)
        })
    });
    let work: Vec<_> = work.collect();
    for resource in &resources {
        cluster.move_slot(&lock(resource));
    }
    moved.store(true, Relaxed);
    let mut expected = BTreeMap::new();
    for done in work {
        let (resource, extends) = done.await.expect("the work ends");
        let kinds = [vec!["granted"], vec!["extended"; extends], vec!["released"]].concat();
        expected.insert(resource, kinds);
    }
    let count = expected.values().map(Vec::len).sum();
    let events = next_all(&mut listener, &resources, count).await;
    let mut heard = BTreeMap::<String, Vec<&str>>::new();
    for event in &events {
        heard.entry(event.event.resource.to_string()).or_default().push(event.event.kind().as_str());
    }
    assert_eq!(heard, expected);
    let positions: BTreeSet<_> = cursors(&events).into_iter().collect();
    assert_eq!(positions.len(), count);
}

#[tokio::test]
async fn masters_whose_clocks_differ_are_told_in_one_order_and_a_clock_that_is_set_back_is_missed() {
    let clock = WallClock::new();
    let cluster = Cluster::with_clock(&clock).await;
    let replica = Replica::with(&cluster.url(), &[]).await;
    clock.step(-1);
    let resources = names_at_all_masters(&cluster, "skewed", 3);
    let feeds = [feed(&cluster.url()), feed(&cluster.url())];
    let mut listeners = join_all(feeds.iter().map(|feed| listen(feed, None))).await;
    let mut locks = Vec::new();
    for resource in &resources {
        used(&replica.api, resource).await;
        locks.push(replica.api.granted(resource, "a", 0.5).await);
    }
    let mut heard = Vec::new();
    for listener in &mut listeners {
        let events = next_all(listener, &resources, resources.len() * 5).await;
        let mut of_each = BTreeMap::<&str, Vec<&str>>::new();
        for event in &events {
            of_each.entry(event.event.resource.as_str()).or_default().push(event.event.kind().as_str());
        }
        for (resource, kinds) in of_each {
            assert_eq!(kinds, ["granted", "extended", "released", "granted", "expired"], "{resource}");
        }
        heard.push(cursors(&events));
    }
    assert_eq!(heard[0], heard[1]);

    clock.step(-2);
    assert_eq!(missed(&mut listeners[0]).await, Missed::Restarted);
    let after = names_at_all_masters(&cluster, "after", 1);
    for resource in &after {
        used(&replica.api, resource).await;
    }
    let events = next_all(&mut listeners[0], &after, after.len() * 3).await;
    assert_eq!(events.iter().filter(|event| event.event.kind().as_str() == "granted").count(), after.len());
}

#[tokio::test]
async fn after_the_loss_of_a_master_a_listener_is_told_that_events_may_be_missing_and_then_what_happens() {
    let mut cluster = Cluster::with_replicas().await;
    let url = cluster.url_naming(&cluster.nodes.iter().map(|node| node.port).collect::<Vec<_>>());
    let replica = Replica::with(&url, &[]).await;
    let (feed, resource) = (feed(&url), name("failover"));
    let mut listener = listen(&feed, None).await;
    used(&replica.api, &resource).await;
    let before = until(&mut listener, &resource, "released").await;
    let old = cluster.index_of_master(&lock(&resource), None).expect("a master");
    cluster.nodes[old].stop();
    assert_eq!(missed(&mut listener).await, Missed::Failover);
    eventually("another master has its slots", ELECTION, || async {
        cluster.index_of_master(&lock(&resource), Some(old)).is_some()
    })
    .await;
    eventually("locks can be had again", ELECTION, || async {
        replica.api.acquire(&resource, "after", 60).await.status < 300
    })
    .await;
    let granted = next(&mut listener, &resource).await;
    assert_eq!(told(&granted)["owner"], "after");
    assert_ne!(granted.cursor.map(|cursor| cursor.epoch), before[0].cursor.map(|cursor| cursor.epoch));
    let mut late = listen(&feed, before[0].cursor).await;
    assert!(!late.resumed());
    assert_eq!(missed(&mut late).await, Missed::Failover);
}
