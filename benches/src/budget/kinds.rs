//! The kinds of requests that have a budget, and how the benchmark makes them.

use std::{
    collections::HashMap, collections::HashSet, collections::VecDeque, net::SocketAddr, time::Duration, time::Instant,
};

use anyhow::{Context, Error, Result, ensure};
use gorilla_harness::Key;
use gorilla_scripts::{Request, apart};
use itertools::Itertools;
use serde_json::Value;
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

/// What Redis does for locks, driven without a replica.
#[derive(Clone, Copy)]
pub enum Work {
    /// An acquire and a release of so many locks, all acquires with one command and all releases with another. The
    /// cycles use the same locks again and again.
    Cycles(usize),
    /// An acquire and a release of a lock, each with an Idempotency-Key.
    CycleWithKeys,
    /// One lock that is held: its holder extends the lease, and another client is refused the lock.
    Held,
    /// One lock for which others wait: its release, which takes the claim of the next waiter along, and the next acquire
    /// of the client that released it, which joins the queue.
    Handover,
}

/// The work of Redis: its name with the append-only file, its name without that file, and the work.
pub const OF_REDIS: [(&str, &str, Work); 5] = [
    ("redis_cycle", "redis_cycle_without_aof", Work::Cycles(1)),
    ("redis_cycle_in_batches_of_8", "redis_cycle_in_batches_of_8_without_aof", Work::Cycles(8)),
    ("redis_cycle_with_keys", "redis_cycle_with_keys_without_aof", Work::CycleWithKeys),
    ("redis_extend_and_refusal", "redis_extend_and_refusal_without_aof", Work::Held),
    ("redis_handover", "redis_handover_without_aof", Work::Handover),
];

/// The clients of the hot lock, as in the benchmark of that lock: one holds the lock, and the others wait.
const WANT_THE_HOT_LOCK: usize = 32;

/// The client that makes the requests.
pub struct Client {
    address: SocketAddr,
    /// Opened when the client first needs them, because a replica closes connections that are idle for long.
    connections: Vec<Connection>,
    redis: redis::Connection,
    /// The tokens of held locks, by the paths of the locks.
    tokens: HashMap<String, String>,
    /// Headers of every request beside those of curl.
    headers: String,
}

impl Client {
    /// A client of a replica, which can also look into the Redis of the replica.
    pub fn of(port: u16, redis_port: u16) -> Result<Self> {
        let (connections, tokens, redis) = (vec![], HashMap::new(), scripts::connect(redis_port)?);
        Ok(Self { address: ([127, 0, 0, 1], port).into(), connections, redis, tokens, headers: String::new() })
    }

    /// The same client, with an API key.
    pub fn with_key(self, key: &Key) -> Self {
        Self { headers: format!("Authorization: {}\r\n", key.bearer()), ..self }
    }

    /// Makes the requests of a kind for a step. The number of the step is a part of names and keys. `rest` waits until the
    /// replica has done what it can do.
    pub async fn step(&mut self, kind: &Kind, step: usize, rest: &impl Fn() -> Result<()>) -> Result<()> {
        let Kind(name, together, method, body, status) = *kind;
        while self.connections.len() < if name == "handover" { 2 } else { together } {
            self.connections.push(Connection::open(self.address).await?);
        }
        if name == "handover" {
            return self.handover(step, rest).await;
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
    async fn handover(&mut self, step: usize, rest: &impl Fn() -> Result<()>) -> Result<()> {
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
        // Until the replica has read that the waiter has its place, it can't take the claim of the waiter along.
        rest()?;
        self.send(holder, "DELETE", LOCK, "", "").await?;
        self.answered(holder, LOCK, 204).await?;
        self.answered(waiter, LOCK, 200).await
    }

    /// Sends a request over the connection of this number, with the headers of curl and more headers.
    async fn send(&mut self, number: usize, method: &str, lock: &str, more: &str, body: &str) -> Result<()> {
        let token = self.tokens.get(lock).filter(|_| method != "POST");
        let path = token.map_or_else(|| lock.into(), |token| format!("{lock}/{token}"));
        let headers = format!("User-Agent: curl/8.0\r\nAccept: */*\r\n{}{more}", self.headers);
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

impl Work {
    /// How many locks a step acquires and releases.
    pub fn locks(self) -> usize {
        if let Self::Cycles(together) = self { together } else { 1 }
    }
}

/// A client that sends Redis what replicas send.
pub struct Driver {
    redis: redis::Connection,
    /// The digests of scripts that Redis has.
    loaded: HashSet<String>,
    /// The token of the lock that is held, once there is one.
    held: Option<String>,
    /// Who holds the hot lock, and behind it who waits for the lock.
    queue: VecDeque<Attempt>,
}

/// An acquire of the hot lock: its id, its token, and when it joined the queue, in microseconds since 1970.
struct Attempt(String, String, u64);

impl Driver {
    pub fn of(port: u16) -> Result<Self> {
        Ok(Self { redis: scripts::connect(port)?, loaded: HashSet::new(), held: None, queue: VecDeque::new() })
    }

    /// Does a step of the work. The number of the step is a part of names.
    pub fn step(&mut self, work: Work, step: usize) -> Result<()> {
        match work {
            Work::Cycles(together) => self.cycle(together, step),
            Work::CycleWithKeys => self.cycle_with_keys(step),
            Work::Held => self.held(),
            Work::Handover => self.handover(),
        }
    }

    fn cycle(&mut self, together: usize, step: usize) -> Result<()> {
        let name = |place| format!("orders-{:06}", (step * together + place) % 200);
        let locks: Vec<_> = (0..together).map(|place| (name(place), Uuid::new_v4().to_string())).collect();
        let acquire =
            |(name, token): &(String, String)| scripts::acquire(name, &Uuid::now_v7().to_string(), token, 3_600_000);
        self.send(&locks.iter().map(acquire).collect_vec(), "granted")?;
        self.send(&locks.iter().map(|(name, token)| scripts::release(name, token)).collect_vec(), "released").map(drop)
    }

    fn cycle_with_keys(&mut self, step: usize) -> Result<()> {
        let lock = format!("orders-{:06}", step % 200);
        let [token, acquire, release] = [(); 3].map(|()| Uuid::new_v4().to_string());
        let id = Uuid::now_v7().to_string();
        self.send(&[scripts::acquire_with_key(&lock, &id, &token, &acquire)], "granted")?;
        self.send(&[scripts::release_with_key(&lock, &token, &release)], "released").map(drop)
    }

    fn held(&mut self) -> Result<()> {
        const LOCK: &str = "orders-held";
        let [id, new] = [Uuid::now_v7(), Uuid::new_v4()].map(|id| id.to_string());
        let Some(token) = self.held.replace(new.clone()) else {
            return self.send(&[scripts::acquire(LOCK, &id, &new, 50_000)], "granted").map(drop);
        };
        self.send(&[scripts::extend(LOCK, &token, &new)], "extended")?;
        self.send(&[scripts::acquire(LOCK, &id, &new, 50_000)], "held").map(drop)
    }

    fn handover(&mut self) -> Result<()> {
        const LOCK: &str = "orders-hot";
        let new = || (Uuid::now_v7().to_string(), Uuid::new_v4().to_string());
        if self.queue.is_empty() {
            let (id, token) = new();
            self.send(&[scripts::acquire(LOCK, &id, &token, 3_600_000)], "granted")?;
            self.queue.push_back(Attempt(id, token, 0));
        }
        // Only in the first step, nobody waits yet.
        if let (Some(Attempt(_, held, _)), Some(Attempt(id, token, arrived))) = (self.queue.front(), self.queue.get(1))
        {
            self.send(&[scripts::hand_over(LOCK, held, id, token, *arrived)], "granted")?;
            self.queue.pop_front();
        }
        while self.queue.len() < WANT_THE_HOT_LOCK {
            let (id, token) = new();
            let replies = self.send(&[scripts::enqueue(LOCK, &id, &token)], "queued")?;
            let arrived = replies.first().and_then(|reply| reply.get(1)?.as_str()?.parse().ok());
            self.queue.push_back(Attempt(id, token, arrived.context("a place in the queue has no time")?));
        }
        Ok(())
    }

    /// Sends the calls of a script with one command. Each reply must contain `expected`.
    fn send(&mut self, calls: &[Request], expected: &str) -> Result<Vec<Vec<Value>>> {
        let command = Command::of(calls);
        if self.loaded.insert(command.sha.clone()) {
            command.load(&mut self.redis)?;
        }
        let packed: Vec<u8> = command.evalsha().query(&mut self.redis)?;
        let mut replies: Vec<Vec<Value>> = vec![];
        for reply in apart(&packed.into(), calls.len()).context("not a reply to each call")? {
            replies.push(rmp_serde::from_slice(&reply.map_err(Error::msg)?)?);
        }
        let is_right = |reply: &Vec<Value>| reply.iter().any(|item| item == expected);
        ensure!(
            replies.len() == calls.len() && replies.iter().all(is_right),
            "expected {expected}, but got {replies:?}"
        );
        Ok(replies)
    }
}

#[cfg(test)]
mod tests {
    use gorilla_harness::Redis;

    use super::*;

    #[test]
    fn redis_does_the_work_and_the_hot_lock_keeps_its_holder_and_its_waiters() {
        let redis = Redis::start(&["--appendonly", "no"]);
        let mut driver = Driver::of(redis.port).expect("a connection");
        for (name, _, work) in OF_REDIS {
            (0..3).for_each(|step| driver.step(work, step).expect(name));
        }
        let Attempt(_, token, arrived) = &driver.queue[0];
        assert_eq!(redis.cli(&["HGET", "gorilla:{orders-hot}:lock", "token"]), *token);
        assert!(*arrived > 0, "who holds the lock has waited for it");
        assert_eq!(redis.cli(&["ZCARD", "gorilla:{orders-hot}:queue"]), (WANT_THE_HOT_LOCK - 1).to_string());
    }
}
