//! Two servers that both say that they are the master.

use std::time::Duration;

use super::{ONE, SOON, assert_not_replicated, lock_key};
use crate::harness::{Mode, Proxy, Redis, Replica, eventually, name};

#[tokio::test]
async fn a_master_that_is_cut_off_grants_nothing_while_the_new_one_does() {
    let old = Redis::start(&[]);
    let link = Proxy::to(&old).await;
    let new = Redis::following(&old, link.port()).await;
    let at_old = Replica::with(&old.url(), &ONE).await;
    at_old.api.granted(&name("before"), "me", 30).await;
    link.sever();
    new.cli(&["REPLICAOF", "NO", "ONE"]);
    let at_new = Replica::on(&new).await;
    for _ in 0..3 {
        let resource = name("split");
        at_new.api.granted(&resource, "here", 30).await;
        assert_not_replicated(&at_old.api.acquire(&resource, "there", 30).await);
        assert_eq!(old.cli(&["EXISTS", &lock_key(&resource)]), "0");
    }
}

#[tokio::test]
async fn without_the_option_both_grant() {
    let old = Redis::start(&[]);
    let link = Proxy::to(&old).await;
    let new = Redis::following(&old, link.port()).await;
    link.sever();
    new.cli(&["REPLICAOF", "NO", "ONE"]);
    let [at_old, at_new] = [Replica::on(&old).await, Replica::on(&new).await];
    let resource = name("split");
    for replica in [&at_old, &at_new] {
        // `docs/internals/limits.md` says so: "A failover may lose a grant".
        replica.api.granted(&resource, "me", 30).await;
    }
}

#[tokio::test]
async fn another_master_that_lacks_a_grant_never_confirms_it() {
    let (old, new) = (Redis::start(&[]), Redis::start(&[]));
    let (slow, _healthy) = (Redis::following(&old, old.port).await, Redis::following(&new, new.port).await);
    let link = Proxy::to(&old).await;
    // The replica of Redis has half of it to confirm.
    let settings = [ONE[0], ("GORILLA__REDIS__COMMAND_TIMEOUT", "6s")];
    let replica = Replica::with(&link.url(), &settings).await;
    let resource = name("moved");
    slow.pause();
    let acquiring = tokio::spawn({
        let (api, resource) = (replica.api.clone(), resource.clone());
        async move { api.acquire(&resource, "me", 30).await }
    });
    eventually("the old master has granted it", SOON, || async { old.cli(&["EXISTS", &lock_key(&resource)]) == "1" })
        .await;
    // Meanwhile the replies get lost, so that it is not known what became of it when the new master is reached.
    link.set(Mode::SwallowReplies);
    slow.resume();
    tokio::time::sleep(Duration::from_millis(100)).await;
    link.lead_to_redis(&new);
    link.set(Mode::Pass);
    link.cut();
    let answer = acquiring.await.expect("an answer");
    assert!([503, 504].contains(&answer.status), "{answer:?}");
    assert_eq!(new.cli(&["EXISTS", &lock_key(&resource)]), "0");
    eventually("the new one grants it", SOON, || async {
        replica.api.acquire(&resource, "next", 30).await.status == 200
    })
    .await;
    assert_eq!(new.cli(&["EXISTS", &lock_key(&resource)]), "1");
}
