//! Sets over a Cluster and with Sentinel, and sets that replicas of Redis confirm.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    HOLD_ENDS, SOON, all_granted, answer, ask, asking, body, granted, is_held, key, keys, release_all, two,
    waiting_for_last, waits,
};
use crate::{
    failover::heals,
    harness::{Cluster, Redis, Replica, Sentinel, eventually, name, token},
};

/// Names in ascending order that are at all masters of a cluster.
fn spread(cluster: &Cluster) -> Vec<String> {
    let base = name("spread");
    let names: Vec<_> = (0..9).map(|number| format!("{base}-{number}")).collect();
    let masters: BTreeSet<_> = names.iter().map(|name| cluster.master_of(&key(name, "lock")).port).collect();
    assert_eq!(masters.len(), 3, "nine names are at three masters");
    names
}

#[tokio::test]
async fn sets_over_the_nodes_of_a_cluster_are_all_or_nothing() {
    let cluster = Cluster::start().await;
    let [one, other] = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let names = spread(&cluster);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let node = |name: &str| cluster.master_of(&key(name, "lock"));
    let held = |name: &str| is_held(node(name), name);

    let set = granted(&one.api, &names, 30.0, 0.0).await;
    assert!(names.iter().all(|name| held(name)));
    let refused = ask(&other.api, &body(&names[3..], 30.0, 0.0), &[]).await;
    assert_eq!((refused.status, refused.json()["resource"].as_str()), (409, Some(names[3])), "{refused:?}");
    release_all(&other.api, &set).await;

    // A refusal leaves nothing at any node.
    let last = other.api.granted(names[8], "holder", 60).await;
    let refused = ask(&one.api, &body(&names, 30.0, 0.0), &[]).await;
    assert_eq!((refused.status, refused.json()["resource"].as_str()), (409, Some(names[8])), "{refused:?}");
    assert!(names[..8].iter().all(|name| keys(node(name), name).is_empty()));

    // One that waits holds the others, is woken by a message over the bus of the cluster, and a copy has its tokens.
    let key = [("Idempotency-Key", "k")];
    let waiting = asking(&one.api, body(&names, 30.0, 20.0), Some("k"));
    eventually("it waits for the last", 2 * SOON, || async {
        waits(node(names[8]), names[8]) == 1 && names[..8].iter().all(|name| held(name))
    })
    .await;
    other.api.release(names[8], token(&last)).await;
    let set = all_granted(&answer(waiting).await);
    let copy = ask(&other.api, &body(&names, 30.0, 0.0), &key).await;
    assert_eq!(copy.header("idempotent-replay"), Some("true"), "{copy:?}");
    assert_eq!(super::tokens(&all_granted(&copy)), super::tokens(&set));
    release_all(&other.api, &set).await;

    // The parts of a replica that is killed end soon.
    let last = other.api.granted(names[8], "holder", 60).await;
    let waiting = asking(&one.api, body(&names, 30.0, 20.0), None);
    eventually("it waits for the last", 2 * SOON, || async {
        waits(node(names[8]), names[8]) == 1 && names[..8].iter().all(|name| held(name))
    })
    .await;
    drop(one);
    assert!(waiting.await.is_err());
    eventually("they are free", HOLD_ENDS, || async { names[..8].iter().all(|name| !held(name)) }).await;
    other.api.release(names[8], token(&last)).await;
    granted(&other.api, &names, 30.0, 5.0).await;
}

#[tokio::test]
async fn a_set_that_waits_survives_the_replacement_of_the_master_by_sentinel() {
    let mut sentinel = Sentinel::start().await;
    let replica = Replica::with(&sentinel.url(), &[]).await;
    let (api, [a, b]) = (&replica.api, two("sentinel"));
    let [c, d] = two("before");
    let before = granted(api, &[&c, &d], 60.0, 0.0).await;
    let held = api.granted(&b, "holder", 60).await;
    let set = waiting_for_last(&sentinel.nodes[0], api, &[&a, &b], body(&[&a, &b], 30.0, 55.0), Some("k")).await;
    assert_eq!(sentinel.nodes[0].cli(&["WAIT", "2", "1000"]), "2");
    let old = sentinel.master();
    sentinel.nodes[0].stop();
    let promoted = sentinel.promoted(old).await;
    heals(api, promoted).await;
    assert_eq!(api.release(&b, token(&held)).await.status, 204);
    let set = all_granted(&answer(set).await);
    for lock in set["locks"].as_array().expect("locks").iter().chain(before["locks"].as_array().expect("locks")) {
        let resource = lock["resource"].as_str().expect("a name");
        assert_eq!(api.status(resource, token(lock)).await.status, 200, "{resource}");
    }
}

#[tokio::test]
async fn a_set_is_answered_when_replicas_of_redis_have_confirmed_the_leases_of_all_its_parts() {
    let settings = [("GORILLA__REDIS__MIN_REPLICAS_ACK", "1"), ("GORILLA__REDIS__COMMAND_TIMEOUT", "2s")];
    let master = Redis::start(&[]);
    let follower = Redis::following(&master, master.port).await;
    let replica = Replica::with(&master.url(), &settings).await;
    let (api, names) = (&replica.api, two("confirmed"));
    let each = [names[0].as_str(), names[1].as_str()];
    let first = || async { ask(api, &body(&each, 60.0, 0.0), &[]).await };
    eventually("it confirms", Duration::from_secs(5), || async {
        api.acquire(&name("first"), "me", 1).await.status == 200
    })
    .await;
    let set = all_granted(&first().await);
    for (lock, resource) in set["locks"].as_array().expect("locks").iter().zip(each) {
        assert_eq!(Some(follower.cli(&["HGET", &key(resource, "lock"), "id"]).as_str()), lock["id"].as_str());
        let left: i64 = follower.cli(&["PTTL", &key(resource, "lock")]).parse().expect("a number");
        assert!(left > 50_000, "the follower has the lease of the commit: {left}");
    }
    release_all(api, &set).await;
    follower.pause();
    let begun = Instant::now();
    let refused = first().await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "not_replicated"), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(each.iter().all(|resource| !is_held(&master, resource)), "it is undone by the time of the answer");
    follower.resume();
}
