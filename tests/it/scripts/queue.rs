//! Waiting and waking, script by script: what `lua/try.lua`, `lua/claim.lua`, `lua/release.lua`, `lua/cancel.lua` and
//! `lua/wake.lua` do to a queue.

use gorilla_scripts::{Acquire, Break, Claim, Join, Rank, SharedRelease, Try, Wake};

use super::{CHANNEL, Lab, number};
use crate::harness::Redis;

/// A lab in which `holder` holds the lock.
fn held(redis: &Redis) -> Lab<'_> {
    let lab = Lab::on(redis);
    lab.acquire("holder", "request:holder", "", "30000");
    lab
}

/// Queues without an Idempotency-Key; when it arrived.
#[track_caller]
fn joined(lab: &Lab, id: &str) -> String {
    let queued = lab.queue(id, &format!("request:{id}"), "", "30000", "20000", "");
    assert_eq!(queued[0], "queued", "{queued:?}");
    queued[1].clone()
}

/// Asks again as a waiter that has arrived.
#[track_caller]
fn again(lab: &Lab, id: &str, wait: &str, arrived: &str) -> Vec<String> {
    lab.queue(id, &format!("request:{id}"), "", "30000", wait, arrived)
}

fn release(lab: &Lab, id: &str) -> Vec<String> {
    lab.release(id)
}

fn queue(lab: &Lab) -> String {
    lab.cli(&["ZRANGE"], "queue", &["0", "-1"]).replace('\n', ", ")
}

#[test]
fn places_can_be_read_with_redis_cli_in_order_of_arrival() {
    let lab = held(Redis::shared());
    let (first, second) = (joined(&lab, "id-1"), joined(&lab, "id-2"));
    assert!(number(&first) < number(&second));
    assert_eq!(queue(&lab), format!("id-1 {CHANNEL} owner-of-id-1, id-2 {CHANNEL} owner-of-id-2"));
    assert!((1..=240_000).contains(&number(&lab.cli(&["PTTL"], "queue", &[]))));
    assert_eq!(lab.keys(), ["fence", "lock", "queue"]);
}

#[test]
fn a_release_gives_the_turn_to_the_first_and_nobody_else_gets_the_lock() {
    let lab = held(Redis::shared());
    let (first, second) = (joined(&lab, "id-1"), joined(&lab, "id-2"));
    assert_eq!(release(&lab, "holder"), ["released", "1000"]);
    assert!(lab.cli(&["GET"], "queue:turn", &[]).ends_with(&format!("id-1 {CHANNEL} owner-of-id-1")));
    assert_eq!(lab.acquire("id-3", "request:id-3", "", "30000"), ["reserved", "2", "0"]);
    let queued = again(&lab, "id-2", "20000", &second);
    assert_eq!((queued[0].as_str(), queued[2].as_str()), ("queued", "0"));
    assert!((1..=1000).contains(&number(&queued[3])), "{queued:?}");
    assert_eq!(again(&lab, "id-1", "20000", &first)[0], "granted");
    assert_eq!(lab.keys(), ["fence", "lock", "queue"]);
    assert_eq!(release(&lab, "id-1"), ["released", "1000"]);
    assert_eq!(again(&lab, "id-2", "20000", &second)[0], "granted");
    assert_eq!(lab.keys(), ["fence", "lock"]);
}

#[test]
fn a_break_with_a_grace_says_when_to_look_after_a_waiter_and_leaves_the_queue_alone() {
    let lab = held(Redis::shared());
    let first = joined(&lab, "id-1");
    let broken = lab.run(&Break { fence: None, request: None, print: None, grace: Some(5000), by: None, reason: None });
    assert_eq!(broken[4..], ["5000", "5000"]);
    assert_eq!(lab.keys(), ["broken", "fence", "lock", "queue"]);
    let queued = again(&lab, "id-1", "20000", &first);
    assert!(queued[0] == "queued" && (1..=5000).contains(&number(&queued[3])), "{queued:?}");
    assert_eq!(release(&lab, "holder"), ["released", "1000"]);
    assert_eq!(again(&lab, "id-1", "20000", &first)[0], "granted");
}

/// Queues as [`joined`] does, with a headstart in seconds; when it counts as having arrived.
#[track_caller]
fn joined_ahead(lab: &Lab, id: &str, headstart: u64) -> u64 {
    let queued = lab.run(&Try(ahead(id, &format!("owner-of-{id}"), headstart)));
    assert_eq!(queued[0], "queued", "{queued:?}");
    number(&queued[1]) as u64
}

fn ahead<'a>(id: &'a str, owner: &'a str, headstart: u64) -> Acquire<'a> {
    let (metadata, lease, print, wait) = ("[]", 30_000, None, Some(20_000));
    let rank = Some(Rank { headstart: headstart * 1_000_000, replaces: None, held: None, most: None });
    Acquire { id, token: id, owner, metadata, lease, request: None, print, wait, channel: CHANNEL, rank, by: None }
}

/// The ids in the queue, in their order.
fn ids(lab: &Lab) -> Vec<String> {
    queue(lab).split(", ").filter_map(|place| Some(place.split_once(' ')?.0.to_string())).collect()
}

#[test]
fn a_headstart_puts_a_request_before_those_that_arrived_within_it_and_after_all_others() {
    let lab = held(Redis::shared());
    let first = joined(&lab, "id-1");
    // It arrived 20 s ago.
    let early = number(&first) - 20_000_000;
    lab.cli(&["ZADD"], "queue", &["XX", &early.to_string(), &format!("id-1 {CHANNEL} owner-of-id-1")]);
    let second = joined(&lab, "id-2");
    let ahead_of_second = joined_ahead(&lab, "id-3", 10);
    assert_eq!(ids(&lab), ["id-1", "id-3", "id-2"]);
    assert!((early as u64..number(&second) as u64).contains(&ahead_of_second));
    lab.cli(&["ZREM"], "queue", &[&format!("id-2 {CHANNEL} owner-of-id-2")]);
    joined_ahead(&lab, "id-4", 40);
    assert_eq!(ids(&lab), ["id-4", "id-1", "id-3"]);
}

#[test]
fn requests_with_the_same_headstart_stay_in_order_of_arrival() {
    let lab = held(Redis::shared());
    let arrived: Vec<_> = ["id-1", "id-2", "id-3"].map(|id| joined_ahead(&lab, id, 10)).into();
    assert!(arrived.is_sorted_by(|a, b| a < b), "{arrived:?}");
    assert_eq!(ids(&lab), ["id-1", "id-2", "id-3"]);
}

#[test]
fn a_waiter_that_has_the_turn_is_not_passed_and_one_that_is_next_is() {
    let lab = held(Redis::shared());
    let first = joined(&lab, "id-1");
    joined(&lab, "id-2");
    assert_eq!(release(&lab, "holder"), ["released", "1000"]);
    let arrived = joined_ahead(&lab, "id-3", 10);
    assert_eq!(ids(&lab), ["id-1", "id-3", "id-2"]);
    assert_eq!(again(&lab, "id-1", "20000", &first)[0], "granted");
    assert_eq!(release(&lab, "id-1"), ["released", "1000"]);
    let asked = ahead("id-3", "owner-of-id-3", 10);
    assert_eq!(lab.run(&Claim { asked, arrived: Some(arrived) })[0], "granted");
    assert_eq!(ids(&lab), ["id-2"]);
}

#[test]
fn a_waiter_with_a_headstart_that_lost_its_place_comes_back_to_it() {
    let lab = held(Redis::shared());
    let arrived = joined_ahead(&lab, "id-1", 10);
    joined(&lab, "id-2");
    lab.cli(&["ZREM"], "queue", &[&format!("id-1 {CHANNEL} owner-of-id-1")]);
    let asked = ahead("id-1", "owner-of-id-1", 10);
    assert_eq!(lab.run(&Claim { asked, arrived: Some(arrived) })[1], arrived.to_string());
    assert_eq!(ids(&lab), ["id-1", "id-2"]);
    // Also if the reply with its arrival was lost, and it is given another.
    lab.cli(&["ZREM"], "queue", &[&format!("id-1 {CHANNEL} owner-of-id-1")]);
    assert_eq!(lab.run(&Claim { asked, arrived: None })[0], "queued");
    assert_eq!(ids(&lab), ["id-1", "id-2"]);
}

#[test]
fn a_headstart_passes_no_waiter_that_was_called_into_a_group() {
    let lab = Lab::on(Redis::shared());
    let ask = |id: &str, share: &str, headstart: u64| {
        let (owner, token) = (format!("owner-of-{id}"), format!("{id}.secret"));
        let asked = Acquire { token: &token, ..ahead(id, &owner, headstart) };
        lab.run(&Join { asked, share: Some(share), again: false, arrived: None })
    };
    assert_eq!([ask("a-1", "*1/3", 0)[0].as_str(), ask("a-2", "*2/3", 0)[0].as_str()], ["joined"; 2]);
    let called = arrival(&ask("b-1", "*1/3", 0));
    arrival(&ask("c-1", "*3/3", 0));
    // This calls the first waiter, which doesn't claim yet.
    lab.run(&SharedRelease { id: "a-1", secret: "secret", new_secret: None, after: None, request: None, print: None });
    assert_eq!(number(&lab.cli(&["HGET"], "lock", &["bound"])) as u64, called.expect("a time"));
    let ahead = arrival(&ask("d-1", "*1/3", 10));
    assert!(ahead > called, "{ahead:?} {called:?}");
    assert_eq!(ids(&lab), ["b-1*1/3", "d-1*1/3", "c-1*3/3"]);
}

/// Queues with this value of `replaces`; the reply.
#[track_caller]
fn asks(lab: &Lab, id: &str, key: Option<&str>, replaces: &str, wait: u64, arrived: Option<u64>) -> Vec<String> {
    let owner = format!("owner-of-{id}");
    let (rank, print) =
        (Some(Rank { headstart: 0, replaces: Some(replaces), held: None, most: None }), key.map(|_| "print"));
    let wait = Some(wait).filter(|wait| *wait > 0);
    let asked = Acquire { rank, print, wait, request: key, ..ahead(id, &owner, 0) };
    match arrived {
        None => lab.run(&Try(asked)),
        Some(arrived) => lab.run(&Claim { asked, arrived: Some(arrived) }),
    }
}

fn arrival(queued: &[String]) -> Option<u64> {
    assert_eq!(queued[0], "queued", "{queued:?}");
    queued[1].parse().ok()
}

#[test]
fn a_join_dismisses_the_waiter_with_the_same_value_and_no_other() {
    let lab = held(Redis::shared());
    let first = arrival(&asks(&lab, "id-1", None, "main", 20_000, None));
    let other = arrival(&asks(&lab, "id-2", None, "other", 20_000, None));
    let newest = arrival(&asks(&lab, "id-3", None, "main", 20_000, None));
    assert_eq!(ids(&lab), ["id-2", "id-3"]);
    assert_eq!(asks(&lab, "id-1", None, "main", 20_000, first), ["replaced"]);
    // Also when its wait is over, and when the newest is gone.
    assert_eq!(asks(&lab, "id-1", None, "main", 0, first), ["replaced"]);
    lab.cancel("id-3", "request:id-3");
    assert_eq!(asks(&lab, "id-1", None, "main", 20_000, first), ["replaced"]);
    assert_eq!(asks(&lab, "id-2", None, "other", 20_000, other)[0], "queued");
    assert_eq!(asks(&lab, "id-3", None, "main", 20_000, newest), ["cancelled"]);
    for key in ["queue:replaces:main", "queue:replaces:other"] {
        assert!((1..=120_000).contains(&number(&lab.cli(&["PTTL"], key, &[]))), "{key}");
    }
}

#[test]
fn a_request_that_does_not_wait_dismisses_nobody() {
    let lab = held(Redis::shared());
    let first = arrival(&asks(&lab, "id-1", None, "main", 20_000, None));
    assert_eq!(asks(&lab, "id-2", None, "main", 0, None)[0], "held");
    assert_eq!(asks(&lab, "id-1", None, "main", 20_000, first)[0], "queued");
}

#[test]
fn a_waiter_with_a_key_that_was_replaced_is_told_so_again_also_between_its_pieces() {
    let lab = held(Redis::shared());
    let key = Some("k");
    let first = arrival(&asks(&lab, "id-1", key, "main", 20_000, None));
    // Its piece is over, and it is away.
    assert_eq!(asks(&lab, "id-1", key, "main", 0, first)[0], "held");
    arrival(&asks(&lab, "id-2", Some("other"), "main", 20_000, None));
    for id in ["id-3", "id-4"] {
        assert_eq!(asks(&lab, id, key, "main", 20_000, None), ["replaced"]);
    }
    assert_eq!(ids(&lab), ["id-2"]);
    assert!((50_000..=60_000).contains(&number(&lab.cli(&["PTTL"], "request:k", &[]))));
}

#[test]
fn a_copy_that_takes_a_place_over_replaces_nobody_and_is_replaced_in_its_turn() {
    let lab = held(Redis::shared());
    let key = Some("k");
    let first = arrival(&asks(&lab, "id-1", key, "main", 20_000, None));
    let copy = arrival(&asks(&lab, "id-2", key, "main", 20_000, None));
    assert_eq!(copy, first);
    assert_eq!(asks(&lab, "id-1", key, "main", 20_000, first), ["superseded"]);
    arrival(&asks(&lab, "id-3", None, "main", 20_000, None));
    assert_eq!(ids(&lab), ["id-3"]);
    assert_eq!(asks(&lab, "id-2", key, "main", 20_000, copy), ["replaced"]);
    assert_eq!(asks(&lab, "id-1", key, "main", 20_000, first), ["replaced"]);
}

#[test]
fn a_waiter_that_lost_its_place_takes_it_again_unless_it_was_replaced() {
    let lab = held(Redis::shared());
    let first = arrival(&asks(&lab, "id-1", None, "main", 20_000, None));
    lab.cli(&["ZREM"], "queue", &[&format!("id-1 {CHANNEL} owner-of-id-1")]);
    assert_eq!(arrival(&asks(&lab, "id-1", None, "main", 20_000, first)), first);
    // A lost reply gives its place to another attempt of the same request.
    lab.cancel("id-1", "request:id-1");
    assert_eq!(arrival(&asks(&lab, "id-2", None, "main", 20_000, first)), first);
    arrival(&asks(&lab, "id-3", None, "main", 20_000, None));
    assert_eq!(ids(&lab), ["id-3"]);
    assert_eq!(asks(&lab, "id-2", None, "main", 20_000, first), ["replaced"]);
}

#[test]
fn a_waiter_that_has_the_turn_can_be_replaced_and_the_turn_goes_on() {
    let lab = held(Redis::shared());
    let first = arrival(&asks(&lab, "id-1", None, "main", 20_000, None));
    assert_eq!(release(&lab, "holder"), ["released", "1000"]);
    // Nobody else waits, so the newest need not wait.
    assert_eq!(asks(&lab, "id-2", None, "main", 20_000, None)[0], "granted");
    assert_eq!(asks(&lab, "id-1", None, "main", 20_000, first), ["replaced"]);
    assert_eq!(lab.keys(), ["fence", "lock", "queue:replaces:main"]);

    let third = arrival(&asks(&lab, "id-3", None, "main", 20_000, None));
    let next = joined(&lab, "next");
    assert_eq!(release(&lab, "id-2")[0], "mismatch", "its token is its id");
    lab.cli(&["DEL"], "lock", &[]);
    lab.run(&Wake {});
    assert_eq!(asks(&lab, "id-4", None, "main", 20_000, None)[0], "queued");
    assert!(lab.cli(&["GET"], "queue:turn", &[]).ends_with("owner-of-next"));
    assert_eq!(asks(&lab, "id-3", None, "main", 20_000, third), ["replaced"]);
    assert_eq!(again(&lab, "next", "20000", &next)[0], "granted");
    assert_eq!(ids(&lab), ["id-4"]);
}

/// Has the turn begin so many milliseconds earlier.
fn age_turn(lab: &Lab, by: i64) {
    let turn = lab.cli(&["GET"], "queue:turn", &[]);
    let (since, place) = turn.split_once(' ').expect("when it began, and whose it is");
    lab.cli(&["SET"], "queue:turn", &[&format!("{} {place}", number(since) - by), "KEEPTTL"]);
}

#[test]
fn a_turn_that_nobody_looked_at_when_it_passed_begins_anew() {
    let lab = held(Redis::shared());
    joined(&lab, "id-1");
    let second = joined(&lab, "id-2");
    release(&lab, "holder");
    // All replicas were away, and the first replica that is back asks for a later place.
    age_turn(&lab, 5000);
    let asked = again(&lab, "id-2", "20000", &second);
    assert_eq!((asked[0].as_str(), asked[3].as_str()), ("queued", "1000"));
    assert!(queue(&lab).starts_with(&format!("id-1 {CHANNEL}")), "{}", queue(&lab));
    // The new turn passes like any other.
    age_turn(&lab, 1001);
    assert_eq!(again(&lab, "id-2", "20000", &second)[0], "granted");
}

#[test]
fn a_turn_that_passes_costs_the_replica_its_places_and_it_gets_them_back_when_it_lives() {
    let lab = held(Redis::shared());
    let first = joined(&lab, "id-1");
    lab.cli(&["ZADD"], "queue", &[&(number(&first) + 1).to_string(), "id-2 gorilla:wake:other me"]);
    joined(&lab, "id-3");
    release(&lab, "holder");
    age_turn(&lab, 1001);
    let woken = lab.run(&Wake {});
    assert_eq!(woken, ["woken", "1000"]);
    assert_eq!(queue(&lab), "id-2 gorilla:wake:other me");
    // Nobody is left to claim after the second turn either.
    age_turn(&lab, 1001);
    assert_eq!(lab.run(&Wake {}), ["woken", "0"]);
    assert_eq!(lab.keys(), ["fence"]);
    lab.cli(&["ZADD"], "queue", &[&(number(&first) + 1).to_string(), "id-2 gorilla:wake:other me"]);
    // The other replica has the turn. The waiter of this replica is before it, because it came first.
    assert_eq!(again(&lab, "id-1", "20000", &first)[0], "granted");
    assert_eq!(queue(&lab), "id-2 gorilla:wake:other me");
}

#[test]
fn a_waiter_whose_time_is_over_learns_its_position_and_leaves_nothing() {
    let lab = held(Redis::shared());
    joined(&lab, "id-1");
    let second = joined(&lab, "id-2");
    let held = again(&lab, "id-2", "0", &second);
    assert_eq!((held[0].as_str(), &held[4..]), ("held", &["2".to_string(), "2".into()][..]));
    assert_eq!(queue(&lab), format!("id-1 {CHANNEL} owner-of-id-1"));
    assert_eq!(lab.cancel("id-1", "request:id-1"), ["marked", "0"]);
    assert_eq!(lab.keys(), ["fence", "lock", "request:id-1"]);
}

#[test]
fn with_a_key_the_place_is_kept_and_passed_over() {
    let lab = held(Redis::shared());
    let arrived = lab.queue("id-1", "request:k", "print", "30000", "20000", "")[1].clone();
    joined(&lab, "id-2");
    lab.queue("id-1", "request:k", "print", "30000", "0", &arrived);
    assert!((1..=10_000).contains(&number(&lab.cli(&["PTTL"], "request:k", &[]))));
    assert_eq!(release(&lab, "holder"), ["released", "1000"]);
    assert_eq!(lab.queue("id-3", "request:k", "other", "30000", "20000", ""), ["reused"]);
    // A waiter that is back before the waiter that has the turn is first again.
    assert_eq!(lab.queue("id-3", "request:k", "print", "30000", "20000", "")[0], "granted");
    assert_eq!(queue(&lab), format!("id-2 {CHANNEL} owner-of-id-2"));
}

#[test]
fn a_copy_takes_the_place_over_and_the_first_learns_of_the_grant() {
    let lab = held(Redis::shared());
    let arrived = lab.queue("id-1", "request:k", "print", "30000", "20000", "")[1].clone();
    assert_eq!(lab.queue("id-2", "request:k", "print", "30000", "20000", "")[1], arrived);
    assert_eq!(queue(&lab), format!("id-2 {CHANNEL} owner-of-id-2"));
    assert_eq!(lab.queue("id-1", "request:k", "print", "30000", "20000", &arrived), ["superseded"]);
    release(&lab, "holder");
    assert_eq!(lab.queue("id-2", "request:k", "print", "30000", "20000", &arrived)[0], "granted");
    assert_eq!(lab.queue("id-1", "request:k", "print", "30000", "20000", &arrived)[3], "id-2");
}

#[test]
fn a_waiter_that_leaves_while_it_has_the_turn_passes_it_on() {
    let lab = held(Redis::shared());
    let (first, second) = (joined(&lab, "id-1"), joined(&lab, "id-2"));
    release(&lab, "holder");
    assert_eq!(lab.cancel("id-1", "request:id-1"), ["marked", "1000"]);
    assert!(lab.cli(&["GET"], "queue:turn", &[]).ends_with("owner-of-id-2"));
    // Its last call was on the way.
    assert_eq!(again(&lab, "id-1", "20000", &first), ["cancelled"]);
    again(&lab, "id-2", "20000", &second);
    // The same when it had been granted already, and without anybody after it.
    assert_eq!(lab.cancel("id-2", "request:id-2"), ["released", "0"]);
    assert_eq!(lab.keys(), ["fence", "request:id-1", "request:id-2"]);
}

#[test]
fn a_waiter_whose_reply_was_lost_is_told_of_its_grant_again() {
    let lab = held(Redis::shared());
    let again = |arrived: &str| lab.queue("id-1", "request:k", "print", "30000", "20000", arrived);
    let arrived = again("")[1].clone();
    release(&lab, "holder");
    let granted = again(&arrived);
    let replayed = again(&arrived);
    assert_eq!((replayed[0].as_str(), &replayed[1], &replayed[3]), ("replayed", &granted[1], &"id-1".to_string()));
}

#[test]
fn a_waiter_whose_first_reply_was_lost_has_one_place_and_can_leave_it() {
    let lab = held(Redis::shared());
    let again = |id: &str, wait: &str, arrived: &str| {
        lab.queue(id, &format!("request:key-of-{id}"), "print", "30000", wait, arrived)
    };
    let arrived = again("id-1", "20000", "")[1].clone();
    assert_eq!(again("id-1", "20000", "?")[..2], ["queued", &arrived]);
    assert_eq!(queue(&lab), format!("id-1 {CHANNEL} owner-of-id-1"));
    assert_eq!(again("id-1", "0", "?")[0], "held");
    assert_eq!(lab.keys(), ["fence", "lock", "request:key-of-id-1"]);
    // Its first call never arrived.
    assert_eq!(again("id-2", "20000", "?")[0], "queued");
    assert_eq!(again("id-3", "0", "?")[0], "held");
    assert_eq!(queue(&lab), format!("id-2 {CHANNEL} owner-of-id-2"));
    release(&lab, "holder");
    assert_eq!(again("id-2", "20000", "?")[0], "granted");
    assert_eq!(again("id-2", "20000", "?")[0], "replayed");
}

#[test]
fn a_first_call_that_arrives_after_a_later_one_finds_the_place_that_is_there() {
    let lab = held(Redis::shared());
    let first = joined(&lab, "id-1");
    assert_eq!(joined(&lab, "id-1"), first);
    assert_eq!(lab.cli(&["ZCARD"], "queue", &[]), "1");
}

#[test]
fn the_queue_has_room_for_so_many() {
    let lab = held(Redis::shared());
    for id in ["id-1", "id-2", "id-3"] {
        joined(&lab, id);
    }
    assert_eq!(lab.queue("id-4", "request:id-4", "", "30000", "20000", ""), ["full", "3"]);
    assert_eq!(lab.keys(), ["fence", "lock", "queue"]);
}

#[test]
fn attempts_of_replicas_that_died_long_ago_make_room() {
    let lab = held(Redis::shared());
    for old in ["0188a000-0000-7000-8000-000000000001", "0188a000-0000-7000-8000-000000000002"] {
        lab.cli(&["ZADD"], "queue", &["1", &format!("{old} gorilla:wake:dead me")]);
    }
    joined(&lab, "id-1");
    assert_eq!(queue(&lab), format!("id-1 {CHANNEL} owner-of-id-1"));
}

#[test]
fn wake_gives_every_reply_of_its_header() {
    let lab = held(Redis::shared());
    lab.seen.borrow_mut().clear();
    assert_eq!(lab.run(&Wake {}), ["woken", "0"]);
    lab.saw_every_reply_of("wake");
}
