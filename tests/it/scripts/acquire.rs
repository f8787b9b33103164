//! `lua/try.lua`, and `lua/claim.lua` where it differs.

use super::{AT_ONCE, Lab, number};
use crate::harness::Redis;

#[test]
fn try_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let granted = lab.acquire("id-1", "request:k", "print", "30000");
    let [name, fence, created] = granted.as_slice() else { panic!("{granted:?}") };
    assert_eq!((name.as_str(), number(fence) / 1000), ("granted", number(created)));

    let replayed = lab.acquire("id-2", "request:k", "print", "30000");
    let [name, same_fence, same_created, id, token, ttl] = replayed.as_slice() else { panic!("{replayed:?}") };
    assert_eq!((name.as_str(), id.as_str(), token.as_str()), ("replayed", "id-1", "token-of-id-1"));
    assert_eq!((same_fence, same_created), (fence, created));
    assert!((1..=30_000).contains(&number(ttl)), "{ttl}");

    lab.cli(&["ZADD"], "queue", &["1", "a", "2", "b"]);
    let held = lab.acquire("id-3", "request:other", "print", "30000");
    assert_eq!(held[..3], ["held".into(), "owner-of-id-1".into(), fence.clone()]);
    assert!((1..=30_000).contains(&number(&held[3])), "{held:?}");
    assert_eq!(held[4..], ["2", "0"]);
    lab.cli(&["DEL"], "queue", &[]);

    assert_eq!(lab.acquire("id-4", "request:k", "other print", "30000"), ["reused"]);
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(lab.acquire("id-5", "request:k", "print", "30000"), ["gone"]);
    lab.cancel("id-6", "request:id-6");
    lab.seen.borrow_mut().remove("marked");
    assert_eq!(lab.acquire("id-6", "request:id-6", "", "30000"), ["cancelled"]);
    assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "0");
    lab.join("a-1", "*1/", AT_ONCE);
    let state = || (lab.keys(), lab.cli(&["DEBUG", "DIGEST-VALUE"], "lock", &[]));
    let before = state();
    assert_eq!(lab.acquire("id-7", "request:other", "print", "30000"), ["shared"]);
    assert_eq!(state(), before);
    lab.seen.borrow_mut().remove("joined");
    for waiting in ["reserved", "full", "queued", "recovering", "unsettled", "replaced", "over"] {
        lab.seen.borrow_mut().insert(waiting.into());
    }
    lab.saw_every_reply_of("try");
}

#[test]
fn a_grant_is_a_hash_with_its_lease_and_a_fence_that_outlives_it() {
    let lab = Lab::on(Redis::shared());
    let granted = lab.acquire("id-1", "request:id-1", "", "30000");
    for (field, value) in [
        ("id", "id-1"),
        ("token", "token-of-id-1"),
        ("owner", "owner-of-id-1"),
        ("fence", &granted[1]),
        ("metadata", "[1.0]"),
        ("created", &granted[2]),
        ("updated", &granted[2]),
    ] {
        assert_eq!(lab.cli(&["HGET"], "lock", &[field]), value, "{field}");
    }
    assert_eq!(lab.cli(&["HLEN"], "lock", &[]), "7");
    assert_eq!(number(&lab.cli(&["PEXPIRETIME"], "lock", &[])), number(&granted[2]) + 30_000);
    assert!((86_300_000..=86_400_000).contains(&number(&lab.cli(&["PTTL"], "fence", &[]))));
    // No record without a fingerprint.
    assert_eq!(lab.keys(), ["fence", "lock"]);
}

#[test]
fn a_fence_is_the_clock_or_one_more_than_the_last() {
    let lab = Lab::on(Redis::shared());
    for (stored, expected) in [("9007199254740989", Some("9007199254740990")), ("1", None), ("", None)] {
        lab.cli(&["DEL"], "lock", &[]);
        match stored {
            "" => lab.cli(&["DEL"], "fence", &[]),
            stored => lab.cli(&["SET"], "fence", &[stored]),
        };
        let granted = lab.acquire("id", "request:id", "", "30000");
        match expected {
            Some(expected) => assert_eq!(granted[1], expected),
            None => assert_eq!(number(&granted[1]) / 1000, number(&granted[2])),
        }
        assert_eq!(lab.cli(&["GET"], "fence", &[]), granted[1]);
        assert_eq!(lab.cli(&["HGET"], "lock", &["fence"]), granted[1]);
    }
}

#[test]
fn a_refused_acquire_changes_nothing() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:id-1", "", "30000");
    let state =
        || format!("{:?} {} {}", lab.keys(), lab.cli(&["HGETALL"], "lock", &[]), lab.cli(&["GET"], "fence", &[]));
    let before = state();
    assert_eq!(lab.acquire("id-2", "request:k", "print", "90000")[0], "held");
    assert_eq!(state(), before);
}

#[test]
fn a_first_call_that_arrives_after_a_later_one_was_granted_and_released_locks_for_nobody() {
    let lab = Lab::on(Redis::shared());
    let late = |id: &str| lab.queue(id, "request:k", "print", "60000", "20000", "");

    // The first call is on its way over a connection that was given up, and the next call is granted the lock.
    assert_eq!(lab.queue("7", "request:k", "print", "60000", "20000", "?")[0], "granted");
    lab.release("7");
    assert_eq!(late("7")[0], "gone");

    // The first was executed, the second is told of the grant.
    lab.cli(&["DEL"], "request:k", &[]);
    assert_eq!(late("8")[0], "granted");
    assert_eq!(lab.queue("8", "request:k", "print", "60000", "20000", "?")[0], "replayed");
    lab.release("8");
    assert_eq!(late("8")[0], "gone");
    assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "0");
}
