//! The scripts, run on Redis without Gorilla in between.

mod acquire;
mod batch;
mod cancel;
mod conformance;
mod contracts;
mod convert;
mod cost;
mod expired;
mod hold;
mod holders;
mod join;
mod limit;
mod listen;
mod memory;
mod numbers;
mod past_break;
mod plain;
mod queue;
mod queue_model;
mod quota;
mod raw;
mod recovery;
mod renew;
mod service;
mod shared_holders;
mod skew;
mod take_all;

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path, time::Duration};

use gorilla_scripts::{
    Acquire, Call, Cancel, Claim, Constants, Join, Recording, Release, Request, Scripts, SharedRelease, Try, together,
};

use crate::harness::{Redis, name};

/// By which the lab's waiters would be woken.
const CHANNEL: &str = "gorilla:wake:lab";

/// What tests tell the scripts of the deployment.
const CONSTANTS: Constants = Constants {
    grace: Duration::ZERO,
    window: Duration::from_secs(60),
    fence_kept: Duration::from_secs(24 * 60 * 60),
    place_kept: Duration::from_secs(10),
    longest_attempt: Duration::from_secs(120),
    room: 3,
    holders: 4,
    events: Recording::At("scripted:events"),
};

/// The text of a script, as its file has it.
fn text(script: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua").join(script).with_extension("lua");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A resource of its own on a server, and a user that may touch only the keys of the call that is made: a script that
/// touched a key which is not in KEYS would fail in whatever test.
struct Lab<'a> {
    redis: &'a Redis,
    scripts: Scripts,
    resource: String,
    user: String,
    seen: RefCell<BTreeSet<String>>,
}

impl<'a> Lab<'a> {
    fn on(redis: &'a Redis) -> Self {
        Self::with(redis, CONSTANTS)
    }

    fn with(redis: &'a Redis, constants: Constants) -> Self {
        let resource = name("lab");
        let user = format!("user-of-{resource}");
        Self { redis, scripts: Scripts::new(&constants), resource, user, seen: RefCell::default() }
    }

    /// A key of the resource by what it is: `lock`, `fence`, `queue`, `request:k`.
    fn key(&self, what: &str) -> String {
        format!("scripted:{{{}}}:{what}", self.resource)
    }

    fn cli(&self, command: &[&str], what: &str, rest: &[&str]) -> String {
        self.redis.cli(&[command, &[&self.key(what)], rest].concat())
    }

    /// Has a script run for requests; what Redis says, an item a line, an error too.
    fn send(&self, requests: &[Request], touched: &[String]) -> String {
        let (keys, arguments) = together(requests.iter());
        let keys: Vec<_> = keys.iter().map(|key| &key[..]).collect();
        let named = keys.iter().map(|key| String::from_utf8_lossy(key));
        let patterns: Vec<_> = named.chain(touched.iter().map(Into::into)).map(|key| format!("~{key}")).collect();
        let user =
            ["ACL", "SETUSER", &self.user, "reset", "on", "nopass", "+@all", "&gorilla:wake:*", "~scripted:events"];
        let user: Vec<_> = user.into_iter().chain(patterns.iter().map(String::as_str)).collect();
        assert_eq!(raw::ask(self.redis.port, &user), ["OK"]);
        raw::eval(self.redis.port, Some(&self.user), &requests[0].script.source, &keys, requests.len(), &arguments)
    }

    /// Runs a script for a lock of this name, with another key behind it if the script wants one.
    fn try_run_on<C: Call>(&self, lock: Option<&str>, other: Option<&str>, call: &C) -> String {
        let lock = lock.map(|lock| self.key(lock));
        let touched: Vec<_> =
            call.touches().into_iter().map(|it| it.key(lock.as_deref().unwrap_or_default())).collect();
        let request = Request::new(&self.scripts, lock, call).and(other.map(|other| self.key(other)));
        self.send(&[request], &touched)
    }

    /// The same for the lock.
    fn try_run<C: Call>(&self, call: &C) -> String {
        self.try_run_on(Some("lock"), None, call)
    }

    /// The same of a script that must not fail; its reply.
    #[track_caller]
    fn run_on<C: Call>(&self, lock: Option<&str>, other: Option<&str>, call: &C) -> Vec<String> {
        // Not `lines`, which leaves out an empty text at the end.
        let mut reply: Vec<_> = self.try_run_on(lock, other, call).split('\n').map(String::from).collect();
        let listed = replies_in_header(&text(C::NAME));
        assert!(reply.first().is_some_and(|name| listed.contains(name)), "the header of {} has no {reply:?}", C::NAME);
        self.seen.borrow_mut().insert(reply[0].clone());
        // When the lock was granted, which a test can't know beforehand.
        if reply[0] == "released" && RELEASES.contains(&C::NAME) {
            let created = reply.remove(2);
            assert!(number(&created) > 1_700_000_000_000, "{} tells when the lock was granted: {created}", C::NAME);
        }
        reply
    }

    /// The same for the lock.
    #[track_caller]
    fn run<C: Call>(&self, call: &C) -> Vec<String> {
        self.run_on(Some("lock"), None, call)
    }

    /// Asserts that every reply which the header of a script lists was seen here.
    #[track_caller]
    fn saw_every_reply_of(&self, script: &str) {
        assert_eq!(*self.seen.borrow(), replies_in_header(&text(script)), "{script}");
    }

    /// Acquires as attempt `id`, with the token `token-of-<id>` and under the given request key.
    #[track_caller]
    fn acquire(&self, id: &str, request: &str, fingerprint: &str, lease: &str) -> Vec<String> {
        self.queue(id, request, fingerprint, lease, "0", "")
    }

    /// The same with a wait, as a waiter that has arrived at a certain time or not yet.
    #[track_caller]
    fn queue(&self, id: &str, request: &str, fingerprint: &str, lease: &str, wait: &str, arrived: &str) -> Vec<String> {
        self.recover(id, request, fingerprint, lease, wait, arrived, None)
    }

    /// The same, where grants wait after data may have been lost: then the incarnation has a key.
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "as many as the script takes that tests vary")]
    fn recover(
        &self,
        id: &str,
        request: &str,
        fingerprint: &str,
        lease: &str,
        wait: &str,
        arrived: &str,
        incarnation: Option<&str>,
    ) -> Vec<String> {
        let token = format!("token-of-{id}");
        let owner = format!("owner-of-{id}");
        let call = Acquire {
            id,
            token: &token,
            owner: &owner,
            metadata: "[1.0]",
            lease: number(lease) as u64,
            request: key_of(id, request),
            print: Some(fingerprint).filter(|print| !print.is_empty()),
            wait: Some(number(wait) as u64).filter(|wait| *wait > 0),
            channel: CHANNEL,
            rank: None,
            by: None,
        };
        match arrived {
            "" => self.run_on(Some("lock"), incarnation, &Try(call)),
            _ => self.run_on(Some("lock"), incarnation, &Claim { asked: call, arrived: arrived.parse().ok() }),
        }
    }

    /// Asks for a share of the lock (`*<permits>/<limit>`) or, without one, for the lock alone. The secret of the holder
    /// is `secret-of-<id>`.
    #[track_caller]
    fn join(&self, id: &str, share: &str, asks: Asks) -> Vec<String> {
        let (token, owner) = (format!("{id}.secret-of-{id}"), format!("owner-of-{id}"));
        let asked = Acquire {
            rank: None,
            by: None,
            id,
            token: &token,
            owner: &owner,
            metadata: "[1.0]",
            lease: asks.lease,
            request: asks.once.map(|(request, _)| request),
            print: asks.once.map(|(_, print)| print),
            wait: asks.waits.then_some(20_000),
            channel: asks.channel,
        };
        let arrived = asks.arrived.map(|arrived| number(arrived) as u64);
        let share = Some(share).filter(|share| !share.is_empty());
        let call = Join { asked, share, again: asks.again || arrived.is_some(), arrived };
        self.run_on(Some("lock"), asks.incarnation, &call)
    }

    /// Releases by the token that `join` gave to `id`.
    #[track_caller]
    fn leave(&self, id: &str) -> Vec<String> {
        self.run(&SharedRelease {
            id,
            secret: &format!("secret-of-{id}"),
            new_secret: None,
            after: None,
            request: None,
            print: None,
        })
    }

    /// How long the lease of a holder of a group lasts (ms).
    fn left_of(&self, member: &str) -> i64 {
        let now: Vec<_> = self.redis.cli(&["TIME"]).lines().map(number).collect();
        number(&self.cli(&["ZSCORE"], "holders", &[member])) - (now[0] * 1000 + now[1] / 1000)
    }

    /// Ends the lease of a holder, as time would: it takes the holder out no more than time does.
    fn end_lease(&self, member: &str) {
        self.cli(&["ZADD"], "holders", &["XX", "1000", member]);
    }

    #[track_caller]
    fn cancel(&self, id: &str, request: &str) -> Vec<String> {
        let request = key_of(id, request);
        self.run(&Cancel {
            id,
            owner: &format!("owner-of-{id}"),
            channel: CHANNEL,
            request,
            share: None,
            cause: "hung_up",
        })
    }

    /// Releases by the token that `acquire` gave to `id`.
    #[track_caller]
    fn release(&self, id: &str) -> Vec<String> {
        self.run(&Release { token: &format!("token-of-{id}"), request: None, print: None })
    }

    /// All keys of the resource, by what they are.
    fn keys(&self) -> Vec<String> {
        let keys = self.redis.cli(&["KEYS", &self.key("*")]);
        let mut keys: Vec<_> = keys.lines().map(|key| key.replace(&self.key(""), "")).collect();
        keys.sort_unstable();
        keys
    }
}

/// The scripts that release a lock and tell when it was granted.
const RELEASES: [&str; 4] = ["release", "release_later", "shared_release", "handover"];

/// How a request asks for a share of a lock.
#[derive(Clone, Copy)]
struct Asks<'a> {
    lease: u64,
    /// An Idempotency-Key and a fingerprint.
    once: Option<(&'a str, &'a str)>,
    waits: bool,
    channel: &'a str,
    again: bool,
    arrived: Option<&'a str>,
    incarnation: Option<&'a str>,
}

/// A first call without a key that doesn't wait.
const AT_ONCE: Asks =
    Asks { lease: 30_000, once: None, waits: false, channel: CHANNEL, again: false, arrived: None, incarnation: None };
/// The same of a request that waits.
const WAITS: Asks = Asks { waits: true, ..AT_ONCE };

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        self.redis.cli(&["ACL", "DELUSER", &self.user]);
    }
}

/// The names of the replies that a header lists: `--   {'granted', …}`.
fn replies_in_header(text: &str) -> BTreeSet<String> {
    let header = text.lines().take_while(|line| line.starts_with('#') || line.starts_with("--"));
    header.filter_map(|line| Some(line.strip_prefix("--   {'")?.split_once('\'')?.0.to_string())).collect()
}

/// The Idempotency-Key of an attempt with the record at this key beside the lock, if the id of the attempt doesn't name it.
fn key_of<'a>(id: &str, record: &'a str) -> Option<&'a str> {
    Some(record.strip_prefix("request:").expect("the key of a record")).filter(|name| *name != id)
}

/// The whole number that an item of a reply is. Fails on one like `1.79e+15`.
#[track_caller]
fn number(item: &str) -> i64 {
    item.parse().unwrap_or_else(|_| panic!("{item:?} is not a whole number"))
}
