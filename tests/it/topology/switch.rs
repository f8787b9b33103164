//! An operator makes another node the master while clients work: for an upgrade, say.

use std::time::{Duration, Instant};

use crate::{
    failover::{HEALED, heals},
    harness::{Cluster, Replica, Sentinel, eventually, name, token},
    load::{Load, Tally},
    queue::{granted, queued},
};

#[tokio::test]
async fn behind_sentinel_a_switch_under_load_is_short_and_costs_no_waiter_its_place() {
    let sentinel = Sentinel::start().await;
    let replicas = [Replica::with(&sentinel.url(), &[]).await, Replica::with(&sentinel.url(), &[]).await];
    let [one, other] = [&replicas[0].api, &replicas[1].api];
    let resource = name("switch");
    let held = one.granted(&resource, "holder", 60).await;
    let waiter = queued(&sentinel.nodes[0], other, &resource, "waiter", 50.0, None).await;
    assert_eq!(sentinel.nodes[0].cli(&["WAIT", "2", "1000"]), "2");
    let old = sentinel.master();
    let load = Load::over_a_failover(&[one, other], 8);
    sentinel.fail_over();
    sentinel.promoted(old).await;
    // Until Sentinel has told the old master, the old master confirms writes that it is about to forget.
    eventually("the old master is not a master any more", Duration::from_secs(20), || async {
        !sentinel.nodes[0].is_master()
    })
    .await;
    let promoted = Instant::now();
    for api in [one, other] {
        heals(api, promoted).await;
    }
    let tally = load.stop(one).await;
    let Tally { refused, unknown, lost, longest, .. } = tally;
    println!("{refused} refused, {unknown} unknown, {lost} lost, longest {longest:?}");
    assert!(refused + unknown + lost > 0, "it was felt");
    assert!(tally.longest < HEALED, "a client went without for {:?}", tally.longest);

    assert_eq!(one.release(&resource, token(&held)).await.status, 204);
    granted(waiter).await;
}

#[tokio::test]
async fn in_a_cluster_a_switch_under_load_is_short_and_costs_no_waiter_its_place() {
    let cluster = Cluster::with_replicas().await;
    let replicas = [Replica::with(&cluster.url(), &[]).await, Replica::with(&cluster.url(), &[]).await];
    let [one, other] = [&replicas[0].api, &replicas[1].api];
    let resource = name("switch");
    let held = one.granted(&resource, "holder", 60).await;
    let old = cluster.master_of(&format!("gorilla:{{{resource}}}:lock"));
    let waiter = queued(old, other, &resource, "waiter", 50.0, None).await;
    let id = old.cli(&["CLUSTER", "MYID"]);
    let follows = |node: &&crate::harness::Redis| {
        node.cli(&["CLUSTER", "NODES"]).lines().any(|line| line.contains("myself,slave") && line.contains(&id))
    };
    let next = cluster.nodes.iter().find(follows).expect("each master has a replica");
    let load = Load::start(&[one, other], 8);
    assert_eq!(next.cli(&["CLUSTER", "FAILOVER"]), "OK");
    eventually("it is the master", Duration::from_secs(20), || async { next.is_master() && !old.is_master() }).await;
    let promoted = Instant::now();
    for api in [one, other] {
        heals(api, promoted).await;
    }
    let tally = load.stop(one).await;
    println!("{} refused, {} unknown, longest {:?}", tally.refused, tally.unknown, tally.longest);
    assert!(tally.longest < HEALED, "a client went without for {:?}", tally.longest);

    assert_eq!(one.release(&resource, token(&held)).await.status, 204);
    granted(waiter).await;
}
