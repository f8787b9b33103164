//! `lua/cancel.lua`: an acquire whose outcome nobody learnt leaves nothing behind, in whatever order calls arrive.

use super::{Lab, number};
use crate::harness::Redis;

#[test]
fn cancel_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    assert_eq!(lab.cancel("id-1", "request:id-1"), ["marked", "0"]);
    lab.acquire("id-2", "request:k", "print", "30000");
    assert_eq!(lab.cancel("id-2", "request:k"), ["released", "0"]);
    lab.acquire("id-3", "request:k", "print", "30000");
    lab.acquire("id-4", "request:k", "print", "30000");
    assert_eq!(lab.cancel("id-3", "request:k"), ["kept", "0"]);
    for other in ["granted", "replayed"] {
        lab.seen.borrow_mut().remove(other);
    }
    lab.saw_every_reply_of("cancel");
}

#[test]
fn an_acquire_that_arrives_after_its_cancellation_is_refused() {
    for (request, print) in [("request:id-1", ""), ("request:k", "print")] {
        let lab = Lab::on(Redis::shared());
        assert_eq!(lab.cancel("id-1", request), ["marked", "0"]);
        assert!((1..=60_000).contains(&number(&lab.cli(&["PTTL"], request, &[]))));
        assert_eq!(lab.acquire("id-1", request, print, "30000"), ["cancelled"]);
        assert_eq!(lab.keys(), [request]);
    }
}

#[test]
fn an_acquire_that_was_executed_is_undone_and_does_not_come_back() {
    for (request, print) in [("request:id-1", ""), ("request:k", "print")] {
        let lab = Lab::on(Redis::shared());
        lab.acquire("id-1", request, print, "30000");
        assert_eq!(lab.cancel("id-1", request), ["released", "0"]);
        assert_eq!(lab.keys(), ["fence", request]);
        assert_eq!(lab.acquire("id-1", request, print, "30000"), ["cancelled"]);
        // A cancellation is repeated until it is confirmed.
        assert_eq!(lab.cancel("id-1", request), ["marked", "0"]);
        assert_eq!(lab.keys(), ["fence", request]);
    }
}

#[test]
fn after_a_cancellation_the_same_key_may_try_again() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:k", "print", "30000");
    lab.cancel("id-1", "request:k");
    assert_eq!(lab.acquire("id-2", "request:k", "print", "30000")[0], "granted");
    assert_eq!(lab.acquire("id-3", "request:k", "print", "30000")[3], "id-2");
    // The cancellation of the first attempt, repeated late, does nothing to the second attempt.
    assert_eq!(lab.cancel("id-1", "request:k"), ["marked", "0"]);
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-2");
}

#[test]
fn two_attempts_cancelled_under_one_key_are_both_refused() {
    let lab = Lab::on(Redis::shared());
    lab.cancel("id-1", "request:k");
    lab.cancel("id-2", "request:k");
    assert_eq!(lab.acquire("id-1", "request:k", "print", "30000"), ["cancelled"]);
    assert_eq!(lab.acquire("id-2", "request:k", "print", "30000"), ["cancelled"]);
    assert_eq!(lab.acquire("id-3", "request:k", "print", "30000")[0], "granted");
}

#[test]
fn a_lock_that_a_copy_was_answered_is_kept() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:k", "print", "30000");
    assert_eq!(lab.acquire("id-2", "request:k", "print", "30000")[3], "id-1");
    assert_eq!(lab.cancel("id-1", "request:k"), ["kept", "0"]);
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-1");
    assert_eq!(lab.acquire("id-3", "request:k", "print", "30000")[3], "id-1");
}

#[test]
fn cancelling_an_attempt_that_took_nothing_touches_no_other_lock() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:id-1", "", "30000");
    assert_eq!(lab.acquire("id-2", "request:id-2", "", "30000")[0], "held");
    assert_eq!(lab.cancel("id-2", "request:id-2"), ["marked", "0"]);
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-1");
}

#[test]
fn cancelling_an_attempt_leaves_the_record_of_another_under_the_same_key() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:k", "print", "30000");
    assert_eq!(lab.cancel("id-2", "request:k"), ["marked", "0"]);
    assert_eq!(lab.acquire("id-3", "request:k", "print", "30000")[3], "id-1");
    // If the acquire still arrives, it is refused.
    assert_eq!(lab.acquire("id-2", "request:k", "print", "30000"), ["cancelled"]);
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-1");
}

#[test]
fn the_record_of_a_client_that_hangs_up_again_and_again_does_not_grow_for_ever() {
    let lab = Lab::on(Redis::shared());
    for round in 0..80 {
        assert_eq!(lab.cancel(&format!("id-{round}"), "request:k"), ["marked", "0"]);
    }
    let record = lab.cli(&["GET"], "request:k", &[]);
    assert!(
        record.contains("\"-id-79\"") && record.contains("\"-id-40\"") && !record.contains("\"-id-1\""),
        "{record}"
    );
}

#[test]
fn a_lock_is_free_when_all_who_were_answered_were_cancelled() {
    for order in [["id-1", "id-2"], ["id-2", "id-1"]] {
        let lab = Lab::on(Redis::shared());
        lab.acquire("id-1", "request:k", "print", "30000");
        assert_eq!(lab.acquire("id-2", "request:k", "print", "30000")[3], "id-1");
        assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "1");
        lab.cancel(order[0], "request:k");
        assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "1");
        assert_eq!(lab.cancel(order[1], "request:k"), ["released", "0"]);
        for late in order {
            assert_eq!(lab.acquire(late, "request:k", "print", "30000"), ["cancelled"]);
        }
        assert_eq!(lab.acquire("id-3", "request:k", "print", "30000")[0], "granted");
    }
}

/// A record with all the marks that it may have, and no more.
const LONGEST_RECORD: i64 = 1200;

#[test]
fn the_record_of_a_grant_that_is_answered_again_and_again_does_not_grow_for_ever() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-1", "request:k", "print", "30000");
    let length = || number(&lab.cli(&["STRLEN"], "request:k", &[]));
    for round in 0..200 {
        assert_eq!(lab.acquire(&format!("id-copy-{round}"), "request:k", "print", "30000")[0], "replayed");
        assert!(length() < LONGEST_RECORD, "{} bytes after {round} replays", length());
    }
    // Asking again as the same attempt makes no new mark either.
    let before = length();
    lab.acquire("id-copy-3", "request:k", "print", "30000");
    assert_eq!(length(), before);
    for round in 0..200 {
        lab.cancel(&format!("id-copy-{round}"), "request:k");
        assert!(length() < 2 * LONGEST_RECORD, "{} bytes after {round} cancellations", length());
    }
}

#[test]
fn a_lock_is_free_when_as_many_copies_as_are_counted_were_cancelled() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-0", "request:k", "print", "30000");
    for copy in 1..=16 {
        lab.acquire(&format!("id-{copy}"), "request:k", "print", "30000");
    }
    for copy in 0..16 {
        lab.cancel(&format!("id-{copy}"), "request:k");
        assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "1", "{copy}");
    }
    assert_eq!(lab.cancel("id-16", "request:k"), ["released", "0"]);
}

#[test]
fn a_lock_that_more_copies_were_answered_than_are_counted_is_kept_whoever_is_cancelled() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-0", "request:k", "print", "30000");
    for copy in 1..=17 {
        lab.acquire(&format!("id-{copy}"), "request:k", "print", "30000");
    }
    for copy in 0..17 {
        lab.cancel(&format!("id-{copy}"), "request:k");
    }
    // The copy that was not counted may rely on the grant.
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-0");
    assert_eq!(lab.acquire("id-18", "request:k", "print", "30000")[3], "id-0");
}

#[test]
fn the_attempt_that_took_the_lock_is_not_forgotten_among_many_that_were_cancelled() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("id-0", "request:k", "print", "30000");
    lab.acquire("id-relies", "request:k", "print", "30000");
    assert_eq!(lab.cancel("id-0", "request:k"), ["kept", "0"]);
    for copy in 1..100 {
        lab.acquire(&format!("id-{copy}"), "request:k", "print", "30000");
        lab.cancel(&format!("id-{copy}"), "request:k");
    }
    assert_eq!(lab.cancel("id-relies", "request:k"), ["released", "0"]);
}
