//! `lua/join.lua`: each reply of its header, and what only rare moments show.

use std::time::Duration;

use gorilla_scripts::{Claim, Constants, Limit, Wake};

use super::{AT_ONCE, Asks, CHANNEL, CONSTANTS, Lab, WAITS, number};
use crate::harness::Redis;

const OTHER: &str = "gorilla:wake:other";

impl Lab<'_> {
    /// What the holders have together, by the names of the fields.
    fn group(&self, fields: &[&str]) -> String {
        self.cli(&["HMGET"], "lock", fields).replace('\n', " ")
    }

    fn pin(&self, limit: u32) -> Vec<String> {
        self.run(&Limit { change: Some("pin"), limit: Some(limit) })
    }
}

#[test]
fn join_gives_every_reply_of_its_header() {
    let lab = Lab::on(Redis::shared());
    let once = |print| Asks { once: Some(("k", print)), ..AT_ONCE };
    let joined = lab.join("a-1", "*1/3", once("print"));
    let [name, fence, created, turn, permits, limit, floor] = joined.as_slice() else { panic!("{joined:?}") };
    assert_eq!((name.as_str(), number(fence) / 1000), ("joined", number(created)));
    assert_eq!([turn, permits, limit, floor], ["0", "1", "3", fence]);

    let rejoined = lab.join("a-2", "*1/3", once("print"));
    assert_eq!(rejoined[..5], ["rejoined", fence, created, "a-1", "a-1.secret-of-a-1"].map(String::from));
    assert!((1..=30_000).contains(&number(&rejoined[5])), "{rejoined:?}");
    assert_eq!(rejoined[6..], ["1", "3", fence].map(String::from));
    assert_eq!(lab.join("a-3", "*1/3", once("other print")), ["reused"]);
    assert_eq!(lab.join("a-4", "*1/4", AT_ONCE), ["limited", "3"]);
    assert_eq!(lab.join("a-4", "*1/", AT_ONCE), ["limited", "3"]);

    let second = lab.join("a-5", "*2/3", Asks { lease: 60_000, ..AT_ONCE });
    assert_eq!((second[0].as_str(), &second[6]), ("joined", floor));
    for share in ["*1/3", ""] {
        let crowd = lab.join("a-6", share, AT_ONCE);
        assert_eq!(crowd[..3], ["crowd".into(), "owner-of-a-5".into(), second[1].clone()], "{share}");
        assert!((30_001..=60_000).contains(&number(&crowd[3])), "{crowd:?}");
        assert_eq!(crowd[4..], ["0", "0", "3", "3", "2"], "{share}");
    }
    let queued = lab.join("a-7", "", WAITS);
    assert_eq!([&queued[0], &queued[2]], ["queued", floor]);
    assert!((1..=30_000).contains(&number(&queued[3])), "{queued:?}");
    let crowd = lab.join("a-7", "", Asks { arrived: Some(&queued[1]), ..AT_ONCE });
    assert_eq!(crowd[4..6], ["1", "1"], "a wait that is over tells the position that it had");
    assert_eq!(lab.cli(&["EXISTS"], "queue", &[]), "0");

    lab.leave("a-1");
    lab.leave("a-5");
    assert_eq!(lab.join("a-8", "*1/3", once("print")), ["gone"]);
    let granted = lab.join("a-9", "", Asks { once: Some(("l", "print")), ..AT_ONCE });
    assert_eq!((granted[0].as_str(), granted.len()), ("granted", 3));
    assert_eq!(lab.join("a-9", "", Asks { once: Some(("l", "print")), ..AT_ONCE })[0], "replayed");
    let held = lab.join("b-1", "*1/", AT_ONCE);
    assert_eq!(held[..3], ["held".into(), "owner-of-a-9".into(), granted[1].clone()]);
    lab.cancel("b-2", "request:b-2");
    assert_eq!(lab.join("b-2", "*1/", AT_ONCE), ["cancelled"]);
    let copied = Asks { once: Some(("m", "print")), ..WAITS };
    let arrived = lab.join("b-3", "*1/", copied)[1].clone();
    assert_eq!(lab.join("b-4", "*1/", copied)[1], arrived);
    assert_eq!(lab.join("b-3", "*1/", Asks { again: true, ..copied }), ["superseded"]);
    for (id, reply) in [("b-5", "queued"), ("b-6", "queued"), ("b-7", "full")] {
        assert_eq!(lab.join(id, "", WAITS)[0], reply);
    }
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(lab.join("b-8", "*1/", AT_ONCE), ["reserved", "3", "0"]);
    lab.cli(&["DEL"], "queue", &[]);

    for id in ["c-1", "c-2", "c-3", "c-4"] {
        assert_eq!(lab.join(id, "*1/", AT_ONCE)[0], "joined");
    }
    assert_eq!(lab.join("c-5", "*1/", AT_ONCE), ["crowded", "4"]);
    lab.seen.borrow_mut().extend(["recovering", "unsettled", "replaced", "over"].map(String::from));
    lab.seen.borrow_mut().retain(|reply| reply != "marked" && reply != "released");
    lab.saw_every_reply_of("join");
}

#[test]
fn a_later_call_of_an_exclusive_waiter_leaves_a_group_to_join() {
    let lab = Lab::on(Redis::shared());
    lab.join("a-1", "*1/", AT_ONCE);
    let asked = gorilla_scripts::Acquire {
        rank: None,
        by: None,
        id: "a-2",
        token: "token",
        owner: "owner-of-a-2",
        metadata: "[]",
        lease: 30_000,
        request: None,
        print: None,
        wait: Some(20_000),
        channel: CHANNEL,
    };
    assert_eq!(lab.run(&Claim { asked, arrived: None }), ["shared"]);
    assert_eq!(lab.keys(), ["fence", "holders", "lock"]);
}

#[test]
fn a_group_is_a_hash_with_its_holders_and_both_keys_end_with_the_last_lease() {
    let lab = Lab::on(Redis::shared());
    let first = lab.join("a-1", "*2/10", Asks { lease: 60_000, ..AT_ONCE });
    let second = lab.join("a-2", "*3/10", AT_ONCE);
    let all = lab.group(&["mode", "used", "limit", "floor", "owner", "fence", "bound", "reserved"]);
    assert_eq!(all, format!("shared 5 10 {0} owner-of-a-1 {0} 0 0", first[1]));
    assert_eq!(lab.group(&["id", "token"]), "", "replicas of version 0.2 can't release or break it");
    let (fence, created) = (&second[1], &second[2]);
    let holder = format!("secret-of-a-2 {fence} 3 {created} {created} 12 owner-of-a-2 [1.0]");
    assert_eq!(lab.group(&["a-2"]), holder);
    let ends = number(&first[2]) + 60_000;
    for key in ["lock", "holders"] {
        assert_eq!(number(&lab.cli(&["PEXPIRETIME"], key, &[])), ends, "{key}");
    }
    // The short lease doesn't shorten the long one, and when the long one leaves, the keys end earlier.
    lab.leave("a-1");
    for key in ["lock", "holders"] {
        assert_eq!(number(&lab.cli(&["PEXPIRETIME"], key, &[])), number(created) + 30_000, "{key}");
    }
    assert_eq!(lab.group(&["used", "owner", "fence"]), format!("3 owner-of-a-2 {fence}"));
    lab.leave("a-2");
    assert_eq!(lab.keys(), ["fence"]);
}

#[test]
fn after_a_writer_the_readers_at_the_head_of_the_queue_enter_and_no_later_one() {
    let lab = Lab::with(Redis::shared(), Constants { room: 9, ..CONSTANTS });
    lab.join("w-1", "", AT_ONCE);
    let ids = [("r-1", "*1/"), ("r-2", "*1/"), ("r-3", "*1/"), ("w-2", ""), ("r-4", "*1/")];
    let arrived = ids.map(|(id, share)| lab.join(id, share, WAITS)[1].clone());
    let again = |index: usize| {
        let (id, share) = ids[index];
        lab.join(id, share, Asks { arrived: Some(&arrived[index]), ..WAITS })
    };
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(lab.run(&Wake {}), ["woken", "1000"]);
    assert_eq!(again(1)[0], "queued", "the first is the one that was woken");
    let joined = again(0);
    assert_eq!([&joined[0], &joined[3]], ["joined", "1000"], "and the next one has the turn");
    assert_eq!(lab.group(&["used", "bound", "reserved"]), format!("1 {} 2", arrived[2]));
    assert_eq!(lab.join("r-5", "*1/", AT_ONCE)[0], "reserved", "nobody barges");
    for index in [4, 3] {
        assert_eq!(again(index)[0], "queued");
    }
    assert_eq!(again(2)[0], "joined", "in whatever order");
    assert_eq!(again(1)[0], "joined");
    assert_eq!(lab.group(&["used", "reserved"]), "3 0");
    assert_eq!(again(4)[0], "queued");
    assert_eq!(lab.cli(&["EXISTS"], "queue:turn", &[]), "0");
}

#[test]
fn a_stream_of_single_permits_does_not_pass_a_request_for_three() {
    let lab = Lab::on(Redis::shared());
    lab.join("a-1", "*1/3", AT_ONCE);
    lab.join("a-2", "*1/3", AT_ONCE);
    let arrived = lab.join("b-1", "*3/3", WAITS)[1].clone();
    assert_eq!(lab.join("a-3", "*1/3", AT_ONCE)[0], "reserved");
    let behind = lab.join("a-4", "*1/3", WAITS)[1].clone();
    lab.leave("a-1");
    assert_eq!(lab.join("a-4", "*1/3", Asks { arrived: Some(&behind), ..WAITS })[0], "queued");
    assert_eq!(lab.leave("a-2"), ["released", "1000"]);
    assert_eq!(lab.join("b-1", "*3/3", Asks { arrived: Some(&arrived), ..WAITS })[0], "joined");
}

#[test]
fn a_writer_that_leaves_lets_the_readers_behind_it_in_at_once() {
    let lab = Lab::on(Redis::shared());
    lab.join("r-1", "*1/", AT_ONCE);
    lab.join("w-1", "", WAITS);
    let arrived = lab.join("r-2", "*1/", WAITS)[1].clone();
    assert_eq!(lab.cancel("w-1", "request:w-1"), ["marked", "1000"]);
    assert_eq!(lab.group(&["bound", "reserved"]), format!("{arrived} 1"));
    assert_eq!(lab.join("r-2", "*1/", Asks { arrived: Some(&arrived), ..WAITS })[0], "joined");
}

#[test]
fn a_writer_whose_place_was_lost_holds_up_the_readers_again_once_it_is_back() {
    let lab = Lab::with(Redis::shared(), Constants { room: 9, ..CONSTANTS });
    lab.join("r-1", "*1/", AT_ONCE);
    let writer = lab.join("w-1", "", Asks { channel: OTHER, ..WAITS })[1].clone();
    let reader = lab.join("r-2", "*1/", WAITS)[1].clone();
    let place = format!("w-1 {OTHER} owner-of-w-1");
    // As after a turn that its replica missed.
    lab.cli(&["ZREM"], "queue", &[&place]);
    assert_eq!(lab.run(&Wake {}), ["woken", "1000"]);
    assert_eq!(lab.group(&["bound", "reserved"]), format!("{reader} 1"));
    let back = lab.join("w-1", "", Asks { arrived: Some(&writer), channel: OTHER, ..WAITS });
    assert_eq!(back[..2], ["queued".into(), writer.clone()]);
    assert_eq!(lab.group(&["bound", "reserved"]), "0 0");
    assert_eq!(lab.join("r-2", "*1/", Asks { arrived: Some(&reader), ..WAITS })[0], "queued");

    // A replica of an earlier version puts the place back without a look at the group.
    lab.cli(&["ZREM"], "queue", &[&place]);
    lab.run(&Wake {});
    lab.cli(&["ZADD"], "queue", &[&writer, &place]);
    assert_eq!(lab.join("r-3", "*1/", AT_ONCE)[0], "reserved");
    assert_eq!(lab.group(&["bound", "reserved"]), "0 0");
    assert_eq!(lab.cli(&["ZCARD"], "queue", &[]), "2", "the writer didn't have the turn, so it can't lose its place");
}

#[test]
fn the_place_of_a_writer_that_is_older_than_any_wait_holds_up_nobody() {
    let lab = Lab::on(Redis::shared());
    lab.join("r-1", "*1/", AT_ONCE);
    // The id of a replica that died in 2023.
    let id = "0185a1b2-c3d4-7000-8000-000000000000";
    lab.cli(&["ZADD"], "queue", &["1", &format!("{id} {OTHER} owner")]);
    assert_eq!(lab.join("r-2", "*1/", AT_ONCE)[0], "joined");
    assert_eq!(lab.cli(&["EXISTS"], "queue", &[]), "0");
}

#[test]
fn a_waiter_that_fits_no_more_is_told_so_and_the_next_one_has_the_turn() {
    let lab = Lab::on(Redis::shared());
    lab.join("w-1", "", AT_ONCE);
    let three = lab.join("a-1", "*3/3", WAITS)[1].clone();
    let one = lab.join("a-2", "*1/3", WAITS)[1].clone();
    lab.cli(&["DEL"], "lock", &[]);
    lab.run(&Wake {});
    lab.pin(2);
    assert_eq!(lab.join("a-1", "*3/3", Asks { arrived: Some(&three), ..WAITS }), ["limited", "2"]);
    let turn = lab.cli(&["GET"], "queue:turn", &[]);
    assert!(turn.ends_with(&format!(" a-2*1/3 {CHANNEL} owner-of-a-2")), "{turn}");
    assert_eq!(lab.join("a-2", "*1/3", Asks { arrived: Some(&one), ..WAITS })[5], "2");
}

#[test]
fn holders_whose_leases_have_ended_are_taken_out_256_at_a_time_and_the_writer_enters_after_the_last() {
    let lab = Lab::with(Redis::shared(), Constants { holders: 10_000, ..CONSTANTS });
    for index in 0..300 {
        lab.join(&format!("r-{index:03}"), "*1/", AT_ONCE);
    }
    lab.join("s-1", "*1/", AT_ONCE);
    for index in 0..300 {
        lab.end_lease(&format!("r-{index:03} 1"));
    }
    let crowd = lab.join("w-1", "", AT_ONCE);
    assert_eq!(crowd[6..], ["45", "none", "1"], "{crowd:?}");
    assert_eq!(lab.cli(&["ZCARD"], "holders", &[]), "45");
    // Those that have not been taken out can do nothing.
    let ended = lab.cli(&["ZRANGE"], "holders", &["0", "0"]);
    let ended = ended.split(' ').next().expect("an id").to_string();
    lab.cli(&["HSET"], "lock", &["used", "45"]);
    assert_eq!(lab.leave(&ended), ["mismatch"]);
    assert_eq!(lab.group(&["used"]), "1");
    lab.end_lease("s-1 1");
    assert_eq!(lab.join("w-1", "", AT_ONCE)[0], "granted");
    assert_eq!(lab.keys(), ["fence", "lock"]);
}

#[test]
fn during_the_grace_a_join_waits_though_a_group_holds_the_lock_and_is_not_called() {
    let grace = Constants { grace: Duration::from_secs(60), ..CONSTANTS };
    let lab = Lab::with(Redis::shared(), grace);
    let asks = |waits, once, arrived| Asks { waits, once, arrived, incarnation: Some("incarnation"), ..AT_ONCE };
    let over = || {
        let marker = lab.cli(&["GET"], "incarnation", &[]);
        lab.cli(&["SET"], "incarnation", &[&format!("{} 1000", marker.split(' ').next().expect("an incarnation"))]);
    };
    assert_eq!(lab.join("a-1", "*1/", asks(false, None, None)), ["recovering", "60000", "0", "0"]);
    over();
    assert_eq!(lab.join("a-1", "*1/", asks(false, Some(("k", "print")), None))[0], "joined");
    lab.cli(&["DEL"], "incarnation", &[]);
    assert_eq!(lab.join("a-2", "*1/", asks(false, None, None)), ["recovering", "60000", "0", "0"]);
    assert_eq!(lab.join("a-3", "*1/", asks(false, Some(("k", "print")), None))[0], "unsettled");
    let queued = lab.join("a-4", "*1/", asks(true, None, None));
    assert_eq!(queued[0], "queued");
    assert!((50_000..=60_000).contains(&number(&queued[3])), "{queued:?}");
    // A waiter that is called asks at once. If that called it again, it would ask for as long as the grace lasts.
    lab.run(&Wake {});
    assert_eq!(lab.join("a-4", "*1/", asks(true, None, Some(&queued[1])))[0], "queued");
    assert_eq!(lab.group(&["bound", "reserved"]), "0 0");
    assert_eq!(lab.cli(&["EXISTS"], "queue:turn", &[]), "0");
    over();
    assert_eq!(lab.join("a-4", "*1/", asks(true, None, Some(&queued[1])))[0], "joined");
}
