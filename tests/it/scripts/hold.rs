//! `lua/hold.lua`, and what the other scripts make of the record of a part.

use std::time::Duration;

use gorilla_scripts::{Break, Constants, Extend, Hold};

use super::{CHANNEL, CONSTANTS, Lab, number};
use crate::harness::Redis;

const KEY: &str = "request:k";
const PRINT: &str = "set:print";

impl Lab<'_> {
    #[track_caller]
    fn hold(&self, id: &str, lease: u64, commit: bool, keyed: bool) -> Vec<String> {
        let (request, print) = Some(("k", PRINT)).filter(|_| keyed).unzip();
        self.run(&Hold { id, lease, request, print, commit })
    }

    /// Takes the lock as a part of a set with an Idempotency-Key.
    #[track_caller]
    fn part(&self, id: &str) -> Vec<String> {
        self.acquire(id, KEY, PRINT, "5000")
    }

    fn left(&self) -> i64 {
        number(&self.cli(&["PTTL"], "lock", &[]))
    }

    /// The fact `ends` of the record.
    fn ends(&self) -> String {
        let record: Vec<String> = serde_json::from_str(&self.cli(&["GET"], KEY, &[])).expect("a record");
        record[6].clone()
    }
}

#[test]
fn hold_gives_every_reply_of_its_header() {
    let grace = Constants { grace: Duration::from_secs(60), ..CONSTANTS };
    let lab = Lab::with(Redis::shared(), grace);
    let hold = |commit| {
        lab.run_on(
            Some("lock"),
            Some("incarnation"),
            &Hold { id: "id-1", lease: 60_000, request: None, print: None, commit },
        )
    };
    assert_eq!(hold(false), ["lost"]);
    // A grant from before the loss of data. It is renewed, and not committed.
    let plain = Lab::on(Redis::shared());
    let field = ["id", "id-1", "token", "t", "owner", "o", "fence", "7", "created", "1", "updated", "1"];
    lab.cli(&["HSET"], "lock", &field);
    lab.cli(&["PEXPIRE"], "lock", &["5000"]);
    assert_eq!(hold(false)[0], "held");
    assert_eq!(hold(true), ["recovering", "60000"]);
    assert_eq!(lab.cli(&["HGET"], "lock", &["updated"]), "1");

    plain.part("id-1");
    plain.seen.borrow_mut().remove("granted");
    assert_eq!(plain.hold("id-1", 5000, false, true)[0], "held");
    assert_eq!(plain.hold("id-1", 60_000, true, true)[0], "held");
    assert_eq!(plain.hold("id-1", 60_000, true, true)[0], "committed");
    assert_eq!(plain.hold("id-2", 60_000, true, true), ["lost"]);
    plain.seen.borrow_mut().insert("recovering".into());
    plain.saw_every_reply_of("hold");
}

#[test]
fn a_part_is_renewed_and_committed_with_its_token_and_fence_unchanged() {
    let lab = Lab::on(Redis::shared());
    for keyed in [false, true] {
        let granted = if keyed { lab.part("id-1") } else { lab.acquire("id-1", "request:id-1", "", "5000") };
        let facts = || lab.cli(&["HMGET"], "lock", &["id", "token", "fence", "created"]);
        let before = facts();
        lab.cli(&["PEXPIRE"], "lock", &["1000"]);
        let held = lab.hold("id-1", 5000, false, keyed);
        assert_eq!((held[0].as_str(), held[2].as_str(), &held[3]), ("held", "5000", &granted[2]), "{held:?}");
        assert_eq!(lab.cli(&["PEXPIRETIME"], "lock", &[]), held[1]);
        assert_eq!(lab.cli(&["HGET"], "lock", &["updated"]), granted[2], "a renewal is no update");

        lab.cli(&["PEXPIRE"], "fence", &["1000"]);
        let committed = lab.hold("id-1", 60_000, true, keyed);
        assert_eq!((committed[0].as_str(), committed[2].as_str()), ("held", "60000"), "{committed:?}");
        assert_eq!(number(&committed[1]), number(&committed[3]) + 60_000);
        assert_eq!(lab.cli(&["PEXPIRETIME"], "lock", &[]), committed[1]);
        assert_eq!(lab.cli(&["HGET"], "lock", &["updated"]), committed[3]);
        assert!(number(&lab.cli(&["PTTL"], "fence", &[])) > 86_000_000);
        assert_eq!(facts(), before);

        // A renewal that comes late does not shorten the lease.
        lab.hold("id-1", 5000, false, keyed);
        assert!(lab.left() > 50_000);
        assert_eq!(lab.release("id-1")[0], "released");
    }
}

#[test]
fn a_commit_may_shorten_the_hold_and_then_tells_the_first_waiter_also_of_the_same_replica() {
    let lab = Lab::on(Redis::shared());
    lab.part("id-1");
    lab.queue("id-2", "request:id-2", "", "30000", "60000", "");
    let before = lab.redis.cli(&["INFO", "commandstats"]);
    let published = |stats: &str| {
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_publish:calls="));
        calls.map_or(0, |calls| number(calls.split(',').next().expect("a number")))
    };
    lab.hold("id-1", 5000, false, true);
    lab.hold("id-1", 100, true, true);
    assert!((1..=100).contains(&lab.left()));
    // Other tests publish on this server too.
    assert!(published(&lab.redis.cli(&["INFO", "commandstats"])) > published(&before), "on {CHANNEL}");
}

#[test]
fn a_copy_is_told_the_lease_of_the_commit_and_nothing_changes_when_it_commits() {
    let lab = Lab::on(Redis::shared());
    let granted = lab.part("id-1");
    assert_eq!(lab.ends(), "0");
    let replayed = lab.part("id-2");
    assert_eq!(replayed[..5], ["replayed", &granted[1], &granted[2], "id-1", "token-of-id-1"].map(String::from));
    let committed = lab.hold("id-1", 60_000, true, true);
    assert_eq!(lab.ends(), committed[1]);
    // The lease that a copy asks for is that of a hold, as that of the first attempt was.
    let replayed = lab.part("id-3");
    assert_eq!(replayed[0], "replayed");
    assert!((50_000..=60_000).contains(&number(&replayed[5])), "{replayed:?}");
    assert!(number(&lab.cli(&["PTTL"], KEY, &[])) > 50_000, "the record lives on from the commit");

    let extend = Extend {
        token: "token-of-id-1",
        new_token: "token-2",
        lease: 90_000,
        metadata: None,
        request: None,
        print: None,
    };
    let extended = lab.run(&extend);
    let again = lab.hold("id-1", 60_000, true, true);
    assert_eq!((&again[0][..], &again[1], &again[3]), ("committed", &committed[1], &extended[7]));
    assert!(lab.left() > 60_000, "the extend stands");
    assert_eq!(lab.hold("id-1", 5000, false, true)[0], "committed");
    lab.cli(&["DEL"], "lock", &[]);
    assert_eq!(lab.part("id-4"), ["gone"], "a set that may have been answered is not granted again");
    assert_eq!(lab.hold("id-1", 60_000, true, true), ["lost"]);
}

#[test]
fn a_part_that_is_being_broken_is_lost_to_its_set_and_gets_no_longer_lease() {
    for commit in [false, true] {
        let lab = Lab::on(Redis::shared());
        lab.part("id-1");
        lab.run(&Break { fence: None, request: None, print: None, grace: Some(2000), by: None, reason: None });
        assert_eq!(lab.hold("id-1", 60_000, commit, true), ["lost"]);
        assert!((1..=2000).contains(&lab.left()), "{}", lab.left());
    }
}

#[test]
fn a_part_that_ended_before_the_commit_is_taken_anew() {
    let lab = Lab::on(Redis::shared());
    let first = lab.part("id-1");
    lab.hold("id-1", 5000, false, true);
    lab.cli(&["DEL"], "lock", &[]);
    let second = lab.part("id-2");
    assert_eq!(second[0], "granted");
    assert!(number(&second[1]) > number(&first[1]));
    assert_eq!(lab.hold("id-1", 5000, false, true), ["lost"]);
    assert_eq!(lab.hold("id-2", 5000, false, true)[0], "held");
    // The first attempt undoes what it had, which takes nothing from the second.
    assert_eq!(lab.cancel("id-1", KEY)[0], "marked");
    assert_eq!(lab.cli(&["HGET"], "lock", &["id"]), "id-2");
    // And if another client has the lock, the set waits or is refused like any other.
    lab.cli(&["DEL"], "lock", &[]);
    lab.acquire("id-9", "request:id-9", "", "30000");
    assert_eq!(lab.part("id-3")[0], "held");
}

#[test]
fn renewals_keep_the_marks_of_copies_and_cancellations_and_write_a_lost_record_anew() {
    let lab = Lab::on(Redis::shared());
    lab.part("id-1");
    lab.part("id-2");
    lab.cancel("id-0", KEY);
    lab.hold("id-1", 5000, false, true);
    let record = lab.cli(&["GET"], KEY, &[]);
    assert!(record.contains("\"+id-2\"") && record.contains("\"-id-0\""), "{record}");
    // The copy relies on the part.
    assert_eq!(lab.cancel("id-1", KEY)[0], "kept");
    assert_eq!(lab.hold("id-1", 5000, false, true)[0], "held");
    assert_eq!(lab.cancel("id-2", KEY)[0], "released");
    assert_eq!(lab.cli(&["EXISTS"], "lock", &[]), "0");

    lab.cli(&["DEL"], KEY, &[]);
    lab.part("id-5");
    lab.cli(&["DEL"], KEY, &[]);
    lab.hold("id-5", 60_000, true, true);
    assert_eq!(lab.part("id-6")[..1], ["replayed"]);
}
