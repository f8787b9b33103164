//! Replicas and Redis that fail while somebody waits.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{granted, lock_key, queue, queue_keys, queued, waiter};
use crate::harness::{Mode, Proxy, Redis, Replica, eventually, name, token};

/// A turn that passes, and a busy machine.
const A_TURN: Duration = Duration::from_millis(3500);

#[tokio::test]
async fn a_replica_that_stops_with_the_head_and_many_others_costs_one_turn() {
    for signal in [Signal::KILL, Signal::STOP] {
        let redis = Redis::start(&[]);
        let (bad, good) = (Replica::on(&redis).await, Replica::on(&redis).await);
        let resource = name("stops");
        let held = good.api.granted(&resource, "holder", 30).await;
        let (mut lost, mut live) = (Vec::new(), Vec::new());
        for index in 0..5 {
            for _ in 0..4 {
                lost.push(queued(&redis, &bad.api, &resource, "lost", 25.0, None).await);
            }
            live.push(queued(&redis, &good.api, &resource, &format!("live-{index}"), 25.0, None).await);
        }
        bad.process.signal(signal);
        let begun = Instant::now();
        good.api.release(&resource, token(&held)).await;
        for (index, waiter) in live.into_iter().enumerate() {
            let lock = granted(waiter).await;
            assert_eq!(lock["owner"], format!("live-{index}"));
            good.api.release(&resource, token(&lock)).await;
        }
        assert!(begun.elapsed() < A_TURN, "{signal:?}: {:?}", begun.elapsed());
        if signal == Signal::STOP {
            bad.process.signal(Signal::CONT);
            for waiter in lost {
                let lock = granted(waiter).await;
                good.api.release(&resource, token(&lock)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_replica_that_dies_when_a_lease_runs_out_costs_one_turn() {
    let redis = Redis::start(&[]);
    let (bad, good) = (Replica::on(&redis).await, Replica::on(&redis).await);
    let resource = name("dies");
    bad.api.granted(&resource, "holder", 2).await;
    let _lost = queued(&redis, &bad.api, &resource, "lost", 25.0, None).await;
    let next = queued(&redis, &good.api, &resource, "next", 25.0, None).await;
    bad.process.signal(Signal::KILL);
    let begun = Instant::now();
    granted(next).await;
    assert!(begun.elapsed() < Duration::from_secs(2) + A_TURN, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn after_a_cut_connection_no_wake_is_lost_for_long() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let (far, near) = (Replica::with(&proxy.url(), &[]).await, Replica::on(&redis).await);
    let resource = name("cut");
    let held = near.api.granted(&resource, "holder", 30).await;
    // With keys: the replies to their joining may be lost with the connection.
    let first = queued(&redis, &far.api, &resource, "first", 20.0, Some("k1")).await;
    let second = queued(&redis, &far.api, &resource, "second", 20.0, Some("k2")).await;
    proxy.cut();
    let begun = Instant::now();
    near.api.release(&resource, token(&held)).await;
    let lock = granted(first).await;
    assert!(begun.elapsed() < A_TURN, "{:?}", begun.elapsed());
    near.api.release(&resource, token(&lock)).await;
    granted(second).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_finds_the_waiters_in_their_order() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let replicas = [Replica::on(&redis).await, Replica::on(&redis).await];
    let resource = name("empty");
    replicas[0].api.granted(&resource, "holder", 30).await;
    let mut waiters = Vec::new();
    for index in 0..6 {
        let owner = format!("waiter-{index}");
        waiters.push(queued(&redis, &replicas[index % 2].api, &resource, &owner, 25.0, None).await);
    }
    redis.stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.run();
    // The lock was lost too, so the first waiter that reconnects takes it; the others wait behind it in their order.
    eventually("all are back", Duration::from_secs(5), || async { queue(&redis, &resource).len() == 5 }).await;
    let order = queue(&redis, &resource);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(order, sorted);
    let mut served = 0;
    for _ in 0..6 {
        replicas[0].api.break_lock(&resource, &serde_json::json!({}), &[]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for waiter in waiters {
        granted(waiter).await;
        served += 1;
    }
    assert_eq!(served, 6);
}

#[tokio::test]
async fn a_waiter_with_a_key_whose_reply_was_lost_asks_again_while_it_has_time() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let (far, near) = (Replica::with(&proxy.url(), &[]).await, Replica::on(&redis).await);
    let (free, taken) = (name("free"), name("taken"));
    let held = near.api.granted(&taken, "holder", 30).await;
    proxy.set(Mode::SwallowReplies);
    let of_free = waiter(&far.api, &free, "me", 20.0, Some("k"));
    let of_taken = queued(&redis, &far.api, &taken, "me", 20.0, Some("k")).await;
    eventually("Redis has granted it", A_TURN, || async { redis.cli(&["EXISTS", &lock_key(&free)]) == "1" }).await;
    let fence = redis.cli(&["HGET", &lock_key(&free), "fence"]);
    proxy.set(Mode::Pass);
    proxy.cut();
    assert_eq!(granted(of_free).await["fence"].to_string(), fence);
    eventually("it has one place", A_TURN, || async { queue(&redis, &taken) == ["me"] }).await;
    near.api.release(&taken, token(&held)).await;
    granted(of_taken).await;
    assert_eq!(queue_keys(&redis, &taken), "");
}

/// Without a record nobody can tell what came of the lost call: while the connection was away, Redis may have granted
/// the lock to the waiter, others may have seen that, and the grant may be over.
#[tokio::test]
async fn a_waiter_without_a_key_whose_reply_was_lost_is_told_that_the_outcome_is_unknown() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let (far, near) = (Replica::with(&proxy.url(), &[]).await, Replica::on(&redis).await);
    for what in ["its lease runs out", "its grant is broken"] {
        let (resource, lease) = (name("no-key"), if what == "its lease runs out" { 1 } else { 30 });
        // Redis knows the script, so that the one call that arrives is enough.
        eventually("the replica serves", A_TURN, || async {
            far.api.acquire(&name("other"), "me", 30).await.status == 200
        })
        .await;
        proxy.set(Mode::SwallowReplies);
        let body = serde_json::json!({ "owner": "me", "timeout": lease, "wait": 6 });
        let asked = tokio::spawn({
            let (api, resource) = (far.api.clone(), resource.clone());
            async move { api.acquire_with(&resource, &body, &[]).await }
        });
        let held = || async { redis.cli(&["EXISTS", &lock_key(&resource)]) == "1" };
        eventually("others see it hold the lock", A_TURN, held).await;
        if what == "its grant is broken" {
            near.api.break_lock(&resource, &serde_json::json!({}), &[]).await;
        }
        eventually(what, A_TURN, || async { !held().await }).await;
        // Somebody else has the lock when Redis is back, to the end of the wait.
        near.api.granted(&resource, "next", 30).await;
        proxy.set(Mode::Pass);
        proxy.cut();
        let answer = asked.await.expect("an answer");
        assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{what}: {answer:?}");
        assert_eq!(near.api.state(&resource).await["owner"], "next");
        eventually("no place is left", A_TURN, || async { queue_keys(&redis, &resource).is_empty() }).await;
    }
}

#[tokio::test]
async fn no_attempt_is_granted_a_lock_twice() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let (far, near) = (Replica::with(&proxy.url(), &[]).await, Replica::on(&redis).await);
    for key in [None, Some("k")] {
        let resource = name("twice");
        // Redis knows the script, so that the one call that arrives is enough.
        eventually("the replica serves", A_TURN, || async {
            far.api.acquire(&name("other"), "me", 30).await.status == 200
        })
        .await;
        proxy.set(Mode::SwallowReplies);
        let asked = waiter(&far.api, &resource, "me", 6.0, key);
        let id = || redis.cli(&["HGET", &lock_key(&resource), "id"]);
        eventually("Redis has granted it", A_TURN, || async { !id().is_empty() }).await;
        let first = id();
        near.api.break_lock(&resource, &serde_json::json!({}), &[]).await;
        // The next client that asks would get the lock.
        proxy.set(Mode::Pass);
        proxy.cut();
        let answer = asked.await.expect("an answer");
        match key {
            None => assert_eq!(answer.status, 200, "{answer:?}"),
            Some(_) => assert_eq!(answer.code(), "lock_gone", "{answer:?}"),
        }
        assert_ne!(id(), first);
    }
}

#[tokio::test]
async fn a_grant_whose_reply_never_comes_is_unknown_and_undone() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let far = Replica::with(&proxy.url(), &[]).await;
    let resource = name("doubt");
    // Redis learns the script, so that the one call that arrives is enough.
    far.api.granted(&name("other"), "me", 30).await;
    let is_held = || async { redis.cli(&["EXISTS", &lock_key(&resource)]) == "1" };
    proxy.set(Mode::SwallowReplies);
    let waiter = waiter(&far.api, &resource, "me", 4.0, None);
    eventually("Redis has granted it", A_TURN, is_held).await;
    proxy.sever();
    let answer = waiter.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (504, "outcome_unknown"), "{answer:?}");
    proxy.set(Mode::Pass);
    eventually("it is undone", A_TURN, || async { !is_held().await }).await;
}

/// The call that was lost here could also have been late. What the replica leaves behind makes it harmless then, see
/// `scripts::acquire`.
#[tokio::test]
async fn a_waiter_that_is_answered_while_an_earlier_call_of_it_may_still_arrive_leaves_word_for_that_call() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(&redis).await;
    let (far, near) = (Replica::with(&proxy.url(), &[]).await, Replica::on(&redis).await);
    let (free, taken) = (name("free"), name("taken"));
    near.api.granted(&taken, "holder", 60).await;
    let request = |resource: &str| redis.cli(&["GET", &format!("gorilla:{{{resource}}}:request:k")]);
    proxy.set(Mode::SwallowRequests);
    let of_free = waiter(&far.api, &free, "me", 20.0, Some("k"));
    let of_taken = waiter(&far.api, &taken, "me", 6.0, Some("k"));
    eventually("the replica has noticed", A_TURN, || async { far.api.get("/_ready").await.status == 503 }).await;
    proxy.set(Mode::Pass);
    proxy.cut();

    let lock = granted(of_free).await;
    assert_eq!(near.api.release(&free, token(&lock)).await.status, 204);
    assert!(request(&free).starts_with("[\"acquired\""), "{}", request(&free));

    let refused = of_taken.await.expect("an answer");
    assert_eq!((refused.status, refused.code().as_str()), (409, "wait_timeout"), "{refused:?}");
    let marked = || async { far.log().contains("\"outcome\":\"marked\"") };
    eventually("its attempt is cancelled", A_TURN, marked).await;
    assert_eq!(queue_keys(&redis, &taken), "");
}

#[tokio::test]
async fn a_redis_that_stays_away_is_said_at_the_end_of_the_wait() {
    let mut redis = Redis::start(&[]);
    let replica = Replica::on(&redis).await;
    let resource = name("away");
    replica.api.granted(&resource, "holder", 30).await;
    let waiter = queued(&redis, &replica.api, &resource, "me", 2.0, None).await;
    redis.stop();
    let answer = waiter.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (503, "redis_unavailable"), "{answer:?}");
    assert_eq!(answer.json()["outcome"], "not_executed");
}

#[tokio::test]
async fn a_replica_that_drains_sends_its_waiters_elsewhere_and_their_places_are_kept() {
    let redis = Redis::start(&[]);
    let (old, new) =
        (Replica::with(&redis.url(), &[("GORILLA__SERVER__DRAIN_DELAY", "100ms")]).await, Replica::on(&redis).await);
    let resource = name("drain");
    let held = new.api.granted(&resource, "holder", 30).await;
    let first = queued(&redis, &old.api, &resource, "first", 20.0, Some("k1")).await;
    let second = queued(&redis, &new.api, &resource, "second", 20.0, None).await;
    old.process.signal(Signal::TERM);
    let answer = first.await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (503, "draining"), "{answer:?}");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    let first = waiter(&new.api, &resource, "first", 20.0, Some("k1"));
    eventually("it is back in its place", A_TURN, || async { queue(&redis, &resource) == ["first", "second"] }).await;
    new.api.release(&resource, token(&held)).await;
    let lock = granted(first).await;
    new.api.release(&resource, token(&lock)).await;
    granted(second).await;
}
