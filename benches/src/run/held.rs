//! What an acquire costs while many other locks are held, and what those cost Redis.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use gorilla_harness::Redis;
use uuid::Uuid;

use super::{Bench, Figures, load};
use crate::{
    contestant::{Gorilla, Server},
    load::Pace,
    scripts::Scripts,
    workload::OWN_LOCKS,
};

/// Locks that are held.
const HELD: [usize; 4] = [0, 10_000, 100_000, 1_000_000];
/// Few enough that nothing queues, so that the latency is that of the work.
const CLIENTS: usize = 4;
/// Grants on their way to Redis at once.
const TOGETHER: usize = 1000;

impl Bench {
    /// One deployment for each number of held locks, side by side.
    pub async fn held(&mut self) -> Result<(), String> {
        if !self.options.wants("held-locks") {
            return Ok(());
        }
        let mut deployments = Vec::new();
        for held in HELD.into_iter().filter(|&held| self.options.wants_at(held as u64)) {
            let deployment = Gorilla::start(1).await;
            let bytes = fill(deployment.database(), held)?;
            deployments.push((held, deployment, bytes));
        }
        for round in 1..=self.options.rounds {
            for (held, deployment, bytes) in &deployments {
                let figures = load::measure(&self.options, deployment, OWN_LOCKS, CLIENTS, Pace::Closed, false);
                let figures = figures.map(|mut figures| {
                    figures.extend(bytes.clone());
                    figures
                });
                self.keep("held-locks", deployment.name(), *held as u64, round, figures);
            }
        }
        self.save()
    }
}

/// Has so many locks taken by the script that takes them, and tells what each costs Redis.
fn fill(redis: &Redis, locks: usize) -> Result<Figures, String> {
    if locks == 0 {
        return Ok(Figures::new());
    }
    let sha = Scripts::loaded(redis)?.acquire;
    let told = |error: std::io::Error| format!("Redis is not filled: {error}");
    let before = used_memory(redis)?;
    // Each grant would be on disk before the next thousand.
    redis.cli(&["CONFIG", "SET", "appendfsync", "no"]);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, redis.port)).map_err(told)?;
    let (mut commands, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    for first in (0..locks).step_by(TOGETHER) {
        let count = TOGETHER.min(locks - first);
        commands.clear();
        for lock in first..first + count {
            acquire(&mut commands, &sha, lock);
        }
        stream.write_all(&commands).map_err(told)?;
        // Of each reply the first line is `*3`, and each has one word `granted`.
        let (mut replies, mut rest) = (0, Vec::new());
        while replies < count {
            let length = stream.read(&mut buffer).map_err(told)?;
            if length == 0 {
                return Err("Redis closed the connection while it was filled".into());
            }
            rest.extend_from_slice(&buffer[..length]);
            if rest.contains(&b'-') {
                return Err(format!(
                    "Redis refuses a grant: {}",
                    String::from_utf8_lossy(&rest[..rest.len().min(300)])
                ));
            }
            replies = memchr::memmem::find_iter(&rest, b"granted").count();
            // The last reply is whole when nothing is left unread; what is missing of it is small.
            if replies == count && !rest.ends_with(b"\r\n") {
                replies -= 1;
            }
        }
    }
    redis.cli(&["CONFIG", "SET", "appendfsync", "always"]);
    let with_fence = used_memory(redis)?;
    let keys: usize = redis.cli(&["DBSIZE"]).parse().map_err(|_| "DBSIZE is no number")?;
    if keys != 2 * locks {
        return Err(format!("{locks} locks and their fences make {keys} keys"));
    }
    let sampled = |what: &str| memory_usage(redis, what, locks);
    Ok(Figures::from([
        ("redis_bytes_per_lock".into(), (with_fence - before) / locks as f64),
        ("redis_bytes_per_lock_key".into(), sampled("lock")?),
        ("redis_bytes_per_fence_key".into(), sampled("fence")?),
    ]))
}

fn acquire(commands: &mut Vec<u8>, sha: &str, lock: usize) {
    let key = |what: &str| format!("gorilla:{{held-{lock:07}}}:{what}");
    let (id, token) = (Uuid::now_v7().to_string(), Uuid::new_v4().to_string());
    let request = key(&format!("request:{id}"));
    let keys = [key("lock"), key("fence"), key("queue"), key("queue:turn"), request];
    let args = [
        id.as_str(),
        &token,
        "bench",
        "[]",
        "86400000",
        "86400000",
        "",
        "60000",
        "0",
        "gorilla:wake:bench",
        "",
        "10000",
        "10000",
        "120000",
        "0",
    ];
    let words = ["EVALSHA", sha, "5"].into_iter().chain(keys.iter().map(String::as_str)).chain(args);
    let words: Vec<_> = words.collect();
    // A vector takes all that is written.
    let _ = write!(commands, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(commands, "${}\r\n{word}\r\n", word.len());
    }
}

fn used_memory(redis: &Redis) -> Result<f64, String> {
    let info = redis.cli(&["INFO", "memory"]);
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).ok_or_else(|| "INFO does not tell used_memory".into())
}

/// The mean of what Redis says of some keys; without what the table of all keys takes for them.
fn memory_usage(redis: &Redis, what: &str, locks: usize) -> Result<f64, String> {
    let sample = locks.min(20);
    let mut sum = 0.0;
    for index in 0..sample {
        let key = format!("gorilla:{{held-{:07}}}:{what}", index * (locks / sample));
        let said = redis.cli(&["MEMORY", "USAGE", &key]);
        sum += said.parse::<f64>().map_err(|_| format!("MEMORY USAGE {key}: {said}"))?;
    }
    Ok(sum / sample as f64)
}
