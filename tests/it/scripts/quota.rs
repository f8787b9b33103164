//! `lua/lib/quota.lua`: an identity holds only so many locks, of whatever kind and name.

use gorilla_scripts::{Acquire, Call, Claim, Join, Keys, Rank, Request, Scripts, Try, together};

use super::{CHANNEL, CONSTANTS, raw};
use crate::harness::{Redis, name};

/// An identity that may hold two locks.
struct Identity {
    redis: &'static Redis,
    scripts: Scripts,
    keys: Keys,
    held: String,
}

impl Identity {
    fn new() -> Self {
        let keys = Keys::new(&name("quota"));
        Self { redis: Redis::shared(), scripts: Scripts::new(&CONSTANTS), held: keys.held("shop"), keys }
    }

    /// Runs a script for a lock, as a user that may touch any key: the quota looks at other locks too.
    fn run<C: Call>(&self, lock: &str, call: &C) -> Vec<String> {
        let request = Request::new(&self.scripts, Some(self.keys.lock(lock)), call);
        let (keys, arguments) = together([&request].into_iter());
        let keys: Vec<_> = keys.iter().map(|key| &key[..]).collect();
        let reply = raw::eval(self.redis.port, None, &request.script.source, &keys, 1, &arguments);
        reply.lines().map(String::from).collect()
    }

    /// What an attempt with this id asks for.
    fn asked<'a>(&'a self, id: &'a str, token: &'a str, wait: Option<u64>) -> Acquire<'a> {
        let rank = Rank { headstart: 0, replaces: None, held: Some(&self.held), most: Some(2) };
        Acquire {
            id,
            token,
            owner: "owner",
            metadata: "[]",
            lease: 30_000,
            request: None,
            print: None,
            wait,
            channel: CHANNEL,
            rank: Some(rank),
            by: None,
        }
    }

    fn acquire(&self, lock: &str, id: &str, wait: Option<u64>) -> Vec<String> {
        self.run(lock, &Try(self.asked(id, id, wait)))
    }

    fn claim(&self, lock: &str, id: &str, arrived: &str) -> Vec<String> {
        let asked = self.asked(id, id, Some(20_000));
        self.run(lock, &Claim { asked, arrived: arrived.parse().ok() })
    }

    fn share(&self, lock: &str, id: &str) -> Vec<String> {
        let token = format!("{id}.secret");
        let asked = self.asked(id, &token, None);
        self.run(lock, &Join { asked, share: Some("*1/3"), again: false, arrived: None })
    }

    fn cli(&self, command: &str, key: &str, rest: &[&str]) -> String {
        self.redis.cli(&[&[command, key], rest].concat())
    }
}

#[test]
fn an_identity_holds_as_many_locks_as_it_may_of_any_kind() {
    let shop = Identity::new();
    assert_eq!(shop.acquire("a", "id-1", None)[0], "granted");
    assert_eq!(shop.share("b", "id-2")[0], "joined");
    assert_eq!(shop.acquire("c", "id-3", None), ["over", "2"]);
    assert_eq!(shop.acquire("a", "id-3", Some(20_000)), ["over", "2"], "nor does it wait");
    assert_eq!(shop.share("b", "id-3"), ["over", "2"]);
    assert_eq!(shop.share("c", "id-3"), ["over", "2"]);
    for nothing in ["c", "d"].map(|lock| shop.keys.lock(lock)) {
        assert_eq!(shop.cli("EXISTS", &nothing, &[]), "0");
    }
    assert_eq!(shop.cli("SCARD", &shop.held, &[]), "2");

    // The holder of the group is still in its hash when its lease is over.
    let holders = shop.keys.lock("b").replace(":lock", ":holders");
    shop.cli("ZADD", &holders, &["XX", "1000", "id-2 1"]);
    assert_eq!(shop.acquire("c", "id-3", None)[0], "granted");
    assert_eq!(shop.acquire("d", "id-4", None), ["over", "2"]);
    shop.cli("DEL", &shop.keys.lock("a"), &[]);
    assert_eq!(shop.share("d", "id-4")[0], "joined");
    assert_eq!(shop.acquire("e", "id-5", None), ["over", "2"]);
    let members = shop.cli("SMEMBERS", &shop.held, &[]);
    let of = |id: &str, lock: &str| format!("{id} {}", shop.keys.lock(lock));
    let mut members: Vec<_> = members.lines().collect();
    members.sort_unstable();
    assert_eq!(members, [of("id-3", "c"), of("id-4", "d")]);
    assert_eq!(shop.cli("TTL", &shop.held, &[]), "-1", "the grants may be extended for ever");
}

#[test]
fn a_waiter_that_reaches_the_quota_passes_its_turn_on() {
    let shop = Identity::new();
    let other = Acquire { rank: None, ..shop.asked("other-1", "other-1", None) };
    assert_eq!(shop.run("a", &Try(other))[0], "granted");
    let arrived = shop.acquire("a", "id-1", Some(20_000));
    assert_eq!(arrived[0], "queued");
    let behind = Acquire { rank: None, ..shop.asked("other-2", "other-2", Some(20_000)) };
    let second = shop.run("a", &Try(behind));
    assert_eq!(second[0], "queued");
    for (lock, id) in [("b", "id-2"), ("c", "id-3")] {
        assert_eq!(shop.acquire(lock, id, None)[0], "granted");
    }
    shop.cli("DEL", &shop.keys.lock("a"), &[]);
    assert_eq!(shop.claim("a", "id-1", &arrived[1]), ["over", "2"]);
    let queue = shop.keys.lock("a").replace(":lock", ":queue");
    assert_eq!(shop.cli("ZCARD", &queue, &[]), "1");
    let turn = shop.cli("GET", &format!("{queue}:turn"), &[]);
    assert!(turn.contains("other-2"), "{turn:?} has the next waiter");
    let claimed = shop.run("a", &Claim { asked: behind, arrived: second[1].parse().ok() });
    assert_eq!(claimed[0], "granted");
}
