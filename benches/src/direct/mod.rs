//! Contestants that talk to a store without HTTP: three libraries for locks in Redis, redis-benchmark on Gorilla's own
//! scripts, and dflockd, which is a store itself.
//!
//! A cycle takes a lock and releases it, and counts where the grant came within the measured time. Each client is in a
//! closed loop: it asks again once it was answered. The lease is 30 s everywhere.

mod clients;
mod csv;
mod dflockd;
mod lua;
mod program;
mod redis_benchmark;
mod redis_py;
mod redlock;
mod rslock;

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

pub use rslock::as_a_process as rslock_as_a_process;

/// For how long locks are asked for.
const LEASE: Duration = Duration::from_secs(30);

/// A client that brings its own library or program.
pub trait Direct {
    /// As samples have it.
    fn name(&self) -> &'static str;

    /// Its version and what one cycle of it does, once it can run; else why it can't: what is missing and how to get it.
    fn prepare(&mut self) -> Result<String, String>;

    /// Takes and releases locks of its own with so many clients at once on that Redis, for so long after a warm-up.
    fn own_locks(
        &self,
        redis_port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Result<Measured, String>;

    /// The same with one lock among all of them, and the library's own way of waiting as it is unless told otherwise. None
    /// where it has no way to wait.
    fn one_lock(
        &self,
        redis_port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
    ) -> Option<Result<Measured, String>>;
}

/// What came of a workload. Times are seconds in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Grants within the measured time.
    pub cycles: u64,
    /// The measured time as it was.
    #[serde(with = "seconds")]
    pub elapsed: Duration,
    /// The median of the times from the asking to the grant.
    #[serde(with = "seconds")]
    pub p50: Duration,
    /// 99 % of the grants took no longer.
    #[serde(with = "seconds")]
    pub p99: Duration,
    /// The longest wait for a grant, those included that were asked for in the measured time and granted after it. Where
    /// who polls next gets the lock, most grants go to whoever has just released, and only this shows the others.
    #[serde(with = "seconds")]
    pub longest: Duration,
    /// Processor time of the client's process over the measured time.
    #[serde(with = "seconds")]
    pub client_cpu: Duration,
    /// The same of the server, where the contestant brings one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_seconds")]
    pub server_cpu: Option<Duration>,
}

/// All of them, in the order in which tables have them.
pub fn all() -> Vec<Box<dyn Direct>> {
    vec![
        Box::new(redis_py::RedisPy),
        Box::new(redlock::Redlock),
        Box::new(rslock::Rslock),
        Box::new(redis_benchmark::RedisBenchmark::new(1)),
        Box::new(redis_benchmark::RedisBenchmark::new(16)),
        Box::new(dflockd::Dflockd::default()),
    ]
}

/// What a client is to do: the arguments of every client that is a process of its own.
#[derive(Args, Clone, Copy, Debug)]
pub struct Task {
    /// Whose lock each client takes
    locks: Locks,
    /// Where the store listens on 127.0.0.1
    port: u16,
    /// How many at once
    clients: usize,
    /// Seconds before what counts
    warm_up: f64,
    /// Seconds that count
    measured: f64,
}

/// Whose lock each client takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Locks {
    /// `bench-<number of the client>`.
    Own,
    /// `bench`.
    One,
}

impl Task {
    fn new(locks: Locks, port: u16, clients: usize, warm_up: Duration, measured: Duration) -> Self {
        Self { locks, port, clients, warm_up: warm_up.as_secs_f64(), measured: measured.as_secs_f64() }
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    fn measured(&self) -> Duration {
        Duration::from_secs_f64(self.measured)
    }

    fn resource(&self, client: usize) -> String {
        match self.locks {
            Locks::Own => format!("bench-{client}"),
            Locks::One => "bench".into(),
        }
    }

    fn to_args(self) -> [String; 5] {
        let locks = match self.locks {
            Locks::Own => "own",
            Locks::One => "one",
        };
        let Self { port, clients, warm_up, measured, .. } = self;
        [locks.into(), port.to_string(), clients.to_string(), warm_up.to_string(), measured.to_string()]
    }
}

/// One contestant alone.
#[derive(Args)]
pub struct Trial {
    /// Its name
    contestant: String,
    #[command(flatten)]
    task: Task,
}

impl Trial {
    /// Prepares it and has it do its task; what was measured, as a line of JSON.
    pub fn run(self) -> Result<String, String> {
        let found = all().into_iter().find(|contestant| contestant.name() == self.contestant);
        let mut contestant = found.ok_or_else(|| format!("no contestant is called {}", self.contestant))?;
        eprintln!("{}: {}", contestant.name(), contestant.prepare()?);
        let Task { locks, port, clients, .. } = self.task;
        let (warm_up, measured) = (self.task.warm_up(), self.task.measured());
        let measured = match locks {
            Locks::Own => contestant.own_locks(port, clients, warm_up, measured),
            Locks::One => contestant.one_lock(port, clients, warm_up, measured).unwrap_or(Err("it can't wait".into())),
        };
        serde_json::to_string(&measured?).map_err(|error| error.to_string())
    }
}

/// A duration as seconds with a fraction, which Python and JavaScript have, too.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The same, where there may be none.
mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    use super::seconds;

    pub fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => seconds::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        seconds::deserialize(deserializer).map(Some)
    }
}
