//! Sets with an Idempotency-Key.

use std::time::Duration;

use super::{
    HOLD_ENDS, SOON, all_granted, answer, ask, asking, body, granted, id_of, is_held, left, release_all, stays_a_part,
    tokens, two, waiting_for_last, waits,
};
use crate::harness::{Mode, Proxy, Redis, Replica, eventually, token};

const KEY: [(&str, &str); 1] = [("Idempotency-Key", "k")];

#[tokio::test]
async fn a_copy_is_answered_the_same_locks_in_its_own_order_and_another_set_is_refused() {
    let [one, other] = [Replica::start().await, Replica::start().await];
    let [a, b] = two("copy");
    let first = ask(&one.api, &body(&[&a, &b], 30.0, 0.0), &KEY).await;
    assert_eq!(first.header("idempotent-replay"), None);
    let first = all_granted(&first);
    let copy = ask(&other.api, &body(&[&b, &a], 30.0, 5.0), &KEY).await;
    assert_eq!(copy.header("idempotent-replay"), Some("true"), "{copy:?}");
    let copy = all_granted(&copy);
    assert_eq!((&copy["locks"][0]["resource"], tokens(&copy)), (&b.clone().into(), tokens(&first)));
    for field in ["createdAt", "updatedAt", "expireAt", "fence"] {
        assert_eq!(copy["locks"][0][field], first["locks"][1][field], "{field}");
    }
    assert!(copy["ttlMs"].as_u64() <= first["ttlMs"].as_u64());
    // A set of the same key with other parts, another lease, and a single acquire.
    let reused = ask(&one.api, &body(&[&a], 30.0, 0.0), &KEY).await;
    assert_eq!((reused.status, reused.code().as_str()), (422, "idempotency_key_reused"), "{reused:?}");
    assert_eq!(reused.json()["resource"], a.as_str());
    assert_eq!(ask(&one.api, &body(&[&a, &b], 31.0, 0.0), &KEY).await.status, 422);
    let single = serde_json::json!({ "owner": "set", "timeout": 30 });
    assert_eq!(one.api.acquire_with(&a, &single, &KEY).await.status, 422);
    release_all(&other.api, &copy).await;
}

#[tokio::test]
async fn a_copy_long_after_the_hold_still_finds_the_whole_lease() {
    let (redis, replica) = (Redis::shared(), Replica::start().await);
    let (api, [a, b]) = (&replica.api, two("later"));
    let held = api.granted(&b, "holder", 60).await;
    let set = waiting_for_last(redis, api, &[&a, &b], body(&[&a, &b], 60.0, 20.0), Some("k")).await;
    stays_a_part(redis, &a).await;
    api.release(&b, token(&held)).await;
    let first = all_granted(&answer(set).await);
    eventually("longer than a hold has passed", 2 * HOLD_ENDS, || async { left(redis, &a) < 54_000 }).await;
    let copy = all_granted(&ask(api, &body(&[&a, &b], 60.0, 0.0), &KEY).await);
    assert_eq!(tokens(&copy), tokens(&first));
    assert!((45_000..=54_000).contains(&copy["ttlMs"].as_i64().expect("a number")), "{copy}");
}

#[tokio::test]
async fn a_copy_of_a_set_that_was_answered_is_gone_once_one_of_its_locks_has_ended() {
    let replica = Replica::shared().await;
    for which in 0..2 {
        let names = two("gone");
        let set = all_granted(&ask(&replica, &body(&[&names[0], &names[1]], 30.0, 0.0), &KEY).await);
        assert_eq!(replica.release(&names[which], token(&set["locks"][which])).await.status, 204);
        let gone = ask(&replica, &body(&[&names[0], &names[1]], 30.0, 5.0), &KEY).await;
        assert_eq!((gone.status, gone.code().as_str()), (409, "lock_gone"), "{gone:?}");
        assert_eq!(gone.json()["resource"], names[which].as_str());
        let other = 1 - which;
        assert_eq!(replica.status(&names[other], token(&set["locks"][other])).await.status, 200, "it is still held");
        // The copy did not take the lock that had ended.
        assert_eq!(replica.state(&names[which]).await["held"], false);
    }
}

#[tokio::test]
async fn copies_at_two_replicas_that_wait_together_are_answered_the_same_locks() {
    let redis = Redis::shared();
    let [one, other] = [Replica::start().await, Replica::start().await];
    let [a, b] = two("together");
    let held = other.api.granted(&b, "holder", 60).await;
    let first = waiting_for_last(redis, &one.api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), Some("k")).await;
    let copy = asking(&other.api, body(&[&b, &a], 30.0, 20.0), Some("k"));
    let told = || redis.cli(&["GET", &super::key(&a, "request:k")]).contains("\"+");
    eventually("the copy was told of the first part", SOON, || async { told() }).await;
    other.api.release(&b, token(&held)).await;
    let [first, copy] = [all_granted(&answer(first).await), all_granted(&answer(copy).await)];
    assert_eq!(tokens(&first), tokens(&copy));
    release_all(&one.api, &first).await;
}

#[tokio::test]
async fn a_copy_keeps_the_part_of_a_request_whose_client_hung_up() {
    let redis = Redis::shared();
    let [one, other] = [Replica::start().await, Replica::start().await];
    let [a, b] = two("kept");
    let held = other.api.granted(&b, "holder", 60).await;
    let first = waiting_for_last(redis, &one.api, &[&a, &b], body(&[&a, &b], 30.0, 20.0), Some("k")).await;
    let id = id_of(redis, &a);
    let copy = asking(&other.api, body(&[&a, &b], 30.0, 20.0), Some("k"));
    let told = || redis.cli(&["GET", &super::key(&a, "request:k")]).contains("\"+");
    eventually("the copy was told of the first part", SOON, || async { told() }).await;
    first.abort();
    let cancelled = || one.log().contains("\"outcome\":\"kept\"");
    eventually("the cancellation kept the part", SOON, || async { cancelled() }).await;
    assert_eq!(stays_a_part(redis, &a).await, id, "the copy renews the part of the other attempt");
    other.api.release(&b, token(&held)).await;
    let set = all_granted(&answer(copy).await);
    assert_eq!((&set["locks"][0]["id"], left(redis, &a) > 20_000), (&id.into(), true));
    release_all(&other.api, &set).await;
}

#[tokio::test]
async fn a_copy_goes_on_where_a_killed_replica_ended() {
    let redis = Redis::shared();
    for late in [false, true] {
        let [doomed, other] = [Replica::start().await, Replica::start().await];
        let [a, b] = two("doomed");
        let held = other.api.granted(&b, "holder", 60).await;
        let first = waiting_for_last(redis, &doomed.api, &[&a, &b], body(&[&a, &b], 30.0, 30.0), Some("k")).await;
        let id = id_of(redis, &a);
        drop(doomed);
        assert!(first.await.is_err());
        if late {
            eventually("the part has ended", HOLD_ENDS, || async { !is_held(redis, &a) }).await;
        }
        let copy = asking(&other.api, body(&[&a, &b], 30.0, 30.0), Some("k"));
        eventually("the copy waits", SOON, || async { is_held(redis, &a) && waits(redis, &b) == 1 }).await;
        assert_eq!(stays_a_part(redis, &a).await == id, !late, "the part of the first attempt, or a new one");
        other.api.release(&b, token(&held)).await;
        let copy = answer(copy).await;
        // Nobody was answered before.
        assert_eq!(copy.header("idempotent-replay"), None);
        release_all(&other.api, &all_granted(&copy)).await;
    }
}

/// Case 14: the replies to the commit are lost, and a copy comes to another replica before the first one gives up.
#[tokio::test]
async fn a_copy_has_the_same_tokens_if_the_reply_to_the_commit_was_lost() {
    let redis = Redis::shared();
    let link = Proxy::to(redis).await;
    let [one, other] = [Replica::with(&link.url(), &[]).await, Replica::start().await];
    let warm_up = two("warm-up");
    release_all(&one.api, &granted(&one.api, &[&warm_up[0], &warm_up[1]], 30.0, 0.0).await).await;
    let [a, b] = two("commit");
    let held = other.api.granted(&b, "holder", 60).await;
    let first = waiting_for_last(redis, &one.api, &[&a, &b], body(&[&a, &b], 60.0, 20.0), Some("k")).await;
    link.set(Mode::DelayReplies(Duration::from_millis(400)));
    other.api.release(&b, token(&held)).await;
    eventually("it is committed", SOON, || async { left(redis, &a) > 10_000 && left(redis, &b) > 10_000 }).await;
    link.sever();
    let copy = ask(&other.api, &body(&[&a, &b], 60.0, 0.0), &KEY).await;
    let copy = all_granted(&copy);
    link.set(Mode::Pass);
    let first = all_granted(&answer(first).await);
    assert_eq!(tokens(&first), tokens(&copy));
    for lock in copy["locks"].as_array().expect("locks") {
        let resource = lock["resource"].as_str().expect("a name");
        assert_eq!(other.api.status(resource, token(lock)).await.status, 200);
    }
    release_all(&other.api, &copy).await;
}

#[tokio::test]
async fn a_place_is_kept_after_a_wait_in_vain() {
    let (redis, api) = (Redis::shared(), Replica::shared().await);
    let [a, b] = two("place");
    let held = api.granted(&b, "holder", 60).await;
    let refused = ask(&api, &body(&[&a, &b], 30.0, 0.5), &KEY).await;
    assert_eq!((refused.code().as_str(), is_held(redis, &a)), ("wait_timeout", false), "{refused:?}");
    let next = crate::queue::queued(redis, &api, &b, "next", 20.0, None).await;
    let again = asking(&api, body(&[&a, &b], 30.0, 20.0), Some("k"));
    eventually("both wait", SOON, || async { waits(redis, &b) == 2 }).await;
    api.release(&b, token(&held)).await;
    let set = all_granted(&answer(again).await);
    assert!(!next.is_finished(), "the set came first");
    release_all(&api, &set).await;
    crate::queue::granted(next).await;
}
