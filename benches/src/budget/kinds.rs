//! The kinds of requests that have a budget, and how the benchmark makes them.

use std::{collections::HashMap, net::SocketAddr, time::Duration, time::Instant};

use anyhow::{Result, ensure};
use itertools::Itertools;
use uuid::Uuid;

use crate::{http::Connection, scripts, scripts::Command, scripts::ask};

/// A request with a budget: its name (`with_key` means with an Idempotency-Key, for which Redis keeps a record); how
/// many requests go at once, each over its own connection, before the first is answered; its method and body; and the
/// status of its answer.
pub struct Kind(pub &'static str, pub usize, pub &'static str, pub &'static str, pub u16);

const ACQUIRE: &str = r#"{"owner":"worker-7","timeout":3600}"#;
const WAIT: &str = r#"{"owner":"worker-7","timeout":3600,"wait":60}"#;

/// Requests to a replica, in the order in which they are measured. Each number is a lock, and each kind relies on the
/// earlier kinds to have used the same numbers.
pub const OF_REPLICA: [Kind; 10] = [
    Kind("acquire", 1, "POST", ACQUIRE, 200),
    Kind("refused", 1, "POST", r#"{"owner":"worker-8","timeout":3600}"#, 409),
    Kind("status", 1, "GET", "", 200),
    // With a new token.
    Kind("extend", 1, "PUT", r#"{"timeout":7200}"#, 200),
    Kind("release", 1, "DELETE", "", 204),
    Kind("acquire_with_key", 1, "POST", ACQUIRE, 200),
    Kind("release_with_key", 1, "DELETE", "", 204),
    // Two requests: a release, and the acquire that waited for it.
    Kind("handover", 1, "POST", WAIT, 200),
    Kind("acquire_of_64_clients", 64, "POST", ACQUIRE, 200),
    Kind("release_of_64_clients", 64, "DELETE", "", 204),
];

/// Commands to Redis. A cycle is an acquire and a release. The cycles use the same locks again and again.
pub const OF_REDIS: [(&str, usize); 2] = [("redis_cycle", 1), ("redis_cycle_in_batches_of_8", 8)];

/// The client that makes the requests.
pub struct Client {
    address: SocketAddr,
    /// Opened when the client first needs them, because a replica closes connections that are idle for long.
    connections: Vec<Connection>,
    redis: redis::Connection,
    /// The tokens of held locks, by the paths of the locks.
    tokens: HashMap<String, String>,
}

impl Client {
    /// A client of a replica, which can also look into the Redis of the replica.
    pub fn of(port: u16, redis_port: u16) -> Result<Self> {
        let (connections, tokens, redis) = (vec![], HashMap::new(), scripts::connect(redis_port)?);
        Ok(Self { address: ([127, 0, 0, 1], port).into(), connections, redis, tokens })
    }

    /// Makes the requests of a kind for a step. The number of the step is a part of names and keys.
    pub async fn step(&mut self, kind: &Kind, step: usize) -> Result<()> {
        let Kind(name, together, method, body, status) = *kind;
        while self.connections.len() < if name == "handover" { 2 } else { together } {
            self.connections.push(Connection::open(self.address).await?);
        }
        if name == "handover" {
            return self.handover(step).await;
        }
        // All names have the same length, so that all requests cost the same.
        let locks = (0..together).map(|place| format!("/api/v1/locks/orders-{:06}", step * together + place));
        let locks: Vec<_> = locks.collect();
        for (number, lock) in locks.iter().enumerate() {
            let key = format!("Idempotency-Key: {name}-{step:06}\r\n");
            let more = if name.ends_with("with_key") { &key } else { "" };
            self.send(number, method, lock, more, body).await?;
        }
        for (number, lock) in locks.iter().enumerate() {
            self.answered(number, lock, status).await?;
        }
        Ok(())
    }

    /// One connection holds the lock and the other waits for it. In the next step they change places.
    async fn handover(&mut self, step: usize) -> Result<()> {
        const LOCK: &str = "/api/v1/locks/handover";
        let [holder, waiter] = [step % 2, (step + 1) % 2];
        if step == 0 {
            self.send(holder, "POST", LOCK, "", ACQUIRE).await?;
            self.answered(holder, LOCK, 200).await?;
        }
        self.send(waiter, "POST", LOCK, "", WAIT).await?;
        // Looks into Redis, because a request to the replica would cost the replica instructions.
        let begun = Instant::now();
        while ask::<u64>(&mut self.redis, &["ZCARD", "gorilla:{handover}:queue"])? != 1 {
            ensure!(begun.elapsed() < Duration::from_secs(30), "nobody waits for the lock");
        }
        self.send(holder, "DELETE", LOCK, "", "").await?;
        self.answered(holder, LOCK, 204).await?;
        self.answered(waiter, LOCK, 200).await
    }

    /// Sends a request over the connection of this number, with the headers of curl and more headers.
    async fn send(&mut self, number: usize, method: &str, lock: &str, more: &str, body: &str) -> Result<()> {
        let token = self.tokens.get(lock).filter(|_| method != "POST");
        let path = token.map_or_else(|| lock.into(), |token| format!("{lock}/{token}"));
        let headers = format!("User-Agent: curl/8.0\r\nAccept: */*\r\n{more}");
        self.connections[number].send(method, &path, &headers, body).await
    }

    /// Reads an answer. Fails on another status than the expected one, because the figures would mean something else.
    async fn answered(&mut self, number: usize, lock: &str, status: u16) -> Result<()> {
        let answer = self.connections[number].answer().await?;
        ensure!(answer.status == status, "expected {status}, got {answer:?}");
        self.tokens.extend(answer.word_after("\"token\":\"").map(|token| (lock.into(), token.into())));
        Ok(())
    }
}

/// Acquires so many locks of Redis with one command, and releases them with another.
pub fn cycle(redis: &mut redis::Connection, together: usize, step: usize) -> Result<()> {
    let name = |place| format!("orders-{:06}", (step * together + place) % 200);
    let locks: Vec<_> = (0..together).map(|place| (name(place), Uuid::new_v4().to_string())).collect();
    let acquire = locks.iter().map(|(name, token)| {
        let id = Uuid::now_v7().to_string();
        (scripts::acquire(name, &id, token, 3_600_000), "granted")
    });
    let release = locks.iter().map(|(name, token)| (scripts::release(name, token), "released"));
    for calls in [acquire.collect_vec(), release.collect_vec()] {
        let (calls, expected): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let command = Command::of(&calls);
        if step == 0 {
            command.load(redis)?;
        }
        let replies: Vec<Vec<u8>> = command.evalsha().query(redis)?;
        let is_expected = |reply: &&Vec<u8>| String::from_utf8_lossy(reply).contains(expected[0]);
        let found = replies.iter().filter(is_expected).count();
        ensure!(found == together, "expected {together} replies {}, but Redis replied {replies:?}", expected[0]);
    }
    Ok(())
}
