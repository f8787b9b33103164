//! `lua/limit.lua` and `lua/queue.lua`

use gorilla_scripts::{Limit, Queue};

use super::{AT_ONCE, Asks, CHANNEL, CONSTANTS, Lab, WAITS, number};
use crate::harness::Redis;

fn limit(lab: &Lab) -> Vec<String> {
    lab.run(&Limit { change: None, limit: None })
}

fn pin(lab: &Lab, limit: u32) -> Vec<String> {
    lab.run(&Limit { change: Some("pin"), limit: Some(limit) })
}

fn unpin(lab: &Lab) -> Vec<String> {
    lab.run(&Limit { change: Some("unpin"), limit: None })
}

#[test]
fn limit_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    assert_eq!(limit(&lab), ["limit", "none", "0"]);
    assert_eq!(pin(&lab, 3), ["limit", "3", "1"]);
    assert_eq!(lab.cli(&["PTTL"], "limit", &[]), "-1");
    assert_eq!(limit(&lab), ["limit", "3", "1"]);
    assert_eq!(unpin(&lab), ["limit", "none", "0"]);
    assert!(lab.keys().is_empty());
    lab.saw_every_reply_of("limit");
}

#[test]
fn a_limit_is_in_force_while_a_group_holds_or_a_shared_request_waits_and_no_longer() {
    let lab = Lab::on(Redis::shared());
    lab.join("a-1", "*2/2", AT_ONCE);
    assert_eq!(limit(&lab), ["limit", "2", "0"]);
    let arrived = lab.join("a-2", "*1/2", WAITS)[1].clone();
    lab.leave("a-1");
    assert_eq!(limit(&lab), ["limit", "2", "0"], "somebody waits");
    assert_eq!(lab.join("a-3", "*1/3", AT_ONCE), ["limited", "2"]);
    lab.join("a-2", "*1/2", Asks { arrived: Some(&arrived), ..AT_ONCE });
    lab.leave("a-2");
    lab.join("w-1", "", AT_ONCE);
    lab.join("w-2", "", WAITS);
    assert_eq!(limit(&lab), ["limit", "none", "0"], "one that wants the lock alone names no limit");
    assert_eq!(lab.join("a-4", "*1/3", WAITS)[0], "queued");
}

#[test]
fn a_pinned_limit_may_be_omitted_and_outlives_requests_that_wait() {
    let lab = Lab::on(Redis::shared());
    pin(&lab, 2);
    assert_eq!(lab.join("a-1", "*2/", AT_ONCE)[5], "2");
    assert_eq!(lab.join("a-2", "*1/", WAITS)[0], "queued");
    assert_eq!(lab.cli(&["GET"], "limit", &[]), "pinned 2");
    assert_eq!(lab.cli(&["PTTL"], "limit", &[]), "-1");
    assert_eq!(lab.join("a-3", "*1/3", AT_ONCE), ["limited", "2"]);
    assert_eq!(lab.join("a-3", "*3/", AT_ONCE), ["limited", "2"]);
}

#[test]
fn a_lowered_limit_revokes_nothing_and_a_raised_one_calls_several() {
    let lab = Lab::on(Redis::shared());
    pin(&lab, 3);
    lab.join("a-1", "*1/", AT_ONCE);
    lab.join("a-2", "*1/", AT_ONCE);
    assert_eq!(pin(&lab, 1), ["limit", "1", "1"]);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["used", "limit"]), "2\n1");
    let arrived = ["b-1", "b-2"].map(|id| lab.join(id, "*1/", WAITS)[1].clone());
    assert_eq!(lab.leave("a-1"), ["released", "0"], "there are as many as may be");
    pin(&lab, 3);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["bound", "reserved"]), format!("{}\n2", arrived[1]));
    // Lowered again before they came: the first that fits is still called.
    pin(&lab, 2);
    assert_eq!(lab.cli(&["HMGET"], "lock", &["bound", "reserved"]), format!("{}\n1", arrived[0]));
    assert_eq!(lab.join("b-2", "*1/", Asks { arrived: Some(&arrived[1]), ..WAITS })[0], "queued");
    assert_eq!(lab.join("b-1", "*1/", Asks { arrived: Some(&arrived[0]), ..WAITS })[0], "joined");
}

#[test]
fn queue_gives_every_reply_of_its_header() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    // Behind the number of places is the time of Redis.
    let queue = |most| {
        let mut reply = lab.run(&Queue { most });
        assert!(number(&reply.remove(3)) > 1_700_000_000_000);
        reply
    };
    assert_eq!(queue(10), ["queue", "0", "0"]);
    lab.join("w-1", "", AT_ONCE);
    lab.seen.borrow_mut().remove("granted");
    lab.join("a-1", "*2/10", WAITS);
    lab.join("w-2", "", WAITS);
    lab.seen.borrow_mut().remove("queued");
    let both = queue(10);
    let (first, second) = (format!("a-1*2/10 {CHANNEL} owner-of-a-1"), format!("w-2 {CHANNEL} owner-of-w-2"));
    assert_eq!([&both[..4], &both[5..6]].concat(), ["queue", "2", "2", &first, &second].map(String::from));
    assert!([4, 6].iter().all(|index| (0..60_000).contains(&number(&both[*index]))), "{both:?}");
    assert_eq!(queue(1)[..4], ["queue", "2", "1", &first].map(String::from));
    assert_eq!(queue(0), ["queue", "2", "0"]);
    lab.saw_every_reply_of("queue");
}
