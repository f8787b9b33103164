//! `lua/convert.lua`

use std::{collections::BTreeSet, time::Duration};

use gorilla_scripts::{Break, Constants, Convert, SharedBreak};

use super::{AT_ONCE, Asks, CONSTANTS, Lab, WAITS, number};
use crate::harness::Redis;

/// Converts the grant with this token into that of `id`.
fn convert(lab: &Lab, token: &str, id: &str, share: &str, lease: u64, print: &str) -> Vec<String> {
    convert_with(lab, None, token, id, share, lease, print)
}

/// The same with the key of the incarnation, where grants wait after a loss of data.
fn convert_with(
    lab: &Lab,
    incarnation: Option<&str>,
    token: &str,
    id: &str,
    share: &str,
    lease: u64,
    print: &str,
) -> Vec<String> {
    let new_token = if share.is_empty() { format!("token-of-{id}") } else { format!("{id}.secret-of-{id}") };
    let (request, print) = Some(("k", print)).filter(|(_, print)| !print.is_empty()).unzip();
    let share = Some(share).filter(|share| !share.is_empty());
    let call = Convert { token, id, new_token: &new_token, metadata: None, lease, share, request, print, by: None };
    lab.run_on(Some("lock"), incarnation, &call)
}

#[test]
fn convert_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let convert =
        |token: &str, id: &str, share: &str, lease: u64, print: &str| convert(&lab, token, id, share, lease, print);
    assert_eq!(convert("token-of-a-1", "b-1", "*1/", 60_000, ""), ["missing"]);
    let granted = lab.acquire("a-1", "request:a-1", "", "30000");
    let mismatch = convert("another", "b-1", "*1/", 60_000, "");
    assert_eq!(mismatch[..3], ["mismatch".into(), "owner-of-a-1".into(), granted[1].clone()]);
    assert_eq!(convert("token-of-a-1", "b-1", "*1/", 1_000, "")[0], "shorter");
    assert_eq!(convert("token-of-a-1", "b-1", "*4/3", 60_000, ""), ["limited", "3"]);

    let shares = convert("token-of-a-1", "b-1", "*1/3", 60_000, "print");
    let [name, fence, created, owner, metadata, turn, permits, limit, floor] = shares.as_slice() else {
        panic!("{shares:?}")
    };
    assert!(number(fence) > number(&granted[1]), "it is a new grant");
    assert_eq!([name, owner, metadata, turn], ["shares", "owner-of-a-1", "[1.0]", "0"]);
    assert_eq!([permits, limit, floor], ["1", "3", fence]);
    assert_eq!(number(&lab.cli(&["PEXPIRETIME"], "lock", &[])), number(created) + 60_000);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["mode", "id", "token"]), "shared");
    let replayed = convert("token-of-a-1", "b-9", "*1/3", 60_000, "print");
    assert_eq!(replayed[..2], ["replayed", "b-1.secret-of-b-1"]);
    assert_eq!(convert("token-of-a-1", "b-9", "*1/3", 60_000, "other print"), ["reused"]);

    let second = lab.join("b-2", "*2/3", Asks { lease: 40_000, ..AT_ONCE });
    let crowd = convert("b-2.secret-of-b-2", "c-1", "", 90_000, "");
    assert_eq!(crowd[..3], ["crowd".into(), "owner-of-a-1".into(), fence.clone()]);
    assert_eq!(crowd[4..], ["3", "3", "2"]);
    assert_eq!(second[0], "joined");
    assert_eq!(convert("b-1.another", "c-1", "", 90_000, "")[0], "mismatch");
    lab.leave("b-2");
    assert_eq!(convert("b-1.secret-of-b-1", "c-1", "", 1_000, "")[0], "shorter");
    let alone = convert("b-1.secret-of-b-1", "c-1", "", 90_000, "");
    assert_eq!((alone[0].as_str(), &alone[3..]), ("alone", &["owner-of-a-1".to_string(), "[1.0]".into()][..]));
    assert!(number(&alone[1]) > number(&second[1]));
    assert_eq!(lab.cli(&["HMGET"], "lock", &["id", "token", "mode", "used"]), "c-1\ntoken-of-c-1");
    assert_eq!(lab.keys(), ["fence", "lock", "request:k"]);
    assert_eq!(convert("token-of-a-1", "b-9", "*1/3", 60_000, "print"), ["gone"]);
    lab.cli(&["HSET"], "lock", &["breaking", "1"]);
    assert_eq!(convert("token-of-c-1", "d-1", "*1/3", 90_000, "")[0], "breaking");
    lab.seen.borrow_mut().extend(replies_while_grants_wait());
    lab.seen.borrow_mut().retain(|reply| !["granted", "joined", "released"].contains(&reply.as_str()));
    lab.saw_every_reply_of("convert");
}

/// What a conversion is told after Redis may have lost who else holds the lock.
fn replies_while_grants_wait() -> BTreeSet<String> {
    const INCARNATION: Option<&str> = Some("incarnation");
    let lab = Lab::with(Redis::shared(), Constants { grace: Duration::from_secs(60), ..CONSTANTS });
    let convert = |token: &str, id: &str, share: &str, print: &str| {
        convert_with(&lab, INCARNATION, token, id, share, 90_000, print)
    };
    let asks = Asks { incarnation: INCARNATION, ..AT_ONCE };
    assert_eq!(lab.join("r-1", "*1/", asks)[0], "recovering");
    let over = || {
        let marker = lab.cli(&["GET"], "incarnation", &[]);
        lab.cli(&["SET"], "incarnation", &[&format!("{} 1000", marker.split(' ').next().expect("an incarnation"))]);
    };
    over();
    assert_eq!(lab.join("r-1", "*1/", asks)[0], "joined");
    lab.cli(&["DEL"], "incarnation", &[]);
    assert_eq!(convert("r-1.secret-of-r-1", "b-1", "", ""), ["recovering", "60000"]);
    over();
    assert_eq!(convert("r-1.secret-of-r-1", "b-1", "", "print")[0], "alone");
    lab.cli(&["DEL"], "incarnation", &[]);
    assert_eq!(convert("r-1.secret-of-r-1", "b-9", "", "print"), ["unsettled", "60000"]);
    assert_eq!(convert("token-of-b-1", "c-1", "*1/", "")[0], "recovering");
    over();
    assert_eq!(convert("r-1.secret-of-r-1", "b-9", "", "print")[0], "replayed");
    lab.seen.take()
}

#[test]
fn a_downgrade_lets_the_readers_at_the_head_in_and_keeps_a_writer_that_waits_out() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("a-1", "request:a-1", "", "30000");
    let reader = lab.join("r-1", "*1/", WAITS)[1].clone();
    let writer = lab.join("w-1", "", WAITS)[1].clone();
    assert_eq!(convert(&lab, "token-of-a-1", "b-1", "*1/", 30_000, "")[5], "1000", "the reader has the turn");
    assert_eq!(lab.join("w-1", "", Asks { arrived: Some(&writer), ..WAITS })[0], "queued");
    assert_eq!(lab.join("r-1", "*1/", Asks { arrived: Some(&reader), ..WAITS })[0], "joined");
    assert_eq!(lab.join("r-2", "*1/", AT_ONCE)[0], "reserved");
}

#[test]
fn a_downgrade_takes_the_limit_that_waiters_have_named() {
    let lab = Lab::on(Redis::shared());
    lab.acquire("a-1", "request:a-1", "", "30000");
    lab.join("r-1", "*1/7", WAITS);
    assert_eq!(convert(&lab, "token-of-a-1", "b-1", "*1/8", 30_000, ""), ["limited", "7"]);
    assert_eq!(convert(&lab, "token-of-a-1", "b-1", "*1/", 30_000, "")[7], "7");
}

#[test]
fn the_only_holder_upgrades_ahead_of_the_queue_and_of_those_that_were_called() {
    let lab = Lab::on(Redis::shared());
    lab.join("r-1", "*1/1", AT_ONCE);
    let arrived = lab.join("r-2", "*1/1", WAITS)[1].clone();
    lab.join("w-1", "", WAITS);
    assert_eq!(convert(&lab, "r-1.secret-of-r-1", "b-1", "", 30_000, "")[0], "alone");
    assert_eq!(lab.join("r-2", "*1/1", Asks { arrived: Some(&arrived), ..WAITS })[0], "queued");
    assert_eq!(lab.keys(), ["fence", "limit", "lock", "queue"]);
}

/// A copy that was told of the whole lease would believe in it for longer than the lock lasts.
#[test]
fn a_copy_of_a_conversion_is_told_of_no_longer_lease_than_a_break_with_a_grace_has_left() {
    let lab = Lab::on(Redis::shared());
    let convert =
        |token: &str, id: &str, share: &str, print: &str| convert(&lab, token, id, share, 60_000, print)[0].clone();
    lab.acquire("a-1", "request:a-1", "", "30000");
    assert_eq!(convert("token-of-a-1", "b-1", "*1/", "print"), "shares");
    assert_eq!(convert("token-of-a-1", "b-1", "*1/", "print"), "replayed");
    let fence = lab.cli(&["HGET"], "lock", &["fence"]);
    let call = Break { fence: Some(&fence), request: None, print: None, grace: Some(2000), by: None, reason: None };
    assert_eq!(lab.run(&SharedBreak(call))[0], "breaking");
    assert_eq!(convert("token-of-a-1", "b-1", "*1/", "print"), "gone");
    lab.cli(&["DEL"], "lock", &[]);
    lab.cli(&["DEL"], "request:k", &[]);
    lab.join("c-1", "*1/", AT_ONCE);
    assert_eq!(convert("c-1.secret-of-c-1", "d-1", "", "print"), "alone");
    lab.run(&Break { grace: Some(2000), fence: None, ..call });
    assert_eq!(convert("c-1.secret-of-c-1", "d-1", "", "print"), "gone");
}
