//! The scripts of `lua/` as the store calls them, for contestants that run them without Gorilla: the same text, keys
//! and arguments, so that Redis does the same for these contestants as for Gorilla.

use std::{sync::LazyLock, time::Duration};

use anyhow::{Context, Result};
use gorilla_scripts::{
    self as calls, Call, Claim, Constants, Extend, Handover, Inspect, Keys, Recording, Release, Request, Scripts, Try,
    together,
};
use redis::{Connection, FromRedisValue};

/// The scripts for the settings in `src/settings/defaults.toml`.
static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
    Scripts::new(&Constants {
        grace: Duration::ZERO,
        window: Duration::from_secs(60),
        fence_kept: Duration::from_secs(24 * 60 * 60),
        place_kept: Duration::from_secs(10),
        longest_attempt: Duration::from_secs(120),
        room: 10_000,
        holders: 10_000,
        events: Recording::At("gorilla:events"),
    })
});

/// A script, its digest, and the words of EVALSHA behind the digest: the number of keys, the keys, the arguments.
pub struct Command {
    pub source: String,
    pub sha: String,
    pub words: Vec<Vec<u8>>,
}

/// A token and an id as the store makes them: a UUID of version 4 and a UUID of version 7.
pub const TOKEN: &str = "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31";
pub const ID: &str = "019ab6f0-3d52-7c11-a2f4-5b8e1d9c4e77";

/// A fingerprint of a request, as long as those that the service makes.
const PRINT: &str = "5f2a9c3e7b105f2a9c3e7b105f2a9c3e";

/// Over which messages reach a replica.
const CHANNEL: &str = "gorilla:wake:5f2a9c3e7b10";

fn call<C: Call>(resource: &str, call: &C) -> Request {
    Request::new(&SCRIPTS, Some(Keys::new("gorilla").lock(resource)), call)
}

/// An attempt to acquire a lock for so many milliseconds, without an Idempotency-Key and without waiting.
fn attempt<'a>(id: &'a str, token: &'a str, lease: u64) -> calls::Acquire<'a> {
    let (owner, metadata, channel) = ("bench", "[]", "");
    let (request, print, wait) = (None, None, None);
    calls::Acquire { id, token, owner, metadata, lease, request, print, wait, channel, rank: None, by: None }
}

/// Acquires the lock of `resource` for so many milliseconds.
pub fn acquire(resource: &str, id: &str, token: &str, lease: u64) -> Request {
    call(resource, &Try(attempt(id, token, lease)))
}

/// Acquires the lock for an hour with this Idempotency-Key.
pub fn acquire_with_key(resource: &str, id: &str, token: &str, key: &str) -> Request {
    let (request, print) = (Some(key), Some(PRINT));
    call(resource, &Try(calls::Acquire { request, print, ..attempt(id, token, 3_600_000) }))
}

/// Acquires the lock for a minute, or waits for it for up to a minute.
pub fn enqueue(resource: &str, id: &str, token: &str) -> Request {
    call(resource, &Try(calls::Acquire { wait: Some(60_000), channel: CHANNEL, ..attempt(id, token, 60_000) }))
}

/// Releases the lock, and has a waiter claim it that joined the queue at this time.
pub fn hand_over(resource: &str, held: &str, id: &str, token: &str, arrived: u64) -> Request {
    let release = Release { token: held, request: None, print: None };
    let asked = calls::Acquire { wait: Some(60_000), channel: CHANNEL, ..attempt(id, token, 60_000) };
    let claim = Claim { asked, arrived: Some(arrived) };
    call(resource, &Handover { release, claim })
}

/// Looks at the lock.
pub fn inspect(resource: &str, token: &str) -> Request {
    call(resource, &Inspect { token: Some(token) })
}

/// Extends the lock to a minute from now.
pub fn extend(resource: &str, token: &str, new_token: &str) -> Request {
    call(resource, &Extend { token, new_token, lease: 60_000, metadata: None, request: None, print: None })
}

/// Releases the lock with this Idempotency-Key.
pub fn release_with_key(resource: &str, token: &str, key: &str) -> Request {
    call(resource, &Release { token, request: Some(key), print: Some(PRINT) })
}

/// Releases the lock.
pub fn release(resource: &str, token: &str) -> Request {
    call(resource, &Release { token, request: None, print: None })
}

impl Command {
    /// A command for requests to the same script.
    pub fn of(requests: &[Request]) -> Self {
        let (keys, arguments) = together(requests.iter());
        let keys = [keys.len().to_string().into_bytes()].into_iter().chain(keys.iter().map(|key| key.to_vec()));
        let words = keys.chain([arguments.to_vec()]).collect();
        let script = &requests[0].script;
        Self { source: script.source.to_string(), sha: script.sha.to_string(), words }
    }

    pub fn evalsha(&self) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.sha).arg(&self.words);
        command
    }

    pub fn load(&self, redis: &mut Connection) -> Result<()> {
        ask::<String>(redis, &["SCRIPT", "LOAD", &self.source]).map(drop).context("Redis does not take a script")
    }
}

/// A connection to the Redis that listens on this port of 127.0.0.1.
pub fn connect(port: u16) -> Result<Connection> {
    let opened = redis::Client::open(("127.0.0.1", port)).and_then(|client| client.get_connection());
    opened.with_context(|| format!("no reply from a Redis at port {port}"))
}

/// What Redis replies to a command.
pub fn ask<T: FromRedisValue>(redis: &mut Connection, words: &[&str]) -> Result<T> {
    let reply = redis::cmd(words[0]).arg(&words[1..]).query(redis);
    reply.with_context(|| format!("Redis replied to {}", words[0]))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures_util::future::{join, join_all};
    use gorilla_harness::{Redis, Replica, eventually, token};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    /// The words behind the digest in the last call of a script by a replica. Finds the call only if the text of the
    /// script is the same. The slow log keeps 32 words of a command, which is enough here.
    fn sent(redis: &Redis, command: &Command, keys: impl Fn(usize) -> bool) -> Option<Vec<String>> {
        let log = redis.cli(&["--json", "SLOWLOG", "GET", "500"]);
        let log: Vec<serde_json::Value> = serde_json::from_str(&log).expect("the slow log is JSON");
        let mut commands = log.iter().filter_map(|entry| serde_json::from_value::<Vec<String>>(entry[3].clone()).ok());
        let is_it = |words: &Vec<String>| {
            words[0].eq_ignore_ascii_case("EVALSHA") && words[1] == command.sha && keys(words[2].parse().unwrap_or(0))
        };
        commands.find(is_it).map(|words| words[2..].to_vec())
    }

    /// The same words of `command`, as the slow log shows them.
    fn shown(redis: &Redis, command: &Command) -> Vec<String> {
        let mut connection = connect(redis.port).expect("Redis accepts");
        command.load(&mut connection).expect("Redis takes it");
        let _: redis::Value = command.evalsha().query(&mut connection).expect("a reply");
        let count = command.words.len() - 2;
        sent(redis, command, |keys| keys == count).expect("it was sent just now")
    }

    /// The words without resources, ids, tokens and channels, which differ. The slow log cuts words off at 128 bytes.
    fn shape(words: &[String]) -> String {
        let differs = regex::Regex::new(
            r"[{][^}]*[}]|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|wake:[0-9a-f]*|[0-9a-f-]*\.\.\. \([0-9]+ more bytes\)",
        );
        differs.expect("a pattern").replace_all(&words.join(" "), "*").into_owned()
    }

    #[tokio::test]
    async fn the_calls_are_those_that_a_replica_makes_alone_and_together() {
        let settings = ["--appendonly", "no", "--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000"];
        let (redis, ours) = (Redis::start(&settings), Redis::start(&settings));
        let replica = Replica::on(&redis).await;
        let lock = replica.api.granted("bench", "bench", 60).await;
        let extended = replica.api.extend("bench", token(&lock), 60).await.json();
        replica.api.status("bench", token(&extended)).await;
        assert_eq!(replica.api.release("bench", token(&extended)).await.status, 204);
        let requests = [acquire("bench", ID, TOKEN, 60_000), inspect("bench", TOKEN), extend("bench", TOKEN, TOKEN)];
        for request in requests.into_iter().chain([release("bench", TOKEN)]) {
            let command = Command::of(&[request]);
            let sent = sent(&redis, &command, |keys| keys == 1).expect("a replica sent it");
            assert_eq!(shape(&sent), shape(&shown(&ours, &command)));
        }

        let held = replica.api.granted("bench", "bench", 60).await;
        let asked = json!({"owner": "bench", "timeout": 60, "wait": 30});
        let waits = replica.api.acquire_with("bench", &asked, &[]);
        let releases = async {
            let waiting = || async { redis.cli(&["ZCARD", "gorilla:{bench}:queue"]) == "1" };
            eventually("somebody waits", Duration::from_secs(30), waiting).await;
            replica.api.release("bench", token(&held)).await
        };
        assert_eq!(join(waits, releases).await.0.status, 200);
        // Nothing more is compared, because the arguments have times in them.
        for request in [enqueue("bench", ID, TOKEN), hand_over("bench", TOKEN, ID, TOKEN, 1)] {
            sent(&redis, &Command::of(&[request]), |keys| keys == 1).expect("a replica sent it");
        }

        let new = || Uuid::new_v4().to_string();
        let releases = |count| Command::of(&(0..count).map(|_| release("bench", &new())).collect::<Vec<_>>());
        let (two, begun) = (releases(2), Instant::now());
        // The requests come at once: the first goes alone and the others together, unless the machine pauses in
        // between.
        let words = loop {
            join_all((0..4).map(|_| async { replica.api.release("bench", &new()).await })).await;
            if let Some(words) = sent(&redis, &two, |keys| keys > 1) {
                break words;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no requests went together");
        };
        let count = words[0].parse::<usize>().expect("the number of keys");
        assert_eq!(shape(&words), shape(&shown(&ours, &releases(count))));
    }
}
