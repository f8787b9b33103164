//! The scripts, run on Redis without Gorilla in between.

mod acquire;
mod batch;
mod cancel;
mod conformance;
mod contracts;
mod holders;
mod memory;
mod queue;
mod queue_model;
mod recovery;
mod service;
mod shared;

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use gorilla::store::Script;

use crate::harness::{Redis, name};

/// By which the lab's waiters would be woken.
const CHANNEL: &str = "gorilla:wake:lab";

/// The text of a script, as its file has it.
fn text(script: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua").join(script).with_extension("lua");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A resource of its own on a server, and a user who may touch nothing but the keys of the call that is made: a script
/// that touched a key which is not in KEYS would fail in whatever test.
struct Lab<'a> {
    redis: &'a Redis,
    resource: String,
    user: String,
    seen: RefCell<BTreeSet<String>>,
}

impl<'a> Lab<'a> {
    fn on(redis: &'a Redis) -> Self {
        let resource = name("lab");
        Self { redis, user: format!("user-of-{resource}"), resource, seen: RefCell::default() }
    }

    /// A key of the resource by what it is: `lock`, `fence`, `queue`, `request:k`.
    fn key(&self, what: &str) -> String {
        format!("gorilla:{{{}}}:{what}", self.resource)
    }

    fn cli(&self, command: &[&str], what: &str, rest: &[&str]) -> String {
        self.redis.cli(&[command, &[&self.key(what)], rest].concat())
    }

    /// Runs a script; what Redis says, an item a line, an error too.
    fn try_run(&self, script: &str, keys: &[&str], args: &[&str]) -> String {
        let keys: Vec<_> = keys.iter().map(|what| self.key(what)).collect();
        let patterns: Vec<_> = keys.iter().map(|key| format!("~{key}")).collect();
        let user = ["ACL", "SETUSER", &self.user, "reset", "on", "nopass", "+@all", "&gorilla:wake:*"];
        let user: Vec<_> = user.into_iter().chain(patterns.iter().map(String::as_str)).collect();
        assert_eq!(self.redis.cli(&user), "OK");
        let (source, number) = (Script::new(&text(script)).one.source, keys.len().to_string());
        let call = ["--user", &self.user, "--pass", "none", "EVAL", &source, &number];
        let call: Vec<_> =
            call.into_iter().chain(keys.iter().map(String::as_str)).chain(args.iter().copied()).collect();
        self.redis.cli(&call)
    }

    /// Runs a script that must not fail; its reply.
    #[track_caller]
    fn run(&self, script: &str, keys: &[&str], args: &[&str]) -> Vec<String> {
        let reply: Vec<_> = self.try_run(script, keys, args).lines().map(String::from).collect();
        assert!(replies_in_header(&text(script)).contains(&reply[0]), "the header of {script} has no {reply:?}");
        self.seen.borrow_mut().insert(reply[0].clone());
        reply
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

    /// The same, where grants wait so long after data may have been lost.
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
        grace: Option<&str>,
    ) -> Vec<String> {
        let mut keys = vec!["lock", "fence", "queue", "queue:turn", request];
        keys.extend(grace.map(|_| "incarnation"));
        let args = [
            id,
            &format!("token-of-{id}"),
            &format!("owner-of-{id}"),
            "[1.0]",
            lease,
            "86400000",
            fingerprint,
            "60000",
            wait,
            CHANNEL,
            arrived,
            "3",
            "10000",
            "120000",
            grace.unwrap_or("0"),
        ];
        self.run("acquire", &keys, &args)
    }

    #[track_caller]
    fn cancel(&self, id: &str, request: &str) -> Vec<String> {
        let place = format!("{id} {CHANNEL} owner-of-{id}");
        self.run("cancel", &["lock", "queue", "queue:turn", request], &[id, &place, "60000", "10000"])
    }

    /// All keys of the resource, by what they are.
    fn keys(&self) -> Vec<String> {
        let keys = self.redis.cli(&["KEYS", &self.key("*")]);
        let mut keys: Vec<_> = keys.lines().map(|key| key.replace(&self.key(""), "")).collect();
        keys.sort_unstable();
        keys
    }
}

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

/// The whole number that an item of a reply is. Fails on one like `1.79e+15`.
#[track_caller]
fn number(item: &str) -> i64 {
    item.parse().unwrap_or_else(|_| panic!("{item:?} is no whole number"))
}
