//! Many requests in one command end as they would one by one.

use gorilla_scripts::{Acquire, Release, Request, Try};

use super::{CHANNEL, Lab};
use crate::harness::Redis;

impl Lab<'_> {
    /// What Redis says to requests that go together, an item a line.
    fn batch(&self, requests: &[Request]) -> String {
        self.send(requests, &[self.key("*"), format!("{}*", self.key("").trim_end_matches(':'))])
    }

    /// An acquire of a lock of this name.
    fn asks(&self, lock: &str, id: &str, token: &str, metadata: &str) -> Request {
        let (owner, lease, request, print) = ("me", 60_000, None, None);
        let (wait, channel) = (None, CHANNEL);
        let call =
            Try(Acquire { id, token, owner, metadata, lease, request, print, wait, channel, rank: None, by: None });
        Request::new(&self.scripts, Some(self.lock_of(lock)), &call)
    }

    fn gives_back(&self, lock: &str) -> Request {
        let call = Release { token: "token", request: None, print: None };
        Request::new(&self.scripts, Some(self.lock_of(lock)), &call)
    }

    /// The key of a lock beside that of the lab, in its slot.
    fn lock_of(&self, name: &str) -> String {
        self.key(&format!("{name}:lock"))
    }

    fn of(&self, lock: &str, field: &str) -> String {
        self.cli(&["HGET"], &format!("{lock}:lock"), &[field])
    }
}

#[test]
fn each_request_of_a_batch_is_decided_after_those_before_it() {
    let lab = Lab::on(Redis::shared());
    let asks = |lock, id| lab.asks(lock, id, "token", "[]");
    let reply = lab.batch(&[asks("one", "a"), asks("one", "b"), asks("other", "c")]);
    let lines: Vec<_> = reply.lines().collect();
    assert_eq!(lines[0], "granted", "{reply}");
    // Held by the first, whose fence it tells.
    assert_eq!((lines[3], lines[4], lines[5]), ("held", "me", lines[1]));
    assert_eq!(lines[9], "granted", "{reply}");
    assert_eq!(lab.of("one", "id"), "a");

    let reply = lab.batch(&[lab.gives_back("one"), lab.gives_back("one"), lab.gives_back("other")]);
    let lines: Vec<_> = reply.lines().collect();
    // Behind each turn is when the lock was granted.
    assert_eq!((&lines[..2], &lines[3..6]), (&["released", "0"][..], &["missing", "released", "0"][..]), "{reply}");
    assert_eq!(lab.keys(), ["one:fence", "other:fence"]);
}

#[test]
fn each_request_of_a_batch_has_arguments_of_its_own() {
    let lab = Lab::on(Redis::shared());
    lab.batch(&[
        lab.asks("a", "a", "token", "[]"),
        lab.asks("b", "b", "token-of-b", "[1]"),
        lab.asks("c", "c", "t", "[]"),
    ]);
    for (lock, values) in [("a", "a token []"), ("b", "b token-of-b [1]"), ("c", "c t []")] {
        let reply = lab.cli(&["HMGET"], &format!("{lock}:lock"), &["id", "token", "metadata"]);
        assert_eq!(reply.lines().collect::<Vec<_>>().join(" "), values);
    }
}

#[test]
fn a_batch_may_be_as_large_as_the_store_makes_them() {
    let lab = Lab::on(Redis::shared());
    let names: Vec<_> = (0..64).map(|number| format!("n{number}")).collect();
    for count in [15, 16, 17, 64] {
        let requests: Vec<_> = names[..count].iter().map(|name| lab.asks(name, name, "token", "[]")).collect();
        assert_eq!(lab.batch(&requests).matches("granted").count(), count);
        let requests: Vec<_> = names[..count].iter().map(|name| lab.gives_back(name)).collect();
        assert_eq!(lab.batch(&requests).matches("released").count(), count);
    }
}

#[test]
fn a_request_that_fails_has_its_error_in_its_place_and_the_others_go_on() {
    let lab = Lab::on(Redis::shared());
    lab.cli(&["SET"], "text:lock", &["no hash"]);
    // The fence is not a number: the error is one of Lua, not of Redis.
    lab.cli(&["SET"], "odd:fence", &["seven"]);
    let asks = |lock, id| lab.asks(lock, id, "token", "[]");
    let reply = lab.batch(&[asks("odd", "c"), asks("text", "a"), asks("other", "b")]);
    let lines: Vec<_> = reply.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines[0].contains("the last fence is not a number"), "{reply}");
    assert!(lines[1].starts_with("WRONGTYPE "), "{reply}");
    assert_eq!(lines[2], "granted", "{reply}");
    assert_eq!(lab.of("other", "id"), "b");
}
