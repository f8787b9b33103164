//! `lua/renew.lua`: what it renews is renewed as by `lua/extend.lua`, and what it leaves stays as it was.

use gorilla_scripts::{Extend, Renew, Request};

use super::{Lab, number};
use crate::harness::Redis;

const LEASE: u64 = 60_000;
const HOUR: i64 = 3_600_000;

impl Lab<'_> {
    /// Renews the locks of these names; when, and which are left, from 1.
    fn renew(&self, lease: u64, locks: &[(&str, &str)]) -> (i64, Vec<i64>) {
        let call = Renew { lease, tokens: locks.iter().map(|(_, token)| *token).collect() };
        let mut keys = locks.iter().map(|(name, _)| self.key(name));
        let request = Request::new(&self.scripts, keys.next(), &call);
        let request = keys.fold(request, |request, key| request.and(Some(key)));
        let reply = self.send(&[request], &[]);
        let mut lines = reply.lines();
        assert_eq!(lines.next(), Some("renewed"), "{reply}");
        let numbers: Vec<_> = lines.map(number).collect();
        (numbers[0], numbers[1..].to_vec())
    }

    /// A lock of this name under a token, extended a minute ago.
    fn held(&self, name: &str, token: &str, more: &[&str]) {
        let now = self.ms_of_redis().to_string();
        let facts =
            ["id", "1", "token", token, "owner", "me", "metadata", "[]", "fence", "7", "created", "1", "updated", &now];
        self.cli(&["HSET"], name, &[&facts[..], more].concat());
        self.cli(&["PEXPIRE"], name, &["30000"]);
    }

    /// The clock of Redis in milliseconds since 1970.
    fn ms_of_redis(&self) -> i64 {
        number(&self.redis.cli(&[
            "EVAL",
            "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)",
            "0",
        ]))
    }

    /// Everything of a lock, and when it ends.
    fn all_of(&self, name: &str) -> [String; 2] {
        [self.cli(&["HGETALL"], name, &[]), self.cli(&["PEXPIRETIME"], name, &[])]
    }
}

#[test]
fn locks_with_the_current_token_are_renewed_as_by_an_extend_that_keeps_the_token() {
    let lab = Lab::on(Redis::shared());
    let names = ["a:lock", "b:lock", "lock"];
    names.iter().for_each(|name| lab.held(name, "token", &[]));
    lab.held("b:lock", "token-of-b", &["renewals", "41"]);
    let (updated, left) = loop {
        let hour = lab.ms_of_redis() / HOUR;
        let told = lab.renew(LEASE, &[("a:lock", "token"), ("b:lock", "token-of-b")]);
        // In a new hour they are left.
        if lab.ms_of_redis() / HOUR == hour && told.1.is_empty() {
            break told;
        }
        names.iter().for_each(|name| lab.held(name, if *name == "b:lock" { "token-of-b" } else { "token" }, &[]));
        lab.cli(&["HSET"], "b:lock", &["renewals", "41"]);
    };
    assert!(left.is_empty());
    let (token, request, print, metadata) = ("token", None, None, None);
    let extended = lab.run(&Extend { token, new_token: token, lease: LEASE, metadata, request, print });
    assert_eq!(extended[0], "extended");
    let facts = |name| lab.cli(&["HMGET"], name, &["id", "token", "owner", "metadata", "fence", "created", "renewals"]);
    assert_eq!(facts("a:lock"), facts("lock"));
    assert_eq!(facts("b:lock"), "1\ntoken-of-b\nme\n[]\n7\n1\n42");
    for name in ["a:lock", "b:lock"] {
        assert_eq!(number(&lab.cli(&["HGET"], name, &["updated"])), updated);
        assert_eq!(number(&lab.cli(&["PEXPIRETIME"], name, &[])), updated + LEASE as i64);
    }
}

#[test]
fn a_lock_that_needs_a_decision_is_left_as_it_was_and_the_others_are_renewed() {
    let lab = Lab::on(Redis::shared());
    let hours_ago = (lab.ms_of_redis() - 2 * HOUR).to_string();
    lab.held("other:lock", "of another", &[]);
    lab.held("breaking:lock", "token", &["breaking", "1"]);
    lab.held("released:lock", "of nobody", &["released", "1"]);
    lab.held("long:lock", "token", &[]);
    lab.cli(&["PEXPIRE"], "long:lock", &[&(2 * LEASE).to_string()]);
    // The fence is kept for a day from an extend, and the last one was in another hour.
    lab.held("old:lock", "token", &["updated", &hours_ago]);
    lab.held("odd:lock", "token", &["updated", "yesterday"]);
    lab.held("odder:lock", "token", &["renewals", "many"]);
    lab.cli(&["HSET"], "group:lock", &["mode", "shared", "owner", "me"]);
    lab.cli(&["SET"], "text:lock", &["no hash"]);
    let left = [
        "other:lock",
        "breaking:lock",
        "released:lock",
        "long:lock",
        "old:lock",
        "odd:lock",
        "odder:lock",
        "group:lock",
        "text:lock",
        "missing:lock",
    ];
    let before = left.map(|name| lab.all_of(name));
    // Where an hour begins meanwhile, the two at the ends are left too.
    let renewed = (0..10).any(|_| {
        lab.held("first:lock", "token", &[]);
        lab.held("last:lock", "token", &[]);
        let all: Vec<_> =
            ["first:lock"].iter().chain(&left).chain(&["last:lock"]).map(|name| (*name, "token")).collect();
        lab.renew(LEASE, &all).1 == (2..=11).collect::<Vec<_>>()
    });
    assert!(renewed, "all but the first and the last are left");
    assert_eq!(left.map(|name| lab.all_of(name)), before);
    assert_eq!(lab.cli(&["HGET"], "last:lock", &["renewals"]), "1");
}

#[test]
fn what_would_not_end_later_is_left() {
    let lab = Lab::on(Redis::shared());
    lab.held("lock", "token", &[]);
    lab.cli(&["PERSIST"], "lock", &[]);
    let before = lab.all_of("lock");
    assert_eq!(lab.renew(LEASE, &[("lock", "token")]).1, [1], "it has no end");
    assert_eq!(lab.all_of("lock"), before);
}
