//! The scripts of `lua/` as the store sends them, for those who run them without Gorilla: the same text, keys and arguments,
//! so that what Redis does for them is what it does for Gorilla.

use std::iter;

use anyhow::{Context, Result};
use itertools::Itertools;
use redis::{Connection, FromRedisValue, Script};

const SHARED: &str = include_str!("../../lua/shared.lua");
const BATCH: &str = include_str!("../../lua/batch.lua");

/// One request to a script.
pub struct Call {
    text: &'static str,
    pub keys: Vec<String>,
    pub args: Vec<String>,
}

/// A whole text, and the words that EVALSHA is given behind its digest: the number of keys, the keys, the arguments.
pub struct Command {
    pub script: Script,
    pub words: Vec<String>,
}

/// A token and an id as the store makes them: a version 4 and a version 7.
pub const TOKEN: &str = "6f1c8a52-8a6e-4b0e-9c1d-2f4f0b9a7d31";
pub const ID: &str = "019ab6f0-3d52-7c11-a2f4-5b8e1d9c4e77";

/// Takes the lock of `resource` for so many milliseconds, without an Idempotency-Key and without waiting, with what
/// `src/settings/defaults.toml` sets. The other keys are those of `rest`, another resource or the same.
pub fn acquire([resource, rest]: [&str; 2], id: &str, token: &str, lease: u64) -> Call {
    let mut keys = keys([resource, rest], &["lock", "fence", "queue", "queue:turn"]);
    keys.push(format!("gorilla:{{{rest}}}:request:{id}"));
    let (lease, channel) = (lease.to_string(), "gorilla:wake:5f2a9c3e7b10");
    let settings = ["86400000", "", "60000", "0", channel, "", "10000", "10000", "120000", "0"];
    let args = [&[id, token, "bench", "[]", &lease][..], &settings].concat();
    Call::new(include_str!("../../lua/acquire.lua"), keys, &args)
}

/// Looks at it.
pub fn inspect(resource: &str, token: &str) -> Call {
    Call::new(include_str!("../../lua/inspect.lua"), keys([resource; 2], &["lock", "queue"]), &[token])
}

/// Makes it last a minute longer.
pub fn extend(resource: &str, token: &str, new_token: &str) -> Call {
    let args = [token, new_token, "60000", "86400000", "", "60000"];
    Call::new(include_str!("../../lua/extend.lua"), keys([resource; 2], &["lock", "fence"]), &args)
}

/// Gives it back. The other keys are those of `rest`.
pub fn release(resources: [&str; 2], token: &str) -> Call {
    let keys = keys(resources, &["lock", "queue", "queue:turn"]);
    Call::new(include_str!("../../lua/release.lua"), keys, &[token, "", "60000"])
}

/// The first is a key of the resource, the others are of the rest.
fn keys([resource, rest]: [&str; 2], of: &[&str]) -> Vec<String> {
    iter::once(resource)
        .chain(iter::repeat(rest))
        .zip(of)
        .map(|(resource, what)| format!("gorilla:{{{resource}}}:{what}"))
        .collect()
}

impl Call {
    fn new(text: &'static str, keys: Vec<String>, args: &[&str]) -> Self {
        Self { text, keys, args: args.iter().map(ToString::to_string).collect() }
    }

    /// A command for it alone. The part that scripts share stands behind the first line.
    pub fn alone(&self) -> Command {
        let (flags, body) = self.text.split_once('\n').unwrap_or((self.text, ""));
        let count = self.keys.len().to_string();
        let words = [&[count][..], &self.keys, &self.args].concat();
        Command { script: Script::new(&format!("{flags}\n{SHARED}\n{body}")), words }
    }

    /// One command for many calls of the same script, as `lua/batch.lua` says.
    pub fn together(calls: &[Self]) -> Command {
        let Self { text, keys, args } = &calls[0];
        let differs = |&arg: &usize| calls.iter().any(|call| call.args[arg] != args[arg]);
        let differing = (0..args.len()).filter(differs).collect_vec();
        let mut words = vec![(calls.len() * keys.len()).to_string()];
        words.extend(calls.iter().flat_map(|call| call.keys.iter().cloned()));
        words.extend([keys.len().to_string(), differing.iter().map(|arg| arg + 1).join(" ")]);
        words.extend(args.iter().cloned());
        words.extend(calls[1..].iter().flat_map(|call| differing.iter().map(|&arg| call.args[arg].clone())));
        let (flags, body) = text.split_once('\n').unwrap_or((text, ""));
        let source = format!("{flags}\n{SHARED}\nlocal function one(KEYS, ARGV)\n{body}\nend\n{BATCH}");
        Command { script: Script::new(&source), words }
    }
}

impl Command {
    pub fn evalsha(&self) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(&self.words);
        command
    }

    pub fn load(&self, redis: &mut Connection) -> Result<()> {
        self.script.load(redis).map(drop).context("Redis does not take a script")
    }
}

/// A connection to the Redis that listens there on 127.0.0.1.
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
    use std::time::{Duration, Instant};

    use futures_util::future::join_all;
    use gorilla_harness::{Redis, Replica, token};
    use uuid::Uuid;

    use super::*;

    /// What replicas sent last behind the digest of that script, which is only found if the text is the same. The slow log
    /// keeps no more than 32 words of a command, which is enough here.
    fn sent(redis: &Redis, script: &Script) -> Option<Vec<String>> {
        let log = redis.cli(&["--json", "SLOWLOG", "GET", "500"]);
        let log: Vec<serde_json::Value> = serde_json::from_str(&log).expect("the slow log is JSON");
        let mut commands = log.iter().filter_map(|entry| serde_json::from_value::<Vec<String>>(entry[3].clone()).ok());
        let is_it = |words: &Vec<String>| words[0].eq_ignore_ascii_case("EVALSHA") && words[1] == script.get_hash();
        commands.find(is_it).map(|words| words[2..].to_vec())
    }

    /// What stays when one resource, id, token or channel is put for another.
    fn shape(words: &[String]) -> String {
        let differs = regex::Regex::new("[{][^}]*[}]|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|wake:[0-9a-f]*");
        differs.expect("a pattern").replace_all(&words.join(" "), "*").into_owned()
    }

    #[tokio::test]
    async fn the_calls_are_those_that_a_replica_makes_alone_and_together() {
        let redis = Redis::start(&["--appendonly", "no", "--slowlog-log-slower-than", "0"]);
        let replica = Replica::on(&redis).await;
        let lock = replica.api.granted("bench", "bench", 60).await;
        let extended = replica.api.extend("bench", token(&lock), 60).await.json();
        replica.api.status("bench", token(&extended)).await;
        assert_eq!(replica.api.release("bench", token(&extended)).await.status, 204);
        let calls = [acquire(["bench"; 2], ID, TOKEN, 60_000), inspect("bench", TOKEN), extend("bench", TOKEN, TOKEN)];
        for command in calls.iter().chain([&release(["bench"; 2], TOKEN)]).map(Call::alone) {
            let sent = sent(&redis, &command.script).expect("a replica sent it");
            assert_eq!(shape(&sent), shape(&command.words));
        }

        let new = || Uuid::new_v4().to_string();
        let releases = |count| (0..count).map(|_| release(["bench"; 2], &new())).collect::<Vec<_>>();
        let (script, begun) = (Call::together(&releases(2)).script, Instant::now());
        // All at once: the first goes alone and the others together, unless the machine pauses in between.
        let words = loop {
            join_all((0..4).map(|_| async { replica.api.release("bench", &new()).await })).await;
            if let Some(words) = sent(&redis, &script) {
                break words;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no requests went together");
        };
        let count = words[0].parse::<usize>().expect("the number of keys") / 3;
        assert_eq!(shape(&words), shape(&Call::together(&releases(count)).words));
    }
}
