//! What makes the streams of a Cluster and decides the epoch of its events: `lua/listen_slots.lua`,
//! `lua/listen_cluster.lua`.

use gorilla_scripts::{ListenCluster, ListenSlots};

use super::{Lab, number};
use crate::harness::Redis;

const KEEP: u64 = 120_000;
const AGE: u64 = 600_000;
const NONE: &str = "0000000000000000000000000000000000000000";

fn look<'a>(by: &'a str, masters: Option<&'a [String]>, made: u64) -> ListenCluster<'a> {
    ListenCluster { by, masters, made, keep: KEEP, age: AGE, ended: None }
}

/// A master as INFO tells it, which has run for so long.
fn master(run: &str, replid: &str, replid2: &str, seconds: u32) -> String {
    format!("{run} {replid} {replid2} {seconds}")
}

#[test]
fn the_epoch_ends_whenever_events_may_be_lost_and_says_why() {
    let lab = Lab::on(Redis::shared());
    let run = |call: &ListenCluster<'_>| lab.run_on(Some("epoch"), None, call);
    // The epoch and why the one before has ended.
    let end = |masters: &[String], made| {
        run(&look("one", None, 0));
        let reply = run(&look("one", Some(masters), made));
        assert_eq!(reply[0], "listening");
        (reply[1].clone(), reply.get(5).cloned().unwrap_or_default())
    };
    let (long, short) = (3_600, 0);
    let mut masters = vec![master("a", "ra", NONE, long), master("b", "rb", NONE, long)];
    let (mut epoch, why) = end(&masters, 16_384);
    assert_eq!(why, "restarted");
    let same = |masters: &[String], epoch: &str| assert_eq!(end(masters, 0).0, epoch);
    same(&masters, &epoch);
    masters.reverse();
    same(&masters, &epoch);
    let mut ends = |masters: &[String], made, because: &str| {
        let (next, why) = end(masters, made);
        assert_ne!(next, epoch, "{because}");
        assert_eq!(why, because, "{masters:?}");
        epoch = next;
        assert_eq!(end(masters, 0).0, epoch);
    };
    // Streams that were kept until now are gone: the data were flushed.
    ends(&masters, 1, "restarted");
    // A replica of Redis took over.
    masters[0] = master("c", "rc", "rb", long);
    ends(&masters, 0, "failover");
    // A master was started anew, and then it was a replica for a while.
    masters[0] = master("d", "rd", NONE, short);
    ends(&masters, 0, "restarted");
    masters[0] = master("d", "re", "rd", short);
    ends(&masters, 0, "failover");
    // A master less.
    ends(&masters[..1], 0, "failover");
    // Nobody has looked for longer than streams stay.
    let seen = number(&lab.cli(&["HGET"], "epoch", &["at"]));
    lab.cli(&["HSET"], "epoch", &["at", &(seen - 130_000).to_string()]);
    ends(&masters[..1], 9, "not_recorded");
    // A new replication id without a second one is none of another server.
    masters[0] = master("d", "rf", NONE, short);
    let last = end(&masters[..1], 0).0;
    assert_eq!(end(&masters[..1], 0).0, last);
    let told = ListenCluster { ended: Some("restarted"), ..look("one", Some(&masters[..1]), 0) };
    assert_ne!(run(&told)[1], last);
}

#[test]
fn one_replica_looks_at_a_time_and_another_only_if_it_takes_too_long() {
    let lab = Lab::on(Redis::shared());
    let run = |call: &ListenCluster<'_>| lab.run_on(Some("epoch"), None, call);
    let masters = [master("a", "ra", NONE, 9)];
    assert_eq!(run(&look("one", None, 0))[0], "begun");
    let busy = run(&look("other", None, 0));
    assert!(busy[0] == "busy" && (1..=5_000).contains(&number(&busy[1])), "{busy:?}");
    assert_eq!(run(&look("one", None, 0))[0], "begun", "it may begin anew");
    let listening = run(&look("one", Some(&masters), 1));
    let begun = run(&look("other", None, 0));
    assert_eq!(begun[0], "begun");
    // Entries may be dropped by age, and that is noted before it is done.
    assert!((number(&listening[3]) - number(&begun[1]) - AGE as i64).abs() < 60_000, "{listening:?} {begun:?}");
    lab.cli(&["HSET"], "epoch", &["until", "1"]);
    assert_eq!(run(&look("one", None, 0))[0], "begun", "the other has taken too long");
    lab.saw_every_reply_of("listen_cluster");
}

#[test]
fn streams_are_made_and_kept_and_their_old_entries_dropped() {
    let lab = Lab::on(Redis::shared());
    let streams = [lab.key("events")];
    let run = |keep, floor| lab.run_on(Some("events"), None, &ListenSlots { streams: &streams, keep, floor });
    assert_eq!(run(None, None), ["slots", "0", "0", "0"]);
    assert_eq!(lab.cli(&["EXISTS"], "events", &[]), "0", "whoever only looks makes nothing");
    assert_eq!(run(Some(KEEP), None), ["slots", "1", "0", "0"]);
    assert_eq!(lab.cli(&["XLEN"], "events", &[]), "0");
    lab.cli(&["PEXPIRE"], "events", &["1000000"]);
    assert_eq!(run(Some(KEEP), None), ["slots", "0", "0", "0"]);
    assert!(number(&lab.cli(&["PTTL"], "events", &[])) > 900_000, "the life of a stream is never shortened");
    lab.cli(&["DEL"], "events", &[]);
    for ms in 1..=500 {
        lab.cli(&["XADD"], "events", &[&format!("{ms}-0"), "e", "nothing"]);
    }
    assert_eq!(run(None, None), ["slots", "0", "500", "0", "1", "500-0"]);
    let trimmed = run(Some(KEEP), Some(450));
    // Redis drops whole nodes of a stream.
    assert!((50..=150).contains(&number(&trimmed[2])), "{trimmed:?}");
    // The user of the lab has no right to this key.
    let elsewhere = [lab.key("others")];
    let denied = lab.run_on(Some("events"), None, &ListenSlots { streams: &elsewhere, keep: Some(KEEP), floor: None });
    assert_eq!(denied[0], "denied", "{denied:?}");
    lab.saw_every_reply_of("listen_slots");
}
