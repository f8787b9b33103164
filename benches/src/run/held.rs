//! What an acquire costs while many other locks are held, and what those cost Redis.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use gorilla_harness::Redis;
use uuid::Uuid;

use super::{Bench, load};
use crate::{
    contestant::{Gorilla, Server},
    load::Pace,
    scripts::{Scripts, acquire_args},
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
            let before = used_memory(deployment.database())?;
            take(deployment.database(), held)?;
            let with_fences = used_memory(deployment.database())? - before;
            deployments.push((held, deployment, before, with_fences));
        }
        for round in 1..=self.options.rounds {
            for (held, deployment, _, with_fences) in &deployments {
                let figures = load::measure(&self.options, deployment, OWN_LOCKS, CLIENTS, Pace::Closed, false);
                let figures = figures.map(|mut figures| {
                    if *held > 0 {
                        figures.insert("redis_bytes_per_lock".into(), with_fences / *held as f64);
                    }
                    figures
                });
                self.keep("held-locks", deployment.name(), *held as u64, round, figures);
            }
        }
        // Only now, because the fences of locks that are held belong to what an acquire was measured beside.
        for (held, deployment, before, _) in deployments.into_iter().filter(|(held, ..)| *held > 0) {
            forget_fences(deployment.database(), held)?;
            let each = (used_memory(deployment.database())? - before) / held as f64;
            let samples = self.results.samples.iter_mut();
            for sample in samples.filter(|sample| sample.workload == "held-locks" && sample.at == held as u64) {
                sample.figures.insert("redis_bytes_per_lock_without_fence".into(), each);
            }
        }
        self.save()
    }
}

/// Has so many locks taken by the script that takes them.
fn take(redis: &Redis, locks: usize) -> Result<(), String> {
    let sha = Scripts::loaded(redis)?.acquire;
    // Each grant would be on disk before the next thousand.
    redis.cli(&["CONFIG", "SET", "appendfsync", "no"]);
    pipeline(redis, locks, "granted", |commands, lock| acquire(commands, &sha, lock))?;
    redis.cli(&["CONFIG", "SET", "appendfsync", "always"]);
    let keys = redis.cli(&["DBSIZE"]);
    if keys == (2 * locks).to_string() {
        Ok(())
    } else {
        Err(format!("{locks} locks and their fences make {keys} keys"))
    }
}

/// Leaves the locks without their fences.
fn forget_fences(redis: &Redis, locks: usize) -> Result<(), String> {
    pipeline(redis, locks, ":1\r\n", |commands, lock| command(commands, &["DEL", &key(lock, "fence")]))
}

/// Sends a command for each lock, a thousand at a time, each of which must be answered with this text in it.
fn pipeline(redis: &Redis, locks: usize, success: &str, append: impl Fn(&mut Vec<u8>, usize)) -> Result<(), String> {
    let told = |error: std::io::Error| format!("Redis is not filled: {error}");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, redis.port)).map_err(told)?;
    let (mut commands, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    for first in (0..locks).step_by(TOGETHER) {
        let count = TOGETHER.min(locks - first);
        commands.clear();
        (first..first + count).for_each(|lock| append(&mut commands, lock));
        stream.write_all(&commands).map_err(told)?;
        let mut replies = Vec::new();
        // The last reply is whole when nothing of it is left.
        while memchr::memmem::find_iter(&replies, success).count() < count || !replies.ends_with(b"\r\n") {
            let length = stream.read(&mut buffer).map_err(told)?;
            if length == 0 {
                return Err("Redis closed the connection while it was filled".into());
            }
            replies.extend_from_slice(&buffer[..length]);
            if let Some(error) = memchr::memmem::find(&replies, b"-ERR") {
                return Err(format!("Redis refuses: {}", String::from_utf8_lossy(&replies[error..]).trim_end()));
            }
        }
    }
    Ok(())
}

fn key(lock: usize, what: &str) -> String {
    format!("gorilla:{{held-{lock:07}}}:{what}")
}

fn acquire(commands: &mut Vec<u8>, sha: &str, lock: usize) {
    let (id, token) = (Uuid::now_v7().to_string(), Uuid::new_v4().to_string());
    let request = key(lock, &format!("request:{id}"));
    let keys = [key(lock, "lock"), key(lock, "fence"), key(lock, "queue"), key(lock, "queue:turn"), request];
    let args = acquire_args(&id, &token, "86400000");
    let words = ["EVALSHA", sha, "5"].into_iter().chain(keys.iter().map(String::as_str)).chain(args);
    command(commands, &words.collect::<Vec<_>>());
}

/// Appends a command as Redis takes it.
fn command(commands: &mut Vec<u8>, words: &[&str]) {
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
