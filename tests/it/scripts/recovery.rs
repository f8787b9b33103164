//! What `lua/try.lua` and `lua/claim.lua` do after Redis may have lost data, `lua/settle.lua`, and `lua/confirm.lua`.

use std::time::Duration;

use gorilla_scripts::{Confirm, Constants, Settle, Wake};

use super::{CHANNEL, Lab, number};
use crate::harness::{Redis, eventually};

const GRACE: Option<&str> = Some("incarnation");
const CONSTANTS: Constants = Constants { grace: Duration::from_secs(60), ..super::CONSTANTS };

impl Lab<'_> {
    /// The incarnation of the data, by Redis's own word.
    fn replid(&self) -> String {
        let info = self.redis.cli(&["INFO", "replication"]);
        info.lines().find_map(|line| line.strip_prefix("master_replid:")).expect("a replication id").trim().into()
    }

    /// As if the incarnation had been seen so long ago, or in the future, that grants wait until `left` from now (ms).
    fn seen(&self, whose: &str, left: i64) {
        self.cli(&["SET"], "incarnation", &[&format!("{whose} {}", self.now() + left)]);
    }

    /// Redis's clock, in ms.
    fn now(&self) -> i64 {
        let time = self.redis.cli(&["TIME"]);
        let (seconds, micros) = time.split_once('\n').expect("two lines");
        number(seconds) * 1000 + number(micros) / 1000
    }

    fn ask(&self, id: &str, wait: &str, arrived: &str) -> Vec<String> {
        self.recover(id, &format!("request:{id}"), "", "30000", wait, arrived, GRACE)
    }

    fn settle(&self) -> Vec<String> {
        self.run_on(Some("incarnation"), None, &Settle {})
    }

    fn place(&self, id: &str) -> String {
        format!("{id} {CHANNEL} owner-of-{id}")
    }
}

#[test]
fn a_grant_waits_for_one_grace_after_an_incarnation_was_first_seen() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    let replid = lab.replid();
    for (whose, before) in [("", ""), ("another", &*"0".repeat(40)), ("garbage", "x")] {
        lab.cli(&["DEL"], "incarnation", &[]);
        if !before.is_empty() {
            lab.seen(before, -1);
        }
        let reply = lab.ask("id", "0", "");
        assert_eq!(reply, ["recovering", "60000", "0", "0"], "{whose}");
        let marker = lab.cli(&["GET"], "incarnation", &[]);
        let (seen, until) = marker.split_once(' ').expect("two words");
        assert_eq!(seen, replid, "{whose}");
        let left = number(until) - lab.now();
        assert!((59_000..=60_000).contains(&left), "{whose}: {left}");
        assert_eq!(lab.cli(&["PTTL"], "incarnation", &[]), "-1");
        let again = number(&lab.ask("id", "0", "")[1]);
        assert!((59_000..=60_000).contains(&again), "{whose}: {again}");
        assert_eq!(lab.keys(), ["incarnation"], "{whose}");
    }
    // The grace doesn't begin anew for the second client that asks.
    lab.seen(&replid, 500);
    assert!(number(&lab.ask("id", "0", "")[1]) <= 500);
    lab.seen(&replid, 0);
    assert_eq!(lab.ask("id", "0", "")[0], "granted");
}

#[test]
fn a_clock_that_stepped_back_makes_nobody_wait_longer_than_the_grace() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    lab.seen(&lab.replid(), 3_600_000);
    assert_eq!(lab.ask("id", "0", "")[1], "60000");
}

#[test]
fn without_the_option_nothing_is_looked_at_and_nothing_written() {
    let lab = Lab::on(Redis::shared());
    assert_eq!(lab.acquire("id", "request:id", "", "30000")[0], "granted");
    assert_eq!(lab.keys(), ["fence", "lock"]);
}

#[test]
fn a_held_lock_is_refused_as_ever_and_its_holder_goes_on() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    lab.seen(&lab.replid(), 0);
    lab.recover("id-1", "request:k", "print", "30000", "0", "", GRACE);
    lab.cli(&["DEL"], "incarnation", &[]);
    assert_eq!(lab.ask("id-2", "0", "")[0], "held");
    assert_eq!(lab.keys(), ["fence", "lock", "request:k"], "not even the incarnation is looked at");
    // Redis may have lost how that grant ended, and the grant after it.
    assert_eq!(lab.recover("id-3", "request:k", "print", "30000", "0", "", GRACE), ["unsettled", "60000"]);
    lab.seen(&lab.replid(), 0);
    let replayed = lab.recover("id-3", "request:k", "print", "30000", "0", "", GRACE);
    assert_eq!((replayed[0].as_str(), replayed[3].as_str()), ("replayed", "id-1"));
}

#[test]
fn waiters_join_keep_their_places_and_have_no_turn_until_it_is_over() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    let replid = lab.replid();
    lab.seen(&replid, 20_000);
    let mut arrived = Vec::new();
    for id in ["a", "b"] {
        let reply = lab.ask(id, "5000", "");
        assert_eq!((reply[0].as_str(), reply[2].as_str()), ("queued", "0"));
        assert!((19_000..=20_000).contains(&number(&reply[3])), "{reply:?}");
        arrived.push(reply[1].clone());
    }
    // A release that finds the lock free has given the turn to the first, long ago. It was not claimed, and that costs
    // nobody a place.
    lab.cli(&["SET"], "queue:turn", &[&format!("{} {}", lab.now() - 5000, lab.place("a"))]);
    for (id, arrived) in ["a", "b"].iter().zip(&arrived) {
        assert_eq!(lab.ask(id, "5000", arrived)[..2], ["queued".into(), arrived.clone()]);
        assert_eq!(lab.cli(&["EXISTS"], "queue:turn", &[]), "0");
    }
    assert_eq!(lab.cli(&["ZRANGE"], "queue", &["0", "-1"]), format!("{}\n{}", lab.place("a"), lab.place("b")));
    // A request that doesn't wait doesn't slip in, and the waiter that was woken doesn't get the lock early.
    assert_eq!(lab.ask("c", "0", "")[0], "recovering");
    assert_eq!(lab.run(&Wake {}), ["woken", "1000"]);
    assert_eq!(lab.ask("a", "5000", &arrived[0])[0], "queued");

    lab.seen(&replid, 0);
    assert_eq!(lab.ask("c", "0", "")[..2], ["reserved", "2"]);
    assert_eq!(lab.ask("b", "5000", &arrived[1])[0], "queued");
    assert_eq!(lab.ask("a", "5000", &arrived[0])[0], "granted");
}

#[test]
fn a_wait_that_is_over_meanwhile_leaves_the_queue_and_says_its_position() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    lab.seen(&lab.replid(), 20_000);
    lab.ask("a", "5000", "");
    let queue = |wait, arrived| lab.recover("b", "request:k", "print", "30000", wait, arrived, GRACE);
    let arrived = queue("5000", "")[1].clone();
    let over = queue("0", &arrived);
    assert_eq!((over[0].as_str(), &over[2..]), ("recovering", &["2".to_string(), "2".to_string()][..]));
    assert_eq!(lab.cli(&["ZRANGE"], "queue", &["0", "-1"]), lab.place("a"));
    // With the Idempotency-Key the place is kept.
    assert_eq!(lab.recover("c", "request:k", "print", "30000", "5000", "", GRACE)[1], arrived);
}

#[test]
fn settle_begins_the_time_and_tells_whether_it_did() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    assert_eq!(lab.settle(), ["settled", "60000", "1"]);
    let [_, left, is_new] = &lab.settle()[..] else { panic!() };
    assert!((59_000..=60_000).contains(&number(left)) && is_new == "0", "{left} {is_new}");
    lab.seen(&lab.replid(), -1);
    assert_eq!(lab.settle(), ["settled", "0", "0"]);
    lab.saw_every_reply_of("settle");
}

#[tokio::test]
async fn a_restart_a_flush_and_a_promotion_each_make_a_new_incarnation() {
    let (mut redis, master) = (Redis::start(&[]), Redis::start(&[]));
    {
        let lab = Lab::with(&redis, CONSTANTS);
        lab.settle();
        redis.cli(&["FLUSHALL"]);
        assert_eq!(lab.settle()[2], "1", "a flush");
        assert_eq!(lab.settle()[2], "0");
    }
    redis.stop();
    redis.run();
    let lab = Lab::with(&redis, CONSTANTS);
    // The incarnation that the lab settled has another name; the earlier name is in the append-only file.
    let marker = redis.cli(&["KEYS", "*:incarnation"]);
    assert!(!redis.cli(&["GET", &marker]).contains(&lab.replid()), "a restart");
    lab.settle();
    redis.cli(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    eventually("it follows", Duration::from_secs(10), || async {
        redis.cli(&["INFO", "replication"]).contains("master_link_status:up")
    })
    .await;
    let mut lab_of_master = Lab::with(&master, CONSTANTS);
    lab_of_master.resource.clone_from(&lab.resource);
    lab_of_master.settle();
    eventually("it has what the master has", Duration::from_secs(10), || async { lab.keys() == ["incarnation"] }).await;
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(lab.settle()[2], "1", "a promotion");
    assert_eq!(lab_of_master.settle()[2], "0", "the old master goes on as before");
}

#[test]
fn confirm_writes_only_where_the_server_has_the_effect() {
    let lab = Lab::with(Redis::shared(), CONSTANTS);
    let confirm = |field: &str, value: &str, given: &str| {
        lab.cli(&["DEL"], "confirmation", &[]);
        let call = Confirm { field, value, given: given == "1" };
        let reply = lab.run_on(Some("lock"), Some("confirmation"), &call)[0].clone();
        assert_eq!(lab.cli(&["EXISTS"], "confirmation", &[]) == "1", reply == "there", "{reply}");
        reply
    };
    for (field, value, given, expected) in [("id", "id-1", "1", "lost"), ("id", "id-1", "0", "there")] {
        assert_eq!(confirm(field, value, given), expected, "free: {field} {value} {given}");
    }
    lab.seen(&lab.replid(), 0);
    lab.ask("id-1", "0", "");
    for (field, value, given, expected) in [
        ("id", "id-1", "1", "there"),
        ("id", "id-2", "1", "lost"),
        ("token", "token-of-id-1", "1", "there"),
        ("token", "superseded", "1", "lost"),
        ("token", "token-of-id-1", "0", "lost"),
        ("token", "released", "0", "there"),
        ("id", "id-1", "0", "lost"),
        ("id", "broken", "0", "there"),
    ] {
        assert_eq!(confirm(field, value, given), expected, "held: {field} {value} {given}");
    }
    confirm("id", "id-1", "1");
    assert!((1..=60_000).contains(&number(&lab.cli(&["PTTL"], "confirmation", &[]))));
    lab.seen.borrow_mut().remove("granted");
    lab.saw_every_reply_of("confirm");
}
