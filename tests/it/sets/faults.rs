//! Clients that hang up, replicas that die, and calls that are lost.

use std::time::{Duration, Instant};

use super::{
    HOLD_ENDS, SOON, all_granted, answer, ask, asking, body, is_held, keys, release_all, two, waiting_for_last, waits,
};
use crate::{
    harness::{Mode, Proxy, Redis, Replica, Signal, eventually, token},
    queue,
};

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_part_and_no_place() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    for key in [None, Some("k")] {
        let (api, [a, b]) = (&replica.api, two("hang-up"));
        let held = api.granted(&b, "holder", 60).await;
        let set = waiting_for_last(redis, api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), key).await;
        let next = queue::queued(redis, api, &a, "next", 20.0, None).await;
        set.abort();
        assert_eq!(queue::granted(next).await["owner"], "next");
        eventually("its place is free", SOON, || async { waits(redis, &b) == 0 }).await;
        api.release(&b, token(&held)).await;
        assert_eq!(api.acquire(&b, "other", 30).await.status, 200);
    }
}

/// Case 13: sets in opposite orders, a single request, and a replica that is killed while its set holds the first name.
#[tokio::test]
async fn the_parts_of_a_killed_replica_are_free_within_5_s_and_the_next_set_gets_them() {
    let redis = Redis::shared();
    let [doomed, other] = [Replica::start().await, Replica::start().await];
    let [a, b] = two("killed");
    let held = other.api.granted(&b, "holder", 60).await;
    let set = waiting_for_last(redis, &doomed.api, &[&a, &b], body(&[&a, &b], 60.0, 30.0), None).await;
    let reversed = asking(&other.api, body(&[&b, &a], 60.0, 30.0), None);
    eventually("it waits for the first name", SOON, || async { waits(redis, &a) == 1 }).await;
    let single = queue::queued(redis, &other.api, &b, "single", 30.0, None).await;
    let begun = Instant::now();
    drop(doomed);
    assert!(set.await.is_err(), "nobody answers");
    eventually("the next set has the first name", HOLD_ENDS, || async { waits(redis, &a) == 0 && is_held(redis, &a) })
        .await;
    assert!(begun.elapsed() > Duration::from_secs(1), "not before the hold has ended");
    other.api.release(&b, token(&held)).await;
    // The place of the dead replica costs a second.
    let single = queue::granted(single).await;
    other.api.release(&b, token(&single)).await;
    release_all(&other.api, &all_granted(&answer(reversed).await)).await;
}

#[tokio::test]
async fn a_replica_that_ends_properly_answers_its_sets_and_leaves_no_part() {
    let redis = Redis::shared();
    for key in [None, Some("k")] {
        let mut replica = Replica::with(&redis.url(), &[("GORILLA__SERVER__DRAIN_DELAY", "100ms")]).await;
        let other = Replica::shared().await;
        let [a, b] = two("drained");
        let held = other.granted(&b, "holder", 60).await;
        let set = waiting_for_last(redis, &replica.api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), key).await;
        replica.process.signal(Signal::TERM);
        let refused = answer(set).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "draining"), "{refused:?}");
        assert!(!is_held(redis, &a), "it was given back before the answer");
        assert_eq!(replica.process.child.wait().expect("it ends").code(), Some(0));
        other.release(&b, token(&held)).await;
    }
}

#[tokio::test]
async fn a_set_without_wait_whose_reply_is_lost_is_unknown_and_is_undone() {
    let redis = Redis::shared();
    let link = Proxy::to(redis).await;
    let replica = Replica::with(&link.url(), &[]).await;
    let warm_up = two("warm-up");
    release_all(&replica.api, &super::granted(&replica.api, &[&warm_up[0], &warm_up[1]], 30.0, 0.0).await).await;
    let [a, b] = two("lost");
    link.set(Mode::SwallowReplies);
    let unknown = ask(&replica.api, &body(&[&a, &b], 60.0, 0.0), &[]).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (504, "outcome_unknown"), "{unknown:?}");
    link.set(Mode::Pass);
    link.cut();
    eventually("it is undone", Duration::from_secs(4), || async { !is_held(redis, &a) && !is_held(redis, &b) }).await;
}

#[tokio::test]
async fn a_set_that_waits_starts_over_after_a_lost_connection_and_is_granted_its_locks() {
    let redis = Redis::shared();
    let link = Proxy::to(redis).await;
    let replica = Replica::with(&link.url(), &[]).await;
    let other = Replica::shared().await;
    for key in [None, Some("k")] {
        let [a, b] = two("cut");
        let held = other.granted(&b, "holder", 60).await;
        let set = waiting_for_last(redis, &replica.api, &[&a, &b], body(&[&a, &b], 60.0, 25.0), key).await;
        // Longer than the parts outlive.
        link.sever();
        eventually("the first part has ended", HOLD_ENDS, || async { !is_held(redis, &a) }).await;
        assert_eq!(other.acquire(&a, "between", 1).await.status, 200);
        link.set(Mode::Pass);
        eventually("it holds the first part again", Duration::from_secs(8), || async {
            redis.cli(&["HGET", &super::key(&a, "lock"), "owner"]) == "set" && waits(redis, &b) == 1
        })
        .await;
        other.release(&b, token(&held)).await;
        let set = all_granted(&answer(set).await);
        assert_eq!(set["locks"].as_array().map(Vec::len), Some(2));
        release_all(&other, &set).await;
        if key.is_none() {
            // Marks of cancellations end with the window.
            eventually("no lock is left", SOON, || async {
                keys(redis, &a).iter().all(|key| key.contains(":request:"))
            })
            .await;
        }
    }
}
